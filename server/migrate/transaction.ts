import { type Acl, type AclEntry, OPEN_ACL } from '../core/tree/acl.ts'
import { validatePath } from '../core/tree/path.ts'
import { JuteReader } from '../wire/jute.ts'
import { readStrings } from '../wire/records.ts'

/** The types of ZooKeeper's transactions (ZooDefs.OpCode of 3.9.5). */
const Type = {
  closeSession: -11,
  createSession: -10,
  error: -1,
  create: 1,
  delete: 2,
  setData: 5,
  setAcl: 7,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  createContainer: 19,
  deleteContainer: 20,
  createTtl: 21,
} as const

const DIGEST_BYTES = 12
const ACL_ENTRY_BYTES_MIN = 12

/** What one transaction does to the tree. */
export type Change =
  | {
      readonly kind: 'create'
      readonly path: string
      readonly data: Uint8Array | null
      readonly acl: Acl
      readonly life: 'persistent' | 'ephemeral' | 'container' | 'ttl'
      readonly ttlMs: number
      /** The parent's count of creations from then on; -1: one more. */
      readonly parentCreations: number
    }
  | { readonly kind: 'delete'; readonly path: string }
  | {
      readonly kind: 'setData'
      readonly path: string
      readonly data: Uint8Array | null
      readonly version: number
    }
  | { readonly kind: 'setAcl'; readonly path: string; readonly acl: Acl; readonly version: number }
  | { readonly kind: 'createSession'; readonly timeoutMs: number }
  | { readonly kind: 'closeSession'; readonly paths: readonly string[] }
  | { readonly kind: 'multi'; readonly changes: readonly Change[] }
  | { readonly kind: 'nothing' }

export interface Transaction {
  readonly session: bigint
  readonly zxid: number
  readonly timeMs: number
  readonly change: Change
  /** ZooKeeper's sum over its tree behind this transaction, with its version; null where there is none. */
  readonly digest: { readonly version: number; readonly value: bigint } | null
}

/** What cannot be read, in words; `known` false: it is whole, and of a kind that is not known. */
export interface TransactionRefusal {
  readonly detail: string
  readonly known: boolean
}

/** Reads the content of one record of a log whose checksum was right. Never throws. */
export function decodeTransaction(bytes: Buffer): Transaction | TransactionRefusal {
  const reader = new JuteReader(bytes)
  const session = BigInt(reader.longOrBig())
  reader.int()
  const zxid = reader.longOr(-1)
  const timeMs = reader.longOr(-1)
  const type = reader.int()
  if (reader.failed) return { detail: 'a transaction is too short', known: true }
  if (zxid < 0 || timeMs < 0) {
    const detail = 'a zxid or a time is beyond what this server can keep'
    return { detail, known: false }
  }
  const change = type === Type.closeSession ? readClose(reader, bytes) : readChange(reader, type)
  if (change === null) return { detail: `a transaction of type ${type}`, known: false }
  if (reader.failed || !isSound(change)) {
    return { detail: `a transaction of type ${type} makes no sense`, known: true }
  }
  return { session, zxid, timeMs, change, digest: readDigest(reader, bytes) }
}

/** Null for a type without a meaning. */
function readChange(reader: JuteReader, type: number): Change | null {
  switch (type) {
    case Type.create:
    case Type.create2:
    case Type.createContainer:
    case Type.createTtl:
      return readCreate(reader, type)
    case Type.delete:
    case Type.deleteContainer:
      return { kind: 'delete', path: reader.string() }
    case Type.setData:
    case Type.reconfig: {
      const path = reader.string()
      const data = copied(reader.buffer())
      return { kind: 'setData', path, data, version: reader.int() }
    }
    case Type.setAcl: {
      const path = reader.string()
      const acl = readOpenOrAcl(reader)
      return { kind: 'setAcl', path, acl, version: reader.int() }
    }
    case Type.createSession:
      return { kind: 'createSession', timeoutMs: reader.int() }
    case Type.multi:
      return readMulti(reader)
    case Type.error:
      reader.int()
      return { kind: 'nothing' }
    case Type.check:
      reader.ustring()
      reader.int()
      return { kind: 'nothing' }
    default:
      return null
  }
}

function readCreate(reader: JuteReader, type: number): Change {
  const path = reader.string()
  const data = copied(reader.buffer())
  const acl = readOpenOrAcl(reader)
  const common = { kind: 'create', path, data, acl } as const
  if (type === Type.createContainer) {
    return { ...common, life: 'container', ttlMs: 0, parentCreations: reader.int() }
  }
  if (type === Type.createTtl) {
    const parentCreations = reader.int()
    // Out of range it is ZooKeeper's to refuse, and whoever replays it knows that.
    return { ...common, life: 'ttl', ttlMs: reader.longOr(-1), parentCreations }
  }
  const life = reader.boolean() ? 'ephemeral' : 'persistent'
  // The oldest logs end here.
  const parentCreations = reader.remaining === 0 ? -1 : reader.int()
  return { ...common, life, ttlMs: 0, parentCreations }
}

/** All of them, or nothing when one of them is an error. */
function readMulti(reader: JuteReader): Change | null {
  const count = reader.count(8)
  const changes: Change[] = []
  let failed = false
  for (let i = 0; i < count && !reader.failed; i += 1) {
    const type = reader.int()
    const body = reader.buffer()
    if (type === Type.error) failed = true
    if (reader.failed || body === null) break
    const inner = new JuteReader(body)
    const change = readChange(inner, type)
    if (change === null || change.kind === 'multi') return null
    if (inner.failed) reader.fail()
    changes.push(change)
  }
  return failed ? { kind: 'nothing' } : { kind: 'multi', changes }
}

/**
 * The paths of its ephemerals follow since 3.6, unless that is switched off; then the digest stands
 * where they would begin.
 */
function readClose(reader: JuteReader, bytes: Buffer): Change {
  const { position, remaining } = reader
  if (remaining === 0) return { kind: 'closeSession', paths: [] }
  const paths = readStrings(reader)
  const whole = !reader.failed && (reader.remaining === 0 || reader.remaining === DIGEST_BYTES)
  if (whole && paths.every((path) => path.startsWith('/'))) return { kind: 'closeSession', paths }
  reader.reset(bytes, position)
  return { kind: 'closeSession', paths: [] }
}

function readDigest(reader: JuteReader, bytes: Buffer): Transaction['digest'] {
  if (reader.remaining < DIGEST_BYTES) return null
  const { position } = reader
  return { version: bytes.readInt32BE(position), value: bytes.readBigInt64BE(position + 4) }
}

/** A null list is open to everyone, as in ZooKeeper; an empty one to nobody. */
function readOpenOrAcl(reader: JuteReader): Acl {
  const count = reader.int()
  if (count === -1) return OPEN_ACL
  if (count < 0 || count * ACL_ENTRY_BYTES_MIN > reader.remaining) reader.fail()
  const acl: AclEntry[] = []
  for (let i = 0; i < count && !reader.failed; i += 1) {
    const permissions = reader.int()
    const scheme = reader.ustring() ?? ''
    acl.push({ permissions, scheme, id: reader.ustring() ?? '' })
  }
  return acl
}

function copied(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : Buffer.from(bytes)
}

function isSound(change: Change): boolean {
  switch (change.kind) {
    case 'create':
    case 'delete':
      return change.path !== '/' && validatePath(change.path)
    case 'closeSession':
      return change.paths.every((path) => path !== '/' && validatePath(path))
    case 'multi':
      return change.changes.every(isSound)
    default:
      return true
  }
}
