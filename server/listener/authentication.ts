import { createHash, timingSafeEqual } from 'node:crypto'
import type { Identity } from '../core/tree/acl.ts'

export interface Authenticator {
  /** "user:base64(sha1(user:password))" of the superuser (superDigest), or null for none. */
  readonly superDigest: string | null
}

/**
 * What a client has proved that showed a certificate with this subject in the TLS handshake.
 * `superSubject` is the subject of the superuser (X509AuthenticationProvider.superUser), '' for none.
 */
export function certificateIdentities(subject: string | null, superSubject: string): Identity[] {
  if (subject === null) return []
  const own = { scheme: 'x509', id: subject }
  return superSubject !== '' && subject === superSubject
    ? [own, { scheme: 'super', id: subject }]
    : [own]
}

/** The identity that a credential proves, or null: the scheme is unknown or the credential bad. */
export function authenticate(
  authenticator: Authenticator,
  scheme: string | null,
  credential: Uint8Array | null,
): Identity | null {
  if (scheme !== 'digest' || credential === null) return null
  const text = Buffer.from(credential).toString('utf8')
  const id = digestId(text)
  if (authenticator.superDigest !== null && equal(id, authenticator.superDigest)) {
    return { scheme: 'super', id: '' }
  }
  return { scheme: 'digest', id }
}

/** ZooKeeper's digest scheme: user, then the SHA-1 of "user:password" in base64. */
export function digestId(userAndPassword: string): string {
  const user = userAndPassword.split(':', 1)[0] ?? ''
  const hash = createHash('sha1').update(userAndPassword).digest('base64')
  return `${user}:${hash}`
}

function equal(left: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(left), hash(right))
}
