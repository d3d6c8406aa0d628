import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { decodeServerFrame, encodeClientRequest } from '../../../server/wire/client-codec.ts'
import {
  writeAddWatchedReply,
  writeAuthReply,
  writeDataReply,
  writeHeaderReply,
  writeIdentitiesReply,
  writeNotification,
  writePingReply,
  writeReadReply,
  writeSaslReply,
  writeSyncReply,
  writeUnimplementedReply,
  writeWriteReply,
} from '../../../server/wire/client-reply.ts'
import { decodeClientRequest } from '../../../server/wire/client-request.ts'
import { FrameSplitter } from '../../../server/wire/framing.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { Opcode } from '../../../server/wire/opcode.ts'
import { ALL, type Fixture, OTHERS, READS, WRITES } from './fixtures.ts'
import { framed, fromHex, toHex } from './hex.ts'

const ZXID = 0x1_0000_002a
const ZXID_HEX = '000000010000002a'
const hexOfInt = (value: number): string => (value >>> 0).toString(16).padStart(8, '0')

/** The whole reply frame of a fixture: length, header, body. */
function replyFrame(fixture: Fixture): Uint8Array {
  const head = `${hexOfInt(fixture.request.xid)} ${ZXID_HEX} 00000000`
  return framed(fromHex(`${head} ${fixture.replyHex}`))
}

function writtenBy(write: (writer: JuteWriter) => void): string {
  const writer = new JuteWriter(64)
  write(writer)
  return toHex(writer.view())
}

describe.each(ALL)('$name', (fixture) => {
  const payload = fromHex(fixture.requestHex)

  it('decodes the request', () => {
    expect(decodeClientRequest(payload)).toEqual(fixture.request)
  })

  it('encodes the request', () => {
    const hex = writtenBy((writer) => encodeClientRequest(writer, fixture.request))
    expect(hex).toBe(toHex(framed(payload)))
  })

  it('is the same fed byte by byte, twice over', () => {
    const splitter = new FrameSplitter(1000)
    const seen: unknown[] = []
    for (const byte of [...framed(payload), ...framed(payload)]) {
      splitter.push(Uint8Array.of(byte))
      for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
        seen.push(decodeClientRequest(frame))
      }
    }
    expect(seen).toEqual([fixture.request, fixture.request])
  })

  it('ignores bytes behind the body', () => {
    const longer = new Uint8Array(payload.length + 3).fill(0x5a)
    longer.set(payload)
    expect(decodeClientRequest(longer)).toEqual(fixture.request)
  })

  it('cut anywhere is a close within the header and a marshalling error in the body', () => {
    for (let length = 0; length < payload.length; length += 1) {
      const cut = decodeClientRequest(payload.slice(0, length))
      const { xid, opcode } = fixture.request
      // Those two ZooKeeper reads apart from the others: it closes over them.
      if (length < 8 || opcode === Opcode.auth || opcode === Opcode.sasl) {
        expect(cut).toEqual({ kind: 'close' })
      } else {
        const multi = opcode === Opcode.multi
        const operation = { kind: 'error', code: -5 }
        expect(cut).toEqual(
          multi
            ? { kind: 'write', xid, opcode, operation }
            : { kind: 'malformed', xid, opcode, error: -5 },
        )
      }
    }
  })

  it('decodes the reply', () => {
    const frame = replyFrame(fixture).subarray(4)
    expect(decodeServerFrame(frame, () => fixture.request.opcode)).toEqual({
      kind: 'reply',
      xid: fixture.request.xid,
      zxid: ZXID,
      error: 0,
      body: fixture.reply,
    })
  })

  it('never takes a cut reply for a whole one', () => {
    const frame = replyFrame(fixture).subarray(4)
    for (let length = 0; length < frame.length; length += 1) {
      expect(decodeServerFrame(frame.slice(0, length), () => fixture.request.opcode)).toBeNull()
    }
  })
})

describe('replies as the server writes them', () => {
  it.each(WRITES)('$name', (fixture) => {
    const { request, write } = fixture
    if (write === undefined) throw new Error('a write fixture has a result')
    const hex = writtenBy((writer) =>
      writeWriteReply(writer, request.opcode, request.xid, ZXID, 0, write),
    )
    expect(hex).toBe(toHex(replyFrame(fixture)))
  })

  it.each(READS)('$name', (fixture) => {
    const { request, read } = fixture
    if (read === undefined) throw new Error('a read fixture has a result')
    const hex = writtenBy((writer) => writeReadReply(writer, request.xid, ZXID, read))
    expect(hex).toBe(toHex(replyFrame(fixture)))
  })

  it.each(OTHERS)('$name', (fixture) => {
    const { xid } = fixture.request
    const { reply } = fixture
    const hex = writtenBy((writer) => {
      if (fixture.name === 'ping') writePingReply(writer, ZXID)
      else if (fixture.name === 'addWatch') writeAddWatchedReply(writer, xid, ZXID)
      else if (reply.kind === 'sync') writeSyncReply(writer, xid, ZXID, reply.path)
      else if (reply.kind === 'whoAmI') writeIdentitiesReply(writer, xid, ZXID, reply.identities)
      else if (reply.kind === 'sasl') writeSaslReply(writer, xid, ZXID, 0, reply.token)
      else if (reply.kind === 'reconfig') writeDataReply(writer, xid, ZXID, reply.data, reply.stat)
      else writeHeaderReply(writer, xid, ZXID, 0)
    })
    expect(hex).toBe(toHex(replyFrame(fixture)))
  })

  it('a refused token has a body, and an error', () => {
    const hex = writtenBy((writer) => writeSaslReply(writer, 5, 0, ErrorCode.authFailed, null))
    expect(hex).toBe(toHex(fromHex('00000014 00000005 0000000000000000 ffffff8d ffffffff')))
  })

  it('a sasl request without a token is a close', () => {
    expect(decodeClientRequest(fromHex('0000000b 00000066 ffffffff'))).toEqual({ kind: 'close' })
  })

  it('an error is a header alone, whatever the result', () => {
    const hex = writtenBy((writer) =>
      writeWriteReply(writer, 1, 5, 9, ErrorCode.nodeExists, { kind: 'error', code: -110 }),
    )
    expect(hex).toBe(toHex(fromHex('00000010 00000005 0000000000000009 ffffff92')))
    const read = writtenBy((writer) =>
      writeReadReply(writer, 5, 9, { kind: 'error', code: ErrorCode.noNode }),
    )
    expect(read).toBe(toHex(fromHex('00000010 00000005 0000000000000009 ffffff9b')))
  })

  it('a failed multi has error 0 in its header', () => {
    const hex = writtenBy((writer) =>
      writeWriteReply(writer, 14, 5, 9, ErrorCode.noNode, {
        kind: 'multi',
        results: [{ kind: 'error', code: ErrorCode.noNode }],
      }),
    )
    expect(hex).toBe(
      toHex(
        fromHex(`00000026 00000005 0000000000000009 00000000
          ffffffff 00 ffffff9b ffffff9b ffffffff 01 ffffffff`),
      ),
    )
  })

  it('auth answers with zxid 0, an unknown opcode with zxid -1', () => {
    expect(writtenBy((writer) => writeAuthReply(writer, -4, ErrorCode.authFailed))).toBe(
      toHex(fromHex('00000010 fffffffc 0000000000000000 ffffff8d')),
    )
    expect(writtenBy((writer) => writeUnimplementedReply(writer, 77))).toBe(
      toHex(fromHex('00000010 0000004d ffffffffffffffff fffffffa')),
    )
  })

  it('a notification carries the zxid that set it off, both ways', () => {
    const hex = '0000001e ffffffff 000000010000002a 00000000 00000003 00000003 00000002 2f61'
    const event = { type: 3, path: '/a', zxid: ZXID } as const
    expect(writtenBy((writer) => writeNotification(writer, event))).toBe(toHex(fromHex(hex)))
    const frame = fromHex(hex).subarray(4)
    expect(decodeServerFrame(frame, () => undefined)).toEqual({
      kind: 'notification',
      state: 3,
      ...event,
    })
  })

  it('a reply that nobody awaits is no frame', () => {
    const frame = fromHex('00000005 0000000000000009 00000000')
    expect(decodeServerFrame(frame, () => undefined)).toBeNull()
  })
})
