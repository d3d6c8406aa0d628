import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { JuteReader, JuteWriter } from '../wire/jute.ts'
import { decodeHello, encodeHello } from '../wire/peer-codec.ts'
import type { Hello } from '../wire/peer-frame.ts'

/**
 * How a link opens. The dialler sends its nonce and hello; the acceptor answers with its own and a
 * proof over both; the dialler proves in turn. A proof is an HMAC-SHA256 of the ensemble's secret, so
 * an open peer port never makes a voter. All are frames of the transport.
 *
 *   dialler  -> magic, nonce, hello
 *   acceptor -> magic, nonce, hello, proof('acceptor')
 *   dialler  -> proof('dialler')
 */
const MAGIC = 0x51_4c_4e_4b
const NONCE_BYTES = 16

export interface Introduction {
  readonly nonce: Uint8Array
  /** The encoded hello as it was sent: what the proof is about. */
  readonly helloBytes: Uint8Array
  readonly hello: Hello
}

export function introduce(hello: Hello): Introduction {
  const writer = new JuteWriter()
  encodeHello(writer, hello)
  return { nonce: randomBytes(NONCE_BYTES), helloBytes: writer.copy(), hello }
}

export function encodeIntroduction(own: Introduction, proof: Uint8Array | null): Uint8Array {
  const writer = new JuteWriter()
  writer.int(MAGIC)
  writer.buffer(own.nonce)
  writer.buffer(own.helloBytes)
  writer.buffer(proof)
  return writer.copy()
}

export function decodeIntroduction(
  frame: Uint8Array,
): (Introduction & { readonly proof: Uint8Array | null }) | null {
  const reader = new JuteReader(frame)
  const magic = reader.int()
  const nonce = reader.buffer()
  const helloBytes = reader.buffer()
  const proof = reader.buffer()
  if (reader.failed || magic !== MAGIC || nonce?.length !== NONCE_BYTES || helloBytes === null) {
    return null
  }
  const hello = decodeHello(helloBytes)
  return hello === null ? null : { nonce, helloBytes, hello, proof }
}

export function proofOf(
  secret: string,
  role: 'acceptor' | 'dialler',
  dialler: Introduction,
  acceptor: Introduction,
): Uint8Array {
  const hmac = createHmac('sha256', secret).update(role)
  for (const { nonce, helloBytes } of [dialler, acceptor]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(helloBytes.length)
    hmac.update(nonce).update(length).update(helloBytes)
  }
  return hmac.digest()
}

export function isProof(expected: Uint8Array, given: Uint8Array | null): boolean {
  return given !== null && given.length === expected.length && timingSafeEqual(expected, given)
}
