import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { fourLetterWord } from '../../support/processes.ts'
import { kazooTool, titleOf, zookeeperTool } from '../../support/toolchain.ts'
import { waitFor } from '../../support/wait-for.ts'
import { run } from '../clients/command.ts'
import {
  create,
  createBody,
  dataBody,
  exists,
  getData,
  pathBody,
  versionBody,
} from '../operations.ts'
import { Fields, openAcl } from '../raw-bytes.ts'
import { type Handshake, handshake, op, RawClient } from '../raw-client.ts'
import { Sessions, type Target } from './target.ts'

const NOT_READ_ONLY = -119
const PATH = '/read-only'
const LEFT = 2
const AHEAD = 0x7fff_0000_0000_0000n
const script = fileURLToPath(new URL('../clients/read-only.py', import.meta.url))
const logback = fileURLToPath(new URL('../clients/logback.xml', import.meta.url))

const again = ({ sessionId, password }: Handshake) => ({ sessionId, password, readOnly: true })

/**
 * A server whose two others were killed, then, with the last test, returned. Apache ZooKeeper must have
 * local sessions for it: without them it answers the handshake with an error that no client can read.
 */
export function readOnlySuite(target: Target): void {
  describe('in read-only mode', () => {
    const sessions = new Sessions(target)
    const port = () => sessions.port(LEFT)
    const reader = (timeoutMs = 10_000) => sessions.client({ readOnly: true, timeoutMs }, LEFT)
    let global: RawClient

    beforeAll(async () => {
      const { clientPorts } = target.ensemble()
      global = await RawClient.connect(clientPorts[LEFT] ?? 0, {
        readOnly: true,
        timeoutMs: 10_000,
      })
      expect(global.session.readOnly).toBe(false)
      expect(await create(global, PATH, 'kept')).toMatchObject({ err: 0 })
      // Who owns an ephemeral has no local session any more.
      expect(await create(global, `${PATH}-owned`, '', { flags: 1 })).toMatchObject({ err: 0 })
      expect(await fourLetterWord(clientPorts[LEFT] ?? 0, 'isro')).toBe('rw')
      await Promise.all([0, 1].map((server) => target.ensemble().kill(server)))
      await global.connection.closed()
      // Nobody is served between the two.
      await waitFor('no service', async () => {
        return (await fourLetterWord(clientPorts[LEFT] ?? 0, 'isro')) === 'null'
      })
      await waitFor('read-only mode', async () => {
        return (await fourLetterWord(clientPorts[LEFT] ?? 0, 'isro')) === 'ro'
      })
    }, 90_000)

    it.each([
      ['a client that did not ask for it', () => ({ readOnly: false })],
      ['a client that does not know of it', () => ({ readOnly: null })],
      ['one that has seen a later zxid', () => ({ readOnly: true, lastZxidSeen: AHEAD })],
      ['a session of the ensemble', () => again(global.session)],
      ['the same without the byte', () => ({ ...again(global.session), readOnly: false })],
    ])('closes without an answer for %s', async (_, options) => {
      const connection = await sessions.connection(LEFT)
      expect(await handshake(connection, options())).toBeNull()
    })

    it('reads, watches and tells who asks', async () => {
      const client = await reader()
      expect(client.session).toMatchObject({ length: 37, readOnly: true, timeoutMs: 10_000 })
      expect(await getData(client, PATH, true)).toMatchObject({ err: 0, data: 'kept' })
      expect(await exists(client, `${PATH}/none`, true)).toMatchObject({ err: -101 })
      expect(await client.code(op.getAcl, pathBody(PATH))).toBe(0)
      expect(await client.code(op.getChildren, pathBody('/', false))).toBe(0)
      expect(await client.code(op.ping, new Fields(), -2)).toBe(0)
      expect(await client.code(op.whoAmI)).toBe(0)
      expect(await client.code(op.addWatch, new Fields().text(PATH).int(1))).toBe(0)
      expect(await client.code(op.removeWatches, new Fields().text(PATH).int(3))).toBe(0)
      const multi = new Fields().int(op.getData).bool(false).int(-1).text(PATH).bool(false)
      expect(await client.code(op.multiRead, multi.int(-1).bool(true).int(-1))).toBe(0)
    })

    const writes: readonly (readonly [string, number, Fields])[] = [
      ['create', op.create, createBody('/new')],
      ['an ephemeral', op.create, createBody('/new', '', { flags: 1 })],
      ['create2', op.create2, createBody('/new')],
      ['createContainer', op.createContainer, createBody('/new', '', { flags: 4 })],
      ['createTTL', op.createTtl, createBody('/new', '', { flags: 5 }).long(1_000n)],
      ['delete', op.delete, versionBody(PATH)],
      ['deleteContainer', 20, pathBody(PATH)],
      ['setData', op.setData, dataBody(PATH, 'x')],
      ['setACL', op.setAcl, new Fields().text(PATH).acl(openAcl).int(-1)],
      ['sync', op.sync, pathBody(PATH)],
      ['an empty multi', op.multi, new Fields().int(-1).bool(true).int(-1)],
      ['reconfig', op.reconfig, new Fields().text(null).text(null).text(null).long(-1n)],
      ['a create that cannot be read', op.create, new Fields().bool(true)],
      ['a multi that cannot be read', op.multi, new Fields().bool(true)],
    ]
    it.each(writes)('answers %s with NotReadOnly', async (_, type, body) => {
      const client = await reader()
      const { zxid } = await exists(client, PATH)
      const message = await client.request(type, body)
      expect(message).toMatchObject({ err: NOT_READ_ONLY, zxid })
      expect(message.body.left).toBe(0)
    })

    it('sends the events that were missed', async () => {
      const client = await reader()
      const watched = new Fields().long(0n).texts([PATH, '/gone']).texts([]).texts([])
      const xid = client.send(op.setWatches, watched, -8)
      const events = [await client.event(), await client.event()]
      expect(events.map(({ type, path }) => [type, path])).toEqual([
        [3, PATH],
        [2, '/gone'],
      ])
      expect((await client.reply(xid)).err).toBe(0)
    })

    it('takes a session up again, and closes its former connection', async () => {
      const first = await reader()
      const second = await sessions.client({ ...again(first.session), timeoutMs: 6_000 }, LEFT)
      expect(second.session.sessionId).toBe(first.session.sessionId)
      await first.connection.closed()
      expect((await getData(second, PATH)).data).toBe('kept')
    })

    it('takes an unknown session, one that was closed, and a wrong password for expired', async () => {
      const closing = await reader()
      expect((await closing.request(op.close)).err).toBe(0)
      await closing.connection.closed()
      const other = await reader()
      for (const options of [
        { sessionId: 0x1234n, password: Buffer.alloc(16), readOnly: true },
        again(closing.session),
        { ...again(other.session), password: Buffer.alloc(16, 7) },
      ]) {
        const connection = await sessions.connection(LEFT)
        expect(await handshake(connection, options)).toMatchObject({
          length: 37,
          timeoutMs: 0,
          sessionId: 0n,
          readOnly: true,
        })
        await connection.closed()
      }
    })

    it('ends a session that is silent', async () => {
      const silent = await reader(1)
      await silent.connection.closed()
      const connection = await sessions.connection(LEFT)
      expect(await handshake(connection, again(silent.session))).toMatchObject({ timeoutMs: 0 })
    })

    it('says so to those who ask', async () => {
      const lines = (await fourLetterWord(port(), 'srvr')).split('\n')
      expect(lines[1]).toBe('READ-ONLY mode; serving only read-only clients')
      expect(lines).toContain('Mode: read-only')
      expect(await fourLetterWord(port(), 'stat')).toContain('\nMode: read-only\n')
      const monitored = await fourLetterWord(port(), 'mntr')
      expect(monitored).toContain('zk_server_state\tread-only\n')
      expect(monitored).not.toMatch(/zk_(peer_state|quorum_size|followers)/)
      expect(await fourLetterWord(port(), 'conf')).toMatch(/\npeerType=0\n$/)
    })

    const java = zookeeperTool()
    it.skipIf(java.found === null)(titleOf('serves zkCli -r', java), async () => {
      const { java: command = '', classPath = '' } = java.found ?? {}
      const cli = (...args: string[]) =>
        run(command, [
          '-cp',
          classPath,
          `-Dlogback.configurationFile=${logback}`,
          'org.apache.zookeeper.ZooKeeperMain',
          '-server',
          `127.0.0.1:${port()}`,
          '-r',
          ...args,
        ])
      expect((await cli('get', PATH)).stdout).toContain('\nkept\n')
      const refused = await cli('set', PATH, 'changed')
      expect(refused.stdout + refused.stderr).toMatch(/Not a read-only call/)
    })

    it('begins so after a restart, with what is on the disk', async () => {
      await target.ensemble().kill(LEFT)
      await target.ensemble().restart(LEFT)
      await waitFor('read-only mode', async () => (await fourLetterWord(port(), 'isro')) === 'ro')
      expect(await getData(await reader(), PATH)).toMatchObject({ data: 'kept' })
    })

    it('ends with the first leader: read-only clients go, and come back to write', async () => {
      const client = await reader()
      expect(await getData(client, PATH, true)).toMatchObject({ data: 'kept' })
      const { clientPorts } = target.ensemble()
      const returned = () => Promise.all([0, 1].map((server) => target.ensemble().restart(server)))
      const kazoo = kazooTool()
      if (kazoo.found === null) await returned()
      else {
        const hosts = clientPorts.map((each) => `127.0.0.1:${each}`).join(',')
        const child = spawn(kazoo.found.python, [script, hosts, PATH], { stdio: 'pipe' })
        let told = ''
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (text) => (told += text))
        const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
        await waitFor('what kazoo reads', () => told.includes('read\n') || child.exitCode !== null)
        await returned()
        expect([await ended, told]).toEqual([0, 'read\n'])
      }
      await client.connection.closed()
      // A session that was made here is none of the ensemble's.
      for (const server of [0, LEFT]) {
        const connection = await sessions.connection(server)
        const answer = await waitFor('an answer', async () => {
          return handshake(connection.isClosed ? await sessions.connection(server) : connection, {
            ...again(client.session),
          })
        })
        expect(answer).toMatchObject({ timeoutMs: 0, readOnly: false })
      }
      const writer = await sessions.client({}, LEFT)
      await writer.request(op.sync, pathBody('/'))
      const { stat, data } = await getData(writer, PATH)
      expect([data, stat?.version]).toEqual(kazoo.found === null ? ['kept', 0] : ['changed', 1])
      expect(await exists(writer, '/new')).toMatchObject({ err: -101 })
    }, 150_000)
  })
}
