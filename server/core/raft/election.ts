import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import type { Message, MessageOf } from './message.ts'
import { tally } from './quorum.ts'
import { refuseReads } from './reads.ts'
import { syncProgress } from './replication.ts'
import { beginRound, contactAge } from './rounds.ts'
import type { RaftState } from './state.ts'

/** Follows `leader` (null: nobody is known to lead) in `term`, which is the present one or newer. */
export function becomeFollower(state: RaftState, term: Term, leader: PeerId | null): void {
  assert(term >= state.term, 'the term never falls')
  if (term > state.term) {
    state.term = term
    state.votedFor = null
  }
  const wasLeader = state.role === 'leader'
  if (leader !== state.leader || wasLeader) refuseReads(state)
  state.role = state.isVoter() ? 'follower' : 'learner'
  state.leader = leader
  state.votes.clear()
  state.progress.clear()
  state.snapshotTicks.clear()
  state.transferTarget = null
  resetElectionTimer(state)
  if (wasLeader) state.leaderSilence = state.options.electionTicks
}

/** The leader of the term was heard: it is followed, and the election timer starts again. */
export function followLeader(state: RaftState, from: PeerId): void {
  assert(state.role !== 'leader', 'a term has one leader')
  if (state.leader !== from || state.role === 'candidate' || state.role === 'preCandidate') {
    becomeFollower(state, state.term, from)
  }
  state.leaderSilence = 0
  state.electionElapsed = 0
}

/** Asks whether an election could be won, in the present term (thesis, 9.6). */
export function becomePreCandidate(state: RaftState): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  refuseReads(state)
  state.role = 'preCandidate'
  state.leader = null
  resetElectionTimer(state)
  state.votes.clear()
  state.votes.set(state.options.id, true)
  if (tally(state.voters(), state.votes) === 'won') return becomeCandidate(state, false)
  askForVotes(state, 'preVote', state.term + 1, false)
}

/** Begins a term and asks for its votes (5.2); `transfer`: the leader of the last term wished it. */
export function becomeCandidate(state: RaftState, transfer: boolean): void {
  assert(state.role !== 'leader', 'a leader does not campaign')
  refuseReads(state)
  state.role = 'candidate'
  state.leader = null
  state.term += 1
  state.votedFor = state.options.id
  resetElectionTimer(state)
  state.votes.clear()
  state.votes.set(state.options.id, true)
  if (tally(state.voters(), state.votes) === 'won') {
    becomeLeader(state, true)
    return
  }
  askForVotes(state, 'vote', state.term, transfer)
}

/** Won: every follower is probed anew, in a round that begins at once. */
function becomeLeader(state: RaftState, soleElection: boolean): void {
  assert(state.role === 'candidate', 'only a candidate becomes leader')
  state.role = 'leader'
  state.leader = state.options.id
  state.leaderSilence = 0
  state.soleElection = soleElection
  state.heartbeatElapsed = 0
  state.transferTarget = null
  state.uncommittedBytes = 0
  state.progress.clear()
  state.snapshotTicks.clear()
  state.round += 1
  state.distrustUntilRound = 0
  syncProgress(state)
  state.ownFirstIndex = state.log.lastIndex + 1
  // An entry of its own term lets the leader commit those before it (5.4.2).
  state.log.append({ kind: 'noop', index: state.ownFirstIndex, term: state.term })
  beginRound(state)
}

/** Asks after the own vote is durable, so that no answer can come before that. */
function askForVotes(
  state: RaftState,
  kind: 'preVote' | 'vote',
  term: Term,
  transfer: boolean,
): void {
  const message: Message = {
    kind,
    term,
    lastIndex: state.log.lastIndex,
    lastTerm: state.log.lastTerm,
    transfer,
  }
  for (const voter of state.voters()) {
    if (voter !== state.options.id) state.sendAfterPersist(voter, message)
  }
}

/** Whether this peer may seek votes: a voter that does not lead yet, with an undamaged log. */
export function mayCampaign(state: RaftState): boolean {
  return state.role !== 'leader' && !state.abstain && state.isVoter()
}

/** Draws the next election timeout, in ticks, from [electionTicks, 2 * electionTicks). */
export function resetElectionTimer(state: RaftState): void {
  const { electionTicks, random } = state.options
  state.electionElapsed = 0
  state.electionTimeout = electionTicks + Math.floor(random() * electionTicks)
}

/** Says whether a vote would be granted; nothing changes here by it. */
export function receivePreVote(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'preVote' | 'vote'>,
): void {
  const granted =
    message.term > state.term &&
    !state.abstain &&
    !hasLease(state) &&
    isUpToDate(state, message.lastIndex, message.lastTerm)
  const term = granted ? message.term : state.term
  state.sendAfterPersist(from, { kind: 'preVoteReply', term, granted })
}

/** One vote in a term (5.2), for a log that is at least as up to date (5.4.1). */
export function receiveVote(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'preVote' | 'vote'>,
): void {
  const free = state.votedFor === null || state.votedFor === from
  const granted =
    free &&
    state.leader === null &&
    !state.abstain &&
    isUpToDate(state, message.lastIndex, message.lastTerm)
  if (granted) {
    state.votedFor = from
    resetElectionTimer(state)
  }
  state.sendAfterPersist(from, { kind: 'voteReply', term: state.term, granted })
}

/** Counts a vote or pre-vote; the first answer of a peer counts. */
export function receiveVoteReply(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'preVoteReply' | 'voteReply'>,
): void {
  const pre = message.kind === 'preVoteReply'
  if (state.role !== (pre ? 'preCandidate' : 'candidate')) return
  if (pre && message.granted && message.term !== state.term + 1) return
  if (!state.votes.has(from)) state.votes.set(from, message.granted)
  const result = tally(state.voters(), state.votes)
  if (result === 'lost') becomeFollower(state, state.term, null)
  if (result !== 'won') return
  if (pre) becomeCandidate(state, false)
  else becomeLeader(state, false)
}

/** 5.4.1: the log with the later last term, or the longer one, is more up to date. */
function isUpToDate(state: RaftState, lastIndex: LogIndex, lastTerm: Term): boolean {
  if (lastTerm !== state.log.lastTerm) return lastTerm > state.log.lastTerm
  return lastIndex >= state.log.lastIndex
}

/** A leader that was heard within the election timeout is believed (thesis, 4.2.3 and 9.6). */
export function hasLease(state: RaftState): boolean {
  return state.leader !== null && contactAge(state) < state.options.electionTicks
}
