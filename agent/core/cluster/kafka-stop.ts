import { type EngineView, type Ms, type Observation, ordinalOf } from '../observation.ts'
import type { Drain } from '../state.ts'
import type { ReplicaSurvey } from './kafka-partitions.ts'
import type { DrainStep } from './plan.ts'

/** The copies of a broker, as they were when they were last asked for. */
export interface DatedSurvey extends ReplicaSurvey {
  readonly atMs: Ms
  /** Logs on the broker's disks: more than its copies while some are being deleted. */
  readonly logs: number
}

/** What is seen of a broker, however its cluster is kept. */
export interface BrokerView extends EngineView {
  readonly brokerId: number
  /** Null while it was not asked for. */
  readonly survey: DatedSurvey | null
}

export interface StopBounds {
  /** Copies looked at longer ago than this let no broker stop. */
  readonly kafkaSurveyFreshMs: Ms
  /** A broker lets others stop first, for so long. */
  readonly kafkaControllerLastMs: Ms
  /** Brokers that are told to stop together have said so in the tree after this. */
  readonly kafkaOthersMs: Ms
}

/** The duty of a broker that is about to stop: to look at its copies. */
export const SURVEY = 'survey'

/**
 * Brokers give away what they lead by themselves when they are told to stop. What they do not look at: whether
 * partitions would refuse writes then, and whether somebody counts on copies that go for good.
 */
export function stopStep(
  observation: Observation<BrokerView>,
  drain: Drain,
  bounds: StopBounds,
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
  observation: Observation<BrokerView>,
  survey: DatedSurvey,
  drain: Drain,
  bounds: StopBounds,
): string | null {
  const { engine, nowMs } = observation
  const remaining = Math.max(survey.copies, survey.logs)
  if (drain.verdict?.kind === 'scaledDown' && remaining > 0) {
    return `refuses to leave: ${remaining} partitions have copies here; \`quorate kafka drain ${engine.brokerId}\` moves them`
  }
  if (survey.atRisk > 0) {
    return `${survey.atRisk} partitions would refuse writes without it: ${survey.example}`
  }
  if (nowMs - drain.startedAtMs >= bounds.kafkaControllerLastMs) return null
  return turnObstacle(observation, survey, drain, bounds)
}

/**
 * Whose turn it is where several stop at once, as when a node goes: each would find that writes can do without it
 * alone. The highest ordinal goes first and the controller last; whoever comes after looks at its copies again.
 */
function turnObstacle(
  observation: Observation<BrokerView>,
  { copies }: DatedSurvey,
  drain: Drain,
  { kafkaOthersMs }: StopBounds,
): string | null {
  const { engine, cluster, self } = observation
  const others = otherStopping(observation)
  if (engine.leads && others.length > 0) {
    return `the controller stops last, after ${others.join(', ')}`
  }
  if (copies === 0 || cluster === null) return null
  const before = others.find(
    (pod) => pod !== engine.leader && (ordinalOf(pod, self.set) ?? 0) > self.ordinal,
  )
  if (before !== undefined) return `${before} stops first`
  return cluster.atMs - drain.startedAtMs < kafkaOthersMs ? 'looks who else stops' : null
}

/**
 * All of the set stop, and none comes back for whose sake one could wait. Whoever uninstalls a release takes the
 * right to read its set away within a second: a refusal is what the last pods of a set get that goes.
 */
export function isSetGoing({ statefulSet }: Pick<Observation, 'statefulSet'>): boolean {
  switch (statefulSet.kind) {
    case 'notFound':
      return true
    case 'failed':
      return statefulSet.refused
    case 'ok':
      return statefulSet.value.deleting || statefulSet.value.replicas === 0
    default:
      return false
  }
}

function otherStopping({ cluster, self }: Observation<BrokerView>): string[] {
  return Object.entries(cluster?.members ?? {})
    .filter(([pod, { status }]) => pod !== self.pod && status === 'STOPPING')
    .map(([pod]) => pod)
}
