import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Identity } from '../core/tree/acl.ts'
import { isSuper } from '../core/tree/acl-check.ts'
import { CodedError } from '../errors.ts'
import {
  type Authenticator,
  admits,
  certificateIdentities,
  digestIdentities,
  effectiveIdentities,
} from '../listener/authentication.ts'
import type { Authorisation, SubjectOf } from './authorisation.ts'

/** Whom ACLs take the sender of a request for. Throws a coded 401 for credentials that prove nothing. */
export type IdentitiesOf = (request: FastifyRequest) => readonly Identity[]

/** As clients of ZooKeeper have it; a port for all addresses gives those of IPv4 within IPv6. */
export function addressOf(request: FastifyRequest): string {
  return request.ip.replace(/^::ffff:/, '')
}

/** What a sender is whatever the headers say: its address, and the subject of its certificate. */
export function certainIdentities(
  authenticator: Authenticator,
  subjectOf: SubjectOf,
  superSubject: string,
): IdentitiesOf {
  return (request) => {
    const subject = authenticator.schemes.has('x509') ? subjectOf(request) : null
    const certified = certificateIdentities(subject, superSubject)
    return [{ scheme: 'ip', id: addressOf(request) }, ...certified]
  }
}

/** The token's holder administers the server: ACLs are for the others. */
const HOLDER: Identity = { scheme: 'super', id: '' }

/**
 * The identities of a request, as on a connection of ZooKeeper's: its address, its certificate, and what the
 * header `authorization` proves, be it `digest user:password` as for ZooKeeper's AdminServer, Basic, or the
 * bearer token. Without the header it is anonymous.
 */
export function requestIdentities(
  authenticator: Authenticator,
  authorisation: Authorisation,
  certainOf: IdentitiesOf,
): IdentitiesOf {
  return (request) => {
    const { authorization } = request.headers
    const credential = authorization === undefined ? [] : provedBy(authorization)
    const proved = [...certainOf(request), ...credential]
    if (!admits(authenticator, proved) && !isSuper(proved)) {
      const schemes = [...authenticator.enforcedSchemes].join(' or ')
      throw new CodedError('UNAUTHORISED', `this server asks everybody for ${schemes}`)
    }
    return effectiveIdentities(authenticator, proved)
  }

  function provedBy(header: string): readonly Identity[] {
    const [, scheme = '', credential = ''] = /^(\S+)(?: +(.*))?$/.exec(header) ?? []
    switch (scheme.toLowerCase()) {
      case 'bearer':
        return bearer(credential)
      case 'digest':
        // Node gives a header's bytes as characters.
        return digest(Buffer.from(credential, 'latin1').toString('utf8'))
      case 'basic':
        return digest(Buffer.from(credential, 'base64').toString('utf8'))
      default:
        throw new CodedError('UNAUTHORISED', 'authorization is none of digest, Basic, Bearer')
    }
  }

  /** Where there is no token, it is for someone else: a proxy on the way. */
  function bearer(token: string): readonly Identity[] {
    const { mode } = authorisation
    if (mode !== 'token' && mode !== 'certificate') return []
    if (authorisation.token === '') return []
    if (!equal(token, authorisation.token)) {
      throw new CodedError('UNAUTHORISED', 'the bearer token is wrong')
    }
    return [HOLDER]
  }

  function digest(userAndPassword: string): readonly Identity[] {
    const identities = digestIdentities(authenticator, userAndPassword)
    if (identities.length > 0 && userAndPassword !== '') return identities
    throw new CodedError('UNAUTHORISED', 'the scheme digest is off, or user:password is missing')
  }
}

function equal(left: string, right: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(left), hash(right))
}
