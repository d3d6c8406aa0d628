import { describe, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import {
  create,
  err,
  exists,
  flag,
  getChildren,
  getData,
  statOf,
  watchEvent,
} from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { handshake, op } from '../raw-client.ts'
import { Sessions, type Supports, type Target } from './target.ts'

const FAR_AHEAD = 0x7fff_0000_0000_0000n

export function sessionSuite(target: Target, supports: Supports): void {
  describe('handshake', () => {
    const sessions = new Sessions(target)
    const tickMs = () => target.ensemble().tickMs

    it('answers 37 bytes to a request with the read-only byte and 36 to one without', async () => {
      const modern = await handshake(await sessions.connection(), { readOnly: false })
      const old = await handshake(await sessions.connection(), { readOnly: null })
      expect(modern).toMatchObject({ length: 37, protocolVersion: 0, readOnly: false })
      expect(old).toMatchObject({ length: 36, protocolVersion: 0, readOnly: null })
    })

    it('gives each session an id and a password of 16 bytes of its own', async () => {
      const first = await sessions.client()
      const second = await sessions.client()
      expect(first.session.sessionId).not.toBe(0n)
      expect(first.session.sessionId).not.toBe(second.session.sessionId)
      expect(first.session.password).toHaveLength(16)
      expect(first.session.password.equals(second.session.password)).toBe(false)
      expect(first.session.password.equals(Buffer.alloc(16))).toBe(false)
    })

    it.each([
      ['1 ms', () => 1, () => 2 * tickMs()],
      ['zero', () => 0, () => 2 * tickMs()],
      ['a negative timeout', () => -5, () => 2 * tickMs()],
      ['a day', () => 86_400_000, () => 20 * tickMs()],
      ['the largest int', () => 2 ** 31 - 1, () => 20 * tickMs()],
      ['a timeout within the bounds', () => 5 * tickMs() + 1, () => 5 * tickMs() + 1],
    ])('clamps %s to 2..20 ticks', async (_, asked, given) => {
      const { session } = await sessions.client({ timeoutMs: asked() })
      expect(session.timeoutMs).toBe(given())
    })

    it('closes without an answer when the client has seen a later zxid', async () => {
      const connection = await sessions.connection()
      expect(await handshake(connection, { lastZxidSeen: FAR_AHEAD })).toBeNull()
    })

    it('accepts a client that has seen the newest zxid', async () => {
      const writer = await sessions.client()
      const { zxid } = await exists(writer, await sessions.place(writer))
      const answer = await handshake(await sessions.connection(), { lastZxidSeen: zxid })
      expect(answer?.timeoutMs).toBeGreaterThan(0)
    })

    it('refuses a session that it does not know, then closes', async () => {
      const connection = await sessions.connection()
      const answer = await handshake(connection, {
        sessionId: 0x1234_5678_9abcn,
        password: bytes16,
      })
      expectExpired(answer)
      expect(await connection.closed()).toEqual([])
    })

    it('refuses a wrong password, then closes, and keeps the session', async () => {
      const client = await sessions.client()
      const { sessionId, password } = client.session
      const thief = await sessions.connection()
      expectExpired(await handshake(thief, { sessionId, password: bytes16 }))
      expect(await thief.closed()).toEqual([])
      if (supports.wrongPasswordIsHarmless) {
        expect(await client.code(op.ping, new Fields(), -2)).toBe(err.ok)
      } else {
        client.connection.drop()
      }
      const again = await sessions.client({ sessionId, password })
      expect(again.session.sessionId).toBe(sessionId)
    })
  })

  describe('session', () => {
    const sessions = new Sessions(target)

    it('goes on, with its ephemerals, on a new connection to the same server', async () => {
      const first = await sessions.client()
      const place = await sessions.place(first)
      await create(first, `${place}/mine`, '', { flags: flag.ephemeral })
      first.connection.drop()
      const { sessionId, password } = first.session
      const second = await sessions.client({ sessionId, password })
      expect(second.session).toMatchObject({ sessionId, timeoutMs: first.session.timeoutMs })
      expect(second.session.password.equals(password)).toBe(true)
      expect((await statOf(second, `${place}/mine`)).ephemeralOwner).toBe(sessionId)
      expect(await create(second, `${place}/more`)).toMatchObject({ err: err.ok })
    })

    it('renegotiates its timeout when it reconnects', async () => {
      const { tickMs } = target.ensemble()
      const first = await sessions.client({ timeoutMs: 5 * tickMs })
      const { sessionId, password } = first.session
      const second = await sessions.client({ sessionId, password, timeoutMs: 7 * tickMs })
      expect(second.session.timeoutMs).toBe(7 * tickMs)
    })

    it('moves to another server, and the connection that it left is closed', async () => {
      const first = await sessions.client()
      const place = await sessions.place(first)
      await create(first, `${place}/mine`, '', { flags: flag.ephemeral })
      const { zxid } = await exists(first, place)
      const { sessionId, password } = first.session
      const second = await sessions.client({ sessionId, password, lastZxidSeen: zxid }, 1)
      expect(second.session.sessionId).toBe(sessionId)
      expect((await statOf(second, `${place}/mine`)).ephemeralOwner).toBe(sessionId)
      expect(await create(second, `${place}/from-there`)).toMatchObject({ err: err.ok })
      // Apache ZooKeeper tells the old server only when a request comes over the old connection.
      if (!first.connection.isClosed)
        first.send(op.setData, new Fields().text(place).text('x').int(-1))
      await first.connection.closed()
      expect((await statOf(second, place)).version).toBe(0)
    })

    it('gives way to a second connection of the same session at the same server', async () => {
      const first = await sessions.client()
      const { sessionId, password } = first.session
      const second = await sessions.client({ sessionId, password })
      await first.connection.closed()
      expect(await second.code(op.ping, new Fields(), -2)).toBe(err.ok)
    })

    it('answers its close, then closes the connection; its ephemerals are gone everywhere', async () => {
      const other = await sessions.client({}, 1)
      const place = await sessions.place(other)
      const client = await sessions.client()
      await client.catchUp()
      await create(client, `${place}/a`, '', { flags: flag.ephemeral })
      await create(client, `${place}/b`, '', { flags: flag.ephemeralSequential })
      const reply = await client.request(op.close)
      expect(reply).toMatchObject({ err: err.ok })
      expect(reply.body.left).toBe(0)
      expect(await client.connection.closed()).toEqual([])
      await other.catchUp()
      expect(await getChildren(other, place)).toMatchObject({ children: [] })
      const { sessionId, password } = client.session
      expectExpired(await handshake(await sessions.connection(), { sessionId, password }))
    })

    it('answers what was sent before its close', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const asked = [
        client.send(
          op.create,
          new Fields()
            .text(`${place}/a`)
            .text('')
            .int(1)
            .int(31)
            .text('world')
            .text('anyone')
            .int(1),
        ),
        client.send(op.exists, new Fields().text(`${place}/a`).bool(false)),
        client.send(op.close),
      ]
      for (const xid of asked) expect((await client.reply(xid)).err).toBe(err.ok)
      await client.connection.closed()
    })

    it('expires when it is silent for its timeout, not earlier, and lives while it pings', {
      timeout: 120_000,
    }, async () => {
      const { tickMs } = target.ensemble()
      const witness = await sessions.client({ timeoutMs: 20 * tickMs }, 1)
      const place = await sessions.place(witness)
      const timeoutMs = 3 * tickMs
      const silent = await sessions.client({ timeoutMs })
      const pinging = await sessions.client({ timeoutMs })
      await silent.catchUp()
      await create(pinging, `${place}/pinging`, '', { flags: flag.ephemeral })
      await witness.catchUp()
      const touchedAt = performance.now()
      await create(silent, `${place}/silent`, '', { flags: flag.ephemeral })
      await witness.catchUp()
      await exists(witness, `${place}/silent`, true)
      silent.connection.drop()

      let event: unknown
      const deleted = witness.event(60_000).then((e) => {
        event = e
      })
      while (event === undefined) {
        expect(await pinging.code(op.ping, new Fields(), -2)).toBe(err.ok)
        await Promise.race([deleted, new Promise((resolve) => setTimeout(resolve, timeoutMs / 8))])
      }
      expect(event).toMatchObject({ type: watchEvent.deleted, path: `${place}/silent` })
      expect(performance.now() - touchedAt).toBeGreaterThanOrEqual(timeoutMs)
      expect(await getChildren(witness, place)).toMatchObject({ children: ['pinging'] })
      const { sessionId, password } = silent.session
      expectExpired(await handshake(await sessions.connection(2), { sessionId, password }))
    })
  })

  describe('order', () => {
    const sessions = new Sessions(target)

    it('answers pipelined requests in their order, each seeing the writes before it', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const rounds = 200
      const sent = Array.from({ length: rounds }, (_, i) => [
        client.send(op.setData, new Fields().text(place).text(String(i)).int(i)),
        client.send(op.getData, new Fields().text(place).bool(false)),
      ])
      let zxid = 0n
      for (const [i, [set, get]] of sent.entries()) {
        const wrote = await client.reply(set ?? 0)
        const read = await client.reply(get ?? 0)
        expect(wrote.err).toBe(err.ok)
        expect(read.body.text()).toBe(String(i))
        expect(wrote.zxid).toBeGreaterThan(zxid)
        expect(read.zxid).toBeGreaterThanOrEqual(wrote.zxid)
        zxid = read.zxid
      }
    })

    it('echoes any xid: twice the same, negative ones, zero', async () => {
      const client = await sessions.client()
      for (const xid of [7, 7, 0, -77, 2 ** 31 - 1, -(2 ** 31)]) {
        expect((await client.request(op.exists, new Fields().text('/').bool(false), xid)).xid).toBe(
          xid,
        )
      }
    })

    it('counts a refused write as a change of the log, and no read', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const before = (await getData(client, place)).zxid
      const refused = await create(client, place)
      expect(refused).toMatchObject({ err: err.nodeExists, bytes: 0 })
      expect(refused.zxid).toBeGreaterThan(before)
      expect((await exists(client, place)).zxid).toBeGreaterThanOrEqual(refused.zxid)
    })

    it('answers a ping with its own xid, the last zxid and nothing more', async () => {
      const client = await sessions.client()
      const { zxid } = await create(client, `${await sessions.place(client)}/a`)
      const pong = await client.request(op.ping, new Fields(), -2)
      expect(pong).toMatchObject({ xid: -2, err: err.ok })
      expect(pong.zxid).toBeGreaterThanOrEqual(zxid)
      expect(pong.body.left).toBe(0)
    })

    it('answers pings at once while a herd of sessions comes and goes', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const herd = Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          const one = await sessions.client()
          await create(one, `${place}/${i}`, '', { flags: flag.ephemeral })
          await one.close()
        }),
      )
      let done = false
      void herd.finally(() => {
        done = true
      })
      do {
        const askedAt = performance.now()
        expect(await client.code(op.ping, new Fields(), -2)).toBe(err.ok)
        expect(performance.now() - askedAt).toBeLessThan(5_000)
      } while (!done)
      await herd
      await client.catchUp()
      expect(await getChildren(client, place)).toMatchObject({ children: [] })
    })

    it('shows on any server, after sync, what was acknowledged on another', async () => {
      const writer = await sessions.client({}, 0)
      const place = await sessions.place(writer)
      // Apache ZooKeeper's leader answers a sync of its own clients before what it has yet to apply.
      const behind = target.name === 'zookeeper' ? await leaderOf(target.ensemble()) : -1
      for (const server of [1, 2].filter((each) => each !== behind)) {
        const reader = await sessions.client({}, server)
        for (let i = 0; i < 20; i++) {
          const path = `${place}/${server}-${i}`
          await exists(reader, path, true)
          await create(writer, path, `value ${i}`)
          const synced = await reader.request(op.sync, new Fields().text(path))
          expect(synced).toMatchObject({ err: err.ok })
          expect(synced.body.text()).toBe(path)
          // The event of it came before.
          const told = reader.events.splice(0)
          expect(told.map((event) => [event.type, event.path])).toEqual([
            [watchEvent.created, path],
          ])
          expect(await getData(reader, path)).toMatchObject({ data: `value ${i}` })
        }
      }
    })

    it('gives every server the same stats of a znode', async () => {
      const writer = await sessions.client({}, 0)
      const place = await sessions.place(writer)
      await create(writer, `${place}/a`, 'x')
      const stats = []
      for (const server of [0, 1, 2]) {
        const reader = await sessions.client({}, server)
        await waitFor('the znode', async () => {
          await reader.catchUp()
          return (await exists(reader, `${place}/a`)).stat
        })
        stats.push(await statOf(reader, place), await statOf(reader, `${place}/a`))
      }
      expect(stats.slice(2, 4)).toEqual(stats.slice(0, 2))
      expect(stats.slice(4, 6)).toEqual(stats.slice(0, 2))
    })
  })
}

const bytes16 = Buffer.from('0123456789abcdef')

function expectExpired(answer: Awaited<ReturnType<typeof handshake>>): void {
  expect(answer).toMatchObject({ protocolVersion: 0, timeoutMs: 0, sessionId: 0n })
  expect(answer?.password.equals(Buffer.alloc(16))).toBe(true)
}
