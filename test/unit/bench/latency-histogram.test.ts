import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../bench/latency-histogram.ts'

describe('LatencyHistogram', () => {
  it('gives quantiles that are at most 1 % above the exact ones', () => {
    const latencies = fc.array(fc.integer({ min: 0, max: 30_000_000 }), { minLength: 1 })
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.01, 0.5, 0.99, 1), (microseconds, share) => {
        const histogram = new LatencyHistogram()
        for (const us of microseconds) histogram.add(us / 1000)
        const sorted = [...microseconds].sort((a, b) => a - b)
        const exact = sorted[Math.max(1, Math.ceil(sorted.length * share)) - 1] ?? 0
        const told = histogram.quantileMs(share) * 1000
        expect(told).toBeGreaterThanOrEqual(exact - 0.001)
        expect(told).toBeLessThanOrEqual(exact * 1.01 + 0.001)
      }),
    )
  })

  it('begins anew after a reset', () => {
    const histogram = new LatencyHistogram()
    histogram.add(5)
    histogram.reset()
    expect([histogram.count, histogram.quantileMs(0.5)]).toEqual([0, 0])
  })
})
