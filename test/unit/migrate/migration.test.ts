import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadSnapshot } from '../../../server/ensemble/snapshots.ts'
import { type MigrationOptions, migrate } from '../../../server/migrate/migration.ts'
import { readSource } from '../../../server/migrate/source.ts'
import { CONTAINER_OWNER, ttlOwner } from '../../../server/migrate/source-tree.ts'
import { NodeFileSystem } from '../../../server/storage/node-file-system.ts'
import { openStorage } from '../../../server/storage/open-storage.ts'
import type { OpenedStorage } from '../../../server/storage/storage.ts'
import { createTransaction, EPOCH, logFile, snapshotFile, writeSource } from './zookeeper-files.ts'

const SESSIONS = [0x1000000000000001n, 0x2000000000000001n] as const
const DEAD_SESSION = -0x0fffffffffffffffn

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-migrate-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const files = {
  'snapshot.100000002': snapshotFile({
    sessions: SESSIONS,
    znodes: [
      { path: '/parent', creations: 7, zxid: 5 },
      { path: '/parent/second', owner: SESSIONS[1], zxid: EPOCH },
      { path: '/other', zxid: 5 },
      { path: '/other/dead', owner: DEAD_SESSION, zxid: EPOCH },
      { path: '/parent/first', owner: SESSIONS[0], zxid: EPOCH },
      { path: '/container', owner: CONTAINER_OWNER, zxid: 6 },
      { path: '/timed', owner: ttlOwner(60_000), zxid: 6, aclNumber: 1n },
      { path: '/zookeeper/quota/parent' },
      { path: '/zookeeper/quota/parent/zookeeper_limits' },
      { path: '/zookeeper/quota/parent/zookeeper_stats' },
    ],
  }),
  'log.100000003': logFile([createTransaction(EPOCH + 3, '/parent/kept', 8)]),
  currentEpoch: '3',
  acceptedEpoch: '4',
}

function optionsOf(changes: Partial<MigrationOptions> = {}): MigrationOptions {
  const data = join(directory, 'new')
  const from = join(directory, 'zookeeper')
  return {
    fileSystem: new NodeFileSystem(),
    from: { data: from, log: from },
    directories: { data, log: data, snapshots: data },
    founder: { name: '2', peerAddress: 'b:2888', clientAddress: 'b:2181', httpAddress: '' },
    numbered: true,
    segmentBytes: 64 * 1024,
    ...changes,
  }
}

function opened({ directories }: Pick<MigrationOptions, 'directories'>) {
  return openStorage({
    fileSystem: new NodeFileSystem(),
    directory: directories.data,
    logDirectory: directories.log,
    snapshotDirectory: directories.snapshots,
    name: '2',
    newId: () => '0123456789abcdef',
    random: Math.random,
    schedule: () => undefined,
    endOfTurn: queueMicrotask,
    segmentBytes: 64 * 1024,
    snapshotsKept: 3,
    onFault: (fault) => expect.unreachable(fault.detail),
  })
}

function machineOf(storage: OpenedStorage) {
  if (storage.snapshotFile === null) throw new Error('there is no snapshot')
  const loaded = loadSnapshot(storage.snapshots, storage.snapshotFile)
  if ('refusal' in loaded) throw new Error(loaded.refusal)
  return loaded.machine
}

describe('a migrated directory', () => {
  it("is its server's, who founds a cluster with it", async () => {
    writeSource(directory, files)
    const options = optionsOf()
    await migrate(options)
    const storage = opened(options)
    if ('code' in storage) throw new Error(storage.detail)
    const { id, clusterId, name } = storage.identity
    expect({ clusterId, name }).toEqual({ clusterId: id, name: '2' })
    expect(storage.restored.hardState).toEqual({ term: 1, votedFor: id, commit: 1 })
    expect(storage.restored.snapshot).toEqual({
      index: 1,
      term: 1,
      members: [{ ...options.founder, id, role: 'voter', observer: false }],
    })
    expect({ abstain: storage.abstain, notes: storage.notes }).toEqual({
      abstain: false,
      notes: [],
    })
    await new Promise<void>((resolve) => storage.log.close(resolve))
  })

  it('holds the tree, without the ephemerals of sessions that end in a new epoch', async () => {
    writeSource(directory, files)
    const options = optionsOf()
    const lines = await migrate(options)
    const storage = opened(options)
    if ('code' in storage) throw new Error(storage.detail)
    const { tree, sessions, lastZxid, lastTimeMs } = machineOf(storage)
    await new Promise<void>((resolve) => storage.log.close(resolve))
    expect(sessions.count).toBe(0)
    expect(tree.children('/parent')).toEqual(['kept'])
    // Epoch 4 was accepted; by unsigned ids the dead session is the last of three to end.
    expect(lastZxid).toBe(5 * EPOCH + 3)
    expect(tree.stat('/parent')).toMatchObject({ pzxid: 5 * EPOCH + 2, cversion: 15, mzxid: 5 })
    expect(tree.stat('/other')).toMatchObject({ pzxid: 5 * EPOCH + 3 })
    expect(tree.creations('/parent')).toBe(8)
    expect(tree.mode('/container')).toBe(2)
    expect(tree.ttlMs('/timed')).toBe(60_000)
    expect(tree.acl('/timed')).toEqual([{ permissions: 1, scheme: 'world', id: 'anyone' }])
    expect(tree.stat('/zookeeper/config')).toBeDefined()
    const use = tree.data('/zookeeper/quota/parent/zookeeper_stats')
    expect(Buffer.from(use ?? []).toString()).toBe('count=2,bytes=35')
    expect(lastTimeMs).toBe(1_003)
    expect(lines.join('\n')).toMatch(/znodes: 12, of them 1 containers and 1 with a .*; 1 quotas/)
    expect(lines).toContain('sessions: 3 ended, 3 ephemeral znodes removed with them')
    expect(lines).toContain("zxid: 0x100000003 was ZooKeeper's last, 0x500000003 is the last now")
  })

  it('may have its log elsewhere, and a myid already', async () => {
    writeSource(directory, files)
    const directories = {
      data: join(directory, 'new'),
      log: join(directory, 'log'),
      snapshots: join(directory, 'new'),
    }
    mkdirSync(directories.data)
    writeFileSync(join(directories.data, 'myid'), '2\n')
    await migrate(optionsOf({ directories }))
    expect(readdirSync(directories.log).some((name) => name.startsWith('wal-'))).toBe(true)
    const storage = opened({ directories })
    expect('code' in storage ? storage.detail : machineOf(storage).tree.has('/timed')).toBe(true)
    if (!('code' in storage)) await new Promise<void>((resolve) => storage.log.close(resolve))
  })

  it('gets the number of its server', async () => {
    writeSource(directory, files)
    await migrate(optionsOf())
    expect(readFileSync(join(directory, 'new', 'myid'), 'utf8')).toBe('2\n')
  })

  it('is nobody’s as long as it is not finished', async () => {
    writeSource(directory, files)
    class Stopping extends NodeFileSystem {
      override rename(from: string, to: string): void {
        if (to.endsWith('identity.json')) throw new Error('stopped')
        super.rename(from, to)
      }
    }
    const options = optionsOf({ fileSystem: new Stopping() })
    await expect(migrate(options)).rejects.toMatchObject({ code: 'DATA_UNUSABLE' })
    expect(opened(options)).toMatchObject({ code: 'DATA_CORRUPT' })
  })
})

describe('refusals', () => {
  it('spare whatever is in the new directory', async () => {
    writeSource(directory, files)
    const options = optionsOf()
    mkdirSync(options.directories.data)
    writeFileSync(join(options.directories.data, 'something'), '')
    const refusal = { code: 'MIGRATION_TARGET_NOT_EMPTY' }
    await expect(migrate(options)).rejects.toMatchObject(refusal)
    expect(readdirSync(options.directories.data)).toEqual(['something'])
    const { from } = options
    const itself = { data: from.data, log: from.data, snapshots: from.data }
    await expect(migrate(optionsOf({ directories: itself }))).rejects.toMatchObject(refusal)
  })

  it('meet files that change while they are read', async () => {
    const from = writeSource(directory, files)
    const reading = readSource({ data: from, log: from })
    appendFileSync(join(from, 'version-2', 'log.100000003'), Buffer.alloc(1))
    await expect(reading).rejects.toMatchObject({ code: 'MIGRATION_SOURCE_IN_USE' })
  })

  it('meet an epoch whose successor is no safe integer', async () => {
    writeSource(directory, { ...files, acceptedEpoch: '2097151' })
    const options = optionsOf()
    await expect(migrate(options)).rejects.toMatchObject({ code: 'MIGRATION_SOURCE_UNSUPPORTED' })
    writeSource(directory, { ...files, acceptedEpoch: '2097150' })
    await migrate(options)
  })

  it('leave the source as it is', async () => {
    const from = join(writeSource(directory, files), 'version-2')
    const before = readdirSync(from).map((name) => readFileSync(join(from, name), 'latin1'))
    await migrate(optionsOf())
    expect(readdirSync(from).map((name) => readFileSync(join(from, name), 'latin1'))).toEqual(
      before,
    )
  })
})
