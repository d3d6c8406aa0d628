import { describe, expect, it } from 'vitest'
import {
  create,
  err,
  exists,
  getChildren,
  pathBody,
  remove,
  setData,
  statOf,
} from '../operations.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

export function pathSuite(target: Target): void {
  describe('paths', () => {
    const sessions = new Sessions(target)

    it.each([
      ['a slash at the end', 'P/', err.badArguments],
      ['no slash in front', 't', err.badArguments],
      ['nothing', '', err.badArguments],
      ['two slashes', 'P//a', err.noNode],
      ['a dot', 'P/.', err.badArguments],
      ['two dots', 'P/..', err.badArguments],
      ['two dots as a parent', 'P/../a', err.noNode],
      ['three dots', 'P/...', err.ok],
      ['a control character', 'P/a\u0001b', err.badArguments],
      ['a NUL', 'P/a\u0000b', err.badArguments],
      ['a delete character', 'P/a\u007fb', err.badArguments],
      ['a private character', 'P/a\uf000b', err.badArguments],
      ['a special', 'P/a\ufff0b', err.badArguments],
      ['a surrogate pair', 'P/\u{1f600}', err.badArguments],
      ['an umlaut', 'P/ü', err.ok],
      ['a space', 'P/a b', err.ok],
      ['ideographs', 'P/漢字', err.ok],
    ])('create with %s', async (_, path, code) => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const full = path.replace(/^P/, place)
      expect(await create(client, full)).toMatchObject({
        err: code,
        path: code === 0 ? full : null,
      })
    })

    it('answers a null path with a marshalling error or bad arguments, and goes on', async () => {
      const client = await sessions.client()
      expect(await create(client, null)).toMatchObject({ err: err.marshalling })
      expect(await client.code(op.exists, pathBody('/', false))).toBe(err.ok)
    })

    it('knows the znodes of a fresh tree', async () => {
      const client = await sessions.client()
      const root = await statOf(client, '/')
      expect(root).toMatchObject({ czxid: 0n, mzxid: 0n, ctime: 0n, mtime: 0n, version: 0 })
      expect(root).toMatchObject({ aversion: 0, ephemeralOwner: 0n, dataLength: 0 })
      expect((await getChildren(client, '/')).children).toContain('zookeeper')
      expect(await getChildren(client, '/zookeeper')).toMatchObject({
        children: ['config', 'quota'],
      })
    })

    it.each([
      ['/', err.badArguments],
      ['/zookeeper', err.badArguments],
      ['/zookeeper/quota', err.badArguments],
      ['/zookeeper/config', err.badArguments],
    ])('refuses to delete %s', async (path, code) => {
      const client = await sessions.client()
      expect(await remove(client, path)).toMatchObject({ err: code, bytes: 0 })
      expect(await exists(client, path)).toMatchObject({ err: err.ok })
    })

    it('refuses to create the root, and lets its data be set', async () => {
      const client = await sessions.client()
      expect(await create(client, '/')).toMatchObject({ err: err.nodeExists })
      expect(await setData(client, '/', 'root')).toMatchObject({ err: err.ok })
      expect(await setData(client, '/', '')).toMatchObject({ err: err.ok })
    })
  })
}
