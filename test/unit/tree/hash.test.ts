import { describe, expect, it } from 'vitest'
import { hashBytes, hashText, mix } from '../../../server/core/tree/hash.ts'

/** How many of the 32 bits are set, averaged over all values: about half when well spread. */
function spread(hashes: readonly number[]): readonly number[] {
  return Array.from({ length: 32 }, (_, bit) => {
    const set = hashes.filter((hash) => ((hash >>> bit) & 1) === 1).length
    return set / hashes.length
  })
}

describe('the hashes', () => {
  const numbers = Array.from({ length: 5000 }, (_, i) => i)

  it.each<[string, (i: number) => number]>([
    ['of texts', (i) => hashText(`/member-${i}`)],
    ['of bytes', (i) => hashBytes(Uint8Array.of(i & 255, i >> 8))],
    ['of small numbers', (i) => mix(1, i)],
    ['of multiples of 2^32', (i) => mix(1, i * 2 ** 32)],
    ['of negative numbers', (i) => mix(1, -i)],
  ])('%s are 32-bit, nearly all different, and balanced in every bit', (_, hash) => {
    const hashes = numbers.map(hash)
    expect(hashes.every((value) => value === (value | 0))).toBe(true)
    expect(new Set(hashes).size).toBeGreaterThan(4990)
    for (const share of spread(hashes)) expect(Math.abs(share - 0.5)).toBeLessThan(0.05)
  })

  it('tell null, empty and zeros apart', () => {
    const values = [null, 0, 1, 2, 3].map((n) => hashBytes(n === null ? null : new Uint8Array(n)))
    expect(new Set(values).size).toBe(5)
  })

  it('depend on the order of what is mixed', () => {
    expect(mix(mix(0, 1), 2)).not.toBe(mix(mix(0, 2), 1))
    expect(hashText('ab')).not.toBe(hashText('ba'))
  })
})
