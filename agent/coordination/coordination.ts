import type { LeaseStatus } from '../core/lease.ts'

export interface TreeZnode {
  readonly data: Uint8Array
  readonly version: number
  /** The owning session in hex; '0' for a znode that stays. */
  readonly owner: string
  /** The request that created it, in hex: no two znodes of a path ever have the same. */
  readonly czxid: string
}

/**
 * One change of a transaction, or one condition for all of it. `version` is meant as it stands: -1 is any,
 * 0 is 0.
 */
export type TreeOperation =
  | { readonly kind: 'check'; readonly path: string; readonly version: number }
  | { readonly kind: 'create'; readonly path: string; readonly data: Uint8Array }
  | {
      readonly kind: 'set'
      readonly path: string
      readonly data: Uint8Array
      readonly version: number
    }
  | { readonly kind: 'delete'; readonly path: string; readonly version: number }

/**
 * The tree as agents use it. Every call rejects with an AgentError: TREE_UNREACHABLE when there is no
 * answer of this session in time (the call may or may not have had its effect), TREE_REFUSED with
 * ZooKeeper's code in `detail`. All paths are absolute.
 */
export interface Coordination {
  /** By the agent's own clock, never by what the library believes. */
  readonly status: LeaseStatus
  /** The session in hex; null while there is none that may be used. */
  readonly session: string | null
  /** host:port of the server that the session is with now. */
  readonly connectedTo: string | null
  read(path: string): Promise<TreeZnode | null>
  /**
   * The same, and `changed` is called once when something else is there. That call may be lost with the session:
   * whoever must not miss a change reads again from time to time.
   */
  watch(path: string, changed: () => void): Promise<TreeZnode | null>
  /** Null when there is no such znode. */
  children(path: string): Promise<readonly string[] | null>
  /** Creates missing parents as znodes that stay. Refused with -110 when it exists. */
  create(path: string, data: Uint8Array, kind: 'persistent' | 'ephemeral'): Promise<void>
  /**
   * An ephemeral znode at `path` with a number behind it, which rises within the parent; resolves to its
   * whole path. Whoever must not lose one to a lost reply puts something of its own into the name.
   */
  createNumbered(path: string, data: Uint8Array): Promise<string>
  set(path: string, data: Uint8Array, version: number): Promise<void>
  /** True when it was there. */
  delete(path: string, version: number): Promise<boolean>
  /** All or nothing; refused with the code of the first that failed. Makes no parents. */
  commit(operations: readonly TreeOperation[]): Promise<void>
  /**
   * Reads that are sent after this has resolved see all that was answered to anybody before this was sent.
   * A transaction without effect goes the way of writes; the library has no sync, which promises less.
   */
  barrier(): Promise<void>
  /** Ends the session: its ephemerals go at once. */
  close(): Promise<void>
}
