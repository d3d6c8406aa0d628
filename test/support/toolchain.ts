import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

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
