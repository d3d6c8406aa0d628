import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { run } from '../conformance/clients/command.ts'
import { kinds } from '../unit/agent/dependents-play.ts'

const WORKER = fileURLToPath(new URL('interleavings-worker.ts', import.meta.url))
const PROPERTIES = ['one', 'noSecond'] as const
const WITHIN_MS = 7_200_000

interface Played {
  readonly engine: string
  readonly property: (typeof PROPERTIES)[number]
  readonly runs: number
  readonly failure: { readonly path: string; readonly message: string } | null
}

/** Each kind that is picked under `runs` orders of events for each of the two properties, a process per core. */
export async function dependentsInterleavings(
  runs: number,
  seed: number,
  picks: (engine: string) => boolean,
) {
  const left = kinds.flatMap(({ name }, at) =>
    picks(name) ? PROPERTIES.map((property) => ({ engine: name, at, property })) : [],
  )
  if (left.length === 0) throw new Error('no kind of engine is picked')
  const played: Played[] = []
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { engine, at, property } = next
      const args = ['--import', 'tsx', WORKER, String(at), property, String(runs), String(seed)]
      const { code, stdout, stderr } = await run(process.execPath, args, { withinMs: WITHIN_MS })
      if (code !== 0) throw new Error(`${engine}: ${stderr}`)
      const result = JSON.parse(stdout) as Pick<Played, 'runs' | 'failure'>
      played.push({ engine, property, ...result })
      console.log(
        `${engine}, ${property}: ${result.runs} runs, ${result.failure?.message ?? 'passed'}`,
      )
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const passed = played.every((each) => each.failure === null && each.runs === runs)
  return { passed, seed, played }
}
