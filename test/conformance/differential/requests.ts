import type { Random } from '../../simulation/random.ts'
import { createBody, dataBody, flag, pathBody, versionBody } from '../operations.ts'
import { type Acl, Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import type { BodyOf, Request, StepContext } from './steps.ts'
import {
  aclText,
  anyAcl,
  anyData,
  anyPath,
  anyVersion,
  keptPath,
  type Path,
  readPath,
  refusedPath,
  restrictedAcl,
  sequential,
  watchedPath,
} from './values.ts'

/** The body of a request and what a report prints of it. */
interface Drawn {
  readonly body: BodyOf
  readonly text: string
}

interface Kind {
  readonly name: string
  readonly type: number
  readonly weight: number
  draw(random: Random): Drawn
}

const CHECK_WATCHES = 17

/**
 * Left out, and why:
 * - reconfig, /zookeeper/config and znodes under /zookeeper/quota: not covered yet.
 * - sasl: not offered yet.
 * - createContainer with a flag of another kind: see container-flags in docs/compatibility.md.
 * - createTTL with a flag that is no TTL and a negative ttl: Apache ZooKeeper 3.9.5 logs it, ends at it,
 *   and ends again whenever it is started on that log.
 */
const KINDS: readonly Kind[] = [
  { name: 'create', type: op.create, weight: 14, draw: drawCreate },
  { name: 'create2', type: op.create2, weight: 5, draw: drawCreate },
  { name: 'createContainer', type: op.createContainer, weight: 3, draw: drawContainer },
  { name: 'createTTL', type: op.createTtl, weight: 3, draw: drawTtl },
  { name: 'delete', type: op.delete, weight: 9, draw: drawVersioned },
  { name: 'setData', type: op.setData, weight: 8, draw: drawSetData },
  { name: 'setACL', type: op.setAcl, weight: 3, draw: drawSetAcl },
  { name: 'exists', type: op.exists, weight: 8, draw: drawRead },
  { name: 'getData', type: op.getData, weight: 8, draw: drawRead },
  { name: 'getChildren', type: op.getChildren, weight: 6, draw: drawRead },
  { name: 'getChildren2', type: op.getChildren2, weight: 6, draw: drawRead },
  { name: 'getACL', type: op.getAcl, weight: 3, draw: (random) => drawPath(random, readPath) },
  { name: 'sync', type: op.sync, weight: 2, draw: (random) => drawPath(random, readPath) },
  { name: 'multi', type: op.multi, weight: 8, draw: drawMulti },
  { name: 'multiRead', type: op.multiRead, weight: 4, draw: drawMultiRead },
  { name: 'addWatch', type: op.addWatch, weight: 5, draw: drawAddWatch },
  { name: 'removeWatches', type: op.removeWatches, weight: 3, draw: drawWatchSelection },
  { name: 'checkWatches', type: CHECK_WATCHES, weight: 3, draw: drawWatchSelection },
  {
    name: 'setWatches',
    type: op.setWatches,
    weight: 2,
    draw: (random) => drawSetWatches(random, 3),
  },
  {
    name: 'setWatches2',
    type: op.setWatches2,
    weight: 2,
    draw: (random) => drawSetWatches(random, 5),
  },
  { name: 'getEphemerals', type: op.getEphemerals, weight: 2, draw: drawPrefix },
  { name: 'getAllChildrenNumber', type: op.getAllChildrenNumber, weight: 2, draw: drawPrefix },
  { name: 'whoAmI', type: op.whoAmI, weight: 1, draw: drawNothing },
]

/** Requests that may end the connection by themselves. */
const DOUBTFUL: readonly Kind[] = [
  { name: 'auth', type: op.auth, weight: 10, draw: drawAuth },
  { name: 'closeSession', type: op.close, weight: 4, draw: drawNothing },
  { name: 'check', type: op.check, weight: 1, draw: drawVersioned },
  { name: 'unknown', type: 77, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 0, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 10, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 23, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 99, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 108, weight: 1, draw: drawNothing },
  { name: 'unknown', type: -2, weight: 1, draw: drawNothing },
  { name: 'unknown', type: 2 ** 31 - 1, weight: 1, draw: drawNothing },
  { name: 'unknown', type: -(2 ** 31), weight: 1, draw: drawNothing },
]

/** A request that is answered and leaves the connection open, whatever its values. */
export function drawRequest(random: Random): Request {
  return requestOf(pickWeighted(random, KINDS), random)
}

/** A request after which the connection may be gone: auth, close, unknown, or a body in pieces. */
export function drawDoubtful(random: Random): Request {
  const chance = random.unit()
  if (chance < 0.45) return requestOf(pickWeighted(random, DOUBTFUL), random)
  const request = requestOf(pickWeighted(random, KINDS), random)
  if (chance < 0.75) return { ...request, cutTo: random.integer(0, 40) }
  return random.chance(0.5) ? withMore(request) : nonsense(request, random)
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

// --- Bodies --------------------------------------------------------------------------------------

function drawNothing(): Drawn {
  return { body: () => new Fields(), text: '' }
}

function drawPath(random: Random, draw: (random: Random) => Path): Drawn {
  const path = draw(random)
  return { body: (context) => pathBody(path.at(context)), text: path.text }
}

function drawPrefix(random: Random): Drawn {
  // What is elsewhere is left over from other runs, and goes when its session's time is up.
  const path = anyPath(random)
  const own = (context: StepContext) => path.at(context) || context.place
  return { body: (context) => pathBody(own(context)), text: path.text }
}

function drawRead(random: Random): Drawn {
  const watch = random.chance(0.4)
  const path = watch ? watchedPath(random) : readPath(random)
  return {
    body: (context) => pathBody(path.at(context), watch),
    text: `${path.text}${watch ? ' watch' : ''}`,
  }
}

function drawFlags(random: Random): number {
  const { ephemeral, sequential: numbered, ephemeralSequential } = flag
  if (random.chance(0.04)) return random.pick([4, 5, 6, 7, 8, -1, 2 ** 31 - 1])
  return random.pick([0, 0, 0, 0, ephemeral, ephemeral, numbered, ephemeralSequential])
}

function drawCreate(random: Random, draw = anyAcl): Drawn {
  const path = refusedPath(random)
  const flags = drawFlags(random)
  const data = anyData(random)
  const acl = draw(random)
  return {
    body: (context) => createBody(path.at(context), data, { flags, acl }),
    text: `${path.text} flags=${flags} data=${data?.length} acl=${aclText(acl)}`,
  }
}

function drawContainer(random: Random, draw = anyAcl): Drawn {
  const path = refusedPath(random)
  const flags = random.chance(0.9) ? flag.container : random.pick([0, 5, 9])
  const acl = draw(random)
  return {
    body: (context) => createBody(path.at(context), '', { flags, acl }),
    text: `${path.text} flags=${flags} acl=${aclText(acl)}`,
  }
}

/** Never shorter than the longest run, so that nothing is deleted while servers are compared. */
function drawTtl(random: Random, draw = anyAcl): Drawn {
  const path = refusedPath(random)
  const flags = random.pick([5, 5, 6])
  const ttl = random.chance(0.8)
    ? 1_000_000_000n
    : random.pick([0n, -1n, -5n, 2n ** 40n - 1n, 2n ** 40n, 2n ** 62n])
  const acl = draw(random)
  return {
    body: (context) => createBody(path.at(context), 'ttl', { flags, acl }).long(ttl),
    text: `${path.text} flags=${flags} ttl=${ttl} acl=${aclText(acl)}`,
  }
}

function drawVersioned(random: Random): Drawn {
  const path = random.chance(0.1) ? sequential(random) : refusedPath(random)
  const version = anyVersion(random)
  return {
    body: (context) => versionBody(path.at(context), version),
    text: `${path.text} version=${version}`,
  }
}

function drawSetData(random: Random): Drawn {
  const path = anyPath(random)
  const data = anyData(random)
  const version = anyVersion(random)
  return {
    body: (context) => dataBody(path.at(context), data, version),
    text: `${path.text} data=${data?.length} version=${version}`,
  }
}

function drawSetAcl(random: Random): Drawn {
  const path = anyPath(random)
  const acl = restrictedAcl(random)
  const version = anyVersion(random)
  return {
    body: (context) => new Fields().text(path.at(context)).acl(acl).int(version),
    text: `${path.text} acl=${aclText(acl)} version=${version}`,
  }
}

function drawAuth(random: Random): Drawn {
  const scheme = random.pick(['digest', 'digest', 'digest', 'digest', 'ip', 'world', 'nope', null])
  const proof = random.pick(['u:p', 'u:p', 'v:q', 'nocolon', '', null, ':', 'a:b:c'])
  return {
    body: () => new Fields().int(0).text(scheme).text(proof),
    text: `${scheme} ${proof}`,
  }
}

function drawAddWatch(random: Random): Drawn {
  const path = keptPath(random)
  const mode = random.pick([0, 0, 0, 1, 1, 1, 1, 2, -1])
  return {
    body: (context) => new Fields().text(path.at(context)).int(mode),
    text: `${path.text} mode=${mode}`,
  }
}

function drawWatchSelection(random: Random): Drawn {
  const path = keptPath(random)
  const type = random.pick([1, 1, 2, 2, 3, 3, 3, 4, 5, 0, 6, -1])
  return {
    body: (context) => new Fields().text(path.at(context)).int(type),
    text: `${path.text} type=${type}`,
  }
}

function drawSetWatches(random: Random, lists: number): Drawn {
  const seen = random.chance(0.2) ? null : random.integer(0, 12)
  const paths = Array.from({ length: lists }, () =>
    Array.from({ length: random.integer(0, 3) }, () => keptPath(random)),
  )
  return {
    body: (context) => {
      const fields = new Fields().long(seen === null ? 0n : context.zxid(seen))
      for (const list of paths) {
        fields.int(list.length)
        for (const path of list) fields.text(path.at(context))
      }
      return fields
    },
    text: `seen=${seen} ${JSON.stringify(paths.map((list) => list.map(({ text }) => text)))}`,
  }
}

const MULTI_WRITES: readonly (readonly [number, (random: Random) => Drawn])[] = [
  [op.create, (random) => drawCreate(random, itemAcl)],
  [op.create, (random) => drawCreate(random, itemAcl)],
  [op.create2, (random) => drawCreate(random, itemAcl)],
  [op.createContainer, (random) => drawContainer(random, itemAcl)],
  [op.createTtl, (random) => drawTtl(random, itemAcl)],
  [op.delete, drawVersioned],
  [op.delete, drawVersioned],
  [op.setData, drawSetData],
  [op.setData, drawSetData],
  [op.check, drawVersioned],
]

const MULTI_READS: readonly (readonly [number, (random: Random) => Drawn])[] = [
  [op.getData, drawRead],
  [op.getChildren, drawRead],
]

function drawMulti(random: Random): Drawn {
  return drawItems(random, random.chance(0.03) ? MULTI_READS : MULTI_WRITES)
}

function drawMultiRead(random: Random): Drawn {
  return drawItems(random, random.chance(0.06) ? MULTI_WRITES : MULTI_READS)
}

/** Never a null ACL: see null-acl in docs/compatibility.md. */
function itemAcl(random: Random): readonly Acl[] | null {
  return anyAcl(random) ?? []
}

function drawItems(
  random: Random,
  kinds: readonly (readonly [number, (random: Random) => Drawn])[],
): Drawn {
  const items = Array.from({ length: random.pick([0, 1, 1, 2, 2, 3, 4]) }, () => {
    const [type, draw] = random.pick(kinds)
    return { type: random.chance(0.01) ? 77 : type, ...draw(random) }
  })
  return {
    body: (context) => {
      const fields = new Fields()
      for (const { type, body } of items) {
        fields.int(type).bool(false).int(-1).raw(body(context).bytes())
      }
      return fields.int(-1).bool(true).int(-1)
    },
    text: `[${items.map(({ type, text }) => `${type} ${text}`).join('; ')}]`,
  }
}
