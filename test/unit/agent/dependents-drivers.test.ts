import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClusterStore } from '../../../agent/coordination/cluster-store.ts'
import { Publisher } from '../../../agent/coordination/publisher.ts'
import { ZookeeperCoordination } from '../../../agent/coordination/zookeeper.ts'
import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { EngineView, StatefulSetView } from '../../../agent/core/observation.ts'
import { Driver } from '../../../agent/driver.ts'
import type { Engine, EngineCall } from '../../../agent/engines/engine.ts'
import { MemberDisk } from '../../../agent/engines/member-disk.ts'
import type { ClusterApi } from '../../../agent/kubernetes/cluster-api.ts'
import { limits } from '../../../agent/limits.ts'
import type { PermitPipe } from '../../../agent/permit-pipe.ts'
import type { ServerEnsemble } from '../../support/processes.ts'
import { quorateEnsemble } from '../../support/quorate-process.ts'
import { waitFor } from '../../support/wait-for.ts'
import { whileRunning } from './cluster-observations.ts'
import { idle, rules, UID } from './observations.ts'

const nowMs = () => performance.now()

/** A double of an engine that is formed while it runs: one cluster for all of its processes. */
class Database {
  readonly members = new Set<string>()
  readonly calls: string[] = []
  view: StatefulSetView = { uid: UID, replicas: 3, firstOrdinal: 0, deleting: false }
}

/** The real loop, store and session of one agent, around that double. */
class DoubledPod {
  readonly name: string
  readonly coordination: ZookeeperCoordination
  readonly store: ClusterStore
  readonly publisher: Publisher
  readonly driver: Driver
  readonly life: Promise<void>
  engine: 'asking' | 'running' = 'asking'
  readonly #database: Database
  readonly #directory = mkdtempSync(join(tmpdir(), 'quorate-double-'))

  constructor(ordinal: number, port: number, database: Database) {
    this.name = `q-${ordinal}`
    this.#database = database
    this.coordination = new ZookeeperCoordination({
      servers: () => [{ host: '127.0.0.1', port }],
      tls: null,
      sessionTimeoutMs: 10_000,
      dialTimeoutMs: 500,
      avoidMs: 100,
      frameBytesMax: 1_048_575,
      requestTimeoutMs: 5_000,
      handshakeTimeoutMs: 5_000,
      checkEveryMs: 100,
      goodbyeMs: 500,
      nowMs,
      log: () => {},
    })
    const folders = { root: '/m/clusters/c', services: '/m/services/c' }
    const coordination = this.coordination
    const times = { everyMs: 50, everyMsIdle: 200, nowMs, wallMs: Date.now, log: () => {} }
    this.store = new ClusterStore({
      ...times,
      ...folders,
      coordination,
      pod: this.name,
      incarnation: 1,
    })
    this.publisher = new Publisher({
      coordination,
      path: `/m/services/c/${this.name}`,
      self: { id: this.name, incarnation: 1 },
      everyMs: 50,
      log: () => {},
    })
    this.driver = new Driver({
      self: { set: 'q', pod: this.name, ordinal },
      engine: this.#engine(),
      disk: new MemberDisk([this.#directory]),
      pipe: this.#pipe() as PermitPipe,
      cluster: this.#kubernetes() as ClusterApi,
      askPeers: async () => [],
      published: () => this.publisher.members,
      incarnation: 1,
      lease: () => coordination.status,
      store: this.store,
      decided: ({ publication }) =>
        this.publisher.want(publication && this.#document(publication.enabled)),
      acted: () => {},
      rules: { ...rules, retryMs: 50 },
      limits: { ...limits, turnMs: 20, turnMsIdle: 50, engineEveryMs: 20, engineEveryMsIdle: 20 },
      logger: pino({ level: 'silent' }),
      nowMs,
    })
    this.life = this.driver.run()
  }

  /** Only what other agents read of a document. */
  #document(enabled: boolean): string {
    const payload = { role: 'member', incarnation: 1 }
    return JSON.stringify({ id: this.name, status: 'ALIVE', enabled, payload })
  }

  #pipe(): Partial<PermitPipe> {
    return {
      look: () => this.engine === 'asking',
      grant: (line: string) => {
        this.#database.calls.push(`${this.name} ${line}`)
        this.engine = 'running'
        return true
      },
    }
  }

  #kubernetes(): Partial<ClusterApi> {
    return {
      statefulSet: async () => ({ kind: 'ok', atMs: nowMs(), value: this.#database.view }),
      pod: async () => ({
        kind: 'ok',
        atMs: nowMs(),
        value: { uid: this.name, ownerUid: UID, disruption: '' },
      }),
      event: async () => {},
    }
  }

  #engine(): Engine {
    const { members, calls } = this.#database
    const tell = (verb: string, { fence }: EngineCall) => {
      fence.check()
      calls.push(`${this.name} ${verb}`)
    }
    return {
      kind: 'double',
      policy: clusterPolicy({ ...whileRunning, drain: () => ({ kind: 'ready' }) }),
      clientPorts: { port: 1, sslPort: null },
      ports: {},
      discover: () =>
        members.has(this.name)
          ? { kind: 'member', clusterId: 'db', incarnation: this.name, departed: false }
          : { kind: 'empty', founding: null },
      position: async () => null,
      observe: async () => this.#view(),
      liveness: () => true,
      version: async () => '1',
      permitLine: (mode) => mode,
      bootstrap: async (call) => {
        tell('bootstrap', call)
        members.add(this.name)
      },
      join: async (call) => {
        tell('join', call)
        members.add(this.name)
        return true
      },
      drain: async () => {},
      leave: async (name, call) => {
        tell(`leave ${name}`, call)
        members.delete(name)
      },
    }
  }

  #view(): EngineView {
    if (this.engine !== 'running') return idle
    const { members } = this.#database
    const member = members.has(this.name)
    return {
      ...idle,
      answers: true,
      ready: member,
      reason: member ? '' : 'in no cluster',
      clusterId: member ? 'db' : '',
      members: [...members].map((name) => ({ name, identity: name, voter: true, heard: true })),
    }
  }

  async close(): Promise<void> {
    this.driver.stop()
    this.store.stop()
    this.publisher.stop()
    await this.life
    await this.coordination.close()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

describe('three agents of a dependent: the real loops and a real tree, a double of the engine', () => {
  let server: ServerEnsemble
  let pods: DoubledPod[] = []
  const database = new Database()

  beforeAll(async () => {
    server = await quorateEnsemble({ servers: 1, tickMs: 1_000 })
    await server.start()
    const port = server.clientPorts[0] ?? 0
    pods = [0, 1, 2].map((ordinal) => new DoubledPod(ordinal, port, database))
  }, 60_000)

  afterAll(async () => {
    await Promise.all(pods.map((pod) => pod.close()))
    await server.stop()
  })

  const enabled = (pod: DoubledPod) => pod.driver.decision?.publication?.enabled === true

  it('form one cluster, and take the others into it one after the other', async () => {
    await waitFor('all serve', () => pods.every(enabled), 20_000)
    await waitFor('the intent is gone', () => pods[0]?.store.facts?.intent === null)
    const verbs = database.calls.filter((call) => /bootstrap|join$/.test(call)).sort()
    expect(verbs).toEqual([
      'q-0 bootstrap',
      'q-0 join',
      'q-1 join',
      'q-1 join',
      'q-2 join',
      'q-2 join',
    ])
    expect(pods[1]?.store.facts?.initialized).toMatchObject({ engineClusterId: 'db', by: 'q-0' })
    const elected = () => pods.filter(({ store }) => store.facts?.locks.election?.mine === true)
    await waitFor('one is elected', () => elected().length === 1)
  }, 60_000)

  it('give an engine that was killed another permit', async () => {
    const [, second] = pods
    if (second === undefined) throw new Error('no q-1')
    second.engine = 'asking'
    await waitFor('q-1 serves again', () => second.engine === 'running' && enabled(second))
    expect(database.calls.at(-1)).toBe('q-1 resume')
  }, 60_000)

  it('remove a member when the set was scaled down, under its tombstone, and take it back', async () => {
    const third = pods[2]
    if (third === undefined) throw new Error('no q-2')
    database.view = { ...database.view, replicas: 2 }
    await third.driver.prestop()
    expect(database.calls.at(-1)).toBe('q-2 leave q-2')
    expect([...database.members].sort()).toEqual(['q-0', 'q-1'])
    const tombstone = () => pods[0]?.store.facts?.tombstones['q-2']
    await waitFor('the tombstone', () => tombstone()?.identity === 'q-2')
    database.view = { ...database.view, replicas: 3 }
    third.engine = 'asking'
    await waitFor('q-2 serves again', () => third.engine === 'running' && enabled(third))
    await waitFor('the tombstone is gone', () => tombstone() === undefined)
  }, 60_000)
})
