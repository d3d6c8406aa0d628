import { createHash } from 'node:crypto'

// MariaDB's client/server protocol ("Client/Server Protocol" in its documentation), as far as one client needs
// it that speaks to the server beside it: a login by mysql_native_password, and questions as text.

const HEADER_BYTES = 4
const OK = 0x00
const SWITCH = 0xfe
const END = 0xfe
const ERROR = 0xff
const END_BYTES_MAX = 8
const NULL = 0xfb
const UTF8MB4 = 45
const SALT_BYTES = 20
const PLUGIN = 'mysql_native_password'

/** LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH. */
const CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000

/** Commands, by their first byte. */
export const commands = { query: 0x03, shutdown: 0x08 } as const

/** What a server says first. */
export interface Greeting {
  readonly version: string
  readonly salt: Buffer
}

/** The server's refusal. */
export interface Refusal {
  readonly code: number
  readonly message: string
}

export type Packet =
  | { readonly kind: 'ok' }
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly refusal: Refusal }
  /** The user logs in in another way, or with another salt. */
  | { readonly kind: 'data'; readonly bytes: Buffer }

/** Takes whole packets out of a stream of bytes, with their numbers. Throws on one that is too long. */
export class PacketReader {
  readonly #bytesMax: number
  #pending: Buffer = Buffer.alloc(0)

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  read(chunk: Buffer): { readonly sequence: number; readonly bytes: Buffer }[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const packets = []
    while (this.#pending.length >= HEADER_BYTES) {
      const length = this.#pending.readUIntLE(0, 3)
      if (length > this.#bytesMax) throw new Error(`a packet of ${length} bytes`)
      if (this.#pending.length < HEADER_BYTES + length) break
      const sequence = this.#pending.readUInt8(3)
      packets.push({ sequence, bytes: this.#pending.subarray(HEADER_BYTES, HEADER_BYTES + length) })
      this.#pending = this.#pending.subarray(HEADER_BYTES + length)
    }
    return packets
  }
}

export function encodePacket(sequence: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUIntLE(payload.length, 0, 3)
  header.writeUInt8(sequence, 3)
  return Buffer.concat([header, payload])
}

/** Throws where it is no greeting of protocol 10; a refusal comes as one (too many connections, say). */
export function decodeGreeting(bytes: Buffer): Greeting | Refusal {
  if (bytes[0] === ERROR) return decodeRefusal(bytes)
  if (bytes[0] !== 10) throw new Error(`protocol ${bytes[0]}`)
  const end = bytes.indexOf(0, 1)
  // Version, its end, the connection's number; then the salt in two parts.
  const first = end + 5
  const second = first + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
  if (end < 0 || bytes.length < second + 12) throw new Error('a greeting that is cut short')
  const salt = Buffer.concat([
    bytes.subarray(first, first + 8),
    bytes.subarray(second, second + 12),
  ])
  // MariaDB 10 says of itself that it is 5.5.5, for replicas of MySQL.
  return { version: bytes.toString('latin1', 1, end).replace(/^5\.5\.5-/, ''), salt }
}

/** The answer to a greeting. */
export function encodeLogin(user: string, password: string, salt: Buffer): Buffer {
  const fixed = Buffer.alloc(32)
  fixed.writeUInt32LE(CAPABILITIES, 0)
  fixed.writeUInt32LE(0x1000000, 4)
  fixed.writeUInt8(UTF8MB4, 8)
  const proof = scramble(password, salt)
  const name = Buffer.from(`${user}\0`)
  return Buffer.concat([
    fixed,
    name,
    Buffer.from([proof.length]),
    proof,
    Buffer.from(`${PLUGIN}\0`),
  ])
}

/** What a server that asks for another salt gets; throws where it asks for another way to log in. */
export function answerSwitch(bytes: Buffer, password: string): Buffer {
  const end = bytes.indexOf(0, 1)
  const plugin = bytes.toString('latin1', 1, end)
  if (plugin !== PLUGIN) throw new Error(`the login ${plugin}, which is not known here`)
  return scramble(password, bytes.subarray(end + 1, end + 1 + SALT_BYTES))
}

/** SHA1(password) xor SHA1(salt, SHA1(SHA1(password))). */
function scramble(password: string, salt: Buffer): Buffer {
  if (password === '') return Buffer.alloc(0)
  const once = sha1(Buffer.from(password))
  const mask = sha1(Buffer.concat([salt, sha1(once)]))
  return Buffer.from(once.map((byte, at) => byte ^ (mask[at] ?? 0)))
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest()
}

/** What a packet is that is no row; `isSwitch` before the login is done. */
export function decodePacket(bytes: Buffer): Packet {
  if (bytes[0] === ERROR) return { kind: 'error', refusal: decodeRefusal(bytes) }
  if (bytes[0] === OK) return { kind: 'ok' }
  if (bytes[0] === END && bytes.length <= END_BYTES_MAX) return { kind: 'end' }
  return { kind: 'data', bytes }
}

export function isSwitch(bytes: Buffer): boolean {
  return bytes[0] === SWITCH
}

/** The fields of a row, null for NULL. Throws where one is cut short. */
export function decodeRow(bytes: Buffer): (string | null)[] {
  const fields: (string | null)[] = []
  let at = 0
  while (at < bytes.length) {
    if (bytes[at] === NULL) {
      fields.push(null)
      at += 1
      continue
    }
    const { value, next } = lengthAt(bytes, at)
    if (next + value > bytes.length) throw new Error('a row that is cut short')
    fields.push(bytes.toString('utf8', next, next + value))
    at = next + value
  }
  return fields
}

function lengthAt(bytes: Buffer, at: number): { readonly value: number; readonly next: number } {
  const first = bytes.readUInt8(at)
  if (first < NULL) return { value: first, next: at + 1 }
  const size = first === 0xfc ? 2 : first === 0xfd ? 3 : 0
  if (size === 0) throw new Error('a field longer than any that is asked for')
  return { value: bytes.readUIntLE(at + 1, size), next: at + 1 + size }
}

/** Code, marker and five characters of an SQL state, then the text. */
function decodeRefusal(bytes: Buffer): Refusal {
  const code = bytes.readUInt16LE(1)
  const from = bytes[3] === 0x23 ? 9 : 3
  return { code, message: bytes.toString('utf8', from) }
}
