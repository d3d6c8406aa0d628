import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { ReadOnlySessions } from '../../../server/listener/read-only-sessions.ts'
import type { ConnectRequest } from '../../../server/wire/handshake.ts'
import { type Client, creation, type Limits, ListenerHarness } from './client-harness.ts'

const get = (path: string, watch = false) => ({ kind: 'getData', path, watch }) as const

/** A server that has /a, whose quorum has gone. */
function cutOff(): ListenerHarness {
  const harness = new ListenerHarness()
  harness.ensemble.applyForeign(creation('/a'))
  harness.ensemble.beginReadOnly()
  return harness
}

function reader(
  harness: ListenerHarness,
  request: Partial<ConnectRequest> = {},
  limits: Limits = {},
): Client {
  const client = harness.connect(limits)
  client.introduce({ readOnly: true, ...request })
  return client
}

const again = ({ handshake }: Client): Partial<ConnectRequest> => ({
  sessionId: handshake?.sessionId ?? 0,
  password: handshake?.password ?? new Uint8Array(16),
})

describe('a server that is cut off', () => {
  it('takes in those who asked for no more than to read, and says so', () => {
    const harness = cutOff()
    const client = reader(harness)
    expect(client.handshake).toMatchObject({ readOnly: true, timeoutMs: 10_000 })
    client.read(1, get('/a'))
    client.read(2, get('/missing'))
    client.ping()
    expect(client.answered).toEqual([1, 2, -2])
    expect([client.reply(1).error, client.reply(2).error]).toEqual([0, ErrorCode.noNode])
    expect(client.reply(1).zxid).toBe(harness.ensemble.machine.lastZxid)
  })

  it.each([[false], [null]])('closes the rest without an answer: readOnly %s', (readOnly) => {
    const harness = cutOff()
    const client = reader(harness, { readOnly })
    expect([client.handshake, client.closed]).toEqual([null, true])
    expect(harness.stats.closedNotServing).toBe(1)
  })

  it('serves nobody before and after the mode', () => {
    const harness = new ListenerHarness()
    harness.ensemble.ready = false
    expect(reader(harness).closed).toBe(true)
    harness.ensemble.beginReadOnly()
    expect(reader(harness).closed).toBe(false)
    harness.ensemble.endReadOnly()
    expect(reader(harness).closed).toBe(true)
  })

  it('closes the clients that may write when contact is lost, and keeps the readers', () => {
    const harness = new ListenerHarness()
    const writer = harness.open()
    harness.ensemble.beginReadOnly()
    expect(writer.closed).toBe(true)
    const client = reader(harness)
    harness.ensemble.changeContact('lost')
    expect(client.closed).toBe(false)
  })

  it('hands in nothing of what a reader sends, and answers writes with NotReadOnly', () => {
    const harness = cutOff()
    const { ensemble } = harness
    ensemble.refusal = null
    const submitted = ensemble.submitted.length
    const client = reader(harness)
    client.write(1, creation('/b'))
    client.write(2, creation('/e', '', 'ephemeral'))
    client.write(3, { kind: 'setData', path: '/a', data: null, version: -1 })
    client.send({ kind: 'sync', xid: 4, opcode: 9, path: '/' })
    // A create and a deleteContainer without a body: refused before they are read.
    for (const opcode of [1, 14, 16, 20]) {
      const frame = Buffer.alloc(12)
      frame.writeInt32BE(8)
      frame.writeInt32BE(100 + opcode, 4)
      frame.writeInt32BE(opcode, 8)
      client.bytes(frame)
    }
    client.close(9)
    expect(client.answered).toEqual([1, 2, 3, 4, 101, 114, 116, 120, 9])
    for (const xid of client.answered.slice(0, -1)) {
      expect(client.reply(xid)).toMatchObject({ error: ErrorCode.notReadOnly, body: null })
    }
    expect(client.reply(9).error).toBe(ErrorCode.ok)
    expect(client.closed).toBe(true)
    expect([ensemble.submitted.length, ensemble.waiting, ensemble.barriers]).toEqual([
      submitted,
      0,
      0,
    ])
    expect(ensemble.touched.filter((session) => session < 0)).toEqual([])
    expect(ensemble.reconfigurations).toEqual([])
  })

  it('reads here also where reads are linearizable otherwise', () => {
    const harness = cutOff()
    const client = reader(harness, {}, { linearizableReads: true })
    client.read(1, get('/a'))
    expect(client.reply(1).error).toBe(ErrorCode.ok)
  })

  it('closes a client that has seen more, and one whose session is of the ensemble', () => {
    const harness = new ListenerHarness()
    const writer = harness.open()
    harness.ensemble.beginReadOnly()
    const ahead = reader(harness, { lastZxidSeen: harness.ensemble.machine.lastZxid + 1 })
    const former = reader(harness, again(writer))
    for (const client of [ahead, former]) {
      expect([client.handshake, client.closed]).toEqual([null, true])
    }
  })

  it('tells of what was missed, and watches nothing after a leader is back', () => {
    const harness = cutOff()
    const client = reader(harness)
    client.send({
      kind: 'setWatches',
      xid: -8,
      opcode: 101,
      relativeZxid: 0,
      data: ['/a', '/gone'],
      exist: [],
      child: [],
      persistent: [],
      persistentRecursive: [],
    })
    expect(client.events.map(({ type, path }) => [type, path])).toEqual([
      [3, '/a'],
      [2, '/gone'],
    ])
    client.read(1, get('/a', true))
    harness.ensemble.endReadOnly()
    expect(client.closed).toBe(true)
    expect(harness.ensemble.watches.count).toBe(0)
  })
})

describe('a read-only session', () => {
  it('is taken up again with its password, and its former connection closes', () => {
    const harness = cutOff()
    const first = reader(harness)
    const second = reader(harness, { ...again(first), timeoutMs: 5_000 })
    expect(second.handshake).toMatchObject({ readOnly: true, timeoutMs: 5_000 })
    expect([second.session, first.closed]).toEqual([first.session, true])
    second.read(1, get('/a'))
    expect(second.reply(1).error).toBe(ErrorCode.ok)
  })

  it.each([
    ['another password', (client: Client) => ({ ...again(client), password: new Uint8Array(16) })],
    ['an unknown id', () => ({ sessionId: 4_660 })],
    ['an id beyond the safe integers', () => ({ sessionId: 0x0300_021e_29a9_0000n })],
  ])('is expired for %s, in read-only mode', (_, request) => {
    const harness = cutOff()
    const first = reader(harness)
    const other = reader(harness, request(first))
    expect(other.handshake).toMatchObject({ timeoutMs: 0, sessionId: 0, readOnly: true })
    expect([other.closed, first.closed]).toEqual([true, false])
  })

  it('ends after its close, and with the mode, for every server', () => {
    const harness = cutOff()
    const closing = reader(harness)
    closing.close(1)
    expect(reader(harness, again(closing)).handshake?.timeoutMs).toBe(0)
    const client = reader(harness)
    harness.ensemble.endReadOnly()
    harness.ensemble.beginReadOnly()
    expect(reader(harness, again(client)).handshake?.timeoutMs).toBe(0)
    harness.ensemble.endReadOnly()
    harness.ensemble.ready = true
    harness.ensemble.contact = 'fresh'
    expect(reader(harness, again(client)).handshake).toMatchObject({
      timeoutMs: 0,
      readOnly: false,
    })
  })

  it('ends after silence for its timeout, whether its client is connected or not', () => {
    const harness = cutOff()
    const silent = reader(harness, { timeoutMs: 6_000 })
    const alive = reader(harness, { timeoutMs: 6_000 })
    const gone = reader(harness, { timeoutMs: 6_000 })
    gone.connection.ended()
    harness.pass(4_000)
    alive.ping()
    harness.pass(2_000)
    expect([silent.closed, alive.closed]).toEqual([true, false])
    expect(reader(harness, again(gone)).handshake?.timeoutMs).toBe(0)
    expect(reader(harness, again(silent)).handshake?.timeoutMs).toBe(0)
    harness.pass(4_000)
    expect(alive.closed).toBe(true)
  })

  it('of one client is no other: there is a limit, and those that went silent make room', () => {
    const sessions = new ReadOnlySessions(2)
    const password = new Uint8Array(16)
    const ids = [1, 2, 3].map(() => sessions.open(0, 1_000, password)?.id)
    expect(new Set(ids).size).toBe(3)
    expect(ids[2]).toBeUndefined()
    for (const id of ids) expect(id ?? -2).toBeLessThan(-1)
    expect(sessions.open(1_000, 1_000, password)).not.toBeNull()
  })
})
