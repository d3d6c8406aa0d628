import { describe, expect, it } from 'vitest'
import { leaderOf } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { authenticate, create, err, getData, setData } from '../operations.ts'
import { Fields } from '../raw-bytes.ts'
import { type Message, op, type RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const CONFIG = '/zookeeper/config'
const WITHIN_MS = 60_000

interface Change {
  readonly joining?: string
  readonly leaving?: string
  readonly members?: string
  readonly version?: bigint
}

/** Changes of the members, on servers with reconfigEnabled whose superuser is super:secret. */
export function reconfigurationSuite(target: Target): void {
  describe('reconfig', () => {
    const sessions = new Sessions(target)

    const superuser = async (server = 0): Promise<RawClient> => {
      const client = await sessions.client({}, server)
      expect((await authenticate(client, 'digest', 'super:secret')).err).toBe(err.ok)
      return client
    }
    const reconfig = (client: RawClient, change: Change): Promise<Message> =>
      client.request(
        op.reconfig,
        new Fields()
          .text(change.joining ?? null)
          .text(change.leaving ?? null)
          .text(change.members ?? null)
          .long(change.version ?? -1n),
      )
    const code = async (client: RawClient, change: Change) => (await reconfig(client, change)).err
    const lines = async (client: RawClient): Promise<string[]> =>
      ((await getData(client, CONFIG)).data ?? '').split('\n').slice(0, -1)

    /** A server that does not lead, which may go without an election, and the two others. */
    const follower = async () => {
      const leader = await leaderOf(target.ensemble())
      const [index = 0] = [1, 2].filter((server) => server !== leader)
      const [one = 0, other = 0] = [0, 1, 2].filter((server) => server !== index)
      return { index, number: index + 1, one, other }
    }

    it('is refused to clients that may not write the configuration', async () => {
      const client = await sessions.client()
      await waitFor('the configuration', async () => (await lines(client)).length === 3, WITHIN_MS)
      expect(await code(client, { leaving: '9' })).toBe(err.noAuth)
      const joining = 'server.9=127.0.0.1:1:2:observer;3'
      expect(await code(client, { joining })).toBe(err.noAuth)
    })

    it.each([
      ['another version', { leaving: '9', version: 77n }, err.badVersion],
      ['a number that is none', { leaving: 'x' }, err.marshalling],
      ['a joiner without a number', { joining: 'foo=127.0.0.1:1:2;3' }, err.marshalling],
      ['a joiner without ports', { joining: 'server.9=foo' }, err.badArguments],
      ['a joiner without an equals sign', { joining: 'server.9' }, err.badArguments],
      [
        'a joiner without a client port',
        { joining: 'server.9=127.0.0.1:1:2:participant' },
        err.badArguments,
      ],
      ['fewer than two voters', { leaving: '1,2' }, err.badArguments],
      ['members that make no sense', { members: 'server.1=x' }, err.badArguments],
      ['no members', { members: '' }, err.badArguments],
    ] as const)('refuses %s, whoever asks', async (_what, change, expected) => {
      const before = await lines(await sessions.client())
      expect(await code(await superuser(), change)).toBe(expected)
      expect(await code(await sessions.client({}, 1), change)).toBe(expected)
      expect(await lines(await sessions.client())).toEqual(before)
    })

    it.each([
      ['nothing at all', {}],
      ['the leaving of nobody', { leaving: '9' }],
      ['empty lists', { joining: '', leaving: '' }],
    ] as const)('of %s is a new version of the same', async (_what, change) => {
      const client = await superuser()
      const before = await getData(client, CONFIG, true)
      const reply = await reconfig(client, change)
      const data = reply.body.text() ?? ''
      const stat = reply.body.stat()
      expect({ data, stat }).toEqual({
        data: before.data?.replace(/[0-9a-f]+$/, stat.mzxid.toString(16)),
        stat: { ...before.stat, mzxid: reply.zxid, mtime: stat.mtime, dataLength: data.length },
      })
      const events = await client.settle()
      expect(events.map(({ type, path }) => [type, path])).toEqual([[3, CONFIG]])
      expect(await code(client, { version: stat.mzxid })).toBe(err.ok)
      expect(await code(client, { version: stat.mzxid })).toBe(err.badVersion)
    })

    it('refuses members of whom too few are there', async () => {
      const client = await superuser()
      const before = await lines(client)
      const joining = [7, 8, 9].map((n) => `server.${n}=127.0.0.1:${n}1:${n}2;${n}3`).join()
      expect(await code(client, { joining })).toBe(err.newConfigNoQuorum)
      expect(await lines(client)).toEqual(before)
    })

    it('refuses a change while another is under way', async () => {
      const clients = await Promise.all([0, 1, 2].map((server) => superuser(server)))
      const met = new Set<number>()
      await waitFor(
        'a change meets another',
        async () => {
          const codes = await Promise.all(clients.map((client) => code(client, {})))
          for (const one of codes) met.add(one)
          return met.has(err.reconfigInProgress)
        },
        WITHIN_MS,
      )
      expect([...met].sort()).toEqual([err.reconfigInProgress, err.ok].sort())
    })

    it('takes a server out, and in again', async () => {
      const { index, number, ...stay } = await follower()
      const client = await superuser(stay.one)
      const before = await lines(client)
      const own = before.find((line) => line.startsWith(`server.${number}=`)) ?? ''
      await getData(client, CONFIG, true)
      const removed = await reconfig(client, { leaving: String(number) })
      expect(removed.err).toBe(err.ok)
      const rest = before.filter((line) => line !== own)
      expect((removed.body.text() ?? '').split('\n').slice(0, -1)).toEqual(rest)
      expect((await client.settle()).map(({ type }) => type)).toEqual([3])
      const place = await sessions.place(client)
      const other = await superuser(stay.other)
      await waitFor(
        'the other server knows',
        async () => (await lines(other)).length === 2,
        WITHIN_MS,
      )
      expect(await code(other, { joining: own })).toBe(err.ok)
      expect(await lines(other)).toEqual(before)
      await waitFor(
        'the server serves',
        async () => {
          try {
            const at = await sessions.client({}, index)
            await create(at, `${place}/back`)
            return (await setData(at, `${place}/back`, 'x')).err === err.ok
          } catch {
            return false
          }
        },
        WITHIN_MS,
      )
    }, 150_000)

    it('makes a server an observer, and a participant again, by the whole list', async () => {
      const { number, one } = await follower()
      const client = await superuser(one)
      const before = await lines(client)
      const asked = before.map((line) =>
        line.startsWith(`server.${number}=`) ? line.replace('participant', 'observer') : line,
      )
      expect(await code(client, { members: asked.join(',') })).toBe(err.ok)
      const after = await superuser(one)
      expect(await lines(after)).toEqual(asked)
      expect(await code(after, { members: before.join('\n') })).toBe(err.ok)
      expect(await lines(await sessions.client())).toEqual(before)
    }, 150_000)
  })
}
