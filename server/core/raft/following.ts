import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import { followLeader } from './election.ts'
import type { MessageOf, SnapshotMeta } from './message.ts'
import type { RaftState } from './state.ts'

/** 5.3: entries are taken where the log agrees before them; a conflicting tail goes. */
export function receiveAppend(state: RaftState, from: PeerId, message: MessageOf<'append'>): void {
  // A term has one leader; who else claims it is not believed.
  if (state.role === 'leader' || !isLogPart(message)) return
  followLeader(state, from)
  const { previousIndex, previousTerm, entries } = message
  if (previousIndex < state.commit && previousIndex < state.log.baseIndex) {
    // What is below the base is committed here, so it agrees with the leader.
    return acknowledge(state, from, state.commit, previousIndex)
  }
  if (state.log.termAt(previousIndex) !== previousTerm) {
    return rejectWithHint(state, from, previousIndex, previousTerm)
  }
  for (const entry of entries) {
    if (state.log.termAt(entry.index) === entry.term) continue
    if (entry.index <= state.log.lastIndex) truncate(state, entry.index)
    state.log.append(entry)
  }
  const last = previousIndex + entries.length
  state.commitTo(Math.min(message.commit, last))
  considerVotingAgain(state, message.commit, last)
  state.role = state.isVoter() ? 'follower' : 'learner'
  acknowledge(state, from, last, previousIndex)
}

/**
 * A damaged log votes again when it holds all that was ever committed: when the leader has
 * committed in its own term, and everything up to there is here.
 */
function considerVotingAgain(state: RaftState, leaderCommit: LogIndex, last: LogIndex): void {
  if (!state.abstain || last < leaderCommit) return
  if (state.log.termAt(leaderCommit) === state.term) state.abstain = false
}

/** A committed entry is never removed (5.4.3, leader completeness). */
function truncate(state: RaftState, from: LogIndex): void {
  assert(from > state.commit, 'a committed entry is never removed')
  state.log.truncate(from)
}

function acknowledge(state: RaftState, to: PeerId, index: LogIndex, previousIndex: LogIndex): void {
  state.sendAfterPersist(to, {
    kind: 'appendReply',
    term: state.term,
    success: true,
    index,
    hintTerm: 0,
    previousIndex,
  })
}

/** Says where the logs may agree: the last entry here of a term not above the leader's. */
function rejectWithHint(
  state: RaftState,
  to: PeerId,
  previousIndex: LogIndex,
  previousTerm: Term,
): void {
  let index = Math.min(previousIndex, state.log.lastIndex)
  let term = state.log.termAt(index)
  while (index > state.log.baseIndex && term !== null && term > previousTerm) {
    index -= 1
    term = state.log.termAt(index)
  }
  rejectAppend(state, to, previousIndex, Math.max(index, state.log.baseIndex), term ?? 0)
}

/** Refuses an append; the leader looks next at `index`, whose entry here has `hintTerm`. */
export function rejectAppend(
  state: RaftState,
  to: PeerId,
  previousIndex: LogIndex,
  index: LogIndex,
  hintTerm: Term,
): void {
  state.sendAfterPersist(to, {
    kind: 'appendReply',
    term: state.term,
    success: false,
    index,
    hintTerm,
    previousIndex,
  })
}

/** The leader lives, and tells of a commit index that this log is known to match. */
export function receiveHeartbeat(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'heartbeat'>,
): void {
  if (state.role === 'leader') return
  followLeader(state, from)
  state.commitTo(Math.min(message.commit, state.log.lastIndex))
  state.sendAfterPersist(from, {
    kind: 'heartbeatReply',
    term: state.term,
    round: message.round,
  })
}

/** The leader's snapshot is durable and loaded here: the log begins anew after it. */
export function snapshotInstalled(state: RaftState, from: PeerId, meta: SnapshotMeta): void {
  const index = Math.max(meta.index, state.commit)
  if (meta.index > state.commit && state.role !== 'leader') {
    state.log.reset(meta)
    state.commit = meta.index
    state.handedOut = meta.index
    state.applied = meta.index
    if (state.role !== 'candidate') state.role = state.isVoter() ? 'follower' : 'learner'
  }
  state.send(from, { kind: 'snapshotReply', term: state.term, index, success: true })
}

/** Whether the entries continue each other and the previous one, as every leader's log does. */
function isLogPart(message: MessageOf<'append'>): boolean {
  let { previousIndex: index, previousTerm: term } = message
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term || entry.term > message.term) return false
    index = entry.index
    term = entry.term
  }
  return true
}
