import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Document, deserialize, serialize } from 'bson'

const HEADER_BYTES = 16
const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013
const AWAIT_CAPABLE = 8
const MORE_TO_COME = 2
const EXHAUST_ALLOWED = 0x1_0000

/** A command as the double takes it: from an OP_MSG, or from the OP_QUERY of an old handshake. */
export interface Incoming {
  readonly requestId: number
  readonly responseTo: number
  readonly isQuery: boolean
  /** It may be answered without end. */
  readonly exhaust: boolean
  readonly document: Document
}

/** Cuts a stream into messages, with sequences of documents put where the command has them. */
export class MessageReader {
  #pending: Buffer = Buffer.alloc(0)

  read(chunk: Buffer): Incoming[] {
    this.#pending = Buffer.concat([this.#pending, chunk])
    const messages: Incoming[] = []
    while (this.#pending.length >= HEADER_BYTES) {
      const length = this.#pending.readInt32LE(0)
      if (this.#pending.length < length) break
      messages.push(parse(this.#pending.subarray(0, length)))
      this.#pending = this.#pending.subarray(length)
    }
    return messages
  }
}

function parse(bytes: Buffer): Incoming {
  const base = { requestId: bytes.readInt32LE(4), responseTo: bytes.readInt32LE(8) }
  const opcode = bytes.readInt32LE(12)
  if (opcode === OP_QUERY) {
    // Flags, the name of the collection with its zero, how many to skip, how many to return.
    const begin = bytes.indexOf(0, HEADER_BYTES + 4) + 9
    return { ...base, isQuery: true, exhaust: false, document: documentAt(bytes, begin) }
  }
  if (opcode !== OP_MSG) throw new Error(`opcode ${opcode}`)
  const flags = bytes.readUInt32LE(HEADER_BYTES)
  const end = bytes.length - (flags & 1 ? 4 : 0)
  let document: Document = {}
  let at = HEADER_BYTES + 4
  while (at < end) {
    const kind = bytes.readUInt8(at)
    const length = bytes.readInt32LE(at + 1)
    if (kind === 0) document = { ...document, ...documentAt(bytes, at + 1) }
    else document = { ...document, ...sequenceAt(bytes, at + 1, length) }
    at += 1 + length
  }
  return { ...base, isQuery: false, exhaust: (flags & EXHAUST_ALLOWED) !== 0, document }
}

function documentAt(bytes: Buffer, at: number): Document {
  return deserialize(bytes.subarray(at, at + bytes.readInt32LE(at)))
}

function sequenceAt(bytes: Buffer, begin: number, length: number): Document {
  const zero = bytes.indexOf(0, begin + 4)
  const name = bytes.subarray(begin + 4, zero).toString()
  const documents: Document[] = []
  for (let at = zero + 1; at < begin + length; at += bytes.readInt32LE(at)) {
    documents.push(documentAt(bytes, at))
  }
  return { [name]: documents }
}

/** `more`: another reply follows this one without a request. */
export function encodeReply(
  { requestId, isQuery }: Incoming,
  document: Document,
  more = false,
): Uint8Array {
  const body = serialize(document)
  if (isQuery) return frame(OP_REPLY, requestId, replyHead(), body)
  const head = Buffer.alloc(5)
  if (more) head.writeUInt32LE(MORE_TO_COME, 0)
  return frame(OP_MSG, requestId, head, body)
}

function replyHead(): Buffer {
  const head = Buffer.alloc(20)
  head.writeInt32LE(AWAIT_CAPABLE, 0)
  head.writeInt32LE(1, 16)
  return head
}

function frame(opcode: number, responseTo: number, head: Buffer, body: Uint8Array, id = 1): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(HEADER_BYTES), head, body])
  bytes.writeInt32LE(bytes.length, 0)
  bytes.writeInt32LE(id, 4)
  bytes.writeInt32LE(responseTo, 8)
  bytes.writeInt32LE(opcode, 12)
  return bytes
}

export type LinkTls = { readonly ca: string } | null

/** One request at a time to another double; whatever goes wrong is no answer. */
export class Link {
  readonly #place: string
  readonly #tls: LinkTls
  #socket: Socket | null = null
  #waiting: ((reply: Document | null) => void) | null = null

  constructor(place: string, tls: LinkTls) {
    this.#place = place
    this.#tls = tls
  }

  get isBusy(): boolean {
    return this.#waiting !== null
  }

  ask(document: Document, timeoutMs: number): Promise<Document | null> {
    if (this.#waiting !== null) return Promise.resolve(null)
    this.#socket ??= this.#open()
    this.#socket.write(frame(OP_MSG, 0, Buffer.alloc(5), serialize({ ...document, $db: 'admin' })))
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.close(), timeoutMs)
      this.#waiting = (reply) => {
        clearTimeout(timer)
        this.#waiting = null
        resolve(reply)
      }
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
    this.#waiting?.(null)
  }

  #open(): Socket {
    const colon = this.#place.lastIndexOf(':')
    const host = this.#place.slice(0, colon)
    const port = Number(this.#place.slice(colon + 1))
    const socket =
      this.#tls === null ? connect({ host, port }) : connectTls({ host, port, ca: this.#tls.ca })
    const reader = new MessageReader()
    socket.on('data', (chunk: Buffer) => {
      for (const { document } of reader.read(chunk)) this.#waiting?.(document)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.close()
    })
    return socket
  }
}
