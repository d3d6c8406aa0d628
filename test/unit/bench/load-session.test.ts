import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { Stat } from '../../../server/core/tree/stat.ts'
import { writeReadReply, writeWriteReply } from '../../../server/wire/client-reply.ts'
import { encodeConnectResponse } from '../../../server/wire/handshake.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { Opcode } from '../../../server/wire/opcode.ts'
import { LoadSession } from '../../bench/load-session.ts'
import { Counting } from '../../bench/request-source.ts'
import { getRequests, setRequests, VALUE_BYTES } from '../../bench/request-stream.ts'

const stat: Stat = {
  czxid: 1,
  mzxid: 7,
  ctimeMs: 1,
  mtimeMs: 1,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0,
  dataLength: VALUE_BYTES,
  numChildren: 0,
  pzxid: 1,
}

/** A get's reply as the server writes it, for the znode `key`. */
function found(xid: number, zxid: number, key: number, length = VALUE_BYTES): Buffer {
  const writer = new JuteWriter()
  const data = Buffer.from(String(key).padStart(8, '0').padEnd(length, '.'))
  writeReadReply(writer, xid, zxid, { kind: 'getData', data, stat })
  return writer.copy()
}

function wasSet(xid: number, zxid: number, mzxid: number): Buffer {
  const writer = new JuteWriter()
  const result = { kind: 'setData', stat: { ...stat, mzxid } } as const
  writeWriteReply(writer, Opcode.setData, xid, zxid, ErrorCode.ok, result)
  return writer.copy()
}

/** A session without a socket that has asked for keys 0, 1, ... and is given these bytes. */
async function fed(stream: 'get' | 'set', chunks: readonly Buffer[]): Promise<number> {
  const session = new LoadSession(1, 4)
  const hello = new JuteWriter()
  encodeConnectResponse(hello, {
    protocolVersion: 0,
    timeoutMs: 30_000,
    sessionId: 9,
    password: new Uint8Array(16),
    readOnly: false,
  })
  const opened = session.attach(() => {})
  session.receive(hello.copy())
  await opened
  const requests = stream === 'get' ? getRequests('/k') : setRequests('/k')
  let seen = 0
  const running = session.run(new Counting([requests], 2), () => {
    seen += 1
  })
  for (const chunk of chunks) session.receive(chunk)
  await running
  await session.close()
  return seen
}

describe('a session of the load generator', () => {
  it('counts replies that are as they must be', async () => {
    expect(await fed('get', [found(1, 5, 0), found(2, 5, 1)])).toBe(2)
    expect(await fed('set', [wasSet(1, 7, 7), wasSet(2, 8, 8)])).toBe(2)
  })

  it('takes replies however they are cut', async () => {
    const bytes = Buffer.concat([found(1, 5, 0), found(2, 6, 1)])
    for (let at = 1; at < bytes.length; at += 1) {
      expect(await fed('get', [bytes.subarray(0, at), bytes.subarray(at)])).toBe(2)
    }
  })

  const wrong: readonly (readonly [string, 'get' | 'set', readonly Buffer[], string])[] = [
    ['out of order', 'get', [found(2, 5, 1)], 'xid 2 instead of 1'],
    ['not asked for', 'get', [found(1, 5, 0), found(2, 5, 1), found(3, 5, 2)], 'nothing'],
    ['of an older state', 'get', [found(1, 5, 0), found(2, 4, 1)], 'zxid 0:4 after 0:5'],
    ['of another znode', 'get', [found(1, 5, 3)], 'another znode'],
    ['with other data', 'get', [found(1, 5, 0, 99)], 'a body of 171 bytes'],
    ['of another write', 'set', [wasSet(1, 7, 6)], 'another write'],
    ['an error', 'get', [error(1, 5)], 'error -101'],
  ]
  it.each(wrong)('fails at a reply that is %s', async (_, stream, chunks, reason) => {
    await expect(fed(stream, chunks)).rejects.toThrow(reason)
  })
})

function error(xid: number, zxid: number): Buffer {
  const writer = new JuteWriter()
  writeReadReply(writer, xid, zxid, { kind: 'error', code: ErrorCode.noNode })
  return writer.copy()
}
