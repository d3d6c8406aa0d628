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

/** Orders of events that did what must never be, each with what it was. */
const FOUND = [
  {
    what: 'a member that had just joined was cut off before it could say that it has data now',
    name: 'MongoDB',
    seed: 13,
    path: '2994:1:3:1:1:3:1:1:1:1:1:1:1:1:1:1:1:1',
  },
]

describe.each(FOUND)('an order that was found: $what', ({ name, seed, path }) => {
  it.each(kinds.filter((kind) => kind.name === name))('forms no second $name', (kind) => {
    fc.assert(formsNoSecond(kind), { numRuns: 1, seed, path, endOnFailure: true })
  })
})
