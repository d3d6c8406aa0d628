import type { FileSystem, OpenFile } from '../../server/storage/file-system.ts'

const sector = 512

export type DiskFault = 'ENOSPC' | 'EIO'
export type DiskOperation = 'write' | 'sync' | 'create' | 'read'

export interface SimulatedDiskOptions {
  /** Calls back after a virtual delay; the disk completes everything through it. */
  readonly schedule: (delayMs: number, call: () => void) => void
  /** Milliseconds an operation takes; 0 when absent. */
  readonly latencyMs?: (operation: DiskOperation) => number
  /** A fault to inject into an operation on a path; null for none. */
  readonly fault?: (operation: DiskOperation, path: string) => DiskFault | null
}

interface PendingWrite {
  readonly position: number
  readonly bytes: Uint8Array
}

/** A file's content: what is certain to survive a crash, and the writes that may not. */
class Inode {
  durable = new Uint8Array(0)
  current = new Uint8Array(0)
  pending: PendingWrite[] = []

  write(position: number, bytes: Uint8Array): void {
    const copy = bytes.slice()
    this.pending.push({ position, bytes: copy })
    this.current = applied(this.current, position, copy)
  }

  /** The first `count` pending writes are durable from now on. */
  flush(count: number): void {
    for (const { position, bytes } of this.pending.splice(0, count)) {
      this.durable = applied(this.durable, position, bytes)
    }
  }

  crash(random: () => number): void {
    for (const { position, bytes } of this.pending) {
      const kept = survivingLength(position, bytes.length, random)
      this.durable = applied(this.durable, position, bytes.subarray(0, kept))
    }
    this.pending = []
    this.current = this.durable.slice()
  }

  truncate(size: number): void {
    this.flush(this.pending.length)
    const content = new Uint8Array(size)
    content.set(this.durable.subarray(0, size))
    this.durable = content
    this.current = content.slice()
  }
}

/** The content after a write; files are small and mostly preallocated, so growth may copy. */
function applied(
  content: Uint8Array,
  position: number,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return content as Uint8Array<ArrayBuffer>
  const end = position + bytes.length
  let target = content as Uint8Array<ArrayBuffer>
  if (end > content.length) {
    target = new Uint8Array(end)
    target.set(content)
  }
  target.set(bytes, position)
  return target
}

/** A write is kept, lost, or torn behind one of the sectors that it touches. */
function survivingLength(position: number, length: number, random: () => number): number {
  const fate = random()
  if (fate < 1 / 3) return length
  if (fate < 2 / 3) return 0
  const first = Math.floor(position / sector) + 1
  const sectors = Math.ceil((position + length) / sector) - first
  const boundary = (first + Math.floor(random() * (sectors + 1))) * sector
  return Math.min(length, boundary - position)
}

type DirectoryOperation =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }

/**
 * A disk in memory. It forgets at a crash what was not synced, each write and each change of a
 * directory on its own; what was synced survives. After a crash the files that were open belong to
 * a dead process: their calls do nothing and never complete.
 */
export class SimulatedFileSystem implements FileSystem {
  readonly #options: SimulatedDiskOptions
  /** Names that survive a crash, and names as running processes see them. */
  #durableNames = new Map<string, Inode>()
  #names = new Map<string, Inode>()
  #directories = new Set<string>()
  #pending: DirectoryOperation[] = []
  #locks = new Set<string>()
  #epoch = 0
  /** Bytes that files may take in all; growing a file beyond is ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY
  /** Completed asynchronous calls, for tests that count. */
  readonly counts = { writes: 0, syncs: 0, syncSyncs: 0, directorySyncs: 0 }

  constructor(options: SimulatedDiskOptions) {
    this.#options = options
  }

  get epoch(): number {
    return this.#epoch
  }

  /** The machine loses power: see the class. Locks end with their process. */
  crash(random: () => number): void {
    this.#epoch += 1
    for (const operation of this.#pending) {
      if (random() < 0.5) this.#settle(operation)
    }
    this.#pending = []
    this.#names = new Map(this.#durableNames)
    this.#locks.clear()
    for (const inode of new Set(this.#names.values())) inode.crash(random)
  }

  /** The process dies and the machine lives: nothing is lost, but its calls never complete. */
  kill(): void {
    this.#epoch += 1
    this.#locks.clear()
  }

  /** Rot: flips the bits of `mask` in one byte, durably. */
  flip(path: string, offset: number, mask: number): void {
    const inode = this.#inode(path)
    inode.flush(inode.pending.length)
    for (const content of [inode.durable, inode.current]) {
      content[offset] = (content[offset] ?? 0) ^ mask
    }
  }

  /** Replaces a file durably, creating it if need be. */
  put(path: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.write(0, bytes)
    inode.flush(1)
    this.#names.set(path, inode)
    this.#durableNames.set(path, inode)
    this.#directories.add(parentOf(path))
  }

  /** Everything as it is now, as if synced: another disk with the same content. */
  clone(options: SimulatedDiskOptions = this.#options): SimulatedFileSystem {
    const copy = new SimulatedFileSystem(options)
    for (const [path, inode] of this.#names) copy.put(path, inode.current)
    for (const directory of this.#directories) copy.#directories.add(directory)
    return copy
  }

  makeDirectory(path: string): void {
    for (let at = path; at !== '' && at !== '/' && at !== '.'; at = parentOf(at)) {
      this.#directories.add(at)
    }
  }

  list(path: string): string[] {
    const prefix = `${path}/`
    const found = new Set<string>()
    for (const name of [...this.#names.keys(), ...this.#directories]) {
      if (name.startsWith(prefix)) found.add(name.slice(prefix.length).split('/')[0] ?? '')
    }
    return [...found].sort()
  }

  exists(path: string): boolean {
    return this.#names.has(path) || this.#directories.has(path)
  }

  size(path: string): number {
    return this.#inode(path).current.length
  }

  readFile(path: string): Uint8Array {
    return this.#inode(path).current.slice()
  }

  remove(path: string): void {
    this.#inode(path)
    this.#names.delete(path)
    this.#pending.push({ kind: 'remove', path })
  }

  rename(from: string, to: string): void {
    const inode = this.#inode(from)
    this.#names.delete(from)
    this.#names.set(to, inode)
    this.#pending.push({ kind: 'rename', from, to, inode })
  }

  truncate(path: string, size: number): void {
    this.#inode(path).truncate(size)
  }

  syncDirectory(path: string): void {
    this.counts.directorySyncs += 1
    this.injected('sync', path)
    const pathOf = (operation: DirectoryOperation): string =>
      operation.kind === 'rename' ? operation.to : operation.path
    for (const operation of this.#pending) {
      if (parentOf(pathOf(operation)) === path) this.#settle(operation)
    }
    this.#pending = this.#pending.filter((operation) => parentOf(pathOf(operation)) !== path)
  }

  open(path: string, create: boolean): OpenFile {
    let inode = this.#names.get(path)
    if (inode === undefined) {
      if (!create) throw diskError('ENOENT', path)
      this.injected('create', path)
      inode = new Inode()
      this.#names.set(path, inode)
      this.#pending.push({ kind: 'create', path, inode })
    }
    return new SimulatedFile(this, path, inode, this.#options)
  }

  lock(path: string): boolean {
    if (this.#locks.has(path)) return false
    this.#locks.add(path)
    return true
  }

  unlock(path: string): void {
    this.#locks.delete(path)
  }

  /** Throws the fault that the test injects, if any. */
  injected(operation: DiskOperation, path: string): void {
    const fault = this.#options.fault?.(operation, path) ?? null
    if (fault !== null) throw diskError(fault, path)
  }

  /** Throws ENOSPC when a file cannot grow so far. */
  reserve(path: string, inode: Inode, end: number): void {
    const growth = end - inode.current.length
    if (growth <= 0 || this.capacityBytes === Number.POSITIVE_INFINITY) return
    let used = 0
    for (const other of new Set(this.#names.values())) used += other.current.length
    if (used + growth > this.capacityBytes) throw diskError('ENOSPC', path)
  }

  #settle(operation: DirectoryOperation): void {
    if (operation.kind === 'remove') {
      this.#durableNames.delete(operation.path)
    } else if (operation.kind === 'create') {
      this.#durableNames.set(operation.path, operation.inode)
    } else {
      const { from, to, inode } = operation
      if (this.#durableNames.get(from) === inode) this.#durableNames.delete(from)
      this.#durableNames.set(to, inode)
    }
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw diskError('ENOENT', path)
    return inode
  }
}

class SimulatedFile implements OpenFile {
  readonly #disk: SimulatedFileSystem
  readonly #path: string
  readonly #inode: Inode
  readonly #options: SimulatedDiskOptions
  readonly #epoch: number

  constructor(
    disk: SimulatedFileSystem,
    path: string,
    inode: Inode,
    options: SimulatedDiskOptions,
  ) {
    this.#disk = disk
    this.#path = path
    this.#inode = inode
    this.#options = options
    this.#epoch = disk.epoch
  }

  get #dead(): boolean {
    return this.#disk.epoch !== this.#epoch
  }

  write(position: number, bytes: Uint8Array, done: (error: Error | null) => void): void {
    if (this.#dead) return
    const error = caught(() => this.writeSync(position, bytes))
    this.#complete('write', () => {
      this.#disk.counts.writes += 1
      done(error)
    })
  }

  sync(done: (error: Error | null) => void): void {
    if (this.#dead) return
    const error = caught(() => this.#disk.injected('sync', this.#path))
    // Writes that are issued while the sync is under way are not covered by it.
    const covered = [...this.#inode.pending]
    this.#complete('sync', () => {
      this.#disk.counts.syncs += 1
      if (error === null) this.#inode.flush(this.#leading(covered))
      done(error)
    })
  }

  read(
    position: number,
    length: number,
    done: (error: Error | null, bytes: Uint8Array) => void,
  ): void {
    if (this.#dead) return
    this.#complete('read', () => {
      const error = caught(() => this.#disk.injected('read', this.#path))
      done(error, error === null ? this.readSync(position, length) : new Uint8Array(0))
    })
  }

  readSync(position: number, length: number): Uint8Array {
    return this.#inode.current.slice(position, position + length)
  }

  writeSync(position: number, bytes: Uint8Array): void {
    if (this.#dead) return
    this.#disk.injected('write', this.#path)
    this.#disk.reserve(this.#path, this.#inode, position + bytes.length)
    this.#inode.write(position, bytes)
  }

  syncSync(): void {
    if (this.#dead) return
    this.#disk.counts.syncSyncs += 1
    this.#disk.injected('sync', this.#path)
    this.#inode.flush(this.#inode.pending.length)
  }

  close(): void {}

  #leading(covered: readonly PendingWrite[]): number {
    let count = 0
    while (count < covered.length && this.#inode.pending[count] === covered[count]) count += 1
    return count
  }

  #complete(operation: DiskOperation, call: () => void): void {
    this.#options.schedule(this.#options.latencyMs?.(operation) ?? 0, () => {
      if (!this.#dead) call()
    })
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? (slash === 0 ? '/' : '') : path.slice(0, slash)
}

function diskError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

function caught(call: () => void): Error | null {
  try {
    call()
    return null
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
