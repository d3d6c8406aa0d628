import { Random } from '../../simulation/random.ts'
import { Fields, frame } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { drawDoubtful, drawRequests, drawRestore, MAKE_DUE, superAuth } from './requests.ts'
import type { Repertoire, Stage } from './stage.ts'
import { type Open, operationsOf, type Request, type Step } from './steps.ts'

export const SLOTS = 4

/** Long enough that no session of a run expires in it, unless that is what a step is about. */
const TIMEOUTS_MS = [120_000, 100_000, 119_999, 1_000_000] as const

/** The steps of a seed: the same ones for every server, and every time. */
export function stepsOf(
  seed: number,
  operations: number,
  stage: Stage['repertoire'],
): readonly Step[] {
  const random = new Random(seed)
  const repertoire = { ...stage, quotas: seed % 3 === 0 }
  const steps: Step[] = []
  let count = 0
  while (count < operations) {
    for (const step of drawSteps(random, repertoire)) {
      count += operationsOf(step)
      steps.push(step)
    }
  }
  steps.push({ kind: 'settle' })
  return steps
}

function drawSteps(random: Random, repertoire: Repertoire): readonly Step[] {
  const step = drawStep(random, repertoire)
  if (repertoire.reaps && mayLeaveToReap(step)) return [step, { kind: 'reap' }]
  if (step.kind !== 'open') return [step]
  // As clients do that come back: their proof, then their watches.
  const { slot, take } = step
  const requests: Request[] = []
  if (repertoire.reconfigures && random.chance(0.5)) requests.push(superAuth())
  if (take !== null && random.chance(0.5)) requests.push(drawRestore(random))
  return requests.length === 0 ? [step] : [step, { kind: 'requests', slot, requests }]
}

function mayLeaveToReap(step: Step): boolean {
  return step.kind === 'requests' && step.requests.some(({ type }) => MAKE_DUE.includes(type))
}

function drawStep(random: Random, repertoire: Repertoire): Step {
  const slot = random.integer(0, SLOTS - 1)
  const chance = random.unit()
  if (chance < 0.72) {
    const length = repertoire.reaps ? 1 : random.pick([1, 1, 1, 1, 2, 3, 6])
    return { kind: 'requests', slot, requests: drawRequests(random, repertoire, length) }
  }
  if (chance < 0.82) return { kind: 'doubtful', slot, request: drawDoubtful(random, repertoire) }
  if (chance < 0.86) return drawOpen(random, slot)
  if (chance < 0.88) return { kind: 'cut', slot, partOfFrame: random.chance(0.5) }
  if (chance < 0.89) return drawBytes(random, slot)
  if (chance < 0.9) return drawGreeting(random)
  if (chance < 0.902 && repertoire.expires) {
    const requests = drawRequests(random, repertoire, random.integer(1, 5))
    return { kind: 'expire', requests, cut: random.chance(0.6) }
  }
  return { kind: 'settle' }
}

function drawOpen(random: Random, slot: number): Open {
  const take = random.chance(0.35)
    ? null
    : { nthLast: random.integer(0, 5), wrongPassword: random.chance(0.2) }
  return {
    kind: 'open',
    slot,
    timeoutMs: random.pick(TIMEOUTS_MS),
    readOnly: random.pick([false, false, false, true, null]),
    take,
    lastZxidSeen: random.pick(['none', 'last', 'last', 'last', 'ahead']),
  }
}

const MALFORMED: readonly (readonly [string, Buffer])[] = [
  ['a length of -5', new Fields().int(-5).bytes()],
  ['a length of -2^31', new Fields().int(-(2 ** 31)).bytes()],
  ['a length over the limit', new Fields().int(0x100000).bytes()],
  ['a length of 2^31-1', new Fields().int(2 ** 31 - 1).bytes()],
  ['an empty frame', new Fields().int(0).bytes()],
  ['a header of four bytes', frame(new Fields().int(1).bytes())],
  ['a header of seven bytes', frame(Buffer.alloc(7))],
  ['a four-letter word', Buffer.from('ruok')],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
]

function drawBytes(random: Random, slot: number): Step {
  const [text, bytes] = random.pick(MALFORMED)
  return { kind: 'bytes', slot, bytes, text }
}

const greeting = (password: Uint8Array | null, sessionId = 0n, timeoutMs = 30_000, version = 0) =>
  new Fields().int(version).long(0n).int(timeoutMs).long(sessionId).text(password)

const GREETINGS: readonly (readonly [string, Buffer])[] = [
  ['a length of -5', new Fields().int(-5).bytes()],
  ['a length over the limit', new Fields().int(0x100000).bytes()],
  ['an empty frame', new Fields().int(0).bytes()],
  ['twelve bytes', frame(Buffer.alloc(12))],
  ['a request', frame(new Fields().int(1).int(op.getData).text('/').bool(false).bytes())],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['no password', frame(greeting(null).bool(false).bytes())],
  ['a short password', frame(greeting(Buffer.alloc(3)).bool(false).bytes())],
  ['a long password', frame(greeting(Buffer.alloc(40)).bool(false).bytes())],
  [
    'another protocol version',
    frame(greeting(Buffer.alloc(16), 0n, 30_000, 7).bool(false).bytes()),
  ],
  ['a timeout of -5', frame(greeting(Buffer.alloc(16), 0n, -5).bool(false).bytes())],
  ['a session unknown', frame(greeting(Buffer.alloc(16), 0x1234_5678_9abcn).bool(false).bytes())],
  ['a session of -1', frame(greeting(Buffer.alloc(16), -1n).bool(false).bytes())],
  ['a session unknown and no password', frame(greeting(null, 0x1234n).bool(false).bytes())],
  ['bytes behind it', frame(greeting(Buffer.alloc(16)).bool(false).text('and more').bytes())],
]

function drawGreeting(random: Random): Step {
  const [text, bytes] = random.pick(GREETINGS)
  return { kind: 'greeting', bytes, text }
}
