import { crc32 } from 'node:zlib'
import { assert } from '../core/assert.ts'
import { syncFault, writeFault } from './fault.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { encodeBlock, encodeFooter } from './snapshot-file.ts'
import type { SnapshotFile, SnapshotWriter, StorageFault } from './storage.ts'

/** Dirty bytes after which a writer syncs: so the log's own fsync never waits for all of a snapshot. */
const syncEveryBytes = 4 * 1024 * 1024

export interface SnapshotTarget {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly temporary: string
  readonly path: string
  /** Looks at the whole file before it gets its name; false: it is not valid and goes away. */
  readonly verify: (file: OpenFile, bytes: number, done: (valid: boolean) => void) => void
  /** The file has its name, durably. */
  readonly finished: (bytes: number) => SnapshotFile
}

/** Writes a snapshot into a temporary file and, when it is whole and synced, gives it its name. */
export class FileSnapshotWriter implements SnapshotWriter {
  readonly #target: SnapshotTarget
  /** Blocks are framed here for a snapshot made here; received bytes are written as they are. */
  readonly #header: Uint8Array | null
  #file: OpenFile | null = null
  #fault: StorageFault | null = null
  #position = 0
  #unsynced = 0
  #blocks = 0
  #contentBytes = 0
  #wholeCrc = 0
  #ended = false

  /** `header` null: the chunks are the bytes of a whole file. */
  constructor(target: SnapshotTarget, header: Uint8Array | null) {
    this.#target = target
    this.#header = header
    const { fileSystem, temporary } = target
    try {
      if (fileSystem.exists(temporary)) fileSystem.remove(temporary)
      this.#file = fileSystem.open(temporary, true)
    } catch (error) {
      this.#fault = writeFault(error, temporary)
    }
  }

  write(chunk: Uint8Array, done: (fault: StorageFault | null) => void): void {
    assert(!this.#ended, 'nothing is written to a snapshot that has ended')
    if (chunk.length === 0 && this.#fault === null) return this.#put(chunk, done)
    if (this.#header === null) return this.#put(chunk, done)
    this.#blocks += 1
    this.#contentBytes += chunk.length
    const block = encodeBlock(chunk)
    const bytes = this.#position === 0 ? Buffer.concat([this.#header, block]) : block
    this.#wholeCrc = crc32(bytes, this.#wholeCrc)
    this.#put(bytes, done)
  }

  finish(done: (fault: StorageFault | null, file: SnapshotFile | null) => void): void {
    assert(!this.#ended, 'a snapshot ends once')
    this.#ended = true
    this.#put(this.#lastBytes(), (fault) => {
      if (fault !== null) return this.#giveUp(fault, done)
      this.#sync((syncProblem) => {
        if (syncProblem !== null) return this.#giveUp(syncProblem, done)
        this.#verify(done)
      })
    })
  }

  abort(): void {
    this.#ended = true
    this.#discard()
  }

  #lastBytes(): Uint8Array {
    if (this.#header === null) return new Uint8Array(0)
    const header = this.#position === 0 ? this.#header : new Uint8Array(0)
    const wholeCrc = crc32(header, this.#wholeCrc)
    return Buffer.concat([header, encodeFooter(this.#blocks, this.#contentBytes, wholeCrc)])
  }

  #verify(done: (fault: StorageFault | null, file: SnapshotFile | null) => void): void {
    const file = this.#file
    if (file === null) return
    this.#target.verify(file, this.#position, (valid) => {
      if (this.#file === null) return
      if (!valid) {
        this.#discard()
        return done(null, null)
      }
      const { fileSystem, directory, temporary, path, finished } = this.#target
      file.close()
      this.#file = null
      try {
        fileSystem.rename(temporary, path)
      } catch (error) {
        return done(writeFault(error, path), null)
      }
      try {
        fileSystem.syncDirectory(directory)
      } catch (error) {
        return done(syncFault(error, directory), null)
      }
      done(null, finished(this.#position))
    })
  }

  #put(bytes: Uint8Array, done: (fault: StorageFault | null) => void): void {
    const file = this.#file
    if (file === null) {
      if (this.#fault !== null) done(this.#fault)
      return
    }
    const position = this.#position
    this.#position += bytes.length
    this.#unsynced += bytes.length
    file.write(position, bytes, (error) => {
      if (this.#file === null) return
      if (error !== null) return done(writeFault(error, this.#target.temporary))
      if (this.#unsynced < syncEveryBytes || this.#ended) return done(null)
      this.#sync(done)
    })
  }

  #sync(done: (fault: StorageFault | null) => void): void {
    this.#unsynced = 0
    this.#file?.sync((error) => {
      if (this.#file === null) return
      done(error === null ? null : syncFault(error, this.#target.temporary))
    })
  }

  #giveUp(fault: StorageFault, done: (fault: StorageFault, file: null) => void): void {
    this.#discard()
    done(fault, null)
  }

  #discard(): void {
    const file = this.#file
    this.#file = null
    if (file === null) return
    const { fileSystem, temporary } = this.#target
    file.close()
    try {
      if (fileSystem.exists(temporary)) fileSystem.remove(temporary)
    } catch {
      // The next start removes temporary files; until then this one only takes space.
    }
  }
}
