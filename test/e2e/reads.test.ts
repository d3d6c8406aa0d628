import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { OPEN_ACL } from '../../server/core/tree/acl.ts'
import { reservePorts } from '../support/ports.ts'
import { fourLetterWord, modeOf, ServerProcess, serves } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'

const bundle = fileURLToPath(new URL('../../dist/quorate.js', import.meta.url))
const ROUNDS = 200

/** A follower learns what is committed a little after the client of the leader does. */
describe('a read at a follower, right after a write at the leader', () => {
  let directory = ''
  let clients: ZkClient[] = []
  const servers: ServerProcess[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-reads-'))
  })

  afterEach(async () => {
    for (const client of clients.splice(0)) await client.close()
    for (const server of servers.splice(0)) await server.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })

  /** The clients of a leader and of its only follower. */
  async function leaderAndFollower(...lines: string[]): Promise<[ZkClient, ZkClient]> {
    const ports = await reservePorts(4)
    const list = [0, 1].map((i) => `server.${i + 1}=127.0.0.1:${ports[2 + i]}:1`)
    for (const i of [0, 1]) {
      const data = join(directory, String(i))
      mkdirSync(data)
      writeFileSync(join(data, 'myid'), String(i + 1))
      const file = join(directory, `${i}.cfg`)
      const own = [`dataDir=${data}`, `clientPort=${ports[i]}`, 'admin.enableServer=false']
      writeFileSync(file, `${[...own, ...lines, ...list].join('\n')}\n`)
      const log = join(directory, `${i}.log`)
      const server = new ServerProcess(
        `server ${i}`,
        process.execPath,
        [bundle, 'serve', file],
        log,
      )
      servers.push(server)
      server.start()
    }
    for (const [i, server] of servers.entries()) {
      await server.ready(() => serves(ports[i] ?? 0), 60_000)
    }
    const modes = await waitFor('a leader', async () => {
      const words = [0, 1].map((i) => fourLetterWord(ports[i] ?? 0, 'srvr'))
      const found = (await Promise.all(words)).map(modeOf)
      return found.includes('leader') && found.includes('follower') ? found : null
    })
    const leader = modes.indexOf('leader')
    const dial = (i: number) => ZkClient.connect([`127.0.0.1:${ports[i]}`], 10_000, null)
    const pair: [ZkClient, ZkClient] = [await dial(leader), await dial(1 - leader)]
    clients = pair
    return pair
  }

  /** How many of the reads did not show the write before them. */
  async function stale(writer: ZkClient, read: (value: string) => Promise<string>) {
    let count = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      await writer.set('/register', Buffer.from(String(round)), -1)
      if ((await read(String(round))) !== String(round)) count += 1
    }
    return count
  }

  async function register(writer: ZkClient, reader: ZkClient) {
    await writer.create('/register', Buffer.from('none'), OPEN_ACL, 'persistent', false, 0)
    await reader.sync('/register')
    return async () => Buffer.from((await reader.get('/register', false)).data ?? '').toString()
  }

  it('shows it where reads are linearizable', { timeout: 90_000 }, async () => {
    const [writer, reader] = await leaderAndFollower('quorate.linearizableReads=true')
    const get = await register(writer, reader)
    expect(await stale(writer, get)).toBe(0)
  })

  it('shows it behind a sync', { timeout: 90_000 }, async () => {
    const [writer, reader] = await leaderAndFollower()
    const get = await register(writer, reader)
    const behindSync = async () => {
      const [, value] = await Promise.all([reader.sync('/register'), get()])
      return value
    }
    expect(await stale(writer, behindSync)).toBe(0)
  })
})
