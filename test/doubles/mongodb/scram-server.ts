import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { Binary, type Document } from 'bson'

const ITERATIONS = 4_096

/** What a server keeps of a password (RFC 5802, section 3). */
export interface ScramKeys {
  readonly salt: string
  readonly storedKey: string
  readonly serverKey: string
}

const hmac = (key: Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()
const hash = (data: Uint8Array) => createHash('sha256').update(data).digest()

export function keysOf(password: string): ScramKeys {
  const salt = randomBytes(28)
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  return {
    salt: salt.toString('base64'),
    storedKey: hash(hmac(salted, 'Client Key')).toString('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
  }
}

/** The server's side of one login; null stands for a refusal. */
export class ScramConversation {
  readonly #keysFor: (user: string) => ScramKeys | null
  #keys: ScramKeys | null = null
  #exchange = ''
  #nonce = ''
  user = ''

  constructor(keysFor: (user: string) => ScramKeys | null) {
    this.#keysFor = keysFor
  }

  start({ mechanism, payload }: Document): Document | null {
    const bare = text(payload).replace(/^n,,/, '')
    const [, name = '', nonce = ''] = /^n=([^,]*),r=(.*)$/.exec(bare) ?? []
    // Only these two are written otherwise (RFC 5802, section 5.1).
    if (/=(?!2C|3D)/.test(name)) return null
    this.user = name.replaceAll('=2C', ',').replaceAll('=3D', '=')
    this.#keys = this.#keysFor(this.user)
    if (mechanism !== 'SCRAM-SHA-256' || this.#keys === null) return null
    this.#nonce = nonce + randomBytes(24).toString('base64')
    const first = `r=${this.#nonce},s=${this.#keys.salt},i=${ITERATIONS}`
    this.#exchange = `${bare},${first}`
    return { conversationId: 1, done: false, payload: new Binary(Buffer.from(first)) }
  }

  proceed({ payload }: Document): Document | null {
    if (this.#keys === null) return null
    const [, without = '', proof = ''] = /^(.*),p=(.*)$/.exec(text(payload)) ?? []
    const exchange = `${this.#exchange},${without}`
    const stored = Buffer.from(this.#keys.storedKey, 'base64')
    const signature = hmac(stored, exchange)
    const key = Buffer.from(proof, 'base64').map((byte, i) => byte ^ (signature[i] ?? 0))
    if (without !== `c=biws,r=${this.#nonce}` || !hash(key).equals(stored)) return null
    const own = hmac(Buffer.from(this.#keys.serverKey, 'base64'), exchange).toString('base64')
    return { conversationId: 1, done: true, payload: new Binary(Buffer.from(`v=${own}`)) }
  }
}

function text(payload: unknown): string {
  return payload instanceof Binary ? Buffer.from(payload.buffer).toString() : ''
}
