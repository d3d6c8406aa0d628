import { unreachable } from '../core/assert.ts'
import type { SnapshotRecord } from '../core/machine/snapshot.ts'
import type { Session } from '../core/session/session-table.ts'
import type { Znode, ZnodeMode } from '../core/tree/tree.ts'
import { JuteReader, type JuteWriter } from './jute.ts'
import { readCompactAcl, writeCompactAcl } from './request-codec.ts'

/** The byte of each kind of record. The numbers are for ever. */
const Kind = { header: 1, session: 2, znode: 3, footer: 4 } as const satisfies Record<
  SnapshotRecord['kind'],
  number
>

const MODES: readonly ZnodeMode[] = [0, 1, 2, 3]

/** Appends a record: its length, its kind, its fields. The header's own form never changes. */
export function encodeSnapshotRecord(writer: JuteWriter, record: SnapshotRecord): void {
  const start = writer.beginFrame()
  writer.byte(Kind[record.kind])
  switch (record.kind) {
    case 'header':
      writer.varint(record.formatVersion)
      writer.varint(record.index)
      writer.varint(record.term)
      writer.varint(record.zxid)
      writer.varint(record.timeMs)
      writer.varint(record.clusterVersion)
      break
    case 'session':
      writeSession(writer, record.session)
      break
    case 'znode':
      writeZnode(writer, record.znode)
      break
    case 'footer':
      writer.varint(record.sessions)
      writer.varint(record.znodes)
      writer.shortString(record.digest)
      break
    default:
      unreachable(record)
  }
  writer.endFrame(start)
}

/**
 * The records of a block, one by one. Never throws: it ends before the first record that makes no
 * sense, and the footer's counts and digest then tell that something is missing. Data and passwords
 * are views into `bytes`.
 */
export function* decodeSnapshotRecords(bytes: Uint8Array): Generator<SnapshotRecord, void> {
  const reader = new JuteReader(bytes)
  while (reader.remaining > 0) {
    const length = reader.int()
    if (reader.failed || length < 0 || length > reader.remaining) return
    const outer = reader.narrow(length)
    const record = readRecord(reader)
    const whole = !reader.failed && reader.remaining === 0
    reader.widen(outer)
    if (record === null || !whole) return
    yield record
  }
}

function readRecord(reader: JuteReader): SnapshotRecord | null {
  switch (reader.byte()) {
    case Kind.header:
      return {
        kind: 'header',
        formatVersion: reader.varint(),
        index: reader.varint(),
        term: reader.varint(),
        zxid: reader.varint(),
        timeMs: reader.varint(),
        clusterVersion: reader.varint(),
      }
    case Kind.session:
      return { kind: 'session', session: readSession(reader) }
    case Kind.znode:
      return { kind: 'znode', znode: readZnode(reader) }
    case Kind.footer:
      return {
        kind: 'footer',
        sessions: reader.varint(),
        znodes: reader.varint(),
        digest: reader.shortString(),
      }
    default:
      return null
  }
}

function writeSession(writer: JuteWriter, session: Session): void {
  writer.varint(session.id)
  writer.int(session.timeoutMs)
  writer.buffer(session.password)
  writer.varint(session.origin)
  writer.varint(session.connection)
}

function readSession(reader: JuteReader): Session {
  const id = reader.varint()
  const timeoutMs = reader.int()
  const password = reader.buffer()
  if (password === null) reader.fail()
  return {
    id,
    timeoutMs,
    password: password ?? new Uint8Array(0),
    origin: reader.varint(),
    connection: reader.varint(),
  }
}

function writeZnode(writer: JuteWriter, znode: Znode): void {
  writer.shortString(znode.path)
  writer.buffer(znode.data)
  writeCompactAcl(writer, znode.acl)
  writer.byte(znode.mode)
  writer.varint(znode.ttlMs)
  writer.varint(znode.owner)
  writer.varint(znode.czxid)
  writer.varint(znode.mzxid)
  writer.varint(znode.pzxid)
  writer.varint(znode.ctimeMs)
  writer.varint(znode.mtimeMs)
  writer.int(znode.version)
  writer.int(znode.aversion)
  writer.int(znode.creations)
}

function readZnode(reader: JuteReader): Znode {
  const path = reader.shortString()
  const data = reader.buffer()
  const acl = readCompactAcl(reader)
  const mode = MODES[reader.byte()]
  if (mode === undefined) reader.fail()
  return {
    path,
    data,
    acl,
    mode: mode ?? 0,
    ttlMs: reader.varint(),
    owner: reader.varint(),
    czxid: reader.varint(),
    mzxid: reader.varint(),
    pzxid: reader.varint(),
    ctimeMs: reader.varint(),
    mtimeMs: reader.varint(),
    version: reader.int(),
    aversion: reader.int(),
    creations: reader.int(),
  }
}
