import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { RunResult } from './simulation.ts'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

export interface SeedRange {
  readonly from: number
  readonly to: number
}

/** Bundles the simulation of a source tree, which may be a mutated copy, into one file. */
export async function bundle(root: string): Promise<{ readonly file: string; remove(): void }> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-simulation-'))
  const file = join(directory, 'worker.mjs')
  await build({
    entryPoints: [join(root, 'test/simulation/worker.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'error',
  })
  return { file, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/**
 * Runs seeds in one process per core. `each` sees every result, in no order; it stops the whole when
 * it returns false.
 */
export async function runSeeds(
  file: string,
  { from, to }: SeedRange,
  each: (result: RunResult) => boolean,
): Promise<void> {
  const count = Math.max(1, Math.min(availableParallelism(), to - from + 1))
  const children: ChildProcess[] = []
  let stopped = false
  const stop = () => {
    stopped = true
    for (const child of children) child.kill()
  }
  const work = Array.from({ length: count }, (_, position) => {
    const args = ['--enable-source-maps', file, String(from + position), String(to), String(count)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!stopped && !each(JSON.parse(line) as RunResult)) stop()
    })
    return new Promise<void>((done, fail) => {
      child.on('error', fail)
      child.on('close', (code) => {
        if (stopped || code === 0) done()
        else fail(new Error(`a simulation process ended with ${code}`))
      })
    })
  })
  try {
    await Promise.all(work)
  } finally {
    stop()
  }
}
