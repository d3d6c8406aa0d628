import { describe, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { create, createBody, exists, flag, multi, remove, setData } from '../operations.ts'
import { op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const WITHIN_MS = 20_000
/** Longer than a busy machine stands still between two requests. */
const TTL_MS = 6_000n

/** What the leader removes by itself, on servers that look every second. */
export function containerSuite(target: Target): void {
  describe('containers and TTL znodes', () => {
    const sessions = new Sessions(target)

    const gone = async (client: RawClient, path: string) =>
      await waitFor(
        `${path} goes`,
        async () => (await exists(client, path)).stat === null,
        WITHIN_MS,
      )
    const ttl = async (client: RawClient, path: string, ttlMs: bigint) => {
      const body = createBody(path, '', { flags: flag.ttl }).long(ttlMs)
      expect((await client.request(op.createTtl, body)).err).toBe(0)
    }

    it('a container goes with its last child, one that was never used stays', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      for (const name of ['used', 'full', 'unused']) {
        const body = createBody(`${place}/${name}`, '', { flags: flag.container })
        expect((await client.request(op.createContainer, body)).err).toBe(0)
      }
      // The flag alone makes none: it takes the opcode.
      await create(client, `${place}/plain`, '', { flags: flag.container })
      await create(client, `${place}/plain/a`)
      await remove(client, `${place}/plain/a`)
      await create(client, `${place}/full/a`)
      await create(client, `${place}/used/a`)
      await exists(client, `${place}/used`, true)
      await remove(client, `${place}/used/a`)
      await gone(client, `${place}/used`)
      const [event] = await client.settle()
      expect([event?.type, event?.path]).toEqual([2, `${place}/used`])
      for (const name of ['full', 'unused', 'plain']) {
        expect((await exists(client, `${place}/${name}`)).stat, name).not.toBeNull()
      }
    })

    it('in a multi the flag makes a container, and its result has the Stat', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      const types = [op.create, op.create2]
      const { results } = await multi(
        client,
        types.map((type) => {
          const body = createBody(`${place}/${type}`, '', { flags: flag.container })
          return { type, body }
        }),
      )
      expect(results.map((result) => [result.type, result.err])).toEqual([
        [op.create2, 0],
        [op.create2, 0],
      ])
      for (const type of types) {
        await create(client, `${place}/${type}/a`)
        await remove(client, `${place}/${type}/a`)
        await gone(client, `${place}/${type}`)
      }
    })

    it('a TTL znode goes when it was not written for so long and has no children', async () => {
      const client = await sessions.client()
      const place = await sessions.place(client)
      await ttl(client, `${place}/long`, 3_600_000n)
      await ttl(client, `${place}/parent`, TTL_MS)
      await create(client, `${place}/parent/a`)
      await ttl(client, `${place}/written`, TTL_MS)
      // The last one made: when it has gone, the time of the others is over as well.
      await ttl(client, `${place}/old`, TTL_MS)
      let written = 0
      await waitFor(
        `${place}/old goes`,
        async () => {
          written += 1
          await setData(client, `${place}/written`, String(written))
          return (await exists(client, `${place}/old`)).stat === null
        },
        WITHIN_MS,
      )
      for (const name of ['long', 'parent', 'written']) {
        expect((await exists(client, `${place}/${name}`)).stat, name).not.toBeNull()
      }
      await remove(client, `${place}/parent/a`)
      await gone(client, `${place}/parent`)
      await gone(client, `${place}/written`)
    })
  })
}
