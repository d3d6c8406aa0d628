import { assert } from '../core/assert.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Batch, CreateMode, Operation, Request } from '../core/machine/operation.ts'
import { type Acl, type Identity, OPEN_ACL } from '../core/tree/acl.ts'
import { JuteReader, type JuteWriter } from './jute.ts'
import { toErrorCode } from './records.ts'

/**
 * The first byte of a batch; a payload that begins with another was written by a newer build. The
 * second form is the first, of a leader that enforces quotas: written from cluster version 2 on.
 */
const FORMAT_VERSION = 1
const ENFORCING_VERSION = 2
/** version, timeMs, count. */
const BATCH_HEADER_BYTES = 13
/** The least a request takes: its length, session, origin, two varints, two counts and a kind. */
const REQUEST_BYTES_MIN = 4

const SYSTEM = { session: 0, origin: 0, connection: 0, ticket: 0 }
const NO_IDENTITIES: readonly Identity[] = []
const UNDECODABLE: Operation = { kind: 'error', code: ErrorCode.marshallingError }

/** Schemes that take one byte; index 0 stands for any other, spelled out. The order is for ever. */
const SCHEMES = ['', 'world', 'ip', 'digest', 'auth', 'x509', 'sasl', 'super'] as const
const MODES: readonly CreateMode[] = ['persistent', 'ephemeral', 'container', 'ttl']

/** The byte of each operation in the log. The numbers are for ever. */
const Kind = {
  create: 1,
  delete: 2,
  setData: 3,
  setAcl: 4,
  check: 5,
  multi: 6,
  deleteContainer: 7,
  createSession: 8,
  attachSession: 9,
  closeSession: 10,
  expireSession: 11,
  setClusterVersion: 12,
  error: 13,
  deleteUnusedContainer: 14,
  setConfig: 15,
  renewSession: 16,
} as const satisfies Record<Operation['kind'], number>

/** Appends a request: its length, then sender, identities and operation. */
export function writeRequest(writer: JuteWriter, request: Request): void {
  const start = writer.beginFrame()
  writer.varint(request.session)
  writer.long(request.origin)
  writer.varint(request.connection)
  writer.varint(request.ticket)
  writeSenders(writer, request.identities)
  writeOperation(writer, request.operation)
  writer.endFrame(start)
}

/**
 * Reads one request, or null when even its length makes no sense (the reader has failed). A request
 * whose inside cannot be read is one that fails with marshallingError, from its sender where that
 * much was readable; the reader stands behind it. Data and passwords are views into the input.
 */
export function readRequest(reader: JuteReader): Request | null {
  const length = reader.int()
  if (length < 0 || length > reader.remaining) reader.fail()
  if (reader.failed) return null
  const outerEnd = reader.narrow(length)
  const session = reader.varint()
  const origin = reader.long()
  const connection = reader.varint()
  const ticket = reader.varint()
  const known = !reader.failed
  const identities = readSenders(reader)
  const operation = readOperation(reader, true)
  const whole = !reader.failed && reader.remaining === 0
  reader.widen(outerEnd)
  if (whole) return { session, origin, connection, ticket, identities, operation }
  const sender = known ? { session, origin, connection, ticket } : SYSTEM
  return { ...sender, identities: NO_IDENTITIES, operation: UNDECODABLE }
}

/**
 * The payload of a `requests` entry. `requests` holds `count` requests as writeRequest wrote them;
 * `timeMs` is a safe integer from 0.
 */
export function encodeBatch(
  timeMs: number,
  count: number,
  requests: Uint8Array,
  enforcesQuotas = false,
): Uint8Array {
  assert(count > 0 && count <= 0x7fff_ffff, 'a batch holds at least one request')
  assert(Number.isSafeInteger(timeMs) && timeMs >= 0, 'a batch is stamped with whole ms')
  const payload = new Uint8Array(BATCH_HEADER_BYTES + requests.length)
  const view = new DataView(payload.buffer)
  view.setUint8(0, enforcesQuotas ? ENFORCING_VERSION : FORMAT_VERSION)
  view.setUint32(1, Math.floor(timeMs / 0x1_0000_0000))
  view.setUint32(5, timeMs >>> 0)
  view.setUint32(9, count)
  payload.set(requests, BATCH_HEADER_BYTES)
  return payload
}

/**
 * Total and deterministic: any bytes give a batch, and the same bytes the same batch on every
 * server. What cannot be read becomes a request that fails with marshallingError: one request, one
 * such; the unreadable rest of a batch, one in all; a batch of an unknown version, one at time 0.
 * Data and passwords are views into the payload: whoever keeps them longer than the entry copies.
 */
export function decodeBatch(payload: Uint8Array): Batch {
  const reader = new JuteReader(payload)
  const version = reader.byte()
  const timeMs = reader.long()
  const count = reader.int()
  const requests: Request[] = []
  const known = version === FORMAT_VERSION || version === ENFORCING_VERSION
  const bad = reader.failed || !known || timeMs < 0
  if (!bad) {
    // A count that cannot fit stops at the first request that is not there.
    const fits = Math.min(count >>> 0, Math.ceil(reader.remaining / REQUEST_BYTES_MIN) + 1)
    for (let i = 0; i < fits; i += 1) {
      const request = readRequest(reader)
      if (request === null) break
      requests.push(request)
    }
  }
  const rest = bad || requests.length !== count || reader.remaining > 0
  if (rest) requests.push({ ...SYSTEM, identities: NO_IDENTITIES, operation: UNDECODABLE })
  const batch = { timeMs: bad ? 0 : timeMs, requests }
  return version === ENFORCING_VERSION && !bad ? { ...batch, enforcesQuotas: true } : batch
}

/** Splits a forward's bytes from its count check: true when they are exactly `count` requests. */
export function holdsRequests(bytes: Uint8Array, count: number): boolean {
  const reader = new JuteReader(bytes)
  for (let i = 0; i < count; i += 1) {
    reader.skip(reader.int())
    if (reader.failed) return false
  }
  return reader.remaining === 0
}

export function writeSenders(writer: JuteWriter, identities: readonly Identity[]): void {
  writer.varint(identities.length)
  for (const identity of identities) writeIdentity(writer, identity)
}

export function readSenders(reader: JuteReader): readonly Identity[] {
  const count = reader.varint()
  if (count > reader.remaining) reader.fail()
  if (count === 0 || reader.failed) return NO_IDENTITIES
  const identities: Identity[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) {
    const scheme = readScheme(reader)
    identities.push({ scheme, id: reader.shortString() })
  }
  return identities
}

function writeIdentity(writer: JuteWriter, identity: Identity): void {
  const known = SCHEMES.indexOf(identity.scheme as (typeof SCHEMES)[number])
  if (known > 0) {
    writer.byte(known)
  } else {
    writer.byte(0)
    writer.shortString(identity.scheme)
  }
  writer.shortString(identity.id)
}

function readScheme(reader: JuteReader): string {
  const known = reader.byte()
  if (known === 0) return reader.shortString()
  const scheme = SCHEMES[known]
  if (scheme === undefined) reader.fail()
  return scheme ?? ''
}

/** 0 is the open ACL that most znodes have, n + 1 a list of n entries. */
export function writeCompactAcl(writer: JuteWriter, acl: Acl): void {
  if (acl === OPEN_ACL) {
    writer.byte(0)
    return
  }
  writer.varint(acl.length + 1)
  for (const entry of acl) {
    writer.int(entry.permissions)
    writeIdentity(writer, entry)
  }
}

/** The open ACL comes back as OPEN_ACL itself. */
export function readCompactAcl(reader: JuteReader): Acl {
  const count = reader.varint()
  if (count === 0) return OPEN_ACL
  if (count - 1 > reader.remaining) reader.fail()
  const acl: { permissions: number; scheme: string; id: string }[] = []
  for (let i = 1; i < count && !reader.failed; i += 1) {
    const permissions = reader.int()
    const scheme = readScheme(reader)
    acl.push({ permissions, scheme, id: reader.shortString() })
  }
  return acl
}

function writeOperation(writer: JuteWriter, operation: Operation): void {
  writer.byte(Kind[operation.kind])
  switch (operation.kind) {
    case 'create':
      writeCreate(writer, operation)
      break
    case 'setData':
      writer.shortString(operation.path)
      writer.buffer(operation.data)
      writer.int(operation.version)
      break
    case 'delete':
    case 'check':
      writer.shortString(operation.path)
      writer.int(operation.version)
      break
    case 'setAcl':
      writer.shortString(operation.path)
      writeCompactAcl(writer, operation.acl)
      writer.int(operation.version)
      break
    case 'multi':
      writer.varint(operation.operations.length)
      for (const item of operation.operations) writeOperation(writer, item)
      break
    case 'deleteContainer':
      writer.shortString(operation.path)
      break
    case 'deleteUnusedContainer':
      writer.shortString(operation.path)
      writer.varint(operation.unusedMs)
      break
    case 'setConfig':
      writer.buffer(operation.servers)
      break
    case 'createSession':
    case 'attachSession':
      writer.int(operation.timeoutMs)
      writer.buffer(operation.password)
      break
    case 'renewSession':
      writer.varint(operation.timeoutMs)
      break
    case 'closeSession':
      break
    case 'expireSession':
      writer.varint(operation.target)
      writer.varint(operation.decidedTerm)
      writer.long(operation.ownerOrigin)
      writer.varint(operation.ownerConnection)
      break
    case 'setClusterVersion':
      writer.varint(operation.version)
      break
    case 'error':
      writer.int(operation.code)
      break
  }
}

function readOperation(reader: JuteReader, outermost: boolean): Operation {
  const kind = reader.byte()
  switch (kind) {
    case Kind.create:
      return readCreate(reader)
    case Kind.setData:
      return {
        kind: 'setData',
        path: reader.shortString(),
        data: reader.buffer(),
        version: reader.int(),
      }
    case Kind.delete:
      return { kind: 'delete', path: reader.shortString(), version: reader.int() }
    case Kind.check:
      return { kind: 'check', path: reader.shortString(), version: reader.int() }
    case Kind.setAcl:
      return {
        kind: 'setAcl',
        path: reader.shortString(),
        acl: readCompactAcl(reader),
        version: reader.int(),
      }
    case Kind.multi:
      // One level only: nested ones would let a payload choose the depth of this recursion.
      return outermost ? readMulti(reader) : refuse(reader)
    case Kind.deleteContainer:
      return { kind: 'deleteContainer', path: reader.shortString() }
    case Kind.deleteUnusedContainer:
      return {
        kind: 'deleteUnusedContainer',
        path: reader.shortString(),
        unusedMs: reader.varint(),
      }
    case Kind.setConfig:
      return { kind: 'setConfig', servers: reader.buffer() ?? new Uint8Array(0) }
    default:
      return readSessionOperation(reader, kind)
  }
}

function readSessionOperation(reader: JuteReader, kind: number): Operation {
  switch (kind) {
    case Kind.createSession:
      return { kind: 'createSession', timeoutMs: reader.int(), password: readPassword(reader) }
    case Kind.attachSession: {
      const timeoutMs = reader.int()
      return { kind: 'attachSession', password: readPassword(reader), timeoutMs }
    }
    case Kind.renewSession:
      return { kind: 'renewSession', timeoutMs: reader.varint() }
    case Kind.closeSession:
      return { kind: 'closeSession' }
    case Kind.expireSession:
      return {
        kind: 'expireSession',
        target: reader.varint(),
        decidedTerm: reader.varint(),
        ownerOrigin: reader.long(),
        ownerConnection: reader.varint(),
      }
    case Kind.setClusterVersion:
      return { kind: 'setClusterVersion', version: reader.varint() }
    case Kind.error:
      return { kind: 'error', code: toErrorCode(reader.int()) }
    default:
      return refuse(reader)
  }
}

function refuse(reader: JuteReader): Operation {
  reader.fail()
  return UNDECODABLE
}

function readPassword(reader: JuteReader): Uint8Array {
  const password = reader.buffer()
  if (password === null) reader.fail()
  return password ?? new Uint8Array(0)
}

function readMulti(reader: JuteReader): Operation {
  const count = reader.varint()
  if (count > reader.remaining) reader.fail()
  const operations: Operation[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) operations.push(readOperation(reader, false))
  return { kind: 'multi', operations }
}

/** Mode, sequential and withStat share a byte: mode in the low two bits, then 4 and 8. */
function writeCreate(writer: JuteWriter, create: Extract<Operation, { kind: 'create' }>): void {
  const mode = MODES.indexOf(create.mode)
  writer.byte(mode | (create.sequential ? 4 : 0) | (create.withStat ? 8 : 0))
  writer.shortString(create.path)
  writer.buffer(create.data)
  writeCompactAcl(writer, create.acl)
  if (create.mode === 'ttl') writer.long(create.ttlMs)
}

function readCreate(reader: JuteReader): Operation {
  const bits = reader.byte()
  const mode = MODES[bits & 3]
  if (mode === undefined || bits > 15) return refuse(reader)
  return {
    kind: 'create',
    path: reader.shortString(),
    data: reader.buffer(),
    acl: readCompactAcl(reader),
    mode,
    sequential: (bits & 4) !== 0,
    ttlMs: mode === 'ttl' ? reader.long() : 0,
    withStat: (bits & 8) !== 0,
  }
}
