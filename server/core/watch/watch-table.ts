import type { Trigger } from '../machine/operation.ts'
import { Permission } from '../tree/acl.ts'
import { allows } from '../tree/acl-check.ts'
import { parentOf } from '../tree/path.ts'
import type { WatchDelivery, WatchEvent, Watcher, WatchKind } from './watch.ts'

type Watchers = Map<number, Watcher>

const KINDS: readonly WatchKind[] = ['data', 'exist', 'child', 'persistent', 'persistentRecursive']
const NONE: readonly WatchDelivery[] = []

/** The kinds that each event fires; recursive watches are looked up along the path as well. */
const FIRED_BY = {
  created: ['exist', 'data', 'persistent'],
  deleted: ['data', 'exist', 'child', 'persistent'],
  dataChanged: ['data', 'exist', 'persistent'],
  childrenChanged: ['child', 'persistent'],
} as const satisfies Record<Trigger['event'], readonly WatchKind[]>

const TYPE_OF = { created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const

/**
 * The watches of one server's connections: who waits for what on which path. One-shot kinds go when
 * they fire; a connection gets one event for a change, whatever number of its watches it fires.
 */
export class WatchTable {
  readonly #byKind: Readonly<Record<WatchKind, Map<string, Watchers>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    persistentRecursive: new Map(),
  }
  /** Connection -> its paths, by kind, for removal when it ends. */
  readonly #byConnection = new Map<number, Map<WatchKind, Set<string>>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Connections that have watches. */
  get connectionCount(): number {
    return this.#byConnection.size
  }

  countOf(connection: number): number {
    let count = 0
    for (const paths of this.#byConnection.get(connection)?.values() ?? []) count += paths.size
    return count
  }

  add(watcher: Watcher, kind: WatchKind, path: string): void {
    const { connection } = watcher
    const watchers = this.#byKind[kind].get(path)
    if (watchers?.has(connection)) return
    if (watchers === undefined) this.#byKind[kind].set(path, new Map([[connection, watcher]]))
    else watchers.set(connection, watcher)
    let kinds = this.#byConnection.get(connection)
    if (kinds === undefined) {
      kinds = new Map()
      this.#byConnection.set(connection, kinds)
    }
    const paths = kinds.get(kind)
    if (paths === undefined) kinds.set(kind, new Set([path]))
    else paths.add(path)
    this.#count += 1
  }

  has(connection: number, kind: WatchKind, path: string): boolean {
    return this.#byKind[kind].get(path)?.has(connection) ?? false
  }

  /** True when there was one. */
  remove(connection: number, kind: WatchKind, path: string): boolean {
    const watchers = this.#byKind[kind].get(path)
    if (!watchers?.delete(connection)) return false
    if (watchers.size === 0) this.#byKind[kind].delete(path)
    const kinds = this.#byConnection.get(connection)
    const paths = kinds?.get(kind)
    paths?.delete(path)
    if (paths?.size === 0) kinds?.delete(kind)
    if (kinds?.size === 0) this.#byConnection.delete(connection)
    this.#count -= 1
    return true
  }

  removeConnection(connection: number): void {
    const kinds = this.#byConnection.get(connection)
    if (kinds === undefined) return
    for (const [kind, paths] of kinds) {
      for (const path of paths) {
        const watchers = this.#byKind[kind].get(path)
        watchers?.delete(connection)
        if (watchers?.size === 0) this.#byKind[kind].delete(path)
        this.#count -= 1
      }
    }
    this.#byConnection.delete(connection)
  }

  /** Whom a change concerns; the one-shot watches it fires are gone afterwards. */
  trigger(trigger: Trigger): readonly WatchDelivery[] {
    if (this.#count === 0) return NONE
    const fired: Watchers = new Map()
    for (const kind of FIRED_BY[trigger.event]) this.#fire(kind, trigger.path, fired)
    if (trigger.event !== 'childrenChanged') this.#fireRecursive(trigger.path, fired)
    if (fired.size === 0) return NONE
    const event: WatchEvent = {
      type: TYPE_OF[trigger.event],
      path: trigger.path,
      zxid: trigger.zxid,
    }
    const deliveries: WatchDelivery[] = []
    for (const watcher of fired.values()) {
      // Since 3.9.2 an event goes only to those who may read the znode.
      if (allows(trigger.acl, watcher.identities, Permission.read)) {
        deliveries.push({ watcher, event })
      }
    }
    return deliveries
  }

  #fire(kind: WatchKind, path: string, fired: Watchers): void {
    const watchers = this.#byKind[kind].get(path)
    if (watchers === undefined) return
    for (const [connection, watcher] of watchers) fired.set(connection, watcher)
    if (kind === 'persistent') return
    this.#byKind[kind].delete(path)
    for (const connection of watchers.keys()) {
      const kinds = this.#byConnection.get(connection)
      const paths = kinds?.get(kind)
      paths?.delete(path)
      if (paths?.size === 0) kinds?.delete(kind)
      if (kinds?.size === 0) this.#byConnection.delete(connection)
      this.#count -= 1
    }
  }

  #fireRecursive(path: string, fired: Watchers): void {
    const recursive = this.#byKind.persistentRecursive
    if (recursive.size === 0) return
    for (let at = path; ; at = parentOf(at)) {
      for (const [connection, watcher] of recursive.get(at) ?? []) fired.set(connection, watcher)
      if (at === '/') return
    }
  }

  /** Paths and their watching connections, for wchp and metrics. */
  *entries(): Generator<{ kind: WatchKind; path: string; connections: readonly number[] }> {
    for (const kind of KINDS) {
      for (const [path, watchers] of this.#byKind[kind]) {
        yield { kind, path, connections: [...watchers.keys()] }
      }
    }
  }

  /** Different paths that are watched. */
  get pathCount(): number {
    const paths = new Set<string>()
    for (const kind of KINDS) for (const path of this.#byKind[kind].keys()) paths.add(path)
    return paths.size
  }
}
