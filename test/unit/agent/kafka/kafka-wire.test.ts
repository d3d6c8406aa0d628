import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KafkaReader, KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'

describe('the types of flexible versions', () => {
  it('writes them as the protocol guide says', () => {
    const writer = new KafkaWriter().int16(-2).int32(258).boolean(true).string('ab').string(null)
    writer.plainString('ab').int32s([7]).int32s(null).end()
    expect(writer.finish().toString('hex')).toBe(
      `fffe${'00000102'}${'01'}${'036162'}${'00'}${'00026162'}${'0200000007'}${'00'}${'00'}`,
    )
    // 300 + 1 as a varint of two bytes.
    expect(new KafkaWriter().string('x'.repeat(300)).finish().subarray(0, 2).toString('hex')).toBe(
      'ad02',
    )
  })

  it('writes ids as bytes, and ports without a sign', () => {
    const writer = new KafkaWriter().uint16(65_535).uuid('AAAAAAAAAAAAAAAAAAAAAQ')
    expect(writer.finish().toString('hex')).toBe(`ffff${'0'.repeat(31)}1`)
    const reader = new KafkaReader(writer.finish().subarray(2))
    expect(reader.uuid()).toBe('AAAAAAAAAAAAAAAAAAAAAQ')
    expect(() => new KafkaWriter().uuid('short')).toThrow('short is no id')
  })

  it('reads what it has written', () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const values = fc.record({
      text: fc.option(fc.string({ unit: 'grapheme', maxLength: 200 })),
      numbers: fc.array(int32, { maxLength: 200 }),
      byte: fc.integer({ min: -128, max: 127 }),
      flag: fc.boolean(),
    })
    fc.assert(
      fc.property(values, ({ text, numbers, byte, flag }) => {
        const writer = new KafkaWriter().string(text).int32s(numbers).int8(byte).boolean(flag)
        const reader = new KafkaReader(writer.end().finish())
        expect(reader.nullableString()).toBe(text)
        expect(reader.int32s()).toEqual(numbers)
        expect([reader.int8(), reader.boolean()]).toEqual([byte, flag])
        reader.end()
      }),
    )
  })

  it('skips tagged fields that it does not know', () => {
    const tagged = Buffer.from([2, 0, 2, 9, 9, 1, 0, 5])
    const reader = new KafkaReader(tagged)
    reader.end()
    expect(reader.int8()).toBe(5)
  })

  it('reads no byte that is not there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const reader = new KafkaReader(Buffer.from(bytes))
        try {
          reader.array(() => [reader.string(), reader.int32s(), reader.end()])
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
    expect(() => new KafkaReader(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])).string()).toThrow(
      'a length has too many bytes',
    )
  })
})
