import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import { plainCreate, type Request } from '../../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { JuteReader, JuteWriter } from '../../../server/wire/jute.ts'
import {
  decodeBatch,
  encodeBatch,
  holdsRequests,
  readRequest,
  writeRequest,
} from '../../../server/wire/request-codec.ts'
import { natural, request } from './arbitraries.ts'
import { fromHex, toHex } from './hex.ts'

function encoded(requests: readonly Request[]): Uint8Array {
  const writer = new JuteWriter(64)
  for (const item of requests) writeRequest(writer, item)
  return writer.take()
}

const UNREADABLE: Request = {
  session: 0,
  origin: 0,
  connection: 0,
  ticket: 0,
  identities: [],
  operation: { kind: 'error', code: -5 },
}

const SET: Request = {
  session: 300,
  origin: 7,
  connection: 2,
  ticket: 9,
  identities: [
    { scheme: 'ip', id: '::1' },
    { scheme: 'key', id: 'k' },
  ],
  operation: { kind: 'setData', path: '/a', data: Uint8Array.of(1, 2), version: -1 },
}
/** The form in the log, field by field: it may never change under version 1. */
const SET_HEX = `00000027
  ac02 0000000000000007 02 09
  02 02 03 3a3a31 00 03 6b6579 01 6b
  03 02 2f61 00000002 0102 ffffffff`

/** What a storm of reconnects is made of. */
const RENEWAL: Request = {
  session: 300,
  origin: 7,
  connection: 2,
  ticket: 9,
  identities: [],
  operation: { kind: 'renewSession', timeoutMs: 300 },
}
const RENEWAL_HEX = '00000010 ac02 0000000000000007 02 09 00 10 ac02'

describe('requests of the log', () => {
  it.each([
    ['a change', SET, SET_HEX],
    ['a renewal', RENEWAL, RENEWAL_HEX],
  ])('have a fixed form: %s', (_, request, hex) => {
    const bytes = fromHex(hex)
    expect(toHex(encoded([request]))).toBe(toHex(bytes))
    expect(readRequest(new JuteReader(bytes))).toEqual(request)
  })

  it('every request round-trips, one after the other', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), (requests) => {
        const bytes = encoded(requests)
        const reader = new JuteReader(bytes)
        for (const item of requests) expect(readRequest(reader)).toEqual(item)
        expect(reader.remaining).toBe(0)
        expect(holdsRequests(bytes, requests.length)).toBe(true)
        expect(holdsRequests(bytes, requests.length + 1)).toBe(false)
      }),
    )
  })

  it('give the open ACL back as itself', () => {
    const create = plainCreate('/a', null)
    const read = readRequest(new JuteReader(encoded([{ ...SET, operation: create }])))
    if (read?.operation.kind !== 'create') throw new Error('a create comes back as one')
    expect(read.operation.acl).toBe(OPEN_ACL)
  })

  it('with an unreadable inside keep their sender and fail', () => {
    const bytes = encoded([SET])
    const kindAt = bytes.length - 14
    expect(bytes[kindAt]).toBe(3)
    bytes[kindAt] = 99
    expect(readRequest(new JuteReader(bytes))).toEqual({
      ...SET,
      identities: [],
      operation: { kind: 'error', code: -5 },
    })
  })

  it('of a multi inside a multi fail', () => {
    const inner = { kind: 'multi', operations: [] } as const
    const bytes = encoded([{ ...SET, operation: { kind: 'multi', operations: [inner] } }])
    expect(readRequest(new JuteReader(bytes))?.operation).toEqual({ kind: 'error', code: -5 })
  })
})

describe('batches', () => {
  it('round-trip', () => {
    const some = fc.array(request, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(natural, some, (timeMs, requests) => {
        const payload = encodeBatch(timeMs, requests.length, encoded(requests))
        expect(decodeBatch(payload)).toEqual({ timeMs, requests })
        const enforcing = encodeBatch(timeMs, requests.length, encoded(requests), true)
        expect(decodeBatch(enforcing)).toEqual({ timeMs, requests, enforcesQuotas: true })
      }),
    )
  })

  it('refuse what no leader may stamp', () => {
    expect(() => encodeBatch(-1, 1, encoded([SET]))).toThrow(AssertionError)
    expect(() => encodeBatch(1.5, 1, encoded([SET]))).toThrow(AssertionError)
    expect(() => encodeBatch(1, 0, new Uint8Array(0))).toThrow(AssertionError)
  })

  it('of an unknown version are one failed request at time 0', () => {
    const payload = encodeBatch(5, 1, encoded([SET]))
    payload[0] = 3
    expect(decodeBatch(payload)).toEqual({ timeMs: 0, requests: [UNREADABLE] })
    expect(decodeBatch(new Uint8Array(0))).toEqual({ timeMs: 0, requests: [UNREADABLE] })
  })

  it('cut anywhere keep the whole requests and fail the rest once', () => {
    const payload = encodeBatch(5, 2, encoded([SET, SET]))
    const one = (payload.length - 13) / 2
    for (let length = 13; length < payload.length; length += 1) {
      const whole = length >= 13 + one ? [SET] : []
      expect(decodeBatch(payload.slice(0, length))).toEqual({
        timeMs: 5,
        requests: [...whole, UNREADABLE],
      })
    }
  })

  it('with a count that is not theirs fail once more, and at no great cost', () => {
    for (const count of [1, 3, 0x7fff_ffff]) {
      const payload = encodeBatch(5, count, encoded([SET, SET]))
      const kept = Math.min(count, 2)
      expect(decodeBatch(payload)).toEqual({
        timeMs: 5,
        requests: [...Array<Request>(kept).fill(SET), UNREADABLE],
      })
    }
  })

  it('of one bad request between two keep both', () => {
    const bytes = encoded([SET, SET, SET])
    const one = bytes.length / 3
    bytes.fill(0xff, one + 4, one * 2)
    expect(decodeBatch(encodeBatch(5, 3, bytes)).requests).toEqual([SET, UNREADABLE, SET])
  })

  it('of any bytes decode, and always alike', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc
        .tuple(
          fc.array(request, { minLength: 1, maxLength: 3 }),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        )
        .map(([requests, flips]) => {
          const bytes = encodeBatch(1, requests.length, encoded(requests))
          for (const [at, value] of flips) bytes[at % bytes.length] = value
          return bytes
        }),
    )
    fc.assert(
      fc.property(payload, (bytes) => {
        const first = decodeBatch(bytes)
        expect(decodeBatch(bytes.slice())).toEqual(first)
        expect(Number.isSafeInteger(first.timeMs) && first.timeMs >= 0).toBe(true)
        for (const { session, origin, connection, ticket } of first.requests) {
          for (const number of [session, origin, connection, ticket]) {
            expect(Number.isSafeInteger(number)).toBe(true)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })
})
