import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeConnectRequest,
  decodeConnectResponse,
  encodeConnectRequest,
  encodeConnectResponse,
  encodeSessionExpired,
} from '../../../server/wire/handshake.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { fromHex, toHex } from './hex.ts'

const PASSWORD_HEX = '00000010 000102030405060708090a0b0c0d0e0f'
const PASSWORD = fromHex('000102030405060708090a0b0c0d0e0f')
const REQUEST_HEX = `00000000 0000000000000100 00002710 0000000000000007 ${PASSWORD_HEX}`
const RESPONSE_HEX = `00000000 00002710 0000000000000007 ${PASSWORD_HEX}`
const REQUEST = {
  protocolVersion: 0,
  lastZxidSeen: 256,
  timeoutMs: 10_000,
  sessionId: 7,
  password: PASSWORD,
}
const RESPONSE = { protocolVersion: 0, timeoutMs: 10_000, sessionId: 7, password: PASSWORD }

function written(write: (writer: JuteWriter) => void): string {
  const writer = new JuteWriter()
  write(writer)
  return toHex(writer.view())
}

describe('the handshake', () => {
  it.each([
    ['without', '', null, 44],
    ['with', '01', true, 45],
    ['with a false', '00', false, 45],
  ])('request %s readOnly byte', (_name, tail, readOnly, size) => {
    const payload = fromHex(REQUEST_HEX + tail)
    expect(payload.length).toBe(size)
    expect(decodeConnectRequest(payload)).toEqual({ ...REQUEST, readOnly })
    const hex = written((writer) => encodeConnectRequest(writer, { ...REQUEST, readOnly }))
    expect(hex).toBe(size.toString(16).padStart(8, '0') + toHex(payload))
  })

  it.each([
    ['without', '', null, 36],
    ['with', '00', false, 37],
  ])('response %s readOnly byte', (_name, tail, readOnly, size) => {
    const payload = fromHex(RESPONSE_HEX + tail)
    expect(payload.length).toBe(size)
    expect(decodeConnectResponse(payload)).toEqual({ ...RESPONSE, readOnly })
    const hex = written((writer) => encodeConnectResponse(writer, { ...RESPONSE, readOnly }))
    expect(hex).toBe(size.toString(16).padStart(8, '0') + toHex(payload))
  })

  it('an expired session is answered with zeros of the size the client awaits', () => {
    expect(written((writer) => encodeSessionExpired(writer, null))).toBe(
      toHex(fromHex(`00000024 ${'00'.repeat(16)} 00000010 ${'00'.repeat(16)}`)),
    )
    expect(written((writer) => encodeSessionExpired(writer, false))).toBe(
      toHex(fromHex(`00000025 ${'00'.repeat(16)} 00000010 ${'00'.repeat(17)}`)),
    )
  })

  it('foreign session ids are unknown to the server and whole to the client', () => {
    const foreign = '01000013032a0002'
    const request = fromHex(REQUEST_HEX.replace('0000000000000007', foreign))
    expect(decodeConnectRequest(request)?.sessionId).toBe(-1)
    const response = decodeConnectResponse(
      fromHex(RESPONSE_HEX.replace('0000000000000007', foreign)),
    )
    expect(response?.sessionId).toBe(0x01000013032a0002n)
    const hex = written((writer) =>
      encodeConnectRequest(writer, {
        ...REQUEST,
        sessionId: response?.sessionId ?? 0,
        readOnly: null,
      }),
    )
    expect(hex).toBe(`0000002c${toHex(request)}`)
  })

  it('a lastZxidSeen beyond all zxids stays beyond them', () => {
    const request = fromHex(REQUEST_HEX.replace('0000000000000100', '7fffffffffffffff'))
    expect(decodeConnectRequest(request)?.lastZxidSeen).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('cut anywhere is none', () => {
    const request = fromHex(REQUEST_HEX)
    const response = fromHex(RESPONSE_HEX)
    for (let length = 0; length < request.length; length += 1) {
      expect(decodeConnectRequest(request.slice(0, length))).toBeNull()
    }
    for (let length = 0; length < response.length; length += 1) {
      expect(decodeConnectResponse(response.slice(0, length))).toBeNull()
    }
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodeConnectRequest(bytes)
        decodeConnectResponse(bytes)
      }),
    )
  })
})
