import { ErrorCode } from '../core/machine/error-code.ts'
import { restoreWatches } from '../core/watch/set-watches.ts'
import type { WatchEvent, Watcher, WatchKind } from '../core/watch/watch.ts'
import type { Ensemble } from '../ensemble/ensemble.ts'
import type { ClientRequest } from '../wire/client-request.ts'

type RequestOf<K extends ClientRequest['kind']> = Extract<ClientRequest, { kind: K }>

const NONE: readonly string[] = []

/** Arms the watches of a client that came back; what it missed is to be sent before the reply. */
export function setWatches(
  { machine, watches }: Ensemble,
  watcher: Watcher,
  request: RequestOf<'setWatches'>,
): readonly WatchEvent[] {
  const { relativeZxid, data, exist, child } = request
  const persistent = request.persistent ?? NONE
  const persistentRecursive = request.persistentRecursive ?? NONE
  const { missed, armed } = restoreWatches(machine.tree, {
    relativeZxid,
    data,
    exist,
    child,
    persistent,
    persistentRecursive,
  })
  for (const { kind, path } of armed) watches.add(watcher, kind, path)
  return missed
}

/** AddWatchMode of 3.9: any other is taken for a body that cannot be read. */
export function addWatch(
  { watches }: Ensemble,
  watcher: Watcher,
  { mode, path }: RequestOf<'addWatch'>,
): ErrorCode {
  if (mode !== 0 && mode !== 1) return ErrorCode.marshallingError
  watches.add(watcher, mode === 1 ? 'persistentRecursive' : 'persistent', path)
  return ErrorCode.ok
}

export function removeWatches(
  { watches }: Ensemble,
  { connection }: Watcher,
  { path, type }: RequestOf<'removeWatches'>,
): ErrorCode {
  const kinds = kindsOfType(type)
  if (kinds === null) return ErrorCode.marshallingError
  let removed = false
  for (const kind of kinds) {
    if (watches.remove(connection, kind, path)) removed = true
  }
  return removed ? ErrorCode.ok : ErrorCode.noWatcher
}

export function checkWatches(
  { watches }: Ensemble,
  { connection }: Watcher,
  { path, type }: RequestOf<'checkWatches'>,
): ErrorCode {
  const kinds = kindsOfType(type)
  if (kinds === null) return ErrorCode.marshallingError
  const found = kinds.some((kind) => watches.has(connection, kind, path))
  return found ? ErrorCode.ok : ErrorCode.noWatcher
}

/**
 * WatcherType of 3.9: 1 children, 2 data, 3 any, 4 persistent, 5 persistent recursive; null for any
 * other, which ZooKeeper takes for a body that cannot be read.
 */
function kindsOfType(type: number): readonly WatchKind[] | null {
  switch (type) {
    case 1:
      return ['child']
    case 2:
      return ['data', 'exist']
    case 3:
      return ['data', 'exist', 'child', 'persistent', 'persistentRecursive']
    case 4:
      return ['persistent']
    case 5:
      return ['persistentRecursive']
    default:
      return null
  }
}
