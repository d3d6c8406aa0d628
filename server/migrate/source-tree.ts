import type { Acl } from '../core/tree/acl.ts'
import { keptAs, parentOf } from '../core/tree/path.ts'

/** A znode as ZooKeeper keeps it. */
export interface SourceZnode {
  data: Uint8Array | null
  /** Null: a number that the snapshot's own list does not explain; the log has to, before the end. */
  acl: Acl | null
  readonly czxid: number
  mzxid: number
  pzxid: number
  readonly ctimeMs: number
  mtimeMs: number
  version: number
  /** As it is kept: the count of children ever created, not what a client sees (reference B5.1). */
  creations: number
  aversion: number
  /** ZooKeeper's ephemeralOwner: 0, a session's id, or the mark of a container or a TTL znode. */
  readonly owner: bigint
}

export const CONTAINER_OWNER = -(2n ** 63n)
const TTL_TAG = 0xffn
const TTL_BITS = 40n

/** What keeps a znode alive, by its owner. */
export type Life =
  | { readonly kind: 'persistent' | 'container' }
  | { readonly kind: 'ttl'; readonly ttlMs: number }
  | { readonly kind: 'ephemeral'; readonly session: bigint }

export function ttlOwner(ttlMs: number): bigint {
  return BigInt.asIntN(64, (TTL_TAG << 56n) | BigInt(ttlMs))
}

/** The longest time to live that ZooKeeper can write down. */
export const TTL_MS_MAX = 2 ** Number(TTL_BITS) - 1

/** The sessions of ZooKeeper by id, with their timeouts. */
export type SourceSessions = Map<bigint, number>

/**
 * ZooKeeper's tree while its files are read. Changes follow DataTree of 3.9.5, and bear what a fuzzy
 * snapshot brings with it: it may already hold what the log says next.
 */
export class SourceTree {
  readonly znodes = new Map<string, SourceZnode>()
  readonly sessions: SourceSessions = new Map()
  readonly #ephemerals = new Map<bigint, Set<string>>()

  /**
   * TTL znodes are told from ephemerals of a server 255 by the bits behind the tag, and by there
   * being no such session.
   */
  lifeOf({ owner }: SourceZnode): Life {
    if (owner === 0n) return { kind: 'persistent' }
    if (owner === CONTAINER_OWNER) return { kind: 'container' }
    const bits = BigInt.asUintN(64, owner)
    const isTtl = bits >> TTL_BITS === TTL_TAG << (56n - TTL_BITS)
    if (!isTtl || this.sessions.has(owner)) return { kind: 'ephemeral', session: owner }
    return { kind: 'ttl', ttlMs: Number(BigInt.asUintN(Number(TTL_BITS), bits)) }
  }

  /** Sessions that own ephemerals, whether they are known or not. */
  owners(): IterableIterator<bigint> {
    return this.#ephemerals.keys()
  }

  /** Adds a znode of a snapshot; false when its parent is not there. */
  add(path: string, znode: SourceZnode): boolean {
    if (path !== '/' && !this.znodes.has(parentOf(path))) return false
    if (this.znodes.has(path)) this.#drop(path)
    this.#put(path, znode)
    return true
  }

  /** `parentCreations` -1: one more than now, as logs before 3.4 leave it open. */
  create(path: string, znode: SourceZnode, parentCreations: number): void {
    const parent = this.znodes.get(parentOf(path))
    if (parent === undefined) return
    const known = this.znodes.get(path)
    if (known === undefined) this.#put(path, znode)
    else known.acl = znode.acl
    const creations = parentCreations === -1 ? (parent.creations + 1) | 0 : parentCreations
    if (creations <= parent.creations) return
    parent.creations = creations
    parent.pzxid = znode.czxid
  }

  remove(path: string, zxid: number): void {
    const parent = this.znodes.get(parentOf(path))
    if (parent === undefined) return
    // The child may have been gone before the snapshot came to it: the parent has to know all the same.
    parent.pzxid = Math.max(parent.pzxid, zxid)
    // What is below, if anything, only a snapshot can have seen: the log comes to it later.
    this.#drop(path)
  }

  setData(path: string, data: Uint8Array | null, version: number, zxid: number, timeMs: number) {
    const znode = this.znodes.get(keptAs(path))
    if (znode === undefined) return
    znode.data = data
    znode.version = version
    znode.mzxid = zxid
    znode.mtimeMs = timeMs
  }

  setAcl(path: string, acl: Acl, version: number): void {
    const znode = this.znodes.get(keptAs(path))
    if (znode === undefined) return
    znode.acl = acl
    znode.aversion = version
  }

  /** Ends a session: `paths` are those that its record names, beside what is here. Returns how many went. */
  closeSession(session: bigint, paths: readonly string[], zxid: number): number {
    this.sessions.delete(session)
    const before = this.znodes.size
    for (const path of paths) this.remove(path, zxid)
    for (const path of [...(this.#ephemerals.get(session) ?? [])].sort()) this.remove(path, zxid)
    return before - this.znodes.size
  }

  #put(path: string, znode: SourceZnode): void {
    this.znodes.set(path, znode)
    const life = this.lifeOf(znode)
    if (life.kind !== 'ephemeral') return
    const paths = this.#ephemerals.get(life.session)
    if (paths === undefined) this.#ephemerals.set(life.session, new Set([path]))
    else paths.add(path)
  }

  #drop(path: string): void {
    const znode = this.znodes.get(path)
    if (znode === undefined) return
    this.znodes.delete(path)
    const paths = this.#ephemerals.get(znode.owner)
    if (paths?.delete(path) === true && paths.size === 0) this.#ephemerals.delete(znode.owner)
  }
}
