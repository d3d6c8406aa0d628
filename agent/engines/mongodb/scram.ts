import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Binary, type Document } from 'bson'
import { AgentError } from '../../errors.ts'

const derive = promisify(pbkdf2)
const NONCE_BYTES = 24
const KEY_BYTES = 32
/** RFC 7677 sets the least; the most keeps a server from making its client compute for ever. */
const ITERATIONS_MIN = 4_096
const ITERATIONS_MAX = 1_000_000
/** SASLprep (RFC 4013) leaves these as they are. */
const PLAIN = /^[\x20-\x7e]+$/

/** Name and password of a user, in the database `admin`. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/**
 * Logs in by SCRAM-SHA-256 (RFC 5802, RFC 7677; MongoDB's saslStart and saslContinue). `send` runs a command
 * on the connection that is to be logged in, and rejects when the server refuses it. Also the server has to
 * prove that it knows the password.
 */
export async function authenticate(
  send: (command: Document) => Promise<Document>,
  { user, password }: Credentials,
): Promise<void> {
  if (!PLAIN.test(password)) {
    throw new AgentError('AGENT_CONFIG_INVALID', `the password of ${user} is not printable ASCII`)
  }
  const nonce = randomBytes(NONCE_BYTES).toString('base64')
  const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
  const clientFirst = `n=${name},r=${nonce}`
  const started = await send({
    saslStart: 1,
    mechanism: 'SCRAM-SHA-256',
    payload: binary(`n,,${clientFirst}`),
    options: { skipEmptyExchange: true },
  })
  const serverFirst = text(started['payload'])
  const { r = '', s = '', i = '' } = fieldsOf(serverFirst)
  const iterations = Number(i)
  if (!r.startsWith(nonce) || r === nonce) throw rogue('another nonce')
  if (!(iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX)) {
    throw rogue(`${i} iterations`)
  }
  const salted = await derive(password, Buffer.from(s, 'base64'), iterations, KEY_BYTES, 'sha256')
  const withoutProof = `c=biws,r=${r}`
  const exchange = `${clientFirst},${serverFirst},${withoutProof}`
  const clientKey = hmac(salted, 'Client Key')
  const signature = hmac(createHash('sha256').update(clientKey).digest(), exchange)
  const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0)))
  const ended = await send({
    saslContinue: 1,
    conversationId: started['conversationId'],
    payload: binary(`${withoutProof},p=${proof.toString('base64')}`),
  })
  const proven = Buffer.from(fieldsOf(text(ended['payload']))['v'] ?? '', 'base64')
  const expected = hmac(hmac(salted, 'Server Key'), exchange)
  if (proven.length !== expected.length || !timingSafeEqual(proven, expected)) {
    throw rogue('no proof that it knows the password')
  }
  if (ended['done'] !== true) throw rogue('one message too many')
}

function hmac(key: Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

function binary(content: string): Binary {
  return new Binary(Buffer.from(content))
}

function text(payload: unknown): string {
  if (!(payload instanceof Binary)) throw rogue('no payload')
  return Buffer.from(payload.buffer).toString()
}

function fieldsOf(message: string): Readonly<Record<string, string>> {
  return Object.fromEntries(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]))
}

function rogue(what: string): AgentError {
  return new AgentError('ENGINE_REFUSED', `the server's side of the login is wrong: ${what}`)
}
