import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { becomesWhole, engines, formsNoSecond } from './dependents-campaign.ts'

/** In CI one seed, so that a failure is the change's; `npm run soak dependents-interleavings` plays many. */
const RUNS = Number(process.env['INTERLEAVINGS_RUNS'] ?? 150)
const SEED = Number(process.env['INTERLEAVINGS_SEED'] ?? 1)

describe.each(engines)('interleavings: %s', (_name, modelOf, whole) => {
  const parameters = { numRuns: RUNS, seed: SEED }

  it('form one cluster, ever, which becomes whole again', () => {
    const tally = { runs: 0, healed: 0 }
    fc.assert(becomesWhole(modelOf, whole, tally), parameters)
    // What nobody could make whole says nothing: most can be.
    expect(tally.healed).toBeGreaterThan(tally.runs / 2)
  }, 3_600_000)

  it('form no second one, whatever disks are lost, and the tree', () => {
    fc.assert(formsNoSecond(modelOf, { runs: 0, healed: 0 }), parameters)
  }, 3_600_000)
})
