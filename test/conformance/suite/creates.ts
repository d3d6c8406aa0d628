import { describe, expect, it } from 'vitest'
import {
  create,
  create2,
  err,
  flag,
  getChildren,
  getData,
  remove,
  setData,
  statOf,
} from '../operations.ts'
import { Sessions, type Target } from './target.ts'

export function createSuite(target: Target): void {
  describe('create', () => {
    const sessions = new Sessions(target)

    it('answers with the path, and the znode has the stat of its creation', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const before = Date.now()
      const made = await create(client, `${place}/a`, 'hello')
      expect(made).toMatchObject({ err: err.ok, path: `${place}/a` })
      const { stat, data } = await getData(client, `${place}/a`)
      expect(data).toBe('hello')
      expect(stat).toMatchObject({
        czxid: made.zxid,
        mzxid: made.zxid,
        pzxid: made.zxid,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner: 0n,
        dataLength: 5,
        numChildren: 0,
      })
      expect(stat?.mtime).toBe(stat?.ctime)
      expect(Math.abs(Number(stat?.ctime) - before)).toBeLessThan(10_000)
      expect(await statOf(client, place)).toMatchObject({
        cversion: 1,
        numChildren: 1,
        pzxid: made.zxid,
        version: 0,
      })
    })

    it('answers create2 with the path and the stat', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const made = await create2(client, `${place}/a`, 'hello', { flags: flag.ephemeral })
      expect(made.path).toBe(`${place}/a`)
      expect(made.stat).toEqual(await statOf(client, `${place}/a`))
      expect(made.stat).toMatchObject({
        czxid: made.zxid,
        ephemeralOwner: client.session.sessionId,
        dataLength: 5,
      })
    })

    it('refuses what exists, what has no parent, and a child of an ephemeral', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await create(client, place)).toMatchObject({ err: err.nodeExists, bytes: 0 })
      expect(await create2(client, place)).toMatchObject({ err: err.nodeExists, bytes: 0 })
      expect(await create(client, `${place}/no/parent`)).toMatchObject({
        err: err.noNode,
        bytes: 0,
      })
      await create(client, `${place}/e`, '', { flags: flag.ephemeral })
      const child = await create(client, `${place}/e/child`)
      expect(child).toMatchObject({ err: err.noChildrenForEphemerals, bytes: 0 })
      expect(await getChildren(client, place)).toMatchObject({ children: ['e'] })
    })

    it('keeps null apart from empty data', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/null`, null)
      await create(client, `${place}/empty`, '')
      const none = await getData(client, `${place}/null`)
      const empty = await getData(client, `${place}/empty`)
      expect(none).toMatchObject({ err: err.ok, data: null, stat: { dataLength: 0 } })
      expect(empty).toMatchObject({ err: err.ok, data: '', stat: { dataLength: 0 } })
      await setData(client, `${place}/empty`, null)
      expect((await getData(client, `${place}/empty`)).data).toBeNull()
    })

    it('numbers sequential znodes by the creates of the parent, of any kind', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const next = async () =>
        (await create(client, `${place}/n-`, '', { flags: flag.sequential })).path
      for (const i of [0, 1, 2]) expect(await next()).toBe(`${place}/n-000000000${i}`)
      expect(await statOf(client, place)).toMatchObject({ cversion: 3, numChildren: 3, version: 0 })
      const removed = await remove(client, `${place}/n-0000000001`)
      expect(await statOf(client, place)).toMatchObject({
        cversion: 4,
        numChildren: 2,
        pzxid: removed.zxid,
      })
      expect(await next()).toBe(`${place}/n-0000000003`)
      await create(client, `${place}/x`)
      expect(await next()).toBe(`${place}/n-0000000005`)
    })

    it('does not count a refused create', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      await create(client, `${place}/a`)
      const { path } = await create(client, `${place}/n-`, '', { flags: flag.sequential })
      expect(path).toBe(`${place}/n-0000000001`)
      expect(await statOf(client, place)).toMatchObject({ cversion: 2, numChildren: 2 })
    })

    it('numbers a name of nothing but its number', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const { path } = await create(client, `${place}/`, '', { flags: flag.sequential })
      expect(path).toBe(`${place}/0000000000`)
    })

    it('makes ephemeral sequential znodes owned by the session', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const options = { flags: flag.ephemeralSequential }
      const { path } = await create2(client, `${place}/lock-`, '', options)
      expect(path).toBe(`${place}/lock-0000000000`)
      const stat = await statOf(client, `${place}/lock-0000000000`)
      expect(stat.ephemeralOwner).toBe(client.session.sessionId)
    })

    it('makes a container through plain create, owned by nobody', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const made = await create(client, `${place}/c`, '', { flags: flag.container })
      expect(made).toMatchObject({ err: err.ok, path: `${place}/c`, bytes: 4 + place.length + 2 })
      expect((await statOf(client, `${place}/c`)).ephemeralOwner).toBe(0n)
      expect(await create(client, `${place}/c/child`)).toMatchObject({ err: err.ok })
    })

    it.each([99, -1, flag.ttl])('refuses flags %i as bad arguments', async (flags) => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const refused = await create(client, `${place}/a`, '', { flags })
      expect(refused).toMatchObject({ err: err.badArguments, bytes: 0 })
      expect(await getChildren(client, place)).toMatchObject({ children: [] })
    })

    it('refuses an empty, a null and an unknown ACL', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const unknown = [{ perms: 31, scheme: 'no-such-scheme', id: 'x' }]
      const world = [{ perms: 31, scheme: 'world', id: 'somebody' }]
      for (const acl of [[], null, unknown, world]) {
        const refused = await create(client, `${place}/a`, '', { acl })
        expect(refused).toMatchObject({ err: err.invalidAcl, bytes: 0 })
      }
    })
  })
}
