import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import { JuteReader } from './jute.ts'
import { Opcode } from './opcode.ts'
import { type AddWatch, readAddWatch } from './operations/add-watch.ts'
import { type Auth, readAuth } from './operations/auth.ts'
import { readCreate, UNREADABLE } from './operations/create.ts'
import { readDelete } from './operations/delete.ts'
import { readExists } from './operations/exists.ts'
import { readGetAcl } from './operations/get-acl.ts'
import { readGetAllChildrenNumber } from './operations/get-all-children-number.ts'
import { readGetChildren } from './operations/get-children.ts'
import { readGetChildren2 } from './operations/get-children2.ts'
import { readGetData } from './operations/get-data.ts'
import { readGetEphemerals } from './operations/get-ephemerals.ts'
import { readMulti } from './operations/multi.ts'
import { readMultiRead } from './operations/multi-read.ts'
import { type Reconfig, readReconfig } from './operations/reconfig.ts'
import { readWatchSelection, type WatchSelection } from './operations/remove-watches.ts'
import { readSasl } from './operations/sasl.ts'
import { readSetAcl } from './operations/set-acl.ts'
import { readSetData } from './operations/set-data.ts'
import { readSetWatches, type SetWatches } from './operations/set-watches.ts'
import { readSync } from './operations/sync.ts'
import type { ReadRequest } from './read.ts'

interface Header {
  readonly xid: number
  readonly opcode: number
}

/** Everything a client can ask after the handshake. */
export type ClientRequest =
  /** Goes through the log. What is refused at the wire is an `error` operation: it takes a zxid, too. */
  | (Header & { readonly kind: 'write'; readonly operation: Operation })
  | (Header & { readonly kind: 'read'; readonly read: ReadRequest })
  | (Header & { readonly kind: 'sync'; readonly path: string | null })
  | (Header & { readonly kind: 'ping' })
  | (Header & { readonly kind: 'auth' } & Auth)
  | (Header & { readonly kind: 'setWatches' } & SetWatches)
  | (Header & { readonly kind: 'addWatch' } & AddWatch)
  | (Header & { readonly kind: 'removeWatches' } & WatchSelection)
  | (Header & { readonly kind: 'checkWatches' } & WatchSelection)
  | (Header & { readonly kind: 'whoAmI' })
  | (Header & { readonly kind: 'reconfig' } & Reconfig)
  | (Header & { readonly kind: 'sasl'; readonly token: Uint8Array })
  | (Header & { readonly kind: 'closeSession' })
  /** Answered with unimplemented, header zxid -1, then closed (reference B5.16). */
  | (Header & { readonly kind: 'unimplemented' })

export type DecodeFailure =
  /** Not even a header, or nothing in an auth or sasl request: close without an answer. */
  | { readonly kind: 'close' }
  /** The body is shorter than its record, or nonsense: answer with the code, in order; go on. */
  | (Header & { readonly kind: 'malformed'; readonly error: ErrorCode })

type Handler = (reader: JuteReader, xid: number, opcode: number) => ClientRequest | DecodeFailure

const read =
  (readBody: (reader: JuteReader) => ReadRequest): Handler =>
  (reader, xid, opcode) => ({ kind: 'read', xid, opcode, read: readBody(reader) })

const write =
  (readBody: (reader: JuteReader, opcode: number) => Operation): Handler =>
  (reader, xid, opcode) => ({ kind: 'write', xid, opcode, operation: readBody(reader, opcode) })

const bare =
  (kind: 'ping' | 'whoAmI' | 'closeSession' | 'unimplemented'): Handler =>
  (_reader, xid, opcode) => ({ kind, xid, opcode })

/** `check` is missing on purpose: outside a multi ZooKeeper 3.9 takes it for an unknown opcode. */
const HANDLERS: readonly (readonly [opcode: number, handler: Handler])[] = [
  [Opcode.create, write(readCreate)],
  [Opcode.create2, write(readCreate)],
  [Opcode.createContainer, write(readCreate)],
  [Opcode.createTtl, write(readCreate)],
  [Opcode.delete, write(readDelete)],
  [Opcode.setData, write(readSetData)],
  [Opcode.setAcl, write(readSetAcl)],
  [Opcode.multi, write(readMulti)],
  [Opcode.exists, read(readExists)],
  [Opcode.getData, read(readGetData)],
  [Opcode.getAcl, read(readGetAcl)],
  [Opcode.getChildren, read(readGetChildren)],
  [Opcode.getChildren2, read(readGetChildren2)],
  [Opcode.getEphemerals, read(readGetEphemerals)],
  [Opcode.getAllChildrenNumber, read(readGetAllChildrenNumber)],
  [Opcode.multiRead, read(readMultiRead)],
  [Opcode.ping, bare('ping')],
  [Opcode.whoAmI, bare('whoAmI')],
  [Opcode.closeSession, bare('closeSession')],
  [Opcode.sync, (reader, xid, opcode) => ({ kind: 'sync', xid, opcode, path: readSync(reader) })],
  [Opcode.auth, (reader, xid, opcode) => ({ kind: 'auth', xid, opcode, ...readAuth(reader) })],
  [Opcode.sasl, sasl],
  [Opcode.setWatches, setWatches],
  [Opcode.setWatches2, setWatches],
  [
    Opcode.addWatch,
    (reader, xid, opcode) => ({ kind: 'addWatch', xid, opcode, ...readAddWatch(reader) }),
  ],
  [
    Opcode.removeWatches,
    (reader, xid, opcode) => ({
      kind: 'removeWatches',
      xid,
      opcode,
      ...readWatchSelection(reader),
    }),
  ],
  [
    Opcode.checkWatches,
    (reader, xid, opcode) => ({ kind: 'checkWatches', xid, opcode, ...readWatchSelection(reader) }),
  ],
  [
    Opcode.reconfig,
    (reader, xid, opcode) => ({ kind: 'reconfig', xid, opcode, ...readReconfig(reader) }),
  ],
]

/** Handlers by opcode, shifted so that closeSession (-11) is at 0. */
const OPCODE_SHIFT = -Opcode.closeSession
const unimplemented = bare('unimplemented')
const table = handlerTable()
/** Decoding is synchronous and never re-entered, so one reader serves all frames. */
const reader = new JuteReader()

/**
 * Decodes one frame of a client after the handshake (the payload, without its length). Never throws.
 * Bytes after the body are ignored, as ZooKeeper does. Data and credentials are views into `frame`.
 */
export function decodeClientRequest(frame: Uint8Array): ClientRequest | DecodeFailure {
  reader.reset(frame)
  const xid = reader.int()
  const opcode = reader.int()
  if (reader.failed) return { kind: 'close' }
  const handler = table[opcode + OPCODE_SHIFT] ?? unimplemented
  const request = handler(reader, xid, opcode)
  if (!reader.failed) return request
  if (opcode === Opcode.auth || opcode === Opcode.sasl) return { kind: 'close' }
  // The one write that takes a zxid in ZooKeeper though it cannot be read.
  if (opcode === Opcode.multi) return { kind: 'write', xid, opcode, operation: UNREADABLE }
  return { kind: 'malformed', xid, opcode, error: ErrorCode.marshallingError }
}

function setWatches(from: JuteReader, xid: number, opcode: number): ClientRequest {
  return { kind: 'setWatches', xid, opcode, ...readSetWatches(from, opcode) }
}

/** ZooKeeper trips over a null token, and closes. */
function sasl(from: JuteReader, xid: number, opcode: number): ClientRequest | DecodeFailure {
  const token = readSasl(from)
  return token === null ? { kind: 'close' } : { kind: 'sasl', xid, opcode, token }
}

function handlerTable(): Handler[] {
  const size = Math.max(...HANDLERS.map(([opcode]) => opcode)) + OPCODE_SHIFT + 1
  const handlers: Handler[] = new Array<Handler>(size).fill(unimplemented)
  for (const [opcode, handler] of HANDLERS) handlers[opcode + OPCODE_SHIFT] = handler
  return handlers
}
