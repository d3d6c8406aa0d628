import { isAbsolute, normalize } from 'node:path'
import * as Type from 'typebox'
import { Value } from 'typebox/value'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'

const strict = { additionalProperties: false }
const Port = Type.Integer({ minimum: 1, maximum: 65_535 })
const Name = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' })
const TimeoutMs = Type.Integer({ minimum: 1, maximum: limits.genericTimeoutMsMax })

const Http = Type.Object(
  {
    /** By number or by name; the one of clients when it is left out. */
    port: Type.Optional(Type.Union([Port, Name])),
    path: Type.String({ pattern: '^/([^/]|$)' }),
    method: Type.Optional(Type.String({ pattern: '^[A-Z]{1,20}$' })),
    headers: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), Type.String())),
    body: Type.Optional(Type.String()),
    /** 200 alone when it is left out. */
    statuses: Type.Optional(
      Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1 }),
    ),
  },
  strict,
)
const Tcp = Type.Object(
  {
    port: Type.Optional(Type.Union([Port, Name])),
    /** Sent when the connection is there; its answer is then looked for. */
    send: Type.Optional(Type.String()),
    /** Regular expression; a connection alone is enough when it is left out. */
    expect: Type.Optional(Type.String()),
  },
  strict,
)
const Request = Type.Object(
  {
    http: Type.Optional(Http),
    tcp: Type.Optional(Tcp),
    timeoutMs: Type.Optional(TimeoutMs),
    /** Not the engine of this pod, but the first of these that answers: `leader`, `members`, a name of `uses`. */
    at: Type.Optional(Type.String()),
    /** The same, and all of them in turn, each of which has to answer. */
    each: Type.Optional(Type.String()),
  },
  strict,
)
const Role = Type.Object(
  {
    request: Request,
    /** Regular expressions by role, tried in order against the answer. */
    roles: Type.Record(Name, Type.String(), { minProperties: 1 }),
    /** The role that only one member has at a time. */
    leader: Type.Optional(Name),
  },
  strict,
)
const File = Type.Object(
  {
    name: Name,
    /** Within the directory of files or the data volume; the directory of files and the name when left out. */
    path: Type.Optional(Type.String({ pattern: '^/' })),
    /** Absolute path in the tree; the cluster's own folder of files and the name when left out. */
    znode: Type.Optional(Type.String({ pattern: '^(/[^/]+)+$' })),
    /** What it is while there is no such znode; without it a start waits for the znode. */
    content: Type.Optional(Type.String()),
    /** Written where it is missing, and then the engine's own. */
    once: Type.Optional(Type.Boolean()),
    /** Tells the process that it is another text. */
    reload: Type.Optional(Request),
  },
  strict,
)
const GenericDocument = Type.Object(
  {
    /** Name of the port of clients; left out: there is only one, or none. */
    port: Type.Optional(Name),
    ports: Type.Optional(Type.Record(Name, Port)),
    version: Type.Optional(Type.String()),
    health: Type.Object(
      { startup: Request, liveness: Type.Optional(Request), readiness: Type.Optional(Request) },
      strict,
    ),
    role: Type.Optional(Role),
    bootstrap: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('start'), Type.Literal('hook')]),
    ),
    order: Type.Optional(
      Type.Union([Type.Literal('parallel'), Type.Literal('oneAtATime'), Type.Literal('ordinals')]),
    ),
    removedReturns: Type.Optional(Type.Union([Type.Literal('asIs'), Type.Literal('fresh')])),
    start: Type.Optional(
      Type.Object(
        {
          args: Type.Optional(Type.String()),
          found: Type.Optional(Type.String()),
          follow: Type.Optional(Type.String()),
          /** A member with data waits so long for another to lead, before it starts as it remembers. */
          followWithinMs: Type.Optional(Type.Integer({ minimum: 0 })),
        },
        strict,
      ),
    ),
    hooks: Type.Optional(
      Type.Object(
        {
          bootstrap: Type.Optional(Request),
          join: Type.Optional(Request),
          drain: Type.Optional(Request),
          leave: Type.Optional(Request),
        },
        strict,
      ),
    ),
    /**
     * When a member is taken out after a scale-down: `itself`, before it stops, or `afterwards`, by another, when it is
     * gone.
     */
    leaves: Type.Optional(Type.Union([Type.Literal('itself'), Type.Literal('afterwards')])),
    files: Type.Optional(Type.Array(File, { maxItems: limits.genericFilesMax })),
    /** By the name that facts have: other clusters of the tree. */
    uses: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]*$' }),
        Type.Object(
          { cluster: Type.String({ minLength: 1 }), leader: Type.Optional(Name) },
          strict,
        ),
      ),
    ),
  },
  strict,
)

export type GenericDocument = Type.Static<typeof GenericDocument>
export type GenericRequest = Type.Static<typeof Request>

const OWN_NAMES = ['self', 'member', 'members', 'leader', 'secret']

/** What stands in the setting `generic`. Throws AGENT_CONFIG_INVALID, which names the place. */
export function readGenericDocument(json: string): GenericDocument {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw invalid('it is no JSON')
  }
  if (!Value.Check(GenericDocument, value)) {
    const [first] = Value.Errors(GenericDocument, value)
    throw invalid(`${first?.instancePath || '/'}: ${first?.message ?? 'is not valid'}`)
  }
  const fault = faultOf(value)
  if (fault !== null) throw invalid(fault)
  return value
}

/** All requests of a document, by their place in it. */
function requestsOf(document: GenericDocument): readonly (readonly [string, GenericRequest])[] {
  const { health, role, hooks, files = [] } = document
  return [
    ...Object.entries(health).map(([name, request]) => [`health.${name}`, request] as const),
    ...(role === undefined ? [] : [['role.request', role.request] as const]),
    ...Object.entries(hooks ?? {}).map(([name, request]) => [`hooks.${name}`, request] as const),
    ...files.flatMap(({ name, reload }) =>
      reload === undefined ? [] : [[`files.${name}.reload`, reload] as const],
    ),
  ]
}

/** The port of clients; null: there is none. */
export function clientPortOf({ port, ports = {} }: GenericDocument): number | null {
  const [only, another] = Object.values(ports)
  if (port !== undefined) return ports[port] ?? null
  return another === undefined ? (only ?? null) : null
}

/** What the schema cannot say. */
function faultOf(document: GenericDocument): string | null {
  return (
    requestFault(document) ?? roleFault(document) ?? startFault(document) ?? nameFault(document)
  )
}

function requestFault(document: GenericDocument): string | null {
  const { ports = {}, uses = {} } = document
  const ownPort = clientPortOf(document) !== null
  for (const [place, { http, tcp, at, each }] of requestsOf(document)) {
    if ((http === undefined) === (tcp === undefined)) return `${place}: http or tcp, one of the two`
    if (tcp?.expect !== undefined && !isPattern(tcp.expect))
      return `${place}.tcp.expect: no pattern`
    const port = http?.port ?? tcp?.port
    if (typeof port === 'string' && ports[port] === undefined) return `${place}: no port ${port}`
    const whose = at ?? each
    if (port === undefined && whose === undefined && !ownPort) return `${place}: at which port?`
    if (at !== undefined && each !== undefined) return `${place}: at or each, one of the two`
    if (whose === undefined) continue
    if (!['leader', 'members'].includes(whose) && uses[whose] === undefined) {
      return `${place}: ${whose} is neither leader, members nor one of uses`
    }
    if (whose === 'leader' && document.role?.leader === undefined) {
      return `${place}: leader needs role.leader`
    }
  }
  return null
}

function roleFault({ role }: GenericDocument): string | null {
  const wrong = Object.entries(role?.roles ?? {}).find(([, pattern]) => !isPattern(pattern))
  if (wrong !== undefined) return `role.roles.${wrong[0]}: no pattern`
  if (role?.leader === undefined || role.roles[role.leader] !== undefined) return null
  return `role.leader: ${role.leader} is none of role.roles`
}

function startFault(document: GenericDocument): string | null {
  const { bootstrap = 'none', hooks = {}, start = {}, role, order, leaves } = document
  if ((bootstrap === 'hook') !== (hooks.bootstrap !== undefined)) {
    return 'hooks.bootstrap goes with bootstrap: hook'
  }
  if (start.found !== undefined && bootstrap !== 'start')
    return 'start.found needs bootstrap: start'
  if (start.follow !== undefined && role?.leader === undefined)
    return 'start.follow needs role.leader'
  if (order === 'oneAtATime' && bootstrap !== 'start')
    return 'order: oneAtATime needs bootstrap: start'
  return leaves !== undefined && hooks.leave === undefined ? 'leaves needs hooks.leave' : null
}

function nameFault({ port, ports = {}, files = [], uses = {} }: GenericDocument): string | null {
  if (port !== undefined && ports[port] === undefined) return `port: ${port} is none of ports`
  const used = Object.keys(uses).find((name) => OWN_NAMES.includes(name))
  if (used !== undefined) return `uses.${used}: facts have that name already`
  const names = files.map(({ name }) => name)
  if (new Set(names).size < names.length) return 'files: two have one name'
  const crooked = files.find(({ path }) => path !== undefined && normalize(path) !== path)
  return crooked === undefined ? null : `files.${crooked.name}.path: no plain absolute path`
}

/** True when the path is below one of the directories. */
export function isBelow(path: string, directories: readonly string[]): boolean {
  return isAbsolute(path) && directories.some((directory) => path.startsWith(`${directory}/`))
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source)
    return true
  } catch {
    return false
  }
}

function invalid(message: string): AgentError {
  return new AgentError('AGENT_CONFIG_INVALID', `generic: ${message}`)
}
