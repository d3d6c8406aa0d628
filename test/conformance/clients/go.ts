import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leaderOf, type ServerEnsemble } from '../../support/processes.ts'
import { goTool, titleOf } from '../../support/toolchain.ts'
import { ensembleFor, type ServerName } from '../servers.ts'
import { run } from './command.ts'

const CASES = [
  ['znodes of every kind, and what a session leaves', 'kinds'],
  ['multis, one that fails among them', 'multis'],
  ['ACLs of digest and auth', 'acls'],
  ['watches of the three kinds', 'watches'],
  ['a loop over ChildrenW while 200 children come', 'children'],
  ['10,000 watches over a lost connection', 'setwatches'],
] as const

const WITHIN_MS = 120_000
const BUILT_WITHIN_MS = 300_000
const PROCESSES = 3
const INCREMENTS = 100
/** "super:test", as ZooKeeper's DigestAuthenticationProvider hashes it. */
const SUPER_DIGEST = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='

const hostsOf = ({ clientPorts }: ServerEnsemble) =>
  clientPorts.map((port) => `127.0.0.1:${port}`).join(',')

/** go-zookeeper/zk, unchanged, in a program that is built from the sources beside this file. */
export function goSuite(name: ServerName): void {
  const tool = goTool()
  describe.skipIf(tool.found === null)(titleOf('go-zookeeper/zk', tool), () => {
    const program = builtProgram(tool.found?.go ?? '')
    describe('on three servers', () => usersOf(name, program))
    describe('with reconfig', () => reconfigures(name, program))
  })
}

/** The program's file, when the tests of this `describe` run. */
function builtProgram(go: string): () => string {
  let directory = ''
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-go-'))
    const sources = fileURLToPath(new URL('go', import.meta.url))
    const args = ['build', '-o', join(directory, 'client'), '.']
    const ended = await run(go, args, { withinMs: BUILT_WITHIN_MS, cwd: sources })
    expect(ended).toMatchObject({ code: 0 })
  }, BUILT_WITHIN_MS)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return () => join(directory, 'client')
}

function usersOf(name: ServerName, program: () => string): void {
  const target = ensembleFor(name)
  const hosts = () => hostsOf(target.ensemble())

  it.each(CASES)('%s', async (_, each) => {
    const ended = await run(program(), [hosts(), `/go-${each}`, each], { withinMs: WITHIN_MS })
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('a counter under Lock, three processes with 100 increments each, ends at 300', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'quorate-go-counter-'))
    try {
      const file = join(directory, 'counter')
      writeFileSync(file, '0')
      const args = [hosts(), '/go-lock', 'counter', file, String(INCREMENTS)]
      const all = Array.from({ length: PROCESSES }, () =>
        run(program(), args, { withinMs: WITHIN_MS }),
      )
      for (const ended of await Promise.all(all)) expect(ended).toMatchObject({ code: 0 })
      expect(readFileSync(file, 'utf8')).toBe(String(PROCESSES * INCREMENTS))
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  // The library reads dates as ZooKeeper 3.5 wrote them: it understands none of the servers that followed.
  it.skipIf(name === 'zookeeper')('srvr, cons and ruok as the library reads them', async () => {
    const ended = await run(program(), [hosts(), '/go-words', 'words'])
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('a session goes on when its server is killed', async () => {
    const ensemble = target.ensemble()
    const child = spawn(program(), [hosts(), '/go-moves', 'moves'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const server = await firstLine(child)
    const index = ensemble.clientPorts.findIndex((port) => server === `127.0.0.1:${port}`)
    expect(index).not.toBe(-1)
    await ensemble.kill(index)
    const exited = once(child, 'exit')
    child.stdin.write('it is down\n')
    expect((await exited)[0]).toBe(0)
    await ensemble.restart(index)
  })
}

async function firstLine(child: ChildProcessByStdio<Writable, Readable, null>): Promise<string> {
  const lines = createInterface({ input: child.stdout })
  const [line] = (await once(lines, 'line')) as [string]
  return line
}

function reconfigures(name: ServerName, program: () => string): void {
  const target = ensembleFor(name, {
    servers: 3,
    settings: {
      reconfigEnabled: 'true',
      'DigestAuthenticationProvider.superDigest': SUPER_DIGEST,
    },
  })

  it('a follower leaves and comes back, by what joins and leaves and by the whole list', async () => {
    const ensemble = target.ensemble()
    const leader = await leaderOf(ensemble)
    const follower = String(leader === 0 ? 2 : 1)
    // Only the servers that stay are asked: the one that leaves may close its connections.
    const staying = ensemble.clientPorts.filter((_, i) => String(i + 1) !== follower)
    const hosts = staying.map((port) => `127.0.0.1:${port}`).join(',')
    const args = [hosts, '/go-reconfigs', 'reconfigs', 'super:test', follower]
    const ended = await run(program(), args, { withinMs: WITHIN_MS })
    expect(ended).toEqual({ code: 0, stdout: '', stderr: '' })
  })
}
