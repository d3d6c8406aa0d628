import type { SnapshotMeta } from '../core/raft/message.ts'
import { RefusalError, writeFault } from './fault.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import {
  encodeSnapshotHeader,
  isSnapshotName,
  type SnapshotHeader,
  SnapshotVerifier,
  snapshotName,
} from './snapshot-file.ts'
import { readBlocks } from './snapshot-reader.ts'
import { FileSnapshotWriter } from './snapshot-writer.ts'
import type { SnapshotFile, SnapshotStore, SnapshotWriter, StorageFault } from './storage.ts'

export interface SnapshotStoreOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly clusterId: () => string
  /** How many of the newest snapshots stay. */
  readonly kept: number
}

const sliceBytes = 1024 * 1024

interface OpenReader {
  readonly file: OpenFile
  underway: number
  removed: boolean
}

/** Snapshot files in a directory, newest first. */
export class FileSnapshotStore implements SnapshotStore {
  readonly #options: SnapshotStoreOptions
  #all: SnapshotFile[]
  readonly #readers = new Map<string, OpenReader>()
  #temporaries = 0

  /** `found` are the valid files, as `findSnapshots` gives them. */
  constructor(options: SnapshotStoreOptions, found: readonly SnapshotFile[]) {
    this.#options = options
    this.#all = [...found]
  }

  get newest(): SnapshotFile | null {
    return this.#all[0] ?? null
  }

  get all(): readonly SnapshotFile[] {
    return this.#all
  }

  /**
   * The log behind this index may go. It stays until two snapshots stand, and then from the oldest
   * of them on: if the newest turns out damaged, the one before and the log make up for it.
   */
  get releaseBound(): number {
    if (this.#all.length < Math.min(2, this.#options.kept)) return 0
    return this.#all.at(-1)?.meta.index ?? 0
  }

  create(meta: SnapshotMeta): SnapshotWriter {
    const header = encodeSnapshotHeader({ clusterId: this.#options.clusterId(), meta })
    return this.#writer(meta, header)
  }

  receive(meta: SnapshotMeta): SnapshotWriter {
    return this.#writer(meta, null)
  }

  read(
    file: SnapshotFile,
    offset: number,
    length: number,
    done: (fault: StorageFault | null, bytes: Uint8Array) => void,
  ): void {
    const path = this.#pathOf(file.meta)
    let reader: OpenReader
    try {
      reader = this.#readerOf(path)
    } catch (error) {
      return done(writeFault(error, path), new Uint8Array(0))
    }
    reader.underway += 1
    reader.file.read(offset, length, (error, bytes) => {
      reader.underway -= 1
      if (reader.removed && reader.underway === 0) reader.file.close()
      done(error === null ? null : writeFault(error, path), bytes)
    })
  }

  blocks(file: SnapshotFile): Iterable<Uint8Array> {
    return readBlocks(this.#options.fileSystem, this.#pathOf(file.meta))
  }

  /** Closes what streams to followers had opened. */
  close(): void {
    for (const path of this.#readers.keys()) this.#forget(path)
  }

  #pathOf(meta: SnapshotMeta): string {
    return `${this.#options.directory}/${snapshotName(meta)}`
  }

  #writer(meta: SnapshotMeta, header: Uint8Array | null): SnapshotWriter {
    const { fileSystem, directory } = this.#options
    this.#temporaries += 1
    const path = this.#pathOf(meta)
    const temporary = `${path}.${this.#temporaries}.tmp`
    const finished = (bytes: number): SnapshotFile => this.#add({ meta, bytes })
    const verify =
      header === null
        ? (file: OpenFile, bytes: number, done: (valid: boolean) => void): void =>
            verifySlices(file, bytes, (found) => done(found !== null && this.#suits(found, meta)))
        : (_file: OpenFile, _bytes: number, done: (valid: boolean) => void): void => done(true)
    return new FileSnapshotWriter(
      { fileSystem, directory, temporary, path, verify, finished },
      header,
    )
  }

  #suits(header: SnapshotHeader, meta: SnapshotMeta): boolean {
    const own = this.#options.clusterId()
    return (
      header.meta.index === meta.index &&
      header.meta.term === meta.term &&
      (own === '' || header.clusterId === own)
    )
  }

  #add(file: SnapshotFile): SnapshotFile {
    const path = this.#pathOf(file.meta)
    // A reader of a replaced file would mix two of them.
    this.#forget(path)
    const others = this.#all.filter(({ meta }) => this.#pathOf(meta) !== path)
    this.#all = [...others, file].sort((a, b) => b.meta.index - a.meta.index)
    for (const old of this.#all.splice(this.#options.kept)) this.#remove(this.#pathOf(old.meta))
    return file
  }

  #remove(path: string): void {
    this.#forget(path)
    try {
      this.#options.fileSystem.remove(path)
    } catch {
      // It stays until the next start, which removes what is beyond the number to keep.
    }
  }

  #readerOf(path: string): OpenReader {
    const known = this.#readers.get(path)
    if (known !== undefined) return known
    const reader = {
      file: this.#options.fileSystem.open(path, false),
      underway: 0,
      removed: false,
    }
    this.#readers.set(path, reader)
    return reader
  }

  #forget(path: string): void {
    const reader = this.#readers.get(path)
    if (reader === undefined) return
    this.#readers.delete(path)
    reader.removed = true
    if (reader.underway === 0) reader.file.close()
  }
}

/**
 * The snapshot files of a directory, newest first, beginning with the newest that is valid to its
 * last byte; of those before it only the header is read. Temporary files and what is beyond
 * `kept` are removed; damaged files are left for the operator to look at. Throws RefusalError for a
 * format of a newer build.
 */
export function findSnapshots(
  { fileSystem, directory, clusterId, kept }: SnapshotStoreOptions,
  notes: string[],
): SnapshotFile[] {
  const found: SnapshotFile[] = []
  const names = fileSystem.list(directory).filter((name) => name.startsWith('snapshot-'))
  for (const name of names.reverse()) {
    const path = `${directory}/${name}`
    if (name.endsWith('.tmp')) fileSystem.remove(path)
    if (!isSnapshotName(name)) continue
    const verifier = verifyFile(fileSystem, path, found.length > 0)
    if (verifier.futureVersion > 0) {
      const detail = `snapshot format ${verifier.futureVersion}`
      throw new RefusalError('DATA_FUTURE_VERSION', path, 8, detail)
    }
    const { header } = verifier
    const intact = found.length > 0 ? verifier.refusal === null : verifier.complete
    const own = header?.clusterId === clusterId() && snapshotName(header.meta) === name
    if (header === null || !intact || !own) {
      const why = verifier.refusal ?? (intact ? 'it belongs to another cluster' : 'it ends early')
      notes.push(`${path}: the snapshot is skipped: ${why}`)
      continue
    }
    if (found.length < kept) found.push({ meta: header.meta, bytes: fileSystem.size(path) })
    else fileSystem.remove(path)
  }
  return found
}

function verifyFile(fileSystem: FileSystem, path: string, headerOnly: boolean): SnapshotVerifier {
  const verifier = new SnapshotVerifier()
  const file = fileSystem.open(path, false)
  const size = fileSystem.size(path)
  for (let at = 0; at < size && verifier.refusal === null; at += sliceBytes) {
    verifier.add(file.readSync(at, Math.min(sliceBytes, size - at)))
    if (headerOnly && verifier.header !== null) break
  }
  file.close()
  return verifier
}

/** Verifies what was written, off the hot path; null when it is not a whole, valid snapshot. */
function verifySlices(
  file: OpenFile,
  bytes: number,
  done: (header: SnapshotHeader | null) => void,
): void {
  const verifier = new SnapshotVerifier()
  const next = (at: number): void => {
    if (at >= bytes || verifier.refusal !== null) {
      return done(verifier.complete ? verifier.header : null)
    }
    file.read(at, Math.min(sliceBytes, bytes - at), (error, slice) => {
      if (error !== null || slice.length === 0) return done(null)
      verifier.add(slice)
      next(at + slice.length)
    })
  }
  next(0)
}
