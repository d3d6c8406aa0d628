import { adler32 } from './adler32.ts'
import { damaged } from './refusals.ts'

/**
 * A file that is read from front to back, in which one may look ahead. Bytes that were taken are
 * views which nobody writes to again; the checksum is that of everything taken so far.
 */
export class ByteWindow {
  readonly #file: string
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #bytes: Buffer = Buffer.alloc(0)
  /** Where in #bytes the next byte is, and up to where the checksum has come. */
  #at = 0
  #summedTo = 0
  #checksum = 1
  #before = 0
  #ended = false

  constructor(file: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#file = file
    this.#chunks =
      Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  }

  /** Of the next byte, counted from the beginning of the (decompressed) content. */
  get position(): number {
    return this.#before + this.#at
  }

  /** Adler-32 of all that was taken or skipped. */
  get checksum(): number {
    this.#sumUp()
    return this.#checksum
  }

  /** What has been read and not taken yet: at least what `has` was asked for. */
  get ahead(): Buffer {
    return this.#bytes.subarray(this.#at)
  }

  /** Whether `count` more bytes follow. */
  async has(count: number): Promise<boolean> {
    let available = this.#bytes.length - this.#at
    if (available >= count) return true
    this.#sumUp()
    const parts: Uint8Array[] = [this.#bytes.subarray(this.#at)]
    while (available < count && !this.#ended) {
      const { done, value } = await this.#chunks.next()
      if (done === true) this.#ended = true
      else {
        parts.push(value)
        available += value.length
      }
    }
    this.#before += this.#at
    this.#bytes = Buffer.concat(parts)
    this.#at = 0
    this.#summedTo = 0
    return available >= count
  }

  /** The next `count` bytes; a file that ends before them is damaged. */
  async take(count: number): Promise<Buffer> {
    if (!(await this.has(count))) {
      throw damaged(this.#file, this.position + this.ahead.length, 'the file ends too early')
    }
    const taken = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return taken
  }

  /** Passes over bytes that `has` found. */
  skip(count: number): void {
    this.#at = Math.min(this.#at + count, this.#bytes.length)
  }

  /** Stops reading, wherever it is. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #sumUp(): void {
    this.#checksum = adler32(this.#bytes.subarray(this.#summedTo, this.#at), this.#checksum)
    this.#summedTo = this.#at
  }
}
