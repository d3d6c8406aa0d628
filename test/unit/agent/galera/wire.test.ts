import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  answerSwitch,
  decodeGreeting,
  decodeRow,
  encodePacket,
  PacketReader,
} from '../../../../agent/engines/galera/mariadb-wire.ts'

describe('packets', () => {
  it('come whole, however they are cut', () => {
    const packet = fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 300 }))
    fc.assert(
      fc.property(fc.array(packet), fc.integer({ min: 1, max: 64 }), (packets, size) => {
        const bytes = Buffer.concat(packets.map(([n, payload]) => encodePacket(n, payload)))
        const reader = new PacketReader(1_000)
        const read = []
        for (let at = 0; at < bytes.length; at += size) {
          read.push(...reader.read(bytes.subarray(at, at + size)))
        }
        const found = read.map(({ sequence, bytes: payload }) => [sequence, [...payload]])
        expect(found).toEqual(packets.map(([n, payload]) => [n, [...payload]]))
      }),
    )
  })

  it('are refused when they are longer than any that is asked for', () => {
    expect(() => new PacketReader(10).read(encodePacket(0, Buffer.alloc(11)))).toThrow(/11 bytes/)
  })
})

describe('what a server says', () => {
  it.each([
    ['cut short', Buffer.from('\x0a10.11\0\x01\0\0\0abc', 'latin1'), /cut short/],
    ['of another protocol', Buffer.from('\x09x\0'), /protocol 9/],
  ])('is no greeting: %s', (_, bytes, message) => {
    expect(() => decodeGreeting(bytes)).toThrow(message)
  })

  it('may be a refusal at once', () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0x10, 0x04]), Buffer.from('Too many')])
    expect(decodeGreeting(bytes)).toEqual({ code: 1_040, message: 'Too many' })
  })

  it('is no login that is not known here', () => {
    const ed25519 = Buffer.from('\xfeclient_ed25519\0salt', 'latin1')
    expect(() => answerSwitch(ed25519, 'p')).toThrow(/client_ed25519/)
  })

  it('is no row that is cut short, nor one with a field of gigabytes', () => {
    expect(decodeRow(Buffer.from('\x01a\xfb\x00', 'latin1'))).toEqual(['a', null, ''])
    expect(() => decodeRow(Buffer.from([5, 97]))).toThrow(/cut short/)
    expect(() => decodeRow(Buffer.from([0xfe, 0, 0, 0, 0, 1, 0, 0, 0]))).toThrow(/longer/)
  })
})
