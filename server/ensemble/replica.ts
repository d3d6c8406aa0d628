import type { PeerId, SessionId, Term } from '../core/brand.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Entry, Envelope, HardState, Member } from '../core/raft/message.ts'
import { Raft } from '../core/raft/raft.ts'
import type { RaftInput, RaftOptions, RaftOutput } from '../core/raft/step.ts'
import { WatchTable } from '../core/watch/watch-table.ts'
import type { OpenedStorage } from '../storage/storage.ts'
import type { Transport } from '../transport/transport.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'
import { Applier } from './applier.ts'
import { Barriers } from './barriers.ts'
import { ClusterIdentity } from './cluster-identity.ts'
import { type Counters, zeroCounters } from './counters.ts'
import { Durability } from './durability.ts'
import type {
  Contact,
  Ensemble,
  EnsembleHooks,
  EnsembleStatus,
  Outcome,
  Submission,
  SubmitRefusal,
} from './ensemble.ts'
import type { Environment } from './environment.ts'
import { hasFormed } from './joining.ts'
import { LeaderDuties } from './leader-duties.ts'
import { bestSuccessor, Membership } from './membership.ts'
import { Proposals } from './proposals.ts'
import { Readiness } from './readiness.ts'
import { CLUSTER_VERSION_MAX, type ReplicaLimits, type ReplicaOptions } from './replica-options.ts'
import { SessionDuty } from './session-duty.ts'
import { restoredMachine, SnapshotDuty } from './snapshot-duty.ts'
import { Submissions } from './submissions.ts'

export type { ReplicaLimits } from './replica-options.ts'

const NO_HOOKS: EnsembleHooks = {
  deliver: () => {},
  sessionEnded: () => {},
  sessionAttached: () => {},
  contactChanged: () => {},
  turnEnd: () => {},
}

/**
 * One server of the ensemble: the loop that drives the pure core. Each turn gathers what arrived
 * (client requests, peer frames, disk completions, ticks), steps Raft once, and has its output
 * handled by the rooms that it ties together: persist, send, apply, answer. All requests of a turn
 * share one log entry and one fdatasync.
 */
export class Replica implements Ensemble {
  readonly origin: number
  readonly watches = new WatchTable()
  readonly #options: ReplicaOptions
  readonly #environment: Environment
  readonly #storage: OpenedStorage
  readonly #limits: ReplicaLimits
  readonly #counters: Counters = zeroCounters()
  readonly #transport: Transport
  readonly #barriers: Barriers
  readonly #submissions: Submissions
  readonly #durability: Durability
  readonly #identity: ClusterIdentity
  readonly #sessions: SessionDuty
  readonly #applier: Applier
  readonly #membership: Membership
  readonly #proposals: Proposals
  readonly #snapshots: SnapshotDuty
  readonly #duties: LeaderDuties
  readonly #readiness: Readiness
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
  #contact: Contact = 'lost'
  #abstaining: boolean

  constructor(options: ReplicaOptions) {
    const { environment, storage, limits } = options
    this.#options = options
    this.#environment = environment
    this.#storage = storage
    this.#limits = limits
    this.#abstaining = storage.abstain
    this.origin = 1 + Math.floor(environment.random() * (Number.MAX_SAFE_INTEGER - 1))
    this.#barriers = new Barriers(1 + Math.floor(environment.random() * 2 ** 48))
    this.#submissions = new Submissions(this.origin, {
      batchBytesMax: limits.appendBytesMax,
      pendingRequestsMax: limits.pendingRequestsMax,
      pendingBytesMax: limits.pendingBytesMax,
    })
    const machine = restoredMachine(storage)
    this.#raft = new Raft(this.#raftOptions(), storage.restored)
    this.#durability = this.#buildDurability()
    const hello: Hello = {
      name: storage.identity.name,
      id: storage.identity.id,
      clusterId: storage.identity.clusterId,
      ...options.addresses,
      versionMax: CLUSTER_VERSION_MAX,
    }
    this.#transport = this.#buildTransport(hello)
    this.#identity = this.#buildIdentity(hello)
    this.#sessions = this.#buildSessions()
    this.#applier = this.#buildApplier(machine)
    this.#membership = this.#buildMembership()
    this.#proposals = this.#buildProposals()
    this.#snapshots = this.#buildSnapshots()
    this.#duties = new LeaderDuties({
      transport: this.#transport,
      sessions: this.#sessions,
      membership: this.#membership,
      machine: () => this.machine,
      submit: (submission, done) => this.submit(submission, done),
    })
    this.#readiness = new Readiness(limits.promotionLagEntries)
  }

  get machine(): StateMachine {
    return this.#applier.machine
  }

  get contact(): Contact {
    return this.#contact
  }

  get isLeader(): boolean {
    return this.#raft.isLeader
  }

  /** For the simulation's checkers; nothing else looks inside. */
  get raft(): Raft {
    return this.#raft
  }

  get #electionMs(): number {
    return this.#limits.electionTicks * this.#limits.tickMs
  }

  setHooks(hooks: EnsembleHooks): void {
    this.#hooks = hooks
  }

  // --- The rooms -----------------------------------------------------------------------------------

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

  #buildDurability(): Durability {
    const { log, restored } = this.#storage
    return new Durability(log, restored.hardState, {
      send: (messages) => this.#sendAll(messages),
      durable: (last) => {
        this.#counters.fsyncs += 1
        if (last === null) return
        this.#step({ kind: 'persisted', index: last.index, term: last.term })
      },
    })
  }

  #buildTransport(hello: Hello): Transport {
    return this.#options.transport(
      {
        frame: (from, frame) => this.#receive(from, frame),
        linkUp: () => this.#linkUp(),
        linkDown: (peer) => this.#linkDown(peer),
      },
      hello,
    )
  }

  #buildIdentity(hello: Hello): ClusterIdentity {
    return new ClusterIdentity({
      environment: this.#environment,
      storage: this.#storage,
      transport: this.#transport,
      durability: this.#durability,
      hello,
      onFounded: (hardState, entry) => this.#founded(hardState, entry),
    })
  }

  #buildSessions(): SessionDuty {
    return new SessionDuty({
      environment: this.#environment,
      transport: this.#transport,
      machine: () => this.machine,
      leading: () => this.#raft,
      tickMs: this.#limits.tickMs,
      electionMs: this.#electionMs,
    })
  }

  #buildApplier(machine: StateMachine): Applier {
    return new Applier({
      machine,
      snapshot: this.#storage.restored.snapshot,
      watches: this.watches,
      counters: this.#counters,
      submissions: this.#submissions,
      sessions: this.#sessions,
      hooks: () => this.#hooks,
      leads: () => this.#raft.isLeader,
      events: {
        batchApplied: (bytes, timeMs, requests) => {
          this.#proposals.applied(bytes, timeMs)
          this.#snapshots.applied(bytes, requests)
        },
        membershipApplied: (index) => this.#membership.applied(index),
        entryApplied: (entry, results) => this.#options.onApplied?.(entry, results),
      },
    })
  }

  #buildMembership(): Membership {
    return new Membership({
      environment: this.#environment,
      forming: this.#options.forming,
      transport: this.#transport,
      electionTicks: this.#limits.electionTicks,
      promotionLagEntries: this.#limits.promotionLagEntries,
      status: () => this.#raft.status(),
      step: (input) => this.#step(input),
      token: () => this.#token(),
      bootstrap: () => this.#identity.found(),
      adopt: (clusterId) => this.#identity.adopt(clusterId),
    })
  }

  #buildProposals(): Proposals {
    return new Proposals({
      environment: this.#environment,
      transport: this.#transport,
      submissions: this.#submissions,
      counters: this.#counters,
      uncommittedBytesMax: this.#limits.uncommittedBytesMax,
      raft: () => this.#raft,
      token: () => this.#token(),
      scheduleTurn: () => this.scheduleTurn(),
    })
  }

  #buildSnapshots(): SnapshotDuty {
    return new SnapshotDuty({
      environment: this.#environment,
      storage: this.#storage,
      transport: this.#transport,
      limits: this.#limits,
      counters: this.#counters,
      applier: this.#applier,
      durability: this.#durability,
      raft: () => this.#raft,
      step: (input) => this.#step(input),
      onInstalling: () => this.#installing(),
      onInstalled: () => this.#installed(),
      onFault: (fault) => this.#options.onFault(fault),
    })
  }

  // --- Life ------------------------------------------------------------------------------------

  start(): void {
    this.#state = 'running'
    this.#lastTickMs = this.#environment.nowMs()
    this.#membership.retarget(this.#identity.hello)
    if (this.#identity.hasUnfinishedFounding) this.#identity.found()
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
    this.#transport.close(() => this.#storage.log.close(done))
  }

  /** Stops at once and answers nobody any more: what a crash does, and the last step of stop. */
  #halt(): void {
    this.#state = 'stopped'
    this.#cancelTick()
    this.#durability.close()
    this.#snapshots.close()
    this.#submissions.refuseWaiting('stopping')
    this.#submissions.leadershipChanged()
    this.#barriers.failAll()
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#environment.after(this.#limits.tickMs, () => this.#tick())
  }

  #tick(): void {
    if (this.#state === 'stopped') return
    this.#scheduleTick()
    const nowMs = this.#environment.nowMs()
    const lateMs = nowMs - this.#lastTickMs - this.#limits.tickMs
    this.#lastTickMs = nowMs
    this.#ticks += 1
    if (lateMs >= this.#electionMs) this.#paused(lateMs)
    if (!this.#snapshots.installing) this.#inputs.push({ kind: 'tick' })
    this.#snapshots.files.tick()
    if (this.#ticks % this.#limits.touchReportTicks === 0) this.#sessions.report()
    this.#updateContact()
    if (this.#raft.isLeader) this.#leaderDuties()
    if (this.#ticks % this.#limits.joinRetryTicks === 0) this.#repeatWhatMayBeLost()
    this.scheduleTurn()
  }

  /** The process stood still: nothing it believes about its leader or its sessions is fresh. */
  #paused(lateMs: number): void {
    this.#counters.pauses += 1
    this.#environment.log('warn', 'the process was paused', { lateMs: Math.round(lateMs) })
    this.#sessions.paused()
    if (!this.#snapshots.installing) this.#inputs.push({ kind: 'paused' })
  }

  #leaderDuties(): void {
    const status = this.#raft.status()
    if (!status.committedInTerm || this.#contact !== 'fresh') return
    this.#duties.expireSessions(status)
    if (this.#ticks % this.#limits.joinRetryTicks === 0) this.#duties.raiseClusterVersion(status)
    this.#duties.promote(status)
  }

  /** Frames may be lost with a link or a leader: joins and forwards are repeated. */
  #repeatWhatMayBeLost(): void {
    this.#proposals.repeatForwards()
    if (this.#identity.founding || this.#snapshots.installing) return
    this.#membership.seek(this.#identity.hello)
  }

  #founded(hardState: HardState, entry: Entry): void {
    const snapshot = { index: 0, term: 0, members: [] }
    this.#raft = new Raft(this.#raftOptions(), { hardState, snapshot, entries: [entry] })
    this.#inputs = []
    this.#membership.notice(this.#raft.members, this.#identity.hello)
    this.#step({ kind: 'campaign' })
  }

  #installing(): void {
    this.#inputs = []
    this.#barriers.failAll()
  }

  /** The watches of this server's clients may have missed events: their connections end. */
  #installed(): void {
    this.#counters.lostRequests += this.#submissions.leadershipChanged()
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
    if (!this.#snapshots.installing) {
      this.#proposals.handOn(this.#inputs)
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
    const context = this.#barriers.ask()
    if (context !== null) this.#inputs.push({ kind: 'readIndex', context })
  }

  #handle(output: RaftOutput): void {
    for (const { token, reason } of output.refused) this.#membership.refused(token, reason)
    this.#proposals.refused(output.refused)
    for (const { token, index } of output.accepted) {
      if (!this.#proposals.accepted(token)) this.#membership.accepted(token, index)
    }
    this.#noticeLeadership()
    this.#durability.persist(output)
    this.#sendAll(output.messages)
    this.#membership.notice(this.#raft.members, this.#identity.hello)
    for (const entry of output.committed) this.#applier.apply(entry)
    const last = output.committed.at(-1)
    if (last !== undefined) {
      this.#counters.commits += output.committed.length
      this.#step({ kind: 'applied', index: last.index })
    }
    for (const { context, index } of output.reads) this.#barriers.answered(context, index)
    this.#barriers.release(this.machine.appliedIndex)
    for (const want of output.snapshotsWanted) this.#snapshots.send(want.to, want.index)
    if (last !== undefined) this.#snapshots.consider()
  }

  #sendAll(envelopes: readonly Envelope[]): void {
    for (const { to, message } of envelopes) this.#transport.send(to, { kind: 'raft', message })
  }

  #noticeLeadership(): void {
    const { term, leader } = this.#raft
    const termChanged = term !== this.#seenTerm
    const leaderChanged = leader !== this.#seenLeader
    if (!termChanged && !leaderChanged) return
    this.#seenTerm = term
    this.#seenLeader = leader
    if (termChanged) {
      // Within a term there is one leader: losing sight of it and finding it again loses nothing.
      this.#counters.elections += 1
      this.#counters.lostRequests += this.#submissions.leadershipChanged()
    }
    if (leader !== null) this.#counters.leaderChanges += 1
    this.#proposals.leadershipChanged()
    this.#sessions.leaderChanged()
    this.#membership.leadershipChanged()
    this.#snapshots.files.stopStreams()
  }

  /** What made Raft trust the log again is on disk: the disk may forget that it was damaged. */
  #considerVotingAgain(): void {
    if (!this.#abstaining || this.#raft.abstains || !this.#durability.settled) return
    this.#abstaining = false
    this.#storage.endAbstention()
  }

  // --- Clients -----------------------------------------------------------------------------------

  submit(submission: Submission, done: (outcome: Outcome) => void): void {
    const reason = this.#refusalOf(submission.operation)
    if (reason === null && this.#submissions.add(submission, done)) {
      this.scheduleTurn()
      return
    }
    this.#counters.refusedRequests += 1
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
    return hasFormed(this.#options.forming, this.#membership.members)
  }

  barrier(done: (ok: boolean) => void): void {
    if (this.#state !== 'running' || this.#raft.leader === null) return done(false)
    this.#barriers.add(done)
    this.scheduleTurn()
  }

  touch(session: SessionId): void {
    this.#sessions.touch(session)
  }

  #updateContact(): void {
    const contact = this.#sessions.contact(this.#raft.contactAgeTicks * this.#limits.tickMs)
    if (contact === this.#contact) return
    this.#contact = contact
    this.#hooks.contactChanged(contact)
  }

  // --- Peers -------------------------------------------------------------------------------------

  #linkUp(): void {
    if (this.#state === 'stopped') return
    this.#repeatWhatMayBeLost()
  }

  #linkDown(peer: PeerId): void {
    if (this.#state === 'stopped') return
    this.#snapshots.files.stopStream(peer)
    if (!this.#snapshots.installing) this.#step({ kind: 'unreachable', peer })
  }

  #receive(from: PeerId, frame: PeerFrame): void {
    if (this.#state === 'stopped') return
    switch (frame.kind) {
      case 'raft':
        if (!this.#identity.belongs || this.#snapshots.installing) return
        this.#step({ kind: 'message', from, message: frame.message })
        return
      case 'forward':
        return this.#proposals.forwardReceived(from, frame)
      case 'forwardReply':
        return this.#proposals.forwardAnswered(from, frame)
      case 'touch':
        return this.#sessions.reportReceived(from, frame)
      case 'touchReply':
        return this.#sessions.reportAnswered(from, frame)
      case 'snapshotChunk':
        if (!this.#identity.belongs || frame.term < this.#raft.term) return
        if (!this.#snapshots.installing) this.#snapshots.files.chunkReceived(from, frame)
        return
      case 'snapshotChunkReply':
        return this.#snapshots.files.chunkAnswered(from, frame.index, frame.offset)
      case 'join':
        return this.#membership.joinReceived(from, frame.hello, this.#identity.hello)
      case 'joinReply':
        return this.#membership.joinAnswered(frame, this.#identity.hello)
      case 'transferRequest':
        if (this.#raft.isLeader) this.#step({ kind: 'transferLeadership', to: frame.to })
        return
      case 'leaving':
        return
    }
  }

  // --- Operators ---------------------------------------------------------------------------------

  addMember(member: Member, done: (refusal: string | null) => void): void {
    this.#membership.add(member, done)
  }

  removeMember(name: string, done: (refusal: string | null) => void): void {
    this.#membership.remove(name, done)
  }

  transferLeadership(to: PeerId | null): 'started' | 'notLeader' | 'noTarget' {
    if (!this.#raft.isLeader) return 'notLeader'
    const target = to ?? bestSuccessor(this.#raft.status(), this.#limits.electionTicks)
    if (target === null || target === this.#identity.hello.id) return 'noTarget'
    this.#step({ kind: 'transferLeadership', to: target })
    return 'started'
  }

  takeSnapshot(done: (refusal: string | null, index: number) => void): void {
    this.#snapshots.take(done)
  }

  get ready(): boolean {
    return this.#notReadyReason() === ''
  }

  #notReadyReason(): string {
    return this.#readiness.refusal({
      running: this.#state === 'running',
      belongs: this.#identity.belongs,
      id: this.#identity.hello.id,
      members: this.#membership.members,
      leader: this.#raft.leader,
      formed: this.#formed,
      contact: this.#contact,
      installing: this.#snapshots.installing,
      lag: this.#raft.commitIndex - this.machine.appliedIndex,
    })
  }

  status(): EnsembleStatus {
    const raft = this.#raft.status()
    const { name, id, clusterId } = this.#identity.hello
    const leader = raft.members.find((member) => member.id === raft.leader)
    const notReadyReason = this.#notReadyReason()
    const { log } = this.#storage
    const { tree, sessions, lastZxid } = this.machine
    return {
      name,
      id,
      clusterId,
      raft,
      leaderName: leader?.name ?? null,
      contact: this.#contact,
      ready: notReadyReason === '',
      notReadyReason,
      formed: this.#formed,
      zxid: lastZxid,
      znodes: tree.nodeCount,
      sessions: sessions.count,
      ephemerals: tree.ephemeralCount,
      dataBytes: tree.approximateDataSize,
      watches: this.watches.count,
      pendingRequests: this.#submissions.pendingCount,
      logBytes: log.bytes,
      logSegments: log.segments,
      snapshotIndex: this.#snapshots.index,
      diskFull: log.full,
      links: this.#transport.links().map((link) => link.id),
      counters: this.#counters,
    }
  }
}
