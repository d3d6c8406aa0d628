import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OperationResult } from '../../../server/core/machine/operation.ts'
import {
  decodeServerFrame,
  encodeClientRequest,
  encodePing,
  encodeRead,
  encodeWrite,
  READ_OPCODES,
  writeOpcode,
} from '../../../server/wire/client-codec.ts'
import { writeReadReply, writeWriteReply } from '../../../server/wire/client-reply.ts'
import { decodeClientRequest } from '../../../server/wire/client-request.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { Opcode, opcodeName } from '../../../server/wire/opcode.ts'
import {
  clientWrite,
  errorCode,
  int32,
  natural,
  read,
  readResult,
  stat,
  text,
} from './arbitraries.ts'
import { ALL } from './fixtures.ts'
import { fromHex } from './hex.ts'

function payloadOf(write: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter(64)
  write(writer)
  return writer.take().subarray(4)
}

const BODY = '00000002 2f61 00000000 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65'
const created = (opcode: string, flags: string, ttl = '') =>
  decodeClientRequest(fromHex(`00000001 ${opcode} ${BODY} ${flags} ${ttl}`))
const operationOf = (request: ReturnType<typeof decodeClientRequest>) =>
  request.kind === 'write' ? request.operation : null

describe('create flags', () => {
  const refused = { kind: 'error', code: -8 }
  it.each([
    ['op 1 flags 4 makes no container', '00000001', '00000004', '', { mode: 'persistent' }],
    ['op 15 flags 4 makes no container', '0000000f', '00000004', '', { mode: 'persistent' }],
    ['op 19 flags 4 makes a container', '00000013', '00000004', '', { mode: 'container' }],
    ['op 19 flags 0 makes a container', '00000013', '00000000', '', { mode: 'container' }],
    ['op 1 flags 1', '00000001', '00000001', '', { mode: 'ephemeral', sequential: false }],
    ['op 1 flags 2', '00000001', '00000002', '', { mode: 'persistent', sequential: true }],
    ['op 15 flags 3', '0000000f', '00000003', '', { mode: 'ephemeral', sequential: true }],
    ['op 21 flags 5', '00000015', '00000005', '0000000000000001', { mode: 'ttl', ttlMs: 1 }],
    ['op 1 flags 5 is refused', '00000001', '00000005', '', refused],
    ['op 1 flags 6 is refused', '00000001', '00000006', '', refused],
    ['op 1 flags 99 is refused', '00000001', '00000063', '', refused],
    ['op 1 flags -1 is refused', '00000001', 'ffffffff', '', refused],
    ['op 15 flags 5 is refused', '0000000f', '00000005', '', refused],
    ['op 19 flags 1 is refused', '00000013', '00000001', '', refused],
    ['op 21 flags 0 is refused', '00000015', '00000000', '0000000000000001', refused],
    ['op 21 flags 4 is refused', '00000015', '00000004', '0000000000000001', refused],
    ['op 21 ttl -1 is refused', '00000015', '00000005', 'ffffffffffffffff', refused],
    ['op 21 ttl 0 is refused', '00000015', '00000005', '0000000000000000', refused],
    ['op 21 ttl 2^40 is refused', '00000015', '00000005', '0000010000000000', refused],
    [
      'op 21 ttl 2^40 - 1',
      '00000015',
      '00000005',
      '000000ffffffffff',
      { mode: 'ttl', ttlMs: 2 ** 40 - 1 },
    ],
    ['op 21 ttl 2^62 is refused', '00000015', '00000005', '4000000000000000', refused],
  ])('%s', (_name, opcode, flags, ttl, expected) => {
    expect(operationOf(created(opcode, flags, ttl))).toMatchObject(expected)
  })

  it.each(['00000001', '0000000f'])('op %s flags 4 makes a container in a multi', (opcode) => {
    const hex = `00000001 0000000e ${opcode} 00 ffffffff ${BODY} 00000004 ffffffff 01 ffffffff`
    expect(operationOf(decodeClientRequest(fromHex(hex)))).toMatchObject({
      operations: [{ mode: 'container', withStat: true }],
    })
  })

  it('make a multi with them one that cannot be read', () => {
    const hex = `00000001 0000000e 00000001 00 ffffffff ${BODY} 00000063 ffffffff 01 ffffffff`
    expect(operationOf(decodeClientRequest(fromHex(hex)))).toEqual({ kind: 'error', code: -5 })
  })
})

describe('requests that cannot be', () => {
  it.each([
    ['null path in getData', 'ffffffff 00', '00000004'],
    ['null path in exists', 'ffffffff 00', '00000003'],
    [
      'a write inside a multiRead',
      '00000002 00 ffffffff 00000001 2f 00000000 ffffffff 01 ffffffff',
      '00000016',
    ],
    ['a path longer than the frame', '7fffffff 2f', '00000002'],
    ['a vector of 2^31 - 1 ACLs', '00000001 2f ffffffff 7fffffff 00000000', '00000001'],
  ])('%s is a marshalling error', (_name, body, opcode) => {
    expect(decodeClientRequest(fromHex(`00000009 ${opcode} ${body}`))).toEqual({
      kind: 'malformed',
      xid: 9,
      opcode: Number.parseInt(opcode, 16),
      error: -5,
    })
  })

  it.each([
    ['a null path in create', 'ffffffff 00000000 ffffffff 00000000', '00000001'],
    ['a null path in delete', 'ffffffff 00000000', '00000002'],
    [
      'a read inside a multi',
      '00000004 00 ffffffff 00000001 2f 00 ffffffff 01 ffffffff',
      '0000000e',
    ],
    ['a multi without its end', '00000002 00 ffffffff 00000001 2f 00000000', '0000000e'],
    [
      'flags without a meaning inside a multi',
      '00000001 00 ffffffff 00000001 2f 00000000 00000000 00000007 ffffffff 01 ffffffff',
      '0000000e',
    ],
  ])('%s is a marshalling error that takes a zxid', (_name, body, opcode) => {
    expect(decodeClientRequest(fromHex(`00000009 ${opcode} ${body}`))).toEqual({
      kind: 'write',
      xid: 9,
      opcode: Number.parseInt(opcode, 16),
      operation: { kind: 'error', code: -5 },
    })
  })

  it('unknown opcodes are unimplemented, with their xid, and check outside a multi is', () => {
    for (const opcode of [13, 77, 0, 10, 20, -1, -10, -12, 108, 2 ** 31 - 1, -(2 ** 31)]) {
      const payload = payloadOf((writer) => {
        writer.int(16)
        writer.int(5)
        writer.int(opcode)
        writer.long(0)
      })
      expect(decodeClientRequest(payload)).toEqual({ kind: 'unimplemented', xid: 5, opcode })
    }
  })

  it('null ACL, scheme and lists are read as empty, a null credential as null', () => {
    const create = fromHex('00000001 00000001 00000001 2f ffffffff ffffffff 00000000')
    expect(operationOf(decodeClientRequest(create))).toMatchObject({ kind: 'create', acl: [] })
    const auth = fromHex('fffffffc 00000064 00000000 ffffffff ffffffff')
    expect(decodeClientRequest(auth)).toMatchObject({ scheme: '', auth: null })
    const watches = fromHex('fffffff8 00000065 0000000000000000 ffffffff ffffffff ffffffff')
    expect(decodeClientRequest(watches)).toMatchObject({ data: [], exist: [], child: [] })
  })
})

describe('requests and replies', () => {
  it('every write round-trips', () => {
    fc.assert(
      fc.property(int32, clientWrite, (xid, operation) => {
        const payload = payloadOf((writer) => encodeWrite(writer, xid, operation))
        const opcode = writeOpcode(operation)
        expect(decodeClientRequest(payload)).toEqual({ kind: 'write', xid, opcode, operation })
      }),
    )
  })

  it('every read round-trips', () => {
    fc.assert(
      fc.property(int32, read, (xid, request) => {
        const payload = payloadOf((writer) => encodeRead(writer, xid, request))
        const opcode = READ_OPCODES[request.kind]
        expect(decodeClientRequest(payload)).toEqual({ kind: 'read', xid, opcode, read: request })
      }),
    )
  })

  it('every read result round-trips', () => {
    fc.assert(
      fc.property(natural, readResult, (zxid, result) => {
        if (result.kind === 'error') throw new Error('results with a body only')
        const frame = payloadOf((writer) => writeReadReply(writer, 3, zxid, result))
        expect(decodeServerFrame(frame, () => READ_OPCODES[result.kind])).toEqual({
          kind: 'reply',
          xid: 3,
          zxid,
          error: 0,
          body: result,
        })
      }),
    )
  })

  it('every multi result round-trips', () => {
    const item: fc.Arbitrary<OperationResult> = fc.oneof(
      fc.record({ kind: fc.constant('create' as const), path: text, stat: fc.option(stat) }),
      fc.record({ kind: fc.constant('setData' as const), stat }),
      fc.constantFrom({ kind: 'delete' } as const, { kind: 'check' } as const),
      fc.record({ kind: fc.constant('error' as const), code: errorCode }),
    )
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), (results) => {
        const body = { kind: 'multi', results } as const
        const frame = payloadOf((writer) => writeWriteReply(writer, Opcode.multi, 1, 2, 0, body))
        expect(decodeServerFrame(frame, () => Opcode.multi)).toMatchObject({ error: 0, body })
      }),
    )
  })

  it('a ping is eight bytes', () => {
    expect(decodeClientRequest(payloadOf(encodePing))).toEqual({
      kind: 'ping',
      xid: -2,
      opcode: 11,
    })
  })

  it('opcodes have names', () => {
    expect(opcodeName(Opcode.getChildren2)).toBe('getChildren2')
    expect(opcodeName(77)).toBe('unknown')
  })
})

describe('garbage never throws', () => {
  const opcodes = Object.values(Opcode)
  const header = (opcode: number) =>
    payloadOf((writer) => {
      writer.int(8)
      writer.int(1)
      writer.int(opcode)
    })

  it('as a request', () => {
    fc.assert(
      fc.property(fc.constantFrom(...opcodes), fc.uint8Array({ maxLength: 80 }), (opcode, body) => {
        decodeClientRequest(Buffer.concat([header(opcode), body]))
        decodeClientRequest(body)
      }),
      { numRuns: 2000 },
    )
  })

  it('as a reply', () => {
    const head = fromHex('00000001 0000000000000009 00000000')
    fc.assert(
      fc.property(fc.constantFrom(...opcodes), fc.uint8Array({ maxLength: 80 }), (opcode, body) => {
        decodeServerFrame(Buffer.concat([head, body]), () => opcode)
        decodeServerFrame(body, () => opcode)
      }),
      { numRuns: 2000 },
    )
  })

  it('as a good request with bytes changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...ALL), changes, (fixture, flips) => {
        const payload = payloadOf((writer) => encodeClientRequest(writer, fixture.request))
        for (const [at, value] of flips) payload[at % payload.length] = value
        decodeClientRequest(payload)
      }),
      { numRuns: 2000 },
    )
  })
})
