import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { tcpExchange } from '../../agent/engines/generic/tcp-exchange.ts'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { OPEN_ACL } from '../../server/core/tree/acl.ts'
import { documentOf, exampleBlocks } from '../redis/example.ts'
import { RedisPod } from '../redis/redis-pod.ts'
import { reservePorts } from '../support/ports.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { redisTool, titleOf } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'

const tool = redisTool()
const PASSWORD = 'correct-horse'
const COUNT = 3
const CHANGED_WITHIN_MS = 60_000
const CLUSTER = '/members/v1/clusters/redis'

/** Generic agents beside real processes: the values of examples/redis, Redis and Sentinel of Debian. */
describe.skipIf(tool.found === null)(titleOf('the example of Redis', tool), () => {
  const kubernetes = { redis: new FakeKubernetes(COUNT), sentinel: new FakeKubernetes(COUNT) }
  const directory = mkdtempSync(join(tmpdir(), 'quorate-redis-'))
  let servers: ServerEnsemble
  let redis: RedisPod[] = []
  let sentinels: RedisPod[] = []
  let tree: ZkClient

  beforeAll(async () => {
    servers = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
    await Promise.all([servers.start(), kubernetes.redis.listen(), kubernetes.sentinel.listen()])
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    tree = await ZkClient.connect(hosts, 10_000)
    const ports = await reservePorts(4 * COUNT)
    const blocks = exampleBlocks()
    const podsOf = (component: 'redis' | 'sentinel', from: number) =>
      Array.from({ length: COUNT }, (_, ordinal) => {
        const [port = 0, agentPort = 0] = ports.slice(from + 2 * ordinal)
        return new RedisPod({
          ...{ directory, component, ordinal, port, agentPort, password: PASSWORD },
          tree: hosts.join(','),
          kubernetesUrl: kubernetes[component].url,
          document: documentOf(blocks, component, (name) => name),
          command: blocks[component]?.command ?? [],
          programs: tool.found?.command ?? (() => []),
        })
      })
    redis = podsOf('redis', 0)
    sentinels = podsOf('sentinel', 2 * COUNT)
  }, 60_000)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') {
      console.error([...redis, ...sentinels].map((pod) => pod.logs()).join('\n'))
    }
  })
  afterAll(async () => {
    await Promise.all([...redis, ...sentinels].map((pod) => pod.stop()))
    kubernetes.redis.close()
    kubernetes.sentinel.close()
    await tree.close()
    await servers.stop()
    rmSync(directory, { recursive: true, force: true })
  }, 60_000)

  /** What a member or a sentinel answers to a command; rejects when it refuses the user or the command. */
  async function say(
    pod: RedisPod | undefined,
    command: string,
    user = 'default',
  ): Promise<string> {
    const login = user === 'default' ? `AUTH ${PASSWORD}` : `AUTH ${user} app-password`
    const answer = await tcpExchange({
      host: '127.0.0.1',
      port: pod?.port ?? 0,
      send: `${login}\r\n${command}\r\nPING\r\n`,
      // What is asked last is answered last.
      expect: [/\+PONG\r\n$/, /^-/],
      bytesMax: 65_536,
      timeoutMs: 2_000,
    })
    if (/^(\+OK\r\n)?-/.test(answer)) throw new Error(answer)
    return answer
  }

  async function leaders(): Promise<RedisPod[]> {
    const told = await Promise.all(redis.map((pod) => say(pod, 'ROLE').catch(() => '')))
    return redis.filter((_, i) => told[i]?.includes('master'))
  }

  async function leader(): Promise<RedisPod> {
    return await waitFor(
      'one of them leads',
      async () => {
        const [first, second] = await leaders()
        return second === undefined ? first : undefined
      },
      CHANGED_WITHIN_MS,
    )
  }

  async function allReady(): Promise<void> {
    await Promise.all([...redis, ...sentinels].map((pod) => pod.ready(CHANGED_WITHIN_MS)))
  }

  async function write(key: string): Promise<void> {
    const pod = await leader()
    await waitFor(`${key} is written`, async () => {
      // A replica has it, too.
      expect(await say(pod, `SET ${key} 1\r\nWAIT 1 1000`)).toMatch(/:[12]\r\n/)
      return true
    })
  }

  it('forms: one founds, the others follow, and sentinels watch them', async () => {
    await Promise.all([...redis, ...sentinels].map((pod) => pod.start()))
    await allReady()
    expect(await leader()).toBe(redis[0])
    const starts = kubernetes.redis.events.filter(({ reason }) => reason === 'StartPermitted')
    expect(starts.filter(({ message }) => message.startsWith('bootstrap'))).toHaveLength(1)
    const { data } = await tree.get(`${CLUSTER}/initialized`, false)
    expect(JSON.parse(Buffer.from(data ?? []).toString())).toMatchObject({ by: 'redis-0' })
    await waitFor('every sentinel knows two replicas and two others', async () => {
      for (const sentinel of sentinels) {
        const told = await say(sentinel, 'SENTINEL MASTER quorate')
        expect(told).toMatch(/num-slaves\r\n\$1\r\n2\r\n/)
        expect(told).toMatch(/num-other-sentinels\r\n\$1\r\n2\r\n/)
      }
      return true
    })
    await waitFor('the pods are labelled', () =>
      ['primary', 'replica', 'replica'].every(
        (role, i) => kubernetes.redis.labels.get(`redis-${i}`)?.['quorate/role'] === role,
      ),
    )
    await write('a')
  })

  it('fails over when its primary is killed, which comes back and follows', async () => {
    const before = await leader()
    const killedAt = Date.now()
    // As a node that goes: nothing of it is back before another one leads.
    if (before.pid !== undefined) process.kill(before.pid, 'SIGSTOP')
    const others = redis.filter((pod) => pod !== before)
    await waitFor(
      'another one leads',
      async () => {
        const told = await Promise.all(others.map((pod) => say(pod, 'ROLE')))
        return told.some((text) => text.includes('master'))
      },
      CHANGED_WITHIN_MS,
    )
    console.info(`another one led after ${Date.now() - killedAt} ms`)
    await before.kill()
    // Only then is readiness that of the next process: so soon its agent may not have missed the last one.
    await waitFor(
      'the killed one is back, and follows',
      async () => (await say(before, 'ROLE')).includes('slave'),
      CHANGED_WITHIN_MS,
    )
    await allReady()
    const after = await leader()
    expect(after).not.toBe(before)
    for (const pod of redis) expect(await say(pod, 'GET a')).toContain('$1\r\n1\r\n')
    await write('b')
  })

  it('hands over before a primary stops, and loses nothing that was acknowledged', async () => {
    await allReady()
    const before = await leader()
    const startedAt = Date.now()
    expect(await before.prestop()).toBe(200)
    const [first, second] = (await leaders()).filter((pod) => pod !== before)
    expect(first).toBeDefined()
    expect(second).toBeUndefined()
    console.info(`handed over in ${Date.now() - startedAt} ms`)
    await before.end()
    expect(await leader()).toBe(first)
    await write('c')
    await before.start()
    await allReady()
    for (const pod of redis) expect(await say(pod, 'MGET a b c')).not.toContain('$-1')
  })

  it('renders a file from its znode, and tells the process, which goes on', async () => {
    const pids = redis.map(({ pid }) => pid)
    const path = `${CLUSTER}/files/users.acl`
    const lines = [
      `user default on >\${secret.password} ~* &* +@all`,
      'user app on >app-password ~app:* +@read +@write +@connection',
    ]
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    await tree.create(path, text, OPEN_ACL, 'persistent', false, 0)
    await waitFor('every member knows the user', async () => {
      for (const pod of redis) expect(await say(pod, 'GET app:x', 'app')).toContain('$-1')
      return true
    })
    await tree.set(path, Buffer.from(`user default on >\${secret.passwort} +@all\n`), -1)
    await waitFor('what is wrong with it is told', async () => {
      const { observation } = (await redis[0]?.status()) ?? {}
      return observation?.engine.reason.includes(`there is no fact \${secret.passwort}`)
    })
    for (const pod of redis) expect(await say(pod, 'GET app:x', 'app')).toContain('$-1')
    await tree.delete(path, -1)
    await waitFor('no member knows the user any more', async () => {
      const known = await Promise.allSettled(redis.map((pod) => say(pod, 'GET app:x', 'app')))
      return known.every(({ status }) => status === 'rejected')
    })
    expect(redis.map(({ pid }) => pid)).toEqual(pids)
  })

  it('lets a member go when the set is smaller, and sentinels forget it', async () => {
    const [gone] = redis.splice(2, 1)
    const rest = redis
    kubernetes.redis.replicas = 2
    expect(await gone?.prestop()).toBe(200)
    await gone?.end()
    await waitFor(
      'its removal is on record',
      async () => {
        const { cluster } = (await rest[0]?.status())?.observation ?? {}
        const { children } = await tree.children(`${CLUSTER}/roster`, false)
        return cluster?.tombstones['redis-2']?.done === true && !children.includes('redis-2')
      },
      CHANGED_WITHIN_MS,
    )
    await waitFor('no sentinel lists it', async () => {
      for (const sentinel of sentinels) {
        const told = await say(sentinel, 'SENTINEL REPLICAS quorate')
        expect(told).not.toContain(`127.0.0.1:${gone?.port}`)
        expect(await say(sentinel, 'SENTINEL MASTER quorate')).toMatch(/num-slaves\r\n\$1\r\n1\r\n/)
      }
      return true
    })
    await write('d')
  })
})
