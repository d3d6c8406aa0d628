import { describe, expect, it } from 'vitest'
import {
  create,
  createBody,
  dataBody,
  err,
  exists,
  flag,
  getChildren,
  getData,
  type MultiItem,
  multi,
  multiBody,
  pathBody,
  statOf,
  versionBody,
  watchEvent,
} from '../operations.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const item = {
  create: (path: string, flags = 0): MultiItem => ({
    type: op.create,
    body: createBody(path, 'made', { flags }),
  }),
  create2: (path: string): MultiItem => ({ type: op.create2, body: createBody(path, 'made') }),
  set: (path: string, data: string, version = -1): MultiItem => ({
    type: op.setData,
    body: dataBody(path, data, version),
  }),
  check: (path: string, version: number): MultiItem => ({
    type: op.check,
    body: versionBody(path, version),
  }),
  remove: (path: string, version = -1): MultiItem => ({
    type: op.delete,
    body: versionBody(path, version),
  }),
  get: (path: string): MultiItem => ({ type: op.getData, body: pathBody(path, false) }),
}

export function multiSuite(target: Target): void {
  describe('multi', () => {
    const sessions = new Sessions(target)

    it('answers each operation by its type, all under one zxid', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const {
        err: code,
        results,
        zxid,
      } = await multi(client, [
        item.create(`${place}/a`),
        item.set(`${place}/a`, 'set', 0),
        item.check(`${place}/a`, 1),
        item.create2(`${place}/b`),
        item.remove(`${place}/a`, 1),
      ])
      expect(code).toBe(err.ok)
      expect(results).toEqual([
        { type: op.create, err: 0, value: `${place}/a` },
        { type: op.setData, err: 0, value: expect.objectContaining({ version: 1, mzxid: zxid }) },
        { type: op.check, err: 0 },
        {
          type: op.create2,
          err: 0,
          value: {
            path: `${place}/b`,
            stat: expect.objectContaining({ czxid: zxid, dataLength: 4 }),
          },
        },
        { type: op.delete, err: 0 },
      ])
      expect((await getChildren(client, place)).children).toEqual(['b'])
      expect(await statOf(client, place)).toMatchObject({
        cversion: 3,
        numChildren: 1,
        pzxid: zxid,
      })
    })

    it('numbers sequential znodes one after the other within it', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const { results } = await multi(client, [
        item.create(`${place}/n-`, flag.sequential),
        item.create(`${place}/n-`, flag.sequential),
        item.create(`${place}/n-`, flag.ephemeralSequential),
      ])
      expect(results.map(({ value }) => value)).toEqual(
        [0, 1, 2].map((i) => `${place}/n-000000000${i}`),
      )
    })

    it('does nothing when one fails: 0 before it, its code, -2 after it, the header without error', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const failed = await multi(client, [
        item.create(`${place}/a`),
        item.set(place, 'changed'),
        item.remove(`${place}/missing`),
        item.create(`${place}/b`),
      ])
      expect(failed.err).toBe(err.ok)
      expect(failed.results).toEqual(
        [0, 0, err.noNode, err.runtimeInconsistency].map((code) => ({
          type: -1,
          err: code,
          value: code,
        })),
      )
      expect(await getChildren(client, place)).toMatchObject({ children: [] })
      expect(await getData(client, place)).toMatchObject({
        data: '',
        stat: { version: 0, cversion: 0 },
      })
    })

    it.each([
      ['check of another version', (p: string) => item.check(p, 7), err.badVersion],
      ['check of a missing znode', (p: string) => item.check(`${p}/no`, 0), err.noNode],
      ['setData of another version', (p: string) => item.set(p, 'x', 7), err.badVersion],
      ['delete of a parent', (p: string) => item.remove(p), err.notEmpty],
      ['create of what exists', (p: string) => item.create(p), err.nodeExists],
      ['create without a parent', (p: string) => item.create(`${p}/no/a`), err.noNode],
      ['create of a bad path', (p: string) => item.create(`${p}/a/`), err.badArguments],
    ])('fails by %s', async (_, failing, code) => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/child`)
      const { results } = await multi(client, [item.create(`${place}/a`), failing(place)])
      expect(results.map(({ err: each }) => each)).toEqual([0, code])
      expect(await getChildren(client, place)).toMatchObject({ children: ['child'] })
    })

    it('sees its own earlier operations, and undoes them all', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const { results } = await multi(client, [
        item.create(`${place}/a`),
        item.create(`${place}/a/b`),
        item.set(`${place}/a`, 'x', 0),
        item.remove(`${place}/a/b`),
        item.remove(`${place}/a`, 1),
        item.create(`${place}/a`),
        item.check(`${place}/a`, 1),
      ])
      expect(results.map(({ err: each }) => each)).toEqual([0, 0, 0, 0, 0, 0, err.badVersion])
      expect(await exists(client, `${place}/a`)).toMatchObject({ err: err.noNode })
      const { path } = await create(client, `${place}/n-`, '', { flags: flag.sequential })
      expect(path).toBe(`${place}/n-0000000000`)
    })

    it('takes none', async () => {
      const client = await sessions.client()
      expect(await multi(client, [])).toMatchObject({ err: err.ok, results: [] })
    })

    it('refuses a read among its writes', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const body = multiBody([item.create(`${place}/a`), item.get(place)])
      const reply = await client.request(op.multi, body)
      expect(reply.err).toBe(err.marshalling)
      expect(await getChildren(client, place)).toMatchObject({ children: [] })
    })

    it('fires the watches of each of its operations in order, and none when it fails', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await create(client, `${place}/b`)
      await exists(client, `${place}/a`, true)
      await getData(client, `${place}/b`, true)
      await getChildren(client, place, true)
      await multi(client, [item.create(`${place}/a`), item.set(`${place}/b`, 'x', 9)])
      expect(await client.settle()).toEqual([])
      const { zxid } = await multi(client, [item.set(`${place}/b`, 'x'), item.create(`${place}/a`)])
      expect(await client.settle()).toEqual([
        { type: watchEvent.dataChanged, state: 3, path: `${place}/b`, zxid },
        { type: watchEvent.created, state: 3, path: `${place}/a`, zxid },
        { type: watchEvent.childrenChanged, state: 3, path: place, zxid },
      ])
    })

    it('makes ephemerals of the session', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await multi(client, [item.create(`${place}/e`, flag.ephemeral)])
      const { ephemeralOwner } = await statOf(client, `${place}/e`)
      expect(ephemeralOwner).toBe(client.session.sessionId)
    })

    it('is whole or nothing to a reader elsewhere', async () => {
      const writer = await sessions.client({}, 0)
      const reader = await sessions.client({}, 1)
      const place = await sessions.place(writer)
      for (const name of ['a', 'b']) await create(writer, `${place}/${name}`, '0')
      const rounds = 100
      for (let i = 1; i <= rounds; i++) {
        writer.send(
          op.multi,
          multiBody([item.set(`${place}/a`, String(i)), item.set(`${place}/b`, String(i))]),
        )
      }
      await reader.request(op.sync, pathBody(place))
      for (let seen = 0; seen < rounds; ) {
        const first = Number((await getData(reader, `${place}/a`)).data)
        const second = Number((await getData(reader, `${place}/b`)).data)
        expect(second).toBeGreaterThanOrEqual(first)
        seen = first
      }
    })
  })
}
