import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { ErrorCode } from '../../core/machine/error-code.ts'
import { getChildren, getData } from '../../core/machine/read.ts'
import { validatePath } from '../../core/tree/path.ts'
import { CodedError } from '../../errors.ts'
import type { App } from '../app-instance.ts'
import { EnsembleCall, refused } from '../ensemble-call.ts'
import type { RouteContext } from '../route-context.ts'

const Place = Type.Object({ '*': Type.String() })
const Consistency = Type.Object(
  { consistency: Type.Optional(Type.Union([Type.Literal('linearizable'), Type.Literal('local')])) },
  { additionalProperties: false },
)

/** Znodes as a ZooKeeper client of the same identities may read them. */
export function znodeRoutes(app: App, context: RouteContext): void {
  const { ensemble, identitiesOf } = context
  const call = new EnsembleCall(ensemble, context)
  app.get(
    '/v1/znodes/*',
    { schema: { summary: 'Data, Stat and children', params: Place, querystring: Consistency } },
    async (request) => {
      const path = `/${request.params['*']}`
      if (!validatePath(path)) {
        throw new CodedError('INVALID_FIELD', `path: ${path} is no path of a znode`, {
          field: 'path',
        })
      }
      const identities = identitiesOf(request as FastifyRequest)
      if (request.query.consistency !== 'local') await call.barrier()
      const read = getData(ensemble.machine, path, identities)
      if (typeof read === 'number') throw treeError(read, path)
      const children = getChildren(ensemble.machine, path, identities)
      if (typeof children === 'number') throw treeError(children, path)
      const { czxid, mzxid, pzxid, ctimeMs, mtimeMs, ephemeralOwner, ...counts } = read.stat
      return {
        path,
        ...textOf(read.data),
        stat: {
          czxid: hex(czxid),
          mzxid: hex(mzxid),
          pzxid: hex(pzxid),
          ctime: new Date(ctimeMs).toISOString(),
          mtime: new Date(mtimeMs).toISOString(),
          ephemeralOwner: hex(ephemeralOwner),
          ...counts,
        },
        children: [...children.children].sort(),
      }
    },
  )
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function treeError(error: ErrorCode, path: string): CodedError {
  if (error === ErrorCode.noNode) return new CodedError('ZNODE_NOT_FOUND', `no znode ${path}`)
  return refused(error)
}

function textOf(data: Uint8Array | null): { data: string | null; encoding: 'utf8' | 'base64' } {
  if (data === null) return { data: null, encoding: 'utf8' }
  try {
    return { data: new TextDecoder('utf-8', { fatal: true }).decode(data), encoding: 'utf8' }
  } catch {
    // Not text: shown as base64 instead.
    return { data: Buffer.from(data).toString('base64'), encoding: 'base64' }
  }
}
