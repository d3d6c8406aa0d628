import {
  type EngineView,
  isExpected,
  isFresh,
  type Ms,
  type Observation,
  ordinalOf,
} from '../observation.ts'
import { isWanted } from '../stop-verdict.ts'
import { type BrokerView, type StopBounds, stopStep } from './kafka-stop.ts'
import { type ClusterPlan, compareCounts, type Duty } from './plan.ts'

/** What is seen of a node that may vote on the metadata. */
export interface VoterView extends EngineView {
  /** Of the disk that the process runs on: a voter is a node with its disk. Null: not known. */
  readonly votes: boolean | null
}

/** What the tree says of the cluster of controllers that are a set of their own. */
export type ControllersRecord =
  /** It cannot be read, since then. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly sinceMs: Ms }
  /** '' while they have not formed it. */
  | { readonly kind: 'known'; readonly clusterId: string }

export interface KraftView extends BrokerView, VoterView {
  /** Null: the controllers are of this set. */
  readonly controllersRecord: ControllersRecord | null
  /** Pods whose broker is registered and does not run; null: brokers before 4 do not tell. */
  readonly fenced: readonly string[] | null
  /** Pods whose broker needs no care for now, as `<pod>@<when it was buried>`; 0 of one that was not. */
  readonly unregistered: readonly string[]
}

export interface KraftBounds extends StopBounds {
  /** So many of the lowest ordinals are controllers; 0: they are a set of their own. */
  readonly controllers: number
  /** An answer of the StatefulSet older than this is no evidence. */
  readonly verdictFreshMs: Ms
}

/** The duty of a node that runs: to have a vote, in place of one that its former disk had. */
export const ADD_VOTER = 'addVoter'
/** The duty of the set: a broker that has left, or was killed on its way, is forgotten. */
export const UNREGISTER = 'unregister'

/**
 * What nodes with a dynamic quorum have in common: the first is formatted as the one voter, under the cluster id of
 * the intent; the others start without a vote and are added one by one.
 */
export const KRAFT = {
  forming: 'atStart',
  restart: 'itself',
  joins: 'freely',
  removedReturns: 'asIs',
  comparePositions: compareCounts,
  // A registration of the former process is waited for by the node itself.
  startGate: () => null,
} as const

/** Kafka with a dynamic quorum of its own (KIP-853), in which the lowest ordinals are controllers too. */
export function kraftPlan(bounds: KraftBounds): ClusterPlan<KraftView> {
  return {
    ...KRAFT,
    duty: (observation) => voterDuty(observation, bounds),
    setDuty: (observation) => unregisterDuty(observation, bounds),
    drain: (observation, drain) => stopStep(observation, drain, bounds),
  }
}

export interface BrokersBounds extends Omit<KraftBounds, 'controllers'> {
  /** For so long a broker with data waits for what the tree says of its controllers. */
  readonly kafkaRecordPatienceMs: Ms
}

/**
 * Brokers whose controllers are a set of their own, which forms the cluster and keeps its id on record: a broker
 * takes that id over, and founds nothing.
 */
export function brokersPlan(bounds: BrokersBounds): ClusterPlan<KraftView> {
  const startGate = (observation: Observation<KraftView>) => recordGate(observation, bounds)
  return { ...kraftPlan({ ...bounds, controllers: 0 }), forming: 'itself', startGate }
}

/**
 * Where there is data and no record of the controllers, as after a tree was lost or while it is away, the broker
 * starts: controllers take none of another cluster.
 */
function recordGate(
  { engine, disk, nowMs }: Observation<KraftView>,
  { kafkaRecordPatienceMs: patienceMs }: BrokersBounds,
): string | null {
  const { controllersRecord: record } = engine
  const known = record?.kind === 'known' ? record.clusterId : ''
  if (disk.kind === 'member') {
    // An agent that has just begun has no session yet.
    if (record?.kind === 'unknown' && nowMs - record.sinceMs < patienceMs) {
      return `asks what cluster the controllers are of: ${record.reason}`
    }
    if (known === '' || known === disk.clusterId) return null
    return `refuses to start: the disk holds cluster ${disk.clusterId}, the controllers are of ${known}`
  }
  if (known !== '') return null
  return record?.kind === 'unknown'
    ? `the disk is empty, and the cluster of the controllers cannot be read: ${record.reason}`
    : 'the controllers have formed no cluster yet'
}

/** To have a vote, as so many of the lowest ordinals are to. */
export function voterDuty(
  observation: Observation<VoterView>,
  bounds: Pick<KraftBounds, 'controllers'>,
): Duty | null {
  const { engine } = observation
  if (!engine.ready || engine.votes !== false || !mayVote(observation, bounds)) return null
  return { name: ADD_VOTER, args: {}, lock: 'reconfig', reason: 'is to vote on the metadata' }
}

/** The set runs the ordinal, which is one of its lowest. */
export function mayVote(
  observation: Observation,
  { controllers }: Pick<KraftBounds, 'controllers'>,
): boolean {
  const { statefulSet, self } = observation
  if (statefulSet.kind !== 'ok' || !isWanted(observation)) return false
  return self.ordinal - statefulSet.value.firstOrdinal < controllers
}

/**
 * Of pods whose agents are gone and whose ordinals the set does not run: killed before they could leave, or
 * taken out. What brokers do not tell is known of the latter alone.
 */
function unregisterDuty(observation: Observation<KraftView>, bounds: KraftBounds): Duty | null {
  const { engine, cluster, statefulSet, self, nowMs } = observation
  if (cluster === null || statefulSet.kind !== 'ok' || statefulSet.value.deleting) return null
  const { value: set } = statefulSet
  if (set.replicas === 0 || !isFresh(statefulSet, nowMs, bounds.verdictFreshMs)) return null
  const { tombstones, reports, members } = cluster
  const buried = Object.keys(tombstones).filter((pod) => tombstones[pod]?.done === true)
  const name = (engine.fenced ?? buried).find((pod) => {
    const ordinal = ordinalOf(pod, self.set)
    const silent = reports[pod] === undefined && members[pod] === undefined
    // A vote goes first, and by the rules of removals.
    const votes = engine.members.some((member) => member.name === pod && member.voter)
    const leaving = votes || tombstones[pod]?.done === false
    const done = engine.unregistered.includes(`${pod}@${tombstones[pod]?.at ?? 0}`)
    return ordinal !== null && !isExpected(ordinal, set) && silent && !leaving && !done
  })
  if (name === undefined) return null
  const args = { name, at: String(tombstones[name]?.at ?? 0) }
  return { name: UNREGISTER, args, lock: 'reconfig', reason: `${name} has left: its broker goes` }
}
