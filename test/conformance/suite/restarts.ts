import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { create, err, exists, getChildren } from '../operations.ts'
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
