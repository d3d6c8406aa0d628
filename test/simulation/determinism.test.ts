import { describe, expect, it } from 'vitest'
import { runSeed } from './simulation.ts'

describe('a run', () => {
  it('is the same again with its seed, and another with another', () => {
    const first = runSeed(7)
    expect(runSeed(7)).toEqual(first)
    expect(runSeed(8).fingerprint).not.toBe(first.fingerprint)
  })
})
