import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leaseStatus, negotiated, newLease, renewed } from '../../../agent/core/lease.ts'

describe('the lease clock', () => {
  it('holds for two thirds, is suspended, and is lost at the timeout', () => {
    const lease = renewed(newLease(9_000), 1_000, 1_000)
    const at = (silentMs: number) => leaseStatus(lease, 1_000 + silentMs)
    expect([0, 5_999, 6_000, 8_999, 9_000].map(at)).toEqual([
      'held',
      'held',
      'suspended',
      'suspended',
      'lost',
    ])
  })

  it('has no status before the first proof', () => {
    expect(leaseStatus(newLease(9_000), 50_000)).toBe('none')
  })

  it('counts with the timeout that the server granted', () => {
    const lease = renewed(negotiated(newLease(9_000), 30_000, 0), 0, 0)
    expect(leaseStatus(lease, 9_000)).toBe('held')
  })

  it('never ends later than the server, whatever the order of proofs', () => {
    const sent = fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(sent, fc.integer({ min: 0, max: 40_000 }), (times, nowMs) => {
        const lease = times.reduce(
          (before, sentAtMs) => renewed(before, sentAtMs, sentAtMs),
          newLease(4_000),
        )
        // The server heard each of them no earlier than it was sent.
        const serverExpiresAtMs = Math.max(...times) + 4_000
        if (nowMs >= serverExpiresAtMs) expect(leaseStatus(lease, nowMs)).toBe('lost')
      }),
    )
  })

  it('stays lost, whatever is answered afterwards', () => {
    const lease = renewed(newLease(1_500), 0, 10)
    expect(leaseStatus(lease, 1_500)).toBe('lost')
    // Sent before the loss, answered after it; and sent after it.
    expect(leaseStatus(renewed(lease, 1_400, 1_500), 1_501)).toBe('lost')
    expect(leaseStatus(renewed(lease, 1_510, 1_520), 1_521)).toBe('lost')
    expect(leaseStatus(negotiated(lease, 30_000, 1_500), 1_501)).toBe('lost')
  })
})
