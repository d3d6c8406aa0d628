import { AssertionError, unreachable } from '../core/assert.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { OperationResult } from '../core/machine/operation.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { Stat } from '../core/tree/stat.ts'
import type { WatchEvent } from '../core/watch/watch.ts'
import type { JuteWriter } from './jute.ts'
import { Xid } from './opcode.ts'
import { writeAddWatchReply } from './operations/add-watch.ts'
import { writeCreateReply } from './operations/create.ts'
import { writeExistsReply } from './operations/exists.ts'
import { writeGetAclReply } from './operations/get-acl.ts'
import { writeGetAllChildrenNumberReply } from './operations/get-all-children-number.ts'
import { writeGetChildrenReply } from './operations/get-children.ts'
import { writeGetChildren2Reply } from './operations/get-children2.ts'
import { writeGetDataReply } from './operations/get-data.ts'
import { writeGetEphemeralsReply } from './operations/get-ephemerals.ts'
import { writeMultiReply } from './operations/multi.ts'
import { writeMultiReadReply } from './operations/multi-read.ts'
import { writeSasl } from './operations/sasl.ts'
import { writeSetAclReply } from './operations/set-acl.ts'
import { writeSetDataReply } from './operations/set-data.ts'
import { writeSync } from './operations/sync.ts'
import { writeWhoAmIReply } from './operations/who-am-i.ts'
import type { ReadResult } from './read.ts'
import { writeStat } from './records.ts'

/*
 * The server's side of replies. Every exported write… except writeReplyHeader and writeResult
 * appends one whole frame, length and all, to a writer that gathers a connection's turn.
 */

/** The only state the server puts into an event: SyncConnected. */
const SYNC_CONNECTED = 3
const REPLY_HEADER_BYTES = 16

/** xid, zxid, err: the head of every reply, without the frame's length. */
function writeReplyHeader(writer: JuteWriter, xid: number, zxid: number, error: number): void {
  writer.int(xid)
  writer.long(zxid)
  writer.int(error)
}

/**
 * The body of a successful write, whose shape follows from the opcode (create gives the path, create2
 * and its kin path and Stat). No body: delete, check, closeSession.
 */
function writeResult(writer: JuteWriter, opcode: number, result: OperationResult): void {
  switch (result.kind) {
    case 'create':
      writeCreateReply(writer, opcode, result)
      break
    case 'setData':
      writeSetDataReply(writer, result)
      break
    case 'setAcl':
      writeSetAclReply(writer, result)
      break
    case 'multi':
      writeMultiReply(writer, result)
      break
    case 'delete':
    case 'check':
    case 'none':
      break
    case 'session':
    case 'error':
      throw new AssertionError(`a reply has no body for ${result.kind}`)
    default:
      unreachable(result)
  }
}

/**
 * A reply that has a header alone: errors (no client reads a body then), delete, check, auth,
 * setWatches, removeWatches, closeSession.
 */
export function writeHeaderReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  error: number,
): void {
  writer.int(REPLY_HEADER_BYTES)
  writeReplyHeader(writer, xid, zxid, error)
}

/**
 * The answer to a write. A multi that failed is no error of the reply: its header says 0 and its
 * results tell (reference B4); any other error is a header alone.
 */
export function writeWriteReply(
  writer: JuteWriter,
  opcode: number,
  xid: number,
  zxid: number,
  error: number,
  result: OperationResult,
): void {
  const multi = result.kind === 'multi'
  if (error !== ErrorCode.ok && !multi) {
    writeHeaderReply(writer, xid, zxid, error)
    return
  }
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writeResult(writer, opcode, result)
  writer.endFrame(frame)
}

/** The answer to any read; an `error` result is a header alone. */
export function writeReadReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  result: ReadResult,
): void {
  if (result.kind === 'error') {
    writeHeaderReply(writer, xid, zxid, result.code)
    return
  }
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writeReadResult(writer, result)
  writer.endFrame(frame)
}

/** getData, and reconfig, whose answer is the configuration znode. */
export function writeDataReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  data: Uint8Array | null,
  stat: Stat,
): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writer.buffer(data)
  writeStat(writer, stat)
  writer.endFrame(frame)
}

export function writeSyncReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  path: string | null,
): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writeSync(writer, path)
  writer.endFrame(frame)
}

export function writeAddWatchedReply(writer: JuteWriter, xid: number, zxid: number): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writeAddWatchReply(writer)
  writer.endFrame(frame)
}

export function writeIdentitiesReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  identities: readonly Identity[],
): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, ErrorCode.ok)
  writeWhoAmIReply(writer, identities)
  writer.endFrame(frame)
}

/** The answer to sasl: the one that has a body also where the error is not 0. */
export function writeSaslReply(
  writer: JuteWriter,
  xid: number,
  zxid: number,
  error: number,
  token: Uint8Array | null,
): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, xid, zxid, error)
  writeSasl(writer, token)
  writer.endFrame(frame)
}

/** The answer to a ping: 20 bytes with the length, always the same but for the zxid. */
export function writePingReply(writer: JuteWriter, zxid: number): void {
  writeHeaderReply(writer, Xid.ping, zxid, ErrorCode.ok)
}

/**
 * The answer to auth, zxid 0 as ZooKeeper has it; authFailed is followed by a close. The xid is the
 * client's: -4 for most, but go-zookeeper/zk numbers it as any other request and waits for that number.
 */
export function writeAuthReply(writer: JuteWriter, xid: number, error: number): void {
  writeHeaderReply(writer, xid, 0, error)
}

/** A watch event. The header carries the zxid that set it off (3.9; -1 up to 3.8). */
export function writeNotification(writer: JuteWriter, event: WatchEvent): void {
  const frame = writer.beginFrame()
  writeReplyHeader(writer, Xid.notification, event.zxid, ErrorCode.ok)
  writer.int(event.type)
  writer.int(SYNC_CONNECTED)
  writer.ustring(event.path)
  writer.endFrame(frame)
}

/** The answer to an opcode without a meaning: header zxid -1; the connection is closed after it. */
export function writeUnimplementedReply(writer: JuteWriter, xid: number): void {
  writeHeaderReply(writer, xid, -1, ErrorCode.unimplemented)
}

function writeReadResult(writer: JuteWriter, result: ReadResult): void {
  switch (result.kind) {
    case 'exists':
      writeExistsReply(writer, result)
      break
    case 'getData':
      writeGetDataReply(writer, result)
      break
    case 'getAcl':
      writeGetAclReply(writer, result)
      break
    case 'getChildren':
      writeGetChildrenReply(writer, result)
      break
    case 'getChildren2':
      writeGetChildren2Reply(writer, result)
      break
    case 'getEphemerals':
      writeGetEphemeralsReply(writer, result)
      break
    case 'getAllChildrenNumber':
      writeGetAllChildrenNumberReply(writer, result)
      break
    case 'multiRead':
      writeMultiReadReply(writer, result)
      break
    case 'error':
      throw new AssertionError('an error has no body')
    default:
      unreachable(result)
  }
}
