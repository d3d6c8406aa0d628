import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ClusterStore } from '../../../agent/coordination/cluster-store.ts'
import type { Coordination } from '../../../agent/coordination/coordination.ts'
import { ZookeeperCoordination } from '../../../agent/coordination/zookeeper.ts'
import type { LockName, RecoveryReport, TreeWants } from '../../../agent/core/cluster/facts.ts'
import type { ServerEnsemble } from '../../support/processes.ts'
import { quorateEnsemble } from '../../support/quorate-process.ts'
import { waitFor } from '../../support/wait-for.ts'

const nowMs = () => performance.now()
const report: RecoveryReport = {
  engineClusterId: 'c1',
  position: '7',
  empty: false,
  started: false,
  incarnation: 1,
}

/** One agent's side of the tree: its session and its store, looked at by hand. */
class Side {
  readonly coordination: ZookeeperCoordination
  readonly store: ClusterStore
  readonly told: object[] = []

  constructor(
    port: number,
    root: string,
    pod: string,
    options: { incarnation?: number; through?: (inner: Coordination) => Coordination } = {},
  ) {
    this.coordination = new ZookeeperCoordination({
      servers: () => [{ host: '127.0.0.1', port }],
      tls: null,
      sessionTimeoutMs: 4_000,
      dialTimeoutMs: 500,
      avoidMs: 100,
      frameBytesMax: 1_048_575,
      requestTimeoutMs: 2_000,
      handshakeTimeoutMs: 2_000,
      checkEveryMs: 20,
      goodbyeMs: 500,
      nowMs,
      log: () => {},
    })
    this.store = new ClusterStore({
      coordination: options.through?.(this.coordination) ?? this.coordination,
      root: `${root}/clusters/c`,
      services: `${root}/services/c`,
      pod,
      incarnation: options.incarnation ?? 1,
      everyMs: 3_600_000,
      everyMsIdle: 3_600_000,
      nowMs,
      wallMs: () => 1_795_221_060_055,
      log: (_message, fields) => this.told.push(fields),
    })
  }

  async facts() {
    return await waitFor('facts of the tree', async () => {
      await this.store.refresh()
      return this.store.facts
    })
  }

  async want(locks: LockName[], own: RecoveryReport | null = null) {
    const wants: TreeWants = { locks, report: own }
    this.store.want(wants, false)
    return await this.facts()
  }

  async close(): Promise<void> {
    this.store.stop()
    await this.coordination.close()
  }
}

describe('the facts of a cluster in the tree', () => {
  let server: ServerEnsemble
  let port: number
  let root = ''
  let sides: Side[] = []
  let count = 0

  beforeAll(async () => {
    server = await quorateEnsemble({ servers: 1, tickMs: 500 })
    await server.start()
    port = server.clientPorts[0] ?? 0
  }, 60_000)

  afterAll(async () => await server.stop())

  beforeEach(() => {
    count += 1
    root = `/t${count}`
  })

  afterEach(async () => {
    await Promise.all(sides.map((side) => side.close()))
    sides = []
  })

  function side(...[pod, options]: [string, ConstructorParameters<typeof Side>[3]?]): Side {
    const made = new Side(port, root, pod, options)
    sides.push(made)
    return made
  }

  it('has locks that one agent holds, by tokens that rise', async () => {
    const [first, second] = [side('q-0'), side('q-1')]
    const held = (await first.want(['bootstrap'])).locks.bootstrap
    expect(held).toMatchObject({ holder: 'q-0', mine: true })
    const seen = (await second.want(['bootstrap', 'reconfig'])).locks
    expect(seen.bootstrap).toEqual({ ...held, mine: false })
    expect(seen.reconfig?.mine).toBe(true)
    expect(() => second.store.fence('bootstrap')).toThrow(/may be another's/)
    const fence = first.store.fence('bootstrap')
    expect(fence.token).toBe(held?.token)
    first.store.want({ locks: [], report: null }, false)
    // At once, though its znode is still there.
    expect(first.store.facts?.locks.bootstrap?.mine).toBe(false)
    expect(fence.check).toThrow(/may be another's/)
    await first.facts()
    const next = (await second.facts()).locks.bootstrap
    expect(next).toMatchObject({ holder: 'q-1', mine: true })
    expect(BigInt(`0x${next?.token}`)).toBeGreaterThan(BigInt(`0x${held?.token}`))
  })

  it('passes a lock on when the session of its holder ends', async () => {
    const [first, second] = [side('q-0'), side('q-1')]
    await first.want(['election'])
    expect((await second.want(['election'])).locks.election?.mine).toBe(false)
    await first.coordination.close()
    expect((await second.facts()).locks.election).toMatchObject({ holder: 'q-1', mine: true })
    expect(first.store.facts).toBeNull()
  })

  it('finds its place in a queue again when the answer to its creation was lost', async () => {
    let lost = 0
    const through = (inner: Coordination): Coordination =>
      new Proxy(inner, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target)
          if (typeof value !== 'function') return value
          if (name !== 'createNumbered' || lost > 0) return value.bind(target)
          return async (path: string, data: Uint8Array) => {
            lost += 1
            await target.createNumbered(path, data)
            throw new Error('the answer was lost')
          }
        },
      })
    const only = side('q-0', { through })
    expect((await only.want(['bootstrap'])).locks.bootstrap?.mine).toBe(true)
    expect(lost).toBe(1)
    const folder = `${root}/clusters/c/locks/bootstrap`
    expect(await only.coordination.children(folder)).toHaveLength(1)
  })

  it('changes under a lock alone, and not when the lock has gone meanwhile', async () => {
    const agent = side('q-0')
    await agent.want([])
    const intent = { kind: 'writeIntent', chosenFrom: { 'q-0': '7' } } as const
    await expect(agent.store.perform(intent)).rejects.toMatchObject({ code: 'TREE_FENCED' })
    await agent.want(['bootstrap'])
    const folder = `${root}/clusters/c/locks/bootstrap`
    const [name = ''] = (await agent.coordination.children(folder)) ?? []
    await agent.coordination.delete(`${folder}/${name}`, -1)
    await expect(agent.store.perform(intent)).rejects.toMatchObject({ detail: -101 })
    expect((await agent.facts()).intent).toBeNull()
    await agent.store.perform(intent)
    const facts = await agent.facts()
    const token = facts.locks.bootstrap?.token
    expect(facts.intent).toMatchObject({
      by: 'q-0',
      incarnation: 1,
      token,
      chosenFrom: { 'q-0': '7' },
    })
    expect(facts.intent?.nonce).toMatch(/^[\w-]{22}$/)
    await agent.store.perform({ kind: 'clearIntent' })
    await agent.store.perform({ kind: 'clearIntent' })
    expect((await agent.facts()).intent).toBeNull()
  })

  it('is initialised once', async () => {
    const agent = side('q-0')
    await agent.want(['bootstrap', 'election'])
    await agent.store.perform({ kind: 'initialize', engineClusterId: 'c1', expected: 1 })
    await agent.store.perform({ kind: 'initialize', engineClusterId: 'c1', expected: 1 })
    const other = agent.store.perform({ kind: 'initialize', engineClusterId: 'c2', expected: 1 })
    await expect(other).rejects.toMatchObject({ code: 'CLUSTER_MISMATCH' })
    await agent.store.perform({ kind: 'notePosition', position: '12' })
    await agent.store.perform({ kind: 'expect', count: 3, lock: 'bootstrap' })
    const { initialized } = await agent.facts()
    const at = 1_795_221_060_055
    const known = { engineClusterId: 'c1', by: 'q-0', at, position: '12', expected: 3 }
    expect(initialized).toEqual(known)
    await agent.store.perform({ kind: 'forget' })
    expect((await agent.facts()).initialized).toBeNull()
    await agent.store.perform({ kind: 'forget' })
  })

  it('buries and takes back', async () => {
    const agent = side('q-0')
    await agent.want(['reconfig'])
    for (const identity of ['i1', 'i2']) {
      await agent.store.perform({ kind: 'bury', pod: 'q-3', identity, reason: 'scaled down' })
      expect((await agent.facts()).tombstones['q-3']).toMatchObject({ identity, done: false })
    }
    await agent.store.perform({ kind: 'confirm', pod: 'q-3' })
    expect((await agent.facts()).tombstones['q-3']).toMatchObject({ identity: 'i2', done: true })
    await agent.store.perform({ kind: 'unbury', pod: 'q-3' })
    expect((await agent.facts()).tombstones).toEqual({})
  })

  it('has the reports of sessions, the later run of a pod over the earlier', async () => {
    const early = side('q-0')
    const reader = side('q-1')
    await early.want([], report)
    expect((await reader.want([])).reports).toEqual({ 'q-0': report })
    const late = side('q-0', { incarnation: 2 })
    const second = { ...report, started: true, incarnation: 2 }
    await late.want([], second)
    expect((await reader.facts()).reports).toEqual({ 'q-0': second })
    await early.facts()
    expect((await reader.facts()).reports).toEqual({ 'q-0': second })
    await late.want([])
    expect((await reader.facts()).reports).toEqual({})
  })

  it('has the members by their documents, and passes over what is none', async () => {
    const agent = side('q-0')
    const payload = { role: 'primary', incarnation: 4 }
    const document = JSON.stringify({ id: 'q-1', status: 'ALIVE', enabled: true, payload })
    await agent.want([])
    await agent.coordination.create(`${root}/services/c/q-1`, Buffer.from(document), 'ephemeral')
    await agent.coordination.create(`${root}/services/c/other`, Buffer.from('x'), 'ephemeral')
    const member = { status: 'ALIVE', ready: true, role: 'primary', incarnation: 4 }
    expect((await agent.facts()).members).toEqual({ 'q-1': member })
  })

  it('has no facts while what decides about bootstraps cannot be read', async () => {
    const agent = side('q-0')
    await agent.want([])
    const path = `${root}/clusters/c/bootstrap/intent`
    await agent.coordination.create(path, Buffer.from('{"v":2}'), 'persistent')
    await agent.store.refresh()
    expect(agent.store.facts).toBeNull()
    expect(agent.told.at(-1)).toMatchObject({ reason: expect.stringContaining('bootstrap/intent') })
    await agent.coordination.delete(path, -1)
    expect((await agent.facts()).intent).toBeNull()
  })

  it('takes version 0 for 0 in a transaction', async () => {
    const { coordination } = side('q-0')
    await waitFor('a session', () => coordination.session)
    const path = `${root}/x`
    await coordination.create(path, Buffer.from('a'), 'persistent')
    await coordination.set(path, Buffer.from('b'), 0)
    for (const stale of [
      { kind: 'check', path, version: 0 },
      { kind: 'set', path, data: Buffer.from('c'), version: 0 },
      { kind: 'delete', path, version: 0 },
    ] as const) {
      await expect(coordination.commit([stale])).rejects.toMatchObject({ detail: -103 })
    }
    await coordination.commit([{ kind: 'check', path, version: 1 }])
  })
})
