import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Distribution, SizeRange } from '../../../server/measure.ts'

const milliseconds = fc.double({ min: 0.001, max: 1_000_000, noNaN: true })

describe('a distribution', () => {
  it('gives each quantile of the values within 2.2 %', () => {
    fc.assert(
      fc.property(
        fc.array(milliseconds, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, q) => {
          const distribution = new Distribution()
          for (const value of values) distribution.note(value)
          const sorted = values.toSorted((a, b) => a - b)
          const exact = sorted[Math.ceil(q * values.length) - 1] ?? 0
          expect(Math.abs(distribution.quantile(q) / exact - 1)).toBeLessThan(0.023)
          expect(distribution.count).toBe(values.length)
          expect([distribution.min, distribution.max]).toEqual([sorted[0], sorted.at(-1)])
          expect(distribution.sum).toBeCloseTo(
            values.reduce((sum, value) => sum + value, 0),
            3,
          )
        },
      ),
    )
  })

  it('has no quantile without values, and takes those beyond its ends for the ends', () => {
    const distribution = new Distribution()
    expect(distribution.quantile(0.5)).toBeNaN()
    distribution.note(0)
    expect(distribution.quantile(0.5)).toBeLessThan(0.001)
    for (let i = 0; i < 9; i += 1) distribution.note(1e12)
    expect(distribution.quantile(0.5)).toBeGreaterThan(1_000_000)
  })

  it('looks back over two windows', () => {
    const distribution = new Distribution()
    distribution.note(100)
    distribution.turn()
    for (let i = 0; i < 3; i += 1) distribution.note(1)
    expect(distribution.quantile(0.5)).toBeCloseTo(1, 1)
    expect(distribution.quantile(0.99)).toBeGreaterThan(97)
    distribution.turn()
    expect(distribution.quantile(0.99)).toBeCloseTo(1, 1)
    distribution.turn()
    expect(distribution.quantile(0.99)).toBeNaN()
    expect([distribution.count, distribution.sum]).toEqual([4, 103])
  })
})

describe('a range of sizes', () => {
  it('begins anew at a reset', () => {
    const range = new SizeRange()
    for (const bytes of [5, 0, 9, 7]) range.note(bytes)
    expect([range.last, range.max, range.min]).toEqual([7, 9, 0])
    range.reset()
    expect([range.last, range.max, range.min]).toEqual([-1, -1, -1])
    range.note(3)
    expect([range.last, range.max, range.min]).toEqual([3, 3, 3])
  })
})
