import type { Random } from '../../simulation/random.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import * as bodies from './bodies.ts'
import { drawMulti, drawMultiRead, drawQuotaMulti } from './multis.ts'
import type { Repertoire } from './stage.ts'
import type { Request } from './steps.ts'

interface Kind {
  readonly name: string
  readonly type: number
  readonly weight: number
  draw(random: Random): bodies.Drawn
}

const { drawCreate, drawRead, drawPath, drawPrefix, drawVersioned } = bodies

/**
 * Left out, and why:
 * - createContainer with a flag of another kind: see container-flags in docs/compatibility.md.
 * - createSession, deleteContainer: see server-opcodes in docs/compatibility.md.
 * - createTTL with a flag that is no TTL and a negative ttl: see ttl-flags in docs/compatibility.md.
 * - ping: see pings in docs/compatibility.md.
 */
const KINDS: readonly Kind[] = [
  { name: 'create', type: op.create, weight: 14, draw: drawCreate },
  { name: 'create2', type: op.create2, weight: 5, draw: drawCreate },
  { name: 'createContainer', type: op.createContainer, weight: 3, draw: bodies.drawContainer },
  { name: 'createTTL', type: op.createTtl, weight: 3, draw: bodies.drawTtl },
  { name: 'delete', type: op.delete, weight: 9, draw: drawVersioned },
  { name: 'setData', type: op.setData, weight: 8, draw: bodies.drawSetData },
  { name: 'setACL', type: op.setAcl, weight: 3, draw: bodies.drawSetAcl },
  { name: 'exists', type: op.exists, weight: 8, draw: drawRead },
  { name: 'getData', type: op.getData, weight: 8, draw: drawRead },
  { name: 'getChildren', type: op.getChildren, weight: 6, draw: drawRead },
  { name: 'getChildren2', type: op.getChildren2, weight: 6, draw: drawRead },
  { name: 'getACL', type: op.getAcl, weight: 3, draw: drawPath },
  { name: 'sync', type: op.sync, weight: 2, draw: drawPath },
  { name: 'multi', type: op.multi, weight: 8, draw: drawMulti },
  { name: 'multiRead', type: op.multiRead, weight: 4, draw: drawMultiRead },
  { name: 'addWatch', type: op.addWatch, weight: 5, draw: bodies.drawAddWatch },
  { name: 'removeWatches', type: op.removeWatches, weight: 3, draw: bodies.drawWatchSelection },
  { name: 'checkWatches', type: op.checkWatches, weight: 3, draw: bodies.drawWatchSelection },
  { name: 'setWatches', type: op.setWatches, weight: 2, draw: drawSetWatches },
  { name: 'setWatches2', type: op.setWatches2, weight: 2, draw: drawSetWatches2 },
  { name: 'getEphemerals', type: op.getEphemerals, weight: 2, draw: drawPrefix },
  { name: 'getAllChildrenNumber', type: op.getAllChildrenNumber, weight: 2, draw: drawPrefix },
  { name: 'whoAmI', type: op.whoAmI, weight: 1, draw: bodies.drawNothing },
]

const QUOTAS: readonly Kind[] = [
  { name: 'quota: multi', type: op.multi, weight: 2, draw: drawQuotaMulti },
  { name: 'quota: create', type: op.create, weight: 3, draw: bodies.drawQuotaCreate },
  { name: 'quota: setData', type: op.setData, weight: 1, draw: bodies.drawQuotaData },
  { name: 'quota: delete', type: op.delete, weight: 1, draw: bodies.drawQuotaDelete },
  { name: 'quota: getData', type: op.getData, weight: 2, draw: bodies.drawQuotaRead },
  { name: 'quota: getChildren2', type: op.getChildren2, weight: 1, draw: bodies.drawQuotaRead },
]

/** Of servers that may be reconfigured. */
const RECONFIGURING: readonly Kind[] = [
  ...KINDS,
  { name: 'reconfig', type: op.reconfig, weight: 10, draw: bodies.drawReconfig },
  { name: 'config: getData', type: op.getData, weight: 4, draw: bodies.drawConfigRead },
]

/** Where what is removed is looked for: nothing by which two of them could go at once. */
const REAPED: readonly Kind[] = [
  ...KINDS.filter(({ type }) => type !== op.multi && type !== op.createTtl),
  { name: 'createContainer', type: op.createContainer, weight: 9, draw: bodies.drawContainer },
  { name: 'createTTL', type: op.createTtl, weight: 6, draw: bodies.drawShortTtl },
]

/** Requests that may end the connection by themselves. */
const DOUBTFUL: readonly Kind[] = [
  { name: 'auth', type: op.auth, weight: 10, draw: bodies.drawAuth },
  { name: 'auth', type: op.auth, weight: 3, draw: () => bodies.authOf('digest', 'super:secret') },
  { name: 'sasl', type: op.sasl, weight: 5, draw: bodies.drawSasl },
  { name: 'closeSession', type: op.close, weight: 4, draw: bodies.drawNothing },
  { name: 'check', type: op.check, weight: 1, draw: drawVersioned },
  ...[77, 0, 10, 23, 99, 108, -1, -2, 2 ** 31 - 1, -(2 ** 31)].map((type) => ({
    name: 'unknown',
    type,
    weight: 1,
    draw: bodies.drawNothing,
  })),
]

const WRITES: readonly number[] = [
  ...[op.create, op.create2, op.createContainer, op.createTtl, op.delete],
  ...[op.setData, op.setAcl, op.multi, op.reconfig, op.check, op.close],
]

/** What leaves something to remove, at a time of the server's own. */
export const MAKE_DUE: readonly number[] = [op.delete, op.createTtl]

/** After a setACL see pipelined-acl in docs/compatibility.md; a second reconfig could find the first. */
const LAST: readonly number[] = [op.setAcl, op.reconfig]

function kindsOf({ reconfigures, reaps, quotas }: Repertoire): readonly Kind[] {
  const kinds = reconfigures ? RECONFIGURING : reaps ? REAPED : KINDS
  return quotas ? [...kinds, ...QUOTAS] : kinds
}

/** Requests that are answered and leave the connection open, whatever their values, in one write. */
export function drawRequests(
  random: Random,
  repertoire: Repertoire,
  length: number,
): readonly Request[] {
  const requests: Request[] = []
  const last = repertoire.quotas ? WRITES : LAST
  while (requests.length < length) {
    const request = requestOf(pickWeighted(random, kindsOf(repertoire)), random)
    requests.push(request)
    if (last.includes(request.type)) break
  }
  return requests
}

/** The superuser's proof, without which hardly a reconfiguration would come far. */
export function superAuth(): Request {
  const { body, text } = bodies.authOf('digest', 'super:secret')
  return { type: op.auth, xid: -4, body, cutTo: null, text: `auth ${text}` }
}

/** What a client begins with that comes back. */
export function drawRestore(random: Random): Request {
  const kinds = KINDS.filter(({ type }) => type === op.setWatches || type === op.setWatches2)
  return requestOf(random.pick(kinds), random)
}

/** A request after which the connection may be gone: auth, close, unknown, or a body in pieces. */
export function drawDoubtful(random: Random, repertoire: Repertoire): Request {
  const chance = random.unit()
  if (chance < 0.45) return requestOf(pickWeighted(random, DOUBTFUL), random)
  const kinds = chance < 0.6 ? [...DOUBTFUL, ...kindsOf(repertoire)] : kindsOf(repertoire)
  const { breaksWrites, reaps } = repertoire
  const broken = kinds.filter(
    ({ type }) => !(reaps ? MAKE_DUE : breaksWrites ? [] : WRITES).includes(type),
  )
  const request = requestOf(random.pick(broken), random)
  if (chance < 0.75) return { ...request, cutTo: random.integer(0, 40) }
  return random.chance(0.5) ? withMore(request) : nonsense(request, random)
}

function drawSetWatches(random: Random): bodies.Drawn {
  return bodies.drawSetWatches(random, 3)
}

function drawSetWatches2(random: Random): bodies.Drawn {
  return bodies.drawSetWatches(random, 5)
}

function requestOf(kind: Kind, random: Random): Request {
  const { body, text } = kind.draw(random)
  const restores = kind.type === op.setWatches || kind.type === op.setWatches2
  const xid = restores ? -8 : kind.type === op.auth ? -4 : oddXid(random)
  const name = kind.name === 'unknown' ? `opcode ${kind.type}` : kind.name
  return { type: kind.type, xid, body, cutTo: null, text: `${name} ${text}`.trim() }
}

/** -1 and -2 are the servers' own: what carries them tells nothing of the request. */
function oddXid(random: Random): number | null {
  return random.chance(0.02) ? random.pick([0, 7, -3, -77, 2 ** 31 - 1, -(2 ** 31)]) : null
}

function pickWeighted(random: Random, kinds: readonly Kind[]): Kind {
  let left = random.unit() * kinds.reduce((sum, { weight }) => sum + weight, 0)
  for (const kind of kinds) {
    left -= kind.weight
    if (left < 0) return kind
  }
  return random.pick(kinds)
}

function withMore(request: Request): Request {
  return {
    ...request,
    body: (context) => request.body(context).text('and more'),
    text: `${request.text} and more`,
  }
}

const NONSENSE: readonly (readonly [string, Fields])[] = [
  ['a length of -2', new Fields().int(-2)],
  ['a length of -2^31', new Fields().int(-(2 ** 31))],
  ['a length of 2^31-1', new Fields().int(2 ** 31 - 1)],
  ['a length over the body', new Fields().int(5_000).raw(Buffer.alloc(10))],
  ['zeros', new Fields().raw(Buffer.alloc(64))],
  [
    'bytes of no text',
    new Fields().text(Buffer.from([0x2f, 0xff, 0xfe, 0xc0])).raw(Buffer.alloc(64)),
  ],
]

/**
 * Another body for an opcode. Not for those that create: zeros at a createTTL is what ends Apache
 * ZooKeeper.
 */
function nonsense(request: Request, random: Random): Request {
  if (request.type === op.createTtl) return withMore(request)
  // Zeros are an empty path: see empty-path in docs/compatibility.md.
  if (request.type === op.getAllChildrenNumber) return withMore(request)
  const [what, fields] = random.pick(NONSENSE)
  const name = request.text.split(' ')[0] ?? ''
  return { ...request, body: () => fields, text: `${name} with ${what}` }
}
