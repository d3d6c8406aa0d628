import fc from 'fast-check'
import { describe, it } from 'vitest'
import { formsNoSecond, formsOne, kinds } from './dependents-play.ts'

/** In CI one seed, so that a failure is the change's; `npm run soak dependents-interleavings` plays 10,000. */
const RUNS = Number(process.env['INTERLEAVINGS_RUNS'] ?? 100)
const SEED = Number(process.env['INTERLEAVINGS_SEED'] ?? 1)
const options = { numRuns: RUNS, seed: SEED }

describe.each(kinds)('interleavings: $name', (kind) => {
  it('form one cluster, ever, which becomes whole again', () => {
    fc.assert(formsOne(kind), options)
  }, 3_600_000)

  it('form no second one, whatever disks are lost, and the tree', () => {
    fc.assert(formsNoSecond(kind), options)
  }, 3_600_000)
})
