import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { reservePorts } from '../support/ports.ts'
import {
  fourLetterWord,
  leaderOf,
  modeOf,
  type ServerEnsemble,
  ServerProcess,
  serves,
} from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'

/** `quorate serve zoo.cfg`: one server in the foreground, from a ZooKeeper configuration file. */

const repository = fileURLToPath(new URL('../..', import.meta.url))
const bundle = join(repository, 'dist', 'quorate.js')
const SERVES_WITHIN_MS = 20_000
const DEFAULT_PEER_PORT = 2_888
const FORMS_WITHIN_MS = 30_000

/** Runs one command of the built CLI to its end. */
async function run(args: readonly string[], directory: string) {
  const log = join(directory, `run-${Math.random().toString(36).slice(2)}.log`)
  const command = new ServerProcess(args.join(' '), process.execPath, [bundle, ...args], log)
  command.start()
  await waitFor(args.join(' '), () => !command.isRunning, 30_000)
  return { code: await command.signal('SIGTERM'), output: command.logTail() }
}

function zk(port: number, directory: string, ...words: string[]) {
  return run(['zk', '-server', `127.0.0.1:${port}`, ...words], directory)
}

describe('serve zoo.cfg', () => {
  let directory = ''
  let ports: { client: number; peer: number; http: number }
  let configuration = ''
  const started: ServerProcess[] = []

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-serve-'))
    const [client = 0, peer = 0, http = 0] = await reservePorts(3)
    ports = { client, peer, http }
    configuration = write('zoo.cfg', `clientPort=${ports.client}`)
  })

  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })

  function write(name: string, ...lines: string[]): string {
    const path = join(directory, name)
    const own = [
      'tickTime=2000',
      `dataDir=${join(directory, 'data')}`,
      'clientPortAddress=127.0.0.1',
      'admin.serverAddress=127.0.0.1',
      `admin.serverPort=${ports.http}`,
      '4lw.commands.whitelist=ruok,srvr,stat,mntr,conf,isro',
      `quorate.peerPort=${ports.peer}`,
      'quorate.peerHost=127.0.0.1',
    ]
    writeFileSync(path, `# a configuration\n${[...own, ...lines].join('\n')}\n`)
    return path
  }

  function server(file = configuration): ServerProcess {
    const log = join(directory, 'server.log')
    const process_ = new ServerProcess('serve', process.execPath, [bundle, 'serve', file], log)
    started.push(process_)
    return process_
  }

  const ready = (process_: ServerProcess) =>
    process_.ready(() => serves(ports.client), SERVES_WITHIN_MS)

  it('runs in the foreground, answers the words, and keeps its data over SIGTERM', async () => {
    const first = server()
    first.start()
    await ready(first)
    expect(await fourLetterWord(ports.client, 'ruok')).toBe('imok')
    expect(await fourLetterWord(ports.client, 'isro')).toBe('rw')
    expect(modeOf(await fourLetterWord(ports.client, 'srvr'))).toBe('standalone')
    // Programs read the version to learn what a server can do: kazoo's own tests want 3.4 at least.
    expect(await fourLetterWord(ports.client, 'stat')).toMatch(
      /^Zookeeper version: 3\.9\.\d+-quorate-\d.+\nClients:\n/,
    )
    expect(await fourLetterWord(ports.client, 'mntr')).toMatch(/^zk_znode_count\t\d+$/m)
    expect(await fourLetterWord(ports.client, 'conf')).toContain(`clientPort=${ports.client}\n`)
    expect(await fourLetterWord(ports.client, 'cons')).toBe(
      'cons is not executed because it is not in the whitelist.\n',
    )
    const created = await zk(ports.client, directory, 'create', '/kept', 'the data')
    expect([created.code, created.output]).toEqual([0, expect.stringContaining('Created /kept')])
    expect(await first.signal('SIGTERM')).toBe(0)
    // One JSON object a line: no warning of a library, nothing that no log reader can parse.
    const lines = first.logTail().split('\n').slice(1).filter(Boolean)
    expect(lines.length).toBeGreaterThan(2)
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ server: expect.any(String) })

    const second = server()
    second.start()
    await ready(second)
    const got = await zk(ports.client, directory, 'get', '/kept')
    expect([got.code, got.output]).toEqual([0, expect.stringContaining('the data')])
    expect(await second.signal('SIGTERM')).toBe(0)
  })

  it('keeps what it acknowledged over kill -9', async () => {
    const first = server()
    first.start()
    await ready(first)
    expect((await zk(ports.client, directory, 'create', '/kept', 'the data')).code).toBe(0)
    await first.signal('SIGKILL')
    const second = server()
    second.start()
    await ready(second)
    expect((await zk(ports.client, directory, 'get', '/kept')).output).toContain('the data')
  })

  it('opens HTTP on the port of the admin server, closed for writes, which is audited', async () => {
    const process_ = server(write('audited.cfg', `clientPort=${ports.client}`, 'audit.enable=true'))
    process_.start()
    await ready(process_)
    const url = (path: string) => `http://127.0.0.1:${ports.http}${path}`
    expect((await fetch(url('/readyz'))).status).toBe(200)
    const write_ = await fetch(url('/v1/data'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"k":"a","v":"1"}',
    })
    expect([write_.status, await write_.json()]).toMatchObject([
      403,
      { code: 'HTTP_WRITES_CLOSED' },
    ])
    const denied =
      /"user":"127.0.0.1".*"operation":"setData","znode":"\/quorate\/data\/a".*"failure"/
    await waitFor('the line', () => denied.test(process_.logTail()), 5_000)
  })

  it('closes connections that ask for nothing in the time that is set', async () => {
    const idle = ['nio.sessionlessCnxnTimeout=300', 'admin.idleTimeout=300']
    const process_ = server(write('idle.cfg', `clientPort=${ports.client}`, ...idle))
    process_.start()
    await ready(process_)
    const asks = 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n'
    const sockets = [connect(ports.client, '127.0.0.1'), connect(ports.http, '127.0.0.1')]
    sockets[1]?.write(asks)
    for (const socket of sockets) socket.resume()
    // Without the settings it would be ten seconds and more.
    await waitFor('both ends', () => sockets.every(({ closed }) => closed), 5_000)
  })

  it('refuses a second process on the same data, and a port in use', async () => {
    const process_ = server()
    process_.start()
    await ready(process_)
    const same = await run(['serve', configuration], directory)
    expect([same.code, same.output]).toEqual([65, expect.stringContaining('DATA_LOCKED')])
    const other = write('other.cfg', `clientPort=${ports.client}`, 'quorate.peerPort=0')
    const elsewhere = join(directory, 'elsewhere')
    const taken = await run(['serve', other, '--data-directory', elsewhere], directory)
    expect([taken.code, taken.output]).toEqual([
      78,
      expect.stringContaining(`PORT_UNAVAILABLE: clientPort ${ports.client}`),
    ])
  })

  it('stands alone beside another that does: a zoo.cfg without servers asks for no peer port', async () => {
    const alone = join(directory, 'alone.cfg')
    const own = readFileSync(configuration, 'utf8').split('\n')
    writeFileSync(alone, own.filter((line) => !line.startsWith('quorate.')).join('\n'))
    // Where something else of this machine has the port already, that is as good.
    const holder = createServer().on('error', () => undefined)
    holder.listen(DEFAULT_PEER_PORT)
    try {
      const process_ = server(alone)
      process_.start()
      await ready(process_)
      expect(process_.logTail()).toContain('no other server can be added to this one')
      expect(await process_.signal('SIGTERM')).toBe(0)
    } finally {
      holder.close()
    }
  })

  it.each([
    ['a bad value', 'clientPort=seventy', 78, 'CONFIG_INVALID: clientPort (clientPort): "seventy"'],
    ['an unknown setting of ours', 'quorate.clentPort=1', 78, 'did you mean clientPort?'],
    ['a list without myid', 'server.1=a:1:2\nserver.2=b:1:2', 78, 'myid is missing'],
  ])('ends at once on %s', async (_, line, code, message) => {
    const ended = await run(['serve', write('bad.cfg', line)], directory)
    expect([ended.code, ended.output]).toEqual([code, expect.stringContaining(message)])
  })

  it('refuses a directory with data of Apache ZooKeeper', async () => {
    const data = join(directory, 'data', 'version-2')
    mkdirSync(data, { recursive: true })
    writeFileSync(join(data, 'log.1'), 'ZKLG')
    const ended = await run(['serve', configuration], directory)
    expect([ended.code, ended.output]).toEqual([65, expect.stringContaining('DATA_IS_ZOOKEEPER')])
  })
})

describe('three servers from zoo.cfg files', () => {
  let ensemble: ServerEnsemble
  let directory = ''
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-serve-three-'))
    ensemble = await quorateEnsemble({ servers: 3 })
    await ensemble.start()
  })
  afterAll(async () => {
    await ensemble.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const port = (index: number) => ensemble.clientPorts[index] ?? 0
  const modes = () =>
    Promise.all(
      ensemble.clientPorts.map(async (each) => modeOf(await fourLetterWord(each, 'srvr'))),
    )

  it('form an ensemble with one leader', async () => {
    expect((await modes()).sort()).toEqual(['follower', 'follower', 'leader'])
  })

  it('give a client of each what a client of another wrote', async () => {
    expect((await zk(port(0), directory, 'create', '/shared', 'value')).code).toBe(0)
    for (const index of [1, 2]) {
      const got = await zk(port(index), directory, 'get', '/shared')
      expect([got.code, got.output]).toEqual([0, expect.stringContaining('value')])
    }
  })

  it('go on without their leader, which stops with 0 and comes back with the data', async () => {
    const leader = await leaderOf(ensemble)
    expect(await ensemble.terminate(leader)).toBe(0)
    const other = (leader + 1) % 3
    await waitFor(
      'a new leader',
      async () => modeOf(await fourLetterWord(port(other), 'srvr')) !== null,
      FORMS_WITHIN_MS,
    )
    expect((await zk(port(other), directory, 'create', '/meanwhile', 'yes')).code).toBe(0)
    await ensemble.restart(leader)
    await zk(port(leader), directory, 'sync', '/')
    expect((await zk(port(leader), directory, 'get', '/meanwhile')).output).toContain('yes')
    expect((await zk(port(leader), directory, 'get', '/shared')).output).toContain('value')
  })

  it('all stop with 0, and are there again with the data', async () => {
    const codes = await Promise.all([0, 1, 2].map((index) => ensemble.terminate(index)))
    expect(codes).toEqual([0, 0, 0])
    await Promise.all([0, 1, 2].map((index) => ensemble.restart(index)))
    expect((await zk(port(1), directory, 'get', '/shared')).output).toContain('value')
  })
})
