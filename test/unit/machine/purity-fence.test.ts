import { execFile } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

const LINT = ['lint', '--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json']

/** The folders within the fence, one for each of its rules, and a good file that belongs into each. */
const FENCES = [
  { core: 'server/core', folder: 'machine', good: `export { assert as x } from '../assert.ts'` },
  {
    core: 'agent/core',
    folder: '',
    good: `export type { Endpoint as X } from './member-document.ts'`,
  },
  {
    core: 'agent/core',
    folder: 'cluster',
    good: `export type { Endpoint as X } from '../member-document.ts'`,
  },
]

/** What no file of a core may do, and which tool refuses it. */
const BREACHES: Readonly<Record<string, { by: readonly ('biome' | 'tsc')[]; source: string }>> = {
  files: { by: ['biome', 'tsc'], source: `export { readFileSync as x } from 'node:fs'` },
  filesLater: { by: ['biome', 'tsc'], source: `export const x = () => import('node:fs')` },
  filesByOldName: { by: ['biome', 'tsc'], source: `export { readFileSync as x } from 'fs'` },
  shell: { by: ['biome'], source: `export * as x from 'SHELL/errors.ts'` },
  clock: { by: ['biome'], source: 'export const x = () => Date.now()' },
  date: { by: ['biome'], source: 'export const x = new Date()' },
  stopwatch: { by: ['biome', 'tsc'], source: 'export const x = () => performance.now()' },
  randomBytes: { by: ['biome', 'tsc'], source: 'export const x = () => crypto.randomUUID()' },
  process: { by: ['biome', 'tsc'], source: 'export const x = process.pid' },
  buffer: { by: ['biome', 'tsc'], source: `export const x = Buffer.from('')` },
  timer: { by: ['biome', 'tsc'], source: 'export const x = setTimeout(() => 1, 1)' },
  interval: { by: ['biome', 'tsc'], source: 'export const x = setInterval(() => 1, 1)' },
  immediate: { by: ['tsc'], source: 'export const x = setImmediate(() => 1)' },
  microtask: { by: ['tsc'], source: 'export const x = () => queueMicrotask(() => undefined)' },
  output: { by: ['tsc'], source: `export const x = () => console.log('x')` },
  promise: { by: ['biome'], source: 'export const x = Promise.resolve(1)' },
}

/** The configuration of the project around one file for each breach, and one good file, in each place. */
let copy = ''

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'quorate-fence-'))
  for (const { core, folder, good } of FENCES) {
    mkdirSync(join(copy, core, folder), { recursive: true })
    writeFileSync(join(copy, core, folder, 'good.ts'), `${good}\n`)
    const up = folder === '' ? '../' : '../../'
    for (const [name, { source }] of Object.entries(BREACHES)) {
      writeFileSync(join(copy, core, folder, `${name}.ts`), `${source.replace('SHELL/', up)}\n`)
    }
  }
  for (const file of [
    ...['biome.json', 'tsconfig.json', 'package.json', 'server/errors.ts', 'agent/errors.ts'],
    ...['server/core/tsconfig.json', 'server/core/assert.ts'],
    ...['agent/core/tsconfig.json', 'agent/core/member-document.ts'],
  ]) {
    copyFileSync(join(root, file), join(copy, file))
  }
})

afterAll(() => {
  rmSync(copy, { recursive: true, force: true })
})

const refusedBy = (tool: 'biome' | 'tsc'): string[] =>
  Object.keys(BREACHES).filter((name) => BREACHES[name]?.by.includes(tool))

describe.each(FENCES)('the fence around $core, in $folder', ({ core, folder }) => {
  const place = join(core, folder)
  const here = (paths: readonly string[]) =>
    namesIn(paths.filter((path) => dirname(path) === place))

  it('is biome’s: imports and globals', async () => {
    const output = await run('biome', [...LINT, place])
    const { diagnostics } = JSON.parse(output) as {
      diagnostics: { category: string; severity: string; location: { path: string } }[]
    }
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    expect(here(errors.map(({ location }) => location.path))).toEqual(refusedBy('biome').sort())
    for (const { category } of errors) {
      expect(category).toMatch(/^lint\/style\/(noRestricted|useNodejsImportProtocol)/)
    }
  }, 60_000)

  it('is the compiler’s: no types but the language’s', async () => {
    const output = await run('tsc', ['--noEmit', '--pretty', 'false', '-p', core])
    const files = output
      .split('\n')
      .flatMap((line) => line.match(/^(\S+)\(\d+,\d+\): error/)?.[1] ?? [])
    expect(here(files)).toEqual(refusedBy('tsc').sort())
  }, 60_000)
})

describe.each([...new Set(FENCES.map(({ core }) => core))])('all of %s', (name) => {
  const core = join(root, name)

  it('is checked by npm run check', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: { check: string }
    }
    for (const part of [`tsc --noEmit -p ${name}`, 'biome check .']) {
      expect(scripts.check).toContain(part)
    }
  })

  it('does nothing that neither of them can see', () => {
    const problems: string[] = []
    for (const file of sources(core)) {
      const text = readFileSync(file, 'utf8')
      const place = relative(core, file)
      for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
        const target = resolve(dirname(file), specifier)
        const inside = specifier.startsWith('.') && !relative(core, target).startsWith('..')
        if (!inside) problems.push(`${place} imports ${specifier}`)
      }
      for (const word of [/\bMath\.random\b/, /\basync\b/, /\bawait\b/, /\bglobalThis\b/]) {
        if (word.test(withoutComments(text))) problems.push(`${place} has ${word.source}`)
      }
    }
    expect(problems).toEqual([])
    expect(sources(core).length).toBeGreaterThan(20)
  })
})

/** The names of the files, each once, in order. */
function namesIn(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => path.replace(/^.*\//, '').replace('.ts', '')))].sort()
}

function sources(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '')
}

/** What the tool prints in the copy; it fails there, since it has something to refuse. */
async function run(tool: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin', tool), args, {
      cwd: copy,
    })
    return stdout
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) return String(error.stdout)
    throw error
  }
}
