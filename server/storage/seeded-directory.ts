import type { SnapshotMeta } from '../core/raft/message.ts'
import { RefusalError } from './fault.ts'
import { type FormatOptions, writeFirstSegment } from './format.ts'
import { writeIdentity } from './identity.ts'
import { FileSnapshotStore } from './snapshot-store.ts'
import type { SnapshotWriter } from './storage.ts'

export interface SeedOptions extends FormatOptions {
  readonly directories: {
    readonly data: string
    readonly log: string
    readonly snapshots: string
  }
}

/**
 * Fresh directories whose server founds a cluster with a state that was made elsewhere. The identity
 * is written last: before it, what is there is refused by every server as data without an owner.
 */
export class SeededDirectory {
  /** Of the server; being its founder's, of the cluster too. */
  readonly id: string
  readonly #options: SeedOptions
  readonly #store: FileSnapshotStore

  /** The directories are empty: that is for the caller to see to. Throws RefusalError for one in use. */
  constructor(options: SeedOptions) {
    const { fileSystem, directories } = options
    this.#options = options
    this.id = options.newId()
    for (const path of Object.values(directories)) fileSystem.makeDirectory(path)
    if (!fileSystem.lock(directories.data)) {
      const detail = 'another process runs on this directory'
      throw new RefusalError('DATA_LOCKED', directories.data, 0, detail)
    }
    this.#store = new FileSnapshotStore(
      { fileSystem, directory: directories.snapshots, clusterId: () => this.id, kept: 1 },
      [],
    )
  }

  /** The state that the server begins with; it has to be finished before `seal`. */
  snapshot(meta: SnapshotMeta): SnapshotWriter {
    return this.#store.create(meta)
  }

  /** Durable on return: from here on a server starts on the directory. */
  seal(): void {
    const { fileSystem, directories, name } = this.#options
    writeFirstSegment(this.#options, directories.log, this.id)
    const identity = { clusterId: this.id, name, id: this.id, abstain: false }
    writeIdentity(fileSystem, directories.data, identity)
  }

  close(): void {
    this.#options.fileSystem.unlock(this.#options.directories.data)
  }
}
