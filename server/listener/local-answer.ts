import { assert } from '../core/assert.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Identity } from '../core/tree/acl.ts'
import { CONFIG_PATH } from '../core/tree/tree.ts'
import type { WatchEvent } from '../core/watch/watch.ts'
import type { Ensemble } from '../ensemble/ensemble.ts'
import {
  writeAddWatchedReply,
  writeDataReply,
  writeHeaderReply,
  writeIdentitiesReply,
  writeReadReply,
  writeSyncReply,
  writeUnimplementedReply,
} from '../wire/client-reply.ts'
import type { JuteWriter } from '../wire/jute.ts'
import { addWatch, checkWatches, removeWatches, setWatches } from './client-watches.ts'
import { answerRead, type Reader } from './local-read.ts'
import type { Answerable } from './request-queue.ts'

/** What the state of this server answers. */
export type LocalRequest = Exclude<Answerable, { kind: 'write' } | { kind: 'closeSession' }>

export interface LocalAnswerContext {
  readonly ensemble: Ensemble
  readonly client: Reader & { notify(event: WatchEvent): void }
  /** Who the client has proved to be. */
  readonly proved: readonly Identity[]
  readonly replyBytesMax: number
}

/** Writes the reply as of what was applied last, behind the events that come before it. */
export function writeLocalAnswer(
  out: JuteWriter,
  request: LocalRequest,
  { ensemble, client, proved, replyBytesMax }: LocalAnswerContext,
): void {
  const { xid } = request
  const zxid = ensemble.machine.lastZxid
  const header = (error: ErrorCode) => writeHeaderReply(out, xid, zxid, error)
  switch (request.kind) {
    case 'read':
      return writeReadReply(
        out,
        xid,
        zxid,
        answerRead(ensemble, client, request.read, replyBytesMax),
      )
    case 'sync':
      return writeSyncReply(out, xid, zxid, request.path)
    case 'malformed':
      return header(request.error)
    case 'setWatches':
      for (const event of setWatches(ensemble, client, request)) client.notify(event)
      return header(ErrorCode.ok)
    case 'addWatch': {
      const error = addWatch(ensemble, client, request)
      return error === ErrorCode.ok ? writeAddWatchedReply(out, xid, zxid) : header(error)
    }
    case 'removeWatches':
      return header(removeWatches(ensemble, client, request))
    case 'checkWatches':
      return header(checkWatches(ensemble, client, request))
    case 'whoAmI':
      return writeIdentitiesReply(out, xid, zxid, proved.map(withoutSecret))
    case 'reconfig':
      return writeConfig(out, xid, ensemble)
    case 'unimplemented':
      return writeUnimplementedReply(out, xid)
  }
}

/** The configuration as it is now, which the reconfiguration's client asked for. */
function writeConfig(out: JuteWriter, xid: number, { machine }: Ensemble): void {
  const { tree, lastZxid } = machine
  const stat = tree.stat(CONFIG_PATH)
  assert(stat !== undefined, 'the configuration is always there')
  writeDataReply(out, xid, lastZxid, tree.data(CONFIG_PATH) ?? null, stat)
}

/** Who a client is, for whoAmI: of a digest the user's name alone; the superuser has none. */
function withoutSecret({ scheme, id }: Identity): Identity {
  if (scheme === 'super') return { scheme, id: '' }
  return { scheme, id: scheme === 'digest' ? (id.split(':', 1)[0] ?? '') : id }
}
