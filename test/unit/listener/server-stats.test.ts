import { describe, expect, it } from 'vitest'
import { creation, ListenerHarness } from './client-harness.ts'

describe('what a server counts of its clients', () => {
  it('every byte that comes and goes, and of them those of watch events', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    const { stats } = harness
    // A connect request has 45 bytes, and its answer 37, behind a length.
    expect([stats.bytesReceived, stats.bytesSent, stats.watchBytes]).toEqual([49, 41, 0])
    client.read(1, { kind: 'exists', path: '/a', watch: true })
    const before = stats.bytesSent
    harness.ensemble.applyForeign(creation('/a'))
    expect(stats.watchBytes).toBe(client.writes.at(-1))
    expect(stats.bytesSent - before).toBe(stats.watchBytes)
    expect(stats.bytesSent).toBe(client.writes.reduce((sum, bytes) => sum + bytes, 0))
  })

  it('handshakes, those with a session, and those while it served nobody', () => {
    const harness = new ListenerHarness()
    const { stats, ensemble } = harness
    const client = harness.open()
    const { sessionId = 0, password = new Uint8Array(16) } = client.handshake ?? {}
    harness.connect().introduce({ sessionId: Number(sessionId), password })
    expect([stats.handshakes, stats.revalidations, stats.closedNotServing]).toEqual([2, 1, 0])
    ensemble.ready = false
    const refused = harness.connect()
    refused.introduce()
    expect(refused.closed).toBe(true)
    expect([stats.handshakes, stats.revalidations, stats.closedNotServing]).toEqual([2, 1, 1])
  })

  it('how often a client was made to wait', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outstandingMax: 2 })
    client.write(1, creation('/a'))
    expect(harness.stats.throttles).toBe(0)
    client.write(2, creation('/b'))
    expect([harness.stats.throttles, client.connection.interestOps]).toEqual([1, 0])
    harness.ensemble.commitAll()
    expect([harness.stats.throttles, client.connection.interestOps]).toEqual([1, 1])
  })
})
