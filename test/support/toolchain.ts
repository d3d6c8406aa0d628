import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The user and group nobody, for setpriv. */
export const NOBODY = 65_534
const OTHER_USER = [
  `--reuid=${NOBODY}`,
  `--regid=${NOBODY}`,
  '--clear-groups',
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
]

/** A tool that a suite needs: what starts it, or the reason to skip the suite. */
export type Tool<T extends object> =
  | { readonly found: T }
  | { readonly found: null; readonly reason: string }

/** Where `.ci/install` puts what it installs. */
export function cacheDirectory(): string {
  return process.env['QUORATE_TEST_CACHE'] ?? join(homedir(), '.cache', 'quorate-test')
}

/** Whether a command can be run; a version manager's shim of a missing tool counts as missing. */
export function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** `java` and the class path of Apache ZooKeeper's server and zkCli. */
export function zookeeperTool(): Tool<{ readonly java: string; readonly classPath: string }> {
  if (!runs('java', '-version')) return { found: null, reason: 'Java is missing: no java in PATH' }
  const directory = join(cacheDirectory(), 'zookeeper')
  if (!existsSync(join(directory, '.made-from'))) {
    const why = runs('mvn', '-version')
      ? 'run .ci/install'
      : 'Java is there, Maven (mvn) is missing'
    return { found: null, reason: `Apache ZooKeeper is not installed: ${why}` }
  }
  const jars = readdirSync(directory).filter((name) => name.endsWith('.jar'))
  const classPath = jars.map((name) => join(directory, name)).join(delimiter)
  return { found: { java: 'java', classPath } }
}

/** The Python that has kazoo. */
export function kazooTool(): Tool<{ readonly python: string }> {
  const python = join(cacheDirectory(), 'kazoo', 'bin', 'python')
  if (
    existsSync(join(cacheDirectory(), 'kazoo', '.made-from')) &&
    runs(python, '-c', 'import kazoo')
  ) {
    return { found: { python } }
  }
  const why = runs('python3', '-c', 'import ensurepip, venv')
    ? 'run .ci/install'
    : 'Python is missing: no python3 with venv in PATH'
  return { found: null, reason: `kazoo is not installed: ${why}` }
}

/** The Python that has kazoo and what the tests that it publishes need. */
export function kazooSuiteTool(): Tool<{ readonly python: string }> {
  const python = join(cacheDirectory(), 'kazoo-suite', 'bin', 'python')
  if (runs(python, '-c', 'import kazoo, jks, pytest')) return { found: { python } }
  return { found: null, reason: "kazoo's own suite is not installed: run .ci/install kazoo-suite" }
}

/** Go, with the module of its ZooKeeper client. */
export function goTool(): Tool<{ readonly go: string }> {
  if (!runs('go', 'version')) return { found: null, reason: 'Go is missing: no go in PATH' }
  if (existsSync(join(cacheDirectory(), 'go-client', '.made-from'))) return { found: { go: 'go' } }
  return { found: null, reason: 'the Go client is not installed: run .ci/install go-client' }
}

/**
 * Patroni with PostgreSQL. Neither may run as root: `asUser` stands before their commands. Its
 * capability is for a cache below a home that only root may enter.
 */
export function patroniTool(): Tool<{
  readonly python: string
  readonly binaries: string
  readonly libraries: string
  readonly asUser: readonly string[]
}> {
  const python = join(cacheDirectory(), 'patroni', 'bin', 'python')
  const unpacked = join(cacheDirectory(), 'postgresql')
  const libraries = join(
    unpacked,
    'usr',
    'lib',
    `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`,
  )
  const isRoot = process.getuid?.() === 0
  const asUser = isRoot ? ['setpriv', ...OTHER_USER] : []
  const [command = python, ...before] = [...asUser, python]
  if (!runs(command, ...before, '-c', 'import patroni, psycopg')) {
    return { found: null, reason: 'Patroni is not installed: run .ci/install patroni' }
  }
  for (const root of [unpacked, '/']) {
    const versions = join(root, 'usr', 'lib', 'postgresql')
    for (const version of existsSync(versions) ? readdirSync(versions) : []) {
      const binaries = join(versions, version, 'bin')
      const settings = ['env', `LD_LIBRARY_PATH=${libraries}`]
      const [first = '', ...rest] = [
        ...asUser,
        ...settings,
        join(binaries, 'postgres'),
        '--version',
      ]
      if (runs(first, ...rest)) return { found: { python, binaries, libraries, asUser } }
    }
  }
  return { found: null, reason: 'PostgreSQL is missing: run .ci/install patroni' }
}

/** Redis and Sentinel: what stands before their names, those in PATH or those that `.ci/install` unpacked. */
export function redisTool(): Tool<{ readonly command: (program: string) => readonly string[] }> {
  if (runs('redis-server', '--version') && runs('redis-sentinel', '--version')) {
    return { found: { command: (program) => [program] } }
  }
  const unpacked = join(cacheDirectory(), 'redis', 'usr')
  const libraries = join(
    unpacked,
    'lib',
    `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`,
  )
  const command = (program: string) => [
    'env',
    `LD_LIBRARY_PATH=${libraries}`,
    join(unpacked, 'bin', program),
  ]
  const [first = '', ...rest] = command('redis-sentinel')
  if (runs(first, ...rest, '--version')) return { found: { command } }
  return { found: null, reason: 'Redis is missing: run .ci/install redis' }
}

/**
 * MariaDB with Galera: the directories of its programs, `env` for them, and the provider. Those that are installed,
 * else those that `.ci/install` unpacked, which have to be told where their files are.
 */
export function galeraTool(): Tool<{
  readonly env: Readonly<Record<string, string>>
  readonly provider: string
  /** Where all of it is: `/usr`, or the like of it elsewhere. */
  readonly base: string
  /** Lines for the settings file. */
  readonly settings: readonly string[]
  /** Stands before its commands: it does not run as root, and rsync would serve as somebody else. */
  readonly asUser: readonly string[]
}> {
  const asUser = process.getuid?.() === 0 ? ['setpriv', ...OTHER_USER] : []
  const root = join(cacheDirectory(), 'galera')
  const machine = `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`
  const inCache = join(root, 'usr', 'sbin', 'mariadbd')
  const base = existsSync(inCache) ? join(root, 'usr') : '/usr'
  const provider = join(base, 'lib', 'galera', 'libgalera_smm.so')
  const path = [join(base, 'sbin'), join(base, 'bin'), process.env['PATH'] ?? ''].join(delimiter)
  const env = { PATH: path, LD_LIBRARY_PATH: join(base, 'lib', machine) }
  const [command = '', ...rest] = [...asUser, 'mariadbd', '--no-defaults', '--version']
  const server = spawnSync(command, rest, { env, stdio: 'ignore' })
  if (server.status !== 0 || !existsSync(provider)) {
    return { found: null, reason: 'MariaDB with Galera is missing: run .ci/install galera' }
  }
  const plugins = join(base, 'lib', 'mysql', 'plugin')
  const settings = [
    `basedir = ${base}`,
    `plugin-dir = ${plugins}`,
    `lc-messages-dir = ${join(base, 'share', 'mysql')}`,
  ]
  return { found: { env, provider, base, settings, asUser } }
}

/** Prometheus and its `promtool`: those in PATH, else those that `.ci/install` unpacked. */
export function prometheusTool(): Tool<{ readonly prometheus: string; readonly promtool: string }> {
  const directories = ['', join(cacheDirectory(), 'prometheus', 'usr', 'bin')]
  const programs = directories.map((directory) => ({
    prometheus: join(directory, 'prometheus'),
    promtool: join(directory, 'promtool'),
  }))
  const found = programs.find(
    ({ prometheus, promtool }) => runs(prometheus, '--version') && runs(promtool, '--version'),
  )
  if (found !== undefined) return { found }
  return { found: null, reason: 'Prometheus is missing: run .ci/install prometheus' }
}

/** The directory of the custom resources ServiceMonitor, PodMonitor and PrometheusRule, as YAML. */
export function monitoringResources(): Tool<{ readonly directory: string }> {
  const directory = join(cacheDirectory(), 'monitoring-crds')
  if (existsSync(join(directory, '.made-from'))) return { found: { directory } }
  const reason = 'the custom resources of Prometheus are missing: run .ci/install monitoring-crds'
  return { found: null, reason }
}

/** What a suite that needs a tool is called: with the reason where it will be skipped. */
export function titleOf(title: string, tool: Tool<object>): string {
  return tool.found === null ? `${title} (${tool.reason})` : title
}
