import fc from 'fast-check'
import type { Batch, Operation, Request } from '../../../server/core/machine/operation.ts'
import { type Acl, OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { bytes, START_MS } from './driver.ts'

/**
 * Histories in which operations meet: few paths, few sessions, small versions.
 */
const NAMES = ['a', 'b', 'c'] as const
const paths = [
  ...NAMES.map((name) => `/${name}`),
  ...NAMES.flatMap((parent) => NAMES.map((name) => `/${parent}/${name}`)),
  ...NAMES.map((name) => `/a/b/${name}`),
]
const path = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(...paths) },
  { weight: 1, arbitrary: fc.constantFrom('/', '//', '/a/', 'a', '/a/../b', '/zookeeper/config') },
)
const version = fc.oneof({ weight: 6, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 2 }))
const data = fc.option(
  fc.oneof(
    fc.constantFrom('', 'x', 'some text').map(bytes),
    fc.constantFrom(17, 100, 700, 5000).map((size) => new Uint8Array(size).fill(size)),
  ),
)
const ANN = { scheme: 'digest', id: 'ann:aaaa' }
const acl: fc.Arbitrary<Acl> = fc.oneof(
  { weight: 20, arbitrary: fc.constant(OPEN_ACL) },
  fc.constantFrom<Acl>(
    [{ permissions: 31, ...ANN }],
    [{ permissions: 1, scheme: 'world', id: 'anyone' }],
    [{ permissions: 31, scheme: 'auth', id: '' }],
    [],
  ),
)

const create: fc.Arbitrary<Operation> = fc
  .record({
    kind: fc.constant('create' as const),
    path,
    data,
    acl,
    mode: fc.constantFrom('persistent' as const, 'persistent', 'ephemeral', 'container', 'ttl'),
    sequential: fc.nat(4).map((draw) => draw === 0),
    ttlMs: fc.constantFrom(1, 1, 5000, 5000, 0),
    withStat: fc.boolean(),
  })
  .map((operation) => ({ ...operation, ttlMs: operation.mode === 'ttl' ? operation.ttlMs : 0 }))

const remove = fc.record({ kind: fc.constant('delete' as const), path, version })
const setData = fc.record({ kind: fc.constant('setData' as const), path, data, version })
const check = fc.record({ kind: fc.constant('check' as const), path, version })
const setAcl = fc.record({ kind: fc.constant('setAcl' as const), path, acl, version })
const error = fc.constant({ kind: 'error', code: -8 } as const)

const inMulti = fc.oneof(
  { weight: 6, arbitrary: create },
  { weight: 4, arbitrary: remove },
  { weight: 4, arbitrary: setData },
  { weight: 1, arbitrary: check },
  { weight: 1, arbitrary: fc.oneof(setAcl, error) },
)
const multi = fc.record({
  kind: fc.constant('multi' as const),
  operations: fc.array(inMulti, { maxLength: 5 }),
})

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: create },
  { weight: 6, arbitrary: remove },
  { weight: 5, arbitrary: setData },
  { weight: 5, arbitrary: multi },
  { weight: 2, arbitrary: setAcl },
  { weight: 1, arbitrary: check },
  { weight: 1, arbitrary: error },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('deleteContainer' as const), path }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('createSession' as const, 'attachSession' as const),
      timeoutMs: fc.constantFrom(4000, 5000),
      password: fc.constantFrom(1, 1, 1, 2).map((byte) => new Uint8Array(16).fill(byte)),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'closeSession' } as const) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('expireSession' as const),
      target: fc.integer({ min: 1, max: 12 }),
      decidedTerm: fc.constantFrom(1, 1, 2),
      ownerOrigin: fc.constant(7),
      ownerConnection: fc.integer({ min: 1, max: 2 }),
    }),
  },
)

const draw = fc.record({
  operation,
  /** The system, or a session by its place among those that may live. */
  who: fc.integer({ min: -1, max: 3 }),
  connection: fc.oneof({ weight: 12, arbitrary: fc.constant(1) }, fc.constant(2)),
  identities: fc.constantFrom([], [], [ANN], [{ scheme: 'super', id: '' }]),
})

/** Two sessions and a few znodes, so that operations have something to meet. */
const PRELUDE: readonly Operation[] = [
  { kind: 'createSession', timeoutMs: 4000, password: new Uint8Array(16).fill(1) },
  { kind: 'createSession', timeoutMs: 4000, password: new Uint8Array(16).fill(1) },
  ...['/a', '/b', '/a/b', '/b/c'].map(
    (path): Operation => ({
      kind: 'create',
      path,
      data: bytes(path),
      acl: OPEN_ACL,
      mode: 'persistent',
      sequential: false,
      ttlMs: 0,
      withStat: false,
    }),
  ),
]

/** The draws as batches: sessions are named by the zxids of the creates before. */
export const history: fc.Arbitrary<Batch[]> = fc
  .array(fc.array(draw, { minLength: 1, maxLength: 4 }), { minLength: 3, maxLength: 20 })
  .map((batches) => {
    let zxid = 0
    const sessions: number[] = []
    const system = { session: 0, origin: 7, connection: 1, identities: [] }
    const prelude = PRELUDE.map((operation): Request => {
      zxid += 1
      if (operation.kind === 'createSession') sessions.push(zxid)
      return { ...system, ticket: zxid, operation }
    })
    const drawn = batches.map((draws, index) => ({
      timeMs: START_MS + index * 1000,
      requests: draws.map(({ operation, who, connection, identities }): Request => {
        zxid += 1
        const creates = operation.kind === 'createSession'
        const session = creates || who < 0 ? 0 : (sessions.at(-1 - who) ?? sessions[0] ?? 0)
        if (creates) sessions.push(zxid)
        return { session, origin: 7, connection, identities, ticket: zxid, operation }
      }),
    }))
    return [{ timeMs: START_MS, requests: prelude }, ...drawn]
  })
