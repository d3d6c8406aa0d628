/** A znode's Stat as ZooKeeper keeps it; times in ms since the epoch. 68 bytes on the wire. */
export interface Stat {
  readonly czxid: number
  readonly mzxid: number
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  /** Creations and deletions of children: 2 * creations - numChildren (reference B5.1). */
  readonly cversion: number
  readonly aversion: number
  /** The owning session, 0 for every other kind (containers and TTL znodes included). */
  readonly ephemeralOwner: number
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: number
}
