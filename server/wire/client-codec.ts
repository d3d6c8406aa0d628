import { unreachable } from '../core/assert.ts'
import type { OperationResult } from '../core/machine/operation.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { ClientRequest } from './client-request.ts'
import { JuteReader, type JuteWriter } from './jute.ts'
import { Opcode, Xid } from './opcode.ts'
import { readAddWatchReply, writeAddWatch } from './operations/add-watch.ts'
import { writeAuth } from './operations/auth.ts'
import { writeCheck } from './operations/check.ts'
import { createOpcode, readCreateReply, writeCreate } from './operations/create.ts'
import { writeDelete } from './operations/delete.ts'
import { readExistsReply, writeExists } from './operations/exists.ts'
import { readGetAclReply, writeGetAcl } from './operations/get-acl.ts'
import {
  readGetAllChildrenNumberReply,
  writeGetAllChildrenNumber,
} from './operations/get-all-children-number.ts'
import { readGetChildrenReply, writeGetChildren } from './operations/get-children.ts'
import { readGetChildren2Reply, writeGetChildren2 } from './operations/get-children2.ts'
import { readGetDataReply, writeGetData } from './operations/get-data.ts'
import { readGetEphemeralsReply, writeGetEphemerals } from './operations/get-ephemerals.ts'
import { readMultiReply, writeMulti } from './operations/multi.ts'
import { readMultiReadReply, writeMultiRead } from './operations/multi-read.ts'
import { writeReconfig } from './operations/reconfig.ts'
import { writeWatchSelection } from './operations/remove-watches.ts'
import { readSasl, writeSasl } from './operations/sasl.ts'
import { readSetAclReply, writeSetAcl } from './operations/set-acl.ts'
import { readSetDataReply, writeSetData } from './operations/set-data.ts'
import { writeSetWatches } from './operations/set-watches.ts'
import { readSync, writeSync } from './operations/sync.ts'
import { readWhoAmIReply } from './operations/who-am-i.ts'
import type { ReadRequest, ReadResult } from './read.ts'

/** What a reply's body holds, by the opcode of its request; `none` where there is no body. */
export type ReplyBody =
  | OperationResult
  | ReadResult
  | { readonly kind: 'sync'; readonly path: string | null }
  | { readonly kind: 'whoAmI'; readonly identities: readonly Identity[] }
  | { readonly kind: 'sasl'; readonly token: Uint8Array | null }
  | { readonly kind: 'reconfig'; readonly data: Uint8Array | null; readonly stat: Stat }

/** One frame from a server after the handshake. */
export type ServerFrame =
  | {
      readonly kind: 'notification'
      readonly zxid: number
      readonly type: number
      readonly state: number
      readonly path: string
    }
  | {
      readonly kind: 'reply'
      readonly xid: number
      readonly zxid: number
      /** ZooKeeper's code as a number; other servers may send ones we do not know. */
      readonly error: number
      /** Null exactly when `error` is not 0. */
      readonly body: ReplyBody | null
    }

const NONE: ReplyBody = { kind: 'none' }

/** The opcode of the read. */
export const READ_OPCODES = {
  exists: Opcode.exists,
  getData: Opcode.getData,
  getAcl: Opcode.getAcl,
  getChildren: Opcode.getChildren,
  getChildren2: Opcode.getChildren2,
  getEphemerals: Opcode.getEphemerals,
  getAllChildrenNumber: Opcode.getAllChildrenNumber,
  multiRead: Opcode.multiRead,
} as const satisfies Record<ReadRequest['kind'], number>

/** The opcode that carries a write of a client. */
export function writeOpcode(operation: ClientWrite): number {
  switch (operation.kind) {
    case 'create':
      return createOpcode(operation)
    case 'delete':
      return Opcode.delete
    case 'setData':
      return Opcode.setData
    case 'setAcl':
      return Opcode.setAcl
    case 'check':
      return Opcode.check
    case 'multi':
      return Opcode.multi
    default:
      return unreachable(operation)
  }
}

/** The operations that a client can send. */
export type ClientWrite = Extract<
  Extract<ClientRequest, { kind: 'write' }>['operation'],
  { kind: 'create' | 'delete' | 'setData' | 'setAcl' | 'check' | 'multi' }
>

/** What encodeClientRequest takes: as decoded, but for what only a server's side can hold. */
export type SentRequest =
  | Exclude<ClientRequest, { kind: 'write' | 'unimplemented' }>
  | (Omit<Extract<ClientRequest, { kind: 'write' }>, 'operation'> & {
      readonly operation: ClientWrite
    })

/** Appends a request as a length-prefixed frame; its opcode decides the shape of the body. */
export function encodeClientRequest(writer: JuteWriter, request: SentRequest): void {
  const frame = writer.beginFrame()
  writer.int(request.xid)
  writer.int(request.opcode)
  writeBody(writer, request)
  writer.endFrame(frame)
}

/** Appends a write under `xid` with the opcode that fits it. */
export function encodeWrite(writer: JuteWriter, xid: number, operation: ClientWrite): void {
  encodeClientRequest(writer, { kind: 'write', xid, opcode: writeOpcode(operation), operation })
}

/** Appends a read under `xid`. */
export function encodeRead(writer: JuteWriter, xid: number, read: ReadRequest): void {
  encodeClientRequest(writer, { kind: 'read', xid, opcode: READ_OPCODES[read.kind], read })
}

/** Appends a ping. */
export function encodePing(writer: JuteWriter): void {
  writer.int(8)
  writer.int(Xid.ping)
  writer.int(Opcode.ping)
}

/**
 * Decodes a frame of a server (the payload, without its length). `opcodeOf` tells which opcode an
 * xid was sent with; undefined for one that awaits no answer. Null: the frame makes no sense to this
 * client, which then closes. Data are views into `frame`.
 */
export function decodeServerFrame(
  frame: Uint8Array,
  opcodeOf: (xid: number) => number | undefined,
): ServerFrame | null {
  const reader = new JuteReader(frame)
  const xid = reader.int()
  const zxid = reader.longClamped()
  const error = reader.int()
  if (reader.failed) return null
  if (xid === Xid.notification) {
    const type = reader.int()
    const state = reader.int()
    const path = reader.ustring() ?? ''
    return reader.failed ? null : { kind: 'notification', zxid, type, state, path }
  }
  if (error !== 0) return { kind: 'reply', xid, zxid, error, body: null }
  const opcode = opcodeOf(xid)
  if (opcode === undefined) return null
  const body = readBody(reader, opcode)
  return reader.failed ? null : { kind: 'reply', xid, zxid, error, body }
}

function writeBody(writer: JuteWriter, request: SentRequest): void {
  switch (request.kind) {
    case 'write':
      writeOperationBody(writer, request.opcode, request.operation)
      break
    case 'read':
      writeReadBody(writer, request.read)
      break
    case 'sync':
      writeSync(writer, request.path)
      break
    case 'auth':
      writeAuth(writer, request)
      break
    case 'setWatches':
      writeSetWatches(writer, request.opcode, request)
      break
    case 'addWatch':
      writeAddWatch(writer, request)
      break
    case 'removeWatches':
    case 'checkWatches':
      writeWatchSelection(writer, request)
      break
    case 'reconfig':
      writeReconfig(writer, request)
      break
    case 'sasl':
      writeSasl(writer, request.token)
      break
    case 'ping':
    case 'whoAmI':
    case 'closeSession':
      break
    default:
      unreachable(request)
  }
}

function writeOperationBody(writer: JuteWriter, opcode: number, operation: ClientWrite): void {
  switch (operation.kind) {
    case 'create':
      writeCreate(writer, opcode, operation)
      break
    case 'delete':
      writeDelete(writer, operation)
      break
    case 'setData':
      writeSetData(writer, operation)
      break
    case 'setAcl':
      writeSetAcl(writer, operation)
      break
    case 'check':
      writeCheck(writer, operation)
      break
    case 'multi':
      writeMulti(writer, operation)
      break
    default:
      unreachable(operation)
  }
}

function writeReadBody(writer: JuteWriter, read: ReadRequest): void {
  switch (read.kind) {
    case 'exists':
      writeExists(writer, read)
      break
    case 'getData':
      writeGetData(writer, read)
      break
    case 'getAcl':
      writeGetAcl(writer, read)
      break
    case 'getChildren':
      writeGetChildren(writer, read)
      break
    case 'getChildren2':
      writeGetChildren2(writer, read)
      break
    case 'getEphemerals':
      writeGetEphemerals(writer, read)
      break
    case 'getAllChildrenNumber':
      writeGetAllChildrenNumber(writer, read)
      break
    case 'multiRead':
      writeMultiRead(writer, read)
      break
    default:
      unreachable(read)
  }
}

type BodyReader = (reader: JuteReader, opcode: number) => ReplyBody

const BODIES = new Map<number, BodyReader>([
  [Opcode.create, readCreateReply],
  [Opcode.create2, readCreateReply],
  [Opcode.createContainer, readCreateReply],
  [Opcode.createTtl, readCreateReply],
  [Opcode.delete, () => ({ kind: 'delete' })],
  [Opcode.check, () => ({ kind: 'check' })],
  [Opcode.setData, readSetDataReply],
  [Opcode.setAcl, readSetAclReply],
  [Opcode.multi, readMultiReply],
  [Opcode.exists, readExistsReply],
  [Opcode.getData, readGetDataReply],
  [Opcode.getAcl, readGetAclReply],
  [Opcode.getChildren, readGetChildrenReply],
  [Opcode.getChildren2, readGetChildren2Reply],
  [Opcode.getEphemerals, readGetEphemeralsReply],
  [Opcode.getAllChildrenNumber, readGetAllChildrenNumberReply],
  [Opcode.multiRead, readMultiReadReply],
  [
    Opcode.addWatch,
    (reader) => {
      readAddWatchReply(reader)
      return NONE
    },
  ],
  [Opcode.sync, (reader) => ({ kind: 'sync', path: readSync(reader) })],
  [Opcode.whoAmI, (reader) => ({ kind: 'whoAmI', identities: readWhoAmIReply(reader) })],
  [Opcode.sasl, (reader) => ({ kind: 'sasl', token: readSasl(reader) })],
  [Opcode.reconfig, (reader) => ({ ...readGetDataReply(reader), kind: 'reconfig' })],
])

function readBody(reader: JuteReader, opcode: number): ReplyBody {
  return BODIES.get(opcode)?.(reader, opcode) ?? NONE
}
