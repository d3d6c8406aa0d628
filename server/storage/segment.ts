import { crc32 } from 'node:zlib'
import { assert } from '../core/assert.ts'
import { JuteReader, JuteWriter } from '../wire/jute.ts'
import type { OpenFile } from './file-system.ts'
import {
  beginRecord,
  endRecord,
  RecordType,
  recordHeaderBytes,
  recordSeed,
  sectorBytes,
} from './record.ts'

/*
 * A segment of the write-ahead log: one sector of header, then records. The header, big-endian:
 *
 *   0  "QUORWAL\n"
 *   8  format version
 *  12  size of the file in bytes
 *  16  sequence number of the segment (8 bytes)
 *  24  segment id, random at every use of the file (8 bytes)
 *  32  cluster id, then member id (each a varint length and UTF-8; '' for no cluster yet), zeros
 * 508  CRC32 of bytes 0..507 (in this place in every format version)
 */

const segmentVersion = 1
export const segmentHeaderBytes = sectorBytes
const magic = Buffer.from('QUORWAL\n', 'latin1')
const crcOffset = segmentHeaderBytes - 4

export interface SegmentHeader {
  readonly capacity: number
  readonly sequence: number
  readonly segmentId: Uint8Array
  readonly clusterId: string
  readonly memberId: string
}

/** A segment that can be written to. */
export interface Segment {
  readonly sequence: number
  readonly path: string
  readonly capacity: number
  readonly seed: number
  readonly file: OpenFile
}

export type ParsedHeader =
  | { readonly kind: 'intact'; readonly header: SegmentHeader }
  | { readonly kind: 'future'; readonly version: number }
  | { readonly kind: 'damaged'; readonly detail: string }

/** wal-<sequence, 16 hex digits>.log: a segment of the log. */
export function segmentName(sequence: number): string {
  return `wal-${sequence.toString(16).padStart(16, '0')}.log`
}

/** The sequence number in a segment's name; null for any other name. */
export function sequenceOf(name: string): number | null {
  const match = /^wal-([0-9a-f]{16})\.log$/.exec(name)
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 16)
}

/** A file without records that waits for its use as a segment. */
export function isSpareName(name: string): boolean {
  return /^spare-[0-9a-f]+\.wal$/.test(name)
}

export function spareName(number: number): string {
  return `spare-${number.toString(16)}.wal`
}

/** Eight random bytes from a source that is uniform in [0, 1). */
export function drawSegmentId(random: () => number): Uint8Array {
  const id = Buffer.alloc(8)
  id.writeUInt32BE(Math.floor(random() * 0x1_0000_0000), 0)
  id.writeUInt32BE(Math.floor(random() * 0x1_0000_0000), 4)
  return id
}

/** The first bytes of a segment without records: its header and an end record behind it. */
export function encodeSegmentStart(header: SegmentHeader): Uint8Array {
  const writer = new JuteWriter(segmentHeaderBytes + recordHeaderBytes)
  writer.raw(magic)
  writer.int(segmentVersion)
  writer.int(header.capacity)
  writer.long(header.sequence)
  writer.raw(header.segmentId)
  writer.shortString(header.clusterId)
  writer.shortString(header.memberId)
  assert(writer.length <= crcOffset, 'the ids fit in a segment header')
  writer.raw(new Uint8Array(crcOffset - writer.length))
  writer.int(crc32(writer.view()))
  writeEnd(writer, segmentHeaderBytes, recordSeed(header.segmentId))
  return writer.copy()
}

/** Appends the record that ends a write which began at `writeStart`. */
export function writeEnd(writer: JuteWriter, writeStart: number, seed: number): void {
  const start = beginRecord(writer)
  endRecord(writer, start, seed, { type: RecordType.end, writeStart, term: 0, index: 0 })
}

/** Reads the first sector of a segment file. */
export function parseSegmentHeader(bytes: Uint8Array): ParsedHeader {
  if (bytes.length < segmentHeaderBytes) {
    return { kind: 'damaged', detail: 'the segment is shorter than its header' }
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, segmentHeaderBytes)
  if (crc32(buffer.subarray(0, crcOffset)) !== buffer.readUInt32BE(crcOffset)) {
    return { kind: 'damaged', detail: 'the checksum of the segment header does not match' }
  }
  if (!buffer.subarray(0, magic.length).equals(magic)) {
    return { kind: 'damaged', detail: 'the file does not begin as a log segment' }
  }
  const version = buffer.readUInt32BE(8)
  if (version > segmentVersion) return { kind: 'future', version }
  const reader = new JuteReader(buffer.subarray(12))
  const header = {
    capacity: reader.int() >>> 0,
    sequence: reader.long(),
    segmentId: Buffer.from(reader.raw(8)),
    clusterId: reader.shortString(),
    memberId: reader.shortString(),
  }
  if (reader.failed) return { kind: 'damaged', detail: 'the segment header makes no sense' }
  return { kind: 'intact', header }
}
