import { assert } from '../core/assert.ts'
import type { LogIndex } from '../core/brand.ts'
import type { HardState, SnapshotMeta } from '../core/raft/message.ts'
import { RefusalError, writeFault } from './fault.ts'
import type { FileSystem } from './file-system.ts'
import { formatDirectory } from './format.ts'
import { readIdentity, type StoredIdentity, writeIdentity } from './identity.ts'
import {
  findSpares,
  isReplacedBySnapshot,
  openSegment,
  type RecoveredLog,
  recoverLog,
  syncTail,
  wipeTail,
} from './log-recovery.ts'
import { spareName } from './segment.ts'
import { FileSnapshotStore, findSnapshots } from './snapshot-store.ts'
import type { OpenedStorage, OpenRefusal, StorageFault } from './storage.ts'
import { Wal, type WalOptions } from './wal.ts'

export interface StorageOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  /** Where the log lives; `directory` when absent (ZooKeeper's dataLogDir). */
  readonly logDirectory?: string
  /** Where snapshots live; `directory` when absent. */
  readonly snapshotDirectory?: string
  /** The stable name of this server; a disk of another name is refused. */
  readonly name: string
  /** Draws the id of a new disk: 16 hex digits. */
  readonly newId: () => string
  /** Uniform in [0, 1): seeds of segments. */
  readonly random: () => number
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, call: () => void) => void
  /** Calls back when the present turn has appended all it has (queueMicrotask will do). */
  readonly endOfTurn: (call: () => void) => void
  /** A multiple of 4096. */
  readonly segmentBytes: number
  readonly snapshotsKept: number
  /** Zeros written at once while a segment is made ready; default 1 MiB. */
  readonly sliceBytes?: number
  /** Released segment files kept for reuse; default 4. */
  readonly sparesMax?: number
  /** Pause between attempts to find space on a full disk; default 1000. */
  readonly retryMs?: number
  /** Called before each sync of the log; what it returns is called when the sync has succeeded. */
  readonly timeSync?: () => () => void
  /** A fault of the log. DISK_FULL passes by itself; after any other the log is dead. */
  readonly onFault: (fault: StorageFault) => void
}

interface Directories {
  readonly data: string
  readonly log: string
  readonly snapshots: string
}

/**
 * Opens the data directory, formatting an empty one, and recovers what it holds. A refusal leaves
 * log, snapshots and identity as they are and is not an exception; an error of the file system
 * itself (no permission, no space to format) is DATA_UNUSABLE.
 */
export function openStorage(options: StorageOptions): OpenedStorage | OpenRefusal {
  const { fileSystem, directory } = options
  let locked = false
  try {
    const directories = {
      data: directory,
      log: options.logDirectory ?? directory,
      snapshots: options.snapshotDirectory ?? directory,
    }
    refuseZooKeeper(fileSystem, directories)
    for (const path of Object.values(directories)) fileSystem.makeDirectory(path)
    locked = fileSystem.lock(directory)
    if (!locked) {
      throw new RefusalError('DATA_LOCKED', directory, 0, 'another server runs on this directory')
    }
    return new DirectoryStorage(options, directories)
  } catch (error) {
    if (locked) fileSystem.unlock(directory)
    if (error instanceof RefusalError) return error.refusal
    if (!(error instanceof Error && 'code' in error)) throw error
    return { code: 'DATA_UNUSABLE', file: directory, offset: 0, detail: error.message }
  }
}

/** ZooKeeper keeps its files in version-2; a directory with only these is not ours to format. */
function refuseZooKeeper(fileSystem: FileSystem, directories: Directories): void {
  if (readIdentity(fileSystem, directories.data) !== null) return
  for (const directory of [directories.data, directories.log]) {
    const path = `${directory}/version-2`
    if (!fileSystem.exists(path)) continue
    const detail = "this is ZooKeeper's own data: bring it over with quorate migrate"
    throw new RefusalError('DATA_IS_ZOOKEEPER', path, 0, detail)
  }
}

class DirectoryStorage implements OpenedStorage {
  readonly log: Wal
  readonly snapshots: FileSnapshotStore
  readonly restored: OpenedStorage['restored']
  readonly snapshotFile: OpenedStorage['snapshotFile']
  readonly empty: boolean
  readonly notes: readonly string[]
  readonly #options: StorageOptions
  readonly #directories: Directories
  #identity: StoredIdentity

  constructor(options: StorageOptions, directories: Directories) {
    const { fileSystem } = options
    const notes: string[] = []
    this.#options = options
    this.#directories = directories
    this.#identity =
      readIdentity(fileSystem, directories.data) ?? formatDirectory(options, directories)
    const { name } = this.#identity
    if (name !== options.name) {
      const advice = 'give each its own, or empty it to join as a new server'
      const detail = `the directory belongs to server ${name}, not ${options.name}: ${advice}`
      throw new RefusalError('DATA_FOREIGN_NAME', `${directories.data}/identity.json`, 0, detail)
    }
    const store = {
      fileSystem,
      directory: directories.snapshots,
      clusterId: () => this.#identity.clusterId,
      kept: options.snapshotsKept,
    }
    const files = findSnapshots(store, notes)
    this.snapshots = new FileSnapshotStore(store, files)
    this.snapshotFile = this.snapshots.newest
    const snapshot = this.snapshotFile?.meta ?? null
    const recovered = recoverLog(
      fileSystem,
      directories.log,
      this.#identity,
      snapshot?.index ?? 0,
      notes,
    )
    const replaced = isReplacedBySnapshot(recovered, snapshot)
    this.restored = this.#restore(recovered, replaced ? snapshot : null, snapshot)
    this.empty = !recovered.replay.anything && snapshot === null
    this.notes = notes
    // Nothing has been changed so far; from here on nothing is refused.
    if (recovered.rot) this.#writeIdentity({ ...this.#identity, abstain: true })
    if (recovered.dirty) wipeTail(fileSystem, recovered.active, recovered.end)
    else syncTail(fileSystem, recovered.active)
    for (const path of Object.values(directories)) fileSystem.syncDirectory(path)
    this.log = this.#openLog(recovered)
    if (replaced && snapshot !== null) {
      this.log.resetTo(snapshot, recovered.replay.hardState, () => {})
    }
  }

  get identity(): OpenedStorage['identity'] {
    const { clusterId, name, id } = this.#identity
    return { clusterId, name, id }
  }

  get abstain(): boolean {
    return this.#identity.abstain
  }

  setClusterId(clusterId: string): StorageFault | null {
    if (clusterId === this.#identity.clusterId) return null
    assert(this.#identity.clusterId === '', 'a disk belongs to one cluster for ever')
    return this.#tryIdentity({ ...this.#identity, clusterId })
  }

  endAbstention(): StorageFault | null {
    return this.#identity.abstain ? this.#tryIdentity({ ...this.#identity, abstain: false }) : null
  }

  #tryIdentity(identity: StoredIdentity): StorageFault | null {
    try {
      this.#writeIdentity(identity)
      return null
    } catch (error) {
      return writeFault(error, `${this.#directories.data}/identity.json`)
    }
  }

  #writeIdentity(identity: StoredIdentity): void {
    writeIdentity(this.#options.fileSystem, this.#directories.data, identity)
    this.#identity = identity
  }

  /** `replacement`: the snapshot that takes the whole log's place, if any. */
  #restore(
    { replay, rot, active, end }: RecoveredLog,
    replacement: SnapshotMeta | null,
    snapshot: SnapshotMeta | null,
  ): OpenedStorage['restored'] {
    const index: LogIndex = snapshot?.index ?? 0
    const last = replacement === null ? Math.max(replay.last.index, index) : index
    const { commit } = replay.hardState
    if (commit > last && !rot && !this.#identity.abstain) {
      const detail = `entries up to ${commit} were committed, and the log ends at ${last}`
      throw new RefusalError('DATA_CORRUPT', active.path, end, detail)
    }
    const hardState: HardState = {
      ...replay.hardState,
      commit: Math.min(Math.max(commit, index), last),
    }
    return {
      hardState,
      snapshot: snapshot ?? { index: 0, term: 0, members: [] },
      entries: replacement === null ? replay.entries : [],
    }
  }

  #openLog(recovered: RecoveredLog): Wal {
    const { fileSystem, directory } = this.#options
    const { replay, active, end, live, next } = recovered
    const spares = this.#gatherSpares(recovered)
    const options: WalOptions = {
      fileSystem,
      directory: this.#directories.log,
      segmentBytes: this.#options.segmentBytes,
      sliceBytes: this.#options.sliceBytes ?? 1024 * 1024,
      sparesMax: this.#options.sparesMax ?? 4,
      retryMs: this.#options.retryMs ?? 1000,
      memberId: this.#identity.id,
      clusterId: () => this.#identity.clusterId,
      random: this.#options.random,
      schedule: this.#options.schedule,
      endOfTurn: this.#options.endOfTurn,
      releaseBound: () => this.snapshots.releaseBound,
      timeSync: this.#options.timeSync ?? (() => () => {}),
      onFault: this.#options.onFault,
      onClosed: () => {
        this.snapshots.close()
        fileSystem.unlock(directory)
      },
    }
    return new Wal(options, {
      active: openSegment(fileSystem, active),
      offset: end,
      live,
      last: replay.last,
      hardState: replay.hardState,
      next: next === null ? null : openSegment(fileSystem, next),
      nextSequence: active.header.sequence + 1,
      spares,
      previousEnd: 0,
    })
  }

  /** Files that the log no longer needs become spares, if they have the size of a segment. */
  #gatherSpares({ unused }: RecoveredLog): string[] {
    const { fileSystem, segmentBytes } = this.#options
    const spares: string[] = []
    const found = findSpares(fileSystem, this.#directories.log)
    let number = 0
    for (const path of [...found, ...unused]) {
      if (fileSystem.size(path) !== segmentBytes) {
        fileSystem.remove(path)
      } else if (found.includes(path)) {
        spares.push(path)
      } else {
        // Its name is that of a segment, which another file may be given before it is reused.
        let spare: string
        do {
          number += 1
          spare = `${this.#directories.log}/${spareName(number)}`
        } while (fileSystem.exists(spare))
        fileSystem.rename(path, spare)
        spares.push(spare)
      }
    }
    if (unused.length > 0) fileSystem.syncDirectory(this.#directories.log)
    return spares
  }
}
