import { describe, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { create, err, exists, flag, getChildren, statOf } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { op } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const SERVERS = [0, 1, 2]
const WRITES_WITHIN_MS = 60_000

export function restartSuite(target: Target): void {
  describe('restarts', () => {
    const sessions = new Sessions(target)

    /** A znode made through a server, however often the ensemble has to be asked. */
    async function make(path: string, server: number): Promise<void> {
      await waitFor(
        `${path} is made through server ${server}`,
        async () => {
          const client = await sessions.client({}, server)
          const { err: code } = await create(client, path)
          return code === err.ok || code === err.nodeExists
        },
        WRITES_WITHIN_MS,
      )
    }

    it('keeps a session, with its ephemerals, over the loss of the leader', {
      timeout: 240_000,
    }, async () => {
      const leader = await leaderOf(target.ensemble())
      const client = await sessions.client({}, leader)
      const place = await sessions.place(client)
      await create(client, `${place}/mine`, '', { flags: flag.ephemeral })
      await target.ensemble().kill(leader)
      try {
        const { sessionId, password } = client.session
        const back = await waitFor(
          'the session is back at another server',
          () => sessions.client({ sessionId, password }, (leader + 1) % SERVERS.length),
          WRITES_WITHIN_MS,
        )
        expect((await statOf(back, `${place}/mine`)).ephemeralOwner).toBe(sessionId)
        expect(await create(back, `${place}/more`)).toMatchObject({ err: err.ok })
      } finally {
        await target.ensemble().restart(leader)
      }
    })

    it('serves at once at a server that was killed and started again, the leader too', {
      timeout: 240_000,
    }, async () => {
      const place = await sessions.place(await sessions.client())
      for (const server of SERVERS) {
        const other = (server + 1) % SERVERS.length
        const before = await sessions.client({}, server)
        await before.request(op.sync, new Fields().text(place))
        for (const name of ['a', 'b', 'c']) {
          expect(await create(before, `${place}/${server}-${name}`)).toMatchObject({ err: err.ok })
        }
        await target.ensemble().kill(server)
        try {
          await make(`${place}/${server}-missed`, other)
        } finally {
          await target.ensemble().restart(server)
        }
        await make(`${place}/${server}-after`, server)
        const client = await sessions.client({}, server)
        await client.request(op.sync, new Fields().text(place))
        expect(await exists(client, `${place}/${server}-missed`)).toMatchObject({ err: err.ok })
      }
      const { children } = await getChildren(await sessions.client(), place)
      const names = ['a', 'after', 'b', 'c', 'missed']
      expect(children?.sort()).toEqual(
        SERVERS.flatMap((server) => names.map((name) => `${server}-${name}`)),
      )
    })
  })
}
