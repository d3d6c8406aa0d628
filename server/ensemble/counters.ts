import { Distribution, SizeRange } from '../measure.ts'
import type { EnsembleCounter, Measures } from './ensemble.ts'

/** What the rooms of a replica count; each is read by metrics and never falls. */
export type Counters = Record<EnsembleCounter, number>

export function noMeasures(): Measures {
  return {
    electionMs: new Distribution(),
    snapshotMs: new Distribution(),
    proposalBytes: new SizeRange(),
    quorumAckMs: new Distribution(),
    propagationMs: new Distribution(),
    unavailableMs: new Distribution(),
    leaderElectionMs: new Distribution(),
    watchesFired: {
      created: new Distribution(),
      deleted: new Distribution(),
      dataChanged: new Distribution(),
      childrenChanged: new Distribution(),
    },
  }
}

export function zeroCounters(): Counters {
  return {
    elections: 0,
    leaderChanges: 0,
    proposals: 0,
    commits: 0,
    appliedRequests: 0,
    appliedBytes: 0,
    fsyncs: 0,
    snapshotsTaken: 0,
    snapshotsSent: 0,
    snapshotsInstalled: 0,
    forwards: 0,
    malformedForwards: 0,
    lostRequests: 0,
    refusedRequests: 0,
    sessionsExpired: 0,
    pauses: 0,
  }
}
