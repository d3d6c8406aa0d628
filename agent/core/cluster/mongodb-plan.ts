import type { EngineMember, EngineView, Observation } from '../observation.ts'
import type { PublishedMember } from './facts.ts'
import { hasFreeVote } from './mongodb-config.ts'
import { type ClusterPlan, compareCounts, type DrainStep, type Duty } from './plan.ts'

/** Of replSetGetStatus, in lower case; `removed` and `uninitiated` are what that command refuses with. */
export type MemberState =
  | 'uninitiated'
  | 'removed'
  | 'primary'
  | 'secondary'
  | 'startup'
  | 'recovering'
  | 'rollback'
  | 'arbiter'
  | 'unreachable'
  | 'unknown'

export interface MongodbMember extends EngineMember {
  readonly state: MemberState
  /** May be elected: it has a priority. */
  readonly electable: boolean
  /** Whatever its votes, it is not to be elected. */
  readonly hidden: boolean
  /** How far it is behind the primary, as far as this member knows; null: not known. */
  readonly lagMs: number | null
}

export interface MongodbView extends EngineView {
  readonly state: MemberState
  readonly members: readonly MongodbMember[]
  /** Users that are to be there and are not; null where it is not known: only a primary is asked. */
  readonly usersMissing: readonly string[] | null
  /** The files of its certificate are newer than what the server was told of. */
  readonly certificatesRenewed: boolean
  /**
   * The name under which the configuration lists this member resolves. A server that starts while it does
   * not takes itself for removed, until it is started again.
   */
  readonly resolves: boolean
  /** For so long a connection was accepted and no ping answered; 0: the last one was. */
  readonly silentMs: number
  /** Its vote was taken away, or it has none, since the process ran last. */
  readonly voteless: boolean
  /** It is in RECOVERING, and what it needs next is in nobody's oplog any more. */
  readonly stale: boolean
  /** The disk is noted as one whose data is of no use any more. */
  readonly spent: boolean
  /** The volume still has data that was moved aside. */
  readonly aside: boolean
}

/** A secondary that is this far behind would have to catch up longer than a step down waits. */
const LAG_MAX_MS = 10_000
/** Of fewer the others have no majority without this one. */
const OTHERS_ELECT_MIN = 3

/**
 * Replica sets: initiated once on a process that runs, joined by a reconfiguration on the primary. A set of
 * which all were down elects by itself, and a removed member catches up from the data it has.
 */
export const mongodbPlan: ClusterPlan<MongodbView> = {
  forming: 'whileRunning',
  restart: 'itself',
  joins: 'freely',
  removedReturns: 'asIs',
  comparePositions: compareCounts,
  startGate: ({ engine }) =>
    engine.resolves ? null : 'its own name does not resolve yet: it would take itself for removed',
  beforeStart: (observation) =>
    observation.disk.kind === 'empty' ? voteDuty(observation) : spentDuty(observation),
  duty: (observation) =>
    keepDuty(observation) ??
    certificatesDuty(observation) ??
    usersDuty(observation) ??
    promotionDuty(observation) ??
    staleDuty(observation) ??
    tidyDuty(observation),
  setDuty: () => null,
  drain: drainOf,
}

/**
 * A listed member has its vote from the moment at which it runs, also while it copies: together with one that is
 * behind it would elect that one, and what was acknowledged with the help of the lost disk would be rolled back. So
 * its vote goes before it starts. Only a primary can do that. Where the others may have one without this member it
 * waits for that, but not for ever: if a majority of them never comes back, the one that is left with the data can
 * only be elected with this vote. Of two that is so at once.
 */
function voteDuty(observation: Observation<MongodbView>): Duty | string | null {
  const { engine, cluster, statefulSet } = observation
  if (engine.voteless) return null
  if (hasPrimary(observation)) {
    const reason = 'the disk is empty: its vote goes until it has the data'
    return { name: 'yieldVote', args: {}, lock: 'reconfig', reason }
  }
  // Nobody counts on a member of a set that is yet to be formed.
  if (cluster === null || cluster.initialized === null) return null
  const replicas = statefulSet.kind === 'ok' ? statefulSet.value.replicas : OTHERS_ELECT_MIN
  const known = Math.max(replicas, 1 + othersOf(observation).length)
  if (known < OTHERS_ELECT_MIN) return null
  return 'the disk is empty, and there is no primary yet that could take its vote'
}

/**
 * Aside it goes only while there is somebody to copy from; else it starts as it is, which does no harm. A copy that
 * begins again has all the room there is.
 */
function spentDuty(observation: Observation<MongodbView>): Duty | null {
  const { spent, aside } = observation.engine
  if (!hasPrimary(observation)) return null
  if (aside) {
    const reason = 'it starts again: what it was before makes room'
    return { name: 'dropAside', args: {}, lock: null, reason }
  }
  if (!spent) return null
  const reason = 'its data is of no use: it copies all'
  return { name: 'setAside', args: {}, lock: null, reason, event: 'DataGivenUp' }
}

function hasPrimary(observation: Observation<MongodbView>): boolean {
  return othersOf(observation).some(({ ready, role }) => ready && role === 'primary')
}

/** What the documents of the others say. */
function othersOf({ cluster, self }: Observation<MongodbView>): readonly PublishedMember[] {
  const members = Object.entries(cluster?.members ?? {})
  return members.flatMap(([pod, member]) => (pod === self.pod ? [] : [member]))
}

function certificatesDuty({ engine }: Observation<MongodbView>): Duty | null {
  if (!engine.certificatesRenewed) return null
  return { name: 'certificates', args: {}, lock: null, reason: 'its certificate was renewed' }
}

/** The primary makes the users that are not there: they replicate. */
function usersDuty({ engine }: Observation<MongodbView>): Duty | null {
  const missing = engine.usersMissing ?? []
  if (!engine.leads || missing.length === 0) return null
  return { name: 'users', args: {}, lock: null, reason: `makes the users ${missing.join(', ')}` }
}

/**
 * A member that has caught up gets its vote. Whoever has its data alone counts for a majority. Beside an arbiter it may
 * be elected in a second step: nobody with data and a vote stays without that.
 */
function promotionDuty({ engine, self }: Observation<MongodbView>): Duty | null {
  const own = engine.members.find(({ name }) => name === self.pod)
  if (own === undefined || engine.state !== 'secondary' || engine.leader === null) return null
  const half = own.voter && !own.electable && !own.hidden
  const due = own.voter ? half && engine.members.some(isArbiter) : hasFreeVote(votesOf(engine))
  if (!due) return null
  if (own.lagMs !== null && own.lagMs > LAG_MAX_MS) return null
  return { name: 'promote', args: {}, lock: 'reconfig', reason: 'has caught up: gets its vote' }
}

function isArbiter({ state }: MongodbMember): boolean {
  return state === 'arbiter'
}

/**
 * A member whose next operations are in no oplog any more stays in RECOVERING: it is stopped, and starts without its
 * data (MongoDB's manual, "Resync a Member of a Replica Set"). Its vote goes first, as that of any empty disk.
 */
function staleDuty(observation: Observation<MongodbView>): Duty | null {
  if (!observation.engine.stale || !hasPrimary(observation)) return null
  const reason = 'nobody’s oplog reaches back to where it is: it copies all data anew'
  return { name: 'resync', args: {}, lock: 'reconfig', reason }
}

/** Before all else: a note that data is of no use must not be on a disk that counts. */
function keepDuty({ engine }: Observation<MongodbView>): Duty | null {
  if (!engine.ready || !engine.spent) return null
  return { name: 'keep', args: {}, lock: null, reason: 'it has caught up: its data is good' }
}

/** What it was is not needed any more when it has all, and its vote. */
function tidyDuty({ engine, self }: Observation<MongodbView>): Duty | null {
  const own = engine.members.find(({ name }) => name === self.pod)
  if (!engine.ready || !engine.aside || own === undefined) return null
  if (!own.voter && hasFreeVote(votesOf(engine))) return null
  return { name: 'dropAside', args: {}, lock: null, reason: 'has the data: what it was goes' }
}

function votesOf({ members }: MongodbView): { readonly votes: number }[] {
  return members.map(({ voter }) => ({ votes: voter ? 1 : 0 }))
}

/**
 * A primary steps down first, to a secondary that is up and close behind. While there is one that has yet to
 * catch up, the stop waits for it; where nobody could follow, a restart costs no more than it must, and a
 * removal waits: without a primary nobody can be removed.
 */
function drainOf(
  { engine, self }: Observation<MongodbView>,
  drain: { readonly verdict: { readonly kind: string } | null },
): DrainStep {
  if (!engine.leads) return { kind: 'ready' }
  const others = engine.members.filter(({ name }) => name !== self.pod)
  const candidates = others.filter(
    ({ electable, heard, state }) => electable && heard && state === 'secondary',
  )
  if (candidates.some(({ lagMs }) => lagMs !== null && lagMs <= LAG_MAX_MS)) {
    return { kind: 'handOver', to: null, reason: 'another is to be primary' }
  }
  if (candidates.length > 0) {
    return { kind: 'wait', reason: 'no secondary is close enough behind to be primary' }
  }
  if (drain.verdict?.kind === 'scaledDown' && others.length > 0) {
    return { kind: 'wait', reason: 'nobody else can be primary, and only a primary removes' }
  }
  return { kind: 'ready' }
}
