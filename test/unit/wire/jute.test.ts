import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { JuteReader, JuteWriter } from '../../../server/wire/jute.ts'
import { dataOrNull, int32, natural, text } from './arbitraries.ts'
import { fromHex, toHex } from './hex.ts'

function written(write: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter(64)
  write(writer)
  return writer.copy()
}

const safeInteger = fc.oneof(
  natural,
  natural.map((value) => -value),
)

describe('JuteWriter and JuteReader', () => {
  it('agree on every form', () => {
    const values = fc.record({
      int: int32,
      long: safeInteger,
      varint: natural,
      flag: fc.boolean(),
      ustring: fc.option(text),
      short: text,
      buffer: dataOrNull,
    })
    fc.assert(
      fc.property(values, (value) => {
        const bytes = written((writer) => {
          writer.int(value.int)
          writer.long(value.long)
          writer.varint(value.varint)
          writer.boolean(value.flag)
          writer.ustring(value.ustring)
          writer.shortString(value.short)
          writer.buffer(value.buffer)
        })
        const reader = new JuteReader(bytes)
        expect(reader.int()).toBe(value.int)
        expect(reader.long()).toBe(value.long + 0)
        expect(reader.varint()).toBe(value.varint)
        expect(reader.boolean()).toBe(value.flag)
        expect(reader.ustring()).toBe(value.ustring)
        expect(reader.shortString()).toBe(value.short)
        expect(reader.buffer()).toEqual(value.buffer)
        expect(reader.failed).toBe(false)
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  it('write longs as two complements, big-endian', () => {
    const long = (value: number) => toHex(written((writer) => writer.long(value)))
    expect(long(-1)).toBe('ffffffffffffffff')
    expect(long(-(2 ** 32))).toBe('ffffffff00000000')
    expect(long(2 ** 32 + 5)).toBe('0000000100000005')
    expect(long(Number.MAX_SAFE_INTEGER)).toBe('001fffffffffffff')
    expect(long(Number.MIN_SAFE_INTEGER)).toBe('ffe0000000000001')
    expect(() => long(2 ** 53)).toThrow(AssertionError)
    expect(() => long(Number.NaN)).toThrow(AssertionError)
  })

  it('say what they do with longs beyond the safe integers', () => {
    const at = (hex: string) => new JuteReader(fromHex(hex))
    for (const hex of ['0020000000000000', '7fffffffffffffff', 'ffe0000000000000']) {
      const strict = at(hex)
      expect(strict.long()).toBe(0)
      expect(strict.failed).toBe(true)
      const lenient = at(hex)
      expect(lenient.longOr(-1)).toBe(-1)
      expect(lenient.failed).toBe(false)
      expect(at(hex).longOrBig()).toBe(BigInt.asIntN(64, BigInt(`0x${hex}`)))
    }
    expect(at('7fffffffffffffff').longClamped()).toBe(Number.MAX_SAFE_INTEGER)
    expect(at('8000000000000000').longClamped()).toBe(-Number.MAX_SAFE_INTEGER)
    expect(at('ffffffffffffffff').longClamped()).toBe(-1)
    expect(at('01000013032a0002').longOrBig()).toBe(0x01000013032a0002n)
  })

  it('keep bigints whole', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const reader = new JuteReader(written((writer) => writer.bigLong(value)))
        expect(BigInt(reader.longOrBig())).toBe(value)
      }),
    )
  })

  it('tell null from empty', () => {
    const reader = new JuteReader(fromHex('ffffffff 00000000 ffffffff 00000000'))
    expect(reader.ustring()).toBeNull()
    expect(reader.ustring()).toBe('')
    expect(reader.buffer()).toBeNull()
    expect(reader.buffer()).toEqual(new Uint8Array(0))
    expect(reader.failed).toBe(false)
  })

  it.each([
    ['a negative length', 'fffffffe 00000000', (reader: JuteReader) => reader.ustring()],
    ['a buffer beyond the end', '00000005 01020304', (reader: JuteReader) => reader.buffer()],
    ['the least integer as length', '80000000 00', (reader: JuteReader) => reader.buffer()],
    ['a string beyond the end', '7fffffff 41', (reader: JuteReader) => reader.ustring()],
    ['a null where a string must be', 'ffffffff', (reader: JuteReader) => reader.string()],
    ['a vector that cannot fit', '10000000 00', (reader: JuteReader) => reader.count(4)],
    ['a varint of nine bytes', 'ffffffffffffffffff01', (reader: JuteReader) => reader.varint()],
    ['a varint beyond 2^53', 'ffffffffffffff7f', (reader: JuteReader) => reader.varint()],
    ['a short int', '000001', (reader: JuteReader) => reader.int()],
  ])('fail for good on %s', (_name, hex, read) => {
    const reader = new JuteReader(fromHex(hex))
    read(reader)
    expect(reader.failed).toBe(true)
    expect(reader.int()).toBe(0)
    expect(reader.ustring()).toBe('')
    expect(reader.failed).toBe(true)
    reader.reset(fromHex('00000007'))
    expect(reader.int()).toBe(7)
    expect(reader.failed).toBe(false)
  })

  it('give bad UTF-8 as replacement characters', () => {
    const reader = new JuteReader(fromHex('00000003 2fff41 00000002 c3bc'))
    expect(reader.ustring()).toBe('/\ufffdA')
    expect(reader.ustring()).toBe('ü')
  })

  it('give buffers as views into the input', () => {
    const input = fromHex('aa 00000002 0102')
    const reader = new JuteReader(input.subarray(1))
    const view = reader.buffer()
    input[5] = 9
    expect(view).toEqual(Uint8Array.of(9, 2))
  })

  it('read a record inside a record', () => {
    const reader = new JuteReader(fromHex('00000001 ffff 00000002'))
    const outer = reader.narrow(6)
    expect(reader.int()).toBe(1)
    expect(reader.int()).toBe(0)
    expect(reader.failed).toBe(true)
    reader.widen(outer)
    expect(reader.int()).toBe(2)
    expect(reader.failed).toBe(false)
  })
})

describe('JuteWriter', () => {
  it('grows, and takes without ever touching what it gave', () => {
    for (const size of [10, 1000, 100_000]) {
      const writer = new JuteWriter(1)
      writer.raw(new Uint8Array(size).fill(1))
      const taken = writer.take()
      expect(writer.length).toBe(0)
      writer.raw(new Uint8Array(size).fill(2))
      expect(taken.length).toBe(size)
      expect(taken.every((byte) => byte === 1)).toBe(true)
    }
  })

  it('patches reserved ints and cuts back', () => {
    const writer = new JuteWriter()
    const frame = writer.beginFrame()
    writer.ustring('abc')
    writer.endFrame(frame)
    const length = writer.length
    writer.int(5)
    writer.truncate(length)
    expect(toHex(writer.view())).toBe('0000000700000003616263')
    expect(() => writer.patchInt(8, 0)).toThrow(AssertionError)
  })
})
