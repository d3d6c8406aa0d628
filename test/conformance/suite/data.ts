import { describe, expect, it } from 'vitest'
import {
  create,
  err,
  exists,
  getChildren,
  getData,
  pathBody,
  remove,
  setData,
  statOf,
  versionBody,
} from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

export function dataSuite(target: Target): void {
  describe('setData and getData', () => {
    const sessions = new Sessions(target)

    it('counts versions from 0 and changes mzxid, mtime and length alone', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const born = await statOf(client, place)
      const set = await setData(client, place, 'four', 0)
      expect(set.stat).toEqual({
        ...born,
        mzxid: set.zxid,
        mtime: set.stat?.mtime,
        version: 1,
        dataLength: 4,
      })
      expect(set.stat?.mtime).toBeGreaterThanOrEqual(born.mtime)
      expect(await getData(client, place)).toMatchObject({ data: 'four', stat: set.stat })
      expect((await setData(client, place, 'five!', -1)).stat?.version).toBe(2)
    })

    it('refuses another version, and a znode that is not there', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await setData(client, place, 'x', 1)).toMatchObject({ err: err.badVersion, bytes: 0 })
      expect(await setData(client, `${place}/no`, 'x')).toMatchObject({ err: err.noNode, bytes: 0 })
      expect(await getData(client, `${place}/no`)).toMatchObject({ err: err.noNode, bytes: 0 })
      expect(await getData(client, place)).toMatchObject({ data: '', stat: { version: 0 } })
    })

    it('gives bytes back as they came', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      await setData(client, place, all)
      const reply = await client.request(op.getData, pathBody(place, false))
      expect(reply.body.buffer()?.equals(all)).toBe(true)
    })

    it('starts versions again at 0 for a znode that is created again', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      await setData(client, `${place}/a`, 'x')
      await remove(client, `${place}/a`)
      const again = await create(client, `${place}/a`)
      expect(await statOf(client, `${place}/a`)).toMatchObject({ version: 0, czxid: again.zxid })
    })
  })

  describe('delete', () => {
    const sessions = new Sessions(target)

    it('answers without a body and takes the znode away', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      expect(await remove(client, `${place}/a`, 0)).toMatchObject({ err: err.ok, bytes: 0 })
      expect(await exists(client, `${place}/a`)).toMatchObject({ err: err.noNode, bytes: 0 })
    })

    it('refuses what is missing, another version, and a parent of children', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      expect(await remove(client, `${place}/no`)).toMatchObject({ err: err.noNode, bytes: 0 })
      expect(await remove(client, `${place}/a`, 5)).toMatchObject({ err: err.badVersion, bytes: 0 })
      expect(await remove(client, place)).toMatchObject({ err: err.notEmpty, bytes: 0 })
      expect(await remove(client, place, 7)).toMatchObject({ err: err.badVersion, bytes: 0 })
    })
  })

  describe('children', () => {
    const sessions = new Sessions(target)

    it('lists the names of children alone, with the stat in getChildren2', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      for (const name of ['b', 'a', 'c']) await create(client, `${place}/${name}`)
      await create(client, `${place}/a/deeper`)
      const plain = await client.request(op.getChildren, pathBody(place, false))
      expect(plain.body.texts().sort()).toEqual(['a', 'b', 'c'])
      expect(plain.body.left).toBe(0)
      const second = await client.request(op.getChildren2, pathBody(place, false))
      expect(second.body.texts().sort()).toEqual(['a', 'b', 'c'])
      const stat = second.body.stat()
      expect(stat).toMatchObject({ numChildren: 3, cversion: 3 })
      expect(stat).toEqual(await statOf(client, place))
      expect(second.body.left).toBe(0)
    })

    it('knows no children of a leaf, and no leaf that is missing', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await getChildren(client, place)).toMatchObject({ err: err.ok, children: [] })
      expect(await getChildren(client, `${place}/no`)).toMatchObject({ err: err.noNode, bytes: 0 })
      expect(await client.code(op.getChildren2, pathBody(`${place}/no`, false))).toBe(err.noNode)
    })

    it('lists ten thousand', { timeout: 60_000 }, async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const names = Array.from({ length: 10_000 }, (_, i) => `child-${String(i).padStart(6, '0')}`)
      for (const batch of chunks(names, 500)) {
        const xids = batch.map((name) =>
          client.send(
            op.create,
            new Fields().text(`${place}/${name}`).text('').acl(everyone).int(0),
          ),
        )
        for (const xid of xids) expect((await client.reply(xid)).err).toBe(err.ok)
      }
      expect((await getChildren(client, place)).children).toEqual(names)
      expect(await statOf(client, place)).toMatchObject({ numChildren: 10_000, cversion: 10_000 })
    })
  })

  describe('sync and check', () => {
    const sessions = new Sessions(target)

    it('answers sync with the path, even of a znode that is not there', async () => {
      const client = await sessions.client()
      const reply = await client.request(op.sync, new Fields().text('/no-such-znode'))
      expect(reply.err).toBe(err.ok)
      expect(reply.body.text()).toBe('/no-such-znode')
    })

    it('does not know check outside a multi, and closes', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const reply = await client.request(op.check, versionBody(place, 0))
      expect(reply).toMatchObject({ err: err.unimplemented, zxid: -1n })
      expect(await client.connection.closed()).toEqual([])
    })
  })
}

const everyone = [{ perms: 31, scheme: 'world', id: 'anyone' }]

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  )
}
