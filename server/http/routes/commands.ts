import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CodedError } from '../../errors.ts'
import { ADMIN_COMMANDS, type CommandBody } from '../admin-commands.ts'
import { administer } from '../administration.ts'
import type { App } from '../app-instance.ts'
import { discardBody } from '../refused-body.ts'
import type { RouteContext } from '../route-context.ts'

const Place = Type.Object({ '*': Type.String() })

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests'
const NO_RESTORE = 'a snapshot is not restored over HTTP'
const NO_STREAM = 'a snapshot is not streamed: ask with streaming=false'

const SNAPSHOT = ['snapshot', 'snap']
const RESTORE = ['restore', 'rest']
const byName = new Map(
  ADMIN_COMMANDS.flatMap((command) => command.names.map((name) => [name, command] as const)),
)

function indexUnder(path: string): string {
  return [...ADMIN_COMMANDS.map(({ names }) => names[0]), 'snapshot', 'restore']
    .sort()
    .map((name) => `<a href="${path}/${name}">${name}</a>\n<br/>\n`)
    .join('')
}

/**
 * The commands of ZooKeeper's AdminServer, under its URLs, names and fields. As there, an unknown
 * command and a server that does not serve are answered 200 with an `error`.
 */
export function commandRoutes(app: App, context: RouteContext): void {
  const { authorise, commands, ensemble, commandPath: path = '/commands' } = context
  const index = indexUnder(path)

  for (const url of [path, `${path}/`]) {
    app.get(url, { schema: { hide: true } }, async (_request, reply) =>
      reply.type('text/html').send(index),
    )
  }

  app.get(
    `${path}/*`,
    {
      preHandler: async (request, reply) => {
        const { '*': name } = request.params as { '*': string }
        const changes = byName.get(name)?.changes ?? [...SNAPSHOT, ...RESTORE].includes(name)
        if (changes) await authorise(request as FastifyRequest, reply)
      },
      config: {
        change: ({ params }) =>
          SNAPSHOT.includes((params as { '*': string })['*'])
            ? { operation: 'takeSnapshot' }
            : null,
      },
      schema: { summary: "A command of ZooKeeper's AdminServer", params: Place },
    },
    async (request, reply) => {
      const { '*': name } = request.params
      const query = firstValues(request.query as Record<string, unknown>)
      if (SNAPSHOT.includes(name)) return snapshot(context, query, reply)
      if (RESTORE.includes(name)) return refused(reply, 'restore', NO_RESTORE)
      const command = byName.get(name)
      if (command === undefined) return sent(reply, name, { error: `Unknown command: ${name}` })
      const serves = command.always === true || ensemble.ready || ensemble.readOnly
      const body = serves ? command.run(commands, query) : { error: NOT_SERVING }
      return sent(reply, serves ? command.names[0] : name, body)
    },
  )

  app.post(
    `${path}/restore`,
    {
      // Before the body is read: it is of no use.
      onRequest: async (request, reply) => {
        await authorise(request as FastifyRequest, reply)
        const length = Number(request.headers['content-length'])
        await discardBody(request.raw, length, context.refusedBody)
        return refused(reply, 'restore', NO_RESTORE)
      },
      schema: { hide: true },
    },
    async (_request, reply) => refused(reply, 'restore', NO_RESTORE),
  )
}

/** As Jetty gives them to ZooKeeper: of a parameter that is given twice, the first. */
function firstValues(query: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(query).map(([key, value]) => [
    key,
    String(Array.isArray(value) ? value[0] : value),
  ])
  return Object.fromEntries(entries)
}

/** Fields of the command, then its name and its error, as ZooKeeper orders them. */
function sent(reply: FastifyReply, command: string, body: CommandBody): FastifyReply {
  const text = JSON.stringify({ ...body, command, error: body['error'] ?? null }, null, 2)
  return reply.type('application/json').send(text)
}

function refused(reply: FastifyReply, command: string, error: string): FastifyReply {
  return sent(reply.code(503).header('retry-after', '86400'), command, { error })
}

/** Takes a snapshot and tells what it holds in the headers that ZooKeeper's clients read. */
async function snapshot(
  context: RouteContext,
  query: Readonly<Record<string, string>>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { ensemble } = context
  if (!ensemble.ready) return sent(reply, 'snapshot', { error: NOT_SERVING })
  if (query['streaming']?.toLowerCase() !== 'false') return refused(reply, 'snapshot', NO_STREAM)
  const told = { operation: 'takeSnapshot', result: 'success' } as const
  await administer(context, reply.request, told, async () => {
    const refusal = await new Promise<string | null>((resolve) => ensemble.takeSnapshot(resolve))
    if (refusal !== null) throw new CodedError('SNAPSHOT_REFUSED', refusal)
  })
  const { snapshotZxid, snapshotBytes } = ensemble.status()
  reply.header('last_zxid', `0x${snapshotZxid.toString(16)}`)
  reply.header('snapshot_size', String(snapshotBytes))
  return sent(reply, 'snapshot', {})
}
