import type { LogIndex } from '../core/brand.ts'
import type { Entry, HardState, SnapshotMeta } from '../core/raft/message.ts'
import type { RaftRestored } from '../core/raft/step.ts'

/** Who this disk belongs to; written once, before the first log record. */
export interface DiskIdentity {
  /** '' until a cluster is formed or joined. */
  readonly clusterId: string
  readonly name: string
  /** 16 hex digits, drawn when the disk was formatted. */
  readonly id: string
}

/** A fault of the disk, coded for logs and exit: see docs/operations.md. */
export type StorageFault =
  | { readonly code: 'DISK_FULL'; readonly detail: string }
  | { readonly code: 'DISK_FSYNC_FAILED'; readonly detail: string }
  | { readonly code: 'DISK_WRITE_FAILED'; readonly detail: string }

export interface WriteBatch {
  readonly hardState: HardState | null
  /** Replaces everything at or above entries[0].index. */
  readonly entries: readonly Entry[]
  /** True: needed even when the disk is full (session closes); hard states and memberships are so. */
  readonly reserved?: boolean
}

/** The write-ahead log. One write and one fdatasync are in flight; what comes meanwhile is the next. */
export interface LogStorage {
  /** `durable` is called in order of the calls, after fdatasync. Never called after a fault. */
  append(batch: WriteBatch, durable: () => void): void
  /** Everything up to `index` is covered by a durable snapshot: segments below may be recycled. */
  release(index: LogIndex): void
  /** Forgets the whole log up to and including the meta (an installed snapshot replaces it). */
  resetTo(meta: SnapshotMeta, hardState: HardState, durable: () => void): void
  readonly bytes: number
  readonly segments: number
  /** True while the disk has no space: appends other than `reserved` ones are not accepted. */
  readonly full: boolean
  close(done: () => void): void
}

export interface SnapshotFile {
  readonly meta: SnapshotMeta
  readonly bytes: number
}

export interface SnapshotWriter {
  /** Appends a chunk; `done(null)` when written (not yet durable), for backpressure. */
  write(chunk: Uint8Array, done: (fault: StorageFault | null) => void): void
  /** Footer, fsync, rename, fsync of the directory; then the newest `keep` stay. */
  finish(done: (fault: StorageFault | null, file: SnapshotFile | null) => void): void
  abort(): void
}

/**
 * Snapshot files. A file's content is a sequence of checksummed blocks of encoded snapshot records
 * (wire/snapshot-codec.ts); a received snapshot is the byte-identical file of the sender.
 */
export interface SnapshotStore {
  readonly newest: SnapshotFile | null
  readonly all: readonly SnapshotFile[]
  /** A snapshot made here: chunks are encoded records; the writer frames and checksums blocks. */
  create(meta: SnapshotMeta): SnapshotWriter
  /** A snapshot streamed from a leader: chunks are raw file bytes; finish verifies all of it. */
  receive(meta: SnapshotMeta): SnapshotWriter
  /** Raw file bytes for streaming to a follower. */
  read(
    file: SnapshotFile,
    offset: number,
    length: number,
    done: (fault: StorageFault | null, bytes: Uint8Array) => void,
  ): void
  /** All record bytes of a verified file, block by block; for loading the state machine. */
  blocks(file: SnapshotFile): Iterable<Uint8Array>
}

/** What opening the data directory found. */
export interface OpenedStorage {
  readonly identity: DiskIdentity
  /**
   * Persists a new identity: durable on return, unless a fault is returned; then nothing changed, and
   * after DISK_FULL it may be tried again. Only '' -> a cluster id is allowed.
   */
  setClusterId(clusterId: string): StorageFault | null
  readonly log: LogStorage
  readonly snapshots: SnapshotStore
  readonly restored: RaftRestored
  /** The snapshot that `restored.snapshot` stands for, or null for none. */
  readonly snapshotFile: SnapshotFile | null
  /** A record with an intact header and its full length had to be cut: do not vote (design 3, Disk). */
  readonly abstain: boolean
  /**
   * A leader's log has been matched in full: `abstain` need not survive a restart any longer. Until
   * then it does, because the disk no longer shows what was cut. Durable on return, unless a fault is
   * returned, as for setClusterId.
   */
  endAbstention(): StorageFault | null
  /** True when nothing but an identity was ever written. */
  readonly empty: boolean
  /** Human sentences on what recovery cut, skipped or recycled; logged at start. */
  readonly notes: readonly string[]
}

/** Opening refused, with what to do; see docs/operations.md for each code. */
export interface OpenRefusal {
  readonly code:
    | 'DATA_CORRUPT'
    | 'DATA_FUTURE_VERSION'
    | 'DATA_FOREIGN_NAME'
    | 'DATA_IS_ZOOKEEPER'
    | 'DATA_LOCKED'
    | 'DATA_UNUSABLE'
  readonly file: string
  readonly offset: number
  readonly detail: string
}
