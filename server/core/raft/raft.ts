import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import { entryBytes, RaftLog } from './log.ts'
import { isOneChange } from './membership.ts'
import type { Entry, Envelope, HardState, Member, Message, SnapshotMeta } from './message.ts'
import { Progress } from './progress.ts'
import { quorumValue, tally, votersOf } from './quorum.ts'
import { ReadIndexQueue } from './read-index.ts'
import type {
  RaftInput,
  RaftOptions,
  RaftOutput,
  RaftRestored,
  RaftStatus,
  RefusalReason,
  Role,
} from './step.ts'

/** Payload handed out for applying in one step; the rest follows in the next. */
const COMMITTED_BYTES_MAX = 4 * 1024 * 1024
/** A follower that needs a snapshot and got none asks again after so many election timeouts. */
const SNAPSHOT_PATIENCE_ELECTIONS = 40

type MessageOf<K extends Message['kind']> = Extract<Message, { kind: K }>
type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] }

/**
 * Raft (Ongaro and Ousterhout, 2014; section numbers are the paper's) with pre-vote, check-quorum,
 * leadership transfer and learners of Ongaro's thesis. Pure: `step` takes all that happened in a turn
 * and returns what must be done about it.
 */
export class Raft {
  readonly #options: RaftOptions
  readonly #log: RaftLog
  #term: Term
  #votedFor: PeerId | null
  #role: Role = 'follower'
  #leader: PeerId | null = null
  #commit: LogIndex
  /** Committed entries handed out for applying. */
  #handedOut: LogIndex
  #applied: LogIndex
  #abstain: boolean

  // Time.
  #electionElapsed = 0
  #electionTimeout = 0
  /** Ticks since the leader was heard. */
  #leaderSilence = 0
  #heartbeatElapsed = 0

  // Candidate.
  readonly #votes = new Map<PeerId, boolean>()

  // Leader.
  readonly #progress = new Map<PeerId, Progress>()
  /** The leader's first entry of its term. */
  #ownFirstIndex: LogIndex = 0
  /** Elected by its own vote alone: silent until its vote and first entry are durable. */
  #soleElection = false
  #uncommittedBytes = 0
  #round = 0
  /** After a pause: contact is not believed before this round is confirmed. */
  #distrustUntilRound = 0
  #transferTarget: PeerId | null = null
  #transferElapsed = 0
  #timeoutNowSent = false
  readonly #snapshotTicks = new Map<PeerId, number>()

  readonly #reads = new ReadIndexQueue()
  #savedHardState: HardState
  #output: Mutable<RaftOutput> = emptyOutput()

  constructor(options: RaftOptions, restored: RaftRestored) {
    this.#options = options
    const { hardState, snapshot, entries } = restored
    this.#log = new RaftLog(snapshot, entries)
    this.#term = Math.max(hardState.term, this.#log.lastTerm)
    this.#votedFor = this.#term === hardState.term ? hardState.votedFor : null
    this.#commit = Math.max(snapshot.index, Math.min(hardState.commit, this.#log.lastIndex))
    this.#handedOut = snapshot.index
    this.#applied = snapshot.index
    this.#abstain = options.abstain
    this.#savedHardState = { term: hardState.term, votedFor: hardState.votedFor, commit: 0 }
    this.#leaderSilence = options.electionTicks
    this.#becomeFollower(this.#term, null)
  }

  get role(): Role {
    return this.#role
  }

  get term(): Term {
    return this.#term
  }

  get leader(): PeerId | null {
    return this.#leader
  }

  get isLeader(): boolean {
    return this.#role === 'leader'
  }

  /** The damaged log of this peer does not hold all that was committed yet. */
  get abstains(): boolean {
    return this.#abstain
  }

  get commitIndex(): LogIndex {
    return this.#commit
  }

  get members(): readonly Member[] {
    return this.#log.members
  }

  /** Ticks since the current leader was heard; on the leader, since a quorum answered. */
  get contactAgeTicks(): number {
    if (this.#role !== 'leader') return this.#leaderSilence
    const ageTicks = this.#quorumSilence()
    const believed = this.#confirmedRound() >= this.#distrustUntilRound
    return believed ? ageTicks : Math.max(ageTicks, this.#options.electionTicks)
  }

  /** Takes a turn's inputs in their order; the output is the sum of what they ask for. */
  step(inputs: readonly RaftInput[]): RaftOutput {
    for (const input of inputs) this.#take(input)
    if (this.#role === 'leader') this.#leadOn()
    return this.#finishOutput()
  }

  #take(input: RaftInput): void {
    switch (input.kind) {
      case 'tick':
        return this.#tick()
      case 'message':
        return this.#receive(input.from, input.message)
      case 'propose':
        return this.#propose(input.payload, input.token)
      case 'persisted':
        this.#log.writeDurable(input.index, input.term)
        return
      case 'applied':
        assert(input.index <= this.#handedOut, 'only handed-out entries are applied')
        this.#applied = Math.max(this.#applied, input.index)
        return
      case 'compact':
        this.#log.compact(Math.min(input.keepFrom, this.#applied + 1))
        return
      case 'readIndex':
        return this.#readIndex(input.context)
      case 'changeMembership':
        return this.#changeMembership(input.members, input.token)
      case 'transferLeadership':
        return this.#transferLeadership(input.to)
      case 'unreachable':
        return this.#unreachable(input.peer)
      case 'snapshotInstalled':
        return this.#snapshotInstalled(input.from, input.meta)
      case 'snapshotFailed':
        return this.#snapshotFailed(input.peer)
      case 'paused':
        return this.#paused()
      case 'campaign':
        if (this.#mayCampaign()) this.#becomeCandidate(false)
        return
    }
  }

  // --- Transitions ---------------------------------------------------------------------------

  #becomeFollower(term: Term, leader: PeerId | null): void {
    assert(term >= this.#term, 'the term never falls')
    if (term > this.#term) {
      this.#term = term
      this.#votedFor = null
    }
    const wasLeader = this.#role === 'leader'
    if (leader !== this.#leader || wasLeader) this.#refuseReads()
    this.#role = this.#isVoter() ? 'follower' : 'learner'
    this.#leader = leader
    this.#votes.clear()
    this.#progress.clear()
    this.#snapshotTicks.clear()
    this.#transferTarget = null
    this.#resetElectionTimer()
    if (wasLeader) this.#leaderSilence = this.#options.electionTicks
  }

  #becomePreCandidate(): void {
    assert(this.#role !== 'leader', 'a leader does not campaign')
    this.#refuseReads()
    this.#role = 'preCandidate'
    this.#leader = null
    this.#resetElectionTimer()
    this.#votes.clear()
    this.#votes.set(this.#options.id, true)
    if (tally(this.#voters(), this.#votes) === 'won') return this.#becomeCandidate(false)
    this.#askForVotes('preVote', this.#term + 1, false)
  }

  #becomeCandidate(transfer: boolean): void {
    assert(this.#role !== 'leader', 'a leader does not campaign')
    this.#refuseReads()
    this.#role = 'candidate'
    this.#leader = null
    this.#term += 1
    this.#votedFor = this.#options.id
    this.#resetElectionTimer()
    this.#votes.clear()
    this.#votes.set(this.#options.id, true)
    if (tally(this.#voters(), this.#votes) === 'won') {
      this.#becomeLeader(true)
      return
    }
    this.#askForVotes('vote', this.#term, transfer)
  }

  #becomeLeader(soleElection: boolean): void {
    assert(this.#role === 'candidate', 'only a candidate becomes leader')
    this.#role = 'leader'
    this.#leader = this.#options.id
    this.#leaderSilence = 0
    this.#soleElection = soleElection
    this.#heartbeatElapsed = 0
    this.#transferTarget = null
    this.#uncommittedBytes = 0
    this.#progress.clear()
    this.#snapshotTicks.clear()
    this.#round += 1
    this.#distrustUntilRound = 0
    this.#syncProgress()
    this.#ownFirstIndex = this.#log.lastIndex + 1
    // An entry of its own term lets the leader commit those before it (5.4.2).
    this.#log.append({ kind: 'noop', index: this.#ownFirstIndex, term: this.#term })
    this.#beginRound()
  }

  /** Asks after the own vote is durable, so that no answer can come before that. */
  #askForVotes(kind: 'preVote' | 'vote', term: Term, transfer: boolean): void {
    const message: Message = {
      kind,
      term,
      lastIndex: this.#log.lastIndex,
      lastTerm: this.#log.lastTerm,
      transfer,
    }
    for (const voter of this.#voters()) {
      if (voter !== this.#options.id) this.#sendAfterPersist(voter, message)
    }
  }

  // --- Time ------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#role === 'leader') return this.#tickLeader()
    this.#leaderSilence += 1
    this.#electionElapsed += 1
    for (const context of this.#reads.tick(this.#options.electionTicks)) this.#refuseRead(context)
    if (this.#leader !== null && this.#leaderSilence >= 2 * this.#options.electionTicks) {
      this.#refuseReads()
      this.#leader = null
    }
    if (this.#electionElapsed < this.#electionTimeout) return
    if (this.#mayCampaign()) this.#becomePreCandidate()
    else this.#resetElectionTimer()
  }

  #tickLeader(): void {
    const { electionTicks, heartbeatTicks } = this.#options
    for (const progress of this.#progress.values()) progress.tick(electionTicks)
    for (const [peer, ticks] of this.#snapshotTicks) {
      if (ticks + 1 >= SNAPSHOT_PATIENCE_ELECTIONS * electionTicks) this.#snapshotFailed(peer)
      else this.#snapshotTicks.set(peer, ticks + 1)
    }
    if (this.#transferTarget !== null) {
      this.#transferElapsed += 1
      if (this.#transferElapsed >= electionTicks) this.#transferTarget = null
    }
    // Check-quorum (thesis, 6.2): a leader that a majority does not answer steps down.
    if (this.#quorumSilence() >= electionTicks) {
      this.#becomeFollower(this.#term, null)
      return
    }
    this.#heartbeatElapsed += 1
    if (this.#heartbeatElapsed >= heartbeatTicks) this.#beginRound()
  }

  #paused(): void {
    if (this.#role === 'leader') {
      this.#beginRound()
      this.#distrustUntilRound = this.#round
      return
    }
    this.#leaderSilence = Math.max(this.#leaderSilence, this.#options.electionTicks)
    this.#resetElectionTimer()
  }

  #resetElectionTimer(): void {
    const { electionTicks, random } = this.#options
    this.#electionElapsed = 0
    this.#electionTimeout = electionTicks + Math.floor(random() * electionTicks)
  }

  // --- Messages --------------------------------------------------------------------------------

  #receive(from: PeerId, message: Message): void {
    if (from === this.#options.id) return
    if (message.term < this.#term) return this.#receiveStale(from, message)
    if (message.term > this.#term && !this.#adoptTerm(from, message)) return
    switch (message.kind) {
      case 'preVote':
        return this.#receivePreVote(from, message)
      case 'vote':
        return this.#receiveVote(from, message)
      case 'preVoteReply':
      case 'voteReply':
        return this.#receiveVoteReply(from, message)
      case 'append':
        return this.#receiveAppend(from, message)
      case 'appendReply':
        return this.#receiveAppendReply(from, message)
      case 'heartbeat':
        return this.#receiveHeartbeat(from, message)
      case 'heartbeatReply':
        return this.#receiveHeartbeatReply(from, message)
      case 'timeoutNow':
        if (from === this.#leader && this.#mayCampaign()) this.#becomeCandidate(true)
        return
      case 'readIndex':
        return this.#receiveReadIndex(from, message)
      case 'readIndexReply':
        return this.#receiveReadIndexReply(message)
      case 'snapshotReply':
        return this.#receiveSnapshotReply(from, message)
    }
  }

  /** A message of an older term: its sender learns the present one, and steps down if it led. */
  #receiveStale(from: PeerId, message: Message): void {
    if (message.kind === 'append' || message.kind === 'heartbeat') {
      const previousIndex = message.kind === 'append' ? message.previousIndex : 0
      this.#rejectAppend(from, previousIndex, 0, 0)
    }
    if (message.kind === 'preVote') {
      this.#sendAfterPersist(from, { kind: 'preVoteReply', term: this.#term, granted: false })
    }
    if (message.kind === 'readIndex') this.#answerRead(from, message.context, -1)
  }

  /** Takes over a newer term, where the message is a reason to; false: the message is ignored. */
  #adoptTerm(from: PeerId, message: Message): boolean {
    switch (message.kind) {
      case 'preVote':
        return true
      case 'preVoteReply':
        // A grant names the term that was sought; a refusal names the term that is.
        if (!message.granted) this.#becomeFollower(message.term, null)
        return message.granted
      case 'vote':
        if (!message.transfer && this.#hasLease()) return false
        this.#becomeFollower(message.term, null)
        return true
      case 'append':
      case 'heartbeat':
        this.#becomeFollower(message.term, from)
        return true
      case 'timeoutNow':
        this.#becomeFollower(message.term, from)
        return true
      default:
        this.#becomeFollower(message.term, null)
        return true
    }
  }

  /** A leader that was heard within the election timeout is believed (thesis, 4.2.3 and 9.6). */
  #hasLease(): boolean {
    return this.#leader !== null && this.contactAgeTicks < this.#options.electionTicks
  }

  #receivePreVote(from: PeerId, message: MessageOf<'preVote' | 'vote'>): void {
    const granted =
      message.term > this.#term &&
      !this.#abstain &&
      !this.#hasLease() &&
      this.#isUpToDate(message.lastIndex, message.lastTerm)
    const term = granted ? message.term : this.#term
    this.#sendAfterPersist(from, { kind: 'preVoteReply', term, granted })
  }

  #receiveVote(from: PeerId, message: MessageOf<'preVote' | 'vote'>): void {
    const free = this.#votedFor === null || this.#votedFor === from
    const granted =
      free &&
      this.#leader === null &&
      !this.#abstain &&
      this.#isUpToDate(message.lastIndex, message.lastTerm)
    if (granted) {
      this.#votedFor = from
      this.#resetElectionTimer()
    }
    this.#sendAfterPersist(from, { kind: 'voteReply', term: this.#term, granted })
  }

  /** 5.4.1: the log with the later last term, or the longer one, is more up to date. */
  #isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    if (lastTerm !== this.#log.lastTerm) return lastTerm > this.#log.lastTerm
    return lastIndex >= this.#log.lastIndex
  }

  #receiveVoteReply(from: PeerId, message: MessageOf<'preVoteReply' | 'voteReply'>): void {
    const pre = message.kind === 'preVoteReply'
    if (this.#role !== (pre ? 'preCandidate' : 'candidate')) return
    if (pre && message.granted && message.term !== this.#term + 1) return
    if (!this.#votes.has(from)) this.#votes.set(from, message.granted)
    const result = tally(this.#voters(), this.#votes)
    if (result === 'lost') this.#becomeFollower(this.#term, null)
    if (result !== 'won') return
    if (pre) this.#becomeCandidate(false)
    else this.#becomeLeader(false)
  }

  #followLeader(from: PeerId): void {
    assert(this.#role !== 'leader', 'a term has one leader')
    if (this.#leader !== from || this.#role === 'candidate' || this.#role === 'preCandidate') {
      this.#becomeFollower(this.#term, from)
    }
    this.#leaderSilence = 0
    this.#electionElapsed = 0
  }

  #receiveAppend(from: PeerId, message: MessageOf<'append'>): void {
    // A term has one leader; who else claims it is not believed.
    if (this.#role === 'leader' || !isLogPart(message)) return
    this.#followLeader(from)
    const { previousIndex, previousTerm, entries } = message
    if (previousIndex < this.#commit && previousIndex < this.#log.baseIndex) {
      // What is below the base is committed here, so it agrees with the leader.
      return this.#acknowledge(from, this.#commit, previousIndex)
    }
    if (this.#log.termAt(previousIndex) !== previousTerm) {
      return this.#rejectWithHint(from, previousIndex, previousTerm)
    }
    for (const entry of entries) {
      if (this.#log.termAt(entry.index) === entry.term) continue
      if (entry.index <= this.#log.lastIndex) this.#truncate(entry.index)
      this.#log.append(entry)
    }
    const last = previousIndex + entries.length
    this.#commitTo(Math.min(message.commit, last))
    this.#considerVotingAgain(message.commit, last)
    this.#role = this.#isVoter() ? 'follower' : 'learner'
    this.#acknowledge(from, last, previousIndex)
  }

  /**
   * A damaged log votes again when it holds all that was ever committed: when the leader has
   * committed in its own term, and everything up to there is here.
   */
  #considerVotingAgain(leaderCommit: LogIndex, last: LogIndex): void {
    if (!this.#abstain || last < leaderCommit) return
    if (this.#log.termAt(leaderCommit) === this.#term) this.#abstain = false
  }

  /** A committed entry is never removed (5.4.3, leader completeness). */
  #truncate(from: LogIndex): void {
    assert(from > this.#commit, 'a committed entry is never removed')
    this.#log.truncate(from)
  }

  #acknowledge(to: PeerId, index: LogIndex, previousIndex: LogIndex): void {
    this.#sendAfterPersist(to, {
      kind: 'appendReply',
      term: this.#term,
      success: true,
      index,
      hintTerm: 0,
      previousIndex,
    })
  }

  /** Says where the logs may agree: the last entry here of a term not above the leader's. */
  #rejectWithHint(to: PeerId, previousIndex: LogIndex, previousTerm: Term): void {
    let index = Math.min(previousIndex, this.#log.lastIndex)
    let term = this.#log.termAt(index)
    while (index > this.#log.baseIndex && term !== null && term > previousTerm) {
      index -= 1
      term = this.#log.termAt(index)
    }
    this.#rejectAppend(to, previousIndex, Math.max(index, this.#log.baseIndex), term ?? 0)
  }

  #rejectAppend(to: PeerId, previousIndex: LogIndex, index: LogIndex, hintTerm: Term): void {
    this.#sendAfterPersist(to, {
      kind: 'appendReply',
      term: this.#term,
      success: false,
      index,
      hintTerm,
      previousIndex,
    })
  }

  #receiveAppendReply(from: PeerId, message: MessageOf<'appendReply'>): void {
    const progress = this.#progress.get(from)
    if (this.#role !== 'leader' || progress === undefined) return
    progress.silentTicks = 0
    if (message.success) {
      if (message.index > this.#log.lastIndex) return
      if (progress.state === 'snapshot' && message.index >= this.#log.baseIndex) {
        this.#snapshotTicks.delete(from)
        progress.becomeProbe()
      }
      progress.acknowledged(message.index)
      return
    }
    // Skip the whole of a term that the follower's hint rules out.
    let agree = message.index
    while (agree > this.#log.baseIndex && (this.#log.termAt(agree) ?? 0) > message.hintTerm) {
      agree -= 1
    }
    progress.rejected(message.previousIndex, agree)
  }

  #receiveHeartbeat(from: PeerId, message: MessageOf<'heartbeat'>): void {
    if (this.#role === 'leader') return
    this.#followLeader(from)
    this.#commitTo(Math.min(message.commit, this.#log.lastIndex))
    this.#sendAfterPersist(from, {
      kind: 'heartbeatReply',
      term: this.#term,
      round: message.round,
    })
  }

  #receiveHeartbeatReply(from: PeerId, message: MessageOf<'heartbeatReply'>): void {
    const progress = this.#progress.get(from)
    if (this.#role !== 'leader' || progress === undefined) return
    progress.silentTicks = 0
    progress.answeredRound = Math.max(progress.answeredRound, Math.min(message.round, this.#round))
    // It answers, so a probe that is still unanswered was lost.
    if (progress.state === 'probe') progress.probing = false
  }

  // --- The leader ------------------------------------------------------------------------------

  /** After all inputs: commit, replicate, answer reads. */
  #leadOn(): void {
    this.#advanceCommit()
    if (this.#role !== 'leader') return
    if (this.#committedInTerm() && this.#reads.needsRound) this.#beginRound()
    this.#confirmReads()
    this.#replicateAll()
    this.#dropDeparted()
    this.#continueTransfer()
  }

  #propose(payload: Uint8Array, token: number): void {
    const reason = this.#proposalRefusal()
    if (reason !== null) {
      this.#output.refused.push({ token, reason })
      return
    }
    const index = this.#log.lastIndex + 1
    this.#log.append({ kind: 'requests', index, term: this.#term, payload })
    this.#uncommittedBytes += payload.length
    this.#output.accepted.push({ token, index, term: this.#term })
  }

  #proposalRefusal(): RefusalReason | null {
    if (this.#role !== 'leader') return 'notLeader'
    if (this.#transferTarget !== null) return 'transferring'
    if (this.#uncommittedBytes > this.#options.uncommittedBytesMax) return 'queueFull'
    return null
  }

  /** 5.3, 5.4.2: a majority has it durably, and it is of the leader's own term. */
  #advanceCommit(): void {
    const { id } = this.#options
    const index = quorumValue(this.#voters(), (voter) =>
      voter === id ? this.#log.persisted : (this.#progress.get(voter)?.match ?? 0),
    )
    if (index <= this.#commit || this.#log.termAt(index) !== this.#term) return
    for (const entry of this.#log.slice(this.#commit + 1, index, Number.POSITIVE_INFINITY)) {
      if (entry.kind === 'requests') this.#uncommittedBytes -= entry.payload.length
    }
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes)
    this.#commitTo(index)
    this.#afterMembershipCommitted()
  }

  #commitTo(index: LogIndex): void {
    if (index <= this.#commit) return
    assert(index <= this.#log.lastIndex, 'only entries that are here are committed')
    this.#commit = index
  }

  #committedInTerm(): boolean {
    return this.#commit >= this.#ownFirstIndex
  }

  #replicateAll(): void {
    // Elected by its own vote alone, a leader that dies now may vote again in this term: nothing of
    // this term leaves before that vote is on disk (it is written before the first entry).
    if (this.#soleElection && this.#log.persisted < this.#ownFirstIndex) return
    for (const [peer, progress] of this.#progress) this.#replicate(peer, progress)
  }

  #replicate(peer: PeerId, progress: Progress): void {
    const { inflightAppendsMax, inflightBytesMax, appendBytesMax } = this.#options
    while (progress.hasRoom(inflightAppendsMax, inflightBytesMax)) {
      const previousIndex = progress.next - 1
      const previousTerm = this.#log.termAt(previousIndex)
      if (previousTerm === null) return this.#wantSnapshot(peer, progress)
      const upToDate = progress.next > this.#log.lastIndex
      const commitNews = progress.commitTold < Math.min(this.#commit, this.#log.lastIndex)
      if (upToDate && progress.state === 'replicate' && !commitNews) return
      const entries = upToDate
        ? []
        : this.#log.slice(progress.next, this.#log.lastIndex, appendBytesMax)
      this.#send(peer, {
        kind: 'append',
        term: this.#term,
        previousIndex,
        previousTerm,
        entries,
        commit: this.#commit,
      })
      const last = previousIndex + entries.length
      progress.commitTold = Math.min(this.#commit, last)
      if (entries.length > 0 || progress.state === 'probe') {
        progress.sent(
          last,
          entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0),
        )
      } else {
        return
      }
    }
  }

  #wantSnapshot(peer: PeerId, progress: Progress): void {
    // Nobody takes a snapshot for a peer that does not answer.
    if (progress.silentTicks >= this.#options.electionTicks) return
    progress.becomeSnapshot()
    this.#snapshotTicks.set(peer, 0)
    this.#output.snapshotsWanted.push({ to: peer, index: this.#log.baseIndex })
  }

  #receiveSnapshotReply(from: PeerId, message: MessageOf<'snapshotReply'>): void {
    const progress = this.#progress.get(from)
    if (this.#role !== 'leader' || progress === undefined) return
    progress.silentTicks = 0
    if (progress.state !== 'snapshot') return
    this.#snapshotTicks.delete(from)
    progress.becomeProbe()
    if (message.success && message.index <= this.#log.lastIndex) {
      progress.acknowledged(message.index)
      progress.becomeProbe()
    }
  }

  #snapshotFailed(peer: PeerId): void {
    this.#snapshotTicks.delete(peer)
    const progress = this.#progress.get(peer)
    if (progress?.state === 'snapshot') progress.becomeProbe()
  }

  #unreachable(peer: PeerId): void {
    this.#snapshotTicks.delete(peer)
    this.#progress.get(peer)?.becomeProbe()
  }

  #beginRound(): void {
    this.#round += 1
    this.#heartbeatElapsed = 0
    this.#timeoutNowSent = false
    if (this.#committedInTerm()) this.#reads.beginRound(this.#round, this.#commit)
    if (this.#soleElection && this.#log.persisted < this.#ownFirstIndex) return
    for (const [peer, progress] of this.#progress) {
      const commit = Math.min(this.#commit, progress.match)
      this.#send(peer, { kind: 'heartbeat', term: this.#term, commit, round: this.#round })
    }
  }

  /** The newest round that a majority of the voters answered. */
  #confirmedRound(): number {
    return quorumValue(this.#voters(), (voter) =>
      voter === this.#options.id ? this.#round : (this.#progress.get(voter)?.answeredRound ?? 0),
    )
  }

  #quorumSilence(): number {
    return -quorumValue(this.#voters(), (voter) =>
      voter === this.#options.id
        ? 0
        : -(this.#progress.get(voter)?.silentTicks ?? this.#options.electionTicks),
    )
  }

  // --- Reads -----------------------------------------------------------------------------------

  #readIndex(context: number): void {
    if (this.#role === 'leader') this.#reads.add(context, null)
    else if (this.#leader === null) this.#refuseRead(context)
    else {
      this.#reads.forwarded(context)
      this.#send(this.#leader, { kind: 'readIndex', term: this.#term, context })
    }
  }

  #receiveReadIndex(from: PeerId, message: MessageOf<'readIndex'>): void {
    if (this.#role === 'leader') this.#reads.add(message.context, from)
    else this.#answerRead(from, message.context, -1)
  }

  #receiveReadIndexReply(message: MessageOf<'readIndexReply'>): void {
    if (!this.#reads.answered(message.context)) return
    const index = message.accepted ? message.index : -1
    this.#output.reads.push({ context: message.context, index })
  }

  #confirmReads(): void {
    for (const read of this.#reads.takeConfirmed(this.#confirmedRound())) {
      if (read.from === null) {
        this.#output.reads.push({ context: read.context, index: read.index })
      } else {
        this.#answerRead(read.from, read.context, read.index)
      }
    }
  }

  #answerRead(to: PeerId, context: number, index: LogIndex): void {
    const accepted = index >= 0
    this.#send(to, { kind: 'readIndexReply', term: this.#term, context, index, accepted })
  }

  #refuseRead(context: number): void {
    this.#output.reads.push({ context, index: -1 })
  }

  #refuseReads(): void {
    for (const context of this.#reads.takeForwarded()) this.#refuseRead(context)
    for (const read of this.#reads.takeAll()) {
      if (read.from === null) this.#refuseRead(read.context)
      else this.#answerRead(read.from, read.context, -1)
    }
  }

  // --- Membership and transfer -----------------------------------------------------------------

  #voters(): PeerId[] {
    return votersOf(this.#log.members)
  }

  #isVoter(): boolean {
    return this.#voters().includes(this.#options.id)
  }

  #mayCampaign(): boolean {
    return this.#role !== 'leader' && !this.#abstain && this.#isVoter()
  }

  #changeMembership(members: readonly Member[], token: number): void {
    const reason = this.#changeRefusal(members)
    if (reason !== null) {
      this.#output.refused.push({ token, reason })
      return
    }
    const index = this.#log.lastIndex + 1
    this.#log.append({ kind: 'membership', index, term: this.#term, members })
    this.#syncProgress()
    this.#output.accepted.push({ token, index, term: this.#term })
  }

  #changeRefusal(members: readonly Member[]): RefusalReason | null {
    const reason = this.#proposalRefusal()
    if (reason !== null) return reason
    // Ongaro, raft-dev 2015: a change before the first commit of the term could lose entries.
    if (!this.#committedInTerm()) return 'noCommitInTerm'
    if (this.#log.membersIndex > this.#commit) return 'changeInProgress'
    return isOneChange(this.#log.members, members) ? null : 'notOneChange'
  }

  /** One Progress for each other member; those removed stay until they know. */
  #syncProgress(): void {
    const ids = new Set(this.#log.members.map((member) => member.id))
    ids.delete(this.#options.id)
    for (const id of ids) {
      const progress = this.#progress.get(id) ?? new Progress(this.#log.lastIndex + 1)
      progress.departsAt = null
      this.#progress.set(id, progress)
    }
    for (const [id, progress] of this.#progress) {
      if (!ids.has(id)) progress.departsAt ??= this.#log.membersIndex
    }
  }

  #afterMembershipCommitted(): void {
    if (this.#log.membersIndex > this.#commit) return
    if (this.#isVoter()) return
    // The leader removed itself: everyone learns of the commit, and the best follower goes on.
    this.#replicateAll()
    const successor = this.#bestVoter()
    if (successor !== null) this.#send(successor, { kind: 'timeoutNow', term: this.#term })
    this.#becomeFollower(this.#term, null)
  }

  /** A removed peer is let go when it has been told, or when it does not answer. */
  #dropDeparted(): void {
    for (const [peer, { departsAt, match, commitTold, silentTicks }] of this.#progress) {
      if (departsAt === null || departsAt > this.#commit) continue
      const told = match >= departsAt && commitTold >= departsAt
      if (told || silentTicks >= this.#options.electionTicks) this.#progress.delete(peer)
    }
  }

  #bestVoter(): PeerId | null {
    let best: PeerId | null = null
    let bestMatch = -1
    for (const voter of this.#voters()) {
      const match = this.#progress.get(voter)?.match ?? -1
      if (match > bestMatch) {
        best = voter
        bestMatch = match
      }
    }
    return best
  }

  #transferLeadership(to: PeerId): void {
    if (this.#role !== 'leader' || to === this.#options.id) return
    if (!this.#voters().includes(to)) return
    this.#transferTarget = to
    this.#transferElapsed = 0
    this.#timeoutNowSent = false
  }

  /** Thesis, 3.10: when the target has the whole log, it may campaign at once. */
  #continueTransfer(): void {
    const target = this.#transferTarget
    if (target === null || this.#timeoutNowSent) return
    if (this.#progress.get(target)?.match !== this.#log.lastIndex) return
    this.#timeoutNowSent = true
    this.#send(target, { kind: 'timeoutNow', term: this.#term })
  }

  // --- Snapshots -------------------------------------------------------------------------------

  #snapshotInstalled(from: PeerId, meta: SnapshotMeta): void {
    const index = Math.max(meta.index, this.#commit)
    if (meta.index > this.#commit && this.#role !== 'leader') {
      this.#log.reset(meta)
      this.#commit = meta.index
      this.#handedOut = meta.index
      this.#applied = meta.index
      if (this.#role !== 'candidate') this.#role = this.#isVoter() ? 'follower' : 'learner'
    }
    this.#send(from, { kind: 'snapshotReply', term: this.#term, index, success: true })
  }

  // --- Output ----------------------------------------------------------------------------------

  #send(to: PeerId, message: Message): void {
    this.#output.messages.push({ from: this.#options.id, to, message })
  }

  #sendAfterPersist(to: PeerId, message: Message): void {
    this.#output.messagesAfterPersist.push({ from: this.#options.id, to, message })
  }

  #finishOutput(): RaftOutput {
    const output = this.#output
    this.#output = emptyOutput()
    const entries = this.#log.takeUnwritten()
    const saved = this.#savedHardState
    const voteChanged = saved.term !== this.#term || saved.votedFor !== this.#votedFor
    // The commit index is a hint; it rides along and causes no write of its own.
    const commitNews = entries.length > 0 && saved.commit !== this.#commit
    if (voteChanged || commitNews) {
      const commit = Math.min(this.#commit, this.#log.persisted)
      output.hardState = { term: this.#term, votedFor: this.#votedFor, commit }
      this.#savedHardState = output.hardState
    }
    output.entries = entries
    output.committed = this.#takeCommitted()
    return output
  }

  /** Committed and durable here: handed out once, in order. */
  #takeCommitted(): Entry[] {
    const to = Math.min(this.#commit, this.#log.persisted)
    if (to <= this.#handedOut) return []
    const entries = this.#log.slice(this.#handedOut + 1, to, COMMITTED_BYTES_MAX)
    this.#handedOut += entries.length
    return entries
  }

  status(): RaftStatus {
    return {
      id: this.#options.id,
      role: this.#role,
      term: this.#term,
      leader: this.#leader,
      commit: this.#commit,
      applied: this.#applied,
      persisted: this.#log.persisted,
      firstIndex: this.#log.firstIndex,
      lastIndex: this.#log.lastIndex,
      lastTerm: this.#log.lastTerm,
      members: this.#log.members,
      contactAgeTicks: this.contactAgeTicks,
      committedInTerm: this.#role === 'leader' && this.#committedInTerm(),
      transferTarget: this.#transferTarget,
      progress: [...this.#progress].map(([peer, { match, state, silentTicks }]) => ({
        peer,
        match,
        state,
        silentTicks,
      })),
    }
  }

  /** What invariants and tests look at; see invariants.ts. */
  inspect(): RaftInspection {
    return Object.assign(this.status(), {
      votedFor: this.#votedFor,
      handedOut: this.#handedOut,
      baseIndex: this.#log.baseIndex,
      termAt: (index: LogIndex) => this.#log.termAt(index),
      nextOf: (peer: PeerId) => this.#progress.get(peer)?.next ?? null,
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

function emptyOutput(): Mutable<RaftOutput> {
  const envelopes: Envelope[] = []
  return {
    hardState: null,
    entries: [],
    messages: envelopes,
    messagesAfterPersist: [],
    committed: [],
    reads: [],
    accepted: [],
    refused: [],
    snapshotsWanted: [],
  }
}
