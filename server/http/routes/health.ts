import { Type } from 'typebox'
import type { App } from '../app-instance.ts'
import type { RouteContext } from '../route-context.ts'

const State = Type.Object({ status: Type.String(), reason: Type.Optional(Type.String()) })

/** Probes and metrics. Liveness never depends on quorum, peers or the tree. */
export function healthRoutes(app: App, context: RouteContext): void {
  app.get(
    '/livez',
    { schema: { summary: 'The process answers', response: { 200: State } } },
    async () => ({ status: 'ok' }),
  )
  app.get(
    '/readyz',
    {
      schema: {
        summary: 'In the configuration, caught up, and knows a leader',
        response: { 200: State, 503: State },
      },
    },
    async (_request, reply) => {
      const { ready, notReadyReason } = context.ensemble.status()
      if (ready) return { status: 'ok' }
      return reply.code(503).header('retry-after', '1').send({
        status: 'not ready',
        reason: notReadyReason,
      })
    },
  )
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) => {
    const { registry } = context.metrics
    return reply.type(registry.contentType).send(await registry.metrics())
  })
}
