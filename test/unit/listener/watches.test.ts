import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../server/core/machine/error-code.ts'
import { creation, ListenerHarness, text } from './client-harness.ts'

const set = (path: string, value: string) =>
  ({ kind: 'setData', path, data: text(value), version: -1 }) as const

describe('watch events', () => {
  it('come before the reply to the write that fires them', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    harness.ensemble.applyForeign(creation('/a', '0'))
    client.read(1, { kind: 'getData', path: '/a', watch: true })
    client.write(2, set('/a', '1'))
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, -1, 2])
    expect(client.events).toEqual([
      { kind: 'notification', type: 3, state: 3, path: '/a', zxid: client.reply(2).zxid },
    ])
  })

  it('come before any reply that reveals the change of another', () => {
    const harness = new ListenerHarness()
    const [reader, writer] = [harness.open(), harness.open()]
    reader.read(1, { kind: 'exists', path: '/a', watch: true })
    expect(reader.reply(1).error).toBe(ErrorCode.noNode)
    reader.write(2, creation('/other'))
    writer.write(1, creation('/a'))
    reader.read(3, { kind: 'exists', path: '/a', watch: false })
    harness.ensemble.commitAll()
    reader.read(4, { kind: 'exists', path: '/a', watch: false })
    // The read behind /other ran before /a was there; the one that finds it comes after the event.
    expect(reader.answered).toEqual([1, 2, 3, -1, 4])
    expect([reader.reply(3).error, reader.reply(4).error]).toEqual([ErrorCode.noNode, 0])
    expect(reader.events[0]).toMatchObject({ type: 1, path: '/a' })
  })

  it('come in the order of the log, each once', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, { kind: 'getChildren', path: '/', watch: true })
    client.read(2, { kind: 'exists', path: '/a', watch: true })
    harness.ensemble.applyForeign(creation('/a'))
    harness.ensemble.applyForeign(set('/a', '1'))
    harness.ensemble.applyForeign(creation('/b'))
    expect(client.events.map(({ type, path }) => [type, path])).toEqual([
      [1, '/a'],
      [4, '/'],
    ])
    const zxids = client.events.map((event) => event.zxid)
    expect(zxids).toEqual([...zxids].sort((left, right) => left - right))
  })

  it('are not set by a getData on a missing znode', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, { kind: 'getData', path: '/a', watch: true })
    harness.ensemble.applyForeign(creation('/a'))
    expect(client.events).toEqual([])
  })

  it('that were missed come before the reply to setWatches; the rest are armed', () => {
    const harness = new ListenerHarness()
    const { ensemble } = harness
    ensemble.applyForeign(creation('/old'))
    const seen = ensemble.machine.lastZxid
    ensemble.applyForeign(set('/old', 'changed'))
    ensemble.applyForeign(creation('/new'))
    const client = harness.open()
    client.send({
      kind: 'setWatches',
      xid: -8,
      opcode: 101,
      relativeZxid: seen,
      data: ['/old', '/gone'],
      exist: ['/new', '/later'],
      child: ['/new'],
      persistent: [],
      persistentRecursive: [],
    })
    expect(client.events.map(({ type, path }) => [type, path])).toEqual(
      expect.arrayContaining([
        [3, '/old'],
        [2, '/gone'],
        [1, '/new'],
      ]),
    )
    expect(client.answered.at(-1)).toBe(-8)
    const before = client.events.length
    ensemble.applyForeign(creation('/later'))
    expect(client.events.slice(before)).toMatchObject([{ type: 1, path: '/later' }])
  })

  it('of a recursive watch come for all below it until it is removed', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send({ kind: 'addWatch', xid: 1, opcode: 106, path: '/', mode: 1 })
    harness.ensemble.applyForeign(creation('/a'))
    harness.ensemble.applyForeign(creation('/a/b'))
    expect(client.events.map(({ type, path }) => [type, path])).toEqual([
      [1, '/a'],
      [1, '/a/b'],
    ])
    const selection = { opcode: 18, path: '/', type: 3 } as const
    client.send({ kind: 'checkWatches', xid: 2, ...selection, opcode: 17 })
    client.send({ kind: 'removeWatches', xid: 3, ...selection })
    client.send({ kind: 'removeWatches', xid: 4, ...selection })
    expect([2, 3, 4].map((xid) => client.reply(xid).error)).toEqual([0, 0, ErrorCode.noWatcher])
    harness.ensemble.applyForeign(creation('/c'))
    expect(client.events).toHaveLength(2)
  })

  it('go only to those who may read the znode', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.read(1, { kind: 'exists', path: '/secret', watch: true })
    client.read(2, { kind: 'exists', path: '/open', watch: true })
    harness.ensemble.applyForeign({
      ...creation('/secret'),
      acl: [{ permissions: 31, scheme: 'digest', id: 'other:x' }],
    })
    harness.ensemble.applyForeign(creation('/open'))
    expect(client.events.map((event) => event.path)).toEqual(['/open'])
  })
})
