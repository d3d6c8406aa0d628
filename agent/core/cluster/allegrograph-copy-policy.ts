import { endDrain, waitDrained } from '../drain.ts'
import type { EngineView, Observation, Rules } from '../observation.ts'
import type { Policy, Step } from '../policy.ts'
import type { AgentState, Drain } from '../state.ts'
import type { CopyInstance } from './allegrograph-instances.ts'
import { GROW_CLUSTER, removalDuty } from './allegrograph-plan.ts'
import { clusterPolicy } from './cluster-policy.ts'
import type { ClusterFacts } from './facts.ts'
import {
  commandMove,
  type Move,
  pause,
  reportOf,
  type Situation,
  situationOf,
  stepOf,
} from './gate.ts'
import type { ClusterPlan, Duty } from './plan.ts'

export interface CopyView extends EngineView {
  /** The instance that this process is, or is to become; '' before the first permit. */
  readonly instance: string
  /** All copies that the controlling instance lists; null while it does not say. */
  readonly copies: readonly CopyInstance[] | null
  /** A request to grow the cluster by this instance is under way. */
  readonly growing: boolean
  /** This process can be no instance any more: it was removed, or what was to make it one has failed. */
  readonly spent: boolean
}

/** What is left to `clusterPolicy`: a process that is empty starts, and joins by its duty. */
const COPY: ClusterPlan<CopyView> = {
  // The controlling instance's agent founds; copies neither found nor record anything.
  forming: 'itself',
  restart: 'itself',
  joins: 'freely',
  removedReturns: 'fresh',
  comparePositions: () => 0,
  startGate: ({ cluster }) =>
    cluster !== null && cluster.initialized === null
      ? 'the controlling instance has not created the cluster yet'
      : null,
  duty: (observation) => remainsDuty(observation) ?? growDuty(observation),
  setDuty: () => null,
  drain: () => ({ kind: 'ready' }),
}

/**
 * A copy in AllegroGraph's multi-master replication. It has no volume, so each process is an instance of its own:
 * whatever is left of former ones is removed first, and every stop is a removal.
 */
export function copyPolicy(): Policy<CopyView> {
  const base = clusterPolicy(COPY)
  return {
    ...base,
    start: (observation, state, rules) =>
      remainsStep(observation, state, rules) ?? base.start(observation, state, rules),
    wait: (observation, state, rules) =>
      remainsStep(observation, state, rules) ?? base.wait(observation, state, rules),
    drain: leaveStep,
    isUsable: (observation) => base.isUsable(observation) && isOfTheCluster(observation),
  }
}

/** Where nobody knows the cluster of the tree, the copy's own word counts. */
function isOfTheCluster({ engine, cluster }: Observation<CopyView>): boolean {
  const known = cluster?.initialized?.engineClusterId ?? ''
  return known === '' || known === engine.clusterId
}

/** What is listed of this pod and cannot run: a process that asks to start is none of them yet. */
function remainsOf({ engine, self, asking }: Observation<CopyView>): readonly CopyInstance[] {
  const own = (engine.copies ?? []).filter(({ pod }) => pod === self.pod)
  return own.filter(({ name }) => asking || name !== engine.instance)
}

function remainsDuty(observation: Observation<CopyView>): Duty | null {
  const [left] = remainsOf(observation)
  if (left === undefined) return null
  return removalDuty(left.name, `${left.name} is left of a process that ended`)
}

/** Before the next process starts, and also when none does: everybody keeps data for what is listed. */
function remainsStep(
  observation: Observation<CopyView>,
  state: AgentState,
  rules: Rules,
): Step | null {
  const situation = situationOf(observation, state, rules, COPY)
  const duty = situation.facts === null ? null : remainsDuty(observation)
  if (duty === null || situation.facts === null) return null
  return stepOf(situation, commandMove(situation.facts, duty), !observation.asking)
}

/**
 * One at a time: two that join together may never be linked (AllegroGraph 6.4.3, bug25397). The lock alone does not
 * see to that, since a request goes on whose agent has lost it: so whoever is listed has to run in the cluster first.
 * From then on the list is what keeps others from joining, and removals need not wait for a copy of all data.
 */
function growDuty({ engine, cluster, self }: Observation<CopyView>): Duty | null {
  if (cluster === null || cluster.initialized === null) return null
  if (engine.clusterId !== '' || engine.spent || engine.copies === null) return null
  if (engine.copies.some(({ name }) => name === engine.instance)) return null
  if (joiningIn(engine.copies, cluster, self.pod) !== null) return null
  const reason = `${engine.instance} joins the cluster`
  return { name: GROW_CLUSTER, args: {}, lock: 'reconfig', reason }
}

/** The name of another instance that is listed and not known to run in the cluster; null: there is none. */
export function joiningIn(
  copies: readonly CopyInstance[],
  { reports }: Pick<ClusterFacts, 'reports'>,
  self: string,
): string | null {
  const joining = copies.find(({ pod }) => {
    const known = reports[pod]?.engineClusterId ?? ''
    return pod !== self && known === ''
  })
  return joining?.name ?? null
}

/**
 * Out of service at once, then out of the cluster, whatever the reason of the stop, and also when the engine has
 * ended before: what the controlling instance still lists by then, its agent removes later.
 */
function leaveStep(
  observation: Observation<CopyView>,
  state: AgentState,
  drain: Drain,
  rules: Rules,
): Step {
  const situation = situationOf(observation, state, rules, COPY)
  const { nowMs } = observation
  if (state.phase === 'drained') return told(situation, waitDrained(state, drain))
  if (nowMs >= drain.deadlineMs) return told(situation, endDrain(state, drain, nowMs))
  const obstacle = obstacleToLeaving(observation, situation)
  if (obstacle !== null) return stepOf(situation, obstacle, true)
  return told(situation, endDrain(state, { ...drain, removed: true, marked: true }, nowMs))
}

/** Null: nothing of this pod is listed. */
function obstacleToLeaving(
  { engine, self }: Observation<CopyView>,
  { facts }: Situation<CopyView>,
): Move | null {
  // A process that never got a permit was never an instance.
  if (engine.instance === '') return null
  if (engine.copies === null) return pause('leaves once the controlling instance answers')
  const left = engine.copies.find(({ pod }) => pod === self.pod)
  if (left === undefined) return engine.growing ? pause('leaves once it is listed') : null
  if (facts === null) return pause('leaves the cluster once the tree can be read')
  return commandMove(facts, removalDuty(left.name, `${left.name} leaves the cluster`))
}

/** The engine may run until the pod ends, and that is what the others are told. */
function told(situation: Situation<CopyView>, step: Step): Step {
  return { ...step, wants: { locks: [], report: reportOf(situation, true) } }
}
