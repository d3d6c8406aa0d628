import type { Zxid } from '../brand.ts'
import { keptAs } from '../tree/path.ts'
import type { Tree } from '../tree/tree.ts'
import type { WatchEvent, WatchKind } from './watch.ts'

/** The watches a client had, by list of setWatches and setWatches2. */
export interface WatchLists {
  readonly relativeZxid: Zxid
  readonly data: readonly string[]
  readonly exist: readonly string[]
  readonly child: readonly string[]
  readonly persistent: readonly string[]
  readonly persistentRecursive: readonly string[]
}

export interface RestoredWatches {
  /** What happened while the client was away, to be sent before the reply. */
  readonly missed: readonly WatchEvent[]
  readonly armed: readonly { readonly kind: WatchKind; readonly path: string }[]
}

/** What a missed event carries: it is made up from the state, not from one change (3.9). */
const NO_ZXID = -1

/** What a reconnecting client missed since `relativeZxid`, and what it waits for again (B5.7). */
export function restoreWatches(tree: Tree, lists: WatchLists): RestoredWatches {
  const missed: WatchEvent[] = []
  const armed: { kind: WatchKind; path: string }[] = []
  const settle = (kind: WatchKind, path: string, type: WatchEvent['type'] | null): void => {
    if (type === null) armed.push({ kind, path })
    else missed.push({ type, path, zxid: NO_ZXID })
  }
  for (const path of lists.data) {
    const stat = tree.stat(keptAs(path))
    const changed = stat !== undefined && stat.mzxid > lists.relativeZxid
    settle('data', path, stat === undefined ? 2 : changed ? 3 : null)
  }
  for (const path of lists.exist) settle('exist', path, tree.has(keptAs(path)) ? 1 : null)
  for (const path of lists.child) {
    const stat = tree.stat(keptAs(path))
    const changed = stat !== undefined && stat.pzxid > lists.relativeZxid
    settle('child', path, stat === undefined ? 2 : changed ? 4 : null)
  }
  for (const path of lists.persistent) settle('persistent', path, null)
  for (const path of lists.persistentRecursive) settle('persistentRecursive', path, null)
  return { missed, armed }
}
