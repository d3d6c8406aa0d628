/**
 * The disk as storage sees it. Calls that may be slow while the server runs take a callback; those of
 * start-up are synchronous. The simulation has a twin that loses unsynced writes at a crash.
 */
export interface OpenFile {
  /** Writes all of `bytes` at `position`. */
  write(position: number, bytes: Uint8Array, done: (error: Error | null) => void): void
  /** fdatasync. */
  sync(done: (error: Error | null) => void): void
  read(
    position: number,
    length: number,
    done: (error: Error | null, bytes: Uint8Array) => void,
  ): void
  /** Synchronous twins for start-up and segment creation. Fewer bytes at the end of the file. */
  readSync(position: number, length: number): Uint8Array
  writeSync(position: number, bytes: Uint8Array): void
  syncSync(): void
  close(): void
}

export interface FileSystem {
  makeDirectory(path: string): void
  /** Names in a directory, sorted; [] when it does not exist. */
  list(path: string): string[]
  exists(path: string): boolean
  size(path: string): number
  readFile(path: string): Uint8Array
  remove(path: string): void
  rename(from: string, to: string): void
  truncate(path: string, size: number): void
  syncDirectory(path: string): void
  /** Opens for reading and writing; creates the file when `create`. */
  open(path: string, create: boolean): OpenFile
  /** An exclusive lock on the directory for this process's life; false when another holds it. */
  lock(path: string): boolean
  /** Gives up a lock that `lock` granted; the end of the process does so too. */
  unlock(path: string): void
}
