import { isNoSpace, syncFault, writeFault } from './fault.ts'
import type { FileSystem, OpenFile } from './file-system.ts'
import { recordSeed } from './record.ts'
import {
  drawSegmentId,
  encodeSegmentStart,
  type Segment,
  segmentName,
  spareName,
} from './segment.ts'
import type { StorageFault } from './storage.ts'

export interface SegmentPoolOptions {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly segmentBytes: number
  /** Zeros written at once while a file is made; each slice is synced before the next. */
  readonly sliceBytes: number
  /** Released files that are kept for reuse; others are removed. */
  readonly sparesMax: number
  /** Without space, the next attempt comes after so long. */
  readonly retryMs: number
  readonly memberId: string
  readonly clusterId: () => string
  readonly random: () => number
  readonly schedule: (delayMs: number, call: () => void) => void
  /** A segment may be taken. */
  readonly onReady: () => void
  /** `full` became true or false. */
  readonly onFull: (full: boolean, detail: string) => void
  readonly onFatal: (fault: StorageFault) => void
}

/**
 * Files for the log, made ready before they are needed: `next` is a formatted segment without
 * records; the reserve is one more preallocated file, which only a reserved write may take when the
 * disk has no space for a new one. Released segments come back and are used again.
 */
export class SegmentPool {
  readonly #options: SegmentPoolOptions
  #next: Segment | null
  #nextSequence: number
  #reserve: string | null = null
  readonly #spares: string[]
  #spareNumber = 0
  #busy = false
  #closed = false
  #full = false
  #retryPending = false
  #reserveWanted = false
  /** Size of the segment that a record waits for which fits in no ordinary one; else 0. */
  #oversize = 0

  constructor(
    options: SegmentPoolOptions,
    found: {
      readonly nextSequence: number
      readonly next: Segment | null
      readonly spares: readonly string[]
    },
  ) {
    this.#options = options
    this.#next = found.next
    this.#nextSequence = found.nextSequence
    this.#spares = [...found.spares]
  }

  get full(): boolean {
    return this.#full
  }

  /** Begins to make files ready. */
  start(): void {
    this.#work()
  }

  close(): void {
    this.#closed = true
    this.#next?.file.close()
    this.#next = null
  }

  /**
   * The next segment, of at least `capacity` bytes; null when none is ready yet: `onReady` follows.
   * Without space, only a `reserved` caller is given the last one.
   */
  take(capacity: number, reserved: boolean): Segment | null {
    if (reserved) this.#reserveWanted = true
    const segment = this.#next
    if (segment === null || segment.capacity < capacity) {
      if (capacity > this.#options.segmentBytes) this.#oversize = capacity
      if (segment !== null) this.#demote(segment)
      this.#work()
      return null
    }
    if (this.#full && this.#reserve === null && !reserved) return null
    this.#next = null
    this.#nextSequence += 1
    this.#oversize = 0
    this.#reserveWanted = false
    this.#work()
    return segment
  }

  /** Takes back a segment's file whose records are no longer needed. */
  give(path: string, capacity: number): void {
    if (capacity === this.#options.segmentBytes && this.#spares.length < this.#options.sparesMax) {
      this.#spares.push(path)
    } else {
      this.#guarded(path, () => this.#options.fileSystem.remove(path))
    }
    this.#work()
  }

  /** Does the next thing that is missing: the next segment, then the reserve. */
  #work(): void {
    if (this.#busy || this.#closed) return
    if (this.#next === null) {
      const spare = this.#oversize > 0 ? undefined : this.#spares.shift()
      if (spare !== undefined) return this.#format(spare, this.#options.segmentBytes)
      if (this.#full && this.#reserveWanted && this.#reserve !== null && this.#oversize === 0) {
        const path = this.#reserve
        this.#reserve = null
        return this.#format(path, this.#options.segmentBytes)
      }
      return this.#allocate(Math.max(this.#oversize, this.#options.segmentBytes))
    }
    if (this.#reserve === null) {
      this.#reserve = this.#spares.shift() ?? null
      if (this.#reserve === null) return this.#allocate(this.#options.segmentBytes)
    }
    this.#setFull(false, '')
  }

  /** Makes a file of zeros, slice by slice, so that neither the loop nor the log's fsync waits long. */
  #allocate(capacity: number): void {
    if (this.#retryPending) return
    const path = this.#freeName()
    const file = this.#guarded(path, () => this.#options.fileSystem.open(path, true))
    if (file === null) return
    this.#busy = true
    const slice = new Uint8Array(Math.min(this.#options.sliceBytes, capacity))
    const fill = (position: number): void => {
      if (this.#closed) return file.close()
      if (position >= capacity) {
        file.close()
        this.#busy = false
        return this.#allocated(path, capacity)
      }
      const zeros = slice.subarray(0, Math.min(slice.length, capacity - position))
      file.write(position, zeros, (error) => {
        if (error !== null) return this.#abandon(file, path, error)
        file.sync((syncError) => {
          if (syncError !== null) return this.#syncFailed(path, syncError)
          this.#options.schedule(0, () => fill(position + zeros.length))
        })
      })
    }
    fill(0)
  }

  #allocated(path: string, capacity: number): void {
    if (capacity !== this.#options.segmentBytes) return this.#format(path, capacity)
    this.#spares.push(path)
    this.#work()
  }

  #abandon(file: OpenFile, path: string, error: Error): void {
    file.close()
    this.#busy = false
    if (this.#closed) return
    this.#guarded(path, () => this.#options.fileSystem.remove(path))
    this.#failed(path, error)
  }

  /**
   * Makes a segment of the file: a new header with a new random id, synced, and only then its name.
   * A crash between leaves a file whose name and header differ, which recovery takes for a spare.
   */
  #format(path: string, capacity: number): void {
    const { fileSystem, directory, memberId, clusterId, random } = this.#options
    const file = this.#guarded(path, () => fileSystem.open(path, false))
    if (file === null) return
    this.#busy = true
    const sequence = this.#nextSequence
    const segmentId = drawSegmentId(random)
    const header = { capacity, sequence, segmentId, clusterId: clusterId(), memberId }
    file.write(0, encodeSegmentStart(header), (error) => {
      if (error !== null) {
        file.close()
        this.#busy = false
        this.#spares.unshift(path)
        return this.#failed(path, error)
      }
      file.sync((syncError) => {
        if (syncError !== null) return this.#syncFailed(path, syncError)
        this.#busy = false
        if (this.#closed) return file.close()
        const name = `${directory}/${segmentName(sequence)}`
        if (!this.#named(path, name)) return file.close()
        this.#next = { sequence, path: name, capacity, seed: recordSeed(segmentId), file }
        this.#options.onReady()
        this.#work()
      })
    })
  }

  #named(from: string, to: string): boolean {
    const { fileSystem, directory } = this.#options
    const renamed = this.#guarded(from, () => {
      fileSystem.rename(from, to)
      return true
    })
    if (renamed === null) return false
    try {
      fileSystem.syncDirectory(directory)
      return true
    } catch (error) {
      this.#syncFailed(directory, error)
      return false
    }
  }

  /** A segment that is too small for the record in question becomes a spare again. */
  #demote(segment: Segment): void {
    const path = this.#freeName()
    segment.file.close()
    this.#next = null
    if (this.#named(segment.path, path)) this.#spares.push(path)
  }

  #freeName(): string {
    const { fileSystem, directory } = this.#options
    let path: string
    do {
      this.#spareNumber += 1
      path = `${directory}/${spareName(this.#spareNumber)}`
    } while (fileSystem.exists(path))
    return path
  }

  #guarded<T>(path: string, call: () => T): T | null {
    try {
      return call()
    } catch (error) {
      this.#failed(path, error)
      return null
    }
  }

  #failed(path: string, error: unknown): void {
    if (this.#closed) return
    const fault = writeFault(error, path)
    if (!isNoSpace(error)) return this.#options.onFatal(fault)
    this.#setFull(true, fault.detail)
    if (!this.#retryPending) {
      this.#retryPending = true
      this.#options.schedule(this.#options.retryMs, () => {
        this.#retryPending = false
        this.#work()
      })
    }
    // The reserve may be what a waiting write needs.
    this.#work()
  }

  #syncFailed(path: string, error: unknown): void {
    if (!this.#closed) this.#options.onFatal(syncFault(error, path))
  }

  #setFull(full: boolean, detail: string): void {
    if (this.#full === full) return
    this.#full = full
    this.#options.onFull(full, detail)
    if (!full) this.#options.onReady()
  }
}
