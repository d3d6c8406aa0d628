import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  readEntries,
  readHardState,
  readSnapshotMeta,
  writeEntries,
  writeHardState,
  writeSnapshotMeta,
} from '../../../server/wire/entry-codec.ts'
import { JuteReader, JuteWriter } from '../../../server/wire/jute.ts'
import {
  decodeHello,
  decodePeerFrame,
  encodeHello,
  encodePeerFrame,
} from '../../../server/wire/peer-codec.ts'
import type { PeerFrame } from '../../../server/wire/peer-frame.ts'
import { entry, hardState, hello, peerFrame, snapshotMeta } from './arbitraries.ts'
import { fromHex, toHex } from './hex.ts'

function written(write: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter(64)
  write(writer)
  return writer.take()
}

const encoded = (frame: PeerFrame) => written((writer) => encodePeerFrame(writer, frame))

describe('peer frames', () => {
  it('round-trip', () => {
    fc.assert(
      fc.property(peerFrame, (frame) => {
        expect(decodePeerFrame(encoded(frame))).toEqual(frame)
      }),
      { numRuns: 1000 },
    )
  })

  it('cut anywhere are none', () => {
    fc.assert(
      fc.property(peerFrame, (frame) => {
        const bytes = encoded(frame)
        for (let length = 0; length < bytes.length; length += 1) {
          expect(decodePeerFrame(bytes.slice(0, length))).toBeNull()
        }
      }),
    )
  })

  it('have a fixed form', () => {
    const frame: PeerFrame = {
      kind: 'raft',
      message: {
        kind: 'append',
        term: 3,
        previousIndex: 9,
        previousTerm: 2,
        commit: 8,
        entries: [
          { kind: 'noop', index: 10, term: 3 },
          { kind: 'requests', index: 300, term: 3, payload: Uint8Array.of(1, 2) },
          {
            kind: 'membership',
            index: 12,
            term: 3,
            members: [
              {
                id: 'ab',
                name: '1',
                role: 'voter',
                observer: false,
                peerAddress: 'h:2',
                clientAddress: '',
                httpAddress: '',
              },
            ],
          },
        ],
      },
    }
    const hex = `01 01 05 0000000000000003 0000000000000009 0000000000000002 0000000000000008
      00000003
      0a 03 01
      ac02 03 02 00000002 0102
      0c 03 03 00000001 01 02 6162 01 31 03 683a32 00 00`
    expect(toHex(encoded(frame))).toBe(toHex(fromHex(hex)))
  })

  it('of another version, or an unknown kind, are none', () => {
    expect(decodePeerFrame(fromHex('01 0b'))).toEqual({ kind: 'leaving' })
    expect(decodePeerFrame(fromHex('02 0b'))).toBeNull()
    expect(decodePeerFrame(fromHex('01 0c'))).toBeNull()
    expect(decodePeerFrame(fromHex('01 01 0d 0000000000000001'))).toBeNull()
    expect(decodePeerFrame(new Uint8Array(0))).toBeNull()
  })

  it('with fields of a newer build behind them are read', () => {
    expect(decodePeerFrame(fromHex('01 0b 00112233'))).toEqual({ kind: 'leaving' })
  })

  it('of any bytes never throw', () => {
    const start = fc.tuple(fc.nat(12), fc.nat(13), fc.uint8Array({ maxLength: 80 }))
    fc.assert(
      fc.property(start, ([kind, message, rest]) => {
        decodePeerFrame(Uint8Array.of(1, kind, message, ...rest))
        decodePeerFrame(rest)
        decodeHello(rest)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('hello', () => {
  it('round-trips, and is none when cut', () => {
    fc.assert(
      fc.property(hello, (value) => {
        const bytes = written((writer) => encodeHello(writer, value))
        expect(decodeHello(bytes)).toEqual(value)
        expect(decodeHello(bytes.slice(0, -1))).toBeNull()
      }),
    )
  })
})

describe("Raft's own values", () => {
  it('round-trip one after the other', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 5 }),
        hardState,
        snapshotMeta,
        (entries, hard, meta) => {
          const bytes = written((writer) => {
            writeEntries(writer, entries)
            writeHardState(writer, hard)
            writeSnapshotMeta(writer, meta)
          })
          const reader = new JuteReader(bytes)
          expect(readEntries(reader)).toEqual(entries)
          expect(readHardState(reader)).toEqual(hard)
          expect(readSnapshotMeta(reader)).toEqual(meta)
          expect(reader.failed).toBe(false)
          expect(reader.remaining).toBe(0)
        },
      ),
    )
  })
})
