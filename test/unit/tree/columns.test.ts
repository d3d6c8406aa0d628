import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { FloatColumn, IntColumn } from '../../../server/core/tree/columns.ts'

describe.each([
  ['a float column', () => new FloatColumn()],
  ['an int column', () => new IntColumn()],
])('%s', (_, make) => {
  it('keeps values over the borders of its pages', () => {
    const column = make()
    const slots = [0, 1, 4095, 4096, 4097, 8191, 8192, 100_000]
    for (const slot of slots) column.set(slot, slot + 1)
    for (const slot of slots) expect(column.get(slot)).toBe(slot + 1)
  })

  it('starts at 0 and is written over', () => {
    const column = make()
    column.set(5, -7)
    column.set(5, 8)
    expect([column.get(4), column.get(5)]).toEqual([0, 8])
  })

  it('has nothing where nothing was allocated', () => {
    const column = make()
    column.set(4096, 1)
    expect(() => column.get(0)).toThrow(AssertionError)
    expect(() => column.get(8192)).toThrow(AssertionError)
  })
})

describe('the range', () => {
  it('of floats is all safe integers', () => {
    const column = new FloatColumn()
    for (const value of [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 32 + 1]) {
      column.set(0, value)
      expect(column.get(0)).toBe(value)
    }
  })

  it('of ints is 32 bits, and wraps', () => {
    const column = new IntColumn()
    column.set(0, 2 ** 31)
    expect(column.get(0)).toBe(-(2 ** 31))
  })
})
