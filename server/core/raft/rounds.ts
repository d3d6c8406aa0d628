import type { PeerId } from '../brand.ts'
import type { MessageOf } from './message.ts'
import { quorumValue } from './quorum.ts'
import type { RaftState } from './state.ts'

/** Sends a round of heartbeats; the reads that wait for one to begin are confirmed by it. */
export function beginRound(state: RaftState): void {
  state.round += 1
  state.heartbeatElapsed = 0
  state.timeoutNowSent = false
  if (state.committedInTerm()) state.reads.beginRound(state.round, state.commit)
  if (state.mustBeSilent()) return
  for (const [peer, progress] of state.progress) {
    const commit = Math.min(state.commit, progress.match)
    state.send(peer, { kind: 'heartbeat', term: state.term, commit, round: state.round })
  }
}

/** A follower answered a round. */
export function receiveHeartbeatReply(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'heartbeatReply'>,
): void {
  const progress = state.progress.get(from)
  if (state.role !== 'leader' || progress === undefined) return
  progress.silentTicks = 0
  progress.answeredRound = Math.max(progress.answeredRound, Math.min(message.round, state.round))
  // It answers, so a probe that is still unanswered was lost.
  if (progress.state === 'probe') progress.probing = false
}

/** The newest round that a majority of the voters answered. */
export function confirmedRound(state: RaftState): number {
  return quorumValue(state.voters(), (voter) =>
    voter === state.options.id ? state.round : (state.progress.get(voter)?.answeredRound ?? 0),
  )
}

/** The least number of ticks within which a majority of the voters was heard. */
export function quorumSilence(state: RaftState): number {
  return -quorumValue(state.voters(), (voter) =>
    voter === state.options.id
      ? 0
      : -(state.progress.get(voter)?.silentTicks ?? state.options.electionTicks),
  )
}

/** Ticks since the current leader was heard; on the leader, since a quorum answered. */
export function contactAge(state: RaftState): number {
  if (state.role !== 'leader') return state.leaderSilence
  const ageTicks = quorumSilence(state)
  const believed = confirmedRound(state) >= state.distrustUntilRound
  return believed ? ageTicks : Math.max(ageTicks, state.options.electionTicks)
}
