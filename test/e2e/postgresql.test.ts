import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { PatroniPods } from '../patroni/pods.ts'
import { Writer } from '../patroni/writer.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { patroniTool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const tool = patroniTool()
const ALL = [0, 1, 2]
const FORMED_WITHIN_MS = 90_000
const SETTLED_WITHIN_MS = 60_000
/** More than Patroni's retry_timeout and some turns of its loop. */
const OUTAGE_MS = 8_000
const WRITES = 30

/** Agents of PostgreSQL beside real members: Patroni on three servers of Quorate. */
describe.skipIf(tool.found === null)(titleOf('the agent of PostgreSQL', tool), () => {
  let servers: ServerEnsemble
  let pods: PatroniPods
  let writer: Writer | undefined

  beforeAll(async () => {
    servers = await quorateEnsemble({ servers: 3 })
    pods = await PatroniPods.at(servers.clientPorts.map((port) => `127.0.0.1:${port}`))
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.error(pods.logs())
  })
  afterAll(async () => {
    writer?.stop()
    await pods.stop()
    await servers.stop()
  })

  async function tree<T>(use: (client: ZkClient) => Promise<T>): Promise<T> {
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    const client = await ZkClient.connect(hosts, 4_000)
    try {
      return await use(client)
    } finally {
      await client.close()
    }
  }

  /** A znode with all below it; what Patroni's own sessions keep there goes meanwhile by itself. */
  async function wipe(client: ZkClient, path: string): Promise<void> {
    const { children } = await client.children(path, false)
    for (const child of children) await wipe(client, `${path}/${child}`)
    await client.delete(path, -1)
  }

  /** What was said to clients of a pod, until something has happened, whenever it was a primary that takes writes. */
  async function enabledWhileLeading(index: number, until: Promise<unknown>) {
    const enabled = new Set<boolean | undefined>()
    let isOver = false
    void until.finally(() => {
      isOver = true
    })
    while (!isOver) {
      const { publication, observation } = await pods.status(index)
      const { leads, ready } = observation.engine
      if (leads && ready) enabled.add(publication?.enabled)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    return enabled
  }

  it('starts no empty member while there is no tree', async () => {
    await pods.start()
    await waitFor('all wait for the tree', async () => {
      const reasons = (await pods.statuses()).map(({ reason }) => reason)
      return reasons.every((reason) => reason.includes('the tree cannot be read'))
    })
  })

  it('forms one cluster, though its founder is killed on the way', async () => {
    await servers.start()
    await tree((client) =>
      waitFor(
        'the founder has begun',
        async () => {
          const { data } = await client.get('/service/tests/initialize', false)
          return data?.length === 0
        },
        FORMED_WITHIN_MS,
      ),
    )
    pods.members.kill(0)
    pods.members.start(0)
    await pods.ready(ALL, FORMED_WITHIN_MS)
    await pods.members.settled(SETTLED_WITHIN_MS)
    expect(await pods.primary()).toBe(0)
    const roles = (await pods.statuses()).map(({ observation }) => observation.engine.role)
    expect(roles).toEqual(['primary', 'replica', 'replica'])
    await waitFor('the pods are labelled', () =>
      ALL.every((i) => pods.kubernetes.labels.get(`q-${i}`)?.['quorate/role'] === roles[i]),
    )
    writer = new Writer(pods.members)
    await writer.goesOn(WRITES, SETTLED_WITHIN_MS)
  })

  it('hands over before a primary stops, and nothing that was acknowledged is lost', async () => {
    const before = await pods.primary()
    const { generation: former = 0 } = (await pods.status(before)).observation.engine
    const startedAt = Date.now()
    const stopping = pods.prestop(before)
    const enabled = await enabledWhileLeading(before, stopping)
    expect(await stopping).toBe(200)
    expect([...enabled]).toEqual([true])
    const drainedMs = Date.now() - startedAt
    const after = await pods.primary(before)
    await pods.members.terminate(before)
    await writer?.goesOn(WRITES, SETTLED_WITHIN_MS)
    const gapMs = Math.round(writer?.longestGapMs(startedAt) ?? 0)
    console.info(`drained in ${drainedMs} ms, no write for ${gapMs} ms`)
    pods.members.start(before)
    await pods.ready(ALL, SETTLED_WITHIN_MS)
    expect(await writer?.lost()).toEqual([])
    const { generation } = (await pods.status(after)).observation.engine
    expect(generation).toBe(former + 1)
    await tree((client) =>
      waitFor('its document says so', async () => {
        const { data } = await client.get(`/members/v1/services/q/q-${after}`, false)
        const { payload } = JSON.parse(Buffer.from(data ?? []).toString())
        return payload.role === 'primary' && payload.generation === generation && payload.ready
      }),
    )
  })

  it('has Patroni replicate as it was told, and changes nothing else', async () => {
    await pods.members.configure({ synchronous_mode: false, maximum_lag_on_failover: 4_000_000 })
    // A member tells what its last turn has seen: that is for a while what was before.
    const configuration = await waitFor('it is set back', async () => {
      const now = await pods.members.configuration()
      const isSeen = now['maximum_lag_on_failover'] === 4_000_000
      return isSeen && now['synchronous_mode'] === true ? now : null
    })
    expect(configuration).toMatchObject({ synchronous_mode_strict: false, failsafe_mode: true })
    await pods.members.settled(SETTLED_WITHIN_MS)
  })

  it('serves on while the tree is away', async () => {
    const before = await pods.primary()
    const startedAt = Date.now()
    const pids = servers.pids().filter((pid) => pid !== undefined)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    const probes = new Set<number>()
    while (Date.now() - startedAt < OUTAGE_MS) {
      for (const i of ALL) probes.add(await pods.probe(i, '/engine/livez'))
      for (const i of ALL) probes.add(await pods.probe(i, '/engine/readyz'))
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    const written = writer?.acknowledged.filter(({ atMs }) => atMs > startedAt + 5_000).length
    for (const pid of pids) process.kill(pid, 'SIGCONT')
    expect([...probes]).toEqual([200])
    expect(written).toBeGreaterThan(WRITES)
    await writer?.goesOn(WRITES, SETTLED_WITHIN_MS)
    await pods.members.settled(SETTLED_WITHIN_MS)
    expect(await pods.primary()).toBe(before)
    expect(await writer?.lost()).toEqual([])
  })

  it('goes on where it was in a tree that knows nothing of it', async () => {
    await pods.ready(ALL, SETTLED_WITHIN_MS)
    const leader = await pods.primary()
    const { name: standby } = (await pods.members.states())?.find(
      ({ role }) => role === 'replica',
    ) ?? { name: '' }
    const laggard = Number(standby.slice('q-'.length))
    pods.members.kill(laggard)
    await writer?.goesOn(WRITES, SETTLED_WITHIN_MS)
    for (const i of ALL) if (i !== laggard) pods.members.kill(i)
    await Promise.all(ALL.map((i) => pods.killAgent(i)))
    await tree(async (client) => {
      for (const path of ['/service/tests', '/members']) await wipe(client, path)
    })
    await pods.restart(laggard)
    const waits = async (index: number, missing: string) => {
      const { reason } = await pods.status(index)
      return reason.includes(`never known a leader of this data: no report yet of ${missing}`)
    }
    const others = ALL.filter((i) => i !== laggard)
    const names = others.map((i) => `q-${i}`)
    await waitFor('the laggard waits', () => waits(laggard, names.join(', ')), SETTLED_WITHIN_MS)
    const [first = 0, second = 0] = [...others].sort((i) => (i === leader ? 1 : -1))
    await pods.restart(first)
    await waitFor('both wait', () => waits(laggard, `q-${second}`), SETTLED_WITHIN_MS)
    await pods.restart(second)
    await pods.ready(ALL, FORMED_WITHIN_MS)
    expect(await pods.primary()).toBe(leader)
    await writer?.goesOn(WRITES, SETTLED_WITHIN_MS)
    expect(await writer?.lost()).toEqual([])
    await pods.members.settled(SETTLED_WITHIN_MS)
  })

  it('clears away what is left of a member after a scale-down', async () => {
    await pods.ready(ALL, SETTLED_WITHIN_MS)
    pods.kubernetes.replicas = 2
    expect(await pods.prestop(2)).toBe(200)
    await pods.members.terminate(2)
    await pods.endAgent(2)
    await waitFor(
      'no agent knows the third member any more',
      async () => {
        const both = await Promise.all([pods.status(0), pods.status(1)])
        return both.every(({ observation }) => {
          const { engine, cluster } = observation
          const names = engine.members.map(({ name }) => name)
          return !names.includes('q-2') && cluster?.tombstones['q-2'] !== undefined
        })
      },
      SETTLED_WITHIN_MS,
    )
    await writer?.goesOn(WRITES, SETTLED_WITHIN_MS)
    expect(await writer?.lost()).toEqual([])
  })
})
