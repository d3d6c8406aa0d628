import { readdirSync } from 'node:fs'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../../../server/cli/zk-client.ts'
import { reservePorts } from '../../../support/ports.ts'
import type { ServerEnsemble } from '../../../support/processes.ts'
import { quorateEnsemble } from '../../../support/quorate-process.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { FakeKubernetes } from '../fake-kubernetes.ts'
import { MongodbPod } from './pods.ts'
import { isDouble, Servers } from './servers.ts'

interface Document {
  readonly enabled: boolean
  readonly payload: {
    readonly role: string
    readonly generation: number
    readonly connection: string
  }
}

describe.skipIf(!isDouble)('three pods: the real agent and tree, doubles of mongod', () => {
  const kubernetes = new FakeKubernetes(3)
  let tree: ServerEnsemble
  let servers: Servers
  let pods: MongodbPod[]
  let acknowledged: number[] = []

  const pod = (ordinal: number): MongodbPod => {
    const found = pods[ordinal]
    if (found === undefined) throw new Error(`no pod ${ordinal}`)
    return found
  }

  beforeAll(async () => {
    tree = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
    await Promise.all([tree.start(), kubernetes.listen()])
    servers = await Servers.create(3)
    const [treePort = 0] = tree.clientPorts
    const agentPorts = await reservePorts(3)
    const kubernetesUrl = kubernetes.url
    pods = agentPorts.map(
      (agentPort, ordinal) =>
        new MongodbPod({ servers, ordinal, agentPort, treePort, kubernetesUrl }),
    )
  }, 60_000)

  afterAll(async () => {
    await Promise.all(pods.map((one) => one.end()))
    await servers.close()
    kubernetes.close()
    await tree.stop()
  }, 60_000)

  async function read<T>(path: string): Promise<T> {
    const client = await ZkClient.connect([`127.0.0.1:${tree.clientPorts[0]}`], 4_000)
    try {
      const { data } = await client.get(path, false)
      return JSON.parse(Buffer.from(data ?? []).toString())
    } finally {
      await client.close()
    }
  }

  const document = (name: string) => read<Document>(`/members/v1/services/q/${name}`)

  /** Hosts with a vote, by the configuration on the primary. */
  async function voters(): Promise<string[]> {
    const primary = servers.client(await servers.primary())
    const { config } = await primary.asAgent({ replSetGetConfig: 1 })
    const members: readonly { readonly host: string; readonly votes: number }[] = config.members
    return members.filter(({ votes }) => votes > 0).map(({ host }) => host)
  }

  async function whole(ordinals: readonly number[]): Promise<void> {
    await Promise.all(ordinals.map((ordinal) => pod(ordinal).ready()))
    const expected = ordinals.map((ordinal) => servers.place(ordinal))
    await waitFor(`${ordinals.join()} vote`, async () => {
      expect((await voters()).sort()).toEqual([...expected].sort())
      return true
    })
  }

  /** As an application does, by the string that the tree has, as the user that the agent made. */
  async function withOrders<T>(
    use: (insert: (id: number) => Promise<void>, ids: () => Promise<number[]>) => Promise<T>,
  ): Promise<T> {
    const { payload } = await document('q-0')
    const auth = { username: 'app', password: 'app-secret' }
    const driver = new MongoClient(payload.connection, { auth, heartbeatFrequencyMS: 500 })
    const orders = driver.db('shop').collection<{ _id: number }>('orders')
    const insert = async (_id: number) => {
      await orders.insertOne({ _id }, { writeConcern: { w: 'majority', wtimeoutMS: 5_000 } })
      acknowledged.push(_id)
    }
    try {
      return await use(insert, async () => (await orders.find().toArray()).map(({ _id }) => _id))
    } finally {
      await driver.close()
    }
  }

  it('form one replica set when they start at once, initiated once', async () => {
    await Promise.all(pods.map((one) => one.start()))
    await whole([0, 1, 2])
    const formed = kubernetes.events.filter(({ reason }) => reason === 'ClusterFormed')
    expect(formed).toHaveLength(1)
    const commands = [0, 1, 2].flatMap((index) => servers.double(index).commands)
    expect(commands.filter((name) => name === 'replSetInitiate')).toHaveLength(1)
    const { engineClusterId } = await read<{ engineClusterId: string }>(
      '/members/v1/clusters/q/initialized',
    )
    expect(engineClusterId).toMatch(/^[0-9a-f]{24}$/)
    await waitFor('the documents', async () => {
      const roles = await Promise.all(['q-0', 'q-1', 'q-2'].map(document))
      expect(roles.map(({ payload }) => payload.role).sort()).toEqual([
        'primary',
        'secondary',
        'secondary',
      ])
      return roles.every(({ enabled, payload }) => enabled && payload.generation >= 1)
    })
  }, 90_000)

  it('lose no acknowledged write when the primary is killed, and have another soon', async () => {
    await waitFor('the string has all', async () => {
      return (await document('q-0')).payload.connection.includes(servers.place(2))
    })
    await withOrders(async (insert, ids) => {
      for (let id = 0; id < 20; id += 1) await insert(id)
      const killed = await servers.primary()
      const began = performance.now()
      await pod(killed).crash()
      await waitFor('a write after that', () => insert(100 + acknowledged.length).then(() => true))
      expect(performance.now() - began).toBeLessThan(30_000)
      await whole([0, 1, 2])
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged))
    })
  }, 90_000)

  it('let the primary go only when another is, and the pod that was removed before it stops', async () => {
    const before = await servers.primary()
    if (before !== 2) {
      // The one that goes is to be the primary: the others are made to step down until it is.
      await waitFor('q-2 is primary', async () => {
        const primary = await servers.primary()
        if (primary === 2) return true
        await servers.client(primary).asAgent({ replSetStepDown: 1 }, 20_000)
        return false
      })
    }
    kubernetes.replicas = 2
    expect(await pod(2).prestop()).toBe(200)
    expect((await voters()).sort()).toEqual([servers.place(0), servers.place(1)].sort())
    expect(await servers.primary()).not.toBe(2)
    await pod(2).end()
    await whole([0, 1])
    await withOrders(async (_, ids) =>
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged)),
    )
  }, 90_000)

  it('take the pod back with the data it has, when the set runs it again', async () => {
    kubernetes.replicas = 3
    await pod(2).start()
    await whole([0, 1, 2])
  }, 90_000)

  it('come back by themselves when all were killed at once', async () => {
    const starts = pods.map(({ permits }) => permits.length)
    await Promise.all(pods.map((one) => one.crash()))
    await waitFor('all run again', () =>
      pods.every(({ permits, ordinal }) => permits.length > (starts[ordinal] ?? 0)),
    )
    await whole([0, 1, 2])
    await withOrders(async (_, ids) =>
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged)),
    )
  }, 90_000)

  it('have a member whose disk was lost copy the data, and not form a set of its own', async () => {
    await pod(0).end()
    pod(0).loseDisk()
    await pod(0).start()
    await whole([0, 1, 2])
    const commands = servers.double(0).commands
    expect(commands.filter((name) => name === 'replSetInitiate')).toHaveLength(0)
    await withOrders(async (_, ids) =>
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged)),
    )
    acknowledged = []
  }, 90_000)

  it('lose no acknowledged write by the vote of a member that has lost its disk', async () => {
    await waitFor('the string has all', async () => {
      return (await document('q-0')).payload.connection.split(',').length === 3
    })
    const leader = await servers.primary()
    const [behind = 0, wiped = 0] = [0, 1, 2].filter((ordinal) => ordinal !== leader)
    await withOrders(async (insert) => {
      await pod(behind).end()
      await insert(1_000)
    })
    await pod(wiped).end()
    pod(wiped).loseDisk()
    pod(wiped).copyMs = 60_000
    await pod(wiped).start()
    await waitFor('it waits', async () => {
      expect(await pod(wiped).reason()).toContain('no primary yet')
      return true
    })
    await pod(leader).end()
    await pod(behind).start()
    await expect(servers.primary(10_000)).rejects.toThrow('a primary')
    pod(wiped).copyMs = 100
    await pod(leader).start()
    await whole([0, 1, 2])
    await withOrders(async (_, ids) =>
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged)),
    )
    acknowledged = []
  }, 120_000)

  it('have a member copy the data anew that was away for longer than the oplog reaches', async () => {
    const leader = await servers.primary()
    const away = (leader + 1) % 3
    await withOrders(async (insert) => {
      await pod(away).end()
      for (const ordinal of [0, 1, 2]) {
        if (ordinal !== away) servers.double(ordinal).oplogMax = 20
      }
      const from = 2_000
      for (let id = from; id < from + 60; id += 1) await insert(id)
      // The oplog says when it begins, to the second.
      const second = Math.floor(Date.now() / 1_000)
      await waitFor('the next second', () => Date.now() >= 1_000 * (second + 1))
      for (let id = from + 100; id < from + 130; id += 1) await insert(id)
    })
    const starts = pod(away).permits.length
    await pod(away).start()
    await waitFor(
      'it starts, and again',
      async () => {
        if (pod(away).permits.length === starts + 2) return true
        throw new Error(await pod(away).reason())
      },
      60_000,
    )
    await whole([0, 1, 2])
    for (const ordinal of [0, 1, 2]) servers.double(ordinal).oplogMax = Infinity
    const events = kubernetes.events.filter(({ reason }) => reason === 'DataGivenUp')
    expect(events).toHaveLength(1)
    const stale = () => readdirSync(pod(away).volume).filter((name) => name.startsWith('stale-'))
    await waitFor('what it was is gone', () => stale().length === 0)
    await withOrders(async (_, ids) =>
      expect(await ids()).toEqual(expect.arrayContaining(acknowledged)),
    )
    acknowledged = []
  }, 150_000)

  it('keep serving without the tree', async () => {
    await tree.stop()
    await withoutTree(async () => {
      expect(await pod(1).probe('/engine/readyz')).toBe(200)
      expect(await pod(1).probe('/engine/livez')).toBe(200)
    })
  }, 60_000)

  async function withoutTree(check: () => Promise<void>): Promise<void> {
    const until = performance.now() + 6_000
    await waitFor('a session timeout has passed', async () => {
      await check()
      return performance.now() > until
    })
  }
})
