import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import {
  authenticate,
  create,
  createBody,
  err,
  exists,
  getChildren,
  multiBody,
  pathBody,
  versionBody,
} from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const selection = (path: string, number: number) => new Fields().text(path).int(number)

/** Corners that the differential fuzzer came upon: what it finds, and is mended, is told here. */
export function cornerSuite(target: Target): void {
  describe('corners', () => {
    const sessions = new Sessions(target)

    it('a missed event carries no zxid', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const body = new Fields().long(0n).texts([place]).texts([]).texts([])
      await client.request(op.setWatches, body, -8)
      expect(client.events).toMatchObject([{ path: place, zxid: -1n }])
    })

    it.each([
      ['addWatch', op.addWatch, [-1, 2]],
      ['removeWatches', op.removeWatches, [-1, 0, 6]],
      ['checkWatches', op.checkWatches, [-1, 0, 6]],
    ])('%s with a number that it does not know cannot be read', async (_, type, numbers) => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      for (const number of numbers) {
        expect(await client.code(type, selection(place, number))).toBe(err.marshalling)
      }
    })

    it('reads do not judge a path, but for exists with a NUL', async () => {
      const client = await sessions.client()
      for (const path of ['/no/', 'no', '/no//a', '/no\u0001']) {
        expect(await client.code(op.getData, pathBody(path, false))).toBe(err.noNode)
        expect(await client.code(op.exists, pathBody(path, false))).toBe(err.noNode)
      }
      expect(await client.code(op.exists, pathBody('/no\0', false))).toBe(err.badArguments)
      expect(await client.code(op.getData, pathBody('/no\0', false))).toBe(err.noNode)
    })

    it('the empty path is the root, for reads', async () => {
      const client = await sessions.client()
      expect((await exists(client, '')).stat).toEqual((await exists(client, '/')).stat)
      expect((await getChildren(client, '')).children).toContain('zookeeper')
    })

    it('a null path is a bad argument of some and cannot be read of others', async () => {
      const client = await sessions.client()
      const nothing = new Fields().text(null)
      expect(await client.code(op.setData, nothing.text('').int(-1))).toBe(err.badArguments)
      expect(await client.code(op.delete, versionBody(null))).toBe(err.marshalling)
      const synced = await client.request(op.sync, pathBody(null))
      expect(synced.err).toBe(err.ok)
      expect(synced.body.text()).toBeNull()
    })

    it('what cannot be read takes a zxid where its turn has come', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const flags = multiBody([{ type: op.create, body: createBody(place, '', { flags: 7 }) }])
      for (const [type, body] of [
        [op.create, createBody(null)],
        [op.multi, flags],
        [op.multi, multiBody([{ type: 77, body: new Fields() }])],
        [op.multi, multiBody([{ type: op.check, body: versionBody(null) }])],
      ] as const) {
        // A session of somebody else that ends in between takes one, too; none is never right.
        await waitFor('it takes one zxid', async () => {
          const before = (await exists(client, place)).zxid
          const reply = await client.request(type, body)
          expect([reply.err, reply.zxid > before]).toEqual([err.marshalling, true])
          return reply.zxid === before + 1n
        })
      }
    })

    it('a multiRead sets no watches', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await client.request(
        op.multiRead,
        multiBody([
          { type: op.getData, body: pathBody(place, true) },
          { type: op.getChildren, body: pathBody(place, true) },
        ]),
      )
      await create(client, `${place}/a`)
      expect(await client.settle()).toEqual([])
    })

    it('the ip scheme always proves itself, a digest of nothing does not', async () => {
      const client = await sessions.client()
      expect(await authenticate(client, 'ip', 'whatever')).toMatchObject({ err: err.ok })
      expect(await authenticate(client, 'digest', 'user:secret')).toMatchObject({ err: err.ok })
      const who = await client.request(op.whoAmI)
      const names = Array.from({ length: who.body.int() }, () => [who.body.text(), who.body.text()])
      expect(names.sort()).toEqual([
        ['digest', 'user'],
        ['ip', '127.0.0.1'],
      ])
      expect(await authenticate(client, 'digest', null)).toMatchObject({ err: err.authFailed })
      expect(await client.connection.closed()).toEqual([])
    })
  })
}
