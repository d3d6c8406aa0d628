import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { runs, type Tool } from '../support/toolchain.ts'

/** A command of the chart's tools: from PATH, else from where a testbed keeps what it has built. */
function command(name: string, ...probe: string[]): Tool<{ readonly command: string }> {
  if (runs(name, ...probe)) return { found: { command: name } }
  const built = testbedBins()
    .map((bin) => join(bin, name))
    .find((path) => runs(path, ...probe))
  if (built !== undefined) return { found: { command: built } }
  return { found: null, reason: `${name} is missing: it is not in PATH` }
}

function testbedBins(): string[] {
  return entries(process.env['TESTBED_CACHE'] ?? join(homedir(), '.cache', 'testbed'), 'bin-')
}

/** The paths in a directory that start with a prefix; none where there is no directory. */
function entries(directory: string, prefix: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(directory, name))
}

export const helmTool = () => command('helm', 'version')
export const kubeconformTool = () => command('kubeconform', '-v')

export interface ChartTesting {
  readonly command: string
  /** With the directories of helm, yamllint and yamale before those of this process. */
  readonly path: string
  readonly lintConf: string
  readonly chartYamlSchema: string
}

/** `ct` with its two configuration files, which its own image keeps in /etc/ct. */
export function chartTestingTool(): Tool<ChartTesting> {
  const ct = command('ct', 'version')
  if (ct.found === null) return ct
  const directories = [
    process.env['CT_CONFIG_DIR'] ?? '',
    '/etc/ct',
    ...testbedBins().map((bin) => join(bin, 'ct-etc')),
  ]
  const directory = directories.find((path) => existsSync(join(path, 'lintconf.yaml')))
  if (directory === undefined) return { found: null, reason: 'ct has no lintconf.yaml' }
  const bin = join(directory, '..')
  const path = [bin, join(bin, 'venv', 'bin'), process.env['PATH'] ?? ''].join(delimiter)
  return {
    found: {
      command: ct.found.command,
      path,
      lintConf: join(directory, 'lintconf.yaml'),
      chartYamlSchema: join(directory, 'chart_schema.yaml'),
    },
  }
}

/**
 * The OpenAPI document of Kubernetes: the file that KUBERNETES_OPENAPI names, else the one in the
 * module that Kubernetes was built from.
 */
export function openApiTool(): Tool<{ readonly file: string }> {
  const modules = process.env['GOMODCACHE'] ?? join(homedir(), 'go', 'pkg', 'mod')
  const files = [
    process.env['KUBERNETES_OPENAPI'] ?? '',
    ...entries(join(modules, 'k8s.io'), 'kubernetes@').map((module) =>
      join(module, 'api', 'openapi-spec', 'swagger.json'),
    ),
  ]
  const file = files.find((path) => existsSync(path))
  if (file !== undefined) return { found: { file } }
  return {
    found: null,
    reason: 'no OpenAPI document of Kubernetes: name one in KUBERNETES_OPENAPI',
  }
}
