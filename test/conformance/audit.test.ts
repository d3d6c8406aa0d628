import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { audited } from './audited-operations.ts'
import { create, flag } from './operations.ts'
import { RawClient } from './raw-client.ts'
import { ensembleFor, type ServerName, superDigestSettings } from './servers.ts'

const tool = zookeeperTool()
const me = userInfo().username
const ip = '127.0.0.1'

type Line = Readonly<Record<string, string>>

/** Tabs between `key=value`, behind the time and the level; or an object. */
function parse(name: ServerName, text: string): Line[] {
  const lines = text.split('\n').filter(Boolean)
  if (name === 'zookeeper') {
    return lines.map((line) => {
      const pairs = line.replace(/^\S+ \S+ +[A-Z]+ +/, '').split('\t')
      return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
    })
  }
  return lines.map((line) => {
    const { level, time, server, ...fields } = JSON.parse(line)
    expect([level, time, server]).toEqual([
      fields.result === 'failure' ? 40 : 30,
      expect.any(Number),
      '1',
    ])
    return fields
  })
}

/** Names have no order in ZooKeeper. */
function sorted({ user = '', ...fields }: Line): Line {
  return { ...fields, user: user.split(',').sort().join(',') }
}

describe.each<ServerName>(['quorate', 'zookeeper'])('the audit log of %s', (name) => {
  describe.skipIf(name === 'zookeeper' && tool.found === null)(titleOf('', tool), () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-audited-'))
    const ownFile = join(directory, 'audit.log')
    const target = ensembleFor(name, {
      servers: 1,
      parentDirectory: directory,
      settings: {
        'audit.enable': 'true',
        'quorate.auditFile': ownFile,
        ...superDigestSettings,
      },
    })
    const lines = () => {
      const home = readdirSync(directory).find((entry) => entry.startsWith(`quorate-${name}`))
      const file = name === 'quorate' ? ownFile : join(directory, home ?? '', '1', 'audit.log')
      return parse(name, readFileSync(file, 'utf8'))
    }
    const ends = (of: string) =>
      lines()
        .filter((line) => line['session'] === of && line['ip'] === undefined)
        .sort((left, right) => ((left['znode'] ?? '') < (right['znode'] ?? '') ? -1 : 1))
    const connect = (timeoutMs: number) =>
      RawClient.connect(target.ensemble().clientPorts[0] ?? 0, { timeoutMs })
    let session = ''
    beforeAll(async () => {
      const client = await connect(20_000)
      session = `0x${client.session.sessionId.toString(16)}`
      await audited(client)
    })
    afterAll(() => rmSync(directory, { recursive: true, force: true }))

    it('tells of the start', async () => {
      expect(lines()[0]).toEqual({ user: me, operation: 'serverStart', result: 'success' })
    })

    it('tells of every write of a client, and what became of it', async () => {
      // The last ones: the file is written behind the answers.
      await waitFor('the end of the session is told', () => ends(session).length === 2)
      const told = lines().filter((line) => line['session'] === session && line['ip'] !== undefined)
      const made =
        (user: string) =>
        (operation: string, result: string, fields: Line = {}) => ({
          ...{ session, user, ip, operation, result },
          ...fields,
        })
      const line = made(ip)
      const known = made(`${ip},ann,bob`)
      const znode = (path: string, type?: string) =>
        type === undefined ? { znode: path } : { znode: path, znode_type: type }
      // No separator in ZooKeeper, which shows the hashes of passwords too.
      const acls =
        name === 'zookeeper'
          ? 'world:anyone:cdrwadigest:bob:hash=:r'
          : 'world:anyone:cdrwa,digest:bob:x:r'
      // ZooKeeper looks for the type under the name that was asked for.
      const inMulti = name === 'zookeeper' ? undefined : 'persistent_sequential'
      expect(told.map(sorted)).toEqual([
        line('create', 'success', znode('/a', 'persistent')),
        line('create', 'failure', znode('/a', 'persistent')),
        line('create', 'failure', znode('/none/a', 'persistent')),
        line('create', 'success', znode('/a/s-0000000000', 'persistent_sequential')),
        line('create', 'success', znode('/a/e', 'ephemeral')),
        line('create', 'success', znode('/a/es-0000000002', 'ephemeral_sequential')),
        line('create', 'success', znode('/a/c', 'container')),
        line('create', 'success', znode('/a/t', 'persistent_with_ttl')),
        line('create', 'success', znode('/a/two', 'persistent')),
        line('create', 'failure', znode('/a/bad', 'persistent')),
        line('create', 'failure', znode('bad', 'persistent')),
        line('setData', 'success', znode('/a')),
        line('setData', 'failure', znode('/a')),
        line('setAcl', 'success', { znode: '/a/two', acl: acls }),
        line('setAcl', 'failure', { znode: '/none', acl: 'world:anyone:cdrwa' }),
        line('setAcl', 'success', { znode: '/a/two', acl: 'world:anyone:' }),
        line('delete', 'success', znode('/a/two')),
        line('delete', 'failure', znode('/none')),
        line('delete', 'failure', znode('/a')),
        line('create', 'success', znode('/a/m', 'persistent')),
        line('create', 'success', znode('/a/m20000000007', inMulti)),
        line('setData', 'success', znode('/a/m')),
        line('delete', 'success', znode('/a/m')),
        line('multiOperation', 'failure'),
        line('reconfig', 'failure'),
        known('create', 'success', znode('/a/known', 'persistent')),
        known('setAcl', 'success', { znode: '/a/known', acl: 'auth::cdrwa' }),
        made(`${ip},ann,bob,super`)('delete', 'success', znode('/a/known')),
      ])
    })

    const deletion = (of: string, path: string) => ({
      session: of,
      user: me,
      operation: 'ephemeralZNodeDeletionOnSessionCloseOrExpire',
      znode: path,
      result: 'success',
    })

    it('tells of the ephemeral znodes of sessions that were closed, or expired', async () => {
      expect(ends(session)).toEqual([
        deletion(session, '/a/e'),
        deletion(session, '/a/es-0000000002'),
      ])
      const client = await connect(4_000)
      const gone = `0x${client.session.sessionId.toString(16)}`
      await create(client, '/gone', '', { flags: flag.ephemeral })
      client.connection.drop()
      await waitFor('the end of the session', () => ends(gone).length > 0, 30_000)
      expect(ends(gone)).toEqual([deletion(gone, '/gone')])
    })

    it('tells of the stop', async () => {
      await target.ensemble().terminate(0)
      expect(lines().at(-1)).toEqual({ user: me, operation: 'serverStop', result: 'invoked' })
    })
  })
})
