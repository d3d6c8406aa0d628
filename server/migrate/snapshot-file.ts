import { type Acl, OPEN_ACL } from '../core/tree/acl.ts'
import { validatePath } from '../core/tree/path.ts'
import { limits } from '../limits.ts'
import { JuteReader } from '../wire/jute.ts'
import { ByteWindow } from './byte-window.ts'
import { fileChunks } from './file-chunks.ts'
import { damaged, unsupported } from './refusals.ts'
import { SourceTree, type SourceZnode } from './source-tree.ts'

const MAGIC = 'ZKSN'
const VERSION = 2
const HEADER_BYTES = 16
/** ACL number, czxid, mzxid, ctime, mtime, version, cversion, aversion, owner, pzxid. */
const STAT_BYTES = 68
const OPEN_ACL_NUMBER = -1n
/** A checksum and the path "/", which end the tree and each of the parts behind it. */
const SEAL_BYTES = 13
const DIGEST_BYTES = 20
const LAST_ZXID_BYTES = 8
/** Where digests have their present form. */
const DIGEST_VERSION = 2

/** ZooKeeper's own sum over the tree after one transaction (DigestCalculator of 3.9.5). */
export interface TreeDigest {
  readonly zxid: number
  readonly version: number
  readonly value: bigint
}

export interface SourceSnapshot {
  readonly tree: SourceTree
  /** Of the moment when the last znode was written; null where ZooKeeper kept none. */
  readonly digest: TreeDigest | null
}

/**
 * Reads one snapshot file (FileSnap of 3.9.5) and verifies it to its last byte. Rejects with a
 * CodedError that names file and offset.
 */
export async function readSnapshotFile(path: string): Promise<SourceSnapshot> {
  const window = new ByteWindow(path, fileChunks(path))
  try {
    const reader = new SnapshotFileReader(path, window)
    return await reader.read()
  } finally {
    await window.close()
  }
}

class SnapshotFileReader {
  readonly #path: string
  readonly #window: ByteWindow
  readonly #tree = new SourceTree()
  readonly #acls = new Map<bigint, Acl>([[OPEN_ACL_NUMBER, OPEN_ACL]])

  constructor(path: string, window: ByteWindow) {
    this.#path = path
    this.#window = window
  }

  async read(): Promise<SourceSnapshot> {
    await this.#readHeader()
    await this.#readSessions()
    await this.#readAcls()
    await this.#readZnodes()
    await this.#readSeal()
    const digest = await this.#readDigest()
    return { tree: this.#tree, digest }
  }

  #damage(detail: string, at = this.#window.position): Error {
    return damaged(this.#path, at, detail)
  }

  async #readHeader(): Promise<void> {
    const header = await this.#window.take(HEADER_BYTES)
    if (header.toString('latin1', 0, 4) !== MAGIC) throw this.#damage('this is no snapshot', 0)
    const version = header.readInt32BE(4)
    if (version !== VERSION) throw unsupported(this.#path, 4, `snapshot format ${version}`)
  }

  async #int(): Promise<number> {
    return (await this.#window.take(4)).readInt32BE(0)
  }

  async #count(): Promise<number> {
    const count = await this.#int()
    if (count < 0) throw this.#damage('a count makes no sense', this.#window.position - 4)
    return count
  }

  /** A length and so many bytes; null for -1. */
  async #buffer(): Promise<Buffer | null> {
    const length = await this.#int()
    if (length === -1) return null
    if (length < 0 || length > limits.migratedRecordBytesMax) {
      throw this.#damage('a length makes no sense', this.#window.position - 4)
    }
    return await this.#window.take(length)
  }

  async #readSessions(): Promise<void> {
    const count = await this.#count()
    for (let i = 0; i < count; i += 1) {
      const session = await this.#window.take(12)
      this.#tree.sessions.set(session.readBigInt64BE(0), session.readInt32BE(8))
    }
  }

  async #readAcls(): Promise<void> {
    const count = await this.#count()
    for (let i = 0; i < count; i += 1) {
      const number = (await this.#window.take(8)).readBigInt64BE(0)
      const entries = await this.#count()
      const acl: { permissions: number; scheme: string; id: string }[] = []
      for (let entry = 0; entry < entries; entry += 1) {
        const permissions = await this.#int()
        const scheme = (await this.#buffer())?.toString() ?? ''
        acl.push({ permissions, scheme, id: (await this.#buffer())?.toString() ?? '' })
      }
      this.#acls.set(number, acl)
    }
  }

  /** Each under its path, parents before children; the root's is empty, and "/" ends the list. */
  async #readZnodes(): Promise<void> {
    for (;;) {
      const at = this.#window.position
      const path = (await this.#buffer())?.toString()
      if (path === '/') break
      if (path === undefined || (path !== '' && !validatePath(path))) {
        throw this.#damage('a path makes no sense', at)
      }
      const znode = await this.#readZnode()
      if (!this.#tree.add(path === '' ? '/' : path, znode)) {
        throw this.#damage(`${path} has no parent`, at)
      }
    }
    if (!this.#tree.znodes.has('/')) throw this.#damage('there is no root')
  }

  async #readZnode(): Promise<SourceZnode> {
    const data = await this.#buffer()
    const at = this.#window.position
    const fields = await this.#window.take(STAT_BYTES)
    const number = fields.readBigInt64BE(0)
    const reader = new JuteReader(fields.subarray(8))
    const zxids = { czxid: reader.long(), mzxid: reader.long() }
    const times = { ctimeMs: reader.long(), mtimeMs: reader.long() }
    const versions = { version: reader.int(), creations: reader.int(), aversion: reader.int() }
    const owner = fields.readBigInt64BE(8 + 44)
    reader.skip(8)
    const pzxid = reader.long()
    const numbers = [zxids.czxid, zxids.mzxid, pzxid, times.ctimeMs, times.mtimeMs]
    if (reader.failed || numbers.some((value) => value < 0)) {
      throw unsupported(this.#path, at, 'a zxid or a time is beyond what this server can keep')
    }
    return {
      data: data === null ? null : Buffer.from(data),
      // The ACLs were written first: a znode that is younger may have one that is not among them.
      acl: this.#acls.get(number) ?? null,
      ...zxids,
      ...times,
      ...versions,
      pzxid,
      owner,
    }
  }

  /** The checksum of everything before it, then "/" once more. */
  async #readSeal(): Promise<void> {
    const at = this.#window.position
    const checksum = this.#window.checksum
    const seal = await this.#window.take(SEAL_BYTES)
    if (seal.readBigInt64BE(0) !== BigInt(checksum)) {
      throw this.#damage('the checksum does not match', at)
    }
  }

  /** Behind the tree stand, in this order and each with a seal, a digest and the last zxid; or not. */
  async #readDigest(): Promise<TreeDigest | null> {
    let digest: TreeDigest | null = null
    if (await this.#window.has(DIGEST_BYTES + SEAL_BYTES)) {
      const fields = await this.#window.take(DIGEST_BYTES)
      const zxid = Number(fields.readBigInt64BE(0))
      const version = fields.readInt32BE(8)
      if (version < DIGEST_VERSION) return null
      digest = zxid <= 0 ? null : { zxid, version, value: fields.readBigInt64BE(12) }
      await this.#readSeal()
    }
    if (await this.#window.has(1)) {
      await this.#window.take(LAST_ZXID_BYTES)
      await this.#readSeal()
    }
    if (await this.#window.has(1)) throw this.#damage('bytes follow the end')
    return digest
  }
}
