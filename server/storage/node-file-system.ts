import * as fs from 'node:fs'
import { dirname } from 'node:path'
import type { FileSystem, OpenFile } from './file-system.ts'
import { lockDirectory, unlockDirectory } from './process-lock.ts'

/** The FileSystem of a real disk. Synchronous calls throw Node's errors as they are. */
export class NodeFileSystem implements FileSystem {
  makeDirectory(path: string): void {
    const first = fs.mkdirSync(path, { recursive: true })
    if (first === undefined) return
    // Every directory that was made is an entry of its parent, which has to reach the disk too.
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      this.syncDirectory(dirname(made))
    }
  }

  list(path: string): string[] {
    return fs.existsSync(path) ? fs.readdirSync(path).sort() : []
  }

  exists(path: string): boolean {
    return fs.existsSync(path)
  }

  size(path: string): number {
    return fs.statSync(path).size
  }

  readFile(path: string): Uint8Array {
    return fs.readFileSync(path)
  }

  remove(path: string): void {
    fs.unlinkSync(path)
  }

  rename(from: string, to: string): void {
    fs.renameSync(from, to)
  }

  truncate(path: string, size: number): void {
    fs.truncateSync(path, size)
  }

  syncDirectory(path: string): void {
    const descriptor = fs.openSync(path, 'r')
    try {
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
  }

  open(path: string, create: boolean): OpenFile {
    const { O_RDWR, O_CREAT } = fs.constants
    return new NodeFile(fs.openSync(path, create ? O_RDWR | O_CREAT : O_RDWR, 0o640))
  }

  lock(path: string): boolean {
    return lockDirectory(path)
  }

  unlock(path: string): void {
    unlockDirectory(path)
  }
}

/** Copied by the loop itself: 64 KB take about 10 us, two changes of thread 50 us and more. */
const SHORT_WRITE_BYTES = 64 * 1024

/** An open descriptor. It is closed only when no call is under way: the number could be reused. */
class NodeFile implements OpenFile {
  readonly #descriptor: number
  #calls = 0
  #closing = false

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /**
   * A short write into the page cache is over before a thread would have begun it, and the log's
   * writes are short: `done` is called at once, unless a call is under way that it would overtake.
   */
  write(position: number, bytes: Uint8Array, done: (error: Error | null) => void): void {
    if (bytes.length > SHORT_WRITE_BYTES || this.#calls > 0) this.#writeLater(position, bytes, done)
    else done(this.#writeNow(position, bytes))
  }

  #writeNow(position: number, bytes: Uint8Array): Error | null {
    try {
      this.writeSync(position, bytes)
      return null
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  #writeLater(position: number, bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.#calls += 1
    fs.write(this.#descriptor, bytes, 0, bytes.length, position, (error, written) => {
      this.#ended()
      if (error !== null) return done(error)
      if (written === bytes.length) return done(null)
      if (written === 0) return done(new Error('the system wrote nothing'))
      // A short write is legal; what it left over follows.
      this.#writeLater(position + written, bytes.subarray(written), done)
    })
  }

  sync(done: (error: Error | null) => void): void {
    this.#calls += 1
    fs.fdatasync(this.#descriptor, (error) => {
      this.#ended()
      done(error)
    })
  }

  read(
    position: number,
    length: number,
    done: (error: Error | null, bytes: Uint8Array) => void,
  ): void {
    const buffer = Buffer.allocUnsafeSlow(length)
    this.#readInto(buffer, position, 0, done)
  }

  #readInto(
    buffer: Buffer,
    position: number,
    filled: number,
    done: (error: Error | null, bytes: Uint8Array) => void,
  ): void {
    this.#calls += 1
    const rest = buffer.length - filled
    fs.read(this.#descriptor, buffer, filled, rest, position + filled, (error, count) => {
      this.#ended()
      if (error !== null) return done(error, new Uint8Array(0))
      if (count === rest || count === 0) return done(null, buffer.subarray(0, filled + count))
      this.#readInto(buffer, position, filled + count, done)
    })
  }

  readSync(position: number, length: number): Uint8Array {
    const buffer = Buffer.allocUnsafeSlow(length)
    let filled = 0
    while (filled < length) {
      const at = position + filled
      const count = fs.readSync(this.#descriptor, buffer, filled, length - filled, at)
      if (count === 0) break
      filled += count
    }
    return buffer.subarray(0, filled)
  }

  writeSync(position: number, bytes: Uint8Array): void {
    let written = 0
    while (written < bytes.length) {
      const at = position + written
      const count = fs.writeSync(this.#descriptor, bytes, written, bytes.length - written, at)
      if (count === 0) throw new Error('the system wrote nothing')
      written += count
    }
  }

  syncSync(): void {
    fs.fdatasyncSync(this.#descriptor)
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    if (this.#calls === 0) fs.closeSync(this.#descriptor)
  }

  #ended(): void {
    this.#calls -= 1
    if (this.#closing && this.#calls === 0) fs.closeSync(this.#descriptor)
  }
}
