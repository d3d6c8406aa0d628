import { describe, expect, it } from 'vitest'
import { reconnectStorm } from '../soak/reconnect-storm.ts'

/** The short form of `npm run soak reconnect-storm`, on a machine that does other things too. */
describe('a storm of reconnects', () => {
  it('loses no session, and takes less of the log than as many new sessions', async () => {
    const { wrongs, fresh, renewed, ratio } = await reconnectStorm({
      sessions: 300,
      rounds: 1,
      pingP99MsMax: 1_000,
    })
    expect(wrongs).toEqual([])
    expect(fresh).toMatchObject([{ sessions: 300, requests: 300 }])
    expect(renewed).toMatchObject([{ sessions: 300, lost: 0, requests: 300 }])
    expect(ratio.logBytes).toBeLessThan(0.75)
  })
})
