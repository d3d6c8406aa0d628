import { serialize } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeMessage, ReplyReader } from '../../../../agent/engines/mongodb/wire.ts'
import { encodeReply, MessageReader } from '../../../doubles/mongodb/wire.ts'

const incoming = (requestId: number) => ({
  requestId,
  responseTo: 0,
  isQuery: false,
  exhaust: false,
  document: {},
})

function reply(flags: number, kind: number, opcode: number, trailer = 0): Buffer {
  const body = serialize({ ok: 1 })
  const bytes = Buffer.alloc(21 + body.length + trailer)
  bytes.writeInt32LE(bytes.length, 0)
  bytes.writeInt32LE(7, 8)
  bytes.writeInt32LE(opcode, 12)
  bytes.writeUInt32LE(flags, 16)
  bytes.writeUInt8(kind, 20)
  bytes.set(body, 21)
  return bytes
}

describe('messages of MongoDB', () => {
  it('are written as the specification has them', () => {
    // Length, request, response and opcode; flag bits, kind 0; the document {ping: 1, $db: "a"}.
    const expected = [
      '2f000000 01000000 00000000 dd070000',
      '00000000 00',
      '1a000000 1070696e67000100000002246462000200000061 00 00',
    ]
    const bytes = Buffer.from(encodeMessage(1, { ping: 1, $db: 'a' }))
    expect(bytes.toString('hex')).toBe(expected.join('').replaceAll(' ', ''))
  })

  it('are read by another reader as they were written', () => {
    const [message] = new MessageReader().read(
      Buffer.from(encodeMessage(9, { hello: 1, $db: 'x' })),
    )
    expect(message).toMatchObject({ requestId: 9, document: { hello: 1, $db: 'x' } })
  })

  it('come out whole, however the stream was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        (values, size) => {
          const frames = values.map((value, i) => encodeReply(incoming(i), { ok: 1, value }))
          const stream = Buffer.concat(frames)
          const reader = new ReplyReader(1_000)
          const read = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
            reader.read(stream.subarray(i * size, (i + 1) * size)),
          ).flat()
          expect(read.map(({ document }) => document['value'])).toEqual(values)
          expect(read.map(({ responseTo }) => responseTo)).toEqual(values.map((_, i) => i))
        },
      ),
    )
  })

  it('may carry a checksum, which is not read', () => {
    const [read] = new ReplyReader(1_000).read(reply(1, 0, 2013, 4))
    expect(read).toEqual({ responseTo: 7, document: { ok: 1 } })
  })

  it.each([
    ['another opcode', reply(0, 0, 1)],
    ['a section of another kind', reply(0, 1, 2013)],
    ['a length beyond the bound', Buffer.from('e9030000'.padEnd(32, '0'), 'hex')],
    ['a length that is none', Buffer.from('10000000'.padEnd(32, '0'), 'hex')],
  ])('are refused with %s', (_, bytes) => {
    expect(() => new ReplyReader(1_000).read(bytes)).toThrow(/a reply/)
  })
})
