import { assert } from '../assert.ts'
import type { SessionId, Zxid } from '../brand.ts'
import { type Acl, OPEN_ACL, READ_ACL } from './acl.ts'
import { AclTable } from './acl-table.ts'
import { FloatColumn, IntColumn } from './columns.ts'
import { DataSlab } from './data-slab.ts'
import { hashBytes, hashText, mix } from './hash.ts'
import { childOf, nameOf, parentOf } from './path.ts'
import { limitedBy } from './quota.ts'
import type { Stat } from './stat.ts'

/** How a znode lives; the numbers are for ever (snapshots). */
export const ZnodeMode = { persistent: 0, ephemeral: 1, container: 2, ttl: 3 } as const
export type ZnodeMode = (typeof ZnodeMode)[keyof typeof ZnodeMode]

/** All there is to a znode, for snapshots and for undoing a removal. */
export interface Znode {
  readonly path: string
  readonly data: Uint8Array | null
  readonly acl: Acl
  readonly mode: ZnodeMode
  readonly ttlMs: number
  readonly owner: SessionId
  readonly czxid: Zxid
  readonly mzxid: Zxid
  readonly pzxid: Zxid
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly aversion: number
  /** Children ever created: the next sequence number (reference B5.1). */
  readonly creations: number
}

/** Is told before a znode changes, so that a snapshot under way can keep its old value. */
export interface TreeObserver {
  beforeChange(slot: number, path: string): void
}

const EMPTY = new Uint8Array(0)

/** Paths that are there from the start and never go. */
export const RESERVED_PATHS = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config'] as const
export const CONFIG_PATH = '/zookeeper/config'

/**
 * The znodes: a flat map from path to slot, their fields in columns, their data in slabs, and a set
 * of names for each znode that has children. Changes expect that the caller has checked them.
 */
export class Tree {
  readonly #slots = new Map<string, number>()
  readonly #children = new Map<number, Set<string>>()
  readonly #ephemerals = new Map<SessionId, Set<string>>()
  readonly #containers = new Set<string>()
  readonly #ttls = new Set<string>()
  /** Subtrees with a quota: those for which a znode holds limits. */
  readonly #quotas = new Set<string>()
  readonly #freeSlots: number[] = []
  #slotCount = 0
  #ephemeralCount = 0
  #dataBytes = 0
  #digestA = 0
  #digestB = 0

  readonly #acls = new AclTable()
  readonly #slab = new DataSlab()
  readonly #czxid = new FloatColumn()
  readonly #mzxid = new FloatColumn()
  readonly #pzxid = new FloatColumn()
  readonly #ctime = new FloatColumn()
  readonly #mtime = new FloatColumn()
  readonly #owner = new FloatColumn()
  readonly #ttl = new FloatColumn()
  readonly #dataReference = new FloatColumn()
  /** -1: null. */
  readonly #dataLength = new IntColumn()
  readonly #version = new IntColumn()
  readonly #aversion = new IntColumn()
  readonly #creations = new IntColumn()
  readonly #acl = new IntColumn()
  readonly #mode = new IntColumn()
  /** Over what never changes: path, kind, owner, ttl, czxid and ctime. */
  readonly #identityHash = new IntColumn()
  readonly #dataHash = new IntColumn()
  /** This znode's part in the digest. */
  readonly #shareA = new IntColumn()
  readonly #shareB = new IntColumn()

  readonly #observers = new Set<TreeObserver>()
  #undo: (() => void)[] | null = null

  constructor() {
    for (const path of RESERVED_PATHS) {
      this.#insert({
        path,
        data: EMPTY,
        acl: path === CONFIG_PATH ? READ_ACL : OPEN_ACL,
        mode: ZnodeMode.persistent,
        ttlMs: 0,
        owner: 0,
        czxid: 0,
        mzxid: 0,
        pzxid: 0,
        ctimeMs: 0,
        mtimeMs: 0,
        version: 0,
        // As a client of ZooKeeper sees it: its ACL was set without a version.
        aversion: path === CONFIG_PATH ? -1 : 0,
        creations: 0,
      })
    }
    // Not counted as creations: a fresh root shows cversion -1, as ZooKeeper's does.
    const linked = this.relink()
    assert(linked, 'the reserved paths are a tree')
  }

  get nodeCount(): number {
    return this.#slots.size
  }

  get ephemeralCount(): number {
    return this.#ephemeralCount
  }

  /** Different ACLs in use. */
  get aclCount(): number {
    return this.#acls.count
  }

  /** Bytes of paths (by UTF-16 unit) and data. */
  get approximateDataSize(): number {
    return this.#dataBytes
  }

  /** Sums over all znodes, independent of their order; equal trees have equal digests. */
  get digest(): readonly [number, number] {
    return [this.#digestA >>> 0, this.#digestB >>> 0]
  }

  has(path: string): boolean {
    return this.#slots.has(path)
  }

  /** A view into the store, valid until the znode next changes; undefined without the znode. */
  data(path: string): Uint8Array | null | undefined {
    const slot = this.#slots.get(path)
    return slot === undefined ? undefined : this.#dataAt(slot)
  }

  stat(path: string): Stat | undefined {
    const slot = this.#slots.get(path)
    if (slot === undefined) return undefined
    const numChildren = this.#children.get(slot)?.size ?? 0
    const mode = this.#mode.get(slot)
    return {
      czxid: this.#czxid.get(slot),
      mzxid: this.#mzxid.get(slot),
      ctimeMs: this.#ctime.get(slot),
      mtimeMs: this.#mtime.get(slot),
      version: this.#version.get(slot),
      cversion: (2 * this.#creations.get(slot) - numChildren) | 0,
      aversion: this.#aversion.get(slot),
      ephemeralOwner: mode === ZnodeMode.ephemeral ? this.#owner.get(slot) : 0,
      dataLength: Math.max(0, this.#dataLength.get(slot)),
      numChildren,
      pzxid: this.#pzxid.get(slot),
    }
  }

  version(path: string): number | undefined {
    const slot = this.#slots.get(path)
    return slot === undefined ? undefined : this.#version.get(slot)
  }

  aversion(path: string): number | undefined {
    const slot = this.#slots.get(path)
    return slot === undefined ? undefined : this.#aversion.get(slot)
  }

  acl(path: string): Acl | undefined {
    const slot = this.#slots.get(path)
    return slot === undefined ? undefined : this.#acls.get(this.#acl.get(slot))
  }

  mode(path: string): ZnodeMode | undefined {
    const slot = this.#slots.get(path)
    return slot === undefined ? undefined : (this.#mode.get(slot) as ZnodeMode)
  }

  ttlMs(path: string): number {
    const slot = this.#slots.get(path)
    return slot === undefined ? 0 : this.#ttl.get(slot)
  }

  creations(path: string): number {
    const slot = this.#slots.get(path)
    return slot === undefined ? 0 : this.#creations.get(slot)
  }

  childCount(path: string): number {
    const slot = this.#slots.get(path)
    return slot === undefined ? 0 : (this.#children.get(slot)?.size ?? 0)
  }

  /** Names in no order: that of creation, until a rollback or a snapshot changed it. */
  children(path: string): string[] {
    const slot = this.#slots.get(path)
    const names = slot === undefined ? undefined : this.#children.get(slot)
    return names === undefined ? [] : [...names]
  }

  /** Sessions that own ephemerals, with the paths. */
  get ephemerals(): ReadonlyMap<SessionId, ReadonlySet<string>> {
    return this.#ephemerals
  }

  ephemeralsOf(session: SessionId): string[] {
    const paths = this.#ephemerals.get(session)
    return paths === undefined ? [] : [...paths]
  }

  /** Containers and TTL znodes, candidates for removal by the leader. */
  containers(): IterableIterator<string> {
    return this.#containers.values()
  }

  ttls(): IterableIterator<string> {
    return this.#ttls.values()
  }

  /** Subtrees with a quota. */
  quotas(): IterableIterator<string> {
    return this.#quotas.values()
  }

  /** The smallest subtree with a quota that `path` is in, existing or not; null without one. */
  quotaOver(path: string): string | null {
    if (this.#quotas.size === 0) return null
    for (let place = path; place !== '/'; place = parentOf(place)) {
      if (this.#quotas.has(place)) return place
    }
    return null
  }

  /** All descendants of `path`. */
  descendantCount(path: string): number {
    if (path === '/') return this.#slots.size - 1
    let count = 0
    const pending = [path]
    for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
      const slot = this.#slots.get(parent)
      const names = slot === undefined ? undefined : this.#children.get(slot)
      if (names === undefined) continue
      count += names.size
      for (const name of names) pending.push(childOf(parent, name))
    }
    return count
  }

  /** Adds a znode below an existing parent; the parent's counters move. */
  create(znode: Znode): void {
    const parent = this.#slotOf(parentOf(znode.path))
    this.#willChange(parent, parentOf(znode.path))
    const pzxidBefore = this.#pzxid.get(parent)
    const creationsBefore = this.#creations.get(parent)
    this.#insert(znode)
    this.#link(parent, nameOf(znode.path))
    this.#childrenChanged(parent, (creationsBefore + 1) | 0, znode.czxid)
    this.#undo?.push(() => {
      this.#unlink(parent, nameOf(znode.path))
      this.#drop(znode.path)
      this.#childrenChanged(parent, creationsBefore, pzxidBefore)
    })
  }

  /** Removes a childless znode. */
  remove(path: string, zxid: Zxid): void {
    const slot = this.#slotOf(path)
    const parentPath = parentOf(path)
    const parent = this.#slotOf(parentPath)
    this.#willChange(slot, path)
    this.#willChange(parent, parentPath)
    const pzxidBefore = this.#pzxid.get(parent)
    const creations = this.#creations.get(parent)
    const former = this.#undo === null ? null : this.#znodeAt(slot, path)
    this.#unlink(parent, nameOf(path))
    this.#drop(path)
    this.#childrenChanged(parent, creations, zxid)
    if (former === null) return
    this.#undo?.push(() => {
      this.#insert(former)
      this.#link(parent, nameOf(path))
      this.#childrenChanged(parent, creations, pzxidBefore)
    })
  }

  /** Its version grows by one, unless told what it is. */
  setData(
    path: string,
    data: Uint8Array | null,
    zxid: Zxid,
    timeMs: number,
    newVersion?: number,
  ): void {
    const slot = this.#slotOf(path)
    this.#willChange(slot, path)
    if (this.#undo !== null) {
      const [mzxid, mtimeMs] = [this.#mzxid.get(slot), this.#mtime.get(slot)]
      const version = this.#version.get(slot)
      const former = this.#dataAt(slot)?.slice() ?? null
      this.#undo.push(() => this.#changeData(slot, former, mzxid, mtimeMs, version))
    }
    const next = newVersion ?? (this.#version.get(slot) + 1) | 0
    this.#changeData(slot, data, zxid, timeMs, next)
  }

  /** Data that ZooKeeper keeps by itself: the znode's version and times stay, nobody is told. */
  rewriteData(path: string, data: Uint8Array): void {
    const slot = this.#slotOf(path)
    this.#willChange(slot, path)
    const [mzxid, mtimeMs] = [this.#mzxid.get(slot), this.#mtime.get(slot)]
    const version = this.#version.get(slot)
    if (this.#undo !== null) {
      const former = this.#dataAt(slot)?.slice() ?? null
      this.#undo.push(() => this.#changeData(slot, former, mzxid, mtimeMs, version))
    }
    this.#changeData(slot, data, mzxid, mtimeMs, version)
  }

  #changeData(
    slot: number,
    data: Uint8Array | null,
    mzxid: Zxid,
    mtimeMs: number,
    version: number,
  ): void {
    this.#freeData(slot)
    this.#putData(slot, data)
    this.#mzxid.set(slot, mzxid)
    this.#mtime.set(slot, mtimeMs)
    this.#version.set(slot, version)
    this.#refreshShare(slot)
  }

  setAcl(path: string, acl: Acl): void {
    const slot = this.#slotOf(path)
    this.#willChange(slot, path)
    const former = this.#acls.get(this.#acl.get(slot))
    const aversion = this.#aversion.get(slot)
    this.#undo?.push(() => this.#changeAcl(slot, former, aversion))
    this.#changeAcl(slot, acl, (aversion + 1) | 0)
  }

  #changeAcl(slot: number, acl: Acl, aversion: number): void {
    const id = this.#acls.take(acl)
    this.#acls.release(this.#acl.get(slot))
    this.#acl.set(slot, id)
    this.#aversion.set(slot, aversion)
    this.#refreshShare(slot)
  }

  // --- All or nothing --------------------------------------------------------------------------

  /** From here until `commit` or `rollback` changes can be taken back. */
  begin(): void {
    assert(this.#undo === null, 'transactions do not nest')
    this.#undo = []
  }

  commit(): void {
    this.#undo = null
  }

  rollback(): void {
    const undo = this.#undo ?? []
    this.#undo = null
    for (const step of undo.reverse()) step()
  }

  // --- Snapshots -------------------------------------------------------------------------------

  observe(observer: TreeObserver): void {
    this.#observers.add(observer)
  }

  unobserve(observer: TreeObserver): void {
    this.#observers.delete(observer)
  }

  /** Live entries; those added while it runs are visited too. */
  entries(): IterableIterator<[string, number]> {
    return this.#slots.entries()
  }

  /** The znode in a slot, its data copied. */
  znodeAt(slot: number, path: string): Znode {
    return this.#znodeAt(slot, path)
  }

  czxidAt(slot: number): Zxid {
    return this.#czxid.get(slot)
  }

  /** Adds a znode of a snapshot as it is; parents come before their children or after. */
  restore(znode: Znode): void {
    const existing = this.#slots.get(znode.path)
    const children = existing === undefined ? undefined : this.#children.get(existing)
    if (existing !== undefined) this.#drop(znode.path)
    const slot = this.#insert(znode)
    if (children !== undefined) this.#children.set(slot, children)
  }

  /** Rebuilds the sets of children after all znodes of a snapshot are in; false: an orphan. */
  relink(): boolean {
    this.#children.clear()
    for (const path of this.#slots.keys()) {
      if (path === '/') continue
      const parent = this.#slots.get(parentOf(path))
      if (parent === undefined) return false
      this.#link(parent, nameOf(path))
    }
    return true
  }

  // --- Inside ----------------------------------------------------------------------------------

  #slotOf(path: string): number {
    const slot = this.#slots.get(path)
    assert(slot !== undefined, 'the znode exists')
    return slot
  }

  #willChange(slot: number, path: string): void {
    for (const observer of this.#observers) observer.beforeChange(slot, path)
  }

  #insert(znode: Znode): number {
    const { path } = znode
    const slot = this.#freeSlots.pop() ?? this.#slotCount++
    this.#slots.set(path, slot)
    this.#czxid.set(slot, znode.czxid)
    this.#mzxid.set(slot, znode.mzxid)
    this.#pzxid.set(slot, znode.pzxid)
    this.#ctime.set(slot, znode.ctimeMs)
    this.#mtime.set(slot, znode.mtimeMs)
    this.#owner.set(slot, znode.owner)
    this.#ttl.set(slot, znode.ttlMs)
    this.#version.set(slot, znode.version)
    this.#aversion.set(slot, znode.aversion)
    this.#creations.set(slot, znode.creations)
    this.#mode.set(slot, znode.mode)
    this.#acl.set(slot, this.#acls.take(znode.acl))
    this.#identityHash.set(slot, identityOf(znode))
    this.#putData(slot, znode.data)
    this.#dataBytes += path.length
    this.#shareA.set(slot, 0)
    this.#shareB.set(slot, 0)
    this.#refreshShare(slot)
    this.#index(znode)
    return slot
  }

  #index({ mode, owner, path }: Znode): void {
    if (mode === ZnodeMode.ephemeral) {
      this.#ephemeralCount += 1
      const paths = this.#ephemerals.get(owner)
      if (paths === undefined) this.#ephemerals.set(owner, new Set([path]))
      else paths.add(path)
    } else if (mode === ZnodeMode.container) this.#containers.add(path)
    else if (mode === ZnodeMode.ttl) this.#ttls.add(path)
    const subtree = limitedBy(path)
    if (subtree !== null) this.#quotas.add(subtree)
  }

  #drop(path: string): void {
    const slot = this.#slotOf(path)
    const mode = this.#mode.get(slot)
    if (mode === ZnodeMode.ephemeral) {
      const owner = this.#owner.get(slot)
      const paths = this.#ephemerals.get(owner)
      paths?.delete(path)
      if (paths?.size === 0) this.#ephemerals.delete(owner)
      this.#ephemeralCount -= 1
    }
    this.#containers.delete(path)
    this.#ttls.delete(path)
    const subtree = limitedBy(path)
    if (subtree !== null) this.#quotas.delete(subtree)
    this.#freeData(slot)
    this.#acls.release(this.#acl.get(slot))
    this.#dataBytes -= path.length
    this.#digestA = (this.#digestA - this.#shareA.get(slot)) | 0
    this.#digestB = (this.#digestB - this.#shareB.get(slot)) | 0
    this.#children.delete(slot)
    this.#slots.delete(path)
    this.#freeSlots.push(slot)
  }

  #link(parent: number, name: string): void {
    const names = this.#children.get(parent)
    if (names === undefined) this.#children.set(parent, new Set([name]))
    else names.add(name)
  }

  #unlink(parent: number, name: string): void {
    const names = this.#children.get(parent)
    names?.delete(name)
    if (names?.size === 0) this.#children.delete(parent)
  }

  #childrenChanged(slot: number, creations: number, pzxid: Zxid): void {
    this.#creations.set(slot, creations)
    this.#pzxid.set(slot, pzxid)
    this.#refreshShare(slot)
  }

  #putData(slot: number, data: Uint8Array | null): void {
    this.#dataHash.set(slot, hashBytes(data))
    if (data === null) {
      this.#dataLength.set(slot, -1)
      return
    }
    this.#dataLength.set(slot, data.length)
    this.#dataReference.set(slot, this.#slab.put(data))
    this.#dataBytes += data.length
  }

  #freeData(slot: number): void {
    const length = this.#dataLength.get(slot)
    if (length < 0) return
    this.#slab.free(this.#dataReference.get(slot))
    this.#dataBytes -= length
  }

  #dataAt(slot: number): Uint8Array | null {
    const length = this.#dataLength.get(slot)
    return length < 0 ? null : this.#slab.view(this.#dataReference.get(slot), length)
  }

  /** Takes the znode's new state into the digest in place of its old one. */
  #refreshShare(slot: number): void {
    const data = mix(this.#identityHash.get(slot), this.#dataHash.get(slot))
    const written = mix(mix(data, this.#mzxid.get(slot)), this.#mtime.get(slot))
    const a = mix(written, this.#version.get(slot))
    const children = mix(mix(a, this.#creations.get(slot)), this.#pzxid.get(slot))
    const acl = this.#acls.hashOf(this.#acl.get(slot))
    const b = mix(mix(children, this.#aversion.get(slot)), acl)
    this.#digestA = (this.#digestA - this.#shareA.get(slot) + a) | 0
    this.#digestB = (this.#digestB - this.#shareB.get(slot) + b) | 0
    this.#shareA.set(slot, a)
    this.#shareB.set(slot, b)
  }

  #znodeAt(slot: number, path: string): Znode {
    return {
      path,
      data: this.#dataAt(slot)?.slice() ?? null,
      acl: this.#acls.get(this.#acl.get(slot)),
      mode: this.#mode.get(slot) as ZnodeMode,
      ttlMs: this.#ttl.get(slot),
      owner: this.#owner.get(slot),
      czxid: this.#czxid.get(slot),
      mzxid: this.#mzxid.get(slot),
      pzxid: this.#pzxid.get(slot),
      ctimeMs: this.#ctime.get(slot),
      mtimeMs: this.#mtime.get(slot),
      version: this.#version.get(slot),
      aversion: this.#aversion.get(slot),
      creations: this.#creations.get(slot),
    }
  }
}

function identityOf({ path, mode, owner, ttlMs, czxid, ctimeMs }: Znode): number {
  return mix(mix(mix(mix(mix(hashText(path), mode), owner), ttlMs), czxid), ctimeMs)
}
