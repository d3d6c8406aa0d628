import {
  type EngineView,
  isExpected,
  type Ms,
  type Observation,
  ordinalOf,
} from '../observation.ts'
import type { Drain } from '../state.ts'
import { type ClusterPlan, compareCounts, type DrainStep, type Duty } from './plan.ts'

/** What a server does in its cluster (wsrep_local_state), in one word. */
export type GaleraState = 'joining' | 'donor' | 'joined' | 'synced' | 'unknown'

/** The role in the member document of a server that has no majority around it. */
export const NON_PRIMARY = 'non-primary'

/** A server of MariaDB with Galera, as its agent sees it. */
export interface GaleraView extends EngineView {
  readonly state: GaleraState
  /** Since when it has been seen without a majority; null: it has one, or does not answer. */
  readonly nonPrimarySinceMs: Ms | null
  /** It refuses all queries, as it does while it is taken out of service. */
  readonly rejects: boolean
  /** The files of its certificate are newer than what the server was told of. */
  readonly certificatesRenewed: boolean
  /** For so long connections were taken and none was answered; 0: the last one was. */
  readonly silentMs: Ms
}

export interface GaleraBounds {
  /** Between the word that the member stops and the first query that it refuses. */
  readonly leaveMs: Ms
  readonly standDownMs: Ms
}

/**
 * Galera. One start forms the cluster, and after an outage of all the most advanced starts it again; a second such
 * start makes two clusters of one name, which go on apart and never find out. All others join, one at a time.
 */
export function galeraPlan(bounds: GaleraBounds): ClusterPlan<GaleraView> {
  return {
    forming: 'atStart',
    restart: 'elected',
    joins: 'oneAtATime',
    // It gets what it missed, or a copy: the donor decides by the position.
    removedReturns: 'asIs',
    comparePositions: compareCounts,
    startGate: () => null,
    duty: (observation) =>
      standDownDuty(observation, bounds) ??
      acceptDuty(observation) ??
      certificatesDuty(observation),
    setDuty: () => null,
    drain: (observation, drain) => drainStep(observation, drain, bounds),
  }
}

/**
 * Servers that lost their majority wait for it, and would for ever when those that are gone come back without the
 * view they were in. They may be elected, or another that is ahead of them; either way all have to be stopped
 * first. Nobody uses a server without a majority, so that a stop too many costs a start.
 */
function standDownDuty(
  { engine, cluster, statefulSet, self, nowMs }: Observation<GaleraView>,
  { standDownMs }: GaleraBounds,
): Duty | null {
  const { nonPrimarySinceMs } = engine
  if (nonPrimarySinceMs === null || nowMs - nonPrimarySinceMs < standDownMs) return null
  if (cluster === null || statefulSet.kind !== 'ok' || statefulSet.value.deleting) return null
  const { replicas, firstOrdinal } = statefulSet.value
  const count = Math.max(replicas, cluster.initialized?.expected ?? 0)
  const pods = Array.from({ length: count }, (_, i) => `${self.set}-${firstOrdinal + i}`)
  const others = pods.filter((pod) => pod !== self.pod)
  const waiting = others.filter((pod) => cluster.reports[pod]?.started === false)
  const stuck = others.filter((pod) => cluster.members[pod]?.role === NON_PRIMARY)
  if (waiting.length === 0) return null
  if (others.some((pod) => !waiting.includes(pod) && !stuck.includes(pod))) return null
  const reason = `has no majority, and ${waiting.join(', ')} waits for an election: stops for it`
  return { name: 'standDown', args: {}, lock: null, reason }
}

/** A stop that was taken back. */
function acceptDuty({ engine }: Observation<GaleraView>): Duty | null {
  if (!engine.rejects) return null
  return { name: 'accept', args: {}, lock: null, reason: 'is not stopped: takes queries again' }
}

function certificatesDuty({ engine }: Observation<GaleraView>): Duty | null {
  if (!engine.certificatesRenewed) return null
  return { name: 'certificates', args: {}, lock: null, reason: 'its certificate was renewed' }
}

/**
 * A member that others copy from lets them finish. Then clients get a moment to go elsewhere, and from then on it
 * refuses their queries, so that none is cut off in the middle. The cluster counts on without whoever stops in
 * order: to leave it for good is no more than that.
 */
function drainStep(
  { engine, nowMs, statefulSet, self }: Observation<GaleraView>,
  drain: Drain,
  { leaveMs }: GaleraBounds,
): DrainStep {
  if (engine.state === 'donor') {
    return { kind: 'wait', reason: 'another member copies the data of this one' }
  }
  if (engine.rejects || !engine.ready) return { kind: 'ready' }
  const others = engine.members.filter(({ name }) => name !== self.pod)
  const isLast = statefulSet.kind === 'ok' && statefulSet.value.replicas === 0
  const staying = others.filter(({ name }) => {
    const ordinal = ordinalOf(name, self.set)
    return ordinal !== null && statefulSet.kind === 'ok' && isExpected(ordinal, statefulSet.value)
  })
  // Clients would find nobody else.
  if (isLast || staying.length === 0) return { kind: 'ready' }
  if (nowMs - drain.startedAtMs < leaveMs) {
    return { kind: 'wait', reason: 'clients are told to go elsewhere' }
  }
  const duty = { name: 'reject', args: {}, lock: null, reason: 'refuses queries from now on' }
  return { kind: 'command', duty }
}
