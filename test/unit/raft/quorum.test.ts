import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { majority, quorumValue, tally, votersOf } from '../../../server/core/raft/quorum.ts'
import { member } from '../../support/raft-cluster.ts'

describe('majority', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [6, 4],
    [7, 4],
  ])('of %i is %i', (voters, needed) => {
    expect(majority(voters)).toBe(needed)
  })

  it('meets every other majority', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (voters) => {
        expect(2 * majority(voters)).toBeGreaterThan(voters)
        expect(2 * (majority(voters) - 1)).toBeLessThanOrEqual(voters)
      }),
    )
  })
})

describe('quorumValue', () => {
  it.each([
    { reached: [], value: -1 },
    { reached: [7], value: 7 },
    { reached: [7, 3], value: 3 },
    { reached: [7, 3, 5], value: 5 },
    { reached: [0, 0, 9], value: 0 },
    { reached: [9, 9, 0], value: 9 },
    { reached: [4, 1, 3, 2], value: 2 },
    { reached: [5, 1, 4, 2, 3], value: 3 },
    { reached: [-10, 0, -2], value: -2 },
    { reached: [10, 9, 100, 2, 1], value: 9 },
  ])('of $reached is $value', ({ reached, value }) => {
    const voters = reached.map((_, i) => String(i))
    expect(quorumValue(voters, (voter) => reached[Number(voter)] ?? 0)).toBe(value)
  })

  it('is the greatest value that a majority has reached', () => {
    const values = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(values, (reached) => {
        const voters = reached.map((_, i) => String(i))
        const value = quorumValue(voters, (voter) => reached[Number(voter)] ?? 0)
        const have = (least: number) => reached.filter((other) => other >= least).length
        expect(have(value)).toBeGreaterThanOrEqual(majority(reached.length))
        expect(have(value + 1)).toBeLessThan(majority(reached.length))
      }),
    )
  })
})

describe('tally', () => {
  const voters = (count: number) => Array.from({ length: count }, (_, i) => String(i))
  const votes = (text: string) =>
    new Map(
      [...text].flatMap((vote, i) => (vote === '.' ? [] : [[String(i), vote === 'y'] as const])),
    )

  it.each([
    [0, '', 'lost'],
    [1, '.', 'open'],
    [1, 'y', 'won'],
    [1, 'n', 'lost'],
    [2, 'y.', 'open'],
    [2, 'yn', 'lost'],
    [2, 'yy', 'won'],
    [3, 'y..', 'open'],
    [3, 'yn.', 'open'],
    [3, 'yy.', 'won'],
    [3, 'nn.', 'lost'],
    [4, 'yy.n', 'open'],
    [4, 'yynn', 'lost'],
    [5, 'yynn.', 'open'],
    [5, 'yynny', 'won'],
    [5, 'nnn..', 'lost'],
  ])('of %i with %s is %s', (count, text, result) => {
    expect(tally(voters(count), votes(text))).toBe(result)
  })

  it('counts no vote of anybody who is no voter', () => {
    const counted = new Map([
      ['0', true],
      ['stranger', true],
      ['learner', true],
    ])
    expect(tally(voters(3), counted)).toBe('open')
  })
})

describe('votersOf', () => {
  it('leaves learners out', () => {
    expect(votersOf([member('a'), member('b', 'learner'), member('c')])).toEqual(['a', 'c'])
  })
})
