import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Manifest } from './objects.ts'
import { helmTool } from './tools.ts'

export const CHART = 'charts/quorate'

export interface RenderOptions {
  readonly release?: string
  readonly namespace?: string
  /** Files of values, the last over the first. */
  readonly files?: readonly string[]
  /** Path of a value -> the value, over the files. */
  readonly set?: Readonly<Record<string, unknown>>
}

/** Every file of values that the suite goes through: what ct installs, what only renders, and the example. */
export const valueFiles = [
  'charts/quorate/ci',
  'test/chart/values',
  'examples/event-store',
  'examples/redis',
].flatMap((directory) =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(directory, name)),
)

export const titleOfValues = (file: string) => basename(file, '.yaml').replace(/-values$/, '')

const helm = helmTool()

/** `helm template`, hooks and tests included. */
export function template(options: RenderOptions): {
  readonly text: string
  readonly refusal: string | null
} {
  if (helm.found === null) throw new Error(helm.reason)
  const { release = 'test', namespace = 'default', files = [], set = {} } = options
  const values = files.flatMap((file) => ['--values', file])
  const sets = Object.entries(set).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ])
  const { status, stdout, stderr } = spawnSync(
    helm.found.command,
    ['template', release, CHART, '--namespace', namespace, ...values, ...sets],
    { encoding: 'utf8', env: { ...process.env, KUBECONFIG: '/dev/null' } },
  )
  return { text: stdout, refusal: status === 0 ? null : stderr }
}

/** What `helm template` renders, as objects; throws with helm's message where it refuses. */
export function render(options: RenderOptions = {}): Manifest[] {
  const { text, refusal } = template(options)
  if (refusal !== null) throw new Error(refusal)
  return parseManifests(text)
}

function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      for (const error of [...document.errors, ...document.warnings]) throw error
      return document.toJS() as Manifest | null
    })
    .filter((manifest) => manifest !== null)
}
