import type { LogIndex, PeerId, Term } from '../core/brand.ts'
import { SnapshotLoader } from '../core/machine/snapshot.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { SnapshotMeta } from '../core/raft/message.ts'
import type {
  OpenedStorage,
  SnapshotFile,
  SnapshotStore,
  SnapshotWriter,
  StorageFault,
} from '../storage/storage.ts'
import type { Transport } from '../transport/transport.ts'
import { JuteWriter } from '../wire/jute.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import { decodeSnapshotRecords, encodeSnapshotRecord } from '../wire/snapshot-codec.ts'
import type { Environment } from './environment.ts'

export interface SnapshotLimits {
  readonly snapshotSliceRecords: number
  readonly snapshotChunkBytes: number
  readonly snapshotWindowBytes: number
  /** A stream to a follower without progress for so long has failed. */
  readonly streamTimeoutMs: number
}

type ChunkFrame = Extract<PeerFrame, { kind: 'snapshotChunk' }>

interface Stream {
  readonly to: PeerId
  readonly term: Term
  readonly file: SnapshotFile
  sent: number
  acknowledged: number
  reading: boolean
  lastProgressMs: number
}

interface Incoming {
  readonly from: PeerId
  readonly meta: SnapshotMeta
  readonly writer: SnapshotWriter
  /** Offset of the next piece; all below are written or in the queue. */
  expected: number
  readonly queue: ChunkFrame[]
  writing: boolean
  finishing: boolean
}

export interface SnapshotEvents {
  taken(file: SnapshotFile): void
  /** A whole, verified snapshot from `from` lies in the store. */
  received(from: PeerId, file: SnapshotFile): void
  /** `to` holds every byte of the snapshot up to `index`. */
  delivered(to: PeerId, index: LogIndex): void
  streamFailed(to: PeerId): void
  fault(fault: StorageFault): void
}

/** Takes snapshots slice by slice, streams them to followers and receives them from leaders. */
export class Snapshots {
  readonly #environment: Environment
  readonly #store: SnapshotStore
  readonly #transport: Transport
  readonly #limits: SnapshotLimits
  readonly #events: SnapshotEvents
  readonly #streams = new Map<PeerId, Stream>()
  /** Followers that wait for a snapshot newer than the newest at hand. */
  readonly #waiting = new Map<PeerId, { readonly index: LogIndex; readonly term: Term }>()
  #incoming: Incoming | null = null
  #taking = false
  #closed = false

  constructor(options: {
    readonly environment: Environment
    readonly storage: OpenedStorage
    readonly transport: Transport
    readonly limits: SnapshotLimits
    readonly events: SnapshotEvents
  }) {
    this.#environment = options.environment
    this.#store = options.storage.snapshots
    this.#transport = options.transport
    this.#limits = options.limits
    this.#events = options.events
  }

  get taking(): boolean {
    return this.#taking
  }

  get receiving(): boolean {
    return this.#incoming !== null
  }

  /** Streams that are under way, for metrics. */
  get streams(): number {
    return this.#streams.size
  }

  close(): void {
    this.#closed = true
    this.#incoming?.writer.abort()
    this.#incoming = null
    this.#streams.clear()
    this.#waiting.clear()
  }

  /**
   * Writes the machine's present state as a snapshot, a slice per turn of the loop; changes made
   * meanwhile do not show in it. No effect while one is being taken.
   */
  take(machine: StateMachine, meta: SnapshotMeta): void {
    if (this.#taking || this.#closed) return
    this.#taking = true
    const cursor = machine.openSnapshot(meta.index, meta.term)
    const writer = this.#store.create(meta)
    const encoded = new JuteWriter()
    const end = (): void => {
      this.#taking = false
      cursor.close()
    }
    const slice = (): void => {
      if (this.#closed) {
        writer.abort()
        end()
        return
      }
      const records = cursor.next(this.#limits.snapshotSliceRecords)
      if (records === null) {
        end()
        writer.finish((fault, file) => this.#taken(fault, file))
        return
      }
      encoded.reset()
      for (const record of records) encodeSnapshotRecord(encoded, record)
      writer.write(encoded.copy(), (fault) => {
        if (fault === null) return this.#environment.endOfTurn(slice)
        writer.abort()
        end()
        this.#events.fault(fault)
      })
    }
    slice()
  }

  #taken(fault: StorageFault | null, file: SnapshotFile | null): void {
    if (this.#closed) return
    if (fault !== null) this.#events.fault(fault)
    if (file === null) return
    this.#events.taken(file)
    for (const [to, want] of this.#waiting) {
      this.#waiting.delete(to)
      if (file.meta.index >= want.index) this.#open(to, want.term, file)
      else this.#events.streamFailed(to)
    }
  }

  /**
   * Streams the newest snapshot to a follower, if it reaches `index`; else waits for the next.
   * Returns false when a new snapshot must be taken first.
   */
  send(to: PeerId, index: LogIndex, term: Term): boolean {
    const newest = this.#store.newest
    if (newest !== null && newest.meta.index >= index) {
      this.#open(to, term, newest)
      return true
    }
    this.#waiting.set(to, { index, term })
    return false
  }

  #open(to: PeerId, term: Term, file: SnapshotFile): void {
    const stream: Stream = {
      to,
      term,
      file,
      sent: 0,
      acknowledged: 0,
      reading: false,
      lastProgressMs: this.#environment.nowMs(),
    }
    this.#streams.set(to, stream)
    this.#pump(stream)
  }

  #pump(stream: Stream): void {
    const { file, to } = stream
    if (stream.reading || this.#streams.get(to) !== stream || stream.sent >= file.bytes) return
    if (stream.sent - stream.acknowledged >= this.#limits.snapshotWindowBytes) return
    stream.reading = true
    const offset = stream.sent
    const length = Math.min(this.#limits.snapshotChunkBytes, file.bytes - offset)
    this.#store.read(file, offset, length, (fault, data) => {
      stream.reading = false
      if (this.#streams.get(to) !== stream) return
      if (fault !== null) {
        this.#streams.delete(to)
        this.#events.streamFailed(to)
        return
      }
      stream.sent = offset + data.length
      const last = stream.sent >= file.bytes
      this.#transport.send(to, {
        kind: 'snapshotChunk',
        term: stream.term,
        meta: file.meta,
        offset,
        data,
        last,
      })
      this.#pump(stream)
    })
  }

  /** The follower holds everything below `offset`. */
  chunkAnswered(from: PeerId, index: LogIndex, offset: number): void {
    const stream = this.#streams.get(from)
    if (stream === undefined || stream.file.meta.index !== index) return
    if (offset < stream.acknowledged) return
    stream.lastProgressMs = this.#environment.nowMs()
    stream.acknowledged = offset
    if (offset < stream.file.bytes) return this.#pump(stream)
    this.#streams.delete(from)
    this.#events.delivered(from, index)
  }

  /** Ends all streams, because this server no longer leads. */
  stopStreams(): void {
    this.#streams.clear()
    this.#waiting.clear()
  }

  stopStream(to: PeerId): void {
    this.#streams.delete(to)
    this.#waiting.delete(to)
  }

  /** Called every tick: a stream without progress has lost a chunk or its follower. */
  tick(): void {
    const nowMs = this.#environment.nowMs()
    for (const [to, stream] of this.#streams) {
      if (nowMs - stream.lastProgressMs < this.#limits.streamTimeoutMs) continue
      this.#streams.delete(to)
      this.#events.streamFailed(to)
    }
  }

  /** A piece from the leader. Pieces that do not continue what is there are dropped. */
  chunkReceived(from: PeerId, frame: ChunkFrame): void {
    let incoming = this.#incoming
    const same = incoming?.from === from && incoming.meta.index === frame.meta.index
    if (frame.offset === 0) {
      // A stream that begins anew replaces what is here: the leader may have been replaced, or
      // given up on the former stream.
      if (incoming !== null && !incoming.finishing) incoming.writer.abort()
      incoming = {
        from,
        meta: frame.meta,
        writer: this.#store.receive(frame.meta),
        expected: 0,
        queue: [],
        writing: false,
        finishing: false,
      }
      this.#incoming = incoming
    } else if (!same) {
      return
    }
    if (incoming === null || incoming.finishing || frame.offset !== incoming.expected) return
    incoming.expected += frame.data.length
    incoming.queue.push(frame)
    this.#writeNext(incoming)
  }

  #writeNext(incoming: Incoming): void {
    if (incoming.writing || incoming.finishing || this.#incoming !== incoming) return
    const frame = incoming.queue.shift()
    if (frame === undefined) return
    incoming.writing = true
    incoming.writer.write(frame.data, (fault) => {
      incoming.writing = false
      if (this.#incoming !== incoming) return
      if (fault !== null) {
        incoming.writer.abort()
        this.#incoming = null
        this.#events.fault(fault)
        return
      }
      if (frame.last) this.#finishIncoming(incoming, frame)
      else {
        this.#answer(incoming, frame)
        this.#writeNext(incoming)
      }
    })
  }

  #finishIncoming(incoming: Incoming, frame: ChunkFrame): void {
    incoming.finishing = true
    incoming.writer.finish((fault, file) => {
      if (this.#incoming === incoming) this.#incoming = null
      if (fault !== null) this.#events.fault(fault)
      if (this.#closed || file === null) return
      this.#answer(incoming, frame)
      this.#events.received(incoming.from, file)
    })
  }

  #answer(incoming: Incoming, frame: ChunkFrame): void {
    this.#transport.send(incoming.from, {
      kind: 'snapshotChunkReply',
      term: frame.term,
      index: frame.meta.index,
      offset: frame.offset + frame.data.length,
    })
  }
}

/** Loads a verified snapshot file; a wrong count or digest is said in words. */
export function loadSnapshot(
  store: SnapshotStore,
  file: SnapshotFile,
): { machine: StateMachine } | { refusal: string } {
  const loader = new SnapshotLoader()
  for (const block of store.blocks(file)) {
    for (const record of decodeSnapshotRecords(block)) loader.add(record)
  }
  return loader.finish()
}
