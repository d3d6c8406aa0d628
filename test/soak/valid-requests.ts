import { createBody, dataBody, flag, pathBody, versionBody } from '../conformance/operations.ts'
import { type Acl, Fields } from '../conformance/raw-bytes.ts'
import { op } from '../conformance/raw-client.ts'
import type { Random } from '../simulation/random.ts'

export interface ValidRequest {
  readonly xid: number
  readonly type: number
  readonly body: Buffer
}

type Draw = (path: string, random: Random) => Fields

const CHECK_WATCHES = 17
const SASL = 102

const ACLS: readonly (readonly Acl[] | null)[] = [
  [{ perms: 31, scheme: 'world', id: 'anyone' }],
  [{ perms: 1, scheme: 'world', id: 'anyone' }],
  [{ perms: 31, scheme: 'auth', id: '' }],
  [{ perms: 31, scheme: 'digest', id: 'no digest' }],
  [{ perms: 31, scheme: 'nope', id: null }],
  [],
  null,
]
const FLAGS = [
  flag.persistent,
  flag.persistent,
  flag.ephemeral,
  flag.ephemeralSequential,
  flag.sequential,
  77,
  -1,
]

const anyAcl = (random: Random) => (random.chance(0.85) ? ACLS[0] : random.pick(ACLS)) ?? null
const anyData = (random: Random) => Buffer.alloc(random.pick([0, 1, 10, 10, 100, 100, 3_000]))
const anyVersion = (random: Random) => random.pick([-1, -1, -1, 0, 1, -2, 2 ** 31 - 1])

const create: Draw = (path, random) =>
  createBody(path, anyData(random), { flags: random.pick(FLAGS), acl: anyAcl(random) })
const container: Draw = (path) => createBody(path, '', { flags: flag.container })
const ttl: Draw = (path, random) =>
  createBody(path, '', { flags: flag.ttl }).long(random.pick([1n, 1_000n, 0n, -1n, 2n ** 62n]))
const versioned: Draw = (path, random) => versionBody(path, anyVersion(random))
const setData: Draw = (path, random) => dataBody(path, anyData(random), anyVersion(random))
const setAcl: Draw = (path, random) =>
  new Fields().text(path).acl(anyAcl(random)).int(anyVersion(random))
const read: Draw = (path, random) => pathBody(path, random.chance(0.3))
const pathAlone: Draw = (path) => pathBody(path)
const numbered: Draw = (path, random) => new Fields().text(path).int(random.integer(-1, 6))
const nothing: Draw = () => new Fields()

/** Every opcode that a client may send, as often as its weight; the last ones end connections. */
const GENTLE: readonly (readonly [type: number, weight: number, draw: Draw])[] = [
  [op.create, 14, create],
  [op.create2, 5, create],
  [op.createContainer, 2, container],
  [op.createTtl, 2, ttl],
  [op.delete, 9, versioned],
  [op.setData, 8, setData],
  [op.setAcl, 3, setAcl],
  [op.exists, 8, read],
  [op.getData, 8, read],
  [op.getChildren, 6, read],
  [op.getChildren2, 6, read],
  [op.getAcl, 3, pathAlone],
  [op.sync, 2, pathAlone],
  [op.multi, 6, (path, random) => items(path, random, WRITES)],
  [op.multiRead, 4, (path, random) => items(path, random, READS)],
  [op.addWatch, 4, numbered],
  [op.removeWatches, 3, numbered],
  [CHECK_WATCHES, 3, numbered],
  [op.setWatches, 2, (path, random) => watches(path, random, 3)],
  [op.setWatches2, 2, (path, random) => watches(path, random, 5)],
  [op.getEphemerals, 2, pathAlone],
  [op.getAllChildrenNumber, 2, pathAlone],
  [op.whoAmI, 1, nothing],
  [op.reconfig, 1, () => new Fields().text('server.9=h:1:2;3').text('1').text(null).long(-1n)],
  [op.ping, 5, nothing],
]
const ROUGH: readonly (readonly [type: number, weight: number, draw: Draw])[] = [
  [op.auth, 6, (_, random) => new Fields().int(0).text(random.pick(SCHEMES)).text('u:p')],
  [SASL, 3, (_, random) => new Fields().text(anyData(random))],
  [op.close, 3, nothing],
  [op.check, 2, versioned],
  [0, 1, nothing],
  [10, 1, nothing],
  [99, 1, nothing],
  [-2, 1, nothing],
  [2 ** 31 - 1, 1, nothing],
  [-(2 ** 31), 1, nothing],
]
const SCHEMES = ['digest', 'digest', 'ip', 'world', 'x509', 'super', 'nope', null]
const WRITES: readonly (readonly [type: number, draw: Draw])[] = [
  [op.create, create],
  [op.create2, create],
  [op.createTtl, ttl],
  [op.delete, versioned],
  [op.setData, setData],
  [op.check, versioned],
]
const READS: readonly (readonly [type: number, draw: Draw])[] = [
  [op.getData, read],
  [op.getChildren, read],
]

/** Whose answer leaves the connection open, whatever is wrong with its body. */
export function drawGentle(place: string, random: Random): ValidRequest {
  return drawOf(GENTLE, place, random)
}

export function drawRough(place: string, random: Random): ValidRequest {
  return drawOf(random.chance(0.5) ? ROUGH : GENTLE, place, random)
}

function drawOf(kinds: typeof GENTLE, place: string, random: Random): ValidRequest {
  let left = random.unit() * kinds.reduce((sum, [, weight]) => sum + weight, 0)
  const kind = kinds.find(([, weight]) => {
    left -= weight
    return left < 0
  })
  const [type, , draw] = kind ?? random.pick(kinds)
  const xid = type === op.ping ? -2 : type === op.auth ? -4 : random.pick([1, 1, 2, 0, -8, -77])
  return { xid, type, body: draw(pathOf(place, random), random).bytes() }
}

const NAMES = ['a', 'b', 'c']
const ODD = ['//', '/a/', '/.', '/a/..', '/a\u0001', '/\ud7ff', '/\u{1f600}', `/${'x'.repeat(500)}`]

/** Few names, so that requests meet each other. */
function pathOf(place: string, random: Random): string {
  if (random.chance(0.04)) return random.pick(['', 'a', '/', '/zookeeper', '/no-such-place/a'])
  if (random.chance(0.04)) return `${place}${random.pick(ODD)}`
  let path = place
  for (let depth = random.pick([1, 1, 1, 2, 3]); depth > 0; depth -= 1) {
    path += `/${random.pick(NAMES)}`
  }
  return path
}

function items(path: string, random: Random, kinds: typeof WRITES): Fields {
  const fields = new Fields()
  for (let count = random.integer(0, 4); count > 0; count -= 1) {
    const [type, draw] = random.pick(kinds)
    fields.int(type).bool(false).int(-1).raw(draw(path, random).bytes())
  }
  return fields.int(-1).bool(true).int(-1)
}

function watches(path: string, random: Random, lists: number): Fields {
  const fields = new Fields().long(BigInt(random.integer(0, 10_000)))
  for (let list = 0; list < lists; list += 1) fields.texts([path, `${path}/a`])
  return fields
}
