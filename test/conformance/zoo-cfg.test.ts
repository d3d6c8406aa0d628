import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CertificateAuthority } from '../support/certificates.ts'
import { JavaStores, keytool } from '../support/java-stores.ts'
import { reservePorts } from '../support/ports.ts'
import { fourLetterWord, modeOf, ServerProcess, serves } from '../support/processes.ts'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { run } from './clients/command.ts'
import { logback } from './clients/zk-cli.ts'

const bundle = fileURLToPath(new URL('../../dist/quorate.js', import.meta.url))
const tool = zookeeperTool()
const stores = keytool()
const missing = tool.found === null ? tool : stores
const { java = '', classPath = '' } = tool.found ?? {}
const PASSWORD = 'of the stores'
const SERVERS = [1, 2, 3, 4]

/**
 * Three servers, an observer, TLS for clients and between the servers: the files start Apache ZooKeeper,
 * then, as they are, Quorate.
 */
describe.skipIf(missing.found === null)(titleOf('the zoo.cfg of an ensemble', missing), () => {
  const authority = new CertificateAuthority()
  const javaStores = new JavaStores()
  const directory = mkdtempSync(join(tmpdir(), 'quorate-acceptance-'))
  const started: ServerProcess[] = []
  const texts = new Map<number, string>()
  let ports: number[] = []
  let keyStore = ''
  let trustStore = { file: '', password: '' }

  const home = (number: number) => join(directory, `host-${number}`)
  const file = (number: number) => join(home(number), 'zoo.cfg')
  const clientPort = (number: number) => ports[number - 1] ?? 0
  const securePort = (number: number) => ports[3 + number] ?? 0

  beforeAll(async () => {
    ports = await reservePorts(16)
    keyStore = authority.pkcs12(authority.issue(), PASSWORD)
    trustStore = javaStores.trust('PKCS12', authority.certificate)
    for (const number of SERVERS) {
      fresh(number)
      const text = configuration(number)
      texts.set(number, text)
      writeFileSync(file(number), text)
    }
  })

  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()))
  })

  afterAll(() => {
    authority.remove()
    javaStores.remove()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })

  /** Empty directories, with a myid. */
  function fresh(number: number): void {
    for (const name of ['data', 'log']) {
      rmSync(join(home(number), name), { recursive: true, force: true })
      mkdirSync(join(home(number), name), { recursive: true })
    }
    writeFileSync(join(home(number), 'data', 'myid'), `${number}\n`)
  }

  function configuration(number: number): string {
    const storesFor = (before: string) => [
      `${before}keyStore.location=${keyStore}`,
      `${before}keyStore.password=${PASSWORD}`,
      `${before}keyStore.type=PKCS12`,
      `${before}trustStore.location=${trustStore.file}`,
      `${before}trustStore.password=${trustStore.password}`,
      `${before}trustStore.type=PKCS12`,
    ]
    const list = SERVERS.map((each) => {
      const [peer, election] = [ports[7 + each], ports[11 + each]]
      return `server.${each}=127.0.0.1:${peer}:${election}:${each === 4 ? 'observer' : 'participant'}`
    })
    return [
      '# The number of milliseconds of each tick',
      'tickTime=1000',
      'initLimit=20',
      'syncLimit = 10',
      `dataDir=${home(number)}/data`,
      `dataLogDir=${home(number)}/log`,
      `clientPort=${clientPort(number)}`,
      `secureClientPort=${securePort(number)}`,
      'maxClientCnxns: 60',
      'autopurge.snapRetainCount=3',
      'autopurge.purgeInterval=1',
      '4lw.commands.whitelist=ruok, srvr, \\',
      '    stat, mntr, isro',
      'admin.enableServer=False',
      'standaloneEnabled=false',
      'reconfigEnabled=true',
      'extendedTypesEnabled=true',
      'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
      'ssl.clientAuth=need',
      ...storesFor('ssl.'),
      'sslQuorum=true',
      ...storesFor('ssl.quorum.'),
      ...list,
      '',
    ].join('\n')
  }

  function start(name: string, number: number, command: string, args: string[]): ServerProcess {
    const log = join(home(number), `${name}.log`)
    const server = new ServerProcess(`${name} ${number}`, command, args, log)
    started.push(server)
    server.start()
    return server
  }

  const zookeeper = (number: number) =>
    start('zookeeper', number, java, [
      ...['-Xmx128m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath],
      `-Dlogback.configurationFile=${logback}`,
      'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      file(number),
    ])
  const quorate = (number: number) =>
    start('quorate', number, process.execPath, [bundle, 'serve', file(number)])

  /** zkCli over TLS, at one server. */
  const zkCli = (number: number, ...command: string[]) => {
    const properties = {
      'client.secure': 'true',
      clientCnxnSocket: 'org.apache.zookeeper.ClientCnxnSocketNetty',
      'ssl.keyStore.location': keyStore,
      'ssl.keyStore.password': PASSWORD,
      'ssl.trustStore.location': trustStore.file,
      'ssl.trustStore.password': trustStore.password,
    }
    return run(java, [
      ...['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath],
      `-Dlogback.configurationFile=${logback}`,
      ...Object.entries(properties).map(([key, value]) => `-Dzookeeper.${key}=${value}`),
      'org.apache.zookeeper.ZooKeeperMain',
      ...['-server', `127.0.0.1:${securePort(number)}`, ...command],
    ])
  }

  /** All four serve, in their roles, and a client of one over TLS reads what one of another wrote. */
  async function works(servers: readonly ServerProcess[], written: string): Promise<void> {
    for (const [i, server] of servers.entries()) {
      await server.ready(() => serves(clientPort(i + 1)), 120_000)
    }
    const modes = await Promise.all(
      SERVERS.map(async (number) => modeOf(await fourLetterWord(clientPort(number), 'srvr'))),
    )
    expect([...modes].sort()).toEqual(['follower', 'follower', 'leader', 'observer'])
    expect(modes[3]).toBe('observer')
    expect(await fourLetterWord(clientPort(1), 'wchs')).toContain('not in the whitelist')
    const created = await zkCli(1, 'create', '/accepted', written)
    expect(created.stdout + created.stderr).toContain('Created /accepted')
    await zkCli(4, 'sync', '/accepted')
    expect((await zkCli(4, 'get', '/accepted')).stdout).toContain(written)
  }

  const files = (number: number) =>
    ['data', 'log']
      .flatMap((name) =>
        readdirSync(join(home(number), name), { recursive: true, encoding: 'utf8' }),
      )
      .sort()

  it('starts Apache ZooKeeper, and an observer with it', { timeout: 240_000 }, async () => {
    await works(SERVERS.map(zookeeper), 'by-zookeeper')
  })

  it("does not start Quorate over ZooKeeper's data, snapshots or log", async () => {
    const before = files(1)
    expect(before.some((name) => name.includes('version-2/log.'))).toBe(true)
    for (const found of ['data', 'log']) {
      const server = quorate(1)
      await waitFor('the end of the server', () => !server.isRunning)
      expect(await server.signal('SIGTERM')).toBe(65)
      const last = server.logTail().trim().split('\n').at(-1)
      expect(last).toMatch(/^quorate: DATA_IS_ZOOKEEPER: .*bring it over with quorate migrate/)
      expect(last).toContain(join(home(1), found, 'version-2'))
      if (found === 'data') {
        expect(files(1)).toEqual(before)
        rmSync(join(home(1), 'data', 'version-2'), { recursive: true })
      }
    }
  })

  it('starts Quorate unchanged on empty directories', { timeout: 240_000 }, async () => {
    for (const number of SERVERS) {
      fresh(number)
      // Since it may be reconfigured, ZooKeeper has moved the servers to a file of their own. Some start
      // from what it has made of its file, the others from the file as it was.
      const rewritten = readFileSync(file(number), 'utf8')
      expect(rewritten).toMatch(/dynamicConfigFile=.*zoo\.cfg\.dynamic\.[0-9a-f]+/)
      expect(rewritten).not.toContain('server.1')
      if (number % 2 === 0) writeFileSync(file(number), texts.get(number) ?? '')
    }
    const servers = SERVERS.map(quorate)
    await works(servers, 'by-quorate')
    for (const server of servers) expect(server.logTail()).not.toContain('without a meaning')
    const shown = spawnSync(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${securePort(2)}`, '-CAfile', authority.certificate],
      { input: '', encoding: 'utf8' },
    )
    expect(shown.stdout).toContain('Verify return code: 0 (ok)')
  })
})
