import { describe, expect, it } from 'vitest'
import { create, createBody, dataBody, err, flag, getChildren, statOf } from '../operations.ts'
import { handshake, op } from '../raw-client.ts'
import { Sessions, type Supports, type Target } from './target.ts'

/** What a session's several claimants see, at one server and at two. */
export function sessionRaceSuite(target: Target, supports: Supports): void {
  describe('sessions in a race', () => {
    const sessions = new Sessions(target)
    /** The server that is farthest from the first: itself where it stands alone. */
    const elsewhere = () => target.ensemble().clientPorts.length - 1

    it('have ids that no other has, at whichever servers they begin', async () => {
      const servers = target.ensemble().clientPorts.map((_, index) => index)
      const opened = await Promise.all(
        Array.from({ length: 60 }, (_, i) => sessions.client({}, servers[i % servers.length])),
      )
      expect(new Set(opened.map(({ session }) => session.sessionId)).size).toBe(60)
    })

    const claim = it.skipIf(!supports.claimsAtOnce)
    claim(
      'have one owner when two connections claim them at once, and nobody else is obeyed',
      async () => {
        const witness = await sessions.client()
        const place = await sessions.place(witness)
        for (let round = 0; round < 10; round += 1) {
          const paths = [`${place}/${round}-a`, `${place}/${round}-b`]
          for (const path of paths) await create(witness, path)
          await witness.catchUp()
          const first = await sessions.client()
          const { sessionId, password } = first.session
          const claimed = await Promise.all(
            [0, elsewhere()].map((server) =>
              sessions.client({ sessionId, password }, server).catch(() => null),
            ),
          )
          const obeyed = await Promise.all(
            claimed.map(async (client, index) => {
              if (client === null || client.connection.isClosed) return false
              const xid = client.send(op.setData, dataBody(paths[index] ?? null, 'mine'))
              // Closed without a reply: the session has moved.
              return await client.reply(xid).then(
                (reply) => reply.err === err.ok,
                () => false,
              )
            }),
          )
          expect(obeyed.filter(Boolean)).toHaveLength(1)
          await witness.catchUp()
          for (const [index, path] of paths.entries()) {
            expect((await statOf(witness, path)).version).toBe(obeyed[index] === true ? 1 : 0)
          }
        }
      },
    )

    it('that move with requests under way lose the last of them, and none is applied later', async () => {
      const witness = await sessions.client()
      const place = await sessions.place(witness)
      const first = await sessions.client()
      const { sessionId, password } = first.session
      const xids = Array.from({ length: 300 }, (_, i) =>
        first.send(op.create, createBody(`${place}/${String(i).padStart(3, '0')}`)),
      )
      const second = await sessions.client({ sessionId, password }, elsewhere())
      await second.catchUp()
      const { children } = await getChildren(second, place)
      let acknowledged = 0
      for (const xid of xids) {
        if (
          !(await first.reply(xid).then(
            ({ err: code }) => code === err.ok,
            () => false,
          ))
        )
          break
        acknowledged += 1
      }
      // In order and without a gap, with all that was acknowledged.
      expect(children).toEqual(children.map((_, i) => String(i).padStart(3, '0')))
      expect(children.length).toBeGreaterThanOrEqual(acknowledged)
      expect((await create(second, `${place}/after`)).err).toBe(err.ok)
      await witness.catchUp()
      expect((await getChildren(witness, place)).children).toHaveLength(children.length + 1)
    })

    it('that are closed amid pipelined requests answer those before, and do none behind', async () => {
      const witness = await sessions.client()
      const place = await sessions.place(witness)
      const client = await sessions.client()
      await client.catchUp()
      const before = client.send(op.create, createBody(`${place}/before`, ''))
      const own = createBody(`${place}/own`, '', { flags: flag.ephemeral })
      const ephemeral = client.send(op.create, own)
      const close = client.send(op.close)
      client.send(op.create, createBody(`${place}/behind`, ''))
      for (const xid of [before, ephemeral, close]) {
        expect((await client.reply(xid)).err).toBe(err.ok)
      }
      // ZooKeeper may still say that the session is over, or just close.
      const rest = await client.connection.closed()
      for (const reply of rest) expect(reply.readInt32BE(12)).toBe(err.sessionExpired)
      await witness.catchUp()
      expect((await getChildren(witness, place)).children).toEqual(['before'])
    })

    it('expire or are taken up again, and their ephemerals go or stay with them', {
      timeout: 120_000,
    }, async () => {
      const { tickMs } = target.ensemble()
      const witness = await sessions.client({ timeoutMs: 20 * tickMs })
      const place = await sessions.place(witness)
      const timeoutMs = 2 * tickMs
      const outcomes = await Promise.all(
        Array.from({ length: 16 }, async (_, i) => {
          const client = await sessions.client({ timeoutMs })
          await client.catchUp()
          const path = `${place}/${i}`
          const made = await create(client, path, '', { flags: flag.ephemeral })
          expect(made.err).toBe(err.ok)
          client.connection.drop()
          // From well before the end of the timeout until surely behind it.
          const awayMs = timeoutMs * (0.5 + i / 10)
          await new Promise((resolve) => setTimeout(resolve, awayMs))
          const { sessionId, password } = client.session
          const again = await sessions.connection(elsewhere())
          const answer = await handshake(again, { sessionId, password, timeoutMs: 20 * tickMs })
          return { i, alive: answer?.sessionId === sessionId }
        }),
      )
      await witness.catchUp()
      const { children } = await getChildren(witness, place)
      const alive = outcomes.filter((outcome) => outcome.alive).map(({ i }) => String(i))
      expect(children).toEqual(alive.sort())
      expect(alive).toContain('0')
      expect(alive).not.toContain('15')
    })
  })
}
