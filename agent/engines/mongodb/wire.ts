import { type Document, deserialize, serialize } from 'bson'

const HEADER_BYTES = 16
const OP_MSG = 2013
/** Flag bits, kind of the section, and the length of the smallest document. */
const BODY_BYTES_MIN = 10
const CHECKSUM_PRESENT = 1
const CHECKSUM_BYTES = 4

/** One reply as it came: to which request, and what it says. */
export interface MongodbReply {
  readonly responseTo: number
  readonly document: Document
}

/** A command as one OP_MSG with one section of kind 0 (MongoDB wire protocol, "OP_MSG"). */
export function encodeMessage(requestId: number, document: Document): Uint8Array {
  const body = serialize(document)
  const bytes = Buffer.alloc(HEADER_BYTES + 5 + body.length)
  bytes.writeInt32LE(bytes.length, 0)
  bytes.writeInt32LE(requestId, 4)
  bytes.writeInt32LE(OP_MSG, 12)
  bytes.set(body, HEADER_BYTES + 5)
  return bytes
}

/** Takes whole replies out of a stream of bytes. Throws on what is no reply to a command. */
export class ReplyReader {
  readonly #bytesMax: number
  #pending: Buffer = Buffer.alloc(0)

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  read(chunk: Buffer): MongodbReply[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const replies: MongodbReply[] = []
    while (this.#pending.length >= HEADER_BYTES) {
      const length = this.#pending.readInt32LE(0)
      if (length < HEADER_BYTES + BODY_BYTES_MIN || length > this.#bytesMax) {
        throw new Error(`a reply of ${length} bytes`)
      }
      if (this.#pending.length < length) break
      replies.push(decodeReply(this.#pending.subarray(0, length)))
      this.#pending = this.#pending.subarray(length)
    }
    return replies
  }
}

function decodeReply(bytes: Buffer): MongodbReply {
  const opcode = bytes.readInt32LE(12)
  if (opcode !== OP_MSG) throw new Error(`a reply with the opcode ${opcode}`)
  const flags = bytes.readUInt32LE(HEADER_BYTES)
  const kind = bytes.readUInt8(HEADER_BYTES + 4)
  if (kind !== 0) throw new Error(`a reply that begins with a section of kind ${kind}`)
  const end = bytes.length - ((flags & CHECKSUM_PRESENT) === 0 ? 0 : CHECKSUM_BYTES)
  const document = deserialize(bytes.subarray(HEADER_BYTES + 5, end))
  return { responseTo: bytes.readInt32LE(8), document }
}
