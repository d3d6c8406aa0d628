import type { PeerId, SessionId } from '../core/brand.ts'
import type { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation, RequestResult, Trigger } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { RaftStatus } from '../core/raft/step.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { WatchEvent } from '../core/watch/watch.ts'
import type { WatchTable } from '../core/watch/watch-table.ts'
import type { Distribution, SizeRange } from '../measure.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'

/** ZooKeeper's code; null: nobody here knows what became of it. */
export type ReconfigDone = (code: ErrorCode | null) => void

/** A write as a client connection (or HTTP route) hands it in. */
export interface Submission {
  /** 0 for the system and HTTP. */
  readonly session: SessionId
  /** Counts this process's connections from 1; 0 for the system and HTTP. */
  readonly connection: number
  readonly identities: readonly Identity[]
  readonly operation: Operation
}

export type Outcome =
  /** Committed, applied here: the result, with ZooKeeper's code in `result.error`. */
  | { readonly kind: 'applied'; readonly result: RequestResult }
  /** The leader changed or could not be reached: it may or may not be applied later. */
  | { readonly kind: 'lost' }
  /** Surely not applied, now or later. */
  | { readonly kind: 'refused'; readonly reason: SubmitRefusal }

export type SubmitRefusal = 'noLeader' | 'overloaded' | 'diskFull' | 'notFormed' | 'stopping'

/** How sure this server is that the current leader hears it (design 3, Raft: fencing). */
export type Contact =
  /** Heard within one election timeout: answers pings and reads. */
  | 'fresh'
  /** Not for one election timeout: answers no ping and no read, but keeps connections. */
  | 'stale'
  /** Not for two: closes its clients. */
  | 'lost'

/** What the ensemble tells the listener; calls come in the order of the log. */
export interface EnsembleHooks {
  /** A watch event for one of this server's connections; always before the reply that reveals it. */
  deliver(connection: number, event: WatchEvent): void
  /**
   * The session ended by close or expiry, and these znodes with it: its connection here, if any, must
   * close.
   */
  sessionEnded(session: SessionId, znodes: readonly string[]): void
  /** The session now belongs to (origin, connection): any other connection of it here must close. */
  sessionAttached(session: SessionId, origin: number, connection: number): void
  /** Contact changed. On 'lost' all client connections close, read-only ones excepted. */
  contactChanged(contact: Contact): void
  /** A leader is there again, or this server ends: read-only connections must close. */
  readOnlyEnded(): void
  /** All results of this turn have been dealt out: write the gathered replies to the sockets. */
  turnEnd(): void
}

/** The replicated part as the listener, HTTP and the simulation use it. */
export interface Ensemble {
  /** Random per process, > 0: names this process in requests. */
  readonly origin: number
  readonly machine: StateMachine
  readonly watches: WatchTable
  readonly contact: Contact
  readonly isLeader: boolean
  /** True when clients may be served: formed, in the configuration, caught up, leader known. */
  readonly ready: boolean
  /** True while this server is cut off from a quorum, and read-only clients may be served. */
  readonly readOnly: boolean
  setHooks(hooks: EnsembleHooks): void
  /** Hands in a write; `done` is called exactly once, in submission order for one connection. */
  submit(submission: Submission, done: (outcome: Outcome) => void): void
  /** ReadIndex: `done(true)` once this server has applied all that was committed before the call. */
  barrier(done: (ok: boolean) => void): void
  /** The session's client showed life (any packet). */
  touch(session: SessionId): void
  /** Runs the end of this turn soon (the listener calls it when it has gathered replies to reads). */
  scheduleTurn(): void
  status(): EnsembleStatus
  /** When sessions end unless they show life, soonest first, as the leader decides it; else none. */
  sessionDeadlines(): readonly SessionDeadline[]
  /** Asks the leader to hand over to this server; false: it leads, may not lead, or knows none. */
  requestLeadership(): boolean
  transferLeadership(to: PeerId | null): 'started' | 'notLeader' | 'noTarget'
  /** Lets a server that was removed come back with the disk that it has. */
  readmitMember(name: string, done: (refusal: string | null) => void): void
  /** ZooKeeper's reconfig, for a client of this server. */
  reconfigure(request: Reconfig, identities: readonly Identity[], done: ReconfigDone): void
  removeMember(name: string, done: (refusal: string | null) => void): void
  takeSnapshot(done: (refusal: string | null, index: number) => void): void
}

/** Sessions that end together, `inMs` from now. */
export interface SessionDeadline {
  readonly inMs: number
  readonly sessions: ReadonlySet<SessionId>
}

export interface EnsembleStatus {
  readonly name: string
  readonly id: PeerId
  readonly clusterId: string
  readonly raft: RaftStatus
  /** One tick of Raft in ms. */
  readonly tickMs: number
  readonly leaderName: string | null
  readonly contact: Contact
  readonly ready: boolean
  readonly readOnly: boolean
  /** Why not ready; '' when ready. */
  readonly notReadyReason: string
  readonly formed: boolean
  readonly zxid: number
  readonly znodes: number
  readonly sessions: number
  readonly ephemerals: number
  readonly dataBytes: number
  readonly watches: number
  readonly pendingRequests: number
  /** Syncs and linearizable reads of this server's clients that wait. */
  readonly pendingSyncs: number
  /** How long this server has been leading without a break; 0 when it does not lead. */
  readonly leaderUptimeMs: number
  readonly logBytes: number
  readonly logSegments: number
  /** The term of the first entry of the log. */
  readonly firstTerm: number
  readonly snapshotIndex: number
  /** The newest snapshot: its zxid, its size, and when it was taken by this process; -1: not known. */
  readonly snapshotZxid: number
  readonly snapshotBytes: number
  readonly snapshotTimeMs: number
  readonly diskFull: boolean
  /** Links that are open, by peer id. */
  readonly links: readonly PeerId[]
  readonly counters: Readonly<Record<EnsembleCounter, number>>
  readonly measures: Measures
}

/** What a replica measures, for metrics. */
export interface Measures {
  /** From the loss of a leader, or the start, until one is known, ms. */
  readonly electionMs: Distribution
  /** From the beginning of a snapshot until it is durable, ms. */
  readonly snapshotMs: Distribution
  /** Batches proposed by this leader. */
  readonly proposalBytes: SizeRange
  /** From a batch's entry into the leader's log until a majority has it on disk, ms. */
  readonly quorumAckMs: Distribution
  /** From the leader's stamp on a batch until it is applied here, by the clocks of both, ms. */
  readonly propagationMs: Distribution
  /** Without a leader to serve clients under, ms. */
  readonly unavailableMs: Distribution
  /** As electionMs, until this server itself leads. */
  readonly leaderElectionMs: Distribution
  /** Watches of this server that one change fired, when it fired any. */
  readonly watchesFired: Readonly<Record<Trigger['event'], Distribution>>
}

export type EnsembleCounter =
  | 'elections'
  | 'leaderChanges'
  | 'proposals'
  | 'commits'
  | 'appliedRequests'
  | 'appliedBytes'
  | 'fsyncs'
  | 'snapshotsTaken'
  | 'snapshotsSent'
  | 'snapshotsInstalled'
  | 'forwards'
  | 'malformedForwards'
  | 'lostRequests'
  | 'refusedRequests'
  | 'sessionsExpired'
  | 'pauses'
