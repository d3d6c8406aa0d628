import { isExpected, type Observation, ordinalOf } from '../observation.ts'
import { isWanted } from '../stop-verdict.ts'
import { type BrokerView, type StopBounds, stopStep } from './kafka-stop.ts'
import { type ClusterPlan, compareCounts, type Duty } from './plan.ts'

export interface KraftView extends BrokerView {
  /** Of the disk that the process runs on: a voter is a node with its disk. Null: not known. */
  readonly votes: boolean | null
  /** Buried pods whose broker needs no more care, as `<pod>@<when it was buried>`. */
  readonly unregistered: readonly string[]
}

export interface KraftBounds extends StopBounds {
  /** So many of the lowest ordinals are controllers. */
  readonly controllers: number
}

/** The duty of a node that runs: to have a vote, in place of one that its former disk had. */
export const ADD_VOTER = 'addVoter'
/** The duty of the set: a broker that has left is forgotten. */
export const UNREGISTER = 'unregister'

/**
 * Kafka with a dynamic quorum of its own (KIP-853), in which the lowest ordinals are controllers too: the first
 * is formatted as the one voter, under the cluster id of the intent; the others start without a vote and are added
 * one by one.
 */
export function kraftPlan(bounds: KraftBounds): ClusterPlan<KraftView> {
  return {
    forming: 'atStart',
    restart: 'itself',
    joins: 'freely',
    removedReturns: 'asIs',
    comparePositions: compareCounts,
    // A registration of the former process is waited for by the broker itself.
    startGate: () => null,
    duty: (observation) => voterDuty(observation, bounds),
    setDuty: unregisterDuty,
    drain: (observation, drain) => stopStep(observation, drain, bounds),
  }
}

function voterDuty(observation: Observation<KraftView>, bounds: KraftBounds): Duty | null {
  const { engine } = observation
  if (!engine.ready || engine.votes !== false || !mayVote(observation, bounds)) return null
  return { name: ADD_VOTER, args: {}, lock: 'reconfig', reason: 'is to vote on the metadata' }
}

/** The set runs the ordinal, which is one of its lowest. */
export function mayVote(
  observation: Observation<KraftView>,
  { controllers }: Pick<KraftBounds, 'controllers'>,
): boolean {
  const { statefulSet, self } = observation
  if (statefulSet.kind !== 'ok' || !isWanted(observation)) return false
  return self.ordinal - statefulSet.value.firstOrdinal < controllers
}

/** Only of pods that were taken out, whose agents are gone and whose ordinals the set does not run. */
function unregisterDuty(observation: Observation<KraftView>): Duty | null {
  const { engine, cluster, statefulSet, self } = observation
  if (cluster === null || statefulSet.kind !== 'ok' || statefulSet.value.deleting) return null
  const set = statefulSet.value
  const found = Object.entries(cluster.tombstones).find(([pod, { at, done: removed }]) => {
    const ordinal = ordinalOf(pod, self.set)
    const silent = cluster.reports[pod] === undefined && cluster.members[pod] === undefined
    const done = engine.unregistered.includes(`${pod}@${at}`)
    return removed && ordinal !== null && !isExpected(ordinal, set) && silent && !done
  })
  if (found === undefined) return null
  const [name, { at }] = found
  const args = { name, at: String(at) }
  return { name: UNREGISTER, args, lock: 'reconfig', reason: `${name} has left: its broker goes` }
}
