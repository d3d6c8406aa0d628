import { Fields, frame } from '../conformance/raw-bytes.ts'
import { connectRequest, op } from '../conformance/raw-client.ts'
import type { Random } from '../simulation/random.ts'
import { drawGentle, drawRough } from './valid-requests.ts'

/** Bytes made beforehand, of so many frames, as the server would count them if it read them all. */
export interface Burst {
  readonly bytes: Buffer
  readonly frames: number
}

/** Frames that are read one by one, and those in which the stream of frames breaks off. */
export interface Material {
  readonly gentle: readonly Burst[]
  readonly rough: readonly Burst[]
}

/** Each place has few watchers, so that one write is not told to every connection of the flood. */
export const PLACES = Array.from({ length: 64 }, (_, index) => `/flood/p${index}`)
/** Znodes that only watchers look at. */
const WATCHED_PLACE = '/flood/p0'
/** Larger than what a client is owed: a client that does not read is soon cut off. */
export const LARGE_PATH = '/flood/large'
export const LARGE_BYTES = 500_000

const GENTLE_PER_PLACE = 24
const ROUGH_PER_PLACE = 8
const FRAMES_PER_BURST = 16

/** What connections that speak at one place send. */
export function materialOf(place: string, random: Random): Material {
  const burst = (make: () => Buffer): Burst => ({
    bytes: Buffer.concat(Array.from({ length: FRAMES_PER_BURST }, make)),
    frames: FRAMES_PER_BURST,
  })
  return {
    gentle: Array.from({ length: GENTLE_PER_PLACE }, () => burst(() => gentle(place, random))),
    rough: Array.from({ length: ROUGH_PER_PLACE }, () => burst(() => rough(place, random))),
  }
}

/** A frame after which the server reads the next one: valid, or with a body that is not. */
function gentle(place: string, random: Random): Buffer {
  const { xid, type, body } = drawGentle(place, random)
  const chance = random.unit()
  if (chance < 0.5) return request(xid, type, body)
  if (chance < 0.7) return request(xid, type, flipped(body, random))
  if (chance < 0.9) return request(xid, type, body.subarray(0, random.integer(0, body.length)))
  return request(xid, type, Buffer.concat([body, randomBytes(random, 40)]))
}

/** A frame that may end the connection, or after which nothing is where it should be. */
function rough(place: string, random: Random): Buffer {
  const { xid, type, body } = drawRough(place, random)
  const whole = request(xid, type, body)
  const chance = random.unit()
  if (chance < 0.55) return whole
  if (chance < 0.65) return flipped(whole, random)
  if (chance < 0.72) return whole.subarray(0, random.integer(1, whole.length))
  if (chance < 0.8) return withLength(whole, whole.length - 4 + random.integer(1, 30))
  if (chance < 0.85) return withLength(whole, -random.integer(1, 2 ** 31))
  if (chance < 0.9) return withLength(whole, random.integer(1_048_576, 2 ** 31 - 1))
  if (chance < 0.95) return frame(randomBytes(random, 200))
  return Buffer.from(random.pick(WORDS))
}

/** Named as it is sent: what lists much, and what is no word. */
const WORDS = [
  'ruok',
  'srvr',
  'stat',
  'mntr',
  'conf',
  'isro',
  'cons',
  'wchs',
  'zzzz',
  'GET ',
] as const

/** What connections begin with that come to no session, and some that ask for a strange one. */
export function greetingsOf(random: Random, count: number): readonly Buffer[] {
  return Array.from({ length: count }, () => greeting(random))
}

function greeting(random: Random): Buffer {
  const hello = connectRequest({ timeoutMs: random.pick([1, 0, -5, 2 ** 31 - 1]) })
  const chance = random.unit()
  if (chance < 0.2) return hello.subarray(0, random.integer(1, hello.length - 1))
  if (chance < 0.35) return flipped(hello, random)
  if (chance < 0.45) return withLength(hello, random.pick([-1, 0, 3, 2 ** 31 - 1, 1_048_576]))
  if (chance < 0.6) return Buffer.from(random.pick(WORDS))
  if (chance < 0.75) return randomBytes(random, 100)
  if (chance < 0.9) {
    // A session that there is perhaps, with a password that is not its own.
    const sessionId = BigInt(random.integer(1, 100_000))
    return connectRequest({ sessionId, password: randomBytes(random, 16) })
  }
  return connectRequest({ lastZxidSeen: 0x7fff_0000_0000_0000n })
}

/** Watches on many paths, most of which are not there. */
export function watcherBursts(count: number, watches: number): readonly Burst[] {
  return Array.from({ length: count }, (_, burst) => ({
    bytes: Buffer.concat(
      Array.from({ length: watches }, (_, index) => {
        const path = `${WATCHED_PLACE}/watched-${burst}-${index}`
        return request(index, op.exists, new Fields().text(path).bool(true).bytes())
      }),
    ),
    frames: watches,
  }))
}

/** Asks for a large znode again and again. */
export function largeReads(count: number): Burst {
  const body = new Fields().text(LARGE_PATH).bool(false).bytes()
  return {
    bytes: Buffer.concat(Array.from({ length: count }, (_, xid) => request(xid, op.getData, body))),
    frames: count,
  }
}

/** Asks for a session that the server will soon have forgotten, and for one that lasts. */
export const HELLO = connectRequest({ timeoutMs: 1 })
export const LASTING_HELLO = connectRequest({ timeoutMs: 3_600_000 })
export const CLOSE = request(1, op.close, Buffer.alloc(0))

function request(xid: number, type: number, body: Buffer): Buffer {
  return frame(new Fields().int(xid).int(type).raw(body).bytes())
}

function flipped(bytes: Buffer, random: Random): Buffer {
  const result = Buffer.from(bytes)
  if (result.length === 0) return result
  for (let left = random.integer(1, 4); left > 0; left -= 1) {
    result[random.integer(0, result.length - 1)] = random.integer(0, 255)
  }
  return result
}

function withLength(bytes: Buffer, length: number): Buffer {
  const result = Buffer.from(bytes)
  result.writeInt32BE(length, 0)
  return result
}

function randomBytes(random: Random, countMax: number): Buffer {
  return Buffer.from(
    Array.from({ length: random.integer(0, countMax) }, () => random.integer(0, 255)),
  )
}
