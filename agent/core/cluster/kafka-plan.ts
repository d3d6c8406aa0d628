import type { Observation } from '../observation.ts'
import type { Drain } from '../state.ts'
import { type BrokerView, isSetGoing, type StopBounds, stopStep } from './kafka-stop.ts'
import { type ClusterPlan, compareCounts, type DrainStep } from './plan.ts'

/** What the tree holds of a broker's cluster, and of the broker. */
export type KafkaTree =
  /** It cannot be read. */
  | { readonly kind: 'unknown'; readonly reason: string }
  | {
      readonly kind: 'known'
      /** Of /cluster/id; '' where there is none. */
      readonly clusterId: string
      /** The hosts under which a broker of this id is registered; null: none is. */
      readonly registered: readonly string[] | null
    }

export interface KafkaView extends BrokerView {
  readonly tree: KafkaTree
}

/** Kafka that keeps its cluster in the tree: its brokers form it and take each other in by themselves. */
export function kafkaPlan(bounds: StopBounds): ClusterPlan<KafkaView> {
  return {
    forming: 'itself',
    restart: 'itself',
    joins: 'freely',
    removedReturns: 'asIs',
    comparePositions: compareCounts,
    startGate,
    duty: () => null,
    setDuty: () => null,
    drain: (observation, drain) => stopWithTree(observation, drain, bounds),
  }
}

/**
 * A broker that was killed is registered as long as its session lasts, and another process of the same id ends
 * with NODEEXISTS (KAFKA-14845): so it waits, and the registration is never deleted. Without the tree no
 * broker could start anyway.
 */
function startGate({ engine, disk, ...observation }: Observation<KafkaView>): string | null {
  const { tree, brokerId } = engine
  if (tree.kind === 'unknown') return `Kafka's part of the tree cannot be read: ${tree.reason}`
  if (disk.kind === 'member' && disk.clusterId !== '') {
    if (tree.clusterId === '') {
      return `refuses to start: the disk holds Kafka's cluster ${disk.clusterId}, and the tree names none`
    }
    if (tree.clusterId !== disk.clusterId) {
      return `refuses to start: the disk holds Kafka's cluster ${disk.clusterId}, the tree names ${tree.clusterId}`
    }
  } else if (tree.clusterId === '') {
    const obstacle = formingObstacle(observation)
    if (obstacle !== null) return obstacle
  }
  if (tree.registered !== null) {
    const where = tree.registered.join(', ')
    return `broker ${brokerId} is registered at ${where} until the session of its former process ends`
  }
  return null
}

/**
 * Without the tree there is no controller that would give its partitions to others, and every question that a
 * broker answers from the tree holds one of its few threads until the tree is back: it is asked nothing.
 */
function stopWithTree(
  observation: Observation<KafkaView>,
  drain: Drain,
  bounds: StopBounds,
): DrainStep {
  const { tree } = observation.engine
  if (tree.kind === 'known' || isSetGoing(observation)) return stopStep(observation, drain, bounds)
  return { kind: 'wait', reason: `nobody would take over what it leads: ${tree.reason}` }
}

/** Brokers without data would form another cluster beside the data of one that the tree has lost. */
function formingObstacle({
  cluster,
  statefulSet,
  self,
}: Pick<Observation, 'cluster' | 'statefulSet' | 'self'>): string | null {
  if (cluster === null || statefulSet.kind !== 'ok') return 'it is not known what other disks hold'
  const { firstOrdinal, replicas } = statefulSet.value
  const pods = Array.from({ length: replicas }, (_, i) => `${self.set}-${firstOrdinal + i}`)
  const holder = Object.entries(cluster.reports).find(([, { empty }]) => !empty)
  if (holder !== undefined) {
    const [pod, { engineClusterId }] = holder
    return `refuses to start: ${pod} holds data of cluster ${engineClusterId}, and the tree names none`
  }
  const missing = pods.filter((pod) => pod !== self.pod && cluster.reports[pod] === undefined)
  if (missing.length > 0) return `no report yet of ${missing.join(', ')}`
  // One of them alone, so that what another may be doing can be waited for.
  if (self.ordinal !== firstOrdinal) return `ordinal ${firstOrdinal} forms the cluster`
  const started = pods.filter((pod) => pod !== self.pod && cluster.reports[pod]?.started === true)
  return started.length === 0 ? null : `${started.join(', ')} may hold data by now`
}
