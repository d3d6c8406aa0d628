import { becomeFollower, becomePreCandidate, mayCampaign, resetElectionTimer } from './election.ts'
import { refuseRead, refuseReads } from './reads.ts'
import { askForSnapshot, snapshotFailed } from './replication.ts'
import { beginRound, quorumSilence } from './rounds.ts'
import type { RaftState } from './state.ts'

/** A follower that needs a snapshot and got none asks again after so many election timeouts. */
const SNAPSHOT_PATIENCE_ELECTIONS = 40

/** One tick of the clock: who hears no leader for an election timeout campaigns. */
export function tick(state: RaftState): void {
  if (state.role === 'leader') return tickLeader(state)
  state.leaderSilence += 1
  state.electionElapsed += 1
  for (const context of state.reads.tick(state.options.electionTicks)) refuseRead(state, context)
  if (state.leader !== null && state.leaderSilence >= 2 * state.options.electionTicks) {
    refuseReads(state)
    state.leader = null
  }
  if (state.electionElapsed < state.electionTimeout) return
  if (mayCampaign(state)) becomePreCandidate(state)
  else resetElectionTimer(state)
}

function tickLeader(state: RaftState): void {
  const { electionTicks, heartbeatTicks } = state.options
  for (const progress of state.progress.values()) progress.tick(electionTicks)
  for (const [peer, ticks] of state.snapshotTicks) {
    const waited = ticks + 1
    if (waited >= SNAPSHOT_PATIENCE_ELECTIONS * electionTicks) snapshotFailed(state, peer)
    else state.snapshotTicks.set(peer, waited)
    if (waited % electionTicks === 0) askForSnapshot(state, peer)
  }
  if (state.transferTarget !== null) {
    state.transferElapsed += 1
    if (state.transferElapsed >= electionTicks) state.transferTarget = null
  }
  // Check-quorum (thesis, 6.2): a leader that a majority does not answer steps down.
  if (quorumSilence(state) >= electionTicks) {
    becomeFollower(state, state.term, null)
    return
  }
  state.heartbeatElapsed += 1
  if (state.heartbeatElapsed >= heartbeatTicks) beginRound(state)
}

/** After a pause of the process no contact from before it is believed. */
export function distrustContact(state: RaftState): void {
  if (state.role === 'leader') {
    beginRound(state)
    state.distrustUntilRound = state.round
    return
  }
  state.leaderSilence = Math.max(state.leaderSilence, state.options.electionTicks)
  resetElectionTimer(state)
}
