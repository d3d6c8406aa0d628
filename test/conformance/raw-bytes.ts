/**
 * Jute written a second time, from the protocol and not from the server's own codec: a suite that
 * shared the server's code would share its mistakes.
 */

export interface Acl {
  readonly perms: number
  readonly scheme: string
  readonly id: string | null
}

export interface Stat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctime: bigint
  readonly mtime: bigint
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
  readonly pzxid: bigint
}

export const openAcl: readonly Acl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }]

/** Bytes of a request, put together field by field. */
export class Fields {
  readonly #parts: Buffer[] = []

  int(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return this.raw(bytes)
  }

  long(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(value)
    return this.raw(bytes)
  }

  bool(value: boolean): this {
    return this.raw(Buffer.from([value ? 1 : 0]))
  }

  /** A ustring or a buffer; null is length -1. */
  text(value: string | Uint8Array | null): this {
    if (value === null) return this.int(-1)
    const bytes = Buffer.from(value as string)
    return this.int(bytes.length).raw(bytes)
  }

  texts(values: readonly string[]): this {
    this.int(values.length)
    for (const value of values) this.text(value)
    return this
  }

  acl(list: readonly Acl[] | null): this {
    if (list === null) return this.int(-1)
    this.int(list.length)
    for (const entry of list) this.int(entry.perms).text(entry.scheme).text(entry.id)
    return this
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes))
    return this
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** Bytes of a reply, taken field by field; a read past the end throws. */
export class Taken {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  int(): number {
    const value = this.#bytes.readInt32BE(this.#offset)
    this.#offset += 4
    return value
  }

  long(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#offset)
    this.#offset += 8
    return value
  }

  bool(): boolean {
    const value = this.#bytes.readUInt8(this.#offset)
    this.#offset += 1
    return value !== 0
  }

  buffer(): Buffer | null {
    const length = this.int()
    if (length === -1) return null
    if (length < 0 || length > this.left) throw new Error(`a length of ${length} in a reply`)
    const value = this.#bytes.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return value
  }

  text(): string | null {
    return this.buffer()?.toString('utf8') ?? null
  }

  texts(): (string | null)[] {
    return Array.from({ length: this.int() }, () => this.text())
  }

  acl(): Acl[] {
    return Array.from({ length: this.int() }, () => ({
      perms: this.int(),
      scheme: this.text() ?? '',
      id: this.text(),
    }))
  }

  stat(): Stat {
    return {
      czxid: this.long(),
      mzxid: this.long(),
      ctime: this.long(),
      mtime: this.long(),
      version: this.int(),
      cversion: this.int(),
      aversion: this.int(),
      ephemeralOwner: this.long(),
      dataLength: this.int(),
      numChildren: this.int(),
      pzxid: this.long(),
    }
  }
}

/** A frame: the length in front of its payload. */
export function frame(payload: Uint8Array): Buffer {
  return new Fields().int(payload.length).raw(payload).bytes()
}
