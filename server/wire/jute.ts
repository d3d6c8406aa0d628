import { assert } from '../core/assert.ts'

const TWO_32 = 0x1_0000_0000
/** Below this many characters a loop over char codes beats the call into Buffer.write. */
const SHORT_WRITE = 40
/** take() hands over the whole buffer above this fill, and copies below it. */
const HANDOVER_BYTES = 32_768

/**
 * Writes jute, ZooKeeper's serialisation: big-endian, fields in order, no tags (reference B4); and
 * the few variable-length forms of our own log format. It grows as needed and is meant to be kept
 * and reused: `reset` or `take`, then write again. Values out of range are programmer errors.
 */
export class JuteWriter {
  private bytes: Buffer
  private end = 0

  constructor(initialBytes = 4096) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(initialBytes, 64))
  }

  /** Bytes written since the last reset or take. */
  get length(): number {
    return this.end
  }

  reset(): void {
    this.end = 0
  }

  /** Cuts back to an earlier `length`: undoes a reply that turned out to be impossible. */
  truncate(length: number): void {
    assert(length >= 0 && length <= this.end, 'a writer is cut back to a length it had')
    this.end = length
  }

  /** What was written, as a view that the next write or reset may overwrite. */
  view(): Buffer {
    return this.bytes.subarray(0, this.end)
  }

  /** A copy of what was written; the writer goes on. */
  copy(): Buffer {
    return Buffer.from(this.view())
  }

  /** What was written, as bytes that nobody writes to again; the writer begins anew. */
  take(): Buffer {
    const filled = this.bytes.subarray(0, this.end)
    this.end = 0
    if (filled.length < HANDOVER_BYTES) return Buffer.from(filled)
    this.bytes = Buffer.allocUnsafeSlow(Math.max(HANDOVER_BYTES * 2, 64))
    return filled
  }

  byte(value: number): void {
    this.ensure(1)
    this.bytes[this.end++] = value
  }

  boolean(value: boolean): void {
    this.byte(value ? 1 : 0)
  }

  /** A 32-bit integer; only its low 32 bits count. */
  int(value: number): void {
    this.ensure(4)
    this.putInt(this.end, value)
    this.end += 4
  }

  /** A 64-bit integer from a safe integer. */
  long(value: number): void {
    assert(Number.isSafeInteger(value), 'a long is written from a safe integer')
    this.ensure(8)
    this.putInt(this.end, Math.floor(value / TWO_32))
    this.putInt(this.end + 4, value >>> 0)
    this.end += 8
  }

  /** A 64-bit integer that may be beyond the safe ones (session ids of other servers). */
  bigLong(value: bigint): void {
    this.ensure(8)
    this.bytes.writeBigInt64BE(BigInt.asIntN(64, value), this.end)
    this.end += 8
  }

  /** An unsigned integer up to 2^53 - 1 in 1 to 8 bytes, seven bits each, low ones first. */
  varint(value: number): void {
    if (value >= 0 && value < 0x80) {
      this.byte(value)
      return
    }
    assert(Number.isSafeInteger(value) && value >= 0, 'a varint is a safe integer from 0')
    this.ensure(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.end++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.end++] = rest
  }

  /** Length (-1 for null) and UTF-8 bytes. */
  ustring(value: string | null): void {
    if (value === null) {
      this.int(-1)
      return
    }
    const start = this.end
    this.ensure(4 + value.length * 3)
    this.end += 4
    this.text(value)
    this.putInt(start, this.end - start - 4)
  }

  /** Varint length and UTF-8 bytes: the string of our own formats. */
  shortString(value: string): void {
    const start = this.end
    this.ensure(5 + value.length * 3)
    this.end += 1
    this.text(value)
    const length = this.end - start - 1
    if (length < 0x80) {
      this.bytes[start] = length
      return
    }
    this.end = start
    this.varint(length)
    this.ensure(length)
    this.end += this.bytes.write(value, this.end, 'utf8')
  }

  /** Length (-1 for null) and bytes. */
  buffer(value: Uint8Array | null): void {
    if (value === null) {
      this.int(-1)
      return
    }
    this.int(value.length)
    this.raw(value)
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.ensure(value.length)
    this.bytes.set(value, this.end)
    this.end += value.length
  }

  /** Leaves room for an int that `patchInt` fills later; returns its position. */
  reserveInt(): number {
    const position = this.end
    this.ensure(4)
    this.end += 4
    return position
  }

  patchInt(position: number, value: number): void {
    assert(position >= 0 && position + 4 <= this.end, 'a patched int lies in what was written')
    this.putInt(position, value)
  }

  /** Opens a length-prefixed frame; `endFrame` with the result closes it. */
  beginFrame(): number {
    return this.reserveInt()
  }

  endFrame(start: number): void {
    this.patchInt(start, this.end - start - 4)
  }

  private text(value: string): void {
    const bytes = this.bytes
    if (value.length > SHORT_WRITE) {
      this.end += bytes.write(value, this.end, 'utf8')
      return
    }
    let at = this.end
    for (let i = 0; i < value.length; i += 1) {
      const code = value.charCodeAt(i)
      if (code >= 0x80) {
        this.end += bytes.write(value, this.end, 'utf8')
        return
      }
      bytes[at++] = code
    }
    this.end = at
  }

  private putInt(position: number, value: number): void {
    const bytes = this.bytes
    bytes[position] = value >>> 24
    bytes[position + 1] = value >>> 16
    bytes[position + 2] = value >>> 8
    bytes[position + 3] = value
  }

  private ensure(count: number): void {
    const needed = this.end + count
    if (needed > this.bytes.length) this.grow(needed)
  }

  private grow(needed: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.end)
    this.bytes = larger
  }
}

const HIGH_SAFE = 0x20_0000
/** Below this many bytes a loop over char codes beats the call into Buffer.toString. */
const SHORT_READ = 24
const EMPTY = new Uint8Array(0)

/**
 * Reads jute and our own variable-length forms. It never throws: whatever does not fit the bytes
 * sets `failed` for good (until `reset`) and gives 0, '', null or an empty view; the caller looks at
 * `failed` once, at the end. Buffers are views into the input: keep them and the input stays alive,
 * change the input and they change.
 */
export class JuteReader {
  /** True once a read went beyond the end, or a length or number made no sense. */
  failed = false
  private bytes: Uint8Array = EMPTY
  private at = 0
  private end = 0
  private text: Buffer | null = null

  constructor(bytes: Uint8Array = EMPTY) {
    this.reset(bytes)
  }

  /** Begins anew over other bytes, from `start` to `end`. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.bytes = bytes
    this.at = start
    this.end = end
    this.text = null
    this.failed = false
  }

  get position(): number {
    return this.at
  }

  get remaining(): number {
    return this.end - this.at
  }

  /** Declares the input nonsense: for callers that find a value without a meaning. */
  fail(): void {
    this.failed = true
    this.at = this.end
  }

  byte(): number {
    if (this.at >= this.end) {
      this.fail()
      return 0
    }
    return this.bytes[this.at++] ?? 0
  }

  boolean(): boolean {
    return this.byte() !== 0
  }

  /** A signed 32-bit integer. */
  int(): number {
    const at = this.at
    if (at + 4 > this.end) {
      this.fail()
      return 0
    }
    this.at = at + 4
    return this.intAt(at)
  }

  /** A 64-bit integer that must be a safe one; any other fails the reader. */
  long(): number {
    const at = this.at
    const value = this.longOr(Number.NaN)
    if (!Number.isNaN(value)) return value
    this.at = at
    this.fail()
    return 0
  }

  /** A 64-bit integer, or `unsafe` where it is not a safe one (a session id we never gave out). */
  longOr(unsafe: number): number {
    const at = this.at
    if (at + 8 > this.end) {
      this.fail()
      return 0
    }
    this.at = at + 8
    const high = this.intAt(at)
    if (high >= HIGH_SAFE || high < -HIGH_SAFE) return unsafe
    const value = high * TWO_32 + (this.intAt(at + 4) >>> 0)
    return value >= -Number.MAX_SAFE_INTEGER ? value : unsafe
  }

  /** A 64-bit integer, or the safe integer nearest to it: keeps the order of zxids. */
  longClamped(): number {
    const at = this.at
    const value = this.longOr(Number.NaN)
    if (!Number.isNaN(value)) return value
    return (this.bytes[at] ?? 0) >= 0x80 ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER
  }

  /** A 64-bit integer: a number where it is safe, else a bigint (session ids of other servers). */
  longOrBig(): number | bigint {
    const at = this.at
    const value = this.longOr(Number.NaN)
    if (!Number.isNaN(value)) return value
    return (BigInt(this.intAt(at)) << 32n) | BigInt(this.intAt(at + 4) >>> 0)
  }

  /** The unsigned integer of JuteWriter.varint; beyond 2^53 - 1 fails. */
  varint(): number {
    const first = this.byte()
    if (first < 0x80) return first
    let value = first - 0x80
    let scale = 0x80
    for (let i = 1; i < 8; i += 1) {
      const next = this.byte()
      value += (next & 0x7f) * scale
      if (next < 0x80) {
        if (Number.isSafeInteger(value)) return value
        break
      }
      scale *= 0x80
    }
    this.fail()
    return 0
  }

  /** Length and UTF-8; length -1 is null, any other negative length fails. Bad UTF-8 gives U+FFFD. */
  ustring(): string | null {
    const length = this.int()
    if (length < 0) {
      if (length !== -1) this.fail()
      return null
    }
    return this.textOf(length)
  }

  /** A string that must be there: null fails. */
  string(): string {
    const length = this.int()
    if (length >= 0) return this.textOf(length)
    this.fail()
    return ''
  }

  /** The string of JuteWriter.shortString. */
  shortString(): string {
    return this.textOf(this.varint())
  }

  /** Length and bytes; -1 is null. A view into the input, without copying. */
  buffer(): Uint8Array | null {
    const length = this.int()
    if (length < 0) {
      if (length !== -1) this.fail()
      return null
    }
    return this.raw(length)
  }

  /** The next `length` bytes as a view into the input, without copying. */
  raw(length: number): Uint8Array {
    if (length < 0 || length > this.end - this.at) {
      this.fail()
      return EMPTY
    }
    const { bytes, at } = this
    this.at = at + length
    return new Uint8Array(bytes.buffer, bytes.byteOffset + at, length)
  }

  /**
   * Makes the next `length` bytes the end of the input, for a record inside a record; `length` must
   * not exceed `remaining`. Returns what `widen` takes to go on behind that record.
   */
  narrow(length: number): number {
    const outer = this.end
    this.end = this.at + length
    return outer
  }

  /** Ends `narrow`: skips the rest of the inner record and forgets its failure. */
  widen(outer: number): void {
    this.at = this.end
    this.end = outer
    this.failed = false
  }

  /** Skips `length` bytes. */
  skip(length: number): void {
    if (length < 0 || length > this.end - this.at) this.fail()
    else this.at += length
  }

  /**
   * The number of items of a vector, each of at least `itemBytes`: a count that cannot fit fails
   * before anything is allocated for it. A null vector (-1) counts 0 items.
   */
  count(itemBytes: number): number {
    const count = this.int()
    if (count >= 0 && count * itemBytes <= this.end - this.at) return count
    if (count !== -1) this.fail()
    return 0
  }

  /** True, and past them, when exactly these bytes come next. */
  consume(expected: Uint8Array): boolean {
    const { bytes, at } = this
    if (expected.length > this.end - at) return false
    for (let i = 0; i < expected.length; i += 1) {
      if (bytes[at + i] !== expected[i]) return false
    }
    this.at = at + expected.length
    return true
  }

  private textOf(length: number): string {
    const start = this.at
    if (length > this.end - start) {
      this.fail()
      return ''
    }
    const stop = start + length
    this.at = stop
    if (length <= SHORT_READ) {
      const bytes = this.bytes
      let value = ''
      let i = start
      for (; i < stop; i += 1) {
        const code = bytes[i] ?? 0
        if (code >= 0x80) break
        value += String.fromCharCode(code)
      }
      if (i === stop) return value
    }
    return this.textBuffer().toString('utf8', start, stop)
  }

  private textBuffer(): Buffer {
    const { bytes } = this
    this.text ??= Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.text
  }

  private intAt(at: number): number {
    const bytes = this.bytes
    return (
      ((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)
    )
  }
}
