import { crc32 } from 'node:zlib'
import { assert } from '../core/assert.ts'
import type { JuteWriter } from '../wire/jute.ts'

/*
 * The form of one record of the write-ahead log, big-endian, at a multiple of 32 bytes:
 *
 *   0  CRC32 of bytes 4..31, seeded by the segment's id
 *   4  CRC32 of the payload, seeded by the segment's id
 *   8  payload length in bytes
 *  12  offset in the segment at which the write began that brought this record
 *  16  term: high 16 bits; 18 index: high 16 bits
 *  20  term: low 32 bits
 *  24  index: low 32 bits
 *  28  type; 29..31 zero
 *  32  payload, then zeros; the last four bytes before the next multiple of 32 repeat the first CRC
 *
 * A record without payload is its header alone. The repeated CRC proves that the last sector was
 * written: a payload alone could agree with what was there before (zeros with zeros).
 */

/** A disk writes a sector whole or not at all. Headers never straddle two, being 32 bytes aligned. */
export const sectorBytes = 512
export const recordAlignment = 32
export const recordHeaderBytes = 32
const trailerBytes = 4

/** The byte of each type of record. The numbers are for ever. */
export const RecordType = {
  noop: 1,
  requests: 2,
  membership: 3,
  hardState: 4,
  /** The log begins anew behind a snapshot. */
  snapshotMark: 5,
  /** The first record of a segment: where the log stood when it was begun. */
  start: 6,
  /** Ends each write and is overwritten by the next: proof that the write reached the disk. */
  end: 7,
} as const
export type RecordType = (typeof RecordType)[keyof typeof RecordType]

const TWO_32 = 0x1_0000_0000
const TWO_48 = 0x1_0000_0000_0000

export interface RecordHeader {
  readonly type: RecordType
  readonly length: number
  readonly writeStart: number
  readonly term: number
  readonly index: number
  readonly payloadCrc: number
}

/**
 * What every CRC of a segment's records is seeded with. A segment is given a new random id whenever
 * its file is recycled, so a record that an earlier use of the file left behind is never valid.
 */
export function recordSeed(segmentId: Uint8Array): number {
  return crc32(segmentId)
}

/** Bytes that a record with a payload of `length` takes. */
export function recordBytes(length: number): number {
  if (length === 0) return recordHeaderBytes
  const bytes = recordHeaderBytes + length + trailerBytes
  return Math.ceil(bytes / recordAlignment) * recordAlignment
}

const zeros = new Uint8Array(recordAlignment)

/** Leaves room for a header; the payload is written next, then `endRecord` with the result. */
export function beginRecord(writer: JuteWriter): number {
  const start = writer.length
  writer.raw(zeros)
  return start
}

/** Fills the header of the record that began at `start` of the writer, and pads it. */
export function endRecord(
  writer: JuteWriter,
  start: number,
  seed: number,
  header: {
    readonly type: RecordType
    readonly writeStart: number
    readonly term: number
    readonly index: number
  },
): void {
  const { type, writeStart, term, index } = header
  assert(term < TWO_48 && index < TWO_48, 'terms and indexes of the log are below 2^48')
  const length = writer.length - start - recordHeaderBytes
  const payload = writer.view().subarray(start + recordHeaderBytes)
  writer.patchInt(start + 4, crc32(payload, seed))
  writer.patchInt(start + 8, length)
  writer.patchInt(start + 12, writeStart)
  writer.patchInt(start + 16, (Math.floor(term / TWO_32) << 16) | Math.floor(index / TWO_32))
  writer.patchInt(start + 20, term >>> 0)
  writer.patchInt(start + 24, index >>> 0)
  writer.patchInt(start + 28, type << 24)
  const head = writer.view().subarray(start + 4, start + recordHeaderBytes)
  const headerCrc = crc32(head, seed)
  writer.patchInt(start, headerCrc)
  if (length === 0) return
  writer.raw(zeros.subarray(0, recordBytes(length) - recordHeaderBytes - length - trailerBytes))
  writer.int(headerCrc)
}

/**
 * The header at `offset` of a segment's bytes, or null where no intact one of this segment stands.
 * Its payload may be damaged all the same: see payloadIntact.
 */
export function readRecordHeader(bytes: Buffer, offset: number, seed: number): RecordHeader | null {
  if (offset + recordHeaderBytes > bytes.length) return null
  // The cheap looks first: scans of a whole segment call this for every 32 bytes.
  const last = bytes.readUInt32BE(offset + 28)
  const type = last >>> 24
  if (type < RecordType.noop || type > RecordType.end || (last & 0xff_ffff) !== 0) return null
  const head = bytes.subarray(offset + 4, offset + recordHeaderBytes)
  if (crc32(head, seed) !== bytes.readUInt32BE(offset)) return null
  const length = bytes.readUInt32BE(offset + 8)
  const writeStart = bytes.readUInt32BE(offset + 12)
  if (offset + recordBytes(length) > bytes.length || writeStart > offset) return null
  return {
    type: type as RecordType,
    length,
    writeStart,
    term: bytes.readUInt16BE(offset + 16) * TWO_32 + bytes.readUInt32BE(offset + 20),
    index: bytes.readUInt16BE(offset + 18) * TWO_32 + bytes.readUInt32BE(offset + 24),
    payloadCrc: bytes.readUInt32BE(offset + 4),
  }
}

/** True when the payload of an intact header is all there, to its last byte. */
export function payloadIntact(
  bytes: Buffer,
  offset: number,
  header: RecordHeader,
  seed: number,
): boolean {
  const start = offset + recordHeaderBytes
  const trailer = offset + recordBytes(header.length) - trailerBytes
  if (header.length > 0 && bytes.readUInt32BE(trailer) !== bytes.readUInt32BE(offset)) return false
  return crc32(bytes.subarray(start, start + header.length), seed) === header.payloadCrc
}
