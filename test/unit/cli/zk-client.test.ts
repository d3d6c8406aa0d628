import { afterEach, describe, expect, it } from 'vitest'
import { CommandFailure } from '../../../server/cli/command-failure.ts'
import { type WatchNotice, ZkClient } from '../../../server/cli/zk-client.ts'
import { OPEN_ACL } from '../../../server/core/tree/acl.ts'
import { reservePorts } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'
import { closeListeners, listen } from '../listener/loopback.ts'

afterEach(closeListeners)

const bytes = (text: string) => new TextEncoder().encode(text)

async function client() {
  const { ensemble, port, listener } = await listen()
  return { ensemble, listener, zk: await ZkClient.connect([`127.0.0.1:${port}`], 10_000) }
}

describe("the command line's client", () => {
  it('creates, reads, changes and deletes', async () => {
    const { zk } = await client()
    expect(await zk.create('/a', bytes('1'), OPEN_ACL, 'persistent', false, 0)).toBe('/a')
    expect(await zk.create('/a/s-', null, OPEN_ACL, 'persistent', true, 0)).toBe('/a/s-0000000000')
    expect(await zk.create('/a/c', null, OPEN_ACL, 'container', false, 0)).toBe('/a/c')
    expect(Buffer.from((await zk.get('/a', false)).data ?? []).toString()).toBe('1')
    expect((await zk.set('/a', bytes('22'), 0)).version).toBe(1)
    expect(await zk.stat('/a', false)).toMatchObject({ dataLength: 2, numChildren: 2 })
    expect([...(await zk.children('/a', false)).children].sort()).toEqual(['c', 's-0000000000'])
    await zk.setAcl('/a/c', [{ permissions: 1, scheme: 'world', id: 'anyone' }], -1)
    expect(await zk.acl('/a/c')).toEqual([{ permissions: 1, scheme: 'world', id: 'anyone' }])
    await zk.sync('/')
    await zk.delete('/a/c', -1)
    await expect(zk.stat('/a/c', false)).rejects.toThrow('noNode')
    await zk.close()
  })

  it('tells refusals by their name', async () => {
    const { zk } = await client()
    await expect(zk.get('/none', false)).rejects.toThrow('noNode')
    await expect(zk.delete('/zookeeper', -1)).rejects.toThrow('badArguments')
    await expect(zk.create('/a/b', null, OPEN_ACL, 'persistent', false, 0)).rejects.toThrow(
      'noNode',
    )
    await zk.close()
  })

  it('tells of watched changes', async () => {
    const { zk } = await client()
    const notices: WatchNotice[] = []
    zk.onWatch = (notice) => void notices.push(notice)
    await zk.children('/', true)
    await zk.create('/a', null, OPEN_ACL, 'persistent', false, 0)
    expect(notices).toEqual([{ type: 4, path: '/' }])
    await zk.close()
  })

  it('proves who it is, and ends when it cannot', async () => {
    const { zk } = await client()
    await zk.auth('digest', 'user:password')
    await zk.create(
      '/a',
      null,
      [{ permissions: 31, scheme: 'auth', id: '' }],
      'persistent',
      false,
      0,
    )
    expect(await zk.acl('/a')).toMatchObject([{ scheme: 'digest' }])
    await expect(zk.auth('nonsense', 'x')).rejects.toThrow('authFailed')
  })

  it('ends its session: its ephemerals go', async () => {
    const { zk, ensemble } = await client()
    await zk.create('/e', null, OPEN_ACL, 'ephemeral', false, 0)
    await zk.close()
    await waitFor('the end', () => ensemble.machine.sessions.count === 0)
    expect(ensemble.machine.tree.data('/e')).toBeUndefined()
  })

  it('takes the next server when the first is down, and names them all when none is up', async () => {
    const { port } = await listen()
    const [down = 0] = await reservePorts(1)
    const zk = await ZkClient.connect([`127.0.0.1:${down}`, `127.0.0.1:${port}`], 10_000)
    await zk.close()
    const none = ZkClient.connect([`127.0.0.1:${down}`], 10_000)
    await expect(none).rejects.toThrow(CommandFailure)
    await expect(none).rejects.toThrow(`no session with 127.0.0.1:${down}: connect ECONNREFUSED`)
  })

  it('is told when the server does not serve, or goes', async () => {
    const { port, ensemble } = await listen()
    ensemble.ready = false
    await expect(ZkClient.connect([`127.0.0.1:${port}`], 10_000)).rejects.toThrow(
      'closed the connection',
    )
    const { zk, ensemble: other } = await client()
    other.immediate = false
    const waiting = zk.sync('/')
    await waitFor('the sync', () => other.barriers === 1)
    other.passBarriers(false)
    await expect(waiting).rejects.toThrow('connectionLoss')
  })
})
