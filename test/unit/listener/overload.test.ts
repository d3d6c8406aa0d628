import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import type { SentRequest } from '../../../server/wire/client-codec.ts'
import { type Client, creation, ListenerHarness } from './client-harness.ts'

const getData = (path: string) => ({ kind: 'getData', path, watch: false }) as const
const get = (xid: number, path: string): SentRequest => ({
  kind: 'read',
  xid,
  opcode: 4,
  read: getData(path),
})
/** Requests 1 to `count`. */
const gets = (count: number, path: string) =>
  Array.from({ length: count }, (_, index) => get(index + 1, path))

const answers = (client: Client) => client.frames.length

describe('a client with much to ask', () => {
  it('has its share of a turn, and others theirs before it goes on', () => {
    const harness = new ListenerHarness()
    const busy = harness.open({ requestsPerTurnMax: 64 })
    const other = harness.open()
    busy.send(...gets(300, '/'))
    expect([answers(busy), busy.reading]).toEqual([64, false])
    other.ping()
    expect([answers(busy), answers(other)]).toEqual([128, 1])
    for (const answered of [192, 256, 300]) {
      harness.ensemble.endTurn()
      expect(answers(busy)).toBe(answered)
    }
    expect(busy.reading).toBe(true)
    expect(harness.stats.throttles).toBe(0)
  })

  it('keeps its order over turns, and what comes meanwhile is behind', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ requestsPerTurnMax: 3 })
    client.send(...gets(7, '/'))
    client.write(8, creation('/a'))
    client.send(get(9, '/a'))
    for (let turn = 0; turn < 5; turn += 1) harness.ensemble.endTurn()
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(client.reply(9).error).toBe(ErrorCode.ok)
  })

  it('that is gone is asked for nothing more', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ requestsPerTurnMax: 3 })
    const before = harness.stats.packetsReceived
    client.send(...gets(30, '/'))
    client.connection.ended()
    for (let turn = 0; turn < 10; turn += 1) harness.ensemble.endTurn()
    // Those of the turn in which they came, and of the next that began at its end.
    expect(harness.stats.packetsReceived - before).toBe(6)
  })

  it('may ask for as much as it likes behind a write: no depth of calls grows with it', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outstandingMax: 1, requestsPerTurnMax: 100_000 })
    client.write(0, creation('/a'))
    client.send(...gets(20_000, '/a'))
    expect([client.reading, answers(client)]).toEqual([false, 0])
    harness.ensemble.commitAll()
    for (let turn = 0; turn < 10; turn += 1) harness.ensemble.endTurn()
    expect(answers(client)).toBe(20_001)
  })
})

describe('a client that does not take its replies', () => {
  it('is asked for nothing more until it does, and loses nothing', () => {
    const harness = new ListenerHarness()
    harness.ensemble.applyForeign(creation('/big', 'x'.repeat(3_000)))
    const client = harness.open({ replyWindowBytes: 5_000, outputBytesMax: 20_000 })
    client.takes = false
    const before = client.writes.length
    client.send(...gets(40, '/big'))
    for (let turn = 0; turn < 10; turn += 1) harness.ensemble.endTurn()
    expect([answers(client), client.reading, client.closed]).toEqual([2, false, false])
    expect(harness.stats.throttles).toBe(1)
    client.takes = true
    client.connection.written(client.writes.slice(before).reduce((sum, bytes) => sum + bytes, 0))
    for (let turn = 0; turn < 40; turn += 1) harness.ensemble.endTurn()
    expect(answers(client)).toBe(40)
    expect([client.reading, client.closed]).toEqual([true, false])
  })

  it('is cut off by events, which do not wait, and counted once', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outputBytesMax: 500 })
    client.takes = false
    const opcode = 106
    client.send({ kind: 'addWatch', xid: 1, opcode, path: '/', mode: 1 })
    for (let i = 0; !client.closed && i < 100; i += 1) {
      harness.ensemble.applyForeign(creation(`/n${i}`))
    }
    expect(client.closed).toBe(true)
    expect(harness.stats.connectionsDropped).toBe(1)
    expect(harness.ensemble.watches.count).toBe(0)
  })

  it('is cut off before more is put together than it may have', () => {
    const harness = new ListenerHarness()
    harness.ensemble.applyForeign(creation('/big', 'x'.repeat(3_000)))
    const client = harness.open({ outputBytesMax: 20_000 })
    client.write(0, creation('/a'))
    client.send(...gets(900, '/big'))
    harness.ensemble.commitAll()
    expect([client.closed, harness.stats.connectionsDropped]).toEqual([true, 1])
    expect(harness.stats.bytesSent).toBeLessThan(25_000)
  })

  it('has no reply put together that it could not take', () => {
    const harness = new ListenerHarness()
    harness.ensemble.applyForeign(creation('/big', 'x'.repeat(3_000)))
    const client = harness.open({ outputBytesMax: 60_000 })
    const reads = Array.from({ length: 1_000 }, () => getData('/big'))
    client.read(1, { kind: 'multiRead', reads })
    const { body } = client.reply(1)
    if (body?.kind !== 'multiRead') throw new Error('a multiRead answers with results')
    const kinds = body.results.map((item) => (item.kind === 'error' ? item.code : item.kind))
    expect(new Set(kinds.slice(0, 11))).toEqual(new Set(['getData']))
    expect(new Set(kinds.slice(11))).toEqual(new Set([ErrorCode.marshallingError]))
    expect(client.closed).toBe(false)
  })
})

describe('a client that does not wait for its session', () => {
  it('is not read until it has one', () => {
    const harness = new ListenerHarness()
    const client = harness.connect()
    client.introduce()
    client.ping()
    expect(client.reading).toBe(false)
    harness.ensemble.commitAll()
    harness.ensemble.endTurn()
    expect([client.reading, answers(client)]).toEqual([true, 1])
  })
})
