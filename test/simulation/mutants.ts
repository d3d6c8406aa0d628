import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunResult } from './simulation.ts'
import { bundle, ROOT, runSeeds, type SeedRange } from './workers.ts'

export const MUTANTS = join(ROOT, 'test/mutants')

/** What caught a mutant first. */
export interface Catch {
  readonly mutant: string
  /** Seeds that were run until it was caught, or in vain. */
  readonly runs: number
  readonly caught: {
    readonly seed: number
    readonly checker: string
    readonly message: string
  } | null
}

export function mutantNames(): string[] {
  return readdirSync(MUTANTS)
    .filter((name) => name.endsWith('.patch'))
    .map((name) => name.slice(0, -'.patch'.length))
    .sort()
}

/** Runs the simulation over a copy of the source with one deliberate bug in it. */
export async function runMutant(mutant: string, range: SeedRange): Promise<Catch> {
  const copy = mkdtempSync(join(tmpdir(), `quorate-${mutant}-`))
  try {
    for (const part of [
      'server',
      'test/simulation',
      'test/support',
      'package.json',
      'tsconfig.json',
    ]) {
      cpSync(join(ROOT, part), join(copy, part), { recursive: true })
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    const patch = join(MUTANTS, `${mutant}.patch`)
    const patched = spawnSync('git', ['apply', '--recount', patch], { cwd: copy, encoding: 'utf8' })
    if (patched.status !== 0) throw new Error(`${mutant} does not apply: ${patched.stderr}`)
    const bundled = await bundle(copy)
    try {
      return await hunt(mutant, bundled.file, range)
    } finally {
      bundled.remove()
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

async function hunt(mutant: string, file: string, range: SeedRange): Promise<Catch> {
  let runs = 0
  let first: RunResult | null = null
  await runSeeds(file, range, (result) => {
    runs += 1
    if (result.violation !== null) first = result
    return result.violation === null
  })
  const found = first as RunResult | null
  if (found === null || found.violation === null) return { mutant, runs, caught: null }
  return { mutant, runs, caught: { seed: found.seed, ...found.violation } }
}
