import type { RequestListener } from 'node:http'
import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import underPressure from '@fastify/under-pressure'
import fastify, {
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify'
import { CodedError } from '../errors.ts'
import type { App } from './app-instance.ts'
import { authorisationOf, type SubjectOf } from './authorisation.ts'
import { tellDenial } from './denial.ts'
import { certainIdentities, requestIdentities } from './identity.ts'
import { discardBody } from './refused-body.ts'
import type { AppOptions, RouteContext } from './route-context.ts'
import { commandRoutes } from './routes/commands.ts'
import { dataRoutes } from './routes/data.ts'
import { ensembleRoutes } from './routes/ensemble.ts'
import { healthRoutes } from './routes/health.ts'
import { pageRoutes } from './routes/page.ts'
import { znodeRoutes } from './routes/znodes.ts'
import { type HttpTimeouts, TlsServers } from './tls-server.ts'

/**
 * The HTTP side of one server: key-value API, znodes, ensemble, probes, metrics, page. No port is
 * opened here; tests use `inject`.
 */
export async function buildApp(options: AppOptions): Promise<App> {
  // Node looks at requestTimeout only where headersTimeout is not above it.
  const timeouts: HttpTimeouts = {
    requestTimeout: options.requestMsMax,
    headersTimeout: options.requestMsMax,
    connectionsCheckingInterval: Math.min(options.requestMsMax, 5_000),
  }
  const servers = options.tls === null ? null : new TlsServers(options.tls)
  const app: App = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyBytesMax,
    requestTimeout: timeouts.requestTimeout,
    http: timeouts,
    ...(servers === null
      ? {}
      : { serverFactory: (handler: RequestListener) => servers.create(timeouts, handler) }),
    routerOptions: { maxParamLength: 3 * options.keyBytesMax + 64 },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()
  const subjectOf: SubjectOf = (request) => servers?.subjectOf(request) ?? null
  const superSubject = options.tls?.superSubject ?? ''
  const certainOf = certainIdentities(options.authenticator, subjectOf, superSubject)
  const identitiesOf = requestIdentities(options.authenticator, options.authorisation, certainOf)
  app.setErrorHandler(async (error: FastifyError | CodedError, request, reply) => {
    tellDenial(options.audit, error, request as FastifyRequest, identitiesOf, certainOf)
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      const length = Number(request.headers['content-length'])
      await discardBody(request.raw, length, options.refusedBody)
    }
    answerError(error, request, reply)
    return reply
  })
  app.setNotFoundHandler((request, reply) =>
    answer(reply, new CodedError('HTTP_NO_ROUTE', `${request.method} ${request.url}`)),
  )
  const info = { title: 'Quorate', version: '1', description: 'A coordination server over HTTP' }
  await app.register(swagger, { openapi: { info } })
  // Not among fastify's options: to those 0 means its own default.
  app.server.keepAliveTimeout = options.idleMs
  app.server.maxConnections = options.connectionsMax
  if (options.eventLoopDelayMsMax > 0) {
    await app.register(underPressure, {
      maxEventLoopDelay: options.eventLoopDelayMsMax,
      pressureHandler: (request, reply) => {
        // Probes and metrics must be answered most of all when the server is busy.
        if (/^\/(livez|readyz|metrics)/.test(request.url)) return
        answer(reply, new CodedError('SERVER_BUSY', 'the event loop is delayed'))
      },
    })
  }
  app.addHook('preClose', async () => servers?.endHandshakes())
  const authorise = await authorisationOf(app, options.authorisation, subjectOf)
  const context: RouteContext = { ...options, authorise, identitiesOf }
  const groups = [healthRoutes, dataRoutes, znodeRoutes, ensembleRoutes, commandRoutes, pageRoutes]
  for (const routes of groups) {
    await app.register(async (scope) => routes(scope as App, context))
  }
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  return app
}

function answerError(
  error: FastifyError | CodedError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (error instanceof CodedError) return answer(reply, error)
  if (error.validation !== undefined) return answer(reply, invalidRequest(error))
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return answer(reply, new CodedError('BODY_TOO_LARGE', error.message))
  }
  const status = error.statusCode ?? 500
  if (status < 500) return answer(reply, new CodedError('BAD_REQUEST', error.message))
  request.log.error({ err: error }, 'an HTTP request failed')
  answer(reply, new CodedError('INTERNAL', 'an unexpected error; see the log of this server'))
}

/** Names the field of the first violation. */
function invalidRequest(error: FastifyError): CodedError {
  const violation = error.validation?.[0]
  const missing = violation?.params?.['missingProperty']
  const additional = violation?.params?.['additionalProperty']
  const place = violation?.instancePath.replace(/^\//, '').replaceAll('/', '.') ?? ''
  const field = String(missing ?? additional ?? place)
  return new CodedError(
    'INVALID_FIELD',
    `${field || 'body'}: ${violation?.message ?? error.message}`,
    {
      field: field || 'body',
    },
  )
}

function answer(reply: FastifyReply, error: CodedError): void {
  if (error.status === 503) reply.header('retry-after', '1')
  if (error.status === 401) reply.header('www-authenticate', 'Bearer')
  void reply.code(error.status).send({ code: error.code, message: error.message, ...error.details })
}
