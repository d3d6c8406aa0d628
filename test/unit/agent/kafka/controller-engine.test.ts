import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import type { ControllersView } from '../../../../agent/core/cluster/controllers-plan.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { UNFENCED } from '../../../../agent/engines/engine.ts'
import { ControllerEngine } from '../../../../agent/engines/kafka/controller-engine.ts'
import { kafkaEngine } from '../../../../agent/engines/kafka/kafka-kind.ts'
import { KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { observation, set } from '../observations.ts'
import { API_VERSIONS, DESCRIBE_QUORUM, quorumOf } from './broker-answers.ts'
import { alive, FakeBroker, framed } from './fake-broker.ts'

const DESCRIBE_CLUSTER = 60
const ADD_VOTER = 80
const REMOVE_VOTER = 81
const NOT_LEADER = 6

const directory = (n: number) => Buffer.alloc(16, n).toString('base64url')
const CLUSTER = directory(9)
const LEADER_CLOCK = 5_000_000

interface Node {
  readonly id: number
  readonly directoryId: string
  /** How long it has been behind, by the leader's clock. */
  readonly behindMs: number
}

/** Controllers as doubles: each tells who leads, and whoever leads tells of the quorum. */
class FakeQuorum {
  readonly controllers: FakeBroker[] = []
  readonly ports: number[] = []
  leader = -1
  voters: Node[] = []
  observers: Node[] = []

  async listen(count: number): Promise<void> {
    for (let id = 1000; id < 1000 + count; id += 1) {
      const double = new FakeBroker()
      double.answer = (socket, request, key) => {
        socket.write(framed(request, key !== API_VERSIONS, this.#answer(id, key)))
      }
      this.controllers.push(double)
      this.ports.push(await double.listen())
    }
  }

  close(): void {
    for (const controller of this.controllers) controller.close()
  }

  #answer(id: number, key: number): Buffer {
    if (key === API_VERSIONS) return alive
    if (key === DESCRIBE_CLUSTER) return this.#cluster()
    if (key === DESCRIBE_QUORUM) return this.#quorum(id === this.leader ? 0 : NOT_LEADER)
    const error = id === this.leader ? 0 : NOT_LEADER
    return new KafkaWriter().int32(0).int16(error).string(null).end().finish()
  }

  #cluster(): Buffer {
    const writer = new KafkaWriter().int32(0).int16(0).string(null).int8(2).string(CLUSTER)
    writer.int32(this.leader).array([...this.ports.entries()], ([i, port]) => {
      writer
        .int32(1000 + i)
        .string('127.0.0.1')
        .int32(port)
        .string(null)
        .end()
    })
    return writer.int32(0).end().finish()
  }

  #quorum(error: number): Buffer {
    const replica = ({ behindMs, ...node }: Node) => {
      return { ...node, caughtUpAt: behindMs < 0 ? -1 : LEADER_CLOCK - behindMs }
    }
    return quorumOf(this.leader, this.voters.map(replica), this.observers.map(replica), error)
  }
}

let quorum: FakeQuorum
let data: string
let nowMs: number

beforeEach(async () => {
  quorum = new FakeQuorum()
  await quorum.listen(2)
  data = mkdtempSync(join(tmpdir(), 'quorate-controller-'))
  nowMs = 100_000
  onDisk(directory(2))
})

afterEach(() => {
  quorum.close()
  rmSync(data, { recursive: true })
})

function onDisk(directoryId: string): void {
  mkdirSync(join(data, 'logs'), { recursive: true })
  const lines = [`cluster.id=${CLUSTER}`, 'node.id=1001', `directory.id=${directoryId}`]
  writeFileSync(join(data, 'logs', 'meta.properties'), lines.join('\n'))
}

/** The agent of the second of them. */
function engineOf(flags: Readonly<Record<string, string>> = {}): ControllerEngine {
  const config = loadAgentConfig({
    environment: {},
    flags: {
      ...{ engine: 'kafka', pod: 'c-1', tree: '127.0.0.1:1', kafkaMode: 'kraft' },
      ...{ kafkaRole: 'controller', kafkaFirstId: '1000', dataDirectory: data },
      ...{ advertisedHost: 'c-1.c', kafkaControllerPort: String(quorum.ports[1]), ...flags },
    },
  })
  const engine = kafkaEngine({
    config,
    disk: new MemberDisk([data]),
    coordination: {} as Coordination,
    logger: pino({ level: 'silent' }),
    nowMs: () => nowMs,
  })
  if (!(engine instanceof ControllerEngine)) throw new Error('no controller')
  return engine
}

const first: Node = { id: 1000, directoryId: directory(1), behindMs: 0 }
const second: Node = { id: 1001, directoryId: directory(2), behindMs: 400 }

describe('what is seen of a controller', () => {
  it('is told by whoever leads, which the local one knows', async () => {
    quorum.leader = 1000
    quorum.voters = [first, second]
    expect(await engineOf().observe()).toEqual({
      answers: true,
      retired: false,
      ready: true,
      reason: '',
      clusterId: CLUSTER,
      leads: false,
      leader: 'c-0',
      role: 'controller',
      generation: 4,
      members: [
        { name: 'c-0', identity: directory(1), voter: true, heard: true },
        { name: 'c-1', identity: directory(2), voter: true, heard: true },
      ],
      votes: true,
      caughtUpAtMs: { 'c-0': 100_000, 'c-1': 99_600 },
    })
    expect(quorum.controllers[1]?.keys).not.toContain(DESCRIBE_QUORUM)
  })

  it('is told by itself where it leads, and by the next leader after it', async () => {
    const engine = engineOf()
    quorum.leader = 1001
    quorum.voters = [
      { ...first, behindMs: 6_000 },
      { ...second, behindMs: 0 },
    ]
    const view = await engine.observe()
    expect(view).toMatchObject({ leads: true, leader: 'c-1', role: 'leader', ready: true })
    expect(view.members.map(({ heard }) => heard)).toEqual([false, true])
    quorum.leader = 1000
    quorum.voters = [first, second]
    expect(await engine.observe()).toMatchObject({ leads: false, leader: 'c-0', votes: true })
  })

  it('is not ready without a leader, nor behind it, and alive all the same', async () => {
    const engine = engineOf()
    quorum.voters = [first, second]
    const leaderless = await engine.observe()
    expect(leaderless).toMatchObject({ answers: true, ready: false, votes: null, leader: null })
    expect(leaderless.reason).toBe('no controller leads')
    expect(engine.liveness(leaderless)).toBe(true)
    quorum.leader = 1000
    for (const behindMs of [5_001, -1]) {
      quorum.voters = [first, { ...second, behindMs }]
      const view = await engine.observe()
      expect(view).toMatchObject({ ready: false, reason: 'it is behind the leader', votes: true })
    }
  })

  it('has no vote on another disk than the one that votes, and is ready for one', async () => {
    quorum.leader = 1000
    quorum.voters = [first, { ...second, directoryId: directory(7) }]
    const engine = engineOf()
    const reason = 'the leader has not heard of it yet'
    expect(await engine.observe()).toMatchObject({ votes: false, ready: false, reason })
    quorum.observers = [{ ...second, id: 3 }, second]
    expect(await engine.observe()).toMatchObject({ votes: false, ready: true })
  })

  it('is dead when nobody answers', async () => {
    const engine = engineOf({ kafkaControllerPort: '1' })
    const view = await engine.observe()
    expect(view).toMatchObject({ answers: false, ready: false, votes: null })
    expect(engine.liveness(view)).toBe(false)
  })
})

describe('the line that a controller is started with', () => {
  const seen = (facts: Partial<ClusterFacts>) => {
    const cluster = { initialized: null, intent: null, ...facts } as ClusterFacts
    return observation({ cluster }) as Observation<ControllersView>
  }
  const intent = { by: 'c-1', incarnation: 1, token: '1', nonce: '-nonce', chosenFrom: {} }
  const initialized = { engineClusterId: 'hZ-3_k', by: 'c-0', at: 1, position: null, expected: 3 }

  it('has its id, its address, and what is done to an empty disk', () => {
    const engine = engineOf({ kafkaControllerPort: '9093' })
    const own = 'node.id=1001 advertised.listeners=CONTROLLER://c-1.c:9093'
    expect(engine.permitLine('resume', seen({ initialized }))).toBe(own)
    expect(engine.permitLine('join', seen({ initialized }))).toBe(
      `--format hZ-3_k --no-initial-controllers ${own}`,
    )
    expect(engine.permitLine('bootstrap', seen({ intent }))).toBe(
      `--format Anonce --standalone ${own}`,
    )
    expect(() => engine.permitLine('join', seen({ intent }))).toThrow('no cluster id')
  })
})

describe('the votes of controllers', () => {
  const keysOfLeader = () =>
    quorum.controllers[0]?.keys.filter((key) => key === ADD_VOTER || key === REMOVE_VOTER)
  const disk = (incarnation: string) =>
    ({ kind: 'member', clusterId: CLUSTER, incarnation, departed: false }) as const
  const call = (incarnation: string, statefulSet = set({ replicas: 3 })) => {
    const self = { set: 'c', pod: 'c-1', ordinal: 1 }
    const seen = { ...observation(), self, statefulSet, disk: disk(incarnation) }
    return { observation: seen as Observation<ControllersView>, fence: UNFENCED }
  }

  beforeEach(() => {
    quorum.leader = 1000
    quorum.voters = [first]
  })

  it('are asked of the leader, and not twice', async () => {
    const engine = engineOf()
    await engine.observe()
    expect(await engine.join(call(directory(2)))).toBe(true)
    expect(keysOfLeader()).toEqual([ADD_VOTER])
    quorum.voters = [first, second]
    expect(await engine.join(call(directory(2)))).toBe(false)
    expect(keysOfLeader()).toEqual([ADD_VOTER])
  })

  it('move from the disk that was lost to the one that took its place', async () => {
    const engine = engineOf()
    await engine.observe()
    quorum.voters = [first, second]
    expect(await engine.join(call(directory(5)))).toBe(true)
    expect(keysOfLeader()).toEqual([REMOVE_VOTER, ADD_VOTER])
  })

  it('are not for one whose ordinal the set does not run', async () => {
    const engine = engineOf()
    await engine.observe()
    expect(await engine.join(call(directory(2), set({ replicas: 1 })))).toBe(false)
    expect(keysOfLeader()).toEqual([])
  })

  it('are taken away from members of this set alone', async () => {
    const engine = engineOf()
    await engine.observe()
    quorum.voters = [first, second]
    await engine.leave('k-1', call(directory(2)))
    await engine.leave('c-2', call(directory(2)))
    expect(keysOfLeader()).toEqual([])
    await engine.leave('c-1', call(directory(2)))
    expect(keysOfLeader()).toEqual([REMOVE_VOTER])
  })

  it('are not given by a lock that is lost', async () => {
    const engine = engineOf()
    await engine.observe()
    const check = () => {
      throw new Error('fenced')
    }
    const fenced = { ...call(directory(2)), fence: { token: '', check } }
    await expect(engine.join(fenced)).rejects.toThrow('fenced')
    expect(keysOfLeader()).toEqual([])
  })
})
