/** Where the copies of a partition are. */
export interface KafkaPartition {
  readonly topic: string
  readonly partition: number
  /** Broker ids; the first is the one that should lead. */
  readonly replicas: readonly number[]
  /** Those that have everything that was acknowledged. */
  readonly inSync: readonly number[]
}

/** The copies that a partition is to have. */
export interface PartitionMove {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
}

/** What a broker's copies mean for its start and its stop. */
export interface ReplicaSurvey {
  /** Partitions that have a copy on the broker. */
  readonly copies: number
  /** ... which is behind: the start of the broker is not over. */
  readonly behind: number
  /** Partitions that would take no more writes with acks=all if the broker stopped now. */
  readonly atRisk: number
  /** The first of those, in words; '' without one. */
  readonly example: string
}

/** The value of `min.insync.replicas` where a topic's is not known. */
const MIN_IN_SYNC_DEFAULT = 1

/**
 * A partition is at risk when the broker's copy is one of those in sync, and one less would be fewer than
 * `min.insync.replicas`. A topic whose copies are no more than that could never be stopped for (Strimzi
 * issue 2964): it is ignored. A partition whose copy here is behind loses nothing by the stop.
 */
export function surveyReplicas(
  partitions: readonly KafkaPartition[],
  minInSync: Readonly<Record<string, number>>,
  broker: number,
): ReplicaSurvey {
  const copies = partitions.filter(({ replicas }) => replicas.includes(broker))
  const behind = copies.filter(({ inSync }) => !inSync.includes(broker))
  const least = (topic: string) => minInSync[topic] ?? MIN_IN_SYNC_DEFAULT
  const atRisk = copies.filter(
    ({ topic, replicas, inSync }) =>
      inSync.includes(broker) && replicas.length > least(topic) && inSync.length - 1 < least(topic),
  )
  const [first] = atRisk
  const example =
    first === undefined
      ? ''
      : `${first.topic}-${first.partition} has ${first.inSync.length} copies in sync and needs ${least(first.topic)}`
  return { copies: copies.length, behind: behind.length, atRisk: atRisk.length, example }
}

/** Partitions that cannot be moved, as one sentence, or the moves. */
export type MovePlan =
  | { readonly kind: 'moves'; readonly moves: readonly PartitionMove[] }
  | { readonly kind: 'impossible'; readonly reason: string }

/**
 * Puts every copy on `leaving` brokers onto one of `staying`, in the same place of its partition, so that the
 * preferred leaders of the others stay. Each goes to the broker with the fewest copies by then, of equal
 * ones to the one with the fewest preferred leaders, then to the lowest id.
 */
export function planMoves(
  partitions: readonly KafkaPartition[],
  leaving: readonly number[],
  staying: readonly number[],
): MovePlan {
  const load = new Map(staying.map((broker) => [broker, { copies: 0, leads: 0 }]))
  for (const { replicas } of partitions) {
    for (const [place, broker] of replicas.entries()) count(load, broker, place)
  }
  const moves: PartitionMove[] = []
  for (const { topic, partition, replicas } of partitions) {
    if (!replicas.some((broker) => leaving.includes(broker))) continue
    const target = [...replicas]
    for (const [place, broker] of replicas.entries()) {
      if (!leaving.includes(broker)) continue
      const to = leastLoaded(load, target)
      if (to === null) return { kind: 'impossible', reason: tooFew(topic, replicas, staying) }
      target[place] = to
      count(load, to, place)
    }
    moves.push({ topic, partition, replicas: target })
  }
  return { kind: 'moves', moves }
}

interface Load {
  copies: number
  leads: number
}

function count(load: Map<number, Load>, broker: number, place: number): void {
  const of = load.get(broker)
  if (of === undefined) return
  of.copies += 1
  if (place === 0) of.leads += 1
}

function leastLoaded(load: Map<number, Load>, taken: readonly number[]): number | null {
  const [best] = [...load]
    .filter(([broker]) => !taken.includes(broker))
    .sort(([a, one], [b, other]) => one.copies - other.copies || one.leads - other.leads || a - b)
  return best?.[0] ?? null
}

function tooFew(topic: string, replicas: readonly number[], staying: readonly number[]): string {
  return `${topic} has ${replicas.length} copies, and ${staying.length} brokers stay: add brokers, or lower its replication factor first`
}
