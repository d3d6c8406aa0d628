import type { LogIndex, PeerId, SessionId, Term } from '../core/brand.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation, RequestResult } from '../core/machine/operation.ts'
import { StateMachine } from '../core/machine/state-machine.ts'
import type { Entry, Envelope, HardState, Member } from '../core/raft/message.ts'
import { Raft } from '../core/raft/raft.ts'
import type { RaftInput, RaftOptions, RaftOutput, RaftStatus } from '../core/raft/step.ts'
import { WatchTable } from '../core/watch/watch-table.ts'
import type { OpenedStorage, SnapshotFile, StorageFault } from '../storage/storage.ts'
import type { Transport, TransportEvents } from '../transport/transport.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'
import { decodeBatch } from '../wire/request-codec.ts'
import { Barriers } from './barriers.ts'
import type {
  Contact,
  Ensemble,
  EnsembleCounter,
  EnsembleHooks,
  EnsembleStatus,
  Outcome,
  Submission,
  SubmitRefusal,
} from './ensemble.ts'
import type { Environment } from './environment.ts'
import { type Forming, memberOf } from './joining.ts'
import { bestSuccessor, commonVersion, Membership } from './membership.ts'
import { SessionDuty } from './session-duty.ts'
import { loadSnapshot, Snapshots } from './snapshots.ts'
import { payloadOf, type SealedBatch, Submissions } from './submissions.ts'

/** The newest clusterVersion this build can apply (design 3, Log). */
export const CLUSTER_VERSION_MAX = 1

/** The bounds of limits.ts that the ensemble uses; the simulation makes some of them tiny. */
export interface ReplicaLimits {
  readonly tickMs: number
  readonly electionTicks: number
  readonly heartbeatTicks: number
  readonly appendBytesMax: number
  readonly inflightAppendsMax: number
  readonly inflightBytesMax: number
  readonly uncommittedBytesMax: number
  readonly pendingRequestsMax: number
  readonly pendingBytesMax: number
  readonly snapshotLogBytes: number
  readonly snapshotRequests: number
  readonly logRetainedEntries: number
  readonly snapshotSliceRecords: number
  readonly snapshotChunkBytes: number
  readonly snapshotWindowBytes: number
  readonly touchReportTicks: number
  readonly joinRetryTicks: number
  readonly promotionLagEntries: number
}

export interface ReplicaOptions {
  readonly environment: Environment
  readonly storage: OpenedStorage
  /** Builds the transport; its events go to the replica. */
  readonly transport: (events: TransportEvents, hello: Hello) => Transport
  /** How this server introduces itself, but for the identity, which the disk holds. */
  readonly addresses: {
    readonly peerAddress: string
    readonly clientAddress: string
    readonly httpAddress: string
    readonly observer: boolean
  }
  readonly forming: Forming
  readonly limits: ReplicaLimits
  /** The disk failed, or holds what cannot be read: the process must end. */
  readonly onFault: (fault: StorageFault) => void
  /** Sees every applied entry with its results, after they were dealt out (tests, audit). */
  readonly onApplied?: (entry: Entry, results: readonly RequestResult[]) => void
  /** Sees Raft after each step (invariants in tests). */
  readonly onStep?: (raft: Raft) => void
}

interface HeldMessages {
  /** The write this waits for; messages leave in order once it is durable. */
  readonly write: number
  readonly messages: readonly Envelope[]
}

const NO_HOOKS: EnsembleHooks = {
  deliver: () => {},
  sessionEnded: () => {},
  sessionAttached: () => {},
  contactChanged: () => {},
  turnEnd: () => {},
}

/**
 * One server of the ensemble: the loop that drives the pure core. Each turn gathers what arrived
 * (client requests, peer frames, disk completions, ticks), steps Raft once, and handles its output:
 * persist, send, apply, answer. All requests of a turn share one log entry and one fdatasync.
 */
export class Replica implements Ensemble {
  readonly origin: number
  readonly watches = new WatchTable()
  readonly #environment: Environment
  readonly #storage: OpenedStorage
  readonly #transport: Transport
  readonly #forming: Forming
  readonly #limits: ReplicaLimits
  readonly #options: ReplicaOptions
  readonly #submissions: Submissions
  readonly #snapshots: Snapshots
  readonly #sessions: SessionDuty
  readonly #membership: Membership
  readonly #barriers: Barriers
  #machine: StateMachine
  #raft: Raft
  #hello: Hello
  #hooks: EnsembleHooks = NO_HOOKS

  // The turn.
  #inputs: RaftInput[] = []
  #turnScheduled = false
  #state: 'new' | 'running' | 'stopped' = 'new'
  #cancelTick: () => void = () => {}
  #lastTickMs = 0
  #ticks = 0

  // Disk.
  #writesIssued = 0
  #writesDurable = 0
  #held: HeldMessages[] = []
  #hardState: HardState
  /** While an installed snapshot replaces the log on disk, Raft is not stepped. */
  #installing = false
  #abstaining: boolean

  // Leadership as of the last turn.
  #seenTerm: Term = 0
  #seenLeader: PeerId | null = null
  #lastBatchTimeMs = 0
  #uncommittedBytes = 0
  #nextToken = 1
  readonly #proposed = new Map<number, SealedBatch>()

  /** The configuration as of the last applied entry, for snapshots. */
  #appliedMembers: readonly Member[]
  #appliedTerm: Term
  #bootstrapping = false

  // Snapshots.
  #snapshotIndex: LogIndex
  #requestsSinceSnapshot = 0
  #bytesSinceSnapshot = 0
  #snapshotCallers: ((refusal: string | null, index: number) => void)[] = []

  #contact: Contact = 'lost'
  #caughtUpOnce = false
  readonly #counters: Record<EnsembleCounter, number> = {
    elections: 0,
    leaderChanges: 0,
    proposals: 0,
    commits: 0,
    appliedRequests: 0,
    fsyncs: 0,
    snapshotsTaken: 0,
    snapshotsSent: 0,
    snapshotsInstalled: 0,
    forwards: 0,
    lostRequests: 0,
    refusedRequests: 0,
    sessionsExpired: 0,
    pauses: 0,
  }

  constructor(options: ReplicaOptions) {
    const { environment, storage, limits } = options
    this.#options = options
    this.#environment = environment
    this.#storage = storage
    this.#forming = options.forming
    this.#limits = limits
    this.origin = 1 + Math.floor(environment.random() * (Number.MAX_SAFE_INTEGER - 1))
    this.#barriers = new Barriers(1 + Math.floor(environment.random() * 2 ** 48))
    this.#submissions = new Submissions(this.origin, {
      batchBytesMax: limits.appendBytesMax,
      pendingRequestsMax: limits.pendingRequestsMax,
      pendingBytesMax: limits.pendingBytesMax,
    })
    this.#machine = this.#loadMachine()
    this.#hardState = storage.restored.hardState
    this.#abstaining = storage.abstain
    this.#appliedMembers = storage.restored.snapshot.members
    this.#appliedTerm = storage.restored.snapshot.term
    this.#snapshotIndex = storage.restored.snapshot.index
    this.#raft = new Raft(this.#raftOptions(), storage.restored)
    this.#hello = {
      name: storage.identity.name,
      id: storage.identity.id,
      clusterId: storage.identity.clusterId,
      ...options.addresses,
      versionMax: CLUSTER_VERSION_MAX,
    }
    this.#transport = options.transport(
      {
        frame: (from, frame) => this.#receive(from, frame),
        linkUp: () => this.#linkUp(),
        linkDown: (peer) => this.#linkDown(peer),
      },
      this.#hello,
    )
    this.#membership = new Membership({
      environment,
      forming: options.forming,
      transport: this.#transport,
      electionTicks: limits.electionTicks,
      promotionLagEntries: limits.promotionLagEntries,
      status: () => this.#raft.status(),
      step: (input) => this.#step(input),
      token: () => this.#token(),
      bootstrap: () => this.#bootstrap(),
      adopt: (clusterId) => this.#adopt(clusterId),
    })
    this.#sessions = new SessionDuty({
      environment,
      transport: this.#transport,
      machine: () => this.#machine,
      leading: () => this.#raft,
      tickMs: limits.tickMs,
      electionMs: this.#electionMs,
    })
    this.#snapshots = new Snapshots({
      environment,
      storage,
      transport: this.#transport,
      limits: {
        snapshotSliceRecords: limits.snapshotSliceRecords,
        snapshotChunkBytes: limits.snapshotChunkBytes,
        snapshotWindowBytes: limits.snapshotWindowBytes,
        streamTimeoutMs: 4 * limits.electionTicks * limits.tickMs,
      },
      events: {
        taken: (file) => this.#snapshotTaken(file),
        received: (from, file) => this.#snapshotReceived(from, file),
        streamFailed: (to) => this.#step({ kind: 'snapshotFailed', peer: to }),
        fault: (fault) => this.#snapshotFault(fault),
      },
    })
  }

  get machine(): StateMachine {
    return this.#machine
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

  // --- Life ------------------------------------------------------------------------------------

  start(): void {
    this.#state = 'running'
    this.#lastTickMs = this.#environment.nowMs()
    this.#membership.retarget(this.#hello)
    if (this.#isOwnUnfinishedBootstrap()) this.#bootstrap()
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
    if (!this.#installing) this.#inputs.push({ kind: 'tick' })
    this.#snapshots.tick()
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
    if (!this.#installing) this.#inputs.push({ kind: 'paused' })
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

  #turn(): void {
    this.#turnScheduled = false
    if (this.#state === 'stopped') return
    if (!this.#installing) {
      this.#handOnSubmissions()
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

  /** What made Raft trust the log again is on disk: the disk may forget that it was damaged. */
  #considerVotingAgain(): void {
    if (!this.#abstaining || this.#raft.abstains) return
    if (this.#writesDurable !== this.#writesIssued) return
    this.#abstaining = false
    this.#storage.endAbstention()
  }

  #handle(output: RaftOutput): void {
    this.#proposalsRefused(output.refused)
    for (const { token, index } of output.accepted) {
      if (!this.#proposed.delete(token)) this.#membership.accepted(token, index)
    }
    this.#noticeLeadership()
    this.#persist(output)
    this.#sendAll(output.messages)
    this.#membership.notice(this.#raft.members, this.#hello)
    for (const entry of output.committed) this.#apply(entry)
    const last = output.committed.at(-1)
    if (last !== undefined) {
      this.#counters.commits += output.committed.length
      this.#step({ kind: 'applied', index: last.index })
    }
    for (const { context, index } of output.reads) this.#barriers.answered(context, index)
    this.#barriers.release(this.#machine.appliedIndex)
    for (const want of output.snapshotsWanted) this.#sendSnapshot(want.to, want.index)
    if (last !== undefined) this.#considerSnapshot()
  }

  #persist(output: RaftOutput): void {
    const { hardState, entries, messagesAfterPersist } = output
    if (hardState !== null) this.#hardState = hardState
    if (hardState !== null || entries.length > 0) {
      this.#writesIssued += 1
      const write = this.#writesIssued
      const last = entries.at(-1)
      this.#storage.log.append({ hardState, entries }, () => {
        this.#durable(write)
        if (last !== undefined) {
          this.#step({ kind: 'persisted', index: last.index, term: last.term })
        }
      })
    }
    if (messagesAfterPersist.length === 0) return
    if (this.#writesDurable === this.#writesIssued) this.#sendAll(messagesAfterPersist)
    else this.#held.push({ write: this.#writesIssued, messages: messagesAfterPersist })
  }

  #durable(write: number): void {
    if (this.#state === 'stopped') return
    this.#writesDurable = write
    this.#counters.fsyncs += 1
    while (this.#held.length > 0) {
      const first = this.#held[0]
      if (first === undefined || first.write > write) break
      this.#held.shift()
      this.#sendAll(first.messages)
    }
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
    this.#uncommittedBytes = 0
    this.#sessions.leaderChanged()
    this.#membership.leadershipChanged()
    this.#snapshots.stopStreams()
  }

  #token(): number {
    const token = this.#nextToken
    this.#nextToken += 1
    return token
  }

  // --- Writes ------------------------------------------------------------------------------------

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

  /** Sessions are accepted when a majority of the expected voters are in (design 3, Forming). */
  get #formed(): boolean {
    if (this.#machine.lastZxid > 0) return true
    const { members } = this.#membership
    if (this.#forming.kind !== 'static') return members.length > 0
    const expected = this.#forming.servers.filter((server) => !server.observer).length
    const voters = members.filter((member) => member.role === 'voter').length
    return voters > expected / 2
  }

  #handOnSubmissions(): void {
    if (!this.#submissions.waiting) return
    if (this.#raft.isLeader) return this.#propose()
    const leader = this.#raft.leader
    if (leader === null) {
      this.#counters.refusedRequests += this.#submissions.refuseWaiting('noLeader')
      return
    }
    const frames = this.#submissions.forwardAll(this.#raft.term)
    this.#counters.forwards += frames.length
    for (const frame of frames) this.#transport.send(leader, frame)
  }

  #propose(): void {
    const { uncommittedBytesMax } = this.#limits
    while (this.#uncommittedBytes < uncommittedBytesMax && this.#submissions.waiting) {
      const batch = this.#submissions.takeBatch()
      if (batch === null) return
      const timeMs = Math.max(this.#lastBatchTimeMs, Math.floor(this.#environment.wallClockMs()))
      this.#lastBatchTimeMs = timeMs
      const token = this.#token()
      this.#proposed.set(token, batch)
      this.#uncommittedBytes += batch.bytes.length
      this.#counters.proposals += 1
      this.#inputs.push({ kind: 'propose', payload: payloadOf(batch, timeMs), token })
    }
  }

  /** Batches surely not in the log wait for the end of a transfer, or for the next leader. */
  #proposalsRefused(refused: RaftOutput['refused']): void {
    const batches: SealedBatch[] = []
    for (const { token, reason } of refused) {
      if (this.#membership.refused(token, reason)) continue
      const batch = this.#proposed.get(token)
      if (batch === undefined) continue
      this.#proposed.delete(token)
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - batch.bytes.length)
      batches.push(batch)
    }
    if (batches.length > 0) this.#submissions.putBack(batches)
  }

  #apply(entry: Entry): void {
    this.#appliedTerm = entry.term
    let results: readonly RequestResult[] = []
    if (entry.kind === 'requests') {
      const batch = decodeBatch(entry.payload)
      this.#lastBatchTimeMs = Math.max(this.#lastBatchTimeMs, batch.timeMs)
      results = this.#machine.apply(entry, batch)
      this.#bytesSinceSnapshot += entry.payload.length
      this.#requestsSinceSnapshot += results.length
      this.#counters.appliedRequests += results.length
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - entry.payload.length)
      for (const result of results) this.#dealOut(result)
    } else {
      this.#machine.skip(entry.index)
      if (entry.kind === 'membership') {
        this.#appliedMembers = entry.members
        this.#membership.applied(entry.index)
      }
    }
    this.#options.onApplied?.(entry, results)
  }

  /** Watch events first, then the reply that reveals the change, then the end of sessions. */
  #dealOut(applied: RequestResult): void {
    for (const trigger of applied.triggers) {
      for (const { watcher, event } of this.watches.trigger(trigger)) {
        this.#hooks.deliver(watcher.connection, event)
      }
    }
    const { request, result } = applied
    if (result.kind === 'session' && applied.error === ErrorCode.ok) {
      if (this.#raft.isLeader) this.#sessions.touchAsLeader(result.session)
      this.#hooks.sessionAttached(result.session, request.origin, request.connection)
    }
    this.#submissions.settle(applied)
    for (const session of applied.endedSessions) {
      this.#sessions.ended(session)
      if (request.operation.kind === 'expireSession') this.#counters.sessionsExpired += 1
      this.#hooks.sessionEnded(session)
    }
  }

  // --- Reads -------------------------------------------------------------------------------------

  barrier(done: (ok: boolean) => void): void {
    if (this.#state !== 'running' || this.#raft.leader === null) return done(false)
    this.#barriers.add(done)
    this.scheduleTurn()
  }

  #handOnBarriers(): void {
    const context = this.#barriers.ask()
    if (context !== null) this.#inputs.push({ kind: 'readIndex', context })
  }

  // --- Sessions ----------------------------------------------------------------------------------

  touch(session: SessionId): void {
    this.#sessions.touch(session)
  }

  #updateContact(): void {
    const contact = this.#sessions.contact(this.#raft.contactAgeTicks * this.#limits.tickMs)
    if (contact === this.#contact) return
    this.#contact = contact
    this.#hooks.contactChanged(contact)
  }

  #leaderDuties(): void {
    const status = this.#raft.status()
    if (!status.committedInTerm || this.#contact !== 'fresh') return
    for (const target of this.#sessions.expired()) {
      const session = this.#machine.sessions.get(target)
      if (session === undefined) continue
      const { origin: ownerOrigin, connection: ownerConnection } = session
      this.#submitAsSystem(
        {
          kind: 'expireSession',
          target,
          decidedTerm: status.term,
          ownerOrigin,
          ownerConnection,
        },
        () => this.#sessions.touchAsLeader(target),
      )
    }
    if (this.#ticks % this.#limits.joinRetryTicks === 0) this.#raiseClusterVersion(status)
    this.#membership.promote(status)
  }

  /** Hands in a request of the server itself; `failed` is called when it will surely not apply. */
  #submitAsSystem(operation: Operation, failed: () => void): void {
    this.submit({ session: 0, connection: 0, identities: [], operation }, (outcome) => {
      if (outcome.kind === 'refused') failed()
    })
  }

  #raiseClusterVersion(status: RaftStatus): void {
    const own = { id: status.id, versionMax: CLUSTER_VERSION_MAX }
    const version = commonVersion(status.members, this.#transport.links(), own)
    if (version <= this.#machine.clusterVersion) return
    this.#submitAsSystem({ kind: 'setClusterVersion', version }, () => {})
  }

  // --- Peers -------------------------------------------------------------------------------------

  #linkUp(): void {
    if (this.#state === 'stopped') return
    this.#repeatWhatMayBeLost()
  }

  #linkDown(peer: PeerId): void {
    if (this.#state === 'stopped') return
    this.#snapshots.stopStream(peer)
    if (!this.#installing) this.#step({ kind: 'unreachable', peer })
  }

  #receive(from: PeerId, frame: PeerFrame): void {
    if (this.#state === 'stopped') return
    switch (frame.kind) {
      case 'raft':
        // A disk without a cluster takes entries from nobody: it joins first.
        if (this.#hello.clusterId === '' || this.#installing) return
        this.#step({ kind: 'message', from, message: frame.message })
        return
      case 'forward':
        return this.#forwardReceived(from, frame)
      case 'forwardReply':
        if (from !== this.#raft.leader || frame.term !== this.#raft.term) return
        if (frame.accepted) this.#submissions.forwardsTaken(frame.expected)
        return
      case 'touch':
        return this.#sessions.reportReceived(from, frame)
      case 'touchReply':
        return this.#sessions.reportAnswered(from, frame)
      case 'snapshotChunk':
        if (this.#hello.clusterId === '' || frame.term < this.#raft.term) return
        if (!this.#installing) this.#snapshots.chunkReceived(from, frame)
        return
      case 'snapshotChunkReply':
        return this.#snapshots.chunkAnswered(from, frame.index, frame.offset)
      case 'join':
        return this.#membership.joinReceived(from, frame.hello, this.#hello)
      case 'joinReply':
        return this.#membership.joinAnswered(frame, this.#hello)
      case 'transferRequest':
        if (this.#raft.isLeader) this.#step({ kind: 'transferLeadership', to: frame.to })
        return
      case 'leaving':
        return
    }
  }

  #forwardReceived(from: PeerId, frame: Extract<PeerFrame, { kind: 'forward' }>): void {
    const leads = this.#raft.isLeader && frame.term === this.#raft.term
    const room = this.#uncommittedBytes < this.#limits.uncommittedBytesMax
    if (leads && room && this.#submissions.acceptForward(from, frame.sequence)) {
      this.#submissions.addForwarded(frame.requests, frame.count)
      this.scheduleTurn()
    }
    this.#transport.send(from, {
      kind: 'forwardReply',
      term: frame.term,
      expected: leads ? this.#submissions.expectedOf(from) : 0,
      accepted: leads,
    })
  }

  // --- Membership --------------------------------------------------------------------------------

  /** Frames may be lost with a link or a leader: joins and forwards are repeated. */
  #repeatWhatMayBeLost(): void {
    const leader = this.#raft.leader
    if (leader !== null && !this.#raft.isLeader) {
      for (const frame of this.#submissions.repeatForwards(this.#raft.term)) {
        this.#transport.send(leader, frame)
      }
    }
    if (!this.#bootstrapping && !this.#installing) this.#membership.seek(this.#hello)
  }

  /**
   * The cluster's id is its founder's incarnation. So a founder that died between taking the id and
   * writing the first entry knows itself again, and nobody else can take its place.
   */
  #isOwnUnfinishedBootstrap(): boolean {
    return this.#storage.empty && this.#storage.identity.clusterId === this.#storage.identity.id
  }

  #bootstrap(): void {
    this.#bootstrapping = true
    const { id } = this.#storage.identity
    if (this.#storage.identity.clusterId === '') this.#storage.setClusterId(id)
    this.#takeClusterId(id)
    const members = [memberOf(this.#hello, 'voter')]
    const hardState: HardState = { term: 1, votedFor: id, commit: 1 }
    const entry: Entry = { kind: 'membership', index: 1, term: 1, members }
    this.#environment.log('info', 'founding a cluster', { clusterId: id })
    this.#storage.log.append({ hardState, entries: [entry] }, () => {
      if (this.#state === 'stopped') return
      this.#hardState = hardState
      const snapshot = { index: 0, term: 0, members: [] }
      this.#raft = new Raft(this.#raftOptions(), { hardState, snapshot, entries: [entry] })
      this.#inputs = []
      this.#bootstrapping = false
      this.#membership.notice(this.#raft.members, this.#hello)
      this.#step({ kind: 'campaign' })
    })
  }

  #takeClusterId(clusterId: string): void {
    this.#hello = { ...this.#hello, clusterId }
    this.#transport.setHello(this.#hello)
  }

  #adopt(clusterId: string): void {
    this.#storage.setClusterId(clusterId)
    this.#takeClusterId(clusterId)
    this.#environment.log('info', 'joining a cluster', { clusterId })
  }

  addMember(member: Member, done: (refusal: string | null) => void): void {
    this.#membership.add(member, done)
  }

  removeMember(name: string, done: (refusal: string | null) => void): void {
    this.#membership.remove(name, done)
  }

  transferLeadership(to: PeerId | null): 'started' | 'notLeader' | 'noTarget' {
    if (!this.#raft.isLeader) return 'notLeader'
    const target = to ?? bestSuccessor(this.#raft.status(), this.#limits.electionTicks)
    if (target === null || target === this.#hello.id) return 'noTarget'
    this.#step({ kind: 'transferLeadership', to: target })
    return 'started'
  }

  // --- Snapshots ---------------------------------------------------------------------------------

  #loadMachine(): StateMachine {
    const file = this.#storage.snapshotFile
    if (file === null) return new StateMachine()
    const loaded = loadSnapshot(this.#storage.snapshots, file)
    if ('machine' in loaded) return loaded.machine
    throw new Error(`snapshot ${file.meta.index}: ${loaded.refusal}`)
  }

  #considerSnapshot(): void {
    const due =
      this.#requestsSinceSnapshot >= this.#limits.snapshotRequests ||
      this.#bytesSinceSnapshot >= this.#limits.snapshotLogBytes
    if (due) this.#beginSnapshot()
  }

  #beginSnapshot(): void {
    if (this.#snapshots.taking || this.#installing) return
    const index = this.#machine.appliedIndex
    if (index === 0 || index === this.#snapshotIndex) return
    this.#requestsSinceSnapshot = 0
    this.#bytesSinceSnapshot = 0
    this.#snapshots.take(this.#machine, {
      index,
      term: this.#appliedTerm,
      members: this.#appliedMembers,
    })
  }

  takeSnapshot(done: (refusal: string | null, index: number) => void): void {
    if (this.#machine.appliedIndex === 0) return done('empty', 0)
    if (this.#machine.appliedIndex === this.#snapshotIndex) return done(null, this.#snapshotIndex)
    this.#snapshotCallers.push(done)
    this.#beginSnapshot()
  }

  #snapshotTaken(file: SnapshotFile): void {
    this.#counters.snapshotsTaken += 1
    this.#snapshotIndex = file.meta.index
    this.#storage.log.release(file.meta.index)
    const keepFrom = file.meta.index + 1 - this.#limits.logRetainedEntries
    if (keepFrom > 1) this.#step({ kind: 'compact', keepFrom })
    const callers = this.#snapshotCallers
    this.#snapshotCallers = []
    for (const done of callers) done(null, file.meta.index)
  }

  #snapshotFault(fault: StorageFault): void {
    const callers = this.#snapshotCallers
    this.#snapshotCallers = []
    for (const done of callers) done(fault.code, 0)
    if (fault.code !== 'DISK_FULL') return this.#options.onFault(fault)
    this.#environment.log('error', 'no space for a snapshot', { ...fault })
  }

  #sendSnapshot(to: PeerId, index: LogIndex): void {
    this.#counters.snapshotsSent += 1
    if (!this.#snapshots.send(to, index, this.#raft.term)) this.#beginSnapshot()
  }

  /** A leader's snapshot lies verified in the store: it becomes this server's state and log. */
  #snapshotReceived(from: PeerId, file: SnapshotFile): void {
    const { meta } = file
    if (this.#state === 'stopped' || this.#installing) return
    if (meta.index <= this.#raft.commitIndex) {
      this.#step({ kind: 'snapshotInstalled', from, meta })
      return
    }
    const loaded = loadSnapshot(this.#storage.snapshots, file)
    if ('refusal' in loaded) {
      this.#environment.log('error', 'a received snapshot does not load', {
        index: meta.index,
        refusal: loaded.refusal,
      })
      return
    }
    this.#installing = true
    this.#inputs = []
    this.#barriers.failAll()
    this.#storage.log.resetTo(meta, this.#hardState, () => {
      if (this.#state === 'stopped') return
      this.#installing = false
      this.#held = []
      this.#counters.snapshotsInstalled += 1
      this.#replaceMachine(loaded.machine, meta.members, meta.term)
      this.#snapshotIndex = meta.index
      this.#step({ kind: 'snapshotInstalled', from, meta })
    })
  }

  /** The watches of this server's clients may have missed events: their connections end. */
  #replaceMachine(machine: StateMachine, members: readonly Member[], term: Term): void {
    this.#machine = machine
    this.#appliedMembers = members
    this.#appliedTerm = term
    this.#requestsSinceSnapshot = 0
    this.#bytesSinceSnapshot = 0
    this.#counters.lostRequests += this.#submissions.leadershipChanged()
    this.#hooks.contactChanged('lost')
    this.#contact = 'lost'
  }

  #raftOptions(): RaftOptions {
    const limits = this.#limits
    return {
      id: this.#storage.identity.id,
      electionTicks: limits.electionTicks,
      heartbeatTicks: limits.heartbeatTicks,
      appendBytesMax: limits.appendBytesMax,
      inflightAppendsMax: limits.inflightAppendsMax,
      inflightBytesMax: limits.inflightBytesMax,
      uncommittedBytesMax: 2 * limits.uncommittedBytesMax,
      random: () => this.#environment.random(),
      abstain: this.#storage.abstain,
    }
  }

  // --- Status ------------------------------------------------------------------------------------

  get ready(): boolean {
    return this.#notReadyReason() === ''
  }

  #notReadyReason(): string {
    if (this.#state !== 'running') return 'stopping'
    if (this.#hello.clusterId === '') return 'belongs to no cluster yet'
    const self = this.#membership.members.find((member) => member.id === this.#hello.id)
    if (self === undefined) return 'not in the configuration'
    if (self.role === 'learner' && !self.observer) return 'catching up before promotion'
    if (this.#raft.leader === null) return 'no leader'
    if (!this.#formed) return 'fewer than a majority of the expected voters are in'
    if (this.#contact !== 'fresh') return `contact with the leader is ${this.#contact}`
    if (this.#installing) return 'installing a snapshot'
    if (!this.#isCaughtUp()) return 'catching up with the log'
    return ''
  }

  #isCaughtUp(): boolean {
    const lag = this.#raft.commitIndex - this.#machine.appliedIndex
    if (lag <= this.#limits.promotionLagEntries) this.#caughtUpOnce = true
    return this.#caughtUpOnce && lag < 10 * this.#limits.promotionLagEntries
  }

  status(): EnsembleStatus {
    const raft = this.#raft.status()
    const leader = raft.members.find((member) => member.id === raft.leader)
    const notReadyReason = this.#notReadyReason()
    return {
      name: this.#hello.name,
      id: this.#hello.id,
      clusterId: this.#hello.clusterId,
      raft,
      leaderName: leader?.name ?? null,
      contact: this.#contact,
      ready: notReadyReason === '',
      notReadyReason,
      formed: this.#formed,
      zxid: this.#machine.lastZxid,
      znodes: this.#machine.tree.nodeCount,
      sessions: this.#machine.sessions.count,
      ephemerals: this.#machine.tree.ephemeralCount,
      dataBytes: this.#machine.tree.approximateDataSize,
      watches: this.watches.count,
      pendingRequests: this.#submissions.pendingCount,
      logBytes: this.#storage.log.bytes,
      logSegments: this.#storage.log.segments,
      snapshotIndex: this.#snapshotIndex,
      diskFull: this.#storage.log.full,
      links: this.#transport.links().map((link) => link.id),
      counters: this.#counters,
    }
  }
}
