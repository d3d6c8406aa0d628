import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination, TreeZnode } from '../../../../agent/coordination/coordination.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { KraftView } from '../../../../agent/core/cluster/kraft-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { kafkaEngine } from '../../../../agent/engines/kafka/kafka-kind.ts'
import { KraftEngine } from '../../../../agent/engines/kafka/kraft-engine.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { limits } from '../../../../agent/limits.ts'
import { observation } from '../observations.ts'
import {
  ANSWERS_IN_SYNC,
  API_VERSIONS,
  DESCRIBE_CONFIGS,
  DESCRIBE_QUORUM,
  quorumOf,
} from './broker-answers.ts'
import { FakeBroker, framed } from './fake-broker.ts'

function engineOf(
  flags: Readonly<Record<string, string>>,
  coordination: Partial<Coordination> = {},
  nowMs: () => number = () => 0,
): KraftEngine {
  const config = loadAgentConfig({
    environment: {},
    flags: { engine: 'kafka', pod: 'k-1', tree: '127.0.0.1:1', kafkaMode: 'kraft', ...flags },
  })
  const engine = kafkaEngine({
    config,
    disk: new MemberDisk(['/nowhere']),
    coordination: coordination as Coordination,
    logger: pino({ level: 'silent' }),
    nowMs,
  })
  if (!(engine instanceof KraftEngine)) throw new Error('not of this mode')
  return engine
}

const initialized = { engineClusterId: 'hZ-3_k', by: 'k-0', at: 1, position: null, expected: 3 }
const intent = { by: 'k-1', incarnation: 1, token: '1', nonce: '-nonce', chosenFrom: {} }

function seen(facts: Partial<ClusterFacts>): Observation<KraftView> {
  const cluster = { initialized: null, intent: null, ...facts } as ClusterFacts
  return observation({ cluster }) as Observation<KraftView>
}

describe('the line that a node is started with', () => {
  const engine = engineOf({})

  it('formats the disk of the founder under the id of its intent', () => {
    expect(engine.permitLine('bootstrap', seen({ intent }))).toBe(
      // No flag to whoever reads it.
      '--format Anonce --standalone node.id=1',
    )
  })

  it('formats the disk of one that joins without a vote', () => {
    expect(engine.permitLine('join', seen({ initialized }))).toBe(
      '--format hZ-3_k --no-initial-controllers node.id=1',
    )
    // Who joins has no part in what another founds.
    expect(() => engine.permitLine('join', seen({ intent }))).toThrow('no cluster id')
  })

  it('never formats a disk that holds a cluster', () => {
    expect(engine.permitLine('resume', seen({ initialized }))).toBe('node.id=1')
    expect(engine.permitLine('resume', observation() as Observation<KraftView>)).toBe('node.id=1')
  })

  it('has its listeners, by the template for all', () => {
    const kafkaAdvertisedListeners = 'IN://{host}:9092,OUT://out:{31090+ordinal}'
    const told = engineOf({ advertisedHost: 'me', kafkaAdvertisedListeners })
    expect(told.permitLine('resume', seen({ initialized }))).toBe(
      'node.id=1 advertised.listeners=IN://me:9092,OUT://out:31091',
    )
  })
})

describe('a node that answers the requests of a connection one after the other', () => {
  const SURVEY_TAKES_MS = 2 * limits.kafkaPatienceMs + 500
  let directory = ''
  let double: FakeBroker
  let nowMs = 0

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-kraft-'))
    nowMs = 0
    double = new FakeBroker()
    const answers: Readonly<Record<number, Buffer>> = {
      ...ANSWERS_IN_SYNC,
      [DESCRIBE_QUORUM]: quorumOf(0, []),
    }
    const turns = new Map<Socket, Promise<void>>()
    double.answer = (socket, id, key) => {
      const takesMs = key === DESCRIBE_CONFIGS ? SURVEY_TAKES_MS : 0
      const turn = (turns.get(socket) ?? Promise.resolve()).then(async () => {
        await new Promise((resolve) => setTimeout(resolve, takesMs))
        socket.write(framed(id, key !== API_VERSIONS, answers[key] ?? Buffer.alloc(0)))
      })
      turns.set(socket, turn)
    }
  })
  afterEach(() => {
    double.close()
    rmSync(directory, { recursive: true })
  })

  it('tells of its quorum while it takes its time to tell of its copies, and then of these', async () => {
    const kafkaPort = String(await double.listen())
    const flags = { kafkaPort, permitPipe: join(directory, 'permit') }
    const engine = engineOf(flags, {}, () => nowMs)
    let turns = 0
    for (let ready = false; !ready; turns += 1) {
      const view = await engine.observe()
      expect(view).toMatchObject({ answers: true, leader: 'k-0' })
      expect(turns).toBeLessThan(10)
      ready = view.ready
      nowMs += limits.kafkaLeaderlessMs / 2
    }
    expect(turns).toBeGreaterThan(2)
    expect(double.keys.filter((key) => key === DESCRIBE_CONFIGS)).toHaveLength(1)
    expect(existsSync(join(directory, 'leaderless'))).toBe(false)
  })
})

describe('a broker whose controllers are a set of their own', () => {
  const PATH = '/members/v1/clusters/c/initialized'
  const flags = { kafkaRole: 'broker', kafkaControllersCluster: 'c', kafkaPort: '1' }

  /** A tree that holds this, or cannot be read. */
  function treeOf(text: string | null, away = false): Partial<Coordination> {
    const znode = (data: string): TreeZnode => {
      return { data: Buffer.from(data), version: 0, owner: '0', czxid: '1' }
    }
    return {
      async barrier() {
        if (away) throw new Error('there is no session now')
      },
      async read(path) {
        return path === PATH && text !== null ? znode(text) : null
      },
    }
  }

  const recordOf = async (tree: Partial<Coordination>) =>
    (await engineOf(flags, tree).observe()).controllersRecord

  it('reads what their agents have put on record', async () => {
    const record = JSON.stringify({ v: 1, ...initialized })
    expect(await recordOf(treeOf(record))).toEqual({ kind: 'known', clusterId: 'hZ-3_k' })
    expect(await recordOf(treeOf(null))).toEqual({ kind: 'known', clusterId: '' })
    expect(await recordOf(treeOf(null, true))).toEqual({
      kind: 'unknown',
      reason: 'there is no session now',
      sinceMs: 0,
    })
    const reason = `${PATH} holds what no agent writes`
    expect(await recordOf(treeOf('{}'))).toEqual({ kind: 'unknown', reason, sinceMs: 0 })
  })

  it('reads nothing where its own set has them', async () => {
    expect(
      (await engineOf({ kafkaPort: '1' }, treeOf(null)).observe()).controllersRecord,
    ).toBeNull()
  })

  it('formats its disk under their id, and none under another', () => {
    const engine = engineOf(flags)
    const told = (clusterId: string) => {
      const controllersRecord = { kind: 'known', clusterId }
      const seenBy = { ...seen({}), engine: { controllersRecord } }
      return engine.permitLine('join', seenBy as unknown as Observation<KraftView>)
    }
    expect(told('hZ-3_k')).toBe('--format hZ-3_k --no-initial-controllers node.id=1')
    expect(() => told('')).toThrow('no cluster id')
  })

  it('has no port of controllers, and has to be told whose brokers they are', () => {
    expect(engineOf(flags).ports).toEqual({ kafka: 1 })
    expect(engineOf({ kafkaPort: '1' }).ports).toEqual({ kafka: 1, controller: 9093 })
    expect(() => engineOf({ ...flags, kafkaControllersCluster: '' })).toThrow(
      'kafkaControllersCluster',
    )
  })

  it('takes no vote away, and asks for none', async () => {
    const engine = engineOf(flags)
    const call = { observation: seen({}), fence: { token: '', check: () => {} } }
    expect(await engine.join(call)).toBe(false)
    await expect(engine.leave('k-1000', call)).resolves.toBeUndefined()
  })
})
