import bearerAuth from '@fastify/bearer-auth'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CodedError } from '../errors.ts'
import type { App } from './app-instance.ts'

/** Who may write and administer over HTTP (design 3, HTTP: closed unless told otherwise). */
export type Authorisation =
  | { readonly mode: 'open' }
  | { readonly mode: 'closed' }
  | { readonly mode: 'token'; readonly token: string }
  /** A certificate that was checked; the token too, unless it is ''. */
  | { readonly mode: 'certificate'; readonly token: string }

/** The subject of a request's certificate, if one was shown and checked. */
export type SubjectOf = (request: FastifyRequest) => string | null

/** A preHandler for routes that change something: passes, or throws a coded 401 or 403. */
export type Authorise = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

export async function authorisationOf(
  app: App,
  options: Authorisation,
  subjectOf: SubjectOf,
): Promise<Authorise> {
  if (options.mode === 'open') return async () => {}
  if (options.mode === 'closed') {
    return async () => {
      throw new CodedError('HTTP_WRITES_CLOSED', 'set http.token, or http.auth to open')
    }
  }
  const certified = (request: FastifyRequest) =>
    options.mode === 'certificate' && subjectOf(request) !== null
  if (options.token === '') {
    return async (request) => {
      if (!certified(request)) throw new CodedError('UNAUTHORISED', 'a certificate is needed')
    }
  }
  await app.register(bearerAuth, { keys: new Set([options.token]), addHook: false })
  const { verifyBearerAuth } = app
  if (verifyBearerAuth === undefined) throw new Error('the bearer-auth plugin is not loaded')
  return (request, reply) =>
    new Promise((resolve, reject) => {
      if (certified(request)) return resolve()
      verifyBearerAuth(request, reply, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(new CodedError('UNAUTHORISED', error.message))
      })
    })
}
