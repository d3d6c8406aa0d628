import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../../../server/storage/file-system.ts'
import { NodeFileSystem } from '../../../server/storage/node-file-system.ts'
import { openStorage, type StorageOptions } from '../../../server/storage/open-storage.ts'
import type { OpenedStorage, SnapshotFile } from '../../../server/storage/storage.ts'
import { SimulatedFileSystem } from '../../support/simulated-file-system.ts'
import { Clock, entries, isRefusal, member, mustOpen, optionsFor, state, text } from './harness.ts'

/** The same expectations of a real disk and of the simulated one. */
interface Disk {
  readonly fileSystem: FileSystem
  readonly directory: string
  readonly timing: Pick<Clock, 'schedule' | 'endOfTurn'>
  /** Lets the disk work until the condition holds. */
  until(condition: () => boolean): Promise<void>
  remove(): void
}

function realDisk(): Disk {
  const directory = mkdtempSync(join(tmpdir(), 'storage-'))
  return {
    fileSystem: new NodeFileSystem(),
    directory,
    timing: {
      schedule: (delayMs, call) => {
        setTimeout(call, delayMs)
      },
      endOfTurn: queueMicrotask,
    },
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setImmediate(resolve))
    },
    remove: () => rmSync(directory, { recursive: true }),
  }
}

function simulatedDisk(): Disk {
  const clock = new Clock()
  return {
    fileSystem: new SimulatedFileSystem({ schedule: clock.schedule }),
    directory: '/data',
    timing: clock,
    until(condition) {
      while (!condition() && clock.step()) {}
      expect(condition()).toBe(true)
      return Promise.resolve()
    },
    remove: () => {},
  }
}

describe.each([
  ['real', realDisk],
  ['simulated', simulatedDisk],
])('storage on a %s disk', (_name, makeDisk) => {
  let disk: Disk
  let options: StorageOptions

  beforeEach(() => {
    disk = makeDisk()
    options = optionsFor(disk.fileSystem, disk.timing, { directory: disk.directory })
  })
  afterEach(() => disk.remove())

  async function close(storage: OpenedStorage): Promise<void> {
    let closed = false
    storage.log.close(() => {
      closed = true
    })
    await disk.until(() => closed)
  }

  async function reopened(storage: OpenedStorage): Promise<OpenedStorage> {
    await close(storage)
    return mustOpen(options).storage
  }

  async function written(call: (durable: () => void) => void): Promise<void> {
    let done = false
    call(() => {
      done = true
    })
    await disk.until(() => done)
  }

  async function snapshotAt(
    storage: OpenedStorage,
    index: number,
    term: number,
    blocks: readonly string[],
  ): Promise<SnapshotFile> {
    const writer = storage.snapshots.create({ index, term, members: [member('1')] })
    for (const block of blocks) {
      await written((done) => writer.write(Buffer.from(block), () => done()))
    }
    let file: SnapshotFile | null = null
    await written((done) =>
      writer.finish((fault, made) => {
        expect(fault).toBeNull()
        file = made
        done()
      }),
    )
    if (file === null) throw new Error('no snapshot was made')
    return file
  }

  function contents(storage: OpenedStorage, file: SnapshotFile): string[] {
    return [...storage.snapshots.blocks(file)].map((block) => Buffer.from(block).toString())
  }

  it('formats an empty directory once and knows it again', async () => {
    const first = mustOpen(options).storage
    expect(first.empty).toBe(true)
    expect(first.abstain).toBe(false)
    expect(first.identity).toEqual({ clusterId: '', name: '1', id: '00000000000000a1' })
    first.setClusterId('c1')
    await close(first)
    const second = mustOpen({ ...options, newId: () => 'other' }).storage
    expect(second.identity).toEqual({ clusterId: 'c1', name: '1', id: '00000000000000a1' })
    expect(second.empty).toBe(true)
    expect(() => second.setClusterId('c2')).toThrow('one cluster')
    await close(second)
  })

  it('refuses a second opening, another name and ZooKeeper data', async () => {
    const first = mustOpen(options).storage
    expect(openStorage(options)).toMatchObject({ code: 'DATA_LOCKED' })
    await close(first)
    expect(openStorage({ ...options, name: '2' })).toMatchObject({ code: 'DATA_FOREIGN_NAME' })
    const elsewhere = `${disk.directory}/elsewhere`
    disk.fileSystem.makeDirectory(`${elsewhere}/version-2`)
    const refusal = openStorage({ ...options, directory: elsewhere })
    expect(refusal).toMatchObject({ code: 'DATA_IS_ZOOKEEPER' })
    expect(isRefusal(refusal) && refusal.detail).toContain('quorate migrate')
    expect(disk.fileSystem.list(elsewhere)).toEqual(['version-2'])
  })

  it('returns entries, configuration and hard state after a restart', async () => {
    let storage = mustOpen(options).storage
    const members = [member('1'), { ...member('2'), role: 'learner' as const, observer: true }]
    await written((done) =>
      storage.log.append(
        {
          hardState: state(3, 2, '00000000000000a1'),
          entries: [
            { kind: 'membership', index: 1, term: 1, members },
            { kind: 'noop', index: 2, term: 2 },
            { kind: 'requests', index: 3, term: 3, payload: Uint8Array.of(0, 255, 7) },
          ],
        },
        done,
      ),
    )
    storage = await reopened(storage)
    expect(storage.empty).toBe(false)
    expect(storage.restored).toEqual({
      hardState: { term: 3, votedFor: '00000000000000a1', commit: 2 },
      snapshot: { index: 0, term: 0, members: [] },
      entries: [
        { kind: 'membership', index: 1, term: 1, members },
        { kind: 'noop', index: 2, term: 2 },
        { kind: 'requests', index: 3, term: 3, payload: Uint8Array.of(0, 255, 7) },
      ],
    })
    await close(storage)
  })

  it('replaces the end of the log by what is appended below it', async () => {
    let storage = mustOpen(options).storage
    await written((done) =>
      storage.log.append({ hardState: null, entries: entries(1, 5, 1) }, done),
    )
    await written((done) =>
      storage.log.append({ hardState: state(2, 2), entries: entries(4, 4, 2) }, done),
    )
    storage = await reopened(storage)
    const expected = [...entries(1, 3, 1), ...entries(4, 4, 2)].map(text)
    expect(storage.restored.entries.map(text)).toEqual(expected)
    expect(() =>
      storage.log.append({ hardState: null, entries: entries(6, 6, 2) }, () => {}),
    ).toThrow()
    await close(storage)
  })

  it('goes through many small segments, with records larger than one', async () => {
    let storage = mustOpen(options).storage
    let durable = 0
    const sizes = [10, 3000, 3900, 4096, 9000, 50, 20_000, 1]
    const all = Array.from({ length: 80 }, (_, i) => {
      return entries(i + 1, i + 1, 1, sizes[i % sizes.length])[0] ?? expect.fail()
    })
    for (const one of all) {
      storage.log.append({ hardState: state(1, one.index - 1), entries: [one] }, () => {
        durable += 1
      })
    }
    await disk.until(() => durable === all.length)
    expect(storage.log.segments).toBeGreaterThan(20)
    storage = await reopened(storage)
    expect(storage.restored.entries.map(text)).toEqual(all.map(text))
    expect(storage.restored.hardState.commit).toBe(79)
    await close(storage)
  })

  it('keeps the newest snapshots, the log behind the oldest of them, and recycles segments', async () => {
    let storage = mustOpen({ ...options, snapshotsKept: 2 }).storage
    for (let index = 1; index <= 200; index += 1) {
      await written((done) =>
        storage.log.append({ hardState: null, entries: entries(index, index, 1, 200) }, done),
      )
      if (index % 40 !== 0) continue
      const file = await snapshotAt(storage, index, 1, [`a${index}`, `b${index}`])
      expect(storage.snapshots.newest).toBe(file)
      storage.log.release(index)
    }
    expect(storage.snapshots.all.map(({ meta }) => meta.index)).toEqual([200, 160])
    expect(storage.log.segments).toBeLessThan(6)
    const names = disk.fileSystem.list(disk.directory)
    expect(names.filter((name) => name.startsWith('snapshot-'))).toHaveLength(2)
    storage = await reopened(storage)
    expect(storage.restored.snapshot.index).toBe(200)
    expect(storage.restored.entries).toEqual([])
    const file = storage.snapshotFile
    expect(file?.meta.members).toEqual([member('1')])
    expect(file && contents(storage, file)).toEqual(['a200', 'b200'])
    await close(storage)
  })

  it('falls back to the snapshot before a damaged one, with the log between', async () => {
    let storage = mustOpen({ ...options, sparesMax: 0 }).storage
    for (let index = 1; index <= 180; index += 1) {
      await written((done) =>
        storage.log.append({ hardState: null, entries: entries(index, index, 1, 100) }, done),
      )
      if (index % 60 !== 0) continue
      await snapshotAt(storage, index, 1, [`at ${index}`])
      storage.log.release(index)
    }
    const newest = disk.fileSystem
      .list(disk.directory)
      .filter((name) => name.endsWith('.snap'))
      .at(-1)
    await close(storage)
    const file = disk.fileSystem.open(`${disk.directory}/${newest}`, false)
    file.writeSync(150, Uint8Array.of(1, 2, 3))
    file.syncSync()
    file.close()
    storage = mustOpen(options).storage
    expect(storage.restored.snapshot.index).toBe(120)
    expect(storage.restored.entries.map(text)).toEqual(entries(121, 180, 1, 100).map(text))
    expect(storage.notes.join()).toContain('skipped')
    await close(storage)
  })

  it('receives a snapshot byte by byte as another server made it, and verifies it', async () => {
    const sender = mustOpen(options).storage
    sender.setClusterId('c1')
    const made = await snapshotAt(sender, 50, 4, ['one', 'two'.repeat(1000)])
    const raw: Uint8Array[] = []
    for (let at = 0; at < made.bytes; at += 700) {
      await written((done) =>
        sender.snapshots.read(made, at, Math.min(700, made.bytes - at), (fault, bytes) => {
          expect(fault).toBeNull()
          raw.push(bytes)
          done()
        }),
      )
    }
    const directory = `${disk.directory}/receiver`
    const receiverOptions = { ...options, directory, name: '2', newId: () => 'b2' }
    let receiver = mustOpen(receiverOptions).storage
    receiver.setClusterId('c1')
    const receive = async (chunks: readonly Uint8Array[]): Promise<SnapshotFile | null> => {
      const writer = receiver.snapshots.receive(made.meta)
      for (const chunk of chunks) await written((done) => writer.write(chunk, () => done()))
      let file: SnapshotFile | null = null
      await written((done) =>
        writer.finish((_fault, received) => {
          file = received
          done()
        }),
      )
      return file
    }
    expect(await receive(raw.slice(0, -1))).toBeNull()
    const damaged = raw.map((chunk) => Uint8Array.from(chunk))
    damaged[2]?.set([1, 2, 3], 100)
    expect(await receive(damaged)).toBeNull()
    expect(disk.fileSystem.list(directory).filter((name) => name.startsWith('snap'))).toEqual([])
    const file = await receive(raw)
    expect(file).toEqual(made)
    await written((done) => receiver.log.resetTo(made.meta, state(4, 10), done))
    await written((done) =>
      receiver.log.append({ hardState: null, entries: entries(51, 52, 4) }, done),
    )
    await close(receiver)
    receiver = mustOpen(receiverOptions).storage
    expect(receiver.restored.snapshot).toEqual(made.meta)
    expect(receiver.restored.hardState.commit).toBe(50)
    expect(receiver.restored.entries.map(text)).toEqual(entries(51, 52, 4).map(text))
    expect(file && contents(receiver, file)).toEqual(['one', 'two'.repeat(1000)])
    await close(receiver)
    await close(sender)
  })

  it('lets a snapshot replace a log that does not lead up to it', async () => {
    let storage = mustOpen(options).storage
    await written((done) =>
      storage.log.append({ hardState: null, entries: entries(1, 9, 1) }, done),
    )
    await snapshotAt(storage, 7, 2, ['from another leader'])
    storage = await reopened(storage)
    expect(storage.restored).toMatchObject({ snapshot: { index: 7, term: 2 }, entries: [] })
    await written((done) =>
      storage.log.append({ hardState: null, entries: entries(8, 8, 2) }, done),
    )
    storage = await reopened(storage)
    expect(storage.restored.entries.map(text)).toEqual(entries(8, 8, 2).map(text))
    await close(storage)
  })

  it('keeps log and snapshots in directories of their own', async () => {
    options = {
      ...options,
      logDirectory: `${disk.directory}/log`,
      snapshotDirectory: `${disk.directory}/snapshots`,
    }
    let storage = mustOpen(options).storage
    await written((done) =>
      storage.log.append({ hardState: null, entries: entries(1, 3, 1) }, done),
    )
    await snapshotAt(storage, 2, 1, ['x'])
    storage = await reopened(storage)
    expect(storage.restored.entries.map(text)).toEqual(entries(3, 3, 1).map(text))
    expect(disk.fileSystem.list(`${disk.directory}/snapshots`)).toHaveLength(1)
    await close(storage)
  })
})
