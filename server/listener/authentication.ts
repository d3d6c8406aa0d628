import { createHash, timingSafeEqual } from 'node:crypto'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Identity } from '../core/tree/acl.ts'
import { limits } from '../limits.ts'
import { DigestMd5Exchange } from './sasl-digest-md5.ts'

/** What a client can authenticate by, beside its address. */
export const AUTH_SCHEMES = ['digest', 'x509', 'sasl', 'ensemble'] as const
export type AuthScheme = (typeof AUTH_SCHEMES)[number]

/** How clients prove who they are, and what that is worth. */
export interface Authenticator {
  /** Those that are on: the others prove nothing, and no ACL may name them. */
  readonly schemes: ReadonlySet<AuthScheme>
  /** The hash of the digest scheme, by the name that Node has for it. */
  readonly digestAlgorithm: string
  /** "user:base64(hash(user:password))" of the superuser (superDigest), or null for none. */
  readonly superDigest: string | null
  /** Passwords of sasl's users by their names; null: there is no sasl. */
  readonly saslUsers: ReadonlyMap<string, string> | null
  /** Users of sasl who may do everything. */
  readonly saslSuperUsers: ReadonlySet<string>
  /** A client that fails at sasl keeps its connection, unless sasl is demanded. */
  readonly allowSaslFailedClients: boolean
  /** Without an identity of one of these nothing but auth and sasl is answered; empty: no such demand. */
  readonly enforcedSchemes: ReadonlySet<string>
  /** Names of ensembles that a client may think it speaks to; empty: any. */
  readonly ensembleNames: ReadonlySet<string>
  /** Everybody may do everything. */
  readonly skipAcl: boolean
}

/** The digest scheme as every client knows it, and nothing more. */
export const DIGEST_ALONE: Authenticator = {
  schemes: new Set(['digest']),
  digestAlgorithm: 'sha1',
  superDigest: null,
  saslUsers: null,
  saslSuperUsers: new Set(),
  allowSaslFailedClients: false,
  enforcedSchemes: new Set(),
  ensembleNames: new Set(),
  skipAcl: false,
}

const SUPER: Identity = { scheme: 'super', id: '' }

/** ZooKeeper's names, fixed in its clients: the service that they ask for, and the realm. */
const SASL_SERVICE = 'zookeeper'
const SASL_REALM = 'zk-sasl-md5'
const NONCE_BYTES = 30

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

/** What "user:password" proves: that user's digest, and the superuser where it is that one's. */
export function digestIdentities(
  authenticator: Authenticator,
  userAndPassword: string,
): Identity[] {
  const { schemes, superDigest, digestAlgorithm } = authenticator
  if (!schemes.has('digest')) return []
  const id = digestId(userAndPassword, digestAlgorithm)
  const own = { scheme: 'digest', id }
  return superDigest !== null && equal(id, superDigest) ? [SUPER, own] : [own]
}

/** ZooKeeper's digest scheme: user, then the hash of "user:password" in base64. */
export function digestId(userAndPassword: string, algorithm: string): string {
  const user = userAndPassword.split(':', 1)[0] ?? ''
  const hash = createHash(algorithm).update(userAndPassword).digest('base64')
  return `${user}:${hash}`
}

function equal(left: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(left), hash(right))
}

/** For ACLs: the proved identities, or those of a superuser where ACLs do not count. */
export function effectiveIdentities(
  authenticator: Authenticator,
  proved: readonly Identity[],
): readonly Identity[] {
  return authenticator.skipAcl ? [...proved, SUPER] : proved
}

/** Whether who has proved these may be served at all. */
export function admits(authenticator: Authenticator, proved: readonly Identity[]): boolean {
  const { enforcedSchemes } = authenticator
  if (enforcedSchemes.size === 0) return true
  return proved.some(({ scheme }) => enforcedSchemes.has(scheme))
}

/** The answer to a token of a client. */
export interface SaslAnswer {
  readonly error: ErrorCode
  readonly token: Uint8Array | null
  readonly failed: boolean
  /** The connection ends behind it. */
  readonly closes: boolean
}

/** Who one connection's client is, and how it comes to be more. */
export class ClientAuthentication {
  readonly #authenticator: Authenticator
  readonly #randomBytes: (count: number) => Uint8Array
  #proved: readonly Identity[]
  #effective: readonly Identity[]
  #exchange: DigestMd5Exchange | null = null

  /** `proved` is what is known of the client before its first byte, its address above all. */
  constructor(
    authenticator: Authenticator,
    proved: readonly Identity[],
    randomBytes: (count: number) => Uint8Array,
  ) {
    this.#authenticator = authenticator
    this.#randomBytes = randomBytes
    this.#proved = proved
    this.#effective = effectiveIdentities(authenticator, proved)
  }

  /** Who the client has proved to be, without what only ACLs are told. */
  get proved(): readonly Identity[] {
    return this.#proved
  }

  /** What ACLs are checked against. */
  get effective(): readonly Identity[] {
    return this.#effective
  }

  get admitted(): boolean {
    return admits(this.#authenticator, this.#proved)
  }

  /**
   * The auth request. `elsewhere`: the client has mistaken the ensemble and must ask another server,
   * which an answer would keep it from.
   */
  auth(scheme: string, credential: Uint8Array | null): 'ok' | 'failed' | 'elsewhere' {
    const { schemes, ensembleNames } = this.#authenticator
    const text = credential === null ? '' : Buffer.from(credential).toString('utf8')
    switch (scheme) {
      case 'ip':
        // The address has proved itself.
        return 'ok'
      case 'x509':
        // So has the certificate, where there is one.
        return this.#proved.some((identity) => identity.scheme === 'x509') ? 'ok' : 'failed'
      case 'digest':
        if (credential === null || !schemes.has('digest')) return 'failed'
        this.#add(digestIdentities(this.#authenticator, text))
        return 'ok'
      case 'ensemble':
        if (!schemes.has('ensemble')) return 'failed'
        return text === '' || ensembleNames.size === 0 || ensembleNames.has(text)
          ? 'ok'
          : 'elsewhere'
      default:
        return 'failed'
    }
  }

  /** The sasl request. Without users there is no exchange: ZooKeeper answers with no token then. */
  sasl(token: Uint8Array): SaslAnswer {
    const { saslUsers: users, saslSuperUsers } = this.#authenticator
    if (users === null) return { error: ErrorCode.ok, token: null, failed: true, closes: false }
    this.#exchange ??= new DigestMd5Exchange({
      realm: SASL_REALM,
      service: SASL_SERVICE,
      nonce: Buffer.from(this.#randomBytes(NONCE_BYTES)).toString('base64'),
      passwordOf: (user) => users.get(user),
      tokenBytesMax: limits.saslTokenBytesMax,
    })
    const step = this.#exchange.step(token)
    if (step.kind === 'failed') return this.#saslFailure()
    if (step.kind === 'proved') {
      this.#add([{ scheme: 'sasl', id: step.user }])
      if (saslSuperUsers.has(step.user)) this.#add([SUPER])
    }
    return { error: ErrorCode.ok, token: step.token, failed: false, closes: false }
  }

  #saslFailure(): SaslAnswer {
    const { enforcedSchemes, allowSaslFailedClients } = this.#authenticator
    const answer = { token: null, failed: true, closes: true }
    if (enforcedSchemes.has('sasl')) {
      return { ...answer, error: ErrorCode.sessionClosedRequireSaslAuth }
    }
    return allowSaslFailedClients
      ? { ...answer, error: ErrorCode.ok, closes: false }
      : { ...answer, error: ErrorCode.authFailed }
  }

  #add(identities: readonly Identity[]): void {
    const fresh = identities.filter(
      ({ scheme, id }) => !this.#proved.some((own) => own.scheme === scheme && own.id === id),
    )
    if (fresh.length === 0) return
    this.#proved = [...this.#proved, ...fresh]
    this.#effective = effectiveIdentities(this.#authenticator, this.#proved)
  }
}
