import type { Ms } from '../observation.ts'

/**
 * The locks of a cluster. `bootstrap`: forming it, joining it at a start. `reconfig`: every change of its
 * membership. `election`: whoever holds it does what has to be done once for the set.
 */
export type LockName = 'bootstrap' | 'reconfig' | 'election'

/** Who holds a lock now. */
export interface LockView {
  readonly holder: string
  /** The fencing token: the czxid of the holder's znode, in hex; a later holder's is higher. */
  readonly token: string
  /** It is held by this agent's session, the one that may still be used. */
  readonly mine: boolean
}

/** Created once, never replaced: the cluster that belongs to this part of the tree. */
export interface Initialized {
  readonly engineClusterId: string
  readonly by: string
  /** Unix time, for people. */
  readonly at: number
  /** The furthest progress that was seen since; null for an engine without positions. */
  readonly position: string | null
  /**
   * So many ordinals may hold data, and have to be heard before the most advanced is elected: also those
   * that the set was scaled away from without a word.
   */
  readonly expected: number
}

/**
 * Somebody is about to form the cluster, or to start it again. It stays through lost sessions and
 * crashes, and as long as it stays nobody else forms anything.
 */
export interface BootstrapIntent {
  readonly by: string
  /** Of the agent that wrote it. */
  readonly incarnation: number
  /** Of the bootstrap lock under which it was written. */
  readonly token: string
  /** Random, 22 characters of base64url: for engines whose cluster id is chosen before they start. */
  readonly nonce: string
  /** Pod to position, as they were when the choice was made. */
  readonly chosenFrom: Readonly<Record<string, string>>
}

/** What the agent of a pod says of its disk and engine; it goes with the agent's session. */
export interface RecoveryReport {
  /** '' while the disk holds none. */
  readonly engineClusterId: string
  /** Null: empty, or an engine without positions. */
  readonly position: string | null
  readonly empty: boolean
  /** The engine runs, or is about to: the position may change. Written before a permit is given. */
  readonly started: boolean
  readonly incarnation: number
}

/** A pod was removed for good: its disk must not come back as the member it was. */
export interface Tombstone {
  /** DiskReport.incarnation of what was removed; '' where that was not known: whatever is there. */
  readonly identity: string
  /**
   * The removal has committed. Until then it may never come to be: whoever starts meanwhile starts as it is,
   * since its data may be what a majority needs.
   */
  readonly done: boolean
  /** Unix time, for people. */
  readonly at: number
  readonly reason: string
}

/** Of a member document, what other agents decide on. */
export interface PublishedMember {
  readonly status: string
  /** Clients may use it now. */
  readonly ready: boolean
  readonly role: string
  readonly incarnation: number
}

/**
 * What the tree says of the cluster. All of it was read after a barrier, the locks before the rest: whoever
 * sees a lock as its own sees all that former holders wrote.
 */
export interface ClusterFacts {
  /** When the barrier was asked for. */
  readonly atMs: Ms
  readonly initialized: Initialized | null
  readonly intent: BootstrapIntent | null
  /** By pod, as are the following. */
  readonly reports: Readonly<Record<string, RecoveryReport>>
  readonly tombstones: Readonly<Record<string, Tombstone>>
  readonly members: Readonly<Record<string, PublishedMember>>
  readonly locks: Readonly<Record<LockName, LockView | null>>
}

/** What an agent wants the tree to hold for it; the shell keeps it so until it wants something else. */
export interface TreeWants {
  /** To be queued for, and held when the turn comes. */
  readonly locks: readonly LockName[]
  readonly report: RecoveryReport | null
}

export const NOTHING_WANTED: TreeWants = { locks: [], report: null }
