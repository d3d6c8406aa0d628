import type { Ensemble } from '../ensemble/ensemble.ts'
import type { ClientRegistry } from './client-registry.ts'

export interface WatchSummary {
  readonly connections: number
  readonly paths: number
  readonly watches: number
}

/** What is listed, and whether more was there. */
export interface Listed<T> {
  readonly entries: T
  readonly complete: boolean
}

type Sources = { readonly ensemble: Ensemble; readonly registry: ClientRegistry }

/**
 * Who watches what: session -> paths. As in ZooKeeper, watches on the list of children alone are not
 * shown. Looks at no more than `max` watches of this server.
 */
export function watchesBySession(sources: Sources, max: number): Listed<Map<number, Set<string>>> {
  const entries = new Map<number, Set<string>>()
  const complete = walk(sources, max, (path, session) => addTo(entries, session, path))
  return { entries, complete }
}

/** The same, path -> sessions. */
export function watchesByPath(sources: Sources, max: number): Listed<Map<string, Set<number>>> {
  const entries = new Map<string, Set<number>>()
  const complete = walk(sources, max, (path, session) => addTo(entries, path, session))
  return { entries, complete }
}

/**
 * How many connections watch how many paths. With more than `max` watches these are counted by what
 * was looked at, and `watches` by the table, which counts each kind of watch by itself.
 */
export function watchSummary(sources: Sources, max: number): WatchSummary {
  const { entries, complete } = watchesByPath(sources, max)
  const sessions = new Set<number>()
  let watches = 0
  for (const watchers of entries.values()) {
    watches += watchers.size
    for (const session of watchers) sessions.add(session)
  }
  const { ensemble } = sources
  return {
    connections: complete ? sessions.size : ensemble.watches.connectionCount,
    paths: entries.size,
    watches: complete ? watches : ensemble.watches.count,
  }
}

/** False: it stopped after `max` watches. */
function walk(
  { ensemble, registry }: Sources,
  max: number,
  visit: (path: string, session: number) => void,
): boolean {
  let seen = 0
  for (const { kind, path, connections } of ensemble.watches.entries()) {
    for (const number of connections) {
      if (seen === max) return false
      seen += 1
      const session = registry.sessionOf(number)
      if (kind !== 'child' && session !== undefined) visit(path, session)
    }
  }
  return true
}

function addTo<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, new Set([value]))
  else values.add(value)
}
