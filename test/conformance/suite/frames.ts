import { describe, expect, it } from 'vitest'
import { create, createBody, err, getData, pathBody, setData } from '../operations.ts'
import { Fields, frame } from '../raw-bytes.ts'
import { op, RawConnection } from '../raw-client.ts'
import { Sessions, type Supports, type Target } from './target.ts'

/** jute.maxbuffer: the largest payload of a frame. */
const FRAME_MAX = 0xfffff

export function frameSuite(target: Target, supports: Supports): void {
  describe('frames', () => {
    const sessions = new Sessions(target)

    it('answers an unknown opcode with Unimplemented and zxid -1, then closes', async () => {
      const client = await sessions.client()
      const reply = await client.request(77)
      expect(reply).toMatchObject({ err: err.unimplemented, zxid: -1n })
      expect(reply.body.left).toBe(0)
      expect(await client.connection.closed()).toEqual([])
    })

    it.each([
      ['notification', 0],
      ['error', -1],
      ['check', op.check],
    ])('does not know %s from a client', async (_, type) => {
      const client = await sessions.client()
      expect(await client.request(type)).toMatchObject({ err: err.unimplemented, zxid: -1n })
      expect(await client.connection.closed()).toEqual([])
    })

    const taken = supports.serverOpcodesRefused ? '' : ' (Apache ZooKeeper carries them out)'
    it.skipIf(!supports.serverOpcodesRefused)(
      `refuses what servers alone ask${taken}`,
      async () => {
        for (const type of [op.createSession, op.deleteContainer]) {
          const client = await sessions.client()
          expect(await client.request(type)).toMatchObject({ err: err.unimplemented, zxid: -1n })
          expect(await client.connection.closed()).toEqual([])
        }
      },
    )

    it.each([
      ['a negative length', new Fields().int(-5).bytes()],
      ['a length over the limit', new Fields().int(FRAME_MAX + 1).bytes()],
      ['a header of four bytes', frame(new Fields().int(1).bytes())],
      ['text of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ])('closes the connection of a session at %s, without a word', async (_, bytes) => {
      const client = await sessions.client()
      client.connection.write(bytes)
      expect(await client.connection.closed()).toEqual([])
    })

    it.each([
      ['a negative length', new Fields().int(-5).bytes()],
      ['a length over the limit', new Fields().int(FRAME_MAX + 1).bytes()],
      ['text of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['a connect request that is too short', frame(Buffer.alloc(12))],
    ])('closes a connection without a session at %s, without a word', async (_, bytes) => {
      const connection = await RawConnection.open(sessions.port())
      connection.write(bytes)
      expect(await connection.closed()).toEqual([])
    })

    it('answers a read that is too short with a marshalling error and goes on', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      for (const body of [
        new Fields(),
        new Fields().int(100).text('/x'),
        new Fields().text(place),
      ]) {
        const reply = await client.request(op.getData, body)
        expect(reply.err).toBe(err.marshalling)
        expect(reply.body.left).toBe(0)
      }
      expect(await getData(client, place)).toMatchObject({ err: err.ok })
    })

    // One such request to a follower of Apache ZooKeeper 3.9.5 stops all writes until a restart.
    const unsafe = supports.truncatedWrites ? '' : ' (an ensemble of Apache ZooKeeper stops at it)'
    it.skipIf(!supports.truncatedWrites)(`answers a write that is too short${unsafe}`, async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const short = new Fields().text(place)
      for (const type of [op.create, op.create2, op.setData, op.delete, op.setAcl]) {
        expect(await client.code(type, short)).toBe(err.marshalling)
      }
      expect(await client.code(op.multi, new Fields().int(1))).toBe(err.marshalling)
      expect(await create(client, `${place}/a`)).toMatchObject({ err: err.ok })
    })

    it('ignores bytes after the body of a request', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await client.code(op.exists, pathBody(place, false).text('and more'))).toBe(err.ok)
      const body = createBody(`${place}/a`).text('and more')
      expect(await client.code(op.create, body)).toBe(err.ok)
    })

    it('takes frames that come in pieces, and many that come at once', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const request = (xid: number) =>
        frame(new Fields().int(xid).int(op.exists).text(place).bool(false).bytes())
      for (const byte of request(1)) {
        client.connection.write(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect((await client.reply(1)).err).toBe(err.ok)
      client.connection.write(Buffer.concat(Array.from({ length: 500 }, (_, i) => request(i))))
      for (let i = 0; i < 500; i++) expect((await client.reply(i)).err).toBe(err.ok)
    })

    it('takes a frame of the largest length and gives its data back', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const header = 8 + 4 + place.length + 4 + 4
      const data = Buffer.alloc(FRAME_MAX - header, 'x')
      expect(await setData(client, place, data)).toMatchObject({ err: err.ok })
      const read = await getData(client, place)
      expect(read.stat?.dataLength).toBe(data.length)
      expect(read.data).toBe(data.toString())
      expect(await setData(client, place, '')).toMatchObject({ err: err.ok })
    })

    it('keeps serving others after all of that', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      expect(await create(client, `${place}/a`)).toMatchObject({ err: err.ok })
    })
  })
}
