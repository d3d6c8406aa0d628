const EMPTY = new Uint8Array(0)
/** A frame is gathered in a buffer that begins no larger than this, whatever length it announces. */
const GATHER_START = 65_536

/** Why a stream of frames cannot go on: the announced length is below 0 or above the limit. */
export type FramingFailure = 'negativeLength' | 'tooLong'

/**
 * Cuts a byte stream into frames of int length + payload, however the bytes arrive. Push a chunk,
 * then call `next` until it gives null. A frame inside one chunk is a view into that chunk; one that
 * spans chunks is gathered in a buffer of its own. Either stays valid as long as it is kept.
 */
export class FrameSplitter {
  /** Set once, for good: no more frames come, the caller closes the connection. */
  failure: FramingFailure | null = null
  private readonly lengthMax: number
  private chunk: Uint8Array = EMPTY
  private at = 0
  private gathered: Uint8Array | null = null
  private gatheredLength = 0
  private gatheredFrame = 0

  /** `lengthMax`: the longest payload accepted (ZooKeeper's jute.maxbuffer). */
  constructor(lengthMax: number) {
    this.lengthMax = lengthMax
  }

  /** Takes the chunk over: it must not be changed while frames of it are in use. */
  push(chunk: Uint8Array): void {
    if (this.at >= this.chunk.length) {
      this.chunk = chunk
    } else {
      const rest = this.chunk.length - this.at
      const joined = new Uint8Array(rest + chunk.length)
      joined.set(this.chunk.subarray(this.at))
      joined.set(chunk, rest)
      this.chunk = joined
    }
    this.at = 0
  }

  /** Bytes received and not yet given out as frames. */
  get pendingBytes(): number {
    return this.chunk.length - this.at + this.gatheredLength
  }

  /**
   * The next four bytes as text, unconsumed, or null while fewer have come. Before the handshake
   * they may be a four-letter word instead of a length (reference B4): look before calling `next`.
   */
  peekWord(): string | null {
    if (this.gathered !== null || this.chunk.length - this.at < 4) return null
    const { chunk, at } = this
    return String.fromCharCode(
      chunk[at] ?? 0,
      chunk[at + 1] ?? 0,
      chunk[at + 2] ?? 0,
      chunk[at + 3] ?? 0,
    )
  }

  /** The next complete frame's payload, or null: more bytes are needed, or `failure` is set. */
  next(): Uint8Array | null {
    if (this.failure !== null) return null
    if (this.gathered !== null) return this.gather(this.gathered)
    const { chunk, at } = this
    const available = chunk.length - at - 4
    if (available < 0) {
      // An idle connection must not keep its last chunk alive.
      if (at === chunk.length) {
        this.chunk = EMPTY
        this.at = 0
      }
      return null
    }
    const length =
      ((chunk[at] ?? 0) << 24) |
      ((chunk[at + 1] ?? 0) << 16) |
      ((chunk[at + 2] ?? 0) << 8) |
      (chunk[at + 3] ?? 0)
    if (length < 0 || length > this.lengthMax) {
      this.failure = length < 0 ? 'negativeLength' : 'tooLong'
      this.chunk = EMPTY
      this.at = 0
      return null
    }
    this.at = at + 4
    if (available >= length) {
      this.at += length
      return new Uint8Array(chunk.buffer, chunk.byteOffset + at + 4, length)
    }
    this.gatheredFrame = length
    return this.gather(new Uint8Array(Math.min(length, GATHER_START)))
  }

  /** Moves what the chunk holds of the begun frame into its buffer, growing it as bytes come. */
  private gather(buffer: Uint8Array): Uint8Array | null {
    const { chunk, at } = this
    const take = Math.min(chunk.length - at, this.gatheredFrame - this.gatheredLength)
    const filled = this.gatheredLength + take
    let into = buffer
    if (filled > into.length) {
      into = new Uint8Array(Math.min(this.gatheredFrame, Math.max(filled, into.length * 2)))
      into.set(buffer.subarray(0, this.gatheredLength))
    }
    into.set(chunk.subarray(at, at + take), this.gatheredLength)
    this.at = at + take
    if (filled < this.gatheredFrame) {
      this.gathered = into
      this.gatheredLength = filled
      return null
    }
    this.gathered = null
    this.gatheredLength = 0
    return into
  }
}
