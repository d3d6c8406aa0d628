import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { adler32 } from '../../../server/migrate/adler32.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { writeAcl, writeStrings } from '../../../server/wire/records.ts'

/** Files of ZooKeeper as small as a test wants them; that real ones are read is a test of its own. */

export const EPOCH = 2 ** 32
const OPEN_ACL = [{ permissions: 31, scheme: 'world', id: 'anyone' }]

/** Of a log's records: what they hold between their checksum and their end. */
export function transaction(
  type: number,
  zxid: number,
  write: (writer: JuteWriter) => void = () => undefined,
  session = 0n,
): Buffer {
  const writer = new JuteWriter()
  writer.bigLong(session)
  writer.int(1)
  writer.long(zxid)
  writer.long(1_000 + (zxid % EPOCH))
  writer.int(type)
  write(writer)
  return Buffer.from(writer.copy())
}

export function createTransaction(
  zxid: number,
  path: string,
  parentCreations: number,
  session = 0n,
): Buffer {
  return transaction(1, zxid, createBody(path, parentCreations, session !== 0n), session)
}

export function createBody(path: string, parentCreations: number, ephemeral = false) {
  return (writer: JuteWriter): void => {
    writer.ustring(path)
    writer.buffer(Buffer.from(`data of ${path}`))
    writeAcl(writer, OPEN_ACL)
    writer.boolean(ephemeral)
    writer.int(parentCreations)
  }
}

export const deleteTransaction = (zxid: number, path: string): Buffer =>
  transaction(2, zxid, (writer) => writer.ustring(path))

export const setDataTransaction = (zxid: number, path: string, version: number): Buffer =>
  transaction(5, zxid, (writer) => {
    writer.ustring(path)
    writer.buffer(Buffer.from(`version ${version}`))
    writer.int(version)
  })

export const setAclTransaction = (zxid: number, path: string, version: number): Buffer =>
  transaction(7, zxid, (writer) => {
    writer.ustring(path)
    writeAcl(writer, [{ permissions: 1, scheme: 'ip', id: '10.0.0.1' }])
    writer.int(version)
  })

export const openSession = (zxid: number, session: bigint): Buffer =>
  transaction(-10, zxid, (writer) => writer.int(30_000), session)

/** `paths` null: a server before 3.6, or one told to leave them out. */
export const closeSession = (
  zxid: number,
  session: bigint,
  paths: readonly string[] | null,
): Buffer =>
  transaction(-11, zxid, (writer) => paths !== null && writeStrings(writer, paths), session)

export function multiTransaction(
  zxid: number,
  parts: readonly { readonly type: number; readonly write: (writer: JuteWriter) => void }[],
): Buffer {
  return transaction(14, zxid, (writer) => {
    writer.int(parts.length)
    for (const { type, write } of parts) {
      const body = new JuteWriter()
      write(body)
      writer.int(type)
      writer.buffer(body.copy())
    }
  })
}

export function record(content: Buffer): Buffer {
  const writer = new JuteWriter()
  writer.long(adler32(content))
  writer.buffer(content)
  writer.byte(0x42)
  return Buffer.from(writer.copy())
}

export function logHeader(): Buffer {
  return header('ZKLG')
}

export function logFile(transactions: readonly Buffer[], paddingBytes = 4096): Buffer {
  return Buffer.concat([logHeader(), ...transactions.map(record), Buffer.alloc(paddingBytes)])
}

function header(magic: string): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.write(magic, 'latin1')
  bytes.writeInt32BE(2, 4)
  return bytes
}

export interface WrittenZnode {
  readonly path: string
  readonly aclNumber?: bigint
  readonly owner?: bigint
  readonly zxid?: number
  readonly creations?: number
}

export interface WrittenSnapshot {
  readonly sessions?: readonly bigint[]
  readonly znodes?: readonly WrittenZnode[]
  /** The zxid of the digest at its end; none when not given. */
  readonly digestZxid?: number
}

/** A snapshot of the given znodes beside those that every tree has. */
export function snapshotFile(options: WrittenSnapshot = {}): Buffer {
  const writer = new JuteWriter()
  writer.raw(header('ZKSN'))
  const sessions = options.sessions ?? []
  writer.int(sessions.length)
  for (const session of sessions) {
    writer.bigLong(session)
    writer.int(30_000)
  }
  writer.int(1)
  writer.long(1)
  writeAcl(writer, [{ permissions: 1, scheme: 'world', id: 'anyone' }])
  const always = ['', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']
  for (const path of always) writeZnode(writer, { path })
  for (const znode of options.znodes ?? []) writeZnode(writer, znode)
  writer.ustring('/')
  seal(writer)
  if (options.digestZxid === undefined) return Buffer.from(writer.copy())
  writer.long(options.digestZxid)
  writer.int(2)
  writer.long(0)
  seal(writer)
  writer.long(options.digestZxid)
  seal(writer)
  return Buffer.from(writer.copy())
}

function writeZnode(writer: JuteWriter, znode: WrittenZnode): void {
  const zxid = znode.zxid ?? 0
  writer.ustring(znode.path)
  writer.buffer(Buffer.from('of the snapshot'))
  writer.bigLong(znode.aclNumber ?? -1n)
  for (const value of [zxid, zxid, 0, 0]) writer.long(value)
  for (const value of [0, znode.creations ?? 0, 0]) writer.int(value)
  writer.bigLong(znode.owner ?? 0n)
  writer.long(zxid)
}

function seal(writer: JuteWriter): void {
  writer.long(adler32(writer.view()))
  writer.ustring('/')
}

/** A data directory of ZooKeeper with these files in its `version-2`. */
export function writeSource(
  directory: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): string {
  const path = join(directory, 'zookeeper')
  mkdirSync(join(path, 'version-2'), { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(path, 'version-2', name), content)
  }
  return path
}
