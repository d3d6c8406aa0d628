import type { LogIndex, PeerId, Term } from '../brand.ts'
import type { Entry, Envelope, HardState, Member, Message, SnapshotMeta } from './message.ts'

/** Everything that can happen to a Raft peer. The shell gathers a turn's inputs and steps once. */
export type RaftInput =
  /** One tick of the shell's clock (limits.ts: tickMs). */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly from: PeerId; readonly message: Message }
  /** A batch of requests for the log; refused (output.refused) unless this peer leads. */
  | { readonly kind: 'propose'; readonly payload: Uint8Array; readonly token: number }
  /** The log is durable up to `index`, whose entry has `term`; and the hard state of that output. */
  | { readonly kind: 'persisted'; readonly index: LogIndex; readonly term: Term }
  /** Entries up to `index` have been applied to the state machine. */
  | { readonly kind: 'applied'; readonly index: LogIndex }
  /** A snapshot up to `index` is durable: entries up to `keepFrom - 1` may leave memory. */
  | { readonly kind: 'compact'; readonly keepFrom: LogIndex }
  /** Linearizable read: answered in output.reads when a read at `index` applied is safe. */
  | { readonly kind: 'readIndex'; readonly context: number }
  /** One change: the new full configuration, differing from the present in one member. */
  | {
      readonly kind: 'changeMembership'
      readonly members: readonly Member[]
      readonly token: number
    }
  | { readonly kind: 'transferLeadership'; readonly to: PeerId }
  /** The link to a peer broke: fall back to probing it. */
  | { readonly kind: 'unreachable'; readonly peer: PeerId }
  /** A snapshot received from the leader is durable and loaded into the state machine. */
  | { readonly kind: 'snapshotInstalled'; readonly from: PeerId; readonly meta: SnapshotMeta }
  /** A snapshot stream to a follower ended without success on our side. */
  | { readonly kind: 'snapshotFailed'; readonly peer: PeerId }
  /** The peer holds every byte of a snapshot up to `index`; its reply follows once it is installed. */
  | { readonly kind: 'snapshotDelivered'; readonly peer: PeerId; readonly index: LogIndex }
  /** The process found that it had been paused (its tick came an election timeout late). */
  | { readonly kind: 'paused' }
  /** Become candidate at once (bootstrap of a cluster of one; tests). */
  | { readonly kind: 'campaign' }

/** What the shell must do, in this order: persist, send, apply, answer. All of it is data. */
export interface RaftOutput {
  /** Write and sync before `messagesAfterPersist` leave. Null when unchanged. */
  readonly hardState: HardState | null
  /**
   * Append to the log, after removing every entry at or above `entries[0].index` that is there.
   * When durable, the shell steps `persisted` with the last index and its term.
   */
  readonly entries: readonly Entry[]
  /** May leave at once, in parallel with the disk (the leader's appends, heartbeats). */
  readonly messages: readonly Envelope[]
  /** Leave only when hardState and entries of this output are durable (votes, acknowledgements). */
  readonly messagesAfterPersist: readonly Envelope[]
  /** Committed and locally durable: apply in order, then step `applied`. */
  readonly committed: readonly Entry[]
  /** Reads that are safe once `index` is applied locally; `index` -1: refused, no leader confirmed. */
  readonly reads: readonly { readonly context: number; readonly index: LogIndex }[]
  /** Proposals accepted into the log at this index and term. */
  readonly accepted: readonly {
    readonly token: number
    readonly index: LogIndex
    readonly term: Term
  }[]
  /** Proposals refused, and why. */
  readonly refused: readonly { readonly token: number; readonly reason: RefusalReason }[]
  /** Followers too far behind for the log in memory: stream them a snapshot at or above `index`. */
  readonly snapshotsWanted: readonly { readonly to: PeerId; readonly index: LogIndex }[]
}

export type RefusalReason =
  | 'notLeader'
  | 'transferring'
  | 'changeInProgress'
  | 'noCommitInTerm'
  | 'notOneChange'
  | 'queueFull'

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader' | 'learner'

export interface RaftOptions {
  readonly id: PeerId
  /** Election timeout in ticks; each is drawn from [electionTicks, 2 * electionTicks). */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Limits of one append message and of the pipeline to one follower. */
  readonly appendBytesMax: number
  readonly inflightAppendsMax: number
  readonly inflightBytesMax: number
  /** Uncommitted payload bytes at the leader, above which proposals are refused with queueFull. */
  readonly uncommittedBytesMax: number
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** A member that had to cut a damaged record: it neither votes nor campaigns until a leader matched it. */
  readonly abstain: boolean
}

/** What recovery found on disk. */
export interface RaftRestored {
  readonly hardState: HardState
  readonly snapshot: SnapshotMeta
  /** Consecutive, beginning at snapshot.index + 1 or before (overlap is dropped). */
  readonly entries: readonly Entry[]
}

/** A view for operators, metrics and the shell's decisions; cheap to make. */
export interface RaftStatus {
  readonly id: PeerId
  readonly role: Role
  readonly term: Term
  readonly leader: PeerId | null
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly persisted: LogIndex
  readonly firstIndex: LogIndex
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  readonly members: readonly Member[]
  /** Where `members` stands in the log; beyond `commit` it may yet be taken back. */
  readonly membersIndex: LogIndex
  /** Ticks since the current leader was heard (leader: since a quorum answered). */
  readonly contactAgeTicks: number
  /** The leader has committed an entry of its own term (reads and changes are possible). */
  readonly committedInTerm: boolean
  readonly transferTarget: PeerId | null
  readonly progress: readonly {
    readonly peer: PeerId
    readonly match: LogIndex
    readonly state: 'probe' | 'replicate' | 'snapshot'
    readonly silentTicks: number
  }[]
}
