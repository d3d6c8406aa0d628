import { assert } from '../core/assert.ts'
import type { LogIndex, Term } from '../core/brand.ts'
import type { HardState, SnapshotMeta } from '../core/raft/message.ts'
import { writeEntryBody, writeHardState, writeSnapshotMeta } from '../wire/entry-codec.ts'
import { JuteWriter } from '../wire/jute.ts'
import { isNoSpace, syncFault, writeFault } from './fault.ts'
import { beginRecord, endRecord, RecordType, recordAlignment, recordHeaderBytes } from './record.ts'
import { type Segment, segmentHeaderBytes, writeEnd } from './segment.ts'
import { SegmentPool, type SegmentPoolOptions } from './segment-pool.ts'
import type { LogStorage, StorageFault, WriteBatch } from './storage.ts'
import { mayUseReserve, type Part, partsOf } from './write-batch.ts'

export interface LogPosition {
  readonly index: LogIndex
  readonly term: Term
}

/** A segment that holds records, oldest first. */
export interface LiveSegment {
  readonly sequence: number
  readonly path: string
  readonly capacity: number
  /** Index of the last entry when the segment was begun; null until it has records. */
  startIndex: LogIndex | null
}

/** Where a log goes on, as recovery or formatting left it. */
export interface WalStart {
  readonly active: Segment
  /** Where the next write begins. */
  readonly offset: number
  /** Oldest first; the last is the active one. */
  readonly live: readonly LiveSegment[]
  readonly last: LogPosition
  readonly hardState: HardState
  readonly next: Segment | null
  readonly nextSequence: number
  readonly spares: readonly string[]
  /** Where the segment before the active one ended; 0 if none. */
  readonly previousEnd: number
}

export interface WalOptions extends Omit<SegmentPoolOptions, 'onReady' | 'onFull' | 'onFatal'> {
  /** Calls back when what arrived together has been appended: what is queued then is one write. */
  readonly endOfTurn: (call: () => void) => void
  /** Nothing above this index may be released: older snapshots need the log behind them. */
  readonly releaseBound: () => LogIndex
  /** Measures a sync: called before it, and what it returns after. */
  readonly timeSync: () => () => void
  readonly onFault: (fault: StorageFault) => void
  readonly onClosed: () => void
}

interface Item {
  readonly parts: readonly Part[]
  /** The next part to write; a long item may take several writes and segments. */
  at: number
  readonly reserved: boolean
  readonly durable: () => void
}

/**
 * The write-ahead log. What is queued while a write is under way goes out together: one write and
 * one fdatasync, then the callbacks in order. Records never leave their segment, and each segment
 * begins with where the log stood, so that it can be read without those before it.
 */
export class Wal implements LogStorage {
  readonly #options: WalOptions
  readonly #pool: SegmentPool
  readonly #writer = new JuteWriter(64 * 1024)
  #active: Segment
  #offset: number
  #previousEnd: number
  readonly #live: LiveSegment[]
  /** The log's end as appended, and as encoded into records. */
  #last: LogPosition
  #written: LogPosition
  #hardState: HardState
  /** What the active segment's start record says of the log's end. */
  #startWritten: LogIndex = 0
  #queue: Item[] = []
  /** Items of which the last part is in the write under way. */
  #underway: Item[] = []
  #writing = false
  #flushPending = false
  #faulted = false
  #writeFull = false
  #closing: (() => void) | null = null
  #closed = false

  constructor(options: WalOptions, start: WalStart) {
    this.#options = options
    this.#active = start.active
    this.#offset = start.offset
    this.#previousEnd = start.previousEnd
    this.#live = [...start.live]
    this.#last = start.last
    this.#written = start.last
    this.#hardState = start.hardState
    const { nextSequence, next, spares } = start
    this.#pool = new SegmentPool(
      {
        ...options,
        onReady: () => this.#flush(),
        onFull: (full, detail) => this.#fullChanged(full, detail),
        onFatal: (fault) => this.#fail(fault),
      },
      { nextSequence, next, spares },
    )
    this.#pool.start()
  }

  get bytes(): number {
    return this.#live.reduce((sum, segment) => sum + segment.capacity, 0)
  }

  get segments(): number {
    return this.#live.length
  }

  get full(): boolean {
    return this.#pool.full || this.#writeFull
  }

  append(batch: WriteBatch, durable: () => void): void {
    const { entries } = batch
    const first = entries[0]
    const before = first === undefined ? this.#last.index : first.index - 1
    assert(before <= this.#last.index, 'entries continue the log or replace its end')
    entries.forEach((entry, i) => {
      assert(entry.index === before + 1 + i, 'entries of a batch are consecutive')
    })
    this.#last = entries.at(-1) ?? this.#last
    this.#enqueue({
      parts: partsOf(batch, before),
      at: 0,
      reserved: mayUseReserve(batch),
      durable,
    })
  }

  resetTo(meta: SnapshotMeta, hardState: HardState, durable: () => void): void {
    this.#last = { index: meta.index, term: meta.term }
    const state = { ...hardState, commit: Math.min(hardState.commit, meta.index) }
    this.#enqueue({
      parts: [{ kind: 'mark', meta, state }],
      at: 0,
      reserved: true,
      durable: () => {
        // Whatever older segments hold lies before the mark.
        while (this.#live.length > 1) this.#releaseOldest()
        durable()
      },
    })
  }

  release(index: LogIndex): void {
    if (this.#faulted || this.#closed) return
    const bound = Math.min(index, this.#options.releaseBound())
    for (;;) {
      const following = this.#live[1]?.startIndex ?? null
      if (following === null || following > bound) return
      this.#releaseOldest()
    }
  }

  close(done: () => void): void {
    assert(this.#closing === null, 'a log is closed once')
    this.#closing = done
    this.#closeWhenIdle()
  }

  #releaseOldest(): void {
    const oldest = this.#live.shift()
    if (oldest !== undefined) this.#pool.give(oldest.path, oldest.capacity)
  }

  #enqueue(item: Item): void {
    if (this.#faulted || this.#closing !== null) return
    this.#queue.push(item)
    if (this.#writing || this.#flushPending) return
    this.#flushPending = true
    this.#options.endOfTurn(() => {
      this.#flushPending = false
      this.#flush()
    })
  }

  /** Writes and syncs all that is queued and fits in the active segment. */
  #flush(): void {
    if (this.#writing || this.#faulted || this.#closed) return
    const item = this.#queue[0]
    if (item === undefined) return this.#closeWhenIdle()
    this.#encode()
    if (this.#writer.length === 0) {
      if (this.#rotate(item)) this.#flush()
      else this.#closeWhenIdle()
      return
    }
    writeEnd(this.#writer, this.#offset, this.#active.seed)
    this.#writing = true
    this.#write()
  }

  #write(): void {
    const { file, path } = this.#active
    file.write(this.#offset, this.#writer.view(), (error) => {
      if (this.#faulted || this.#closed) return
      if (error === null) {
        this.#writeFull = false
        const synced = this.#options.timeSync()
        return file.sync((syncError) => {
          if (syncError === null) synced()
          this.#synced(syncError)
        })
      }
      if (!isNoSpace(error)) return this.#fail(writeFault(error, path))
      // The file is preallocated, but not every file system keeps that promise. Nothing of this
      // write has been acknowledged, so writing it again is safe.
      if (!this.full) this.#options.onFault(writeFault(error, path))
      this.#writeFull = true
      this.#options.schedule(this.#options.retryMs, () => {
        if (!this.#faulted && !this.#closed) this.#write()
      })
      this.#closeWhenIdle()
    })
  }

  /** The only place that acknowledges: after fdatasync has returned without an error. */
  #synced(error: Error | null): void {
    if (this.#faulted || this.#closed) return
    if (error !== null) return this.#fail(syncFault(error, this.#active.path))
    this.#offset += this.#writer.length - recordHeaderBytes
    const live = this.#live.at(-1)
    // Only now may older segments go: this one can be read without them.
    if (live !== undefined) live.startIndex ??= this.#startWritten
    const durable = this.#underway
    this.#underway = []
    this.#writing = false
    for (const item of durable) item.durable()
    this.#flush()
  }

  /** Encodes queued parts into the buffer until the segment is full. */
  #encode(): void {
    const writer = this.#writer
    writer.reset()
    const live = this.#live.at(-1)
    assert(live !== undefined, 'the active segment is a live one')
    if (live.startIndex === null) {
      this.#startWritten = this.#written.index
      this.#encodeStart()
    }
    const room = this.#active.capacity - this.#offset - recordHeaderBytes
    for (;;) {
      const item = this.#queue[0]
      const part = item?.parts[item.at]
      if (item === undefined) return
      if (part !== undefined) {
        const position = writer.length
        this.#encodePart(part)
        if (writer.length > room) return writer.truncate(position)
        this.#advance(part)
        item.at += 1
      }
      if (item.at >= item.parts.length) {
        this.#queue.shift()
        this.#underway.push(item)
      }
    }
  }

  #encodeStart(): void {
    const start = beginRecord(this.#writer)
    this.#writer.int(this.#previousEnd)
    writeHardState(this.#writer, this.#hardState)
    this.#end(start, RecordType.start, this.#written)
  }

  #encodePart(part: Part): void {
    const writer = this.#writer
    const start = beginRecord(writer)
    switch (part.kind) {
      case 'entry':
        writeEntryBody(writer, part.entry)
        return this.#end(start, RecordType[part.entry.kind], part.entry)
      case 'hardState':
        writeHardState(writer, part.state)
        return this.#end(start, RecordType.hardState, this.#written)
      case 'mark':
        writeHardState(writer, part.state)
        writeSnapshotMeta(writer, part.meta)
        return this.#end(start, RecordType.snapshotMark, part.meta)
    }
  }

  #end(start: number, type: RecordType, { index, term }: LogPosition): void {
    const writeStart = this.#offset
    endRecord(this.#writer, start, this.#active.seed, { type, writeStart, term, index })
  }

  #advance(part: Part): void {
    if (part.kind === 'entry') this.#written = part.entry
    if (part.kind === 'mark') this.#written = part.meta
    if (part.kind !== 'entry') this.#hardState = part.state
  }

  /** Goes on in the next segment; false when none is ready: the pool calls back. */
  #rotate(item: Item): boolean {
    const part = item.parts[item.at]
    assert(part !== undefined, 'an item without a part left has left the queue')
    this.#encodePart(part)
    const needed = this.#writer.length
    this.#writer.reset()
    // Its header, its first record, this record and the end; the start record is small.
    const capacity = segmentHeaderBytes + startRecordMax + needed + recordHeaderBytes
    const ordinary = capacity <= this.#options.segmentBytes
    const segment = this.#pool.take(
      ordinary ? this.#options.segmentBytes : Math.ceil(capacity / 4096) * 4096,
      // A write that may take the reserve cannot overtake those before it: they go along.
      this.#queue.some(({ reserved }) => reserved),
    )
    if (segment === null) return false
    this.#active.file.close()
    this.#previousEnd = this.#offset
    this.#active = segment
    this.#offset = segmentHeaderBytes
    const { sequence, path } = segment
    this.#live.push({ sequence, path, capacity: segment.capacity, startIndex: null })
    return true
  }

  #fullChanged(full: boolean, detail: string): void {
    if (full && !this.#faulted) this.#options.onFault({ code: 'DISK_FULL', detail })
  }

  /** The end of this log: nothing more is written and nothing acknowledged. Told once. */
  #fail(fault: StorageFault): void {
    if (this.#faulted || this.#closed) return
    this.#faulted = true
    this.#queue = []
    this.#underway = []
    this.#options.onFault(fault)
    this.#closeWhenIdle()
  }

  /** Closes once all that was appended is durable, or never can be. */
  #closeWhenIdle(): void {
    const done = this.#closing
    if (done === null || this.#closed) return
    const stuck = this.#faulted || this.full
    if (!stuck && (this.#writing || this.#queue.length > 0)) return
    this.#closed = true
    this.#active.file.close()
    this.#pool.close()
    this.#options.onClosed()
    done()
  }
}

/** A start record has a hard state with an id of 16 digits; twice that for longer ones. */
const startRecordMax = recordHeaderBytes + 4 * recordAlignment
