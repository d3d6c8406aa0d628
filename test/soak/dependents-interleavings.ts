import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { engines, type Tally } from '../unit/agent/dependents-campaign.ts'

const worker = fileURLToPath(new URL('interleavings-worker.ts', import.meta.url))
const WORKERS = 2
const RUNS_PER_SEED = 250

interface Part {
  readonly engine: number
  readonly property: 'whole' | 'second'
  readonly seed: number
}

interface Failure {
  readonly engine: string
  readonly property: string
  readonly seed: number
  readonly path: string | null
  readonly message: string
}

/**
 * Random orders of crashes, losses, outages and scaling against the real decisions of each engine's agents: half of
 * them have to end as one whole cluster, half of them lose disks and the tree and must form no second one.
 */
export async function dependentsInterleavings(perEngine: number) {
  const seeds = Math.ceil(perEngine / 2 / RUNS_PER_SEED)
  const results = engines.map(([engine]) => ({ engine, runs: 0, healed: 0 }))
  const failures: Failure[] = []
  const parts: Part[] = Array.from({ length: seeds }, (_, i) => i + 1).flatMap((seed) =>
    engines.flatMap((_, engine) => [
      { engine, property: 'whole' as const, seed },
      { engine, property: 'second' as const, seed },
    ]),
  )
  let played = 0
  const work = async () => {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      const { failure, ...tally } = await play(part)
      const result = results[part.engine]
      if (result === undefined) throw new Error(`there is no engine ${part.engine}`)
      result.runs += tally.runs
      result.healed += tally.healed
      if (failure !== null) {
        failures.push({ engine: result.engine, property: part.property, ...failure })
        console.log(JSON.stringify(failures.at(-1)))
      }
      played += tally.runs
      console.log(`${played} interleavings, ${failures.length} failed`)
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work))
  const passed = failures.length === 0 && results.every(({ runs }) => runs >= perEngine)
  return { passed, seeds: { from: 1, to: seeds, runsEach: RUNS_PER_SEED }, results, failures }
}

async function play({ engine, property, seed }: Part) {
  const words = [String(engine), property, String(seed), String(RUNS_PER_SEED)]
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', worker, ...words],
    { maxBuffer: 64 * 1024 * 1024 },
  )
  return JSON.parse(stdout) as Tally & {
    readonly failure: Omit<Failure, 'engine' | 'property'> | null
  }
}
