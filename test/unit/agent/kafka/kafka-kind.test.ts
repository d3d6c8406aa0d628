import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination, TreeZnode } from '../../../../agent/coordination/coordination.ts'
import { KafkaEngine } from '../../../../agent/engines/kafka/kafka-engine.ts'
import { kafkaEngine } from '../../../../agent/engines/kafka/kafka-kind.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { AgentError } from '../../../../agent/errors.ts'
import { CertificateAuthority } from '../../../support/certificates.ts'
import { alive, FakeBroker, framed } from './fake-broker.ts'

function znode(value: unknown): TreeZnode {
  return { data: Buffer.from(JSON.stringify(value)), version: 0, owner: '1', czxid: '1' }
}

/** A double of the tree that can only be read. */
class FakeTree {
  readonly znodes = new Map<string, TreeZnode>()
  away = false

  async barrier(): Promise<void> {
    if (this.away) throw new AgentError('TREE_UNREACHABLE', 'there is no session now')
  }

  async read(path: string): Promise<TreeZnode | null> {
    return this.znodes.get(path) ?? null
  }
}

function engineOf(flags: Readonly<Record<string, string>>, tree = new FakeTree()): KafkaEngine {
  const config = loadAgentConfig({
    environment: {},
    flags: { engine: 'kafka', pod: 'k-2', tree: '127.0.0.1:1', kafkaPort: '1', ...flags },
  })
  const engine = kafkaEngine({
    config,
    disk: new MemberDisk(['/nowhere']),
    coordination: tree as unknown as Coordination,
    logger: pino({ level: 'silent' }),
    nowMs: () => performance.now(),
  })
  if (!(engine instanceof KafkaEngine)) throw new Error('not of this mode')
  return engine
}

describe('the line that a broker is started with', () => {
  it('has its id', () => {
    expect(engineOf({}).permitLine()).toBe('--override broker.id=2')
    expect(engineOf({ kafkaFirstId: '100' }).permitLine()).toBe('--override broker.id=102')
  })

  it('has its listeners, by the template for all', () => {
    const kafkaAdvertisedListeners = 'IN://{host}:9092,OUT://node-{ordinal}.{pod}:{31090+ordinal}'
    const engine = engineOf({ kafkaAdvertisedListeners, advertisedHost: 'k-2.k.db.svc' })
    expect(engine.permitLine()).toBe(
      '--override broker.id=2 --override advertised.listeners=IN://k-2.k.db.svc:9092,OUT://node-2.k-2:31092',
    )
  })

  it('is nothing that a shell would run', () => {
    const engine = engineOf({ kafkaAdvertisedListeners: 'IN://{host}:9092;reboot' })
    expect(() => engine.permitLine()).toThrow('unsafe')
  })
})

describe('a broker that does not answer', () => {
  it('is not alive and not ready, and shows what the tree says of it', async () => {
    const tree = new FakeTree()
    tree.znodes.set('/kafka/cluster/id', znode({ version: '1', id: 'c1' }))
    const endpoints = [
      'IN://k-2.k.db.svc:9092',
      'OUT://[fd00::7]:31092',
      'ADMIN://k-2.k.db.svc:9093',
    ]
    const engine = engineOf({ kafkaRoot: '/kafka/' }, tree)
    const view = await engine.observe()
    expect(view).toMatchObject({
      answers: false,
      ready: false,
      brokerId: 2,
      members: [],
      tree: { kind: 'known', clusterId: 'c1', registered: null },
    })
    expect(engine.liveness(view)).toBe(false)
    tree.znodes.set('/kafka/brokers/ids/2', znode({ version: 5, endpoints }))
    expect((await engine.observe()).tree).toMatchObject({
      registered: ['k-2.k.db.svc', '[fd00::7]'],
    })
    tree.znodes.set('/kafka/brokers/ids/2', znode({ version: 5 }))
    expect((await engine.observe()).tree).toMatchObject({ kind: 'unknown' })
    tree.away = true
    expect((await engine.observe()).tree).toEqual({
      kind: 'unknown',
      reason: 'there is no session now',
    })
  })
})

describe('a broker with TLS', () => {
  const host = 'k-2.k.db.svc'

  /** What the agent sees of a broker whose certificate has this name, with the files of this authority. */
  async function answers(name: string, trusted = own): Promise<boolean> {
    const { certificate, key } = own.issue({ names: `DNS:${name}` })
    const [ca, cert] = [readFileSync(own.certificate), readFileSync(certificate)]
    const checked = { requestCert: true, rejectUnauthorized: true }
    const broker = new FakeBroker({ ...checked, ca, cert, key: readFileSync(key) })
    broker.answer = (socket, id, code) => code === 18 && socket.write(framed(id, false, alive))
    const shown = trusted.issue({ names: `DNS:${host}` })
    const engine = engineOf({
      advertisedHost: host,
      kafkaPort: String(await broker.listen()),
      kafkaCaFile: trusted.certificate,
      kafkaCertificateFile: shown.certificate,
      kafkaKeyFile: shown.key,
    })
    expect(engine.clientPorts).toMatchObject({ port: null, sslPort: expect.any(Number) })
    const view = await engine.observe()
    broker.close()
    return view.answers
  }

  let own: CertificateAuthority
  let other: CertificateAuthority
  beforeAll(() => {
    own = new CertificateAuthority()
    other = new CertificateAuthority('Another authority')
  })
  afterAll(() => {
    own.remove()
    other.remove()
  })

  it('is believed under the name of the pod, by its own authority alone', async () => {
    expect(await answers(host)).toBe(true)
    expect(await answers('k-1.k.db.svc')).toBe(false)
    expect(await answers(host, other)).toBe(false)
  })
})
