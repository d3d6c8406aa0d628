import type { SessionId, Term, Zxid } from '../brand.ts'
import { type Acl, type Identity, OPEN_ACL } from '../tree/acl.ts'
import type { Stat } from '../tree/stat.ts'
import type { ErrorCode } from './error-code.ts'
import type { QuotaExcess } from './quotas.ts'

/** How a znode lives: flags of create on the wire (ZooKeeper's CreateMode). */
export type CreateMode = 'persistent' | 'ephemeral' | 'container' | 'ttl'

/** One write. Everything that changes the replicated state is one of these, applied by log order. */
export type Operation =
  | {
      readonly kind: 'create'
      readonly path: string
      /** Null is stored and returned as null, distinct from empty. */
      readonly data: Uint8Array | null
      readonly acl: Acl
      readonly mode: CreateMode
      readonly sequential: boolean
      /** Milliseconds; 0 unless mode is ttl. */
      readonly ttlMs: number
      /** True: the result carries the Stat (create2, createContainer, createTTL). */
      readonly withStat: boolean
    }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }
  | {
      readonly kind: 'setData'
      readonly path: string
      readonly data: Uint8Array | null
      readonly version: number
    }
  | { readonly kind: 'setAcl'; readonly path: string; readonly acl: Acl; readonly version: number }
  | { readonly kind: 'check'; readonly path: string; readonly version: number }
  /** Only create, delete, setData and check; all or nothing, one zxid. */
  | { readonly kind: 'multi'; readonly operations: readonly Operation[] }
  /** The leader removes an empty container or an expired TTL znode; re-checked at apply. */
  | { readonly kind: 'deleteContainer'; readonly path: string }
  /** The leader removes a container that never had a child for longer than `unusedMs`. */
  | { readonly kind: 'deleteUnusedContainer'; readonly path: string; readonly unusedMs: number }
  | {
      readonly kind: 'createSession'
      readonly timeoutMs: number
      /** 16 random bytes, drawn by the server that took the connection. */
      readonly password: Uint8Array
    }
  /**
   * A client came back, perhaps on another server: the session's owner becomes this request's
   * (origin, connection). Later requests of the former owner are refused with sessionMoved.
   */
  | { readonly kind: 'attachSession'; readonly password: Uint8Array; readonly timeoutMs: number }
  /**
   * As attachSession, where the server that took the connection has the session and has held the
   * password against it: a session keeps its id and its password for as long as it lives.
   */
  | { readonly kind: 'renewSession'; readonly timeoutMs: number }
  /** The client closes its session. */
  | { readonly kind: 'closeSession' }
  /**
   * The leader of `decidedTerm` found the session, owned by (ownerOrigin, ownerConnection), silent
   * for its timeout. Without effect when the entry's own term is another (the decision of a deposed
   * leader), or when the session has another owner by then (its client came back meanwhile).
   */
  | {
      readonly kind: 'expireSession'
      readonly target: SessionId
      readonly decidedTerm: Term
      readonly ownerOrigin: number
      readonly ownerConnection: number
    }
  /** Raised by the leader when every member supports it; apply switches on the value alone. */
  | { readonly kind: 'setClusterVersion'; readonly version: number }
  /**
   * What /zookeeper/config holds from now on: `servers` and, behind it, the version, which is this
   * request's zxid in hex.
   */
  | { readonly kind: 'setConfig'; readonly servers: Uint8Array }
  /** Consumes a zxid and fails with the code: a request that was refused after its turn was taken. */
  | { readonly kind: 'error'; readonly code: ErrorCode }

/** An operation with its sender, as the log carries it. */
export interface Request {
  /** 0: the system itself (HTTP key-value API, the leader's housekeeping). */
  readonly session: SessionId
  /**
   * Names the server process and connection it came through: `origin` is drawn at random by each
   * server process (safe integer > 0), `connection` counts that process's connections from 1.
   */
  readonly origin: number
  readonly connection: number
  /** Counts the requests of `origin`; it finds the waiting caller in the results. */
  readonly ticket: number
  /** Who asks, for ACLs: the connection's ip identity and those added by auth. */
  readonly identities: readonly Identity[]
  readonly operation: Operation
}

/** What one operation gave. The error is ErrorCode.ok or the refusal. */
export type OperationResult =
  | { readonly kind: 'create'; readonly path: string; readonly stat: Stat | null }
  | { readonly kind: 'setData'; readonly stat: Stat }
  | { readonly kind: 'setAcl'; readonly stat: Stat }
  | { readonly kind: 'delete' }
  | { readonly kind: 'check' }
  | { readonly kind: 'multi'; readonly results: readonly OperationResult[] }
  | {
      readonly kind: 'session'
      readonly session: SessionId
      readonly timeoutMs: number
      readonly password: Uint8Array
    }
  | { readonly kind: 'none' }
  /** In a failed multi: ok (0) before the failing operation, its code, then -2 after it. */
  | { readonly kind: 'error'; readonly code: ErrorCode }

/** A change of the tree that watches may be waiting for. */
export interface Trigger {
  readonly event: 'created' | 'deleted' | 'dataChanged' | 'childrenChanged'
  readonly path: string
  readonly zxid: Zxid
  /** The znode's ACL at that moment: events are filtered by READ (3.9.2). */
  readonly acl: Acl
}

export interface RequestResult {
  readonly request: Request
  readonly zxid: Zxid
  readonly error: ErrorCode
  readonly result: OperationResult
  readonly triggers: readonly Trigger[]
  /** Sessions that ended by this request (closed or expired): their connections must close. */
  readonly endedSessions: readonly SessionId[]
  /** Limits of quotas that the request went over, or was refused for; missing: none. */
  readonly excesses?: readonly QuotaExcess[]
}

/** The decoded payload of one `requests` log entry. */
export interface Batch {
  /** Stamped by the leader: the larger of the previous entry's and its wall clock, ms since epoch. */
  readonly timeMs: number
  readonly requests: readonly Request[]
  /** The leader's setting: hard limits of quotas are enforced. Missing: they are not. */
  readonly enforcesQuotas?: true
}

/** A znode that stays, open to all: what `create` makes when nothing else is asked for. */
export function plainCreate(path: string, data: Uint8Array | null) {
  return {
    kind: 'create',
    path,
    data,
    acl: OPEN_ACL,
    mode: 'persistent',
    sequential: false,
    ttlMs: 0,
    withStat: false,
  } as const
}
