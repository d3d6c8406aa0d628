import { describe, expect, it } from 'vitest'
import { QuorumClock } from '../../../server/ensemble/quorum-clock.ts'
import { Distribution } from '../../../server/measure.ts'

describe('the clock of a quorum', () => {
  it('measures each proposal until the commit that reaches it', () => {
    const took = new Distribution()
    const clock = new QuorumClock(took)
    clock.proposed(4, 100)
    clock.proposed(5, 110)
    clock.proposed(6, 120)
    clock.committed(3, 125)
    expect(took.count).toBe(0)
    clock.committed(5, 130)
    expect([took.count, took.min, took.max]).toEqual([2, 20, 30])
    clock.committed(6, 125)
    expect([took.count, took.min, took.sum]).toEqual([3, 5, 55])
  })

  it('says nothing of what a change of leader may have replaced', () => {
    const took = new Distribution()
    const clock = new QuorumClock(took)
    clock.proposed(4, 100)
    clock.leadershipChanged()
    clock.committed(9, 200)
    expect(took.count).toBe(0)
  })
})
