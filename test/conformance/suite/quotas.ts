import { describe, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import {
  create,
  createBody,
  dataBody,
  err,
  getData,
  multi,
  remove,
  setData,
  statOf,
  versionBody,
} from '../operations.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

/** Quotas, on servers that enforce them. */
export function quotaSuite(target: Target): void {
  describe('quotas', () => {
    const sessions = new Sessions(target)
    /**
     * At the leader: Apache ZooKeeper's looks, for each request, at the use that it has applied itself,
     * which may lack what a follower has answered already.
     */
    const atLeader = async () => sessions.client({}, await leaderOf(target.ensemble()))

    /** A place with a quota; where its limits and its use are. */
    async function limited(client: RawClient, limits: string) {
      const place = await sessions.place(client)
      const quota = `/zookeeper/quota${place}`
      await create(client, quota)
      const set = await create(client, `${quota}/zookeeper_limits`, limits)
      const counted = await create(client, `${quota}/zookeeper_stats`, 'count=0,bytes=0')
      expect([set.err, counted.err]).toEqual([err.ok, err.ok])
      const use = async () => (await getData(client, `${quota}/zookeeper_stats`)).data
      return { place, limits: `${quota}/zookeeper_limits`, stats: `${quota}/zookeeper_stats`, use }
    }

    it('count znodes and bytes of what was there and of what comes and goes', async () => {
      const client = await atLeader()
      const place = await sessions.place(client)
      await setData(client, place, '12345')
      await create(client, `${place}/a`, '123')
      const quota = `/zookeeper/quota${place}`
      await create(client, quota)
      await create(client, `${quota}/zookeeper_limits`, 'count=100,bytes=-1')
      await create(client, `${quota}/zookeeper_stats`, 'count=0,bytes=0')
      const use = async () => (await getData(client, `${quota}/zookeeper_stats`)).data
      expect(await use()).toBe('count=2,bytes=8')
      await create(client, `${place}/a/b`, null)
      await setData(client, `${place}/a`, '1')
      expect(await use()).toBe('count=3,bytes=6')
      await remove(client, `${place}/a/b`)
      expect(await use()).toBe('count=2,bytes=6')
    })

    it('leave version and times of their use alone, and tell no watch', async () => {
      const client = await atLeader()
      const { place, stats } = await limited(client, 'count=100,bytes=-1')
      const before = await statOf(client, stats)
      await getData(client, stats, true)
      await create(client, `${place}/a`, 'x')
      expect(await statOf(client, stats)).toEqual(before)
      expect(await client.settle()).toEqual([])
    })

    it('refuse a znode too many', async () => {
      const client = await atLeader()
      const { place, use } = await limited(client, 'count=-1,bytes=-1=;countHardLimit=2')
      expect((await create(client, `${place}/a`)).err).toBe(err.ok)
      expect((await create(client, `${place}/b`)).err).toBe(err.quotaExceeded)
      expect(await use()).toBe('count=2,bytes=0')
      expect((await remove(client, `${place}/a`)).err).toBe(err.ok)
      expect((await create(client, `${place}/b`)).err).toBe(err.ok)
    })

    it('refuse bytes too many, before they look at the version', async () => {
      const client = await atLeader()
      const { place } = await limited(client, 'count=-1,bytes=-1=;byteHardLimit=10')
      expect((await create(client, `${place}/a`, '1234567890')).err).toBe(err.ok)
      expect((await create(client, `${place}/b`, '1')).err).toBe(err.quotaExceeded)
      expect((await setData(client, `${place}/a`, '12345678901', 7)).err).toBe(err.quotaExceeded)
      expect((await setData(client, `${place}/a`, '123456789', 7)).err).toBe(err.badVersion)
      expect((await setData(client, place, 'x', -1)).err).toBe(err.quotaExceeded)
    })

    it('refuse nothing when they are soft', async () => {
      const client = await atLeader()
      const { place, use } = await limited(client, 'count=1,bytes=1')
      expect((await create(client, `${place}/a`, '123')).err).toBe(err.ok)
      expect(await use()).toBe('count=2,bytes=3')
    })

    it('look at a multi from before it', async () => {
      const client = await atLeader()
      const { place, use } = await limited(client, 'count=-1,bytes=-1=;countHardLimit=2')
      const both = await multi(client, [
        { type: op.create, body: createBody(`${place}/a`) },
        { type: op.create, body: createBody(`${place}/b`) },
      ])
      expect(both.results.map((result) => result.err)).toEqual([0, 0])
      expect(await use()).toBe('count=3,bytes=0')
      const exchange = await multi(client, [
        { type: op.delete, body: versionBody(`${place}/a`) },
        { type: op.create, body: createBody(`${place}/c`) },
        { type: op.setData, body: dataBody(place, 'x') },
      ])
      expect(exchange.results.map((result) => result.err)).toEqual([
        0,
        err.quotaExceeded,
        err.runtimeInconsistency,
      ])
    })

    it('of a subtree leave its own subtree with a quota alone', async () => {
      const client = await atLeader()
      const { place, use } = await limited(client, 'count=-1,bytes=-1=;countHardLimit=2')
      await create(client, `${place}/in`)
      const inner = `/zookeeper/quota${place}/in`
      await create(client, inner)
      await create(client, `${inner}/zookeeper_limits`, 'count=-1,bytes=-1=;countHardLimit=2')
      await create(client, `${inner}/zookeeper_stats`)
      expect((await create(client, `${place}/in/a`)).err).toBe(err.ok)
      expect((await create(client, `${place}/in/b`)).err).toBe(err.quotaExceeded)
      expect(await use()).toBe('count=2,bytes=0')
    })

    it('end with their limits', async () => {
      const client = await atLeader()
      const { place, limits, use } = await limited(client, 'count=-1,bytes=-1=;countHardLimit=1')
      expect((await create(client, `${place}/a`)).err).toBe(err.quotaExceeded)
      expect((await remove(client, limits)).err).toBe(err.ok)
      expect((await create(client, `${place}/a`)).err).toBe(err.ok)
      expect(await use()).toBe('count=1,bytes=0')
    })

    it.each(['garbage', 'count='])('that say %j are a marshalling error', async (text) => {
      const client = await atLeader()
      const { place } = await limited(client, text)
      expect((await create(client, `${place}/a`)).err).toBe(err.marshalling)
      const both = await multi(client, [
        { type: op.setData, body: dataBody('/zookeeper', '') },
        { type: op.create, body: createBody(`${place}/a`) },
      ])
      expect(both.err).toBe(err.marshalling)
    })
  })
}
