import { describe, expect, it } from 'vitest'
import { halfOpen } from '../soak/half-open.ts'

/** The short form of `npm run soak half-open`, on a machine that does other things too. */
describe('handshakes that are begun and never ended', () => {
  it('are all ended by the server, which serves others meanwhile', {
    timeout: 240_000,
  }, async () => {
    const { wrongs, rounds } = await halfOpen({
      connections: 500,
      pingP99MsMax: 1_000,
      residentShareMax: 1.5,
      warmUps: 1,
      rounds: [['tls', 'plain']],
    })
    expect(wrongs).toEqual([])
    expect(rounds).toMatchObject([{ opened: 500, failed: 0 }])
  })
})
