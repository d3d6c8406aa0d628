import {
  type EngineView,
  isExpected,
  type Ms,
  type Observation,
  ordinalOf,
} from '../observation.ts'
import type { StartMode } from '../start-rule.ts'
import type { Drain } from '../state.ts'
import { isSetGoing } from './kafka-stop.ts'
import type { ClusterPlan, DrainStep, Duty } from './plan.ts'

export interface GenericView extends EngineView {
  /** The last answer to the question of liveness; null: it was not asked, or there is no process. */
  readonly alive: boolean | null
  /** Why the files and arguments of a start cannot be made now; null: they can. */
  readonly obstacle: string | null
  /** Files that are to be another text than the process was told of. */
  readonly stale: readonly string[]
  /** The join hook was answered, and no drain hook since. */
  readonly enlisted: boolean
  /** When the drain hook was last answered. */
  readonly drainedAtMs: Ms | null
  /** Another member that says it leads. */
  readonly otherLeader: string | null
  /** One that did not say so when the drain hook was answered. */
  readonly takenOverBy: string | null
  /** For so long the process has not answered; 0: it does. */
  readonly silentMs: Ms
}

export interface GenericRules {
  /**
   * `start`: one member founds the cluster by the arguments of one start. `hook`: by a request to its running
   * process. `none`: there is nothing to be founded.
   */
  readonly bootstrap: 'none' | 'start' | 'hook'
  /** `ordinals`: a member without data starts when all below it are ready. */
  readonly order: 'parallel' | 'oneAtATime' | 'ordinals'
  readonly removedReturns: 'fresh' | 'asIs'
  /** A member is told that it is one, and that it is none any more. */
  readonly enlists: boolean
  /** A member that joins has to be told whom it follows. */
  readonly follows: boolean
  /** A member with data waits so long for another to lead, before it starts as it remembers. */
  readonly followPatienceMs: Ms
  /** Who is told before a stop: nobody, each member, or whoever leads, which has another lead then. */
  readonly drains: 'nobody' | 'everybody' | 'leader'
  /** A restart waits so long for a drain that does not come about. */
  readonly drainPatienceMs: Ms
  /** A hand-over of which nothing has come is asked for again after this. */
  readonly handOverMs: Ms
}

/** Duties of a member. */
export const ENLIST = 'enlist'
export const RENEW = 'renew'

/** Any process that answers by HTTP or TCP: what is particular to it is in its rules. */
export function genericPlan(given: GenericRules): ClusterPlan<GenericView> {
  return {
    forming: ({ none: 'itself', start: 'atStart', hook: 'whileRunning' } as const)[given.bootstrap],
    restart: 'itself',
    joins: given.order === 'oneAtATime' ? 'oneAtATime' : 'freely',
    removedReturns: given.removedReturns,
    comparePositions: () => 0,
    startGate: (observation) =>
      orderObstacle(observation, given) ??
      leaderObstacle(observation, given) ??
      fileObstacle(observation),
    duty: (observation) => renewal(observation) ?? enlistment(observation, given),
    setDuty: () => null,
    drain: (observation, drain) => drainStep(observation, drain, given),
    // Nobody else leads before it has handed over.
    isNeeded: ({ engine }) => engine.leads && engine.ready && engine.otherLeader === null,
  }
}

/** What the next permit will be for; null: not known yet, since the cluster is not founded. */
export function modeOf(
  { disk, cluster, self }: Observation,
  { bootstrap }: GenericRules,
): StartMode | null {
  if (disk.kind === 'member') return 'resume'
  if (bootstrap !== 'start') return 'join'
  if (cluster === null) return null
  if (cluster.initialized !== null) return 'join'
  return cluster.intent?.by === self.pod ? 'bootstrap' : null
}

function orderObstacle(
  { disk, cluster, statefulSet, self }: Observation,
  { order }: GenericRules,
): string | null {
  if (order !== 'ordinals' || disk.kind !== 'empty') return null
  if (cluster === null) return 'the order of ordinals cannot be told without the tree'
  if (statefulSet.kind !== 'ok')
    return 'the order of ordinals cannot be told without the StatefulSet'
  const { firstOrdinal } = statefulSet.value
  const before = Array.from(
    { length: Math.max(0, self.ordinal - firstOrdinal) },
    (_, i) => `${self.set}-${firstOrdinal + i}`,
  )
  const missing = before.filter((pod) => cluster.members[pod]?.ready !== true)
  return missing.length === 0 ? null : `${missing.join(', ')} to be ready first`
}

/**
 * Who starts while another leads follows that one. A process that has just ended may have led, and the others are about
 * to find another leader: so it waits for that one, as long as there may be one. When none comes, all have been down,
 * and each begins as it remembers.
 */
function leaderObstacle(observation: Observation<GenericView>, given: GenericRules): string | null {
  const { otherLeader, silentMs } = observation.engine
  const mode = modeOf(observation, given)
  if (!given.follows || mode === 'bootstrap' || mode === null) return null
  if (otherLeader !== null || observation.cluster === null) return null
  if (mode === 'join') {
    return given.bootstrap === 'start' ? 'nobody leads yet whom it could follow' : null
  }
  if (silentMs >= given.followPatienceMs || isAlone(observation)) return null
  return 'somebody else to lead meanwhile'
}

function fileObstacle({ engine }: Observation<GenericView>): string | null {
  return engine.obstacle
}

function renewal({ engine }: Observation<GenericView>): Duty | null {
  const [file] = engine.stale
  if (file === undefined) return null
  return { name: RENEW, args: { file }, lock: null, reason: `${file} is another text now` }
}

function enlistment({ engine }: Observation<GenericView>, { enlists }: GenericRules): Duty | null {
  if (!enlists || engine.enlisted) return null
  return { name: ENLIST, args: {}, lock: 'reconfig', reason: 'becomes a member' }
}

function drainStep(
  observation: Observation<GenericView>,
  drain: Drain,
  given: GenericRules,
): DrainStep {
  const { engine, nowMs } = observation
  const removing = drain.verdict?.kind === 'scaledDown'
  const isPatient = removing || nowMs - drain.startedAtMs < given.drainPatienceMs
  if (given.drains === 'nobody' || !isPatient) return { kind: 'ready' }
  if (given.drains === 'everybody') {
    const told = engine.drainedAtMs !== null && engine.drainedAtMs >= drain.startedAtMs
    if (told) return { kind: 'ready' }
    return { kind: 'handOver', to: null, reason: 'leaves service' }
  }
  if (!engine.leads || isSetGoing(observation)) return { kind: 'ready' }
  return handOverStep(observation, drain, given.handOverMs)
}

/**
 * Asked once, and again when nothing has come of it: asked again too early, whoever leads by then might give it on.
 * The old leader may be the last to hear of it.
 */
function handOverStep(
  observation: Observation<GenericView>,
  drain: Drain,
  handOverMs: Ms,
): DrainStep {
  const { engine, nowMs } = observation
  const removing = drain.verdict?.kind === 'scaledDown'
  const told = engine.drainedAtMs !== null && engine.drainedAtMs >= drain.startedAtMs
  if (told && engine.takenOverBy !== null) return { kind: 'ready' }
  if (told && nowMs - (engine.drainedAtMs ?? 0) < handOverMs) {
    return { kind: 'wait', reason: 'another is about to lead' }
  }
  if (successor(observation, removing) !== null) {
    return { kind: 'handOver', to: null, reason: 'another is to lead' }
  }
  // Where nobody else belongs to the set, a restart costs no more than it must.
  if (!removing && isAlone(observation)) return { kind: 'ready' }
  return { kind: 'wait', reason: 'nobody else could lead' }
}

/** Null: nobody who is ready, is not about to stop, and stays. */
function successor({ cluster, statefulSet, self }: Observation, removing: boolean): string | null {
  const found = Object.entries(cluster?.members ?? {}).find(([pod, { ready, status }]) => {
    const ordinal = ordinalOf(pod, self.set)
    if (ordinal === null || pod === self.pod || !ready || status === 'STOPPING') return false
    return !removing || (statefulSet.kind === 'ok' && isExpected(ordinal, statefulSet.value))
  })
  return found?.[0] ?? null
}

function isAlone({ statefulSet }: Observation): boolean {
  return statefulSet.kind === 'ok' && statefulSet.value.replicas === 1
}
