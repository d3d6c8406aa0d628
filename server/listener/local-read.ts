import type { SessionId } from '../core/brand.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import * as read from '../core/machine/read.ts'
import type { Watcher, WatchKind } from '../core/watch/watch.ts'
import type { Ensemble } from '../ensemble/ensemble.ts'
import type { ReadRequest, ReadResult } from '../wire/read.ts'

/** Who reads: with which identities, and to whom watch events go. */
export interface Reader extends Watcher {
  readonly session: SessionId
}

/**
 * One read of this server's state, with its watch set. Data in the result is a view into the tree:
 * it is serialised before anything else happens. `replyBytesMax`: a multiRead reads no further once
 * its results have as much; the rest of its items fails.
 */
export function answerRead(
  ensemble: Ensemble,
  client: Reader,
  request: ReadRequest,
  replyBytesMax: number,
): ReadResult {
  const { machine } = ensemble
  const { identities } = client
  const watch = (kind: WatchKind, path: string): void => ensemble.watches.add(client, kind, path)
  switch (request.kind) {
    case 'exists': {
      const stat = read.exists(machine, request.path, identities)
      // A missing znode is waited for as well (B5.5).
      const waits = typeof stat !== 'number' || stat === ErrorCode.noNode
      if (request.watch && waits) watch(typeof stat === 'number' ? 'exist' : 'data', request.path)
      return typeof stat === 'number' ? refusal(stat) : { kind: 'exists', stat }
    }
    case 'getData': {
      const found = read.getData(machine, request.path, identities)
      if (typeof found === 'number') return refusal(found)
      if (request.watch) watch('data', request.path)
      return { kind: 'getData', ...found }
    }
    case 'getChildren':
    case 'getChildren2': {
      const found = read.getChildren(machine, request.path, identities)
      if (typeof found === 'number') return refusal(found)
      if (request.watch) watch('child', request.path)
      return { kind: request.kind, ...found }
    }
    case 'getAcl': {
      const found = read.getAcl(machine, request.path, identities)
      return typeof found === 'number' ? refusal(found) : { kind: 'getAcl', ...found }
    }
    case 'getAllChildrenNumber': {
      const found = read.getAllChildrenNumber(machine, request.path, identities)
      return typeof found === 'number' ? refusal(found) : { kind: 'getAllChildrenNumber', ...found }
    }
    case 'getEphemerals':
      return {
        kind: 'getEphemerals',
        paths: read.getEphemerals(machine, client.session, request.prefix),
      }
    case 'multiRead':
      return {
        kind: 'multiRead',
        results: answerItems(ensemble, client, request.reads, replyBytesMax),
      }
  }
}

/** Few bytes of request may ask for very many of reply: that much and no more is put together. */
function answerItems(
  ensemble: Ensemble,
  client: Reader,
  items: readonly ReadRequest[],
  replyBytesMax: number,
): ReadResult[] {
  let bytes = 0
  return items.map((item) => {
    if (bytes > replyBytesMax) return refusal(ErrorCode.marshallingError)
    const result = answerRead(ensemble, client, unwatched(item), replyBytesMax)
    if (result.kind === 'getData') bytes += result.data?.length ?? 0
    else if (result.kind === 'getChildren') {
      for (const name of result.children) bytes += name.length
    }
    return result
  })
}

/** A multiRead sets no watches, whatever its items ask for, as in ZooKeeper. */
function unwatched(request: ReadRequest): ReadRequest {
  return 'watch' in request ? { ...request, watch: false } : request
}

function refusal(code: ErrorCode): ReadResult {
  return { kind: 'error', code }
}
