import type { LogIndex, PeerId, SessionId, Term } from '../core/brand.ts'
import type { ErrorCode } from '../core/machine/error-code.ts'
import type { Member, Message, SnapshotMeta } from '../core/raft/message.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { Reconfig } from './operations/reconfig.ts'

/** How a server introduces itself when a peer link opens (both ways, proved by the ensemble secret). */
export interface Hello {
  readonly name: string
  readonly id: PeerId
  /** '' while this server's disk holds no cluster's data. */
  readonly clusterId: string
  readonly peerAddress: string
  readonly clientAddress: string
  readonly httpAddress: string
  readonly observer: boolean
  /** The newest clusterVersion this build can apply. */
  readonly versionMax: number
}

/** Everything that travels between servers once a link is open. */
export type PeerFrame =
  | { readonly kind: 'raft'; readonly message: Message }
  /**
   * Requests of a follower's clients for the leader of `term`. `sequence` counts the forwards of
   * `stream` from 1. The sender begins another stream whenever it finds a leader, the same one
   * again too; the leader takes each stream's in order, once each.
   */
  | {
      readonly kind: 'forward'
      readonly term: Term
      readonly stream: number
      readonly sequence: number
      readonly count: number
      /** `count` requests, each encoded by wire/request-codec.ts, one after the other. */
      readonly requests: Uint8Array
    }
  /**
   * The leader has taken the forwards of `stream` below `expected`; `accepted` false: it does not
   * lead `term`.
   */
  | {
      readonly kind: 'forwardReply'
      readonly term: Term
      readonly stream: number
      readonly expected: number
      readonly accepted: boolean
    }
  /**
   * Sessions that showed life at the sender since the last report that was answered; sent every
   * report interval, empty ones too. The answer proves that the leader still hears this server.
   */
  | {
      readonly kind: 'touch'
      readonly term: Term
      readonly sequence: number
      readonly sessions: readonly SessionId[]
    }
  | { readonly kind: 'touchReply'; readonly term: Term; readonly sequence: number }
  /** A piece of a snapshot file, in order from offset 0; `last` ends it. */
  | {
      readonly kind: 'snapshotChunk'
      readonly term: Term
      readonly meta: SnapshotMeta
      readonly offset: number
      readonly data: Uint8Array
      readonly last: boolean
    }
  /** Flow control: the receiver holds the bytes below `offset`. */
  | {
      readonly kind: 'snapshotChunkReply'
      readonly term: Term
      readonly index: LogIndex
      readonly offset: number
    }
  /** A server with an empty or foreign-incarnation disk asks to be taken in. */
  | { readonly kind: 'join'; readonly hello: Hello }
  /** The answer: the ensemble's id and members as the receiver knows them, and who leads. */
  | {
      readonly kind: 'joinReply'
      readonly clusterId: string
      readonly leader: PeerId | null
      readonly members: readonly Member[]
      /** Set when the join is refused for good, e.g. the name is alive under another incarnation. */
      readonly refusal: string | null
    }
  /** A stopping leader's or operator's wish that the receiver take over or the sender step down. */
  | { readonly kind: 'transferRequest'; readonly to: PeerId }
  /** A client's reconfiguration, for the leader; `ticket` finds who waits for the answer. */
  | {
      readonly kind: 'reconfig'
      readonly ticket: number
      readonly request: Reconfig
      readonly identities: readonly Identity[]
    }
  /** What became of it; null when the receiver does not lead, or leads no more. */
  | { readonly kind: 'reconfigReply'; readonly ticket: number; readonly code: ErrorCode | null }
  /** A stopping server announces itself, so that its silence needs no time-out to be believed. */
  | { readonly kind: 'leaving' }
