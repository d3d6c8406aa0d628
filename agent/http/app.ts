import { timingSafeEqual } from 'node:crypto'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify'
import type { Registry } from 'prom-client'
import type { DiskReport } from '../core/observation.ts'
import { limits } from '../limits.ts'

/** What a probe is told; cached, so that no probe waits for anything. */
export interface ProbeAnswer {
  readonly ok: boolean
  readonly reason: string
}

export interface AgentAppOptions {
  readonly logger: FastifyBaseLogger
  readonly pod: string
  readonly prestopToken: string
  readonly registry: Registry
  /** A decision has been made, and the permit pipe is there. */
  readonly started: () => ProbeAnswer
  readonly engineStarted: () => ProbeAnswer
  readonly engineAlive: () => ProbeAnswer
  readonly engineReady: () => ProbeAnswer
  readonly status: () => object
  readonly disk: () => DiskReport
  /** Resolves when the member is out of service, or when that was called off. */
  readonly prestop: () => Promise<void>
}

/**
 * The agent's HTTP side: probes of the kubelet, the hook that blocks until the member has left
 * service, what other agents ask, and what people and Prometheus look at.
 */
export function buildAgentApp(options: AgentAppOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: options.logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    // No route has a schema: their compilers stay out of the memory of every agent.
    schemaController: {
      compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas },
    },
    // A drain holds its request for minutes; nothing else may wait for it when the process ends.
    forceCloseConnections: true,
  })
  const alive = async () => ({ status: 'ok' })
  // Of the agent itself: that this is answered is all there is to know.
  app.get('/agentz', alive)
  app.get('/livez', alive)
  app.get('/startupz', async (_request, reply) => answer(reply, options.started()))
  app.get('/engine/startupz', async (_request, reply) => answer(reply, options.engineStarted()))
  app.get('/engine/livez', async (_request, reply) => answer(reply, options.engineAlive()))
  for (const path of ['/engine/readyz', '/readyz']) {
    app.get(path, async (_request, reply) => answer(reply, options.engineReady()))
  }
  app.get('/status', async () => options.status())
  app.get('/disk', async () => ({ pod: options.pod, disk: options.disk() }))
  app.get('/metrics', async (_request, reply) =>
    reply.type(options.registry.contentType).send(await options.registry.metrics()),
  )
  app.get('/prestop', async (request, reply) => {
    const { authorization = '' } = request.headers
    if (!isToken(authorization.replace(/^Bearer /, ''), options.prestopToken)) {
      return reply.code(401).send({ status: 'refused', reason: 'the token of /prestop is needed' })
    }
    await options.prestop()
    return { status: 'ok' }
  })
  return app
}

function noSchemas(): never {
  throw new Error('a route has a schema, and there is no compiler for it')
}

function answer(reply: FastifyReply, { ok, reason }: ProbeAnswer): FastifyReply {
  return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'not ok', reason })
}

/** An agent without a token takes no preStop at all: whoever reaches the port could stop members. */
function isToken(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)]
  return expected !== '' && left.length === right.length && timingSafeEqual(left, right)
}
