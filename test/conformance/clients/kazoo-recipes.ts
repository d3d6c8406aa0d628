import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import type { Target } from '../suite/target.ts'
import { CaseProgram } from './case-program.ts'

const RECIPES = [
  ['Lock: in the order of arrival, with a time limit, cancelled, after a death', 'locks'],
  ['ReadLock and WriteLock: shared, alone, and no reader passes a writer', 'read_write_locks'],
  ['Semaphore: two leases for four clients', 'semaphores'],
  ['Election: each in its turn, but for one that gave up', 'elections'],
  ['Party and ShallowParty', 'parties'],
  ['Barrier', 'barriers'],
  ['DoubleBarrier: all in before one is, all leave before one is out', 'double_barriers'],
  ['SetPartitioner: divided anew when one goes and when one comes', 'partitions'],
  ['Queue: by priority, each entry once', 'queues'],
  ['LockingQueue: an entry of a taker that dies is free again', 'locking_queues'],
  ['Counter: four clients lose nothing', 'counters'],
  ['NonBlockingLease and MultiNonBlockingLease', 'leases'],
  ['DataWatch: of a znode that comes, changes, goes and comes again', 'data_watches'],
  ['ChildrenWatch and PatientChildrenWatch', 'children_watches'],
  ['TreeCache', 'tree_caches'],
] as const

const WITHIN_MS = 120_000

/** kazoo's recipes, as they are: one program, whose clients are at all servers, runs each. */
export function kazooRecipes(target: Target, python: string): void {
  let program: CaseProgram | undefined
  beforeAll(() => {
    const script = fileURLToPath(new URL('recipes/recipes.py', import.meta.url))
    const hosts = target.ensemble().clientPorts.map((port) => `127.0.0.1:${port}`)
    program = new CaseProgram(python, ['-B', script, hosts.join(',')])
  })
  afterAll(() => program?.stop())
  const running = () => {
    if (program === undefined) throw new Error('no program')
    return program
  }

  it.each(RECIPES)(
    '%s',
    async (_, name) => {
      await running().run(`${name} /kazoo-recipe-${name}`)
    },
    WITHIN_MS,
  )

  it(
    'Lock, Semaphore, Election, DataWatch and TreeCache go on when the leader is killed',
    async () => {
      const ensemble = target.ensemble()
      const leader = await leaderOf(ensemble)
      const asked: string[] = []
      let down = false
      try {
        await running().run(`survive_a_kill /kazoo-recipe-kill ${leader}`, {
          kill: async () => {
            asked.push('kill')
            await ensemble.kill(leader)
            down = true
          },
          restart: async () => {
            asked.push('restart')
            await ensemble.restart(leader)
            down = false
          },
        })
        expect(asked).toEqual(['kill', 'restart'])
      } finally {
        if (down) await ensemble.restart(leader)
      }
    },
    WITHIN_MS,
  )
}
