import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  authenticate,
  create,
  err,
  exists,
  getAcl,
  getChildren,
  getData,
  pathBody,
  remove,
  setAcl,
  setData,
  statOf,
} from '../operations.ts'
import { type Acl, openAcl } from '../raw-bytes.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const perm = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

function digestId(user: string, password: string): string {
  return `${user}:${createHash('sha1').update(`${user}:${password}`).digest('base64')}`
}

function digest(perms: number, user: string, password = 'secret'): Acl {
  return { perms, scheme: 'digest', id: digestId(user, password) }
}

const worldMay = (perms: number): Acl => ({ perms, scheme: 'world', id: 'anyone' })

export function aclSuite(target: Target): void {
  describe('auth', () => {
    const sessions = new Sessions(target)

    it('answers a digest with xid -4, zxid 0 and no error', async () => {
      const client = await sessions.client()
      expect(await authenticate(client, 'digest', 'ann:secret')).toEqual({
        err: 0,
        zxid: 0n,
        bytes: 0,
      })
    })

    it('answers with the xid that it was asked with, as go-zookeeper/zk expects', async () => {
      const client = await sessions.client()
      const answer = await authenticate(client, 'digest', 'ann:secret', 77)
      expect(answer).toEqual({ err: 0, zxid: 0n, bytes: 0 })
    })

    it('answers an unknown scheme with AuthFailed, then closes', async () => {
      const client = await sessions.client()
      const answer = await authenticate(client, 'no-such-scheme', 'x')
      expect(answer).toMatchObject({ err: err.authFailed, zxid: 0n })
      expect(await client.connection.closed()).toEqual([])
    })
  })

  describe('getACL and setACL', () => {
    const sessions = new Sessions(target)

    it('gives the list of the creation, and counts its changes in aversion alone', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const born = await statOf(client, place)
      expect(await getAcl(client, place)).toMatchObject({ err: err.ok, acl: openAcl, stat: born })
      const list = [worldMay(perm.all), digest(perm.read, 'ann')]
      const set = await setAcl(client, place, list, 0)
      expect(set.stat).toEqual({ ...born, aversion: 1 })
      const got = await getAcl(client, place)
      expect(got.acl).toHaveLength(2)
      expect(got.acl).toEqual(expect.arrayContaining(list))
      expect(got.stat?.aversion).toBe(1)
    })

    it('refuses another aversion, a missing znode and lists that mean nothing', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await setAcl(client, place, openAcl, 4)).toMatchObject({
        err: err.badVersion,
        bytes: 0,
      })
      expect(await setAcl(client, `${place}/no`, openAcl)).toMatchObject({ err: err.noNode })
      expect(await getAcl(client, `${place}/no`)).toMatchObject({ err: err.noNode, bytes: 0 })
      for (const list of [[], null, [{ perms: 31, scheme: 'unknown', id: 'x' }]]) {
        expect(await setAcl(client, place, list)).toMatchObject({ err: err.invalidAcl, bytes: 0 })
      }
      expect((await statOf(client, place)).aversion).toBe(0)
    })

    it('turns the scheme auth into the identities of the connection, whatever its id', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const auth = [{ perms: perm.all, scheme: 'auth', id: '' }]
      const refused = await create(client, `${place}/a`, '', { acl: auth })
      expect(refused).toMatchObject({ err: err.invalidAcl })
      await authenticate(client, 'digest', 'ann:secret')
      for (const [name, id] of [
        ['a', ''],
        ['b', 'anything'],
        ['c', null],
      ] as const) {
        const acl = [{ perms: perm.all, scheme: 'auth', id }]
        expect(await create(client, `${place}/${name}`, '', { acl })).toMatchObject({ err: err.ok })
        const got = await getAcl(client, `${place}/${name}`)
        expect(got.acl).toEqual([digest(perm.all, 'ann')])
      }
    })

    it('masks digests for whoever may not change them', async () => {
      const owner = await sessions.client()
      const place = await sessions.place(owner)
      await authenticate(owner, 'digest', 'ann:secret')
      const acl = [worldMay(perm.read), digest(perm.all, 'ann')]
      await create(owner, `${place}/a`, '', { acl })
      expect((await getAcl(owner, `${place}/a`)).acl).toEqual(expect.arrayContaining(acl))
      const stranger = await sessions.client()
      const seen = await getAcl(stranger, `${place}/a`)
      expect(seen.acl).toEqual(
        expect.arrayContaining([worldMay(perm.read), { perms: 31, scheme: 'digest', id: 'ann:x' }]),
      )
    })
  })

  describe('permissions', () => {
    const sessions = new Sessions(target)

    async function strangerAt(acl: readonly Acl[]): Promise<{ stranger: RawClient; path: string }> {
      const owner = await sessions.client()
      const path = `${await sessions.place(owner)}/guarded`
      await authenticate(owner, 'digest', 'ann:secret')
      await create(owner, path, 'secret', { acl: [...acl, digest(perm.all, 'ann')] })
      await create(owner, `${path}/child`)
      const stranger = await sessions.client()
      return { stranger, path }
    }

    it('answers NoAuth to every operation without its permission', async () => {
      const { stranger, path } = await strangerAt([])
      const noAuth = { err: err.noAuth, bytes: 0 }
      expect(await getData(stranger, path)).toMatchObject(noAuth)
      expect(await exists(stranger, path)).toMatchObject(noAuth)
      expect(await getChildren(stranger, path)).toMatchObject(noAuth)
      expect(await stranger.code(op.getChildren2, pathBody(path, false))).toBe(err.noAuth)
      expect(await getAcl(stranger, path)).toMatchObject(noAuth)
      expect(await setData(stranger, path, 'x')).toMatchObject(noAuth)
      expect(await setAcl(stranger, path, openAcl)).toMatchObject(noAuth)
      expect(await create(stranger, `${path}/new`)).toMatchObject(noAuth)
      expect(await remove(stranger, `${path}/child`)).toMatchObject(noAuth)
    })

    it.each([
      ['read', perm.read, [0, -102, -102, -102]],
      ['write', perm.write, [-102, 0, -102, -102]],
      ['create', perm.create, [-102, -102, 0, -102]],
      ['delete', perm.delete, [-102, -102, -102, 0]],
    ])('lets %s alone do what it names', async (_, perms, codes) => {
      const { stranger, path } = await strangerAt([worldMay(perms)])
      expect([
        (await getData(stranger, path)).err,
        (await setData(stranger, path, 'x')).err,
        (await create(stranger, `${path}/new`)).err,
        (await remove(stranger, `${path}/child`)).err,
      ]).toEqual(codes)
    })

    it('lets the right password in, and not another', async () => {
      const { stranger, path } = await strangerAt([])
      await authenticate(stranger, 'digest', 'ann:guess')
      expect(await getData(stranger, path)).toMatchObject({ err: err.noAuth })
      await authenticate(stranger, 'digest', 'ann:secret')
      expect(await getData(stranger, path)).toMatchObject({ err: err.ok, data: 'secret' })
    })

    it('knows clients by their address', async () => {
      const { stranger, path } = await strangerAt([
        { perms: perm.read, scheme: 'ip', id: '127.0.0.1' },
      ])
      expect(await getData(stranger, path)).toMatchObject({ err: err.ok, data: 'secret' })
      const network = await strangerAt([{ perms: perm.read, scheme: 'ip', id: '127.0.0.0/8' }])
      expect(await getData(network.stranger, network.path)).toMatchObject({ err: err.ok })
      const other = await strangerAt([{ perms: perm.read, scheme: 'ip', id: '10.0.0.1' }])
      expect(await getData(other.stranger, other.path)).toMatchObject({ err: err.noAuth })
    })

    it('forgets an authentication with the connection', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await authenticate(client, 'digest', 'ann:secret')
      await create(client, `${place}/a`, '', { acl: [digest(perm.all, 'ann')] })
      client.connection.drop()
      const { sessionId, password } = client.session
      const again = await sessions.client({ sessionId, password })
      expect(await getData(again, `${place}/a`)).toMatchObject({ err: err.noAuth })
    })
  })
}
