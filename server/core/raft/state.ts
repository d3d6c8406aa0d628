import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import { RaftLog } from './log.ts'
import type { Entry, HardState, Message } from './message.ts'
import type { Progress } from './progress.ts'
import { votersOf } from './quorum.ts'
import { ReadIndexQueue } from './read-index.ts'
import type { RaftOptions, RaftOutput, RaftRestored, Role } from './step.ts'

/** Payload handed out for applying in one step; the rest follows in the next. */
const COMMITTED_BYTES_MAX = 4 * 1024 * 1024

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/**
 * All that one Raft peer holds in memory, and the output that a step gathers. The rules are functions
 * over it, in the files of this folder; nothing outside of the folder sees it.
 */
export class RaftState {
  readonly options: RaftOptions
  readonly log: RaftLog
  term: Term
  votedFor: PeerId | null
  role: Role = 'follower'
  leader: PeerId | null = null
  commit: LogIndex
  /** Committed entries handed out for applying. */
  handedOut: LogIndex
  applied: LogIndex
  /** The damaged log of this peer does not hold all that was committed yet. */
  abstain: boolean

  // Time, in ticks.
  electionElapsed = 0
  electionTimeout = 0
  /** Since the leader was heard. */
  leaderSilence: number
  heartbeatElapsed = 0

  // Candidate.
  readonly votes = new Map<PeerId, boolean>()

  // Leader.
  readonly progress = new Map<PeerId, Progress>()
  /** The leader's first entry of its term. */
  ownFirstIndex: LogIndex = 0
  /** Elected by its own vote alone: silent until its vote and first entry are durable. */
  soleElection = false
  uncommittedBytes = 0
  round = 0
  /** After a pause: contact is not believed before this round is confirmed. */
  distrustUntilRound = 0
  transferTarget: PeerId | null = null
  transferElapsed = 0
  timeoutNowSent = false
  /** Ticks that each follower in state snapshot has waited for one. */
  readonly snapshotTicks = new Map<PeerId, number>()

  readonly reads = new ReadIndexQueue()
  output: Mutable<RaftOutput> = emptyOutput()
  #savedHardState: HardState

  constructor(options: RaftOptions, restored: RaftRestored) {
    this.options = options
    const { hardState, snapshot, entries } = restored
    this.log = new RaftLog(snapshot, entries)
    this.term = Math.max(hardState.term, this.log.lastTerm)
    this.votedFor = this.term === hardState.term ? hardState.votedFor : null
    this.commit = Math.max(snapshot.index, Math.min(hardState.commit, this.log.lastIndex))
    this.handedOut = snapshot.index
    this.applied = snapshot.index
    this.abstain = options.abstain
    this.leaderSilence = options.electionTicks
    this.#savedHardState = { term: hardState.term, votedFor: hardState.votedFor, commit: 0 }
  }

  voters(): PeerId[] {
    return votersOf(this.log.members)
  }

  isVoter(): boolean {
    return this.voters().includes(this.options.id)
  }

  /** The leader has committed an entry of its own term; says nothing of another role. */
  committedInTerm(): boolean {
    return this.commit >= this.ownFirstIndex
  }

  /**
   * Elected by its own vote alone, a leader that dies now may vote again in this term: nothing of
   * this term leaves before that vote is on disk (it is written before the first entry).
   */
  mustBeSilent(): boolean {
    return this.soleElection && this.log.persisted < this.ownFirstIndex
  }

  /** Raises the commit index to `index`; it never falls. */
  commitTo(index: LogIndex): void {
    if (index <= this.commit) return
    assert(index <= this.log.lastIndex, 'only entries that are here are committed')
    this.commit = index
  }

  /** May leave at once. */
  send(to: PeerId, message: Message): void {
    this.output.messages.push({ from: this.options.id, to, message })
  }

  /** Leaves when all that this step changed is durable. */
  sendAfterPersist(to: PeerId, message: Message): void {
    this.output.messagesAfterPersist.push({ from: this.options.id, to, message })
  }

  /** What the step asks for, with what is to be written and applied; the next begins empty. */
  takeOutput(): RaftOutput {
    const output = this.output
    this.output = emptyOutput()
    const entries = this.log.takeUnwritten()
    const saved = this.#savedHardState
    const voteChanged = saved.term !== this.term || saved.votedFor !== this.votedFor
    // The commit index is a hint; it rides along and causes no write of its own.
    const commitNews = entries.length > 0 && saved.commit !== this.commit
    if (voteChanged || commitNews) {
      const commit = Math.min(this.commit, this.log.persisted)
      output.hardState = { term: this.term, votedFor: this.votedFor, commit }
      this.#savedHardState = output.hardState
    }
    output.entries = entries
    output.committed = this.#takeCommitted()
    return output
  }

  /** Committed and durable here: handed out once, in order. */
  #takeCommitted(): Entry[] {
    const to = Math.min(this.commit, this.log.persisted)
    if (to <= this.handedOut) return []
    const entries = this.log.slice(this.handedOut + 1, to, COMMITTED_BYTES_MAX)
    this.handedOut += entries.length
    return entries
  }
}

function emptyOutput(): Mutable<RaftOutput> {
  return {
    hardState: null,
    entries: [],
    messages: [],
    messagesAfterPersist: [],
    committed: [],
    reads: [],
    accepted: [],
    refused: [],
    snapshotsWanted: [],
  }
}
