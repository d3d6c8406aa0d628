import { createHash } from 'node:crypto'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { loadSnapshot } from '../../server/ensemble/snapshots.ts'
import { migrate } from '../../server/migrate/migration.ts'
import { readSource } from '../../server/migrate/source.ts'
import { NodeFileSystem } from '../../server/storage/node-file-system.ts'
import { openStorage } from '../../server/storage/open-storage.ts'
import { type ServerEnsemble, ServerProcess, serves } from '../support/processes.ts'
import type { EnsembleOptions } from '../support/server-ensemble.ts'
import { titleOf, zookeeperTool } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { zookeeperEnsemble } from '../support/zookeeper-process.ts'
import { connectReader, populate } from './migration/population.ts'
import { readTree, type SeenZnode, withoutEphemerals } from './migration/tree-reading.ts'
import { create, createBody, flag, setData } from './operations.ts'
import { op, RawClient } from './raw-client.ts'

/** `quorate migrate`, from what real servers wrote to what clients see of it. */

const repository = fileURLToPath(new URL('../..', import.meta.url))
const bundle = join(repository, 'dist', 'quorate.js')
const SERVES_WITHIN_MS = 60_000

/** Real servers whose directories stay when they have stopped. */
class SourceServers {
  readonly ensemble: ServerEnsemble
  readonly #parent: string

  private constructor(parent: string, ensemble: ServerEnsemble) {
    this.#parent = parent
    this.ensemble = ensemble
  }

  static async start(options: EnsembleOptions): Promise<SourceServers> {
    const parentDirectory = mkdtempSync(join(tmpdir(), 'quorate-migration-'))
    const ensemble = await zookeeperEnsemble({ ...options, parentDirectory })
    await ensemble.start()
    return new SourceServers(parentDirectory, ensemble)
  }

  /** Where server `index` has its zoo.cfg and its data. */
  home(index: number): string {
    const [directory = ''] = readdirSync(this.#parent)
    return join(this.#parent, directory, String(index + 1))
  }

  data(index: number): string {
    return join(this.home(index), 'data')
  }

  async stop(): Promise<void> {
    await this.ensemble.stop()
    rmSync(this.#parent, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** What is in a directory, to the byte. */
function digestOf(directory: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(directory).sort()) {
    hash.update(name).update(readFileSync(join(directory, name)))
  }
  return hash.digest('hex')
}

/** The times of `/ephemerals` tell of the sessions' end, which is the servers' own. */
function comparable(tree: ReadonlyMap<string, SeenZnode>): Record<string, SeenZnode> {
  const parent = tree.get('/ephemerals')
  const compared = new Map(tree)
  if (parent !== undefined) {
    compared.set('/ephemerals', { ...parent, stat: { ...parent.stat, pzxid: 0n } })
  }
  return Object.fromEntries([...compared].sort())
}

/** The tree in a directory as clients of its server would see it, with numbers as in ZooKeeper's. */
function treeIn(directory: string): Map<string, SeenZnode> {
  const storage = openStorage({
    fileSystem: new NodeFileSystem(),
    directory,
    name: '1',
    newId: () => '',
    random: Math.random,
    schedule: () => undefined,
    endOfTurn: queueMicrotask,
    segmentBytes: 1024 * 1024,
    snapshotsKept: 1,
    onFault: (fault) => expect.unreachable(fault.detail),
  })
  if ('code' in storage || storage.snapshotFile === null) return expect.unreachable('no snapshot')
  const loaded = loadSnapshot(storage.snapshots, storage.snapshotFile)
  storage.log.close(() => undefined)
  if ('refusal' in loaded) return expect.unreachable(loaded.refusal)
  const { tree } = loaded.machine
  const seen = new Map<string, SeenZnode>()
  for (const [path] of tree.entries()) {
    const stat = tree.stat(path)
    if (path === '/zookeeper/config' || stat === undefined) continue
    const data = tree.data(path)
    seen.set(path, {
      data: data === null || data === undefined ? null : Buffer.from(data).toString('hex'),
      stat: {
        ...stat,
        czxid: BigInt(stat.czxid),
        mzxid: BigInt(stat.mzxid),
        pzxid: BigInt(stat.pzxid),
        ctime: BigInt(stat.ctimeMs),
        mtime: BigInt(stat.mtimeMs),
        ephemeralOwner: BigInt(stat.ephemeralOwner),
      },
      acl: (tree.acl(path) ?? []).map(({ permissions, scheme, id }) => ({
        perms: permissions,
        scheme,
        id,
      })),
    })
  }
  return seen
}

const tool = zookeeperTool()

describe.skipIf(tool.found === null)(titleOf('Files of a real server', tool), () => {
  it.each([
    ['', 100_000],
    ['gz', 20],
    ['snappy', 20],
  ])('are read (compression "%s", a snapshot every %i transactions)', async (method, snapCount) => {
    const settings = {
      preAllocSize: '64',
      snapCount: String(snapCount),
      ...(method === '' ? {} : { 'snapshot.compression.method': method }),
    }
    const source = await SourceServers.start({ servers: 1, settings })
    try {
      const [port = 0] = source.ensemble.clientPorts
      await populate(await RawClient.connect(port))
      const seen = withoutEphemerals(await readTree(await connectReader(port)))
      await source.ensemble.kill(0)
      const directory = join(source.home(0), 'new')
      const lines = await migrate({
        fileSystem: new NodeFileSystem(),
        from: { data: source.data(0), log: source.data(0) },
        directories: { data: directory, log: directory, snapshots: directory },
        founder: { name: '1', peerAddress: 'a:1', clientAddress: 'a:2', httpAddress: '' },
        numbered: true,
        segmentBytes: 1024 * 1024,
      })
      expect(lines).toContain('digest: the tree is the one that ZooKeeper had')
      expect(lines.join('\n')).toContain('2 ephemeral znodes removed')
      const migrated = comparable(treeIn(directory))
      for (const [path, znode] of Object.entries(comparable(seen))) {
        expect(migrated[path], path).toMatchObject(znode)
      }
      expect(Object.keys(migrated)).toEqual(Object.keys(comparable(seen)))
    } finally {
      await source.stop()
    }
  })
})

describe.skipIf(tool.found === null)(titleOf('An ensemble that is migrated', tool), () => {
  let source: SourceServers
  let servers: ServerProcess[] = []

  beforeAll(async () => {
    const settings = { preAllocSize: '64', snapCount: '200' }
    source = await SourceServers.start({ servers: 3, settings })
  }, 180_000)

  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return
    console.error(source.ensemble.logs(), ...servers.map((server) => server.logTail()))
  })

  afterAll(async () => {
    for (const server of servers) await server.stop()
    await source?.stop()
  })

  /** The zoo.cfg of a server with another data directory, which has its number already. */
  function configure(index: number): string {
    const old = readFileSync(join(source.home(index), 'zoo.cfg'), 'utf8')
    const data = join(source.home(index), 'quorate')
    const path = join(source.home(index), 'quorate.cfg')
    writeFileSync(path, old.replace(/^dataDir=.*$/m, `dataDir=${data}`))
    mkdirSync(data, { recursive: true })
    writeFileSync(join(data, 'myid'), `${index + 1}\n`)
    return path
  }

  /** Runs one command of the built CLI to its end. */
  async function quorate(...args: string[]): Promise<string> {
    const log = join(source.home(0), 'command.log')
    const command = new ServerProcess(args.join(' '), process.execPath, [bundle, ...args], log)
    command.start()
    await waitFor(args.join(' '), () => !command.isRunning)
    const code = await command.signal('SIGTERM')
    if (code !== 0) throw new Error(command.logTail())
    return command.logTail()
  }

  /** Kills all servers while clients write; the index of the one with the newest transaction. */
  async function killWhileWriting(): Promise<number> {
    const { ensemble } = source
    const writers = await Promise.all(ensemble.clientPorts.map((port) => RawClient.connect(port)))
    await create(writers[0] as RawClient, '/written', '')
    let acknowledged = 0
    const written = writers.map(async (writer, id) => {
      for (let i = 0; ; i += 1) {
        await create(writer, `/written/${id}-`, `${i}`, { flags: flag.sequential })
        await setData(writer, '/plain', `written ${id} ${i}`)
        acknowledged += 1
      }
    })
    const closed = Promise.allSettled(written)
    await waitFor('some writes', () => acknowledged > 500)
    await Promise.all([0, 1, 2].map((index) => ensemble.kill(index)))
    await closed
    const ends = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const directories = { data: source.data(index), log: source.data(index) }
        return (await readSource(directories)).lastZxid
      }),
    )
    return ends.indexOf(Math.max(...ends))
  }

  /** What ZooKeeper itself makes of the directory: all servers start on it. */
  async function treeByZooKeeper(newest: number): Promise<Map<string, SeenZnode>> {
    for (const index of [0, 1, 2].filter((other) => other !== newest)) {
      rmSync(join(source.data(index), 'version-2'), { recursive: true })
      cpSync(join(source.data(newest), 'version-2'), join(source.data(index), 'version-2'), {
        recursive: true,
      })
    }
    await Promise.all([0, 1, 2].map((index) => source.ensemble.restart(index)))
    const tree = await readTree(await connectReader(source.ensemble.clientPorts[0] ?? 0))
    await Promise.all([0, 1, 2].map((index) => source.ensemble.kill(index)))
    return withoutEphemerals(tree)
  }

  it('has the same znodes behind three servers with the same zoo.cfg', async () => {
    const { ensemble } = source
    const client = await RawClient.connect(ensemble.clientPorts[1] ?? 0)
    await populate(client)
    const newest = await killWhileWriting()
    const before = digestOf(join(source.data(newest), 'version-2'))
    const configurations = [0, 1, 2].map(configure)
    const target = join(source.home(newest), 'quorate')
    const zooCfg = join(source.home(newest), 'zoo.cfg')
    const output = await quorate('migrate', zooCfg, '--to', target)
    expect(output).toContain('digest: the tree is the one that ZooKeeper had')
    expect(digestOf(join(source.data(newest), 'version-2'))).toBe(before)
    const expected = await treeByZooKeeper(newest)

    servers = configurations.map((configuration, index) => {
      const args = [bundle, 'serve', configuration]
      const log = join(source.home(index), 'quorate.log')
      return new ServerProcess(`quorate ${index + 1}`, process.execPath, args, log)
    })
    for (const server of servers) server.start()
    for (const [index, port] of ensemble.clientPorts.entries()) {
      await servers[index]?.ready(() => serves(port), SERVES_WITHIN_MS)
    }
    for (const port of ensemble.clientPorts) {
      const tree = await readTree(await connectReader(port))
      expect(comparable(tree)).toEqual(comparable(expected))
    }

    const [port = 0] = ensemble.clientPorts
    const { sessionId, password } = client.session
    await expect(RawClient.connect(port, { sessionId, password })).rejects.toThrow('expired')
    const again = await connectReader(port)
    const next = await again.request(
      op.create,
      createBody('/sequence/n-', '', { flags: flag.sequential }),
    )
    expect(next.body.text()).toBe('/sequence/n-0000000005')
    const zxids = [...expected.values()].map(({ stat }) => stat.mzxid)
    expect(zxids.every((zxid) => zxid < next.zxid)).toBe(true)
    expect(expected.size).toBeGreaterThan(500)
  })
})
