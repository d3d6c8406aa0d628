import type { FastifyRequest } from 'fastify'
import type { AdministrativeOperation, AuditResult } from '../audit/audit.ts'
import { userOf } from '../audit/audit.ts'
import { addressOf } from './identity.ts'
import type { RouteContext } from './route-context.ts'

export interface Administration {
  readonly operation: AdministrativeOperation
  /** The server that it is about. */
  readonly member?: string | undefined
  /** What is told when it goes well: done, or only begun. */
  readonly result: Extract<AuditResult, 'success' | 'invoked'>
}

/** Carries out what an administrator asks for; the audit log has who asked, and how it went. */
export async function administer<T>(
  { audit, identitiesOf }: RouteContext,
  request: FastifyRequest,
  { operation, member, result }: Administration,
  run: () => T | Promise<T>,
): Promise<T> {
  const who = { user: userOf(identitiesOf(request)), ip: addressOf(request) }
  try {
    const done = await run()
    audit.administration(who, operation, result, member)
    return done
  } catch (error) {
    audit.administration(who, operation, 'failure', member)
    throw error
  }
}
