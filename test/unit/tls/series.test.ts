import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { addTlsSeries } from '../../../server/metrics/tls-series.ts'

describe('the series of TLS', () => {
  it('tell the kinds of connections apart, and leave out what is not known', async () => {
    const registry = new Registry()
    const client = {
      handshakeFailures: 3,
      reloads: 2,
      reloadFailures: 1,
      expiresInSeconds: (): number | null => 60,
    }
    addTlsSeries(
      registry,
      new Map([
        ['client', client],
        ['peer', { ...client, handshakeFailures: 0, expiresInSeconds: () => null }],
      ]),
    )
    for (let scrape = 0; scrape < 2; scrape += 1) {
      const lines = (await registry.metrics()).split('\n').filter((line) => /^[a-z]/.test(line))
      expect(lines.sort()).toEqual([
        'quorate_tls_certificate_expires_in_seconds{for="client"} 60',
        'quorate_tls_handshake_failures_total{for="client"} 3',
        'quorate_tls_handshake_failures_total{for="peer"} 0',
        'quorate_tls_reload_failures_total{for="client"} 1',
        'quorate_tls_reload_failures_total{for="peer"} 1',
        'quorate_tls_reloads_total{for="client"} 2',
        'quorate_tls_reloads_total{for="peer"} 2',
      ])
    }
  })
})
