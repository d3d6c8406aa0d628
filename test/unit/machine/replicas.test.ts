import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Batch, Request } from '../../../server/core/machine/operation.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { bytes, create, Driver, requestOf, setAcl, setData } from './driver.ts'
import { history } from './history.ts'

const apply = (machine: StateMachine, batch: Batch, term = 1) =>
  machine.apply({ index: machine.appliedIndex + 1, term }, batch)

describe('replicas that applied the same entries', () => {
  it('have the same digest after each, and gave the same results', () => {
    fc.assert(
      fc.property(history, (batches) => {
        const [one, other] = [new StateMachine(), new StateMachine()]
        for (const batch of batches) {
          const [given, again] = [apply(one, batch), apply(other, batch)]
          if (!isDeepStrictEqual(again, given)) expect(again).toEqual(given)
          expect(other.digest).toBe(one.digest)
        }
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  it('do not depend on how requests were gathered into entries', () => {
    fc.assert(
      fc.property(history, (batches) => {
        const [one, other] = [new StateMachine(), new StateMachine()]
        for (const { timeMs, requests } of batches) {
          const whole = apply(one, { timeMs, requests })
          const single = requests.map((request) => apply(other, { timeMs, requests: [request] }))
          if (!isDeepStrictEqual(single.flat(), whole)) expect(single.flat()).toEqual(whole)
        }
        expect(other.digest).toBe(one.digest)
      }),
      { numRuns: 20 },
    )
  }, 60_000)
})

describe('the digest', () => {
  const timeMs = 1_700_000_000_000
  const sender = { session: 0, origin: 7, connection: 1, identities: [] }
  const password = new Uint8Array(16).fill(1)
  const session = { kind: 'createSession', timeoutMs: 4000, password } as const
  const base = (): Request[] => [
    requestOf(session, sender),
    requestOf(create('/a', { data: bytes('data') })),
  ]
  const owner = { ...sender, session: 1 }
  const ip = { scheme: 'ip', id: '::1', permissions: 31 }
  /** Histories that differ in one thing each. */
  const variants: Record<string, Batch> = {
    base: { timeMs, requests: base() },
    data: { timeMs, requests: [...base().slice(0, 1), requestOf(create('/a'))] },
    'null data': {
      timeMs,
      requests: [...base().slice(0, 1), requestOf(create('/a', { data: null }))],
    },
    path: {
      timeMs,
      requests: [...base().slice(0, 1), requestOf(create('/b', { data: bytes('data') }))],
    },
    times: { timeMs: timeMs + 1, requests: base() },
    'a refused request': { timeMs, requests: [...base(), requestOf(create('/a'))] },
    'cluster version': {
      timeMs,
      requests: [...base(), requestOf({ kind: 'setClusterVersion', version: 1 })],
    },
    owner: {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), mode: 'ephemeral' }), owner),
      ],
    },
    container: {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), mode: 'container' })),
      ],
    },
    'a ttl': {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), mode: 'ttl', ttlMs: 5 })),
      ],
    },
    'another ttl': {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), mode: 'ttl', ttlMs: 6 })),
      ],
    },
    ACL: {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), acl: [...OPEN_ACL, ip] })),
      ],
    },
    'order of entries in an ACL': {
      timeMs,
      requests: [
        ...base().slice(0, 1),
        requestOf(create('/a', { data: bytes('data'), acl: [ip, ...OPEN_ACL] })),
      ],
    },
    'data version': {
      timeMs,
      requests: [...base(), requestOf(setData('/a', 'data'))],
    },
    'ACL version': { timeMs, requests: [...base(), requestOf(setAcl('/a', OPEN_ACL))] },
    'a child that came and went': {
      timeMs,
      requests: [
        ...base(),
        requestOf({
          kind: 'multi',
          operations: [create('/a/b'), { kind: 'delete', path: '/a/b', version: -1 }],
        }),
      ],
    },
    'session timeout': {
      timeMs,
      requests: [requestOf({ ...session, timeoutMs: 4001 }, sender), ...base().slice(1)],
    },
    'session password': {
      timeMs,
      requests: [
        requestOf({ ...session, password: new Uint8Array(16) }, sender),
        ...base().slice(1),
      ],
    },
    'session owner': {
      timeMs,
      requests: [requestOf(session, { ...sender, connection: 2 }), ...base().slice(1)],
    },
    'session origin': {
      timeMs,
      requests: [requestOf(session, { ...sender, origin: 8 }), ...base().slice(1)],
    },
  }

  it('differs when anything differs', () => {
    const digests = new Map<string, string>()
    for (const [name, batch] of Object.entries(variants)) {
      const machine = new StateMachine()
      apply(machine, batch)
      expect(machine.digest).toMatch(/^[0-9a-f]{32}$/)
      expect(digests.get(machine.digest), `${name} has the digest of another`).toBeUndefined()
      digests.set(machine.digest, name)
    }
  })

  it('of the tree differs when a znode does, in each of its fields', () => {
    const znode = {
      path: '/a',
      data: bytes('data'),
      acl: OPEN_ACL,
      mode: 0,
      ttlMs: 0,
      owner: 0,
      czxid: 1,
      mzxid: 1,
      pzxid: 1,
      ctimeMs: 1,
      mtimeMs: 1,
      version: 1,
      aversion: 1,
      creations: 1,
    } as const
    const changes = [
      {},
      { path: '/b' },
      { data: bytes('Data') },
      { data: null },
      { acl: [ip] },
      { mode: 1 },
      { mode: 2 },
      { ttlMs: 1 },
      { owner: 1 },
      { owner: 2 ** 40 + 1 },
      { czxid: 2 },
      { mzxid: 2 },
      { mzxid: 2 ** 32 + 1 },
      { pzxid: 2 },
      { ctimeMs: 2 },
      { mtimeMs: 2 },
      { version: 2 },
      { aversion: 2 },
      { creations: 2 },
    ] as const
    const digests = changes.map((change) => {
      const driver = new Driver()
      driver.machine.tree.restore({ ...znode, ...change })
      return String(driver.machine.tree.digest)
    })
    expect(new Set(digests).size).toBe(changes.length)
  })

  it('does not remember how a state came about', () => {
    const [one, other] = [new Driver(), new Driver()]
    for (const driver of [one, other]) driver.create('/p')
    one.machine.tree.restore({ ...znodeOf(one, '/p'), path: '/x' })
    one.machine.tree.restore({ ...znodeOf(one, '/p'), path: '/y' })
    other.machine.tree.restore({ ...znodeOf(other, '/p'), path: '/y' })
    other.machine.tree.restore({ ...znodeOf(other, '/p'), path: '/x' })
    expect(other.machine.digest).toBe(one.machine.digest)
  })
})

function znodeOf({ machine }: Driver, path: string) {
  for (const [name, slot] of machine.tree.entries()) {
    if (name === path) return machine.tree.znodeAt(slot, path)
  }
  throw new Error(`no ${path}`)
}
