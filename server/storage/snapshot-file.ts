import { crc32 } from 'node:zlib'
import type { SnapshotMeta } from '../core/raft/message.ts'
import { readSnapshotMeta, writeSnapshotMeta } from '../wire/entry-codec.ts'
import { JuteReader, JuteWriter } from '../wire/jute.ts'

/*
 * A snapshot file, big-endian:
 *
 *   header  "QUORSNP\n", format version (4), length of what follows (4), cluster id, meta; then
 *           CRC32 of all of it (4)
 *   blocks  length above zero (4), CRC32 of the content (4), content
 *   footer  zero (4), number of blocks (4), bytes of all contents (8), CRC32 of everything before
 *           the footer (4), CRC32 of the 20 bytes of the footer before this one (4); then the end
 */

const snapshotVersion = 1
const magic = Buffer.from('QUORSNP\n', 'latin1')
const prefixBytes = 16
export const blockHeaderBytes = 8
const footerBytes = 24
/** Ids and members: far more than fifty servers need, and a bound for a damaged length. */
const headerBytesMax = 1024 * 1024

export interface SnapshotHeader {
  readonly clusterId: string
  readonly meta: SnapshotMeta
}

/** snapshot-<index>-<term>.snap, each with 16 hex digits. */
export function snapshotName({ index, term }: SnapshotMeta): string {
  const hex = (value: number): string => value.toString(16).padStart(16, '0')
  return `snapshot-${hex(index)}-${hex(term)}.snap`
}

export function isSnapshotName(name: string): boolean {
  return /^snapshot-[0-9a-f]{16}-[0-9a-f]{16}\.snap$/.test(name)
}

export function encodeSnapshotHeader({ clusterId, meta }: SnapshotHeader): Uint8Array {
  const writer = new JuteWriter()
  writer.raw(magic)
  writer.int(snapshotVersion)
  const length = writer.reserveInt()
  writer.shortString(clusterId)
  writeSnapshotMeta(writer, meta)
  writer.patchInt(length, writer.length - prefixBytes)
  writer.int(crc32(writer.view()))
  return writer.copy()
}

export function encodeBlock(content: Uint8Array): Uint8Array {
  const block = Buffer.allocUnsafe(blockHeaderBytes + content.length)
  block.writeUInt32BE(content.length, 0)
  block.writeUInt32BE(crc32(content), 4)
  block.set(content, blockHeaderBytes)
  return block
}

export function encodeFooter(blocks: number, bytes: number, wholeCrc: number): Uint8Array {
  const writer = new JuteWriter()
  writer.int(0)
  writer.int(blocks)
  writer.long(bytes)
  writer.int(wholeCrc)
  writer.int(crc32(writer.view()))
  return writer.copy()
}

type Stage = 'prefix' | 'header' | 'block' | 'content' | 'footer' | 'end' | 'broken'

/** Verifies a snapshot file that is handed over piece by piece, whatever the pieces. */
export class SnapshotVerifier {
  header: SnapshotHeader | null = null
  /** Why the file is not a whole, intact snapshot; null as long as nothing speaks against it. */
  refusal: string | null = null
  /** A version that this build does not know, or 0. */
  futureVersion = 0
  #stage: Stage = 'prefix'
  /** Bytes of the present stage that are still to come; of small stages they are gathered. */
  #missing = prefixBytes
  #gathered: Buffer = Buffer.alloc(0)
  #prefix: Buffer = Buffer.alloc(0)
  #blockCrc = 0
  #expectedCrc = 0
  #wholeCrc = 0
  #blocks = 0
  #bytes = 0

  /** Takes the next bytes of the file. */
  add(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && this.#stage !== 'broken') {
      if (this.#stage === 'end') return this.#refuse('bytes follow the footer')
      const piece = bytes.subarray(at, at + this.#missing)
      at += piece.length
      this.#missing -= piece.length
      if (this.#stage === 'content') this.#blockCrc = crc32(piece, this.#blockCrc)
      else this.#gathered = Buffer.concat([this.#gathered, piece])
      if (this.#stage !== 'block' && this.#stage !== 'footer') {
        this.#wholeCrc = crc32(piece, this.#wholeCrc)
      }
      if (this.#missing === 0) this.#stageEnds()
    }
  }

  /** True when all of a valid file has been added. */
  get complete(): boolean {
    return this.#stage === 'end' && this.refusal === null
  }

  #stageEnds(): void {
    const gathered = this.#gathered
    this.#gathered = Buffer.alloc(0)
    switch (this.#stage) {
      case 'prefix':
        return this.#prefixEnds(gathered)
      case 'header':
        return this.#headerEnds(gathered)
      case 'block':
        return this.#blockBegins(gathered)
      case 'content':
        if (this.#blockCrc !== this.#expectedCrc) return this.#refuse('a block is damaged')
        return this.#enter('block', blockHeaderBytes)
      case 'footer':
        return this.#footerEnds(gathered)
    }
  }

  #prefixEnds(prefix: Buffer): void {
    this.#prefix = prefix
    const length = prefix.readUInt32BE(12)
    if (!prefix.subarray(0, 8).equals(magic)) return this.#refuse('not a snapshot')
    if (length > headerBytesMax) return this.#refuse('the header is damaged')
    this.#enter('header', length + 4)
  }

  #headerEnds(body: Buffer): void {
    const whole = Buffer.concat([this.#prefix, body.subarray(0, -4)])
    if (crc32(whole) !== body.readUInt32BE(body.length - 4)) {
      return this.#refuse('the header is damaged')
    }
    const version = this.#prefix.readUInt32BE(8)
    if (version > snapshotVersion) {
      this.futureVersion = version
      return this.#refuse(`snapshot format ${version}`)
    }
    const reader = new JuteReader(body.subarray(0, -4))
    const header = { clusterId: reader.shortString(), meta: readSnapshotMeta(reader) }
    if (reader.failed || reader.remaining > 0) return this.#refuse('the header makes no sense')
    this.header = header
    this.#enter('block', blockHeaderBytes)
  }

  #blockBegins(head: Buffer): void {
    const length = head.readUInt32BE(0)
    if (length === 0) {
      this.#gathered = head
      return this.#enter('footer', footerBytes - blockHeaderBytes)
    }
    this.#wholeCrc = crc32(head, this.#wholeCrc)
    this.#expectedCrc = head.readUInt32BE(4)
    this.#blockCrc = 0
    this.#blocks += 1
    this.#bytes += length
    this.#enter('content', length)
  }

  #footerEnds(footer: Buffer): void {
    const expected = encodeFooter(this.#blocks, this.#bytes, this.#wholeCrc)
    if (!footer.equals(expected)) return this.#refuse('the footer does not match the content')
    this.#enter('end', 0)
  }

  #enter(stage: Stage, missing: number): void {
    this.#stage = stage
    this.#missing = missing
  }

  #refuse(reason: string): void {
    this.refusal = reason
    this.#stage = 'broken'
  }
}
