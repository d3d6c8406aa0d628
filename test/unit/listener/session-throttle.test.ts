import { describe, expect, it } from 'vitest'
import { ServerStats } from '../../../server/listener/server-stats.ts'
import {
  SessionThrottle,
  type SessionThrottleOptions,
  UNTHROTTLED,
} from '../../../server/listener/session-throttle.ts'
import { ListenerHarness } from './client-harness.ts'

function throttled(options: Partial<SessionThrottleOptions>) {
  const stats = new ServerStats()
  const time = { nowMs: 1_000, random: 0.5 }
  const environment = { nowMs: () => time.nowMs, random: () => time.random }
  const throttle = new SessionThrottle({ ...UNTHROTTLED, ...options }, environment, stats)
  /** How many of `count` clients are admitted at once. */
  const admitted = (count: number, renewed = false) =>
    Array.from({ length: count }, () => throttle.admits(renewed)).filter(Boolean).length
  return { stats, time, admitted }
}

describe('sessions that are asked for', () => {
  it('are all admitted without a limit', () => {
    const { stats, admitted } = throttled({})
    expect(admitted(1_000)).toBe(1_000)
    expect(stats.connectionsRejected).toBe(0)
    expect([stats.tokenDeficit.count, stats.tokenDeficit.max]).toEqual([1_000, 0])
  })

  it('are a burst at most, and then as many as tokens come, up to a burst again', () => {
    const { stats, time, admitted } = throttled({ tokensMax: 10, fillMs: 100, fillCount: 5 })
    expect(admitted(12)).toBe(10)
    expect(stats.connectionsRejected).toBe(2)
    expect(stats.tokenDeficit.max).toBe(10)
    time.nowMs += 100
    expect(admitted(10)).toBe(0)
    time.nowMs += 1
    expect(admitted(10)).toBe(5)
    time.nowMs += 1_000_000
    expect(admitted(100)).toBe(10)
  })

  it('count by their weight, in bursts of new ones', () => {
    const weights = { fresh: 3, renewed: 2 }
    const options = { tokensMax: 10, fillMs: 100, fillCount: 2, weights }
    expect(throttled(options).admitted(100)).toBe(10)
    expect(throttled(options).admitted(100, true)).toBe(15)
    const { time, admitted } = throttled(options)
    admitted(10)
    time.nowMs += 101
    expect(admitted(100, true)).toBe(3)
  })

  it('are refused by chance, ever more while nothing is left, and less when enough is', () => {
    const options = { freezeMs: 50, dropIncrease: 0.4, dropDecrease: 0.1, decreaseRatio: 0.5 }
    const { stats, time, admitted } = throttled({
      tokensMax: 4,
      fillMs: 100,
      fillCount: 1,
      ...options,
    })
    expect(admitted(4)).toBe(4)
    time.nowMs += 51
    admitted(1)
    expect(stats.dropProbability).toBeCloseTo(0.4)
    admitted(10)
    expect(stats.dropProbability).toBeCloseTo(0.4)
    time.nowMs += 51
    admitted(1)
    time.nowMs += 1_000
    time.random = 0
    // There are tokens again, but by chance it is not this one's turn.
    expect(admitted(1)).toBe(0)
    expect(stats.dropProbability).toBeLessThan(0.4)
    time.random = 0.99
    expect(admitted(1)).toBe(1)
  })

  it('beyond the limit end with a closed connection, no answer and no session', () => {
    const harness = new ListenerHarness()
    const options = { ...UNTHROTTLED, tokensMax: 1, fillMs: 1_000 }
    const throttle = new SessionThrottle(options, harness.environment, harness.stats)
    const first = harness.connect({ throttle })
    first.introduce()
    const second = harness.connect({ throttle })
    second.introduce()
    harness.ensemble.commitAll()
    expect([first.handshake?.timeoutMs, first.closed]).toEqual([10_000, false])
    expect([second.handshake, second.closed]).toEqual([null, true])
    expect(harness.ensemble.machine.sessions.count).toBe(1)
    expect([harness.stats.connectionsRejected, harness.stats.handshakes]).toEqual([1, 1])
  })
})
