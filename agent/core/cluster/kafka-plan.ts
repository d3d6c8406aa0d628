import type { EngineView, Ms, Observation } from '../observation.ts'
import type { Drain } from '../state.ts'
import type { ReplicaSurvey } from './kafka-partitions.ts'
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

/** The copies of a broker, as they were when they were last asked for. */
export interface DatedSurvey extends ReplicaSurvey {
  readonly atMs: Ms
  /** Logs on the broker's disks: more than its copies while some are being deleted. */
  readonly logs: number
}

export interface KafkaView extends EngineView {
  readonly brokerId: number
  readonly tree: KafkaTree
  /** Null while it was not asked for. */
  readonly survey: DatedSurvey | null
}

export interface KafkaBounds {
  /** Copies looked at longer ago than this let no broker stop. */
  readonly kafkaSurveyFreshMs: Ms
  /** The controller lets others stop first, for so long. */
  readonly kafkaControllerLastMs: Ms
}

/** The duty of a broker that is about to stop: to look at its copies. */
export const SURVEY = 'survey'

/** Kafka that keeps its cluster in the tree: its brokers form it and take each other in by themselves. */
export function kafkaPlan(bounds: KafkaBounds): ClusterPlan<KafkaView> {
  return {
    forming: 'itself',
    restart: 'itself',
    joins: 'freely',
    removedReturns: 'asIs',
    comparePositions: compareCounts,
    startGate,
    duty: () => null,
    setDuty: () => null,
    drain: (observation, drain) => drainStep(observation, drain, bounds),
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
  return missing.length === 0 ? null : `no report yet of ${missing.join(', ')}`
}

/**
 * Brokers give away what they lead by themselves when they are told to stop. What they do not look at: whether
 * partitions would refuse writes then, and whether somebody counts on copies that go for good.
 */
function drainStep(
  observation: Observation<KafkaView>,
  drain: Drain,
  bounds: KafkaBounds,
): DrainStep {
  const { engine, nowMs } = observation
  const { survey } = engine
  if (isSetGoing(observation)) return { kind: 'ready' }
  const reason = 'looks at the copies on this broker'
  if (survey === null) return look(reason)
  const obstacle = stopObstacle(observation, survey, drain, bounds)
  if (nowMs - survey.atMs > bounds.kafkaSurveyFreshMs) return look(obstacle ?? reason)
  return obstacle === null ? { kind: 'ready' } : { kind: 'wait', reason: obstacle }
}

function look(reason: string): DrainStep {
  return { kind: 'command', duty: { name: SURVEY, args: {}, lock: null, reason } }
}

/** Why the broker should not be stopped now; null: it may be. */
function stopObstacle(
  observation: Observation<KafkaView>,
  survey: DatedSurvey,
  drain: Drain,
  bounds: KafkaBounds,
): string | null {
  const { engine, nowMs } = observation
  const remaining = Math.max(survey.copies, survey.logs)
  if (drain.verdict?.kind === 'scaledDown' && remaining > 0) {
    return `refuses to leave: ${remaining} partitions have copies here; \`quorate kafka drain ${engine.brokerId}\` moves them`
  }
  if (survey.atRisk > 0) {
    return `${survey.atRisk} partitions would refuse writes without it: ${survey.example}`
  }
  const others = otherStopping(observation)
  const patient = nowMs - drain.startedAtMs < bounds.kafkaControllerLastMs
  if (engine.leads && others.length > 0 && patient) {
    return `the controller stops last, after ${others.join(', ')}`
  }
  return null
}

/** All brokers stop, and none comes back for whose sake one could wait. */
function isSetGoing({ statefulSet }: Observation<KafkaView>): boolean {
  if (statefulSet.kind === 'notFound') return true
  return (
    statefulSet.kind === 'ok' && (statefulSet.value.deleting || statefulSet.value.replicas === 0)
  )
}

function otherStopping({ cluster, self }: Observation<KafkaView>): string[] {
  return Object.entries(cluster?.members ?? {})
    .filter(([pod, { status }]) => pod !== self.pod && status === 'STOPPING')
    .map(([pod]) => pod)
}
