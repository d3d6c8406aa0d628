import { describe, expect, it } from 'vitest'
import { Barriers } from '../../../server/ensemble/barriers.ts'

const FIRST = 1000

/** Barriers, and what each of their callers was told. */
function bench() {
  const barriers = new Barriers(FIRST)
  const told: string[] = []
  const add = (name: string) => barriers.add((ok) => told.push(`${name} ${ok ? 'go' : 'refused'}`))
  return { barriers, told, add }
}

describe('barriers', () => {
  it('of a turn share one question', () => {
    const { barriers, told, add } = bench()
    expect(barriers.ask()).toBeNull()
    add('a')
    add('b')
    expect(barriers.ask()).toBe(FIRST)
    expect(barriers.ask()).toBeNull()
    barriers.answered(FIRST, 5)
    barriers.release(5)
    expect(told).toEqual(['a go', 'b go'])
  })

  it('let go when their index is applied, not before', () => {
    const { barriers, told, add } = bench()
    add('a')
    barriers.ask()
    add('b')
    barriers.ask()
    barriers.answered(FIRST + 1, 5)
    barriers.answered(FIRST, 9)
    barriers.release(4)
    expect(told).toEqual([])
    barriers.release(8)
    expect(told).toEqual(['b go'])
    barriers.release(9)
    expect(told).toEqual(['b go', 'a go'])
    barriers.release(10)
    expect(told).toHaveLength(2)
  })

  it('are refused when no leader confirms them', () => {
    const { barriers, told, add } = bench()
    add('a')
    barriers.ask()
    barriers.answered(FIRST, -1)
    expect(told).toEqual(['a refused'])
  })

  it('do not take the answer to another question', () => {
    const { barriers, told, add } = bench()
    add('a')
    barriers.ask()
    barriers.answered(FIRST - 1, 5)
    barriers.release(5)
    expect(told).toEqual([])
    barriers.answered(FIRST, 5)
    barriers.answered(FIRST, 5)
    barriers.release(5)
    expect(told).toEqual(['a go'])
  })

  it('all fail together, wherever they are, once', () => {
    const { barriers, told, add } = bench()
    add('confirmed')
    barriers.ask()
    barriers.answered(FIRST, 5)
    add('asked')
    barriers.ask()
    add('arrived')
    barriers.failAll()
    expect(told.sort()).toEqual(['arrived refused', 'asked refused', 'confirmed refused'])
    barriers.release(5)
    barriers.answered(FIRST + 1, 5)
    expect(barriers.ask()).toBeNull()
    expect(told).toHaveLength(3)
  })
})
