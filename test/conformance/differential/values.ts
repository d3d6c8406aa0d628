import { createHash } from 'node:crypto'
import type { Random } from '../../simulation/random.ts'
import type { Acl } from '../raw-bytes.ts'
import type { StepContext } from './steps.ts'

/** A path under the place of a run, or one that stands for itself. */
export interface Path {
  at(context: StepContext): string | null
  readonly text: string
}

const under = (rest: string): Path => ({
  at: ({ place }) => `${place}${rest}`,
  text: `…${JSON.stringify(rest).slice(1, -1)}`,
})
const absolute = (path: string | null): Path => ({ at: () => path, text: JSON.stringify(path) })

const NAMES = ['a', 'b', 'c'] as const

/** Few names, so that the steps of a run meet each other. */
function plain(random: Random): string {
  let path = ''
  const depth = random.pick([1, 1, 1, 2, 2, 3])
  for (let i = 0; i < depth; i += 1) path += `/${random.pick(NAMES)}`
  return path
}

const ODD = [
  '/',
  '//',
  '//a',
  '/a/',
  '/a//b',
  '/.',
  '/./a',
  '/..',
  '/a/..',
  '/...',
  '/a/.b',
  '/\u0000',
  '/a\u0001',
  '/a\u007f',
  '/a\ud7ff',
  '/a\ue000',
  '/a\ufff0',
  '/a\uffef',
  '/\u{1f600}',
  '/ä',
  '/ ',
] as const

const LOOSE = [null, '', 'a', 'a/b', '.', '/no-such-place/a', '/no-such-place'] as const

/** Read by all, written by none: what each server has of its own under here is its own affair. */
const SYSTEM = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/quota'] as const

/** Paths of requests that may be refused but must not change the system's own znodes. */
export function anyPath(random: Random): Path {
  const chance = random.unit()
  if (chance < 0.86) return under(plain(random))
  if (chance < 0.9) return under('')
  if (chance < 0.93) return sequential(random)
  if (chance < 0.97) return under(`${random.chance(0.5) ? '' : plain(random)}${random.pick(ODD)}`)
  return absolute(random.pick(LOOSE))
}

export function readPath(random: Random): Path {
  return random.chance(0.03) ? absolute(random.pick(['/', '/zookeeper'])) : anyPath(random)
}

/** For requests that are refused on the system's own znodes. */
export function refusedPath(random: Random): Path {
  return random.chance(0.02) ? absolute(random.pick(SYSTEM)) : anyPath(random)
}

/** A path whose watch tells of this run alone. */
export function watchedPath(random: Random): Path {
  return anyPath(random)
}

/** Never null: see null-watch-path in docs/compatibility.md. */
export function keptPath(random: Random): Path {
  const path = anyPath(random)
  return path.text === 'null' ? under('') : path
}

/** A name that a sequential create can have made, or the first part of one. */
export function sequential(random: Random): Path {
  const parent = random.chance(0.5) ? '' : plain(random)
  const name = random.pick(NAMES)
  return under(`${parent}/${name}${String(random.integer(0, 12)).padStart(10, '0')}`)
}

/** Who proves `u:p` by the digest scheme. */
const HASHED = `u:${createHash('sha1').update('u:p').digest('base64')}`

const entry = (perms: number, scheme: string, id: string | null): Acl => ({ perms, scheme, id })
const ANYONE = entry(31, 'world', 'anyone')

const RESTRICTED: readonly (readonly Acl[] | null)[] = [
  [entry(1, 'world', 'anyone')],
  [entry(30, 'world', 'anyone')],
  [entry(15, 'world', 'anyone')],
  [entry(23, 'world', 'anyone')],
  [entry(0, 'world', 'anyone')],
  [entry(31, 'auth', '')],
  [entry(31, 'auth', null)],
  [entry(31, 'auth', 'whoever')],
  [entry(31, 'digest', HASHED)],
  [entry(31, 'digest', HASHED), entry(1, 'world', 'anyone')],
  [entry(31, 'digest', 'no colon')],
  [entry(31, 'digest', 'a:b:c')],
  [entry(31, 'ip', '127.0.0.1')],
  [entry(31, 'ip', '127.0.0.0/8')],
  [entry(31, 'ip', '10.0.0.1')],
  [entry(31, 'ip', '300.0.0.1')],
  [entry(31, 'ip', '127.0.0.1/33')],
  [entry(31, 'ip', '127.0.0.1/-1')],
  [entry(31, 'ip', '')],
  [entry(31, 'world', 'nobody')],
  [entry(31, 'x509', 'CN=a')],
  [entry(31, 'sasl', 'a')],
  [entry(31, 'super', 'a')],
  [entry(31, 'nope', 'x')],
  [entry(31, '', '')],
  [entry(32, 'world', 'anyone')],
  [entry(-1, 'world', 'anyone')],
  [ANYONE, ANYONE],
  [ANYONE, entry(31, 'nope', 'x')],
  [],
  null,
]

export function anyAcl(random: Random): readonly Acl[] | null {
  return random.chance(0.85) ? [ANYONE] : random.pick(RESTRICTED)
}

export function restrictedAcl(random: Random): readonly Acl[] | null {
  return random.chance(0.6) ? [ANYONE] : random.pick(RESTRICTED)
}

export function aclText(acl: readonly Acl[] | null): string {
  if (acl === null) return 'null'
  return `[${acl.map(({ perms, scheme, id }) => `${perms}:${scheme}:${id}`).join(' ')}]`
}

export function anyData(random: Random): Buffer | null {
  const size = random.pick([null, 0, 1, 5, 40, 40, 1_000, 20_000])
  return size === null ? null : Buffer.alloc(size, random.integer(0, 255))
}

export function anyVersion(random: Random): number {
  if (random.chance(0.6)) return -1
  return random.pick([0, 0, 0, 1, 1, 2, 3, 7, -2, 2 ** 31 - 1, -(2 ** 31)])
}

const LIMITS = '/zookeeper_limits'
const STATS = '/zookeeper_stats'

/** Where a quota of the place of a run, or of a znode below it, is kept. */
export function quotaPath(random: Random): Path {
  const subtree = random.pick(['', '', '', '/a', '/b', '/a/b'])
  const rest = `${subtree}${random.pick(['', LIMITS, LIMITS, STATS, STATS])}`
  return { at: ({ place }) => `/zookeeper/quota${place}${rest}`, text: `quota of …${rest}` }
}

const LIMIT_TEXTS = [
  'count=5,bytes=-1',
  'count=-1,bytes=100',
  'count=-1,bytes=-1',
  'count=-1,bytes=-1=;countHardLimit=8',
  'count=-1,bytes=-1=;byteHardLimit=3000',
  'count=3,bytes=20=;byteHardLimit=30000;countHardLimit=12',
  'count=0,bytes=0=;byteHardLimit=0;countHardLimit=0',
  'bytes=10',
  'garbage',
  'count=',
  '',
] as const

/** Limits may be nonsense, use not: see illegible-use in docs/compatibility.md. */
export function quotaData(random: Random, { text }: Path): string {
  if (text.endsWith(LIMITS)) return random.pick(LIMIT_TEXTS)
  return random.pick(['count=0,bytes=0', 'count=0,bytes=0', 'count=7,bytes=1000', ''])
}
