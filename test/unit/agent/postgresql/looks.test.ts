import { beforeEach, describe, expect, it } from 'vitest'
import type { PatroniClient } from '../../../../agent/engines/postgresql/patroni-client.ts'
import { PostgresqlEngine } from '../../../../agent/engines/postgresql/postgresql-engine.ts'
import type { RoleLabel } from '../../../../agent/kubernetes/role-label.ts'
import { limits } from '../../../../agent/limits.ts'
import { optionsWith } from './engine-options.ts'

let nowMs: number
/** What Patroni says; null: it does not answer in time. */
let role: string | null
let loops: boolean | null
let wanted: (string | null)[]
let engine: PostgresqlEngine

function engineOf(): PostgresqlEngine {
  return new PostgresqlEngine(
    optionsWith({
      patroni: {
        status: async () => {
          if (role === null) throw new Error('no answer within 1000 ms')
          return { usable: true, is: { state: 'running', role } }
        },
        loops: async () => {
          if (loops === null) throw new Error('no answer within 1000 ms')
          return loops
        },
        members: async () => [],
        replication: async () => ({ synchronous: true, mode: 'synchronous' }),
      } as unknown as PatroniClient,
      label: { want: (to: string | null) => wanted.push(to) } as unknown as RoleLabel,
      nowMs: () => nowMs,
    }),
  )
}

beforeEach(() => {
  nowMs = 1_000_000
  role = 'primary'
  loops = true
  wanted = []
  engine = engineOf()
})

describe('a Patroni', () => {
  const isAlive = async (afterMs = 0) => {
    nowMs += afterMs
    return engine.liveness(await engine.observe())
  }
  const hangs = () => {
    role = null
    loops = null
  }

  it('that has answered and does not any more is dead after a while, until it answers', async () => {
    expect(await isAlive()).toBe(true)
    hangs()
    expect(await isAlive(limits.postgresqlSilentMs - 1)).toBe(true)
    expect(await isAlive(1)).toBe(false)
    loops = true
    expect(await isAlive(1)).toBe(true)
  })

  it('is alive for as long as its API answers, however late the server is', async () => {
    await isAlive()
    role = null
    for (let i = 0; i < 10; i++) expect(await isAlive(limits.postgresqlSilentMs / 2)).toBe(true)
    loops = false
    expect(await isAlive(1_000)).toBe(false)
  })

  it('that nobody has heard yet is alive, also to an agent that began anew', async () => {
    await isAlive()
    hangs()
    engine = engineOf()
    expect(await isAlive(100 * limits.postgresqlSilentMs)).toBe(true)
  })

  it('is given all the time for its first answer after each permit', async () => {
    await isAlive()
    hangs()
    expect(engine.permitLine('resume')).toBe('resume')
    expect(await isAlive(100 * limits.postgresqlSilentMs)).toBe(true)
  })
})

describe('the role that Services select by', () => {
  const look = async (afterMs: number, asking = false) => {
    nowMs += afterMs
    await engine.observe(asking)
    return wanted.at(-1)
  }

  it('outlasts a late answer, and no more than some', async () => {
    expect(await look(0)).toBe('primary')
    role = null
    expect(await look(1_000)).toBe('primary')
    role = 'primary'
    await look(1_000)
    role = null
    await look(limits.postgresqlRoleMs - 1)
    expect([...new Set(wanted)]).toEqual(['primary'])
    expect(await look(1)).toBeNull()
  })

  it('changes with the answer', async () => {
    await look(0)
    role = 'replica'
    expect(await look(1_000)).toBe('replica')
    role = 'demoted'
    expect(await look(1_000)).toBeNull()
  })

  it('goes at once with the process that had it', async () => {
    await look(0)
    role = null
    expect(await look(1_000, true)).toBeNull()
    role = 'primary'
    await look(1_000)
    engine.permitLine('resume')
    expect(wanted.at(-1)).toBeNull()
    role = null
    expect(await look(1_000)).toBeNull()
  })

  it('stays as it was when the agent has begun anew, for as long', async () => {
    role = null
    await look(limits.postgresqlRoleMs - 1)
    expect(wanted).toEqual([])
    expect(await look(1)).toBeNull()
  })
})
