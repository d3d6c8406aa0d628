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

const AFTER_MS = 20_000

describe('a broker whose cluster is in the tree', () => {
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-kafka-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('is not waited for when the tree has been away for long: it would look there for its controller', async () => {
    const tree = { isUp: false }
    const asked = async () => {
      if (!tree.isUp) throw new AgentError('TREE_UNREACHABLE', 'no session')
    }
    const coordination: Pick<Coordination, 'read' | 'barrier'> = {
      barrier: asked,
      read: async () => {
        await asked()
        return null
      },
    }
    let nowMs = 0
    const flags = { engine: 'kafka', pod: 'k-1', tree: '127.0.0.1:1', kafkaMode: 'zookeeper' }
    const permitPipe = join(directory, 'permit')
    const engine = kafkaEngine({
      config: loadAgentConfig({ environment: {}, flags: { ...flags, permitPipe, kafkaPort: '1' } }),
      disk: new MemberDisk([directory]),
      coordination: coordination as Coordination,
      logger: pino({ level: 'silent' }),
      nowMs: () => nowMs,
    })
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
})
