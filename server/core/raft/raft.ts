import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import {
  becomeCandidate,
  becomeFollower,
  mayCampaign,
  receivePreVote,
  receiveVote,
  receiveVoteReply,
} from './election.ts'
import { receiveAppend, receiveHeartbeat, snapshotInstalled } from './following.ts'
import { continueTransfer, resignIfRemoved, transferLeadership } from './handover.ts'
import type { Member, Message } from './message.ts'
import { changeMembership, propose } from './proposals.ts'
import { confirmReads, receiveRead, receiveReadReply, requestRead } from './reads.ts'
import {
  advanceCommit,
  dropDeparted,
  linkBroke,
  receiveAppendReply,
  receiveSnapshotReply,
  replicateAll,
  snapshotDelivered,
  snapshotFailed,
} from './replication.ts'
import { beginRound, contactAge, receiveHeartbeatReply } from './rounds.ts'
import { RaftState } from './state.ts'
import type { RaftInput, RaftOptions, RaftOutput, RaftRestored, RaftStatus, Role } from './step.ts'
import { adoptTerm, receiveStale } from './terms.ts'
import { distrustContact, tick } from './timers.ts'

/**
 * Raft (Ongaro and Ousterhout, 2014; section numbers are the paper's) with pre-vote, check-quorum,
 * leadership transfer and learners of Ongaro's thesis. Pure: `step` takes all that happened in a turn
 * and returns what must be done about it. Here inputs and messages find their rule; README.md says
 * which file has which.
 */
export class Raft {
  readonly #state: RaftState

  constructor(options: RaftOptions, restored: RaftRestored) {
    this.#state = new RaftState(options, restored)
    becomeFollower(this.#state, this.#state.term, null)
  }

  get role(): Role {
    return this.#state.role
  }

  get term(): Term {
    return this.#state.term
  }

  get leader(): PeerId | null {
    return this.#state.leader
  }

  get isLeader(): boolean {
    return this.#state.role === 'leader'
  }

  /** The damaged log of this peer does not hold all that was committed yet. */
  get abstains(): boolean {
    return this.#state.abstain
  }

  get commitIndex(): LogIndex {
    return this.#state.commit
  }

  get members(): readonly Member[] {
    return this.#state.log.members
  }

  /** Ticks since the current leader was heard; on the leader, since a quorum answered. */
  get contactAgeTicks(): number {
    return contactAge(this.#state)
  }

  /** Takes a turn's inputs in their order; the output is the sum of what they ask for. */
  step(inputs: readonly RaftInput[]): RaftOutput {
    for (const input of inputs) take(this.#state, input)
    if (this.#state.role === 'leader') leadOn(this.#state)
    return this.#state.takeOutput()
  }

  status(): RaftStatus {
    const state = this.#state
    return {
      id: state.options.id,
      role: state.role,
      term: state.term,
      leader: state.leader,
      commit: state.commit,
      applied: state.applied,
      persisted: state.log.persisted,
      firstIndex: state.log.firstIndex,
      lastIndex: state.log.lastIndex,
      lastTerm: state.log.lastTerm,
      members: state.log.members,
      membersIndex: state.log.membersIndex,
      contactAgeTicks: contactAge(state),
      committedInTerm: state.role === 'leader' && state.committedInTerm(),
      transferTarget: state.transferTarget,
      progress: [...state.progress].map(([peer, progress]) => ({
        peer,
        match: progress.match,
        state: progress.state,
        silentTicks: progress.silentTicks,
      })),
    }
  }

  /** The term of the first entry that is kept, or of what is before it when none is. */
  get firstTerm(): Term {
    const { log } = this.#state
    return log.termAt(log.firstIndex) ?? log.lastTerm
  }

  /** What invariants and tests look at; see invariants.ts. */
  inspect(): RaftInspection {
    const state = this.#state
    return Object.assign(this.status(), {
      votedFor: state.votedFor,
      handedOut: state.handedOut,
      baseIndex: state.log.baseIndex,
      termAt: (index: LogIndex) => state.log.termAt(index),
      nextOf: (peer: PeerId) => state.progress.get(peer)?.next ?? null,
    })
  }
}

export interface RaftInspection extends RaftStatus {
  readonly votedFor: PeerId | null
  readonly handedOut: LogIndex
  readonly baseIndex: LogIndex
  /** Null below the base and above the end. */
  readonly termAt: (index: LogIndex) => Term | null
  readonly nextOf: (peer: PeerId) => LogIndex | null
}

function take(state: RaftState, input: RaftInput): void {
  switch (input.kind) {
    case 'tick':
      return tick(state)
    case 'message':
      return receive(state, input.from, input.message)
    case 'propose':
      return propose(state, input.payload, input.token)
    case 'persisted':
      state.log.writeDurable(input.index, input.term)
      return
    case 'applied':
      assert(input.index <= state.handedOut, 'only handed-out entries are applied')
      state.applied = Math.max(state.applied, input.index)
      return
    case 'compact':
      state.log.compact(Math.min(input.keepFrom, state.applied + 1))
      return
    case 'readIndex':
      return requestRead(state, input.context)
    case 'changeMembership':
      return changeMembership(state, input.members, input.token)
    case 'transferLeadership':
      return transferLeadership(state, input.to)
    case 'unreachable':
      return linkBroke(state, input.peer)
    case 'snapshotInstalled':
      return snapshotInstalled(state, input.from, input.meta)
    case 'snapshotDelivered':
      return snapshotDelivered(state, input.peer, input.index)
    case 'snapshotFailed':
      return snapshotFailed(state, input.peer)
    case 'paused':
      return distrustContact(state)
    case 'campaign':
      if (mayCampaign(state)) becomeCandidate(state, false)
      return
  }
}

function receive(state: RaftState, from: PeerId, message: Message): void {
  if (from === state.options.id) return
  if (message.term < state.term) return receiveStale(state, from, message)
  if (message.term > state.term && !adoptTerm(state, from, message)) return
  switch (message.kind) {
    case 'preVote':
      return receivePreVote(state, from, message)
    case 'vote':
      return receiveVote(state, from, message)
    case 'preVoteReply':
    case 'voteReply':
      return receiveVoteReply(state, from, message)
    case 'append':
      return receiveAppend(state, from, message)
    case 'appendReply':
      return receiveAppendReply(state, from, message)
    case 'heartbeat':
      return receiveHeartbeat(state, from, message)
    case 'heartbeatReply':
      return receiveHeartbeatReply(state, from, message)
    case 'timeoutNow':
      if (from === state.leader && mayCampaign(state)) becomeCandidate(state, true)
      return
    case 'readIndex':
      return receiveRead(state, from, message)
    case 'readIndexReply':
      return receiveReadReply(state, message)
    case 'snapshotReply':
      return receiveSnapshotReply(state, from, message)
  }
}

/** After all inputs: commit, replicate, answer reads. */
function leadOn(state: RaftState): void {
  if (advanceCommit(state)) resignIfRemoved(state)
  if (state.role !== 'leader') return
  if (state.committedInTerm() && state.reads.needsRound) beginRound(state)
  confirmReads(state)
  replicateAll(state)
  dropDeparted(state)
  continueTransfer(state)
}
