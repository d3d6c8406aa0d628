import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SnapshotLoader, type SnapshotRecord } from '../../../server/core/machine/snapshot.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { decodeSnapshotRecords, encodeSnapshotRecord } from '../../../server/wire/snapshot-codec.ts'
import { snapshotRecord } from './arbitraries.ts'
import { fromHex, toHex } from './hex.ts'

function encoded(records: readonly SnapshotRecord[]): Uint8Array {
  const writer = new JuteWriter(64)
  for (const record of records) encodeSnapshotRecord(writer, record)
  return writer.take()
}

const HEADER: SnapshotRecord = {
  kind: 'header',
  formatVersion: 1,
  index: 300,
  term: 2,
  zxid: 5,
  timeMs: 6,
  clusterVersion: 1,
}
const ZNODE: SnapshotRecord = {
  kind: 'znode',
  znode: {
    path: '/a',
    data: Uint8Array.of(1),
    acl: OPEN_ACL,
    mode: 1,
    ttlMs: 0,
    owner: 3,
    czxid: 4,
    mzxid: 5,
    pzxid: 6,
    ctimeMs: 7,
    mtimeMs: 8,
    version: -1,
    aversion: 9,
    creations: 10,
  },
}

describe('snapshot records', () => {
  it('round-trip', () => {
    fc.assert(
      fc.property(fc.array(snapshotRecord, { maxLength: 5 }), (records) => {
        expect([...decodeSnapshotRecords(encoded(records))]).toEqual(records)
      }),
    )
  })

  it('have a fixed form', () => {
    const header = '00000008 01 01 ac02 02 05 06 01'
    const znode = `0000001e 03 02 2f61 00000001 01 00 01
      00 03 04 05 06 07 08 ffffffff 00000009 0000000a`
    expect(toHex(encoded([HEADER]))).toBe(toHex(fromHex(header)))
    expect(toHex(encoded([ZNODE]))).toBe(toHex(fromHex(znode)))
  })

  it('cut anywhere end before the cut', () => {
    const bytes = encoded([HEADER, ZNODE])
    for (let length = 0; length < bytes.length; length += 1) {
      const whole = length >= 12 ? [HEADER] : []
      expect([...decodeSnapshotRecords(bytes.slice(0, length))]).toEqual(whole)
    }
  })

  it('end before a record of unknown kind, or with bytes too many', () => {
    const more = Uint8Array.from([...encoded([HEADER]), ...fromHex('00000001 05')])
    expect([...decodeSnapshotRecords(more)]).toEqual([HEADER])
    const long = fromHex('00000009 01 01 ac02 02 05 06 01 00')
    expect([...decodeSnapshotRecords(long)]).toEqual([])
  })

  it('of any bytes never throw', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.uint8Array({ maxLength: 80 }), (kind, rest) => {
        for (const _ of decodeSnapshotRecords(rest)) void _
        const framed = Uint8Array.of(0, 0, 0, rest.length + 1, kind, ...rest)
        for (const _ of decodeSnapshotRecords(framed)) void _
      }),
      { numRuns: 2000 },
    )
  })

  it('carry a machine whole', () => {
    const machine = new StateMachine()
    const sender = { origin: 9, connection: 1, identities: [{ scheme: 'ip', id: '::1' }] }
    const create = (path: string, mode: 'ephemeral' | 'ttl' | 'persistent') =>
      ({
        kind: 'create',
        path,
        data: mode === 'ttl' ? null : Uint8Array.of(7),
        acl: [{ permissions: 31, scheme: 'ip', id: '::1' }],
        mode,
        sequential: false,
        ttlMs: mode === 'ttl' ? 1000 : 0,
        withStat: false,
      }) as const
    const password = new Uint8Array(16).fill(3)
    const operations = [
      { session: 0, operation: { kind: 'createSession', timeoutMs: 4000, password } as const },
      { session: 1, operation: create('/p', 'persistent') },
      { session: 1, operation: create('/p/e', 'ephemeral') },
      { session: 1, operation: create('/t', 'ttl') },
    ]
    const requests = operations.map((item, ticket) => ({ ...sender, ...item, ticket }))
    const results = machine.apply({ index: 1, term: 1 }, { timeMs: 5, requests })
    expect(results.map((result) => result.error)).toEqual([0, 0, 0, 0])
    const cursor = machine.openSnapshot(1, 1)
    const loader = new SnapshotLoader()
    for (let records = cursor.next(2); records !== null; records = cursor.next(2)) {
      for (const record of decodeSnapshotRecords(encoded(records))) loader.add(record)
    }
    const loaded = loader.finish()
    if (!('machine' in loaded)) throw new Error(loaded.refusal)
    expect(loaded.machine.digest).toBe(machine.digest)
    expect(loaded.machine.tree.stat('/p/e')).toEqual(machine.tree.stat('/p/e'))
    expect(loaded.machine.sessions.get(1)?.password).toEqual(password)
  })
})
