import { createBody } from '../operations.ts'
import { op } from '../raw-client.ts'
import { Correspondence } from './correspondence.ts'
import { SLOTS } from './generator.ts'
import { Lane } from './lane.ts'
import type { Observation, Token } from './observations.ts'
import { describeStep, type Step, type StepContext } from './steps.ts'
import { wanted } from './wanted.ts'

export interface Ports {
  readonly zookeeper: number
  readonly quorate: number
}

/** The first step of a run at which the servers differ. */
export interface Difference {
  readonly at: number
  readonly step: string
  readonly zookeeper: readonly string[]
  readonly quorate: readonly string[]
}

export interface RunResult {
  readonly difference: Difference | null
  /** How often each wanted difference was met, by its name. */
  readonly met: ReadonlyMap<string, number>
}

const SHRINKS_WITHIN_MS = 60_000

let places = 0

/** Runs steps against both servers, one after the other in the same order, until they differ. */
export async function run(ports: Ports, steps: readonly Step[]): Promise<RunResult> {
  places += 1
  const place = `/differential-${process.pid}-${places}`
  const same = new Correspondence()
  const lane = (port: number, server: 0 | 1) =>
    new Lane(port, SLOTS, { place, zxid: (nthLast) => same.zxid(nthLast, server) })
  const left = lane(ports.zookeeper, 0)
  const right = lane(ports.quorate, 1)
  const met = new Map<string, number>()
  try {
    for (const [index, step] of [beginning, ...steps].entries()) {
      const [seen, shown] = await Promise.all([left.run(step), right.run(step)])
      const zookeeper = inOrder(seen, left.ends)
      const quorate = inOrder(shown, right.ends)
      if (mayAttach(step)) same.sameState(await left.zxid(), await right.zxid())
      const equal =
        zookeeper.length === quorate.length &&
        zookeeper.every((one, i) => same.same(one, quorate[i] ?? { eventZxid: null, tokens: [] }))
      if (equal) continue
      const rule = wanted.find(({ allows }) => allows(step, zookeeper, quorate))
      if (rule === undefined) {
        const difference = {
          at: index,
          step: describeStep(step),
          zookeeper: zookeeper.map(print),
          quorate: quorate.map(print),
        }
        return { difference, met }
      }
      met.set(rule.name, (met.get(rule.name) ?? 0) + 1)
      left.follow(right.open())
      right.follow(left.open())
    }
    return { difference: null, met }
  } finally {
    await Promise.all([left.end(), right.end()])
  }
}

/** Whether a session may have been claimed, with or without success. */
function mayAttach(step: Step): boolean {
  if (step.kind === 'open') return step.take !== null
  return step.kind === 'greeting' || step.kind === 'expire'
}

const beginning: Step = {
  kind: 'requests',
  slot: 0,
  requests: [
    {
      type: op.create,
      xid: null,
      body: ({ place }: StepContext) => createBody(place),
      cutTo: null,
      text: 'create the place',
    },
    {
      type: op.create,
      xid: null,
      body: ({ place }: StepContext) => createBody(`/zookeeper/quota${place}`),
      cutTo: null,
      text: 'create the place of its quota',
    },
  ],
}

/** What the end of a session deletes comes in an order of the server's own: put into one. */
function inOrder(
  observations: readonly Observation[],
  ends: ReadonlySet<bigint>,
): readonly Observation[] {
  const ordered: Observation[] = []
  for (let from = 0; from < observations.length; ) {
    const zxid = observations[from]?.eventZxid ?? null
    let to = from + 1
    if (zxid !== null && ends.has(zxid)) {
      while (observations[to]?.eventZxid === zxid) to += 1
    }
    ordered.push(...observations.slice(from, to).sort((a, b) => (print(a) < print(b) ? -1 : 1)))
    from = to
  }
  return ordered
}

function print({ tokens }: Observation): string {
  return tokens.map(printToken).join(', ')
}

function printToken(token: Token): string {
  return typeof token === 'string' ? token : `${token.kind} ${token.value}`
}

/**
 * Fewer steps that still differ: chunks are left out, large ones first, as long as a difference remains.
 */
export async function shrink(
  ports: Ports,
  steps: readonly Step[],
  difference: Difference,
  report: (line: string) => void,
): Promise<{ readonly steps: readonly Step[]; readonly difference: Difference }> {
  let found = { steps: steps.slice(0, difference.at), difference }
  const deadline = performance.now() + SHRINKS_WITHIN_MS
  for (let size = Math.ceil(found.steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < found.steps.length; ) {
      // Without its looks for what was removed a run depends on timing.
      const looks = found.steps.slice(from, from + size).filter(({ kind }) => kind === 'reap')
      const rest = found.steps.slice(from + size)
      const fewer = [...found.steps.slice(0, from), ...looks, ...rest]
      if (fewer.length === found.steps.length) {
        from += size
        continue
      }
      if (performance.now() > deadline) return found
      const { difference: still } = await run(ports, fewer)
      if (still === null || still.at === 0) from += size
      else found = { steps: fewer.slice(0, still.at), difference: still }
    }
    report(`${found.steps.length} steps left`)
  }
  return found
}
