import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { Coordination } from '../../../../agent/coordination/coordination.ts'
import { kafkaEngine } from '../../../../agent/engines/kafka/kafka-kind.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { AgentError } from '../../../../agent/errors.ts'
import { limits } from '../../../../agent/limits.ts'
import { ANSWERS_IN_SYNC, API_VERSIONS, DESCRIBE_CONFIGS } from './broker-answers.ts'
import { FakeBroker, framed } from './fake-broker.ts'

const AFTER_MS = 20_000

describe('a broker whose cluster is in the tree', () => {
  let directory = ''
  let nowMs = 0
  /** What it holds by path, while it is up. */
  let tree = { isUp: false, znodes: new Map<string, string>() }
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-kafka-'))
    nowMs = 0
    tree = { isUp: false, znodes: new Map() }
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  function engineOf(kafkaPort: number) {
    const asked = async () => {
      if (!tree.isUp) throw new AgentError('TREE_UNREACHABLE', 'no session')
    }
    const coordination: Pick<Coordination, 'read' | 'barrier'> = {
      barrier: asked,
      read: async (path) => {
        await asked()
        const data = tree.znodes.get(path)
        if (data === undefined) return null
        return { data: Buffer.from(data), version: 0, owner: '0', czxid: '1' }
      },
    }
    const flags = { engine: 'kafka', pod: 'k-1', tree: '127.0.0.1:1', kafkaMode: 'zookeeper' }
    const own = { permitPipe: join(directory, 'permit'), kafkaPort: String(kafkaPort) }
    return kafkaEngine({
      config: loadAgentConfig({
        environment: {},
        flags: { ...flags, ...own, advertisedHost: 'me' },
      }),
      disk: new MemberDisk([directory]),
      coordination: coordination as Coordination,
      logger: pino({ level: 'silent' }),
      nowMs: () => nowMs,
    })
  }

  it('is not waited for when the tree has been away for long: it would look there for its controller', async () => {
    const engine = engineOf(1)
    const mark = join(directory, 'leaderless')
    await engine.observe()
    nowMs += AFTER_MS - 1
    await engine.observe()
    expect(existsSync(mark)).toBe(false)
    nowMs += 1
    await engine.observe()
    expect(existsSync(mark)).toBe(true)
    tree.isUp = true
    await engine.observe()
    expect(existsSync(mark)).toBe(false)
  })
  describe('that answers', () => {
    let double: FakeBroker
    let engine: ReturnType<typeof engineOf>
    beforeEach(async () => {
      double = new FakeBroker()
      double.answer = (socket, id, key) => {
        socket.write(framed(id, key !== API_VERSIONS, ANSWERS_IN_SYNC[key] ?? Buffer.alloc(0)))
      }
      engine = engineOf(await double.listen())
    })
    afterEach(() => double.close())

    const register = () =>
      tree.znodes.set('/brokers/ids/1', JSON.stringify({ endpoints: ['CLIENT://me:9092'] }))

    it('is not asked for its copies while the tree is away: it would answer from there', async () => {
      expect(await engine.observe()).toMatchObject({ answers: true, ready: false })
      nowMs += limits.kafkaSurveyEveryMs
      await engine.observe()
      expect(double.keys).not.toContain(DESCRIBE_CONFIGS)
      tree.isUp = true
      register()
      expect(await engine.observe()).toMatchObject({ ready: true })
      expect(double.keys).toContain(DESCRIBE_CONFIGS)
    })

    it('is not asked for them either while its own session is gone', async () => {
      tree.isUp = true
      expect(await engine.observe()).toMatchObject({ ready: false })
      expect(double.keys).not.toContain(DESCRIBE_CONFIGS)
    })

    it('does not wait for the tree for ever', async () => {
      await engine.observe()
      nowMs += limits.kafkaBehindMs - 1
      expect(await engine.observe()).toMatchObject({ ready: false })
      nowMs += 1
      expect(await engine.observe()).toMatchObject({ ready: true })
      expect(double.keys).not.toContain(DESCRIBE_CONFIGS)
    })
  })
})
