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
const core = join(root, 'server', 'core')

/** What no file of server/core may do, and which tool refuses it. */
const BREACHES: Readonly<Record<string, { by: readonly ('biome' | 'tsc')[]; source: string }>> = {
  files: { by: ['biome', 'tsc'], source: `export { readFileSync as x } from 'node:fs'` },
  filesLater: { by: ['biome', 'tsc'], source: `export const x = () => import('node:fs')` },
  filesByOldName: { by: ['biome', 'tsc'], source: `export { readFileSync as x } from 'fs'` },
  shell: { by: ['biome'], source: `export { CodedError as x } from '../../errors.ts'` },
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

/** The configuration of the project around one file for each breach, and one good file. */
let copy = ''

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'quorate-fence-'))
  const machine = join(copy, 'server', 'core', 'machine')
  mkdirSync(machine, { recursive: true })
  for (const file of ['biome.json', 'tsconfig.json', 'package.json']) {
    copyFileSync(join(root, file), join(copy, file))
  }
  copyFileSync(join(core, 'tsconfig.json'), join(copy, 'server/core/tsconfig.json'))
  copyFileSync(join(core, 'assert.ts'), join(copy, 'server/core/assert.ts'))
  copyFileSync(join(root, 'server/errors.ts'), join(copy, 'server/errors.ts'))
  writeFileSync(join(machine, 'good.ts'), `export { assert as x } from '../assert.ts'\n`)
  for (const [name, { source }] of Object.entries(BREACHES)) {
    writeFileSync(join(machine, `${name}.ts`), `${source}\n`)
  }
})

afterAll(() => {
  rmSync(copy, { recursive: true, force: true })
})

const refusedBy = (tool: 'biome' | 'tsc'): string[] =>
  Object.keys(BREACHES).filter((name) => BREACHES[name]?.by.includes(tool))

describe('the fence around server/core', () => {
  it('is biome’s: imports and globals', async () => {
    const output = await run('biome', ['lint', '--vcs-enabled=false', '--reporter=json', 'server'])
    const { diagnostics } = JSON.parse(output) as {
      diagnostics: { category: string; severity: string; location: { path: string } }[]
    }
    const errors = diagnostics.filter(({ severity }) => severity === 'error')
    expect(namesIn(errors.map(({ location }) => location.path))).toEqual(refusedBy('biome').sort())
    for (const { category } of errors) {
      expect(category).toMatch(/^lint\/style\/(noRestricted|useNodejsImportProtocol)/)
    }
  }, 60_000)

  it('is the compiler’s: no types but the language’s', async () => {
    const output = await run('tsc', ['--noEmit', '--pretty', 'false', '-p', 'server/core'])
    const files = output
      .split('\n')
      .flatMap((line) => line.match(/^(\S+)\(\d+,\d+\): error/)?.[1] ?? [])
    expect(namesIn(files)).toEqual(refusedBy('tsc').sort())
  }, 60_000)

  it('stands in npm run check', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: { check: string }
    }
    for (const part of ['tsc --noEmit -p server/core', 'biome check .']) {
      expect(scripts.check).toContain(part)
    }
  })

  it('is closed here where neither of them can see', () => {
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
