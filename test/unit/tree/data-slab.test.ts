import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { DataSlab } from '../../../server/core/tree/data-slab.ts'

const MIB = 1024 * 1024
/** Around every size class, and around the size from which data has a buffer of its own. */
const SIZES = [
  16, 32, 48, 64, 96, 112, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192,
].flatMap((size) => [size - 1, size, size + 1])

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)

const holds = (data: Uint8Array, length: number, byte: number): boolean =>
  data.length === length && data.every((value) => value === byte)

describe('a data slab', () => {
  it.each([0, 1, ...SIZES, MIB])('keeps %d bytes', (length) => {
    const slab = new DataSlab()
    const reference = slab.put(filled(length, 7))
    expect(Number.isSafeInteger(reference) && reference >= 0).toBe(true)
    const neighbours = [slab.put(filled(length, 1)), slab.put(filled(length, 2))]
    expect(holds(slab.view(reference, length), length, 7)).toBe(true)
    const others = neighbours.map((other, i) => holds(slab.view(other, length), length, i + 1))
    expect(others).toEqual([true, true])
  })

  it('copies what it is given', () => {
    for (const length of [3, 100, 5000]) {
      const slab = new DataSlab()
      const data = filled(length, 7)
      const reference = slab.put(data)
      data.fill(0)
      expect(slab.view(reference, length)).toEqual(filled(length, 7))
    }
  })

  it('uses what was freed again, of the same size class only', () => {
    const slab = new DataSlab()
    const small = slab.put(filled(10, 1))
    const large = slab.put(filled(100, 2))
    slab.free(small)
    const other = slab.put(filled(200, 3))
    expect(slab.put(filled(16, 4))).toBe(small)
    expect(slab.view(large, 100)).toEqual(filled(100, 2))
    expect(slab.view(other, 200)).toEqual(filled(200, 3))
  })

  it('does not grow while as much is freed as put', () => {
    const slab = new DataSlab()
    const references = Array.from({ length: 1000 }, (_, i) => slab.put(filled(50, i)))
    const seen = new Set(references)
    for (let round = 0; round < 20; round += 1) {
      for (const [i, reference] of references.entries()) {
        slab.free(reference)
        references[i] = slab.put(filled(60, i))
      }
    }
    expect(references.filter((reference) => !seen.has(reference))).toEqual([])
  })

  it('grows over many chunks without moving what is there', () => {
    const slab = new DataSlab()
    const references = Array.from({ length: 30_000 }, (_, i) => {
      const data = new Uint8Array(24)
      new DataView(data.buffer).setUint32(0, i)
      return slab.put(data)
    })
    for (const [i, reference] of references.entries()) {
      const view = slab.view(reference, 24)
      const found = new DataView(view.buffer, view.byteOffset).getUint32(0)
      if (found !== i) expect(found).toBe(i)
    }
  })

  it('gives no view of large data that was freed', () => {
    const slab = new DataSlab()
    const reference = slab.put(filled(5000, 1))
    slab.free(reference)
    expect(() => slab.view(reference, 5000)).toThrow(AssertionError)
    // A reference of its own kind is never given twice, so that a stale one is always noticed.
    expect(slab.put(filled(5000, 2))).not.toBe(reference)
  })

  it('keeps every value apart from every other, in any order of puts and frees', () => {
    const step = fc.record({
      length: fc.oneof(fc.nat(300), fc.constantFrom(...SIZES)),
      frees: fc.boolean(),
      at: fc.nat(1000),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const slab = new DataSlab()
        const live: { reference: number; length: number; byte: number }[] = []
        steps.forEach(({ length, frees, at }, i) => {
          if (frees && live.length > 0) {
            const [gone] = live.splice(at % live.length, 1)
            if (gone !== undefined) slab.free(gone.reference)
            return
          }
          const byte = i % 256
          live.push({ reference: slab.put(filled(length, byte)), length, byte })
        })
        for (const { reference, length, byte } of live) {
          expect(holds(slab.view(reference, length), length, byte)).toBe(true)
        }
        expect(new Set(live.map(({ reference }) => reference)).size).toBe(live.length)
      }),
      { numRuns: 50 },
    )
  }, 60_000)
})
