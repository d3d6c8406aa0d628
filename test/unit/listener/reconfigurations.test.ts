import { describe, expect, it } from 'vitest'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import type { ClientRequest } from '../../../server/wire/client-request.ts'
import { Opcode } from '../../../server/wire/opcode.ts'
import { ListenerHarness } from './client-harness.ts'

const reconfig = (xid: number): Extract<ClientRequest, { kind: 'reconfig' }> => ({
  kind: 'reconfig',
  xid,
  opcode: Opcode.reconfig,
  joining: null,
  leaving: '3',
  newMembers: null,
  configId: -1,
})
const creation = (path: string, changes = {}) =>
  ({
    kind: 'create',
    path,
    data: null,
    acl: OPEN_ACL,
    mode: 'persistent',
    sequential: false,
    ttlMs: 0,
    withStat: false,
    ...changes,
  }) as const

describe('a reconfiguration', () => {
  it('is answered with the configuration, and writes behind it wait', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send(reconfig(1))
    client.write(2, creation('/a'))
    const [asked] = harness.ensemble.reconfigurations
    expect(asked?.request).toMatchObject({ leaving: '3', configId: -1 })
    expect(asked?.identities.map(({ scheme }) => scheme)).toEqual(['ip'])
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([])
    const servers = new TextEncoder().encode('server.1=a:1:1:participant;a:2\n')
    harness.ensemble.applyForeign({ kind: 'setConfig', servers })
    asked?.done(0)
    expect(client.answered).toEqual([])
    harness.ensemble.passBarriers()
    harness.ensemble.commitAll()
    expect(client.answered).toEqual([1, 2])
    const { body, zxid } = client.reply(1)
    expect(body?.kind === 'reconfig' && Buffer.from(body.data ?? []).toString()).toBe(
      `server.1=a:1:1:participant;a:2\nversion=${zxid.toString(16)}`,
    )
  })

  it('that is refused takes a zxid, as a write that failed', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    const { lastZxid } = harness.ensemble.machine
    client.send(reconfig(1))
    harness.ensemble.reconfigurations[0]?.done(-13)
    expect(client.answered).toEqual([])
    harness.ensemble.commitAll()
    expect(client.reply(1)).toMatchObject({ error: -13, zxid: lastZxid + 1 })
  })

  it('waits for the sync before it, whose answer does not show it', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    const { lastZxid } = harness.ensemble.machine
    client.send({ kind: 'sync', xid: 1, opcode: Opcode.sync, path: '/' })
    client.send(reconfig(2))
    expect(harness.ensemble.reconfigurations).toEqual([])
    harness.ensemble.passBarriers()
    harness.ensemble.reconfigurations[0]?.done(-13)
    harness.ensemble.commitAll()
    expect(client.reply(1)).toMatchObject({ error: 0, zxid: lastZxid })
    expect(client.reply(2)).toMatchObject({ error: -13, zxid: lastZxid + 1 })
  })

  it('of which nobody knows the end closes the connection', () => {
    const harness = new ListenerHarness()
    const client = harness.open()
    client.send(reconfig(1))
    harness.ensemble.reconfigurations[0]?.done(null)
    expect([client.closed, client.frames]).toEqual([true, []])
  })
})

describe('a server without extendedTypesEnabled', () => {
  it('makes no TTL znode, alone or in a multi', () => {
    const harness = new ListenerHarness()
    const client = harness.open({ extendedTypes: false })
    const ttl = creation('/t', { mode: 'ttl', ttlMs: 5, withStat: true })
    client.write(1, ttl)
    client.write(2, { kind: 'multi', operations: [creation('/a'), ttl] })
    client.write(3, creation('/b'))
    harness.ensemble.commitAll()
    expect(client.reply(1)).toMatchObject({ error: -6 })
    expect(client.reply(2)).toMatchObject({
      body: { results: [{ code: 0 }, { code: -6 }] },
    })
    expect(client.reply(3)).toMatchObject({ error: 0 })
    expect(harness.ensemble.machine.tree.children('/').sort()).toEqual(['b', 'zookeeper'])
  })
})
