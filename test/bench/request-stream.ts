import { ErrorCode } from '../../server/core/machine/error-code.ts'
import { plainCreate } from '../../server/core/machine/operation.ts'
import { encodeRead, encodeWrite } from '../../server/wire/client-codec.ts'
import { JuteWriter } from '../../server/wire/jute.ts'

export const VALUE_BYTES = 100
/** Keys and counters are written with this many digits, so that a request keeps its length. */
const DIGITS = 8
const PATH_AT = 16
const STAT_BYTES = 68
/** Offsets in the bytes of a Stat. */
const MZXID_AT = 8
const DATA_LENGTH_AT = 52

/**
 * Requests of one kind that differ in a number alone. They are encoded once, by the server's own
 * codecs, and patched: what a load generator spends on a request, the servers cannot have.
 */
export interface RequestStream {
  readonly bytes: number
  /** An error that is as good as none; 0: there is no such error. */
  readonly tolerated: number
  /** Writes the request under `xid` with `key` at `at` of the target. */
  write(target: Buffer, at: number, xid: number, key: number): void
  /** What is wrong with the reply's body from `at` to `end`; null when it is as it must be. */
  verify(reply: Buffer, at: number, end: number, key: number, zxidAt: number): string | null
}

/** getData of `<parent>/<key>`, whose data begin with the key. */
export function getRequests(parent: string): RequestStream {
  const path = pathOf(parent)
  const template = encoded((writer) =>
    encodeRead(writer, 0, { kind: 'getData', path, watch: false }),
  )
  const keyAt = PATH_AT + path.length - DIGITS
  return {
    bytes: template.length,
    tolerated: 0,
    write: (target, at, xid, key) => patch(template, keyAt, -1, target, at, xid, key),
    verify: (reply, at, end, key) => {
      if (end - at !== 4 + VALUE_BYTES + STAT_BYTES) return `a body of ${end - at} bytes`
      if (reply.readInt32BE(at) !== VALUE_BYTES) return 'data of another length'
      return digitsAt(reply, at + 4) === key ? null : 'data of another znode'
    },
  }
}

/** setData of `<parent>/<key>` at any version. */
export function setRequests(parent: string): RequestStream {
  const path = pathOf(parent)
  const data = dataOf(0)
  const template = encoded((writer) =>
    encodeWrite(writer, 0, { kind: 'setData', path, data, version: -1 }),
  )
  const keyAt = PATH_AT + path.length - DIGITS
  const dataAt = PATH_AT + path.length + 4
  return {
    bytes: template.length,
    tolerated: 0,
    write: (target, at, xid, key) => patch(template, keyAt, dataAt, target, at, xid, key),
    verify: (reply, at, end, _key, zxidAt) => {
      if (end - at !== STAT_BYTES) return `a body of ${end - at} bytes`
      if (reply.readInt32BE(at + DATA_LENGTH_AT) !== VALUE_BYTES) return 'data of another length'
      const own = reply.compare(reply, zxidAt, zxidAt + 8, at + MZXID_AT, at + MZXID_AT + 8) === 0
      return own ? null : 'a Stat that another write made'
    },
  }
}

/** create of `<parent>/<prefix><key>`. */
export function createRequests(parent: string, prefix: string): RequestStream {
  const path = pathOf(parent, prefix)
  const template = createOf(path, dataOf(0))
  const keyAt = PATH_AT + path.length - DIGITS
  const dataAt = PATH_AT + path.length + 4
  return {
    bytes: template.length,
    tolerated: 0,
    write: (target, at, xid, key) => patch(template, keyAt, dataAt, target, at, xid, key),
    verify: (reply, at, end, key) => {
      if (end - at !== 4 + path.length || reply.readInt32BE(at) !== path.length) {
        return `a body of ${end - at} bytes`
      }
      return digitsAt(reply, end - DIGITS) === key ? null : 'the path of another znode'
    },
  }
}

/** create of one znode without data, which may exist already. */
export function ensureRequest(path: string): RequestStream {
  const template = createOf(path, null)
  return {
    bytes: template.length,
    tolerated: ErrorCode.nodeExists,
    write: (target, at, xid) => {
      target.set(template, at)
      writeXid(target, at, xid)
    },
    verify: () => null,
  }
}

/** delete of what `createRequests` made. */
export function deleteRequests(parent: string, prefix: string): RequestStream {
  const path = pathOf(parent, prefix)
  const template = encoded((writer) =>
    encodeWrite(writer, 0, { kind: 'delete', path, version: -1 }),
  )
  const keyAt = PATH_AT + path.length - DIGITS
  return {
    bytes: template.length,
    tolerated: 0,
    write: (target, at, xid, key) => patch(template, keyAt, -1, target, at, xid, key),
    verify: (_reply, at, end) => (end === at ? null : `a body of ${end - at} bytes`),
  }
}

/** The data of a znode: its key, then filling. */
function dataOf(key: number): Buffer {
  return Buffer.from(String(key).padStart(DIGITS, '0').padEnd(VALUE_BYTES, '.'), 'latin1')
}

function pathOf(parent: string, prefix = ''): string {
  return `${parent}/${prefix}${'0'.repeat(DIGITS)}`
}

function createOf(path: string, data: Uint8Array | null): Buffer {
  return encoded((writer) => encodeWrite(writer, 0, plainCreate(path, data)))
}

function encoded(encode: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter(512)
  encode(writer)
  return writer.copy()
}

function patch(
  template: Buffer,
  keyAt: number,
  dataAt: number,
  target: Buffer,
  at: number,
  xid: number,
  key: number,
): void {
  target.set(template, at)
  writeXid(target, at, xid)
  writeDigits(target, at + keyAt, key)
  if (dataAt >= 0) writeDigits(target, at + dataAt, key)
}

function writeXid(target: Buffer, at: number, xid: number): void {
  target[at + 4] = xid >>> 24
  target[at + 5] = xid >>> 16
  target[at + 6] = xid >>> 8
  target[at + 7] = xid
}

function writeDigits(target: Buffer, at: number, value: number): void {
  let rest = value
  for (let i = DIGITS - 1; i >= 0; i -= 1) {
    const next = (rest / 10) | 0
    target[at + i] = 48 + rest - next * 10
    rest = next
  }
}

function digitsAt(bytes: Buffer, at: number): number {
  let value = 0
  for (let i = 0; i < DIGITS; i += 1) value = value * 10 + (bytes[at + i] ?? 0) - 48
  return value
}
