import type { Identity } from '../tree/acl.ts'

/** One connection as the watch table sees it; only identity and `identities` matter to the core. */
export interface Watcher {
  /** Counts this server's connections from 1. */
  readonly connection: number
  /** Current identities of the connection, for the READ filter of events. */
  readonly identities: readonly Identity[]
}

export type WatchKind = 'data' | 'exist' | 'child' | 'persistent' | 'persistentRecursive'

/** What is sent to one watcher: type numbers as on the wire. */
export interface WatchEvent {
  /** 1 created, 2 deleted, 3 data changed, 4 children changed. */
  readonly type: 1 | 2 | 3 | 4
  readonly path: string
  readonly zxid: number
}

export interface WatchDelivery {
  readonly watcher: Watcher
  readonly event: WatchEvent
}
