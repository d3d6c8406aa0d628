import type { LeaseStatus } from '../core/lease.ts'

export interface TreeZnode {
  readonly data: Uint8Array
  readonly version: number
  /** The owning session in hex; '0' for a znode that stays. */
  readonly owner: string
}

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
  /** Null when there is no such znode. */
  children(path: string): Promise<readonly string[] | null>
  /** Creates missing parents as znodes that stay. Refused with -110 when it exists. */
  create(path: string, data: Uint8Array, kind: 'persistent' | 'ephemeral'): Promise<void>
  set(path: string, data: Uint8Array, version: number): Promise<void>
  /** True when it was there. */
  delete(path: string, version: number): Promise<boolean>
  /** Ends the session: its ephemerals go at once. */
  close(): Promise<void>
}
