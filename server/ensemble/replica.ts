import type { PeerId, SessionId, Term } from '../core/brand.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Entry, HardState } from '../core/raft/message.ts'
import { Raft } from '../core/raft/raft.ts'
import type { RaftInput, RaftOptions, RaftOutput } from '../core/raft/step.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { WatchTable } from '../core/watch/watch-table.ts'
import type { OpenedStorage } from '../storage/storage.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'
import type {
  Contact,
  Ensemble,
  EnsembleHooks,
  EnsembleStatus,
  Outcome,
  ReconfigDone,
  SessionDeadline,
  Submission,
  SubmitRefusal,
} from './ensemble.ts'
import type { Environment } from './environment.ts'
import { dispatchFrame } from './frame-dispatch.ts'
import { hasFormed } from './joining.ts'
import { bestSuccessor } from './membership.ts'
import { QuorumClock } from './quorum-clock.ts'
import { mayServeReadOnly } from './readiness.ts'
import type { ReplicaLimits, ReplicaOptions } from './replica-options.ts'
import { type Loop, Rooms } from './rooms.ts'
import { type LoopView, notReadyReason, readinessView, statusOf } from './status.ts'

export type { ReplicaLimits } from './replica-options.ts'

const NO_HOOKS: EnsembleHooks = {
  deliver: () => {},
  sessionEnded: () => {},
  sessionAttached: () => {},
  contactChanged: () => {},
  readOnlyEnded: () => {},
  turnEnd: () => {},
}

/**
 * One server of the ensemble: the loop that drives the pure core. Each turn gathers what arrived
 * (client requests, peer frames, disk completions, ticks), steps Raft once, and has the rooms handle
 * its output: persist, send, apply, answer. All requests of a turn share one log entry and one
 * fdatasync.
 */
export class Replica implements Ensemble {
  readonly origin: number
  readonly #options: ReplicaOptions
  readonly #environment: Environment
  readonly #storage: OpenedStorage
  readonly #limits: ReplicaLimits
  readonly #loop: Loop
  readonly #rooms: Rooms
  readonly #quorumClock: QuorumClock
  #raft: Raft
  #hooks: EnsembleHooks = NO_HOOKS

  // The turn.
  #inputs: RaftInput[] = []
  #turnScheduled = false
  #state: 'new' | 'running' | 'stopped' = 'new'
  #cancelTick: () => void = () => {}
  #lastTickMs = 0
  #ticks = 0
  #nextToken = 1

  // As of the last turn.
  #seenTerm: Term = 0
  #seenLeader: PeerId | null = null
  /** Since when no leader is known, and since when this server leads; null otherwise. */
  #leaderlessMs: number | null = null
  #leadingMs: number | null = null
  #contact: Contact = 'lost'
  #readOnly = false
  #abstaining: boolean

  constructor(options: ReplicaOptions) {
    this.#options = options
    this.#environment = options.environment
    this.#storage = options.storage
    this.#limits = options.limits
    this.#abstaining = options.storage.abstain
    this.origin = 1 + Math.floor(options.environment.random() * (Number.MAX_SAFE_INTEGER - 1))
    this.#raft = new Raft(this.#raftOptions(), options.storage.restored)
    this.#loop = this.#openLoop()
    this.#rooms = new Rooms(options, this.origin, this.#loop)
    this.#quorumClock = new QuorumClock(this.#rooms.measures.quorumAckMs)
  }

  #raftOptions(): RaftOptions {
    const { limits, environment, storage } = this.#options
    return {
      id: storage.identity.id,
      electionTicks: limits.electionTicks,
      heartbeatTicks: limits.heartbeatTicks,
      appendBytesMax: limits.appendBytesMax,
      inflightAppendsMax: limits.inflightAppendsMax,
      inflightBytesMax: limits.inflightBytesMax,
      uncommittedBytesMax: 2 * limits.uncommittedBytesMax,
      random: () => environment.random(),
      abstain: storage.abstain,
    }
  }

  #openLoop(): Loop {
    return {
      raft: () => this.#raft,
      hooks: () => this.#hooks,
      step: (input) => this.#step(input),
      scheduleTurn: () => this.scheduleTurn(),
      token: () => this.#token(),
      submit: (submission, done) => this.submit(submission, done),
      frame: (from, frame) => {
        if (this.#state !== 'stopped') dispatchFrame(this.#rooms, this.#loop, from, frame)
      },
      linkUp: () => this.#linkUp(),
      linkDown: (peer) => this.#linkDown(peer),
      founded: (hardState, entry) => this.#founded(hardState, entry),
      installing: () => this.#installing(),
      installed: () => this.#installed(),
    }
  }

  get machine(): StateMachine {
    return this.#rooms.applier.machine
  }

  get watches(): WatchTable {
    return this.#rooms.watches
  }

  get contact(): Contact {
    return this.#contact
  }

  get isLeader(): boolean {
    return this.#raft.isLeader
  }

  get readOnly(): boolean {
    return this.#readOnly
  }

  /** For the simulation's checkers; nothing else looks inside. */
  get raft(): Raft {
    return this.#raft
  }

  setHooks(hooks: EnsembleHooks): void {
    this.#hooks = hooks
  }

  // --- Life ------------------------------------------------------------------------------------

  start(): void {
    const { identity, membership } = this.#rooms
    this.#state = 'running'
    this.#lastTickMs = this.#environment.nowMs()
    this.#leaderlessMs = this.#lastTickMs
    membership.retarget(identity.hello)
    if (identity.hasUnfinishedFounding) identity.found()
    this.#scheduleTick()
    this.scheduleTurn()
  }

  /**
   * Gives leadership away, when leading and another voter answers: at most one election timeout.
   * Clients are served meanwhile.
   */
  handOver(): Promise<void> {
    const deadlineMs = this.#environment.nowMs() + this.#electionMs
    return new Promise((resolve) => {
      if (this.transferLeadership(null) !== 'started') return resolve()
      const wait = (): void => {
        const over = !this.#raft.isLeader || this.#environment.nowMs() >= deadlineMs
        if (over) resolve()
        else this.#environment.after(this.#limits.tickMs, wait)
      }
      this.#environment.after(this.#limits.tickMs, wait)
    })
  }

  /** Stops; `done` is called when the transport and the log are closed. */
  stop(done: () => void): void {
    if (this.#state === 'stopped') return done()
    this.#halt()
    this.#rooms.transport.close(() => this.#storage.log.close(done))
  }

  /** Stops at once and answers nobody any more: what a crash does, and the last step of stop. */
  #halt(): void {
    const { durability, snapshots, submissions, barriers } = this.#rooms
    this.#state = 'stopped'
    this.#cancelTick()
    durability.close()
    snapshots.close()
    submissions.refuseWaiting('stopping')
    submissions.leadershipChanged()
    barriers.failAll()
    this.#considerReadOnly()
  }

  get #electionMs(): number {
    return this.#limits.electionTicks * this.#limits.tickMs
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#environment.after(this.#limits.tickMs, () => this.#tick())
  }

  #tick(): void {
    if (this.#state === 'stopped') return
    this.#scheduleTick()
    const { snapshots, sessions } = this.#rooms
    const nowMs = this.#environment.nowMs()
    const lateMs = nowMs - this.#lastTickMs - this.#limits.tickMs
    this.#lastTickMs = nowMs
    this.#ticks += 1
    if (lateMs >= this.#electionMs) this.#paused(lateMs)
    if (!snapshots.installing) this.#inputs.push({ kind: 'tick' })
    snapshots.files.tick()
    if (this.#ticks % this.#limits.touchReportTicks === 0) sessions.report()
    this.#updateContact()
    this.#considerReadOnly()
    if (this.#raft.isLeader) this.#leaderDuties()
    else this.#rooms.duties.rest()
    if (this.#ticks % this.#limits.joinRetryTicks === 0) this.#repeatWhatMayBeLost()
    this.scheduleTurn()
  }

  /** The process stood still: nothing it believes about its leader or its sessions is fresh. */
  #paused(lateMs: number): void {
    this.#rooms.counters.pauses += 1
    this.#environment.log('warn', 'the process was paused', { lateMs: Math.round(lateMs) })
    this.#rooms.sessions.paused()
    if (!this.#rooms.snapshots.installing) this.#inputs.push({ kind: 'paused' })
  }

  #leaderDuties(): void {
    const { duties } = this.#rooms
    const status = this.#raft.status()
    if (!status.committedInTerm || this.#contact !== 'fresh') return
    duties.expireSessions(status)
    duties.raiseClusterVersion(status)
    duties.promote(status)
    duties.tick()
  }

  /** Frames may be lost with a link or a leader: joins and forwards are repeated. */
  #repeatWhatMayBeLost(): void {
    const { proposals, identity, snapshots, membership } = this.#rooms
    proposals.repeatForwards()
    if (!identity.founding && !snapshots.installing) membership.seek(identity.hello)
  }

  #linkUp(): void {
    if (this.#state !== 'stopped') this.#repeatWhatMayBeLost()
  }

  #linkDown(peer: PeerId): void {
    if (this.#state === 'stopped') return
    const { snapshots } = this.#rooms
    snapshots.files.stopStream(peer)
    if (!snapshots.installing) this.#step({ kind: 'unreachable', peer })
  }

  #founded(hardState: HardState, entry: Entry): void {
    const snapshot = { index: 0, term: 0, members: [] }
    this.#raft = new Raft(this.#raftOptions(), { hardState, snapshot, entries: [entry] })
    this.#inputs = []
    this.#rooms.membership.notice(this.#raft.members, this.#rooms.identity.hello)
    this.#step({ kind: 'campaign' })
  }

  #installing(): void {
    this.#inputs = []
    this.#rooms.barriers.failAll()
    this.#considerReadOnly()
  }

  /** The watches of this server's clients may have missed events: their connections end. */
  #installed(): void {
    const { counters, submissions, membership } = this.#rooms
    membership.snapshotInstalled()
    counters.lostRequests += submissions.leadershipChanged()
    this.#hooks.contactChanged('lost')
    this.#contact = 'lost'
  }

  // --- The turn ----------------------------------------------------------------------------------

  scheduleTurn(): void {
    if (this.#turnScheduled || this.#state === 'stopped') return
    this.#turnScheduled = true
    this.#environment.endOfTurn(() => this.#turn())
  }

  #step(input: RaftInput): void {
    this.#inputs.push(input)
    this.scheduleTurn()
  }

  #token(): number {
    const token = this.#nextToken
    this.#nextToken += 1
    return token
  }

  #turn(): void {
    this.#turnScheduled = false
    if (this.#state === 'stopped') return
    if (!this.#rooms.snapshots.installing) {
      this.#rooms.proposals.handOn(this.#inputs)
      this.#handOnBarriers()
      if (this.#inputs.length > 0) {
        const inputs = this.#inputs
        this.#inputs = []
        const output = this.#raft.step(inputs)
        this.#options.onStep?.(this.#raft)
        this.#handle(output)
        this.#considerVotingAgain()
      }
    }
    this.#hooks.turnEnd()
  }

  #handOnBarriers(): void {
    const context = this.#rooms.barriers.ask()
    if (context !== null) this.#inputs.push({ kind: 'readIndex', context })
  }

  #handle(output: RaftOutput): void {
    const { applier, barriers, counters, durability, identity, membership, snapshots } = this.#rooms
    this.#settleProposals(output)
    this.#noticeLeadership()
    durability.persist(output)
    this.#rooms.sendAll(output.messages)
    membership.notice(this.#raft.members, identity.hello)
    this.#considerFirstVersion()
    this.#quorumClock.committed(this.#raft.commitIndex, this.#environment.nowMs())
    for (const entry of output.committed) applier.apply(entry)
    const last = output.committed.at(-1)
    if (last !== undefined) {
      counters.commits += output.committed.length
      // Raft needs to know before its next step, and a step now only when more is to be applied.
      this.#inputs.push({ kind: 'applied', index: last.index })
      if (this.#raft.commitIndex > last.index) this.scheduleTurn()
    }
    for (const { context, index } of output.reads) barriers.answered(context, index)
    barriers.release(this.machine.appliedIndex)
    for (const want of output.snapshotsWanted) snapshots.send(want.to, want.index)
    if (last !== undefined) snapshots.consider()
  }

  /** At the moment from which a new cluster takes requests: none of a client comes before. */
  #considerFirstVersion(): void {
    if (!this.#raft.isLeader || this.machine.lastZxid > 0 || !this.#formed) return
    this.#rooms.duties.setFirstVersion(this.#raft.status())
  }

  #settleProposals({ refused, accepted }: RaftOutput): void {
    const { membership, proposals } = this.#rooms
    for (const { token, reason } of refused) membership.refused(token, reason)
    proposals.refused(refused)
    for (const { token, index, term } of accepted) {
      this.#quorumClock.proposed(index, this.#environment.nowMs())
      if (!proposals.accepted(token)) membership.accepted(token, index, term)
    }
  }

  #noticeLeadership(): void {
    const { counters, submissions, proposals, sessions, membership, snapshots } = this.#rooms
    const { term, leader } = this.#raft
    const termChanged = term !== this.#seenTerm
    const leaderChanged = leader !== this.#seenLeader
    if (!termChanged && !leaderChanged) return
    this.#seenTerm = term
    this.#seenLeader = leader
    if (termChanged) {
      // Within a term there is one leader: losing sight of it and finding it again loses nothing.
      counters.elections += 1
      counters.lostRequests += submissions.leadershipChanged()
    }
    if (leader !== null) counters.leaderChanges += 1
    this.#quorumClock.leadershipChanged()
    this.#measureLeadership()
    proposals.leadershipChanged()
    sessions.leaderChanged()
    membership.leadershipChanged()
    this.#rooms.reconfigRequests.leadershipChanged()
    snapshots.files.stopStreams()
    // Before anything new is applied: all that a read-only client sees is of one state.
    this.#considerReadOnly()
  }

  #measureLeadership(): void {
    const nowMs = this.#environment.nowMs()
    if (this.#raft.leader === null) this.#leaderlessMs ??= nowMs
    else if (this.#leaderlessMs !== null) {
      const { electionMs, leaderElectionMs, unavailableMs } = this.#rooms.measures
      const tookMs = nowMs - this.#leaderlessMs
      electionMs.note(tookMs)
      unavailableMs.note(tookMs)
      if (this.#raft.isLeader) leaderElectionMs.note(tookMs)
      this.#leaderlessMs = null
    }
    this.#leadingMs = this.#raft.isLeader ? (this.#leadingMs ?? nowMs) : null
  }

  /** What made Raft trust the log again is on disk: the disk may forget that it was damaged. */
  #considerVotingAgain(): void {
    if (!this.#abstaining || this.#raft.abstains || !this.#rooms.durability.settled) return
    const fault = this.#storage.endAbstention()
    if (fault === null) this.#abstaining = false
    else if (fault.code !== 'DISK_FULL') this.#options.onFault(fault)
  }

  // --- Clients -----------------------------------------------------------------------------------

  submit(submission: Submission, done: (outcome: Outcome) => void): void {
    const reason = this.#refusalOf(submission.operation)
    if (reason === null && this.#rooms.submissions.add(submission, done)) {
      this.scheduleTurn()
      return
    }
    this.#rooms.counters.refusedRequests += 1
    done({ kind: 'refused', reason: reason ?? 'overloaded' })
  }

  #refusalOf(operation: Operation): SubmitRefusal | null {
    if (this.#state !== 'running') return 'stopping'
    if (this.#raft.leader === null) return 'noLeader'
    if (!this.#formed) return 'notFormed'
    const reserved = operation.kind === 'closeSession' || operation.kind === 'expireSession'
    if (this.#storage.log.full && !reserved) return 'diskFull'
    return null
  }

  get #formed(): boolean {
    if (this.machine.lastZxid > 0) return true
    const { forming, expectedVoters } = this.#options
    return hasFormed(forming, this.#rooms.membership.members, expectedVoters ?? 1)
  }

  barrier(done: (ok: boolean) => void): void {
    if (this.#state !== 'running' || this.#raft.leader === null) return done(false)
    this.#rooms.barriers.add(done)
    this.scheduleTurn()
  }

  touch(session: SessionId): void {
    this.#rooms.sessions.touch(session)
  }

  #updateContact(): void {
    const raftAgeMs = this.#raft.contactAgeTicks * this.#limits.tickMs
    const contact = this.#rooms.sessions.contact(raftAgeMs)
    if (contact === this.#contact) return
    this.#contact = contact
    this.#hooks.contactChanged(contact)
  }

  #considerReadOnly(): void {
    const readOnly = this.#isCutOff && mayServeReadOnly(readinessView(this.#rooms, this.#view()))
    if (readOnly === this.#readOnly) return
    this.#readOnly = readOnly
    this.#environment.log('info', 'read-only clients', { served: readOnly })
    if (!readOnly) this.#hooks.readOnlyEnded()
  }

  /** For as long as read-only mode demands; false without that mode. */
  get #isCutOff(): boolean {
    const { readOnlyAfterMs } = this.#options
    if (readOnlyAfterMs === undefined || this.#leaderlessMs === null) return false
    return this.#environment.nowMs() - this.#leaderlessMs >= readOnlyAfterMs
  }

  // --- Operators ---------------------------------------------------------------------------------

  readmitMember(name: string, done: (refusal: string | null) => void): void {
    this.#rooms.membership.readmit(name, done)
  }

  reconfigure(request: Reconfig, identities: readonly Identity[], done: ReconfigDone): void {
    if (this.#state !== 'running') return done(null)
    this.#rooms.reconfigRequests.ask(request, identities, done)
  }

  removeMember(name: string, done: (refusal: string | null) => void): void {
    this.#rooms.membership.remove(name, done)
  }

  transferLeadership(to: PeerId | null): 'started' | 'notLeader' | 'noTarget' {
    if (!this.#raft.isLeader) return 'notLeader'
    // Writes wait for the end of a transfer: it is not begun towards a server that does not answer.
    const target = bestSuccessor(this.#raft.status(), this.#limits.electionTicks, to)
    if (target === null) return 'noTarget'
    this.#step({ kind: 'transferLeadership', to: target })
    return 'started'
  }

  /** Only a voter can lead; whether it comes to it is the leader's and the voters' affair. */
  requestLeadership(): boolean {
    const { leader, isLeader } = this.#raft
    const { id } = this.#storage.identity
    const voter = this.#raft.members.some((member) => member.id === id && member.role === 'voter')
    if (leader === null || isLeader || !voter) return false
    this.#rooms.transport.send(leader, { kind: 'transferRequest', to: id })
    return true
  }

  takeSnapshot(done: (refusal: string | null, index: number) => void): void {
    this.#rooms.snapshots.take(done)
  }

  get ready(): boolean {
    return notReadyReason(this.#rooms, this.#view()) === ''
  }

  sessionDeadlines(): readonly SessionDeadline[] {
    return this.#rooms.sessions.deadlines()
  }

  status(): EnsembleStatus {
    return statusOf(this.#rooms, this.#view())
  }

  #view(): LoopView {
    return {
      running: this.#state === 'running',
      tickMs: this.#limits.tickMs,
      raft: this.#raft,
      log: this.#storage.log,
      contact: this.#contact,
      readOnly: this.#readOnly,
      formed: this.#formed,
      leaderUptimeMs:
        this.#leadingMs === null ? 0 : Math.round(this.#environment.nowMs() - this.#leadingMs),
    }
  }
}
