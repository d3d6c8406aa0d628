import { describe, expect, it } from 'vitest'
import { create, err, getData, remove, setData, watchEvent } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

interface Watched {
  readonly data?: readonly string[]
  readonly exist?: readonly string[]
  readonly child?: readonly string[]
}

function setWatches(client: RawClient, zxid: bigint, watched: Watched): number {
  const { data = [], exist = [], child = [] } = watched
  return client.send(
    op.setWatches,
    new Fields().long(zxid).texts(data).texts(exist).texts(child),
    -8,
  )
}

export function setWatchesSuite(target: Target): void {
  describe('setWatches', () => {
    const sessions = new Sessions(target)

    it('sends every event that was missed before its reply', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/x`)
      setWatches(client, 0n, {
        data: [place],
        exist: [`${place}/x`],
        child: [place, `${place}/gone`],
      })
      const events = [
        await client.event(),
        await client.event(),
        await client.event(),
        await client.event(),
      ]
      expect(events.map(({ type, path }) => [type, path])).toEqual([
        [watchEvent.dataChanged, place],
        [watchEvent.created, `${place}/x`],
        [watchEvent.childrenChanged, place],
        [watchEvent.deleted, `${place}/gone`],
      ])
      const reply = await client.message()
      expect(reply).toMatchObject({ xid: -8, err: err.ok })
      expect(reply.body.left).toBe(0)
    })

    it('arms what has not changed since the zxid', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/kids`)
      const { zxid } = await create(client, `${place}/kids/one`)
      const watched = { data: [place], exist: [`${place}/new`], child: [`${place}/kids`] }
      expect(await client.reply(setWatches(client, zxid, watched))).toMatchObject({ err: err.ok })
      expect(client.events).toEqual([])
      await setData(client, place, 'x')
      await create(client, `${place}/new`)
      await create(client, `${place}/kids/two`)
      expect(await client.settle()).toMatchObject([
        { type: watchEvent.dataChanged, path: place },
        { type: watchEvent.created, path: `${place}/new` },
        { type: watchEvent.childrenChanged, path: `${place}/kids` },
      ])
    })

    it('makes up for a time away: a change, a creation and a deletion', async () => {
      const away = await sessions.client()
      const place = await sessions.place(away)
      for (const name of ['changed', 'deleted', 'still']) await create(away, `${place}/${name}`)
      const { zxid } = await getData(away, `${place}/changed`, true)
      away.connection.drop()
      const writer = await sessions.client({}, 1)
      await writer.request(op.sync, new Fields().text(place))
      await setData(writer, `${place}/changed`, 'x')
      await create(writer, `${place}/made`)
      await remove(writer, `${place}/deleted`)
      const { sessionId, password } = away.session
      const back = await sessions.client({ sessionId, password, lastZxidSeen: zxid }, 1)
      const data = ['changed', 'deleted', 'still'].map((name) => `${place}/${name}`)
      await back.reply(setWatches(back, zxid, { data, exist: [`${place}/made`] }))
      expect(back.events.map(({ type, path }) => [type, path]).sort()).toEqual([
        [watchEvent.created, `${place}/made`],
        [watchEvent.deleted, `${place}/deleted`],
        [watchEvent.dataChanged, `${place}/changed`],
      ])
      back.events.length = 0
      await setData(writer, `${place}/still`, 'x')
      expect(await back.settle()).toMatchObject([
        { type: watchEvent.dataChanged, path: `${place}/still` },
      ])
    })

    it('takes no watches at all', async () => {
      const client = await sessions.client()
      expect(await client.reply(setWatches(client, 0n, {}))).toMatchObject({ xid: -8, err: err.ok })
    })
  })
}
