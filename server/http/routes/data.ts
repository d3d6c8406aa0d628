import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Change } from '../../audit/audit.ts'
import { ErrorCode } from '../../core/machine/error-code.ts'
import { plainCreate } from '../../core/machine/operation.ts'
import { getData } from '../../core/machine/read.ts'
import type { Identity } from '../../core/tree/acl.ts'
import { CodedError } from '../../errors.ts'
import type { App } from '../app-instance.ts'
import { EnsembleCall, refused } from '../ensemble-call.ts'
import type { RouteContext } from '../route-context.ts'

/** Where the key-value API keeps its pairs in the tree, visible to ZooKeeper clients. */
const DATA_ROOT = '/quorate/data'

/** Attempts of an upsert against writers that create and delete the same key meanwhile. */
const UPSERT_ATTEMPTS_MAX = 8

const Pair = Type.Object({ k: Type.String(), v: Type.String() })
const NewPair = Type.Object(
  { k: Type.String({ minLength: 1 }), v: Type.String() },
  { additionalProperties: false },
)
const Key = Type.Object({ key: Type.String({ minLength: 1 }) })
const Consistency = Type.Object(
  { consistency: Type.Optional(Type.Union([Type.Literal('linearizable'), Type.Literal('local')])) },
  { additionalProperties: false },
)
const Refusal = Type.Object(
  { code: Type.String(), message: Type.String() },
  { additionalProperties: true },
)

/**
 * The key-value API: POST a pair, GET and DELETE a key. Any server answers; writes go through the
 * log, reads are linearizable unless `?consistency=local`.
 */
export function dataRoutes(app: App, context: RouteContext): void {
  const { ensemble, authorise, identitiesOf } = context
  const call = new EnsembleCall(ensemble, context)
  const decoder = new TextDecoder()
  const changeOf = (operation: 'setData' | 'delete', key: string): Change | null =>
    problemOf(key, context.keyBytesMax) === null ? { operation, znode: znodeOf(key) } : null

  app.post(
    '/v1/data',
    {
      preHandler: authorise,
      config: {
        change: ({ body }) => changeOf('setData', (body as Static<typeof NewPair>).k),
      },
      schema: {
        summary: 'Set a key',
        body: NewPair,
        response: { 200: Pair, 400: Refusal, 413: Refusal, 503: Refusal },
      },
    },
    async (request) => {
      const pair: Static<typeof NewPair> = request.body
      const path = pathOf(pair.k, context.keyBytesMax)
      const identities = identitiesOf(request as FastifyRequest)
      await upsert(call, path, new TextEncoder().encode(pair.v), identities)
      return pair
    },
  )

  app.get(
    '/v1/data/:key',
    {
      schema: {
        summary: 'Get a key',
        params: Key,
        querystring: Consistency,
        response: { 200: Pair, 404: Refusal, 503: Refusal },
      },
    },
    async (request) => {
      const { key } = request.params
      const identities = identitiesOf(request as FastifyRequest)
      if (request.query.consistency !== 'local') await call.barrier()
      const read = getData(ensemble.machine, pathOf(key, context.keyBytesMax), identities)
      if (read === ErrorCode.noNode) throw new CodedError('KEY_NOT_FOUND', `no key ${key}`)
      if (typeof read === 'number') throw refused(read)
      return { k: key, v: read.data === null ? '' : decoder.decode(read.data) }
    },
  )

  app.delete(
    '/v1/data/:key',
    {
      preHandler: authorise,
      config: {
        change: ({ params }) => changeOf('delete', (params as Static<typeof Key>).key),
      },
      schema: {
        summary: 'Delete a key',
        params: Key,
        response: { 204: Type.Null(), 404: Refusal, 503: Refusal },
      },
    },
    async (request, reply) => {
      const { key } = request.params
      const path = pathOf(key, context.keyBytesMax)
      const identities = identitiesOf(request as FastifyRequest)
      const { error } = await call.write({ kind: 'delete', path, version: -1 }, identities)
      if (error === ErrorCode.noNode) throw new CodedError('KEY_NOT_FOUND', `no key ${key}`)
      if (error !== ErrorCode.ok) throw refused(error)
      return reply.code(204).send(null)
    },
  )
}

async function upsert(
  call: EnsembleCall,
  path: string,
  data: Uint8Array,
  identities: readonly Identity[],
): Promise<void> {
  for (let attempt = 0; attempt < UPSERT_ATTEMPTS_MAX; attempt += 1) {
    const set = await call.write({ kind: 'setData', path, data, version: -1 }, identities)
    if (set.error === ErrorCode.ok) return
    if (set.error !== ErrorCode.noNode) throw refused(set.error)
    const created = await call.write(plainCreate(path, data), identities)
    if (created.error === ErrorCode.ok) return
    if (created.error === ErrorCode.noNode) await createRoot(call, identities)
    else if (created.error !== ErrorCode.nodeExists) throw refused(created.error)
  }
  throw new CodedError('CONFLICT', 'others create and delete this key all the time')
}

async function createRoot(call: EnsembleCall, identities: readonly Identity[]): Promise<void> {
  const parents = DATA_ROOT.split('/').slice(1)
  for (let depth = 1; depth <= parents.length; depth += 1) {
    const path = `/${parents.slice(0, depth).join('/')}`
    const { error } = await call.write(plainCreate(path, null), identities)
    if (error !== ErrorCode.ok && error !== ErrorCode.nodeExists) throw refused(error)
  }
}

function pathOf(key: string, keyBytesMax: number): string {
  const problem = problemOf(key, keyBytesMax)
  if (problem !== null) throw problem
  return znodeOf(key)
}

function problemOf(key: string, keyBytesMax: number): CodedError | null {
  if (Buffer.byteLength(key) > keyBytesMax) {
    return new CodedError('KEY_TOO_LONG', `a key has at most ${keyBytesMax} bytes`)
  }
  if (!/\p{Surrogate}/u.test(key)) return null
  return new CodedError('INVALID_FIELD', 'k: not valid Unicode', { field: 'k' })
}

/** Any key is one znode name: escaped as in a URL, and "." and ".." too, which no znode may have. */
function znodeOf(key: string): string {
  const name = /^\.\.?$/.test(key) ? key.replaceAll('.', '%2E') : encodeURIComponent(key)
  return `${DATA_ROOT}/${name}`
}
