import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { type Client, creation, ListenerHarness, text } from './client-harness.ts'

const get = (path: string, watch = false) => ({ kind: 'getData', path, watch }) as const
const set = (path: string, value: string) =>
  ({ kind: 'setData', path, data: text(value), version: -1 }) as const
const sync = (xid: number) => ({ kind: 'sync', xid, opcode: 9, path: '/' }) as const

function dataOf(client: Client, xid: number): string | null {
  const { body } = client.reply(xid)
  if (body?.kind !== 'getData') throw new Error(`${xid} was no getData`)
  return body.data === null ? null : new TextDecoder().decode(body.data)
}

describe('replies', () => {
  it('come in the order of the requests, whatever is ready first', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/a'))
    client.read(2, get('/'))
    client.send(sync(3))
    client.write(4, creation('/b'))
    harness.ensemble.passBarriers()
    expect(client.answered).toEqual([])
    harness.ensemble.commit(0)
    harness.ensemble.endTurn()
    expect(client.answered).toEqual([1, 2, 3])
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2, 3, 4])
  })

  it('of a pipeline see the writes before them and none after', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.applyForeign(creation('/a', '0'))
    client.write(1, set('/a', '1'))
    client.read(2, get('/a'))
    client.write(3, set('/a', '2'))
    client.read(4, get('/a'))
    expect(harness.ensemble.waiting).toBe(2)
    harness.ensemble.commitAll()
    expect([dataOf(client, 2), dataOf(client, 4)]).toEqual(['1', '2'])
  })

  it('of one turn leave in one write', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    const before = client.writes.length
    for (let xid = 1; xid <= 10; xid += 1) client.write(xid, creation(`/n${xid}`))
    harness.ensemble.commitAll()
    expect(client.answered).toHaveLength(10)
    expect(client.writes.length - before).toBe(1)
  })

  it('carry the zxid of the write, or the newest applied for a read', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/a'))
    client.write(2, creation('/a'))
    harness.ensemble.commitAll()
    harness.ensemble.applyForeign(creation('/b'))
    client.read(3, get('/b'))
    expect([client.reply(1), client.reply(2), client.reply(3)]).toMatchObject([
      { zxid: 2, error: 0 },
      { zxid: 3, error: ErrorCode.nodeExists },
      { zxid: 4, error: 0 },
    ])
  })

  it('tell of a body shorter than its record in its turn, and the connection goes on', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/a'))
    // setData with nothing after the header.
    client.bytes(Uint8Array.of(0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 5))
    expect(client.answered).toEqual([])
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2])
    expect(client.reply(2).error).toBe(ErrorCode.marshallingError)
    expect(client.closed).toBe(false)
  })

  it('say Unimplemented to an unknown opcode, then the connection closes', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.bytes(Uint8Array.of(0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 77))
    expect(client.reply(2)).toMatchObject({ error: ErrorCode.unimplemented, zxid: -1 })
    expect(client.closed).toBe(true)
  })

  it('do not come for a header shorter than eight bytes: the connection closes', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.bytes(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 2))
    expect([client.closed, client.frames]).toEqual([true, []])
  })

  it.each(['lost', 'refused'] as const)('do not come for a write that was %s', (fate) => {
    const harness = new ListenerHarness()
    const client = harness.open()
    if (fate === 'refused') harness.ensemble.refusal = 'overloaded'
    client.write(1, creation('/a'))
    if (fate === 'lost') harness.ensemble.loseAll()
    expect([client.closed, client.frames]).toEqual([true, []])
  })
})

describe('order within one client', () => {
  it('a read behind a sync does not see a write that was sent after it', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.applyForeign(creation('/a', 'old'))
    client.send(sync(1))
    client.read(2, get('/a'))
    client.write(3, set('/a', 'new'))
    client.write(4, set('/a', 'newer'))
    harness.ensemble.commitAll()
    harness.ensemble.passBarriers()
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2, 3, 4])
    expect(dataOf(client, 2)).toBe('old')
  })

  it('a read that waits for contact never shows a write that was sent after it', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.applyForeign(creation('/a', 'old'))
    harness.ensemble.changeContact('stale')
    client.read(1, get('/a'))
    client.write(2, set('/a', 'new'))
    harness.ensemble.commitAll()
    // It could only be answered with what was written after it: the client asks elsewhere.
    expect([client.answered, client.closed]).toEqual([[], true])
  })

  it('reads of a linearizable listener each wait for their barrier', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ linearizableReads: true })
    client.read(1, get('/'))
    expect([client.answered, harness.ensemble.barriers]).toEqual([[], 1])
    harness.ensemble.passBarriers()
    expect(client.answered).toEqual([1])
  })

  it('a barrier that fails ends the connection instead of giving an old answer', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send(sync(1))
    harness.ensemble.passBarriers(false)
    expect([client.closed, client.frames]).toEqual([true, []])
  })
})

describe('pings', () => {
  it('are answered at once, ahead of what waits', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, get('/'))
    client.write(2, creation('/a'))
    harness.ensemble.applyForeign(creation('/b'))
    client.ping()
    expect(client.answered).toEqual([1, -2])
    // Not the newest zxid: the reply to the write before it may have a lower one.
    expect(client.reply(-2)).toMatchObject({ zxid: client.reply(1).zxid, error: 0 })
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, -2, 2])
  })

  it('get no answer while the leader may have given this server up, nor do reads', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.changeContact('stale')
    client.ping()
    client.read(1, get('/'))
    expect([client.frames, client.closed]).toEqual([[], false])
    harness.ensemble.changeContact('fresh')
    expect(client.answered).toEqual([1])
  })

  it('show life, as any packet does', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.touched.length = 0
    client.ping()
    client.read(1, get('/'))
    expect(harness.ensemble.touched).toEqual([client.session, client.session])
  })
})

describe('the end of a connection', () => {
  it('comes after the reply to closeSession, and the ephemerals are gone', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/e', '', 'ephemeral'))
    client.close(2)
    expect(client.closed).toBe(false)
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2])
    expect(client.reply(2).error).toBe(0)
    expect(client.closed).toBe(true)
    expect(harness.ensemble.machine.tree.data('/e')).toBeUndefined()
  })

  it('comes when the session expires', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.applyForeign({
      kind: 'expireSession',
      target: client.session,
      decidedTerm: 1,
      ownerOrigin: harness.ensemble.origin,
      ownerConnection: client.connection.number,
    })
    expect(client.closed).toBe(true)
    expect(harness.registry.count).toBe(0)
  })

  it('comes for all when contact is lost; their sessions live on', () => {
    const harness = new ListenerHarness()
    const clients = [harness.open(), harness.open()]
    harness.ensemble.changeContact('lost')
    expect(clients.map((client) => client.closed)).toEqual([true, true])
    expect(harness.ensemble.machine.sessions.count).toBe(2)
  })

  it('leaves no watch behind, and nothing is written or read any more', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, get('/', true))
    client.write(2, creation('/a'))
    const written = client.writes.length
    client.connection.ended()
    harness.ensemble.commitAll()
    client.ping()
    expect(harness.ensemble.watches.count).toBe(0)
    expect(client.writes).toHaveLength(written)
  })
})

describe('limits', () => {
  it('stop reading at the outstanding maximum and go on below it', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outstandingMax: 2 })
    for (let xid = 1; xid <= 4; xid += 1) client.write(xid, creation(`/n${xid}`))
    expect([client.connection.outstanding, client.reading]).toEqual([2, false])
    expect(harness.registry.outstanding()).toBe(2)
    harness.ensemble.commit(0)
    expect([client.connection.outstanding, client.reading]).toEqual([2, false])
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2, 3, 4])
    expect(client.reading).toBe(true)
  })

  it.each([
    ['longer than allowed', [0, 0, 0x10, 0]],
    ['of negative length', [255, 255, 255, 251]],
  ])('close the connection at a frame %s, without an answer', (_, head) => {
    const harness = new ListenerHarness()
    const client = harness.open({ frameBytesMax: 1_000 })
    client.bytes(Uint8Array.from(head))
    expect([client.closed, client.frames]).toEqual([true, []])
  })

  it('take a frame of exactly the longest length, however it is cut', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ frameBytesMax: 200 })
    const frame = new Uint8Array(204)
    frame.set([0, 0, 0, 200, 0, 0, 0, 1, 0, 0, 0, 77])
    for (const byte of frame) client.bytes(Uint8Array.of(byte))
    expect(client.reply(1).error).toBe(ErrorCode.unimplemented)
  })

  it('cut off a client that does not read, and keep its session', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outputBytesMax: 5_000 })
    harness.ensemble.applyForeign(creation('/big', 'x'.repeat(3_000)))
    client.takes = false
    client.read(1, get('/big'))
    expect(client.closed).toBe(false)
    client.read(2, get('/big'))
    expect(client.closed).toBe(false)
    client.read(3, get('/big'))
    expect(client.closed).toBe(true)
    expect(client.answered).toEqual([1, 2])
    expect(harness.stats.connectionsDropped).toBe(1)
    expect(harness.ensemble.machine.sessions.count).toBe(1)
  })

  it('let a reply through that is longer than what may be owed: a list of children has no bound', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ outputBytesMax: 5_000 })
    harness.ensemble.applyForeign(creation('/big', 'x'.repeat(30_000)))
    client.takes = false
    client.read(1, get('/big'))
    expect([client.closed, client.answered]).toEqual([false, [1]])
    client.read(2, get('/big'))
    expect(client.closed).toBe(true)
  })

  it('are told apart in what is measured: reads, updates, and the frames to the client', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.write(1, creation('/big', 'x'.repeat(3_000)))
    harness.ensemble.commitAll()
    for (const xid of [2, 3]) client.read(xid, get('/big'))
    const { readLatencyMs, updateLatencyMs, responseBytes } = harness.stats
    expect([readLatencyMs.count, updateLatencyMs.count]).toEqual([2, 1])
    // Header 16, data 4 + 3000, stat 68; the reply to the create is 16 and a path of 4 + 4.
    expect([responseBytes.last, responseBytes.max, responseBytes.min]).toEqual([3_088, 3_088, 24])
  })

  it('close a connection with too many watches', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ watchesMax: 2 })
    for (const [index, path] of ['/a', '/b', '/c'].entries()) {
      expect(client.closed).toBe(false)
      client.read(index, { kind: 'exists', path, watch: true })
    }
    expect([client.closed, harness.ensemble.watches.count]).toEqual([true, 0])
    expect(harness.stats.connectionsDropped).toBe(1)
  })
})
