const UUID_BYTES = 16

/**
 * The types that Kafka's flexible protocol versions are made of (KIP-482): big-endian integers, lengths
 * as unsigned varints one higher than they are (0: null), and tagged fields behind every structure.
 */
export class KafkaWriter {
  readonly #parts: Buffer[] = []

  finish(): Buffer {
    return Buffer.concat(this.#parts)
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  int8(value: number): this {
    const part = Buffer.alloc(1)
    part.writeInt8(value)
    return this.#add(part)
  }

  int16(value: number): this {
    const part = Buffer.alloc(2)
    part.writeInt16BE(value)
    return this.#add(part)
  }

  uint16(value: number): this {
    const part = Buffer.alloc(2)
    part.writeUInt16BE(value)
    return this.#add(part)
  }

  int32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value)
    return this.#add(part)
  }

  string(value: string | null): this {
    if (value === null) return this.#unsigned(0)
    const part = Buffer.from(value)
    return this.#unsigned(part.length + 1).#add(part)
  }

  /** From base64url, as Kafka writes them for people. */
  uuid(value: string): this {
    const part = Buffer.from(value, 'base64url')
    if (part.length !== UUID_BYTES) throw new RangeError(`${value} is no id of Kafka's`)
    return this.#add(part)
  }

  /** With a length of two bytes: the client's name in the header of every request. */
  plainString(value: string): this {
    const part = Buffer.from(value)
    return this.int16(part.length).#add(part)
  }

  array<T>(items: readonly T[] | null, write: (item: T) => void): this {
    if (items === null) return this.#unsigned(0)
    this.#unsigned(items.length + 1)
    for (const item of items) write(item)
    return this
  }

  int32s(items: readonly number[] | null): this {
    return this.array(items, (item) => this.int32(item))
  }

  /** No tagged fields. */
  end(): this {
    return this.#unsigned(0)
  }

  #unsigned(value: number): this {
    const bytes: number[] = []
    let rest = value
    while (rest >= 0x80) {
      bytes.push((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.#add(Buffer.from([...bytes, rest]))
  }

  #add(part: Buffer): this {
    this.#parts.push(part)
    return this
  }
}

const UNSIGNED_BYTES_MAX = 5

/** Reads what `KafkaWriter` writes; throws a RangeError where the bytes end too early. */
export class KafkaReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#take(1).readInt8()
  }

  int16(): number {
    return this.#take(2).readInt16BE()
  }

  int32(): number {
    return this.#take(4).readInt32BE()
  }

  int64(): bigint {
    return this.#take(8).readBigInt64BE()
  }

  uuid(): string {
    return this.#take(UUID_BYTES).toString('base64url')
  }

  string(): string {
    return this.nullableString() ?? ''
  }

  nullableString(): string | null {
    const length = this.#unsigned() - 1
    return length < 0 ? null : this.#take(length).toString()
  }

  /** A null array reads as an empty one. */
  array<T>(read: () => T): T[] {
    const length = this.#unsigned() - 1
    const items: T[] = []
    for (let i = 0; i < length; i += 1) items.push(read())
    return items
  }

  int32s(): number[] {
    return this.array(() => this.int32())
  }

  /** Tagged fields are optional by their nature; none of them is needed here. */
  end(): void {
    const count = this.#unsigned()
    for (let i = 0; i < count; i += 1) {
      this.#unsigned()
      this.#take(this.#unsigned())
    }
  }

  #unsigned(): number {
    let value = 0
    for (let i = 0; i < UNSIGNED_BYTES_MAX; i += 1) {
      const byte = this.#take(1).readUInt8()
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
    throw new RangeError('a length has too many bytes')
  }

  #take(length: number): Buffer {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError(`${end} of ${this.#bytes.length} bytes`)
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }
}
