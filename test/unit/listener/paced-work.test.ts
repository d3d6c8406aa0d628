import { describe, expect, it } from 'vitest'
import { PacedWork } from '../../../server/listener/paced-work.ts'

/** Resolves when what was set for the next turn of the event loop is done. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('paced work', () => {
  it('is done in its order, so many pieces in a turn of the event loop', async () => {
    const work = new PacedWork(3)
    const done: number[] = []
    for (let n = 0; n < 8; n += 1) work.add(() => done.push(n))
    expect(done).toEqual([])
    for (const sum of [3, 6, 8]) {
      await turn()
      expect(done).toEqual([0, 1, 2, 3, 4, 5, 6, 7].slice(0, sum))
    }
  })

  it('takes more while it is at it, and no more in a turn for that', async () => {
    const work = new PacedWork(2)
    let done = 0
    const again = () => {
      done += 1
      if (done < 7) work.add(again)
    }
    work.add(again)
    work.add(again)
    let before = 0
    while (done < 8) {
      await turn()
      expect(done - before).toBeLessThanOrEqual(2)
      before = done
    }
    work.add(() => {
      done = 100
    })
    await turn()
    expect(done).toBe(100)
  })
})
