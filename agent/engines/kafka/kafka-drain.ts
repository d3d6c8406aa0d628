import {
  type KafkaPartition,
  type PartitionMove,
  planMoves,
} from '../../core/cluster/kafka-partitions.ts'
import { AgentError } from '../../errors.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import { alterReassignments, listReassignments, type Reassignment } from './kafka-reassignments.ts'
import {
  alterConfigs,
  BROKER,
  countLogs,
  describeConfigs,
  type KafkaMetadata,
  TOPIC,
} from './kafka-requests.ts'

export interface KafkaDrainOptions {
  readonly cluster: Pick<KafkaCluster, 'metadata' | 'ask' | 'askAny' | 'askController'>
  /** Ids of the brokers that are to have no copies. */
  readonly leaving: readonly number[]
  /** Bytes per second and broker for the copies that move; 0: as fast as it goes. */
  readonly throttle: number
  readonly pollMs: number
  readonly timeoutMs: number
  /** For so long one step is tried again when a broker that is listed does not answer: it may have just left. */
  readonly patienceMs: number
  /** Told whenever it changes. */
  readonly tell: (progress: string) => void
  readonly nowMs: () => number
}

/** Partitions that move at the same time: each is a load on two brokers, and on the controller. */
const MOVING_MAX = 100
/** A broker may tell of the copies before a move for a while after it: it is believed after this. */
const ASK_AGAIN_MS = 10_000
const RATES = ['leader.replication.throttled.rate', 'follower.replication.throttled.rate'] as const
const THROTTLED = [
  'leader.replication.throttled.replicas',
  'follower.replication.throttled.replicas',
] as const

/**
 * Moves all copies away from the leaving brokers, and resolves when no partition and no log is left on
 * them. The brokers do the work: whoever is cut off in the middle asks again and finds what is left. Rejects with
 * ENGINE_REFUSED when the brokers that stay are too few, with ENGINE_UNREACHABLE when one of them is silent for too long.
 */
export async function drainKafka(options: KafkaDrainOptions): Promise<void> {
  await checkBrokers(options)
  const headings = new Map<string, Heading>()
  let told = ''
  const tell = (progress: string) => {
    if (progress !== told) options.tell(progress)
    told = progress
  }
  for (;;) {
    const progress = await patiently(options, tell, () => move(options, headings))
    if (progress === null) break
    tell(progress)
    await pause(options.pollMs)
  }
  if (options.throttle > 0) await patiently(options, tell, () => speedUp(options))
}

/** Whatever a step does is done again when it is tried again, and changes nothing then. */
async function patiently<T>(
  { pollMs, patienceMs, nowMs }: KafkaDrainOptions,
  tell: (progress: string) => void,
  step: () => Promise<T>,
): Promise<T> {
  const sinceMs = nowMs()
  for (;;) {
    try {
      return await step()
    } catch (error) {
      const silent = error instanceof AgentError && error.code === 'ENGINE_UNREACHABLE'
      if (!silent || nowMs() - sinceMs >= patienceMs) throw error
      tell(`asks again: ${error.message}`)
    }
    await pause(pollMs)
  }
}

/** Asks for what is due by now; what is left, or null. */
async function move(
  options: KafkaDrainOptions,
  headings: Map<string, Heading>,
): Promise<string | null> {
  const { cluster, timeoutMs, nowMs } = options
  const moving = await cluster.askController(listReassignments(timeoutMs))
  for (const each of moving) headings.set(nameOf(each), headingOf(each, nowMs()))
  const known = await cluster.metadata(null)
  const progress = await progressOf(options, known, moving)
  if (progress === null) return null
  const due = movesDue(options, known, moving, headings)
  if (due.length > 0) {
    if (options.throttle > 0) await slowDown(options, known, moving, due)
    await cluster.askController(alterReassignments(due, timeoutMs))
    for (const each of due) headings.set(nameOf(each), headingOf(each, nowMs()))
  }
  return progress
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Where a partition will be, as was known at that moment. */
interface Heading {
  readonly replicas: readonly number[]
  readonly atMs: number
}

function headingOf(
  { replicas, removing = [] }: Pick<Reassignment, 'replicas'> & Partial<Reassignment>,
  atMs: number,
): Heading {
  return { replicas: replicas.filter((id) => !removing.includes(id)), atMs }
}

/** Null: nothing is left on the leaving brokers. */
async function progressOf(
  options: KafkaDrainOptions,
  known: KafkaMetadata,
  moving: readonly Reassignment[],
): Promise<string | null> {
  const isLeaving = (ids: readonly number[]) => ids.some((id) => options.leaving.includes(id))
  const there = known.partitions.filter(({ replicas }) => isLeaving(replicas)).length
  const onTheirWay = moving.filter(({ removing }) => isLeaving(removing)).length
  if (there + onTheirWay > 0) return `${there} partitions to go, ${onTheirWay} on their way`
  const logs = await logsLeft(options, known)
  return logs === 0 ? null : `${logs} logs are yet to be deleted`
}

async function checkBrokers({ cluster, leaving }: KafkaDrainOptions): Promise<void> {
  const { brokers, partitions } = await cluster.metadata(null)
  const known = new Set([...brokers.map(({ id }) => id), ...partitions.flatMap((p) => p.replicas)])
  const unknown = leaving.filter((id) => !known.has(id))
  if (unknown.length > 0) {
    const ids = [...known].sort((a, b) => a - b).join(', ')
    throw new AgentError('ENGINE_REFUSED', `no broker ${unknown.join(', ')}; there are ${ids}`)
  }
}

/** What is to be asked for now, given where the partitions will be when all that moves has arrived. */
function movesDue(
  { leaving, nowMs }: KafkaDrainOptions,
  known: KafkaMetadata,
  moving: readonly Reassignment[],
  headings: ReadonlyMap<string, Heading>,
): readonly PartitionMove[] {
  const arrived = known.partitions.map((partition): KafkaPartition => {
    const heading = headings.get(nameOf(partition))
    const isRecent = heading !== undefined && nowMs() - heading.atMs < ASK_AGAIN_MS
    return isRecent ? { ...partition, replicas: heading.replicas } : partition
  })
  const staying = known.brokers.map(({ id }) => id).filter((id) => !leaving.includes(id))
  const plan = planMoves(arrived, leaving, staying)
  if (plan.kind === 'impossible') throw new AgentError('ENGINE_REFUSED', plan.reason)
  return plan.moves.slice(0, Math.max(0, MOVING_MAX - moving.length))
}

/** On the disks of those that run: one that does not cannot be asked, and has nothing to lose by it. */
async function logsLeft(
  { cluster, leaving }: KafkaDrainOptions,
  known: KafkaMetadata,
): Promise<number> {
  const running = known.brokers.filter(({ id }) => leaving.includes(id))
  const counts = await Promise.all(running.map(({ id }) => cluster.ask(id, countLogs)))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** Copies that move, and they alone, share the rate (KIP-73). It is set before the first of them moves. */
async function slowDown(
  { cluster, throttle }: KafkaDrainOptions,
  known: KafkaMetadata,
  moving: readonly Reassignment[],
  due: readonly PartitionMove[],
): Promise<void> {
  const rates = Object.fromEntries(RATES.map((name) => [name, String(throttle)]))
  for (const { id } of known.brokers) {
    await cluster.ask(id, alterConfigs([{ type: BROKER, resource: String(id), entries: rates }]))
  }
  const current = new Map(known.partitions.map((each) => [nameOf(each), each.replicas]))
  const all = [
    ...moving.map(({ topic, partition, replicas, adding }) => ({
      topic,
      from: pairs(partition, replicas),
      to: pairs(partition, adding),
    })),
    ...due.map((move) => {
      const before = current.get(nameOf(move)) ?? []
      const added = move.replicas.filter((id) => !before.includes(id))
      return {
        topic: move.topic,
        from: pairs(move.partition, before),
        to: pairs(move.partition, added),
      }
    }),
  ]
  const changes = [...new Set(due.map(({ topic }) => topic))].map((topic) => {
    const own = all.filter((each) => each.topic === topic)
    const [from, to] = [own.flatMap((each) => each.from), own.flatMap((each) => each.to)]
    const entries = { [THROTTLED[0]]: from.join(','), [THROTTLED[1]]: to.join(',') }
    return { type: TOPIC, resource: topic, entries } as const
  })
  await cluster.askAny(alterConfigs(changes))
}

/** Also what an earlier call left that was cut off; not while others move partitions. */
async function speedUp({ cluster, timeoutMs, tell }: KafkaDrainOptions): Promise<void> {
  const { brokers, partitions } = await cluster.metadata(null)
  if ((await cluster.askController(listReassignments(timeoutMs))).length > 0) {
    tell('other partitions are moving: the throttle stays')
    return
  }
  for (const { id } of brokers) {
    const entries = Object.fromEntries(RATES.map((name) => [name, null]))
    await cluster.ask(id, alterConfigs([{ type: BROKER, resource: String(id), entries }]))
  }
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const configs = await cluster.askAny(describeConfigs(TOPIC, topics, THROTTLED))
  const entries = Object.fromEntries(THROTTLED.map((name) => [name, null]))
  const changes = topics
    .filter((topic) => THROTTLED.some((name) => (configs.get(topic)?.[name] ?? '') !== ''))
    .map((topic) => ({ type: TOPIC, resource: topic, entries }) as const)
  if (changes.length > 0) await cluster.askAny(alterConfigs(changes))
}

function nameOf({ topic, partition }: Pick<PartitionMove, 'topic' | 'partition'>): string {
  return `${topic}-${partition}`
}

function pairs(partition: number, brokers: readonly number[]): string[] {
  return brokers.map((broker) => `${partition}:${broker}`)
}
