import { createHash } from 'node:crypto'
import zookeeper, { type ACL, type Client, type Event, type Stat } from 'node-zookeeper-client'
import { afterEach, describe, expect, it } from 'vitest'
import { fourLetterWord } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import type { Target } from '../suite/target.ts'

const { CreateMode, Exception, Permission, Event: Kind } = zookeeper
const WITHIN_MS = 30_000

type Done<T> = (error: unknown, value: T) => void

/** A call of the client as a promise. */
function ask<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error) reject(error)
      else resolve(value)
    })
  })
}

/** A call without a result. */
const end = (call: (done: (error: unknown) => void) => void) =>
  ask<undefined>((done) => call((error) => done(error, undefined)))

/** The code that a call is refused with. */
async function codeOf(call: (done: (error: unknown) => void) => void): Promise<number> {
  return await end(call).then(
    () => Exception.OK,
    (error: { getCode(): number }) => error.getCode(),
  )
}

const create = (client: Client, path: string, data = '', mode = CreateMode.PERSISTENT) =>
  ask<string>((done) => client.create(path, Buffer.from(data), mode, done))

const read = (client: Client, path: string) =>
  ask<{ data: string; stat: Stat }>((done) =>
    client.getData(path, (error, data, stat) => done(error, { data: String(data), stat })),
  )

/** An absent znode's stat is null. */
const statOf = (client: Client, path: string) =>
  ask<Stat | null>((done) => client.exists(path, done))

const children = (client: Client, path: string) =>
  ask<string[]>((done) => client.getChildren(path, done))

/** node-zookeeper-client, as the registry has it. */
export function nodeClientSuite(target: Target): void {
  describe('node-zookeeper-client', () => {
    const open: Client[] = []
    let places = 0

    afterEach(() => {
      for (const client of open.splice(0)) client.close()
    })

    async function client(): Promise<Client> {
      const hosts = target.ensemble().clientPorts.map((port) => `127.0.0.1:${port}`)
      const made = zookeeper.createClient(hosts.join(','), {
        sessionTimeout: 20_000,
        spinDelay: 100,
      })
      open.push(made)
      const connected = new Promise<void>((resolve) => made.once('connected', resolve))
      made.connect()
      await connected
      return made
    }

    const place = async (by: Client) => await create(by, `/node-client-${places++}`)

    /** The server that holds a session, by the word that lists connections. */
    async function serverOf(of: Client): Promise<number> {
      const session = `sid=0x${of.getSessionId().readBigInt64BE().toString(16)},`
      return await waitFor('a server lists the session', async () => {
        for (const [index, port] of target.ensemble().clientPorts.entries()) {
          const connections = await fourLetterWord(port, 'cons').catch(() => 'this one is down')
          if (connections.includes(session)) return { index }
        }
        return null
      }).then(({ index }) => index)
    }

    it('creates znodes of every mode', async () => {
      const one = await client()
      const at = await place(one)
      expect(await create(one, `${at}/p`)).toBe(`${at}/p`)
      expect(await create(one, `${at}/e`, '', CreateMode.EPHEMERAL)).toBe(`${at}/e`)
      expect(await create(one, `${at}/ps-`, '', CreateMode.PERSISTENT_SEQUENTIAL)).toBe(
        `${at}/ps-0000000002`,
      )
      expect(await create(one, `${at}/es-`, '', CreateMode.EPHEMERAL_SEQUENTIAL)).toBe(
        `${at}/es-0000000003`,
      )
      expect((await children(one, at)).sort()).toEqual(['e', 'es-0000000003', 'p', 'ps-0000000002'])
      expect((await statOf(one, `${at}/e`))?.ephemeralOwner).toEqual(one.getSessionId())
      expect(await codeOf((done) => one.create(`${at}/p`, done))).toBe(Exception.NODE_EXISTS)
      expect(await codeOf((done) => one.create(`${at}/x/y`, done))).toBe(Exception.NO_NODE)
      expect(await codeOf((done) => one.create(`${at}/e/y`, done))).toBe(
        Exception.NO_CHILDREN_FOR_EPHEMERALS,
      )
      const made = await ask<string>((done) => one.mkdirp(`${at}/deep/er/still`, done))
      expect(made).toBe(`${at}/deep/er/still`)
    })

    it('reads, writes and removes by version', async () => {
      const one = await client()
      const at = await place(one)
      await create(one, `${at}/a`, 'hello')
      expect(await read(one, `${at}/a`)).toMatchObject({
        data: 'hello',
        stat: { version: 0, dataLength: 5, numChildren: 0 },
      })
      const stat = await ask<Stat>((done) => one.setData(`${at}/a`, Buffer.from('next'), 0, done))
      expect(stat.version).toBe(1)
      expect((await read(one, `${at}/a`)).data).toBe('next')
      const refusals = await Promise.all([
        codeOf((done) => one.setData(`${at}/a`, Buffer.from('x'), 0, done)),
        codeOf((done) => one.setData(`${at}/no`, Buffer.from('x'), done)),
        codeOf((done) => one.remove(`${at}/a`, 0, done)),
        codeOf((done) => one.remove(`${at}/no`, done)),
        codeOf((done) => one.remove(at, done)),
        codeOf((done) => one.getChildren(`${at}/no`, done)),
      ])
      expect(refusals).toEqual([
        Exception.BAD_VERSION,
        Exception.NO_NODE,
        Exception.BAD_VERSION,
        Exception.NO_NODE,
        Exception.NOT_EMPTY,
        Exception.NO_NODE,
      ])
      await end((done) => one.remove(`${at}/a`, 1, done))
      expect(await statOf(one, `${at}/a`)).toBeNull()
    })

    it('is told by watches', async () => {
      const one = await client()
      const at = await place(one)
      const seen: string[] = []
      const watch = (event: Event) => seen.push(`${event.getType()} ${event.getPath()}`)
      await ask((done) => one.exists(`${at}/a`, watch, done))
      await ask((done) => one.getChildren(at, watch, done))
      await create(one, `${at}/a`, '1')
      await ask((done) => one.getData(`${at}/a`, watch, done))
      await ask((done) => one.setData(`${at}/a`, Buffer.from('2'), done))
      await ask((done) => one.setData(`${at}/a`, Buffer.from('3'), done))
      await ask((done) => one.exists(`${at}/a`, watch, done))
      await end((done) => one.remove(`${at}/a`, done))
      expect(seen).toEqual([
        `${Kind.NODE_CREATED} ${at}/a`,
        `${Kind.NODE_CHILDREN_CHANGED} ${at}`,
        `${Kind.NODE_DATA_CHANGED} ${at}/a`,
        `${Kind.NODE_DELETED} ${at}/a`,
      ])
    })

    it('takes its ephemerals with it', async () => {
      const [owner, other] = [await client(), await client()]
      const at = await place(owner)
      await create(owner, `${at}/e`, '', CreateMode.EPHEMERAL)
      await create(owner, `${at}/p`)
      // What another server's client sees may lag: a write of its own brings it up to date.
      await create(other, `${at}/mine`)
      expect((await children(other, at)).sort()).toEqual(['e', 'mine', 'p'])
      const gone = new Promise<void>((resolve, reject) => {
        other.exists(
          `${at}/e`,
          () => resolve(),
          (error) => error && reject(error),
        )
      })
      await read(other, at)
      owner.close()
      await gone
      expect((await children(other, at)).sort()).toEqual(['mine', 'p'])
    })

    it('commits a transaction whole, or not at all', async () => {
      const one = await client()
      const at = await place(one)
      const results = await ask<unknown[]>((done) =>
        one
          .transaction()
          .create(`${at}/a`, Buffer.from('1'))
          .setData(`${at}/a`, Buffer.from('2'))
          .check(`${at}/a`, 1)
          .create(`${at}/b`)
          .remove(`${at}/b`)
          .commit(done),
      )
      expect(results).toHaveLength(5)
      expect((await read(one, `${at}/a`)).data).toBe('2')
      const code = await codeOf((done) =>
        one.transaction().create(`${at}/c`).check(`${at}/a`, 7).create(`${at}/d`).commit(done),
      )
      expect(code).toBe(Exception.BAD_VERSION)
      expect(await children(one, at)).toEqual(['a'])
    })

    it('guards znodes by digest', async () => {
      const [owner, stranger] = [await client(), await client()]
      const at = await place(owner)
      owner.addAuthInfo('digest', Buffer.from('ann:secret'))
      const id = `ann:${createHash('sha1').update('ann:secret').digest('base64')}`
      const acl = [new zookeeper.ACL(Permission.ALL, new zookeeper.Id('digest', id))]
      await ask((done) => owner.create(`${at}/a`, Buffer.from('x'), acl, done))
      await create(stranger, `${at}/b`)
      expect(await codeOf((done) => stranger.getData(`${at}/a`, done))).toBe(Exception.NO_AUTH)
      const found = await ask<ACL[]>((done) => owner.getACL(`${at}/a`, done))
      expect(found).toMatchObject([{ permission: Permission.ALL, id: { scheme: 'digest', id } }])
      stranger.addAuthInfo('digest', Buffer.from('ann:secret'))
      expect((await read(stranger, `${at}/a`)).data).toBe('x')
      const world = [new zookeeper.ACL(Permission.ALL, new zookeeper.Id('world', 'anyone'))]
      await ask((done) => owner.setACL(`${at}/a`, world, 0, done))
      const open = await ask<ACL[]>((done) => owner.getACL(`${at}/a`, done))
      expect(open).toMatchObject([{ id: { scheme: 'world', id: 'anyone' } }])
    })

    it('moves with session, ephemerals and watches when its server dies', {
      timeout: 120_000,
    }, async () => {
      const one = await client()
      const at = await place(one)
      await create(one, `${at}/e`, '', CreateMode.EPHEMERAL)
      const told = new Promise<Event>((resolve, reject) => {
        one.getData(at, resolve, (error) => error && reject(error))
      })
      await read(one, at)
      const session = one.getSessionId()
      const server = await serverOf(one)
      const again = new Promise<void>((resolve) => one.once('connected', resolve))
      await target.ensemble().kill(server)
      try {
        await again
        expect(one.getSessionId()).toEqual(session)
        expect(await serverOf(one)).not.toBe(server)
        expect((await statOf(one, `${at}/e`))?.ephemeralOwner).toEqual(session)
        await waitFor(
          'a write is answered',
          async () => {
            await ask((done) => one.setData(at, Buffer.from('x'), done))
            return true
          },
          WITHIN_MS,
        )
        expect((await told).getType()).toBe(Kind.NODE_DATA_CHANGED)
      } finally {
        await target.ensemble().restart(server)
      }
    })
  })
}
