import { createHash, timingSafeEqual } from 'node:crypto'

/** What the server's side of an exchange came to with a token of the client. */
export type SaslStep =
  | { readonly kind: 'challenge'; readonly token: Uint8Array }
  /** `token` proves the server in its turn. */
  | { readonly kind: 'proved'; readonly token: Uint8Array; readonly user: string }
  | { readonly kind: 'failed' }

export interface DigestMd5Options {
  /** Also the host of the service that a client must name. */
  readonly realm: string
  /** What a client asks for: the part of its digest-uri before the host. */
  readonly service: string
  /** Nothing that needs an escape within quotes. */
  readonly nonce: string
  /** Undefined for a user that is not known. */
  readonly passwordOf: (user: string) => string | undefined
  /** A longer token fails. */
  readonly tokenBytesMax: number
}

const NONCE_COUNT = '00000001'
const FAILED: SaslStep = { kind: 'failed' }

/**
 * The server's side of DIGEST-MD5 (RFC 2831), subsequent authentication and security layers apart: a
 * challenge, a response, and the proof that the server knows the password too. One object is one
 * exchange; after its second step every other fails.
 *
 * As in Java's server, what the first token holds does not matter, the count of the nonce is not looked
 * at, and who is to be acted for (authzid) goes into the digest alone: a client is who it proves to be.
 */
export class DigestMd5Exchange {
  readonly #options: DigestMd5Options
  #state: 'begins' | 'challenged' | 'over' = 'begins'

  constructor(options: DigestMd5Options) {
    this.#options = options
  }

  step(token: Uint8Array): SaslStep {
    if (token.length > this.#options.tokenBytesMax) return FAILED
    const state = this.#state
    this.#state = state === 'begins' ? 'challenged' : 'over'
    if (state === 'begins') return { kind: 'challenge', token: this.#challenge() }
    return state === 'challenged' ? this.#judge(token) : FAILED
  }

  #challenge(): Uint8Array {
    const { realm, nonce } = this.#options
    return Buffer.from(`realm="${realm}",nonce="${nonce}",charset=utf-8,algorithm=md5-sess`)
  }

  /** RFC 2831, 2.1.2 and 2.1.3. */
  #judge(token: Uint8Array): SaslStep {
    const { realm, service, nonce, passwordOf } = this.#options
    const given = parseDirectives(Buffer.from(token).toString('latin1'))
    if (given === null) return FAILED
    const user = utf8(given.get('username'))
    const cnonce = given.get('cnonce')
    const uri = given.get('digest-uri')
    const response = given.get('response')
    if (user === undefined || cnonce === undefined || uri === undefined) return FAILED
    if (response === undefined || (given.get('charset') ?? 'utf-8') !== 'utf-8') return FAILED
    if (given.get('realm') !== realm || given.get('nonce') !== nonce) return FAILED
    if ((given.get('qop') ?? 'auth') !== 'auth') return FAILED
    if (uri.toLowerCase() !== `${service}/${realm}`.toLowerCase()) return FAILED
    const password = passwordOf(user)
    // Whoever asks for a user that is not there waits as long as the others.
    const facts = { user, realm, password: password ?? '', nonce, cnonce, uri }
    const secret = secretOf(facts, given.get('authzid'))
    if (!equal(response, digestOf(secret, facts, 'AUTHENTICATE')) || password === undefined) {
      return FAILED
    }
    const proof = `rspauth=${digestOf(secret, facts, '')}`
    return { kind: 'proved', token: Buffer.from(proof), user }
  }
}

/** The texts of an exchange; those that only go into digests are in latin1, one character a byte. */
interface Facts {
  readonly user: string
  readonly realm: string
  readonly password: string
  readonly nonce: string
  readonly cnonce: string
  readonly uri: string
}

/** HEX(H(A1)) of RFC 2831, 2.1.2.1. */
function secretOf({ user, realm, password, nonce, cnonce }: Facts, authzid?: string): string {
  const colon = Buffer.from(':')
  const parts = [narrow(user), colon, narrow(realm), colon, narrow(password)]
  const tail = [nonce, cnonce, ...(authzid === undefined ? [] : [authzid])].join(':')
  const a1 = [md5(Buffer.concat(parts)), colon, Buffer.from(tail, 'latin1')]
  return md5(Buffer.concat(a1)).toString('hex')
}

/** The response-value; with an empty method, the one by which the server proves itself. */
function digestOf(secret: string, { nonce, cnonce, uri }: Facts, method: string): string {
  const a2 = md5(Buffer.from(`${method}:${uri}`, 'latin1')).toString('hex')
  const text = `${secret}:${nonce}:${NONCE_COUNT}:${cnonce}:auth:${a2}`
  return md5(Buffer.from(text, 'latin1')).toString('hex')
}

/** As the RFC has it for old servers' sake: in ISO 8859-1 if that has all the characters. */
function narrow(text: string): Buffer {
  return Buffer.from(text, /^[\0-\u00ff]*$/.test(text) ? 'latin1' : 'utf8')
}

function utf8(latin1: string | undefined): string | undefined {
  return latin1 === undefined ? undefined : Buffer.from(latin1, 'latin1').toString('utf8')
}

function md5(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest()
}

function equal(left: string, right: string): boolean {
  return timingSafeEqual(md5(Buffer.from(left)), md5(Buffer.from(right)))
}

/** One directive: a key, then a value in quotes (with escapes) or bare. */
const DIRECTIVE =
  /[ \t\r\n]*([^,= \t\r\n]+)[ \t\r\n]*=[ \t\r\n]*(?:"((?:\\[\s\S]|[^"\\])*)"|([^", \t\r\n][^, \t\r\n]*))/y
const SEPARATOR = /(?:[ \t\r\n,]+|$)/y

/** The directives of a response, in latin1; null where they cannot be read, or one is given twice. */
function parseDirectives(text: string): Map<string, string> | null {
  const found = new Map<string, string>()
  SEPARATOR.lastIndex = 0
  let at = SEPARATOR.test(text) ? SEPARATOR.lastIndex : 0
  while (at < text.length) {
    DIRECTIVE.lastIndex = at
    const match = DIRECTIVE.exec(text)
    if (match === null) return null
    const [, name = '', quoted, bare = ''] = match
    const key = name.toLowerCase()
    if (found.has(key)) return null
    found.set(key, quoted === undefined ? bare : quoted.replace(/\\([\s\S])/g, '$1'))
    SEPARATOR.lastIndex = DIRECTIVE.lastIndex
    if (!SEPARATOR.test(text)) return null
    at = SEPARATOR.lastIndex
  }
  return found
}
