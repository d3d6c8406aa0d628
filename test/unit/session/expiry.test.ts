import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpiryQueue } from '../../../server/core/session/expiry.ts'

const TICK = 50

describe('the queue of expiry', () => {
  it('ends no session early, and none later than a tick', () => {
    const touches = fc.record({
      touchedMs: fc.nat(100_000),
      timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    })
    fc.assert(
      fc.property(touches, fc.integer({ min: 1, max: 500 }), ({ touchedMs, timeoutMs }, tickMs) => {
        const queue = new ExpiryQueue({ tickMs })
        queue.touch(1, timeoutMs, touchedMs)
        const deadlineMs = touchedMs + timeoutMs
        expect(queue.expired(deadlineMs - 1)).toEqual([])
        expect(queue.expired(deadlineMs + tickMs)).toEqual([1])
        expect(queue.count).toBe(0)
      }),
    )
  })

  it('names each session once', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    queue.touch(1, 100, 0)
    expect(queue.expired(1000)).toEqual([1])
    expect(queue.expired(2000)).toEqual([])
    queue.touch(1, 100, 2000)
    expect(queue.expired(3000)).toEqual([1])
  })

  it('moves a session with each touch, forwards and back', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    queue.touch(1, 1000, 0)
    queue.touch(1, 1000, 500)
    expect(queue.expired(1499)).toEqual([])
    expect(queue.count).toBe(1)
    queue.touch(1, 100, 1400)
    expect(queue.expired(1500)).toEqual([1])
  })

  it('takes a touch whose bucket has passed already', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    queue.touch(1, 100, 0)
    expect(queue.expired(10_000)).toEqual([1])
    queue.touch(2, 100, 1000)
    expect(queue.expired(10_000)).toEqual([2])
  })

  it('forgets a session that ended otherwise', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    queue.touch(1, 100, 0)
    queue.touch(2, 100, 0)
    queue.remove(1)
    queue.remove(3)
    expect(queue.count).toBe(1)
    expect(queue.expired(1000)).toEqual([2])
  })

  it('gives every session its full timeout when a leader is new', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    queue.touch(1, 100, 0)
    queue.touch(9, 100, 0)
    const sessions = [
      { id: 1, timeoutMs: 1000 },
      { id: 2, timeoutMs: 2000 },
    ]
    queue.resetAll(50_000, sessions)
    // 9 is no session any more.
    expect(queue.count).toBe(2)
    expect(queue.expired(50_999)).toEqual([])
    expect(queue.expired(51_000)).toEqual([1])
    expect(queue.expired(52_000)).toEqual([2])
  })

  it('names those first that fell silent first', () => {
    const queue = new ExpiryQueue({ tickMs: TICK })
    for (const id of [3, 1, 2]) queue.touch(id, 100, id * TICK)
    expect(queue.expired(10_000)).toEqual([1, 2, 3])
    for (const id of [3, 1, 2]) queue.touch(id, 100, 20_000 + id * TICK)
    expect(queue.expired(20_000)).toEqual([])
    expect(queue.expired(Number.MAX_SAFE_INTEGER)).toEqual([1, 2, 3])
  })

  it('answers at once after the clock leapt by years', () => {
    const queue = new ExpiryQueue({ tickMs: 1 })
    queue.touch(1, 100, 0)
    expect(queue.expired(50)).toEqual([])
    expect(queue.expired(1e14)).toEqual([1])
    queue.touch(2, 100, 1e14)
    expect(queue.expired(2e14)).toEqual([2])
  })

  it('agrees with a list of deadlines, whatever happens', () => {
    const step = fc.record({
      kind: fc.constantFrom('touch', 'touch', 'touch', 'remove', 'expire', 'reset'),
      id: fc.integer({ min: 1, max: 6 }),
      timeoutMs: fc.integer({ min: 1, max: 1000 }),
      afterMs: fc.oneof(fc.nat(300), fc.constant(100_000)),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new ExpiryQueue({ tickMs: TICK })
        const deadlines = new Map<number, number>()
        const bucket = (ms: number): number => Math.ceil(ms / TICK) * TICK
        let nowMs = 12_345
        for (const { kind, id, timeoutMs, afterMs } of steps) {
          nowMs += afterMs
          if (kind === 'touch') {
            queue.touch(id, timeoutMs, nowMs)
            deadlines.set(id, bucket(nowMs + timeoutMs))
          } else if (kind === 'remove') {
            queue.remove(id)
            deadlines.delete(id)
          } else if (kind === 'reset') {
            const ids = [...deadlines.keys()]
            queue.resetAll(
              nowMs,
              ids.map((one) => ({ id: one, timeoutMs })),
            )
            for (const one of ids) deadlines.set(one, bucket(nowMs + timeoutMs))
          } else {
            const due = [...deadlines].filter(([, deadline]) => deadline <= nowMs)
            expect(queue.expired(nowMs).sort()).toEqual(due.map(([one]) => one).sort())
            for (const [one] of due) deadlines.delete(one)
          }
          expect(queue.count).toBe(deadlines.size)
          const told = queue.deadlines()
          const times = told.map(({ atMs }) => atMs)
          expect(times).toEqual([...times].sort((left, right) => left - right))
          const each = told.flatMap(({ atMs, sessions }) => [...sessions].map((one) => [one, atMs]))
          expect(each.sort()).toEqual([...deadlines].sort())
        }
      }),
    )
  })
})
