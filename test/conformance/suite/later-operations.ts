import { describe, expect, it } from 'vitest'
import {
  create,
  createBody,
  err,
  flag,
  getData,
  multiBody,
  multiResults,
  pathBody,
  remove,
  setData,
  statOf,
} from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Supports, type Target } from './target.ts'

const addWatch = (path: string, mode: number) => new Fields().text(path).int(mode)
const anyWatch = 3

/** Operations that ZooKeeper gained after 3.4. */
export function laterSuite(target: Target, supports: Supports): void {
  describe('createContainer, createTTL and multiRead', () => {
    const sessions = new Sessions(target)

    it('answers a container with path and stat', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const body = createBody(`${place}/c`, '', { flags: flag.container })
      const reply = await client.request(op.createContainer, body)
      expect(reply.err).toBe(err.ok)
      expect(reply.body.text()).toBe(`${place}/c`)
      expect(reply.body.stat()).toEqual(await statOf(client, `${place}/c`))
    })

    it('answers createTTL with path and stat, owned by nobody', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const body = createBody(`${place}/t`, 'x', { flags: flag.ttl }).long(3_600_000n)
      const reply = await client.request(op.createTtl, body)
      expect(reply.err).toBe(err.ok)
      expect(reply.body.text()).toBe(`${place}/t`)
      const stat = reply.body.stat()
      expect(stat).toEqual(await statOf(client, `${place}/t`))
      expect(stat.ephemeralOwner).toBe(0n)
      const numbered = createBody(`${place}/n`, '', { flags: flag.ttlSequential }).long(3_600_000n)
      expect((await client.request(op.createTtl, numbered)).body.text()).toBe(
        `${place}/n0000000001`,
      )
    })

    it('refuses a time to live of nothing, and of more than 2^40 - 1 ms', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      for (const ttl of [0n, -1n, 2n ** 40n, 2n ** 62n]) {
        const body = createBody(`${place}/t`, '', { flags: flag.ttl }).long(ttl)
        expect(await client.code(op.createTtl, body)).toBe(err.badArguments)
      }
    })

    const ends = supports.badTtlRefused ? '' : ' (Apache ZooKeeper ends at it)'
    it.skipIf(!supports.badTtlRefused)(`refuses createTTL without a TTL${ends}`, async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const body = createBody(`${place}/t`).long(-1n)
      expect(await client.code(op.createTtl, body)).toBe(err.badArguments)
      expect(await create(client, `${place}/t`)).toMatchObject({ err: err.ok })
    })

    it('answers each read of a multiRead, one that fails among them', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`, 'x')
      const reads = multiBody([
        { type: op.getData, body: pathBody(`${place}/a`, false) },
        { type: op.getChildren, body: pathBody(place, false) },
        { type: op.getData, body: pathBody(`${place}/no`, false) },
        { type: op.getChildren, body: pathBody(place, false) },
      ])
      const reply = await client.request(op.multiRead, reads)
      expect(reply.err).toBe(err.ok)
      const stat = await statOf(client, `${place}/a`)
      expect(multiResults(reply)).toEqual([
        { type: op.getData, err: 0, value: { data: 'x', stat } },
        { type: op.getChildren, err: 0, value: ['a'] },
        { type: -1, err: err.noNode, value: err.noNode },
        { type: op.getChildren, err: 0, value: ['a'] },
      ])
    })
  })

  describe('persistent watches', () => {
    const sessions = new Sessions(target)

    it('stay, and tell of data and children', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await client.code(op.addWatch, addWatch(place, 0))).toBe(err.ok)
      await setData(client, place, '1')
      await setData(client, place, '2')
      await create(client, `${place}/a`)
      await create(client, `${place}/a/b`)
      const events = await client.settle()
      expect(events.map(({ type, path }) => [type, path])).toEqual([
        [3, place],
        [3, place],
        [4, place],
      ])
    })

    it('recursive ones tell of every descendant and never of children', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await client.code(op.addWatch, addWatch(place, 1))).toBe(err.ok)
      await create(client, `${place}/deep`)
      await create(client, `${place}/deep/er`)
      await setData(client, `${place}/deep/er`, 'x')
      await remove(client, `${place}/deep/er`)
      const events = await client.settle()
      expect(events.map(({ type, path }) => [type, path])).toEqual([
        [1, `${place}/deep`],
        [1, `${place}/deep/er`],
        [3, `${place}/deep/er`],
        [2, `${place}/deep/er`],
      ])
    })

    it('can be removed, once', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await client.request(op.addWatch, addWatch(place, 1))
      expect(await client.code(op.removeWatches, addWatch(place, anyWatch))).toBe(err.ok)
      expect(await client.code(op.removeWatches, addWatch(place, anyWatch))).toBe(err.noWatcher)
      await create(client, `${place}/a`)
      expect(await client.settle()).toEqual([])
    })

    it('of both modes on one path tell of both, on a path that is not there yet', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const path = `${place}/a`
      for (const mode of [0, 1]) {
        expect(await client.code(op.addWatch, addWatch(path, mode))).toBe(err.ok)
      }
      await create(client, path)
      await create(client, `${path}/b`)
      const events = await client.settle()
      expect(events.map(({ type, path: of }) => [type, of])).toEqual([
        [1, path],
        [1, `${path}/b`],
        [4, path],
      ])
    })

    it('are found by checkWatches, by their kind', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const found = async () => {
        const codes = []
        for (const kind of [1, 2, 3, 4, 5]) {
          codes.push(await client.code(op.checkWatches, addWatch(place, kind)))
        }
        return codes.map((code) => code === err.ok)
      }
      expect(await client.code(op.checkWatches, addWatch(place, anyWatch))).toBe(err.noWatcher)
      await getData(client, place, true)
      expect(await found()).toEqual([false, true, true, false, false])
      await client.request(op.addWatch, addWatch(place, 0))
      expect(await found()).toEqual([false, true, true, true, false])
    })

    it('come back by setWatches2', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const { zxid } = await getData(client, place)
      const body = new Fields().long(zxid).texts([]).texts([]).texts([]).texts([place]).texts([])
      expect(await client.code(op.setWatches2, body, -8)).toBe(err.ok)
      await setData(client, place, '1')
      await setData(client, place, '2')
      expect((await client.settle()).map(({ type }) => type)).toEqual([3, 3])
    })
  })

  describe('questions', () => {
    const sessions = new Sessions(target)

    it('getEphemerals names those of the session under a prefix', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/e`, '', { flags: flag.ephemeral })
      const reply = await client.request(op.getEphemerals, new Fields().text(place))
      expect(reply.body.texts()).toEqual([`${place}/e`])
    })

    it('getAllChildrenNumber counts all descendants', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/a`)
      await create(client, `${place}/a/b`)
      const reply = await client.request(op.getAllChildrenNumber, new Fields().text(place))
      expect(reply.body.int()).toBe(2)
    })

    it('whoAmI names the address', async () => {
      const client = await sessions.client()
      const reply = await client.request(op.whoAmI)
      expect(reply.body.int()).toBe(1)
      expect([reply.body.text(), reply.body.text()]).toEqual(['ip', '127.0.0.1'])
    })
  })
}
