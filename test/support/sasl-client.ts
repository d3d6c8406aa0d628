import { createHash } from 'node:crypto'

/** What a client answers to a challenge. */
export interface SaslAccount {
  readonly user: string
  readonly password: string
  readonly authzid?: string
  /** Directives as they are written, in place of those of a client of ZooKeeper; null leaves one out. */
  readonly directives?: Readonly<Record<string, string | null>>
}

const REALM = 'zk-sasl-md5'
const CNONCE = 'OA6MHXh6VqTrRk'

/**
 * The client's side of DIGEST-MD5, written a second time: the response to a challenge, and the proof
 * that the server must give.
 */
export function saslResponse(
  challenge: Uint8Array,
  { user, password, authzid, directives = {} }: SaslAccount,
): { readonly token: Buffer; readonly proof: string } {
  const nonce = /nonce="([^"]*)"/.exec(Buffer.from(challenge).toString())?.[1] ?? ''
  const uri = `zookeeper/${REALM}`
  const account = [user, REALM, password].map(narrow).join(':')
  const a1 = [md5(account, 'latin1').toString('latin1'), nonce, CNONCE]
  if (authzid !== undefined) a1.push(Buffer.from(authzid).toString('latin1'))
  const secret = md5(a1.join(':'), 'latin1').toString('hex')
  const value = (method: string) => {
    const a2 = md5(`${method}:${uri}`, 'latin1').toString('hex')
    const all = [secret, nonce, '00000001', CNONCE, 'auth', a2].join(':')
    return md5(all, 'latin1').toString('hex')
  }
  const written: Record<string, string | null> = {
    charset: 'utf-8',
    username: quoted(user),
    realm: quoted(REALM),
    nonce: quoted(nonce),
    nc: '00000001',
    cnonce: quoted(CNONCE),
    'digest-uri': quoted(uri),
    maxbuf: '65536',
    response: value('AUTHENTICATE'),
    qop: 'auth',
    authzid: authzid === undefined ? null : quoted(authzid),
    ...directives,
  }
  const given = Object.entries(written).filter(([, text]) => text !== null)
  const token = Buffer.from(given.map(([key, text]) => `${key}=${text}`).join(','))
  return { token, proof: `rspauth=${value('')}` }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** One character a byte: in ISO 8859-1 where that has them all, else in UTF-8. */
function narrow(text: string): string {
  return /^[\0-\u00ff]*$/.test(text) ? text : Buffer.from(text).toString('latin1')
}

function md5(text: string, encoding: 'latin1'): Buffer {
  return createHash('md5').update(text, encoding).digest()
}
