import { describe } from 'vitest'
import { seedTest, seedTests } from './seeds.ts'

seedTests(151, 300)

/** Seeds beyond the first 300 that once found a bug. */
describe('seeds that failed once', () => {
  for (const seed of [1391, 2193, 3493]) seedTest(seed)
})
