import { describe, expect, it } from 'vitest'
import {
  authenticate,
  create,
  dataBody,
  err,
  exists,
  flag,
  getChildren,
  getData,
  remove,
  setAcl,
  setData,
  versionBody,
  watchEvent,
} from '../operations.ts'
import { Fields, openAcl } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

export function watchSuite(target: Target): void {
  describe('watches', () => {
    const sessions = new Sessions(target)

    it('sends the event before the reply to the write that caused it, with its zxid', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place, true)
      const xid = client.send(op.setData, dataBody(place, 'x'))
      const event = await client.event()
      expect(event).toMatchObject({ type: watchEvent.dataChanged, state: 3, path: place })
      const reply = await client.reply(xid)
      expect(event.zxid).toBe(reply.zxid)
      expect(client.events).toEqual([])
    })

    it('fires once for a watch that was set many times', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place, true)
      await getData(client, place, true)
      await exists(client, place, true)
      await setData(client, place, '1')
      await setData(client, place, '2')
      expect(await client.settle()).toMatchObject([{ type: watchEvent.dataChanged, path: place }])
    })

    it('tells of the creation of a znode that exists was asked for, and getData not', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await exists(client, `${place}/a`, true)).toMatchObject({ err: err.noNode })
      expect(await getData(client, `${place}/b`, true)).toMatchObject({ err: err.noNode })
      expect(await getChildren(client, `${place}/b`, true)).toMatchObject({ err: err.noNode })
      await create(client, `${place}/a`)
      await create(client, `${place}/b`)
      expect(await client.settle()).toMatchObject([
        { type: watchEvent.created, path: `${place}/a` },
      ])
    })

    it('tells of children created and deleted, and of nothing else about them', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getChildren(client, place, true)
      await setData(client, place, 'x')
      await create(client, `${place}/a`)
      const created = { type: watchEvent.childrenChanged, path: place }
      expect(await client.settle()).toMatchObject([created])
      await getChildren(client, place, true)
      await setData(client, `${place}/a`, 'x')
      await create(client, `${place}/a/b`)
      expect(await client.settle()).toEqual([])
      await remove(client, `${place}/a/b`)
      await remove(client, `${place}/a`)
      expect(await client.settle()).toMatchObject([created])
    })

    it('sets a child watch by getChildren2 as well', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await client.request(op.getChildren2, new Fields().text(place).bool(true))
      await create(client, `${place}/a`)
      expect(await client.settle()).toMatchObject([
        { type: watchEvent.childrenChanged, path: place },
      ])
    })

    it('sends one NodeDeleted for a data and a child watch, then the parent its own', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      await getData(client, `${place}/a`, true)
      await exists(client, `${place}/a`, true)
      await getChildren(client, `${place}/a`, true)
      await getChildren(client, place, true)
      const xid = client.send(op.delete, versionBody(`${place}/a`))
      expect(await client.event()).toMatchObject({ type: watchEvent.deleted, path: `${place}/a` })
      expect(await client.event()).toMatchObject({ type: watchEvent.childrenChanged, path: place })
      expect(await client.reply(xid)).toMatchObject({ err: err.ok })
      expect(client.events).toEqual([])
    })

    it('sends the creation to the znode before the change to its parent', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getChildren(client, place, true)
      await exists(client, `${place}/a`, true)
      await create(client, `${place}/a`)
      expect(await client.settle()).toMatchObject([
        { type: watchEvent.created, path: `${place}/a` },
        { type: watchEvent.childrenChanged, path: place },
      ])
    })

    it('says nothing of a change of the ACL', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place, true)
      await getChildren(client, place, true)
      await setAcl(client, place, openAcl)
      expect(await client.settle()).toEqual([])
    })

    it('tells nobody of a znode that he may not read', async () => {
      const client = await sessions.client()
      const stranger = await sessions.client()
      const place = await sessions.place(client)
      await authenticate(client, 'digest', 'ann:x')
      await create(client, `${place}/a`)
      await stranger.catchUp()
      await getData(stranger, `${place}/a`, true)
      await stranger.request(op.addWatch, new Fields().text(place).int(1))
      await setAcl(client, `${place}/a`, [{ perms: 31, scheme: 'auth', id: '' }])
      await setData(client, `${place}/a`, '1')
      await remove(client, `${place}/a`)
      expect(await stranger.settle()).toEqual([])
    })

    it('says nothing of a write that was refused', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place, true)
      expect(await setData(client, place, 'x', 9)).toMatchObject({ err: err.badVersion })
      expect(await client.settle()).toEqual([])
    })

    it('reaches clients of every server, in the order of the changes', async () => {
      const writer = await sessions.client({}, 0)
      const place = await sessions.place(writer)
      const names = ['a', 'b', 'c', 'd']
      for (const name of names) await create(writer, `${place}/${name}`)
      for (const server of [0, 1, 2]) {
        const watcher = await sessions.client({}, server)
        await watcher.catchUp()
        for (const name of names) await getData(watcher, `${place}/${name}`, true)
        const zxids = []
        for (const name of [...names].reverse()) {
          zxids.push((await setData(writer, `${place}/${name}`, 'x')).zxid)
        }
        const events = await watcher.settle()
        expect(events.map((event) => event.path)).toEqual(
          [...names].reverse().map((name) => `${place}/${name}`),
        )
        expect(events.map((event) => event.zxid)).toEqual(zxids)
      }
    })

    it('shows the new state to a read that follows the event', async () => {
      const writer = await sessions.client({}, 0)
      const watcher = await sessions.client({}, 1)
      const place = await sessions.place(writer)
      await watcher.catchUp()
      for (let i = 0; i < 50; i++) {
        await getData(watcher, place, true)
        writer.send(op.setData, dataBody(place, String(i)))
        const { type } = await watcher.event()
        expect(type).toBe(watchEvent.dataChanged)
        expect((await getData(watcher, place)).data).toBe(String(i))
      }
    })

    it('tells of the ephemerals of a session that closes', async () => {
      const owner = await sessions.client()
      const place = await sessions.place(owner)
      const watcher = await sessions.client({}, 2)
      await create(owner, `${place}/e`, '', { flags: flag.ephemeral })
      await watcher.catchUp()
      await exists(watcher, `${place}/e`, true)
      await getChildren(watcher, place, true)
      await owner.close()
      expect(await watcher.event()).toMatchObject({ type: watchEvent.deleted, path: `${place}/e` })
      expect(await watcher.event()).toMatchObject({ type: watchEvent.childrenChanged, path: place })
      expect(await watcher.settle()).toEqual([])
    })

    it('drops the watches of a connection that ended', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await getData(client, place, true)
      client.connection.drop()
      const { sessionId, password } = client.session
      const again = await sessions.client({ sessionId, password })
      await setData(again, place, 'x')
      expect(await again.settle()).toEqual([])
    })

    it('reaches a hundred watchers once each', async () => {
      const writer = await sessions.client()
      const place = await sessions.place(writer)
      const watchers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => sessions.client({}, i % 3)),
      )
      for (const watcher of watchers) {
        await watcher.catchUp()
        await getData(watcher, place, true)
      }
      const { zxid } = await setData(writer, place, 'x')
      await setData(writer, place, 'y')
      for (const watcher of watchers) {
        expect(await watcher.settle()).toEqual([
          { type: watchEvent.dataChanged, state: 3, path: place, zxid },
        ])
      }
    })
  })
}
