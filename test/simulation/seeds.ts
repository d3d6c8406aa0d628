import { describe, expect, it } from 'vitest'
import { runSeed } from './simulation.ts'

/** A test for each seed of a range. */
export function seedTests(from: number, to: number): void {
  describe(`the ensemble under seeds ${from} to ${to}`, () => {
    for (let seed = from; seed <= to; seed += 1) seedTest(seed)
  })
}

export function seedTest(seed: number): void {
  it(`keeps its promises with seed ${seed}`, () => {
    const { violation, virtualMs, operations } = runSeed(seed)
    if (violation !== null) {
      expect.fail(`${violation.message}\n  npm run simulate -- --seed ${seed} --trace`)
    }
    expect(virtualMs).toBeGreaterThanOrEqual(60_000)
    expect(operations).toBeGreaterThanOrEqual(200)
  })
}
