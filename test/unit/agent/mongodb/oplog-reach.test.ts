import { Timestamp } from 'bson'
import { beforeEach, describe, expect, it } from 'vitest'
import { OplogReach, type Standing } from '../../../../agent/engines/mongodb/oplog-reach.ts'
import { limits } from '../../../../agent/limits.ts'

describe('how far oplogs reach back', () => {
  /** When the first operation was that each server has, in seconds; one that is not listed does not answer. */
  let oplogs: Record<string, number | null>
  let nowMs: number
  let asked: string[]
  let reach: OplogReach

  const at = (place: string) => ({
    asAgent: async (command: object) => {
      asked.push(place)
      expect(command).toMatchObject({ serverStatus: 1, oplog: 1 })
      const began = oplogs[place]
      if (began === undefined) throw new Error('no answer')
      return began === null ? {} : { oplog: { earliestOptime: new Timestamp({ t: began, i: 7 }) } }
    },
    close: () => {},
  })
  const stands = (changes: Partial<Standing> = {}) =>
    reach.isStale({ recovers: true, lastMs: 99_000, primary: 'a', sources: ['a', 'b'], ...changes })

  beforeEach(() => {
    oplogs = { a: 100, b: 120 }
    nowMs = 1_000
    asked = []
    reach = new OplogReach({ at, nowMs: () => nowMs })
  })

  it('is asked when a member has not gone on for long, and not at each look', async () => {
    expect(await stands()).toBe(false)
    nowMs += limits.mongodbStaleMs - 1
    expect(await stands()).toBe(false)
    expect(asked).toEqual([])
    nowMs += 1
    expect(await stands()).toBe(true)
    expect(asked).toEqual(['a', 'b'])
    nowMs += limits.mongodbStaleEveryMs - 1
    expect(await stands()).toBe(true)
    expect(asked).toHaveLength(2)
    nowMs += 1
    oplogs = { a: 90, b: 120 }
    expect(await stands()).toBe(false)
  })

  it.each<[string, Partial<Standing>, Record<string, number | null>, boolean]>([
    ['nobody’s does', {}, { a: 100, b: 100 }, true],
    ['in the same second nothing is sure', {}, { a: 99, b: 100 }, false],
    ['another than the primary has it still', {}, { a: 100, b: 98 }, false],
    ['another is away, and may not come back', {}, { a: 100 }, true],
    ['the primary does not answer', {}, { b: 100 }, false],
    ['the primary does not say', {}, { a: null, b: 100 }, false],
    ['there is no primary', { primary: null }, { a: 100, b: 100 }, false],
    ['the member leads or follows', { recovers: false }, { a: 100, b: 100 }, false],
    ['where it is is not known', { lastMs: null }, { a: 100, b: 100 }, false],
  ])('%s', async (_, changes, servers, stale) => {
    oplogs = servers
    await stands(changes)
    nowMs += limits.mongodbStaleMs
    expect(await stands(changes)).toBe(stale)
  })

  it('is nothing to a member that goes on, however slowly', async () => {
    for (let second = 90; second < 99; second += 1) {
      expect(await stands({ lastMs: 1_000 * second })).toBe(false)
      nowMs += limits.mongodbStaleMs - 1
    }
    expect(await stands({ recovers: false })).toBe(false)
    expect(await stands({ lastMs: 98_000 })).toBe(false)
    expect(asked).toEqual([])
  })
})
