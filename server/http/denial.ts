import type { FastifyRequest } from 'fastify'
import type { Audit, Change } from '../audit/audit.ts'
import { CodedError } from '../errors.ts'
import { addressOf, type IdentitiesOf } from './identity.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a route that changes something is asked for; null for what is no change after all. */
    readonly change?: (request: FastifyRequest) => Change | null
  }
}

/** What the HTTP side itself answers; by an ACL the tree refuses, and that is told as its outcome. */
const DENIALS: ReadonlySet<string> = new Set(['UNAUTHORISED', 'HTTP_WRITES_CLOSED'])

/** Tells the audit log of a change that failed with this error, if that means that its sender may not. */
export function tellDenial(
  audit: Audit,
  error: Error,
  request: FastifyRequest,
  identitiesOf: IdentitiesOf,
  certainOf: IdentitiesOf,
): void {
  if (!(error instanceof CodedError) || !DENIALS.has(error.code)) return
  const change = request.routeOptions.config.change?.(request) ?? null
  if (change === null) return
  audit.denied(provedBy(request, identitiesOf, certainOf), addressOf(request), change)
}

function provedBy(request: FastifyRequest, identitiesOf: IdentitiesOf, certainOf: IdentitiesOf) {
  try {
    return identitiesOf(request)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    // The header proves nothing; what came with the connection stands.
    return certainOf(request)
  }
}
