import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Catch, MUTANTS, mutantNames, runMutant } from './mutants.ts'

const recorded = JSON.parse(readFileSync(join(MUTANTS, 'results.json'), 'utf8')) as {
  readonly seeds: { readonly from: number; readonly to: number }
  readonly catches: readonly Catch[]
}

/** The whole range is `npm run simulate -- --mutants`; here each meets the seed that caught it. */
describe('deliberate bugs', () => {
  it('are all recorded as caught within seeds 1 to 300', () => {
    expect(recorded.seeds).toEqual({ from: 1, to: 300 })
    expect(recorded.catches.map(({ mutant }) => mutant)).toEqual(mutantNames())
    expect(recorded.catches.filter(({ caught }) => caught === null)).toEqual([])
  })

  for (const { mutant, caught } of recorded.catches) {
    it(`${mutant} is caught by seed ${caught?.seed}`, async () => {
      if (caught === null) return expect.fail('never caught')
      const again = await runMutant(mutant, { from: caught.seed, to: caught.seed })
      expect(again.caught).toEqual(caught)
    })
  }
})
