import type { LogIndex, Term } from '../core/brand.ts'
import type { Entry, HardState } from '../core/raft/message.ts'
import { readEntryBody, readHardState, readSnapshotMeta } from '../wire/entry-codec.ts'
import { JuteReader } from '../wire/jute.ts'
import { RefusalError } from './fault.ts'
import {
  payloadIntact,
  type RecordHeader,
  RecordType,
  readRecordHeader,
  recordAlignment,
  recordBytes,
  recordHeaderBytes,
  sectorBytes,
} from './record.ts'
import { segmentHeaderBytes } from './segment.ts'

/** What the records of one segment came to. */
export interface SegmentReplay {
  /** Where the next write goes. */
  readonly end: number
  /** Index of the last entry before this segment; null for a segment without any record. */
  readonly startIndex: LogIndex | null
  /** The end is not as the last write left it: zero from `end` on before writing. */
  readonly dirty: boolean
  /**
   * Set where records had to be cut although the write that brought them had reached the disk: they
   * may have been acknowledged.
   */
  readonly rot: boolean
}

/** The log as its records, read in order, make it. */
export class LogReplay {
  /** Entries above `keepAbove`, consecutive, ending at `last`. */
  readonly entries: Entry[] = []
  hardState: HardState = { term: 0, votedFor: null, commit: 0 }
  /** The position before the first entry of the log; its term is null where nothing tells it. */
  base: { index: LogIndex; term: Term | null } = { index: 0, term: 0 }
  last: { index: LogIndex; term: Term } = { index: 0, term: 0 }
  /** Term of the entry at `keepAbove`, if the log holds it. */
  termAtSnapshot: Term | null = null
  /** True once there was a record other than a segment's start. */
  anything = false
  readonly #keepAbove: LogIndex
  #first = true
  #previousEnd = 0
  /** A damaged end of an earlier segment: to blame if later segments show that records are lost. */
  #suspect: { readonly path: string; readonly offset: number } | null = null

  /** Entries up to `keepAbove` are checked and dropped: a snapshot stands for them. */
  constructor(keepAbove: LogIndex) {
    this.#keepAbove = keepAbove
  }

  /**
   * Reads one segment. `path` is for refusals. Throws RefusalError where what is there cannot be what
   * was written: a bad record with later writes behind it, or records that contradict each other.
   */
  read(bytes: Buffer, seed: number, path: string): SegmentReplay {
    let offset = segmentHeaderBytes
    let startIndex: LogIndex | null = null
    for (;;) {
      const header = readRecordHeader(bytes, offset, seed)
      if (header === null || !payloadIntact(bytes, offset, header, seed)) break
      if (header.type === RecordType.end) break
      this.#apply(bytes, offset, header, startIndex !== null, path)
      startIndex ??= header.index
      offset += recordBytes(header.length)
    }
    const tail = judgeTail(bytes, offset, seed)
    if (tail === 'corrupt') {
      throw new RefusalError(
        'DATA_CORRUPT',
        path,
        offset,
        'a damaged record has later ones behind it',
      )
    }
    if (startIndex !== null) {
      this.#previousEnd = offset
      this.#first = false
    }
    if (tail !== 'clean') this.#suspect ??= { path, offset }
    return { end: offset, startIndex, dirty: tail !== 'clean', rot: tail === 'rot' }
  }

  #apply(bytes: Buffer, offset: number, header: RecordHeader, begun: boolean, path: string): void {
    const refuse = (detail: string): never => {
      throw new RefusalError('DATA_CORRUPT', path, offset, detail)
    }
    const start = offset + recordHeaderBytes
    const reader = new JuteReader()
    reader.reset(bytes, start, start + header.length)
    if ((header.type === RecordType.start) === begun) {
      return refuse('a segment has one start record, as its first')
    }
    const { index, term } = header
    switch (header.type) {
      case RecordType.start:
        this.#start(header, reader.int(), readHardState(reader), refuse)
        break
      case RecordType.hardState:
        this.anything = true
        this.#setHardState(readHardState(reader), refuse)
        break
      case RecordType.snapshotMark: {
        this.anything = true
        this.#setHardState(readHardState(reader), refuse)
        readSnapshotMeta(reader)
        this.entries.length = 0
        this.base = { index, term }
        this.last = { index, term }
        this.termAtSnapshot = null
        break
      }
      default: {
        this.anything = true
        const entry = readEntryBody(reader, index, term, header.type)
        this.#append(entry, refuse)
      }
    }
    if (reader.failed || reader.remaining > 0) refuse('an intact record does not decode')
  }

  /** A segment begins where the one before it ended, in bytes, entries and hard state. */
  #start(
    { index, term }: RecordHeader,
    previousEnd: number,
    state: HardState,
    refuse: (detail: string) => never,
  ): void {
    if (this.#first) {
      this.base = { index, term }
      this.last = { index, term }
      this.hardState = state
      return
    }
    const own = this.hardState
    const same =
      index === this.last.index &&
      term === this.last.term &&
      previousEnd === this.#previousEnd &&
      state.term === own.term &&
      state.votedFor === own.votedFor &&
      state.commit === own.commit
    if (!same) {
      const detail =
        `a later segment goes on from entry ${index} at byte ${previousEnd}, but the one before ` +
        `ends with entry ${this.last.index} at byte ${this.#previousEnd}: records are lost`
      const { path, offset } = this.#suspect ?? { path: '', offset: 0 }
      if (path === '') refuse(detail)
      throw new RefusalError('DATA_CORRUPT', path, offset, detail)
    }
    // All of the earlier segment is there after all: the damage was behind its last record.
    this.#suspect = null
  }

  #setHardState(state: HardState, refuse: (detail: string) => never): void {
    if (state.term < this.hardState.term) refuse('the term goes backwards')
    this.hardState = state
  }

  /** Consecutive, or replacing the end of the log; never what was known to be committed. */
  #append(entry: Entry, refuse: (detail: string) => never): void {
    const { index, term } = entry
    if (index > this.last.index + 1) refuse(`entry ${index} follows entry ${this.last.index}`)
    if (index <= this.last.index && index <= this.hardState.commit) {
      refuse(`entry ${index} replaces a committed one`)
    }
    if (index === this.last.index + 1 && term < this.last.term) refuse('terms go backwards')
    // Entries of released segments are replaced here: the log is known from this one on.
    if (index <= this.base.index) this.base = { index: index - 1, term: null }
    let kept = this.entries.at(-1)
    while (kept !== undefined && kept.index >= index) {
      this.entries.pop()
      kept = this.entries.at(-1)
    }
    if (index === this.#keepAbove) this.termAtSnapshot = term
    else if (index < this.#keepAbove) this.termAtSnapshot = null
    if (index > this.#keepAbove) this.entries.push(owned(entry))
    this.last = { index, term }
  }
}

/** A copy that does not keep the segment's bytes in memory. */
function owned(entry: Entry): Entry {
  if (entry.kind !== 'requests') return entry
  return { ...entry, payload: Uint8Array.from(entry.payload) }
}

/**
 * Judges the place where reading stopped.
 *
 * clean: the end record of the last write stands there.
 * corrupt: something later was written after what stood there had been synced.
 * rot: the write that brought what stood there reached the disk, and damage came afterwards: its end
 *   record or another of its records is intact, or a header is damaged that is known to have been
 *   written.
 * torn: neither is so: the write was cut off before its end, so that it was never acknowledged.
 */
function judgeTail(
  bytes: Buffer,
  offset: number,
  seed: number,
): 'clean' | 'torn' | 'rot' | 'corrupt' {
  const here = readRecordHeader(bytes, offset, seed)
  const clean = here !== null && here.type === RecordType.end
  let sameWrite = false
  let remains = false
  for (let at = offset + recordAlignment; at < bytes.length; at += recordAlignment) {
    const later = readRecordHeader(bytes, at, seed)
    if (later === null) continue
    if (later.writeStart > offset) return 'corrupt'
    sameWrite = true
    remains = true
  }
  // What an interrupted cut left behind an end record belongs to a write that was cut already.
  if (clean) return remains ? 'torn' : 'clean'
  // A header in the sector where an intact record ends was written with that record, or later: a
  // tear cannot have damaged it. (Its payload may reach into sectors that were never written.)
  const headerWritten = offset % sectorBytes !== 0
  return sameWrite || (headerWritten && here === null) ? 'rot' : 'torn'
}
