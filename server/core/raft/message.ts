import type { LogIndex, PeerId, Term } from '../brand.ts'

/**
 * One server of the ensemble as the replicated configuration names it. `name` is stable ("1" from a
 * zoo.cfg, a pod name); `id` is the incarnation: a server that lost its disk comes back with another.
 */
export interface Member {
  readonly id: PeerId
  readonly name: string
  /** A learner is replicated to and counts in no quorum. */
  readonly role: 'voter' | 'learner'
  /** True: stays a learner (ZooKeeper's observer); never promoted. */
  readonly observer: boolean
  /** host:port of the peer protocol. */
  readonly peerAddress: string
  /** host:port for ZooKeeper clients. */
  readonly clientAddress: string
  /** host:port of HTTP, or '' when off. */
  readonly httpAddress: string
}

interface EntryAt {
  readonly index: LogIndex
  readonly term: Term
}

/** What the log holds. A `requests` payload is opaque to Raft (wire/entry-codec.ts has its form). */
export type Entry =
  | (EntryAt & { readonly kind: 'noop' })
  | (EntryAt & { readonly kind: 'requests'; readonly payload: Uint8Array })
  | (EntryAt & { readonly kind: 'membership'; readonly members: readonly Member[] })

/** What must be on disk before any message that depends on it leaves (Raft, figure 2). */
export interface HardState {
  readonly term: Term
  readonly votedFor: PeerId | null
  /** A hint only: recovery may apply up to here without asking a leader. */
  readonly commit: LogIndex
}

/** The position and configuration a snapshot stands for. */
export interface SnapshotMeta {
  readonly index: LogIndex
  readonly term: Term
  readonly members: readonly Member[]
}

/** Peer to peer. `term` is the sender's term, except in a preVote, where it is the term sought. */
export type Message =
  | {
      readonly kind: 'preVote' | 'vote'
      readonly term: Term
      readonly lastIndex: LogIndex
      readonly lastTerm: Term
      /** True in a vote that a leader's transfer asked for: check-quorum leases do not refuse it. */
      readonly transfer: boolean
    }
  | {
      readonly kind: 'preVoteReply' | 'voteReply'
      readonly term: Term
      readonly granted: boolean
    }
  | {
      readonly kind: 'append'
      readonly term: Term
      readonly previousIndex: LogIndex
      readonly previousTerm: Term
      readonly entries: readonly Entry[]
      readonly commit: LogIndex
    }
  | {
      readonly kind: 'appendReply'
      readonly term: Term
      readonly success: boolean
      /** success: everything up to here matches and is durable; else where the leader should probe next. */
      readonly index: LogIndex
      /** Term of the follower's entry at `index` (a reject hint); 0 when unknown or success. */
      readonly hintTerm: Term
      /** previousIndex of the append this answers, to tell stale rejections apart. */
      readonly previousIndex: LogIndex
    }
  | {
      readonly kind: 'heartbeat'
      readonly term: Term
      readonly commit: LogIndex
      /** Echoed in the reply; the leader's rounds for ReadIndex and check-quorum. */
      readonly round: number
    }
  | { readonly kind: 'heartbeatReply'; readonly term: Term; readonly round: number }
  | { readonly kind: 'timeoutNow'; readonly term: Term }
  /** A follower asks the leader for a read index on behalf of its clients. */
  | { readonly kind: 'readIndex'; readonly term: Term; readonly context: number }
  | {
      readonly kind: 'readIndexReply'
      readonly term: Term
      readonly context: number
      readonly index: LogIndex
      /** False: the receiver does not lead (or was deposed meanwhile): ask again elsewhere. */
      readonly accepted: boolean
    }
  /** The leader's snapshot has been installed durably up to `index` (or failed). */
  | {
      readonly kind: 'snapshotReply'
      readonly term: Term
      readonly index: LogIndex
      readonly success: boolean
    }

/** The messages of one kind. */
export type MessageOf<K extends Message['kind']> = Extract<Message, { kind: K }>

export interface Envelope {
  readonly from: PeerId
  readonly to: PeerId
  readonly message: Message
}
