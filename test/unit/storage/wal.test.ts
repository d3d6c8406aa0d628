import { describe, expect, it } from 'vitest'
import type { StorageFault } from '../../../server/storage/storage.ts'
import { type DiskFault, SimulatedFileSystem } from '../../support/simulated-file-system.ts'
import { append, Clock, entries, entry, mustOpen, optionsFor, state, text } from './harness.ts'

interface Bench {
  readonly clock: Clock
  readonly disk: SimulatedFileSystem
  readonly inject: { fault: DiskFault | null; operation: string; path: string }
}

function bench(): Bench {
  const clock = new Clock()
  const inject: Bench['inject'] = { fault: null, operation: '', path: '' }
  const disk = new SimulatedFileSystem({
    schedule: clock.schedule,
    latencyMs: (operation) => (operation === 'sync' ? 2 : 1),
    fault: (operation, path) =>
      operation === inject.operation && path.includes(inject.path) ? inject.fault : null,
  })
  return { clock, disk, inject }
}

describe('group commit', () => {
  it('sends all appends of a turn as one write and one sync, and those meanwhile as the next', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen({ ...optionsFor(disk, clock), segmentBytes: 65_536 })
    clock.run(100)
    const before = { ...disk.counts }
    const order: number[] = []
    const add = (index: number): void => {
      storage.log.append({ hardState: null, entries: entries(index, index, 1) }, () => {
        order.push(index)
      })
    }
    for (let index = 1; index <= 50; index += 1) add(index)
    clock.run(0)
    for (let index = 51; index <= 90; index += 1) add(index)
    expect(order).toEqual([])
    clock.run(3)
    expect(order).toHaveLength(50)
    clock.run(3)
    expect(order).toEqual(Array.from({ length: 90 }, (_, i) => i + 1))
    expect(disk.counts.writes - before.writes).toBe(2)
    expect(disk.counts.syncs - before.syncs).toBe(2)
  })

  it('has each sync timed, from its begin to its success', () => {
    const { clock, disk, inject } = bench()
    const timed: string[] = []
    const timeSync = () => {
      timed.push('begun')
      return () => void timed.push('synced')
    }
    const { storage } = mustOpen({ ...optionsFor(disk, clock), timeSync })
    clock.run(100)
    timed.length = 0
    append(storage, { entries: entries(1, 1, 1) })
    clock.run(2)
    expect(timed).toEqual(['begun'])
    clock.run(1)
    expect(timed).toEqual(['begun', 'synced'])
    inject.fault = 'EIO'
    inject.operation = 'sync'
    append(storage, { entries: entries(2, 2, 1) })
    clock.run(100)
    expect(timed).toEqual(['begun', 'synced', 'begun'])
  })

  it('acknowledges nothing before the sync has returned', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen(optionsFor(disk, clock))
    clock.run(100)
    const syncs = disk.counts.syncs
    const result = append(storage, { entries: entries(1, 1, 1) })
    while (disk.counts.syncs === syncs) {
      expect(result.durable).toBe(false)
      expect(clock.step()).toBe(true)
    }
    expect(result.durable).toBe(true)
  })

  it('has the next segment ready when one is full, so that no append waits for zeros', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen(optionsFor(disk, clock))
    clock.run(1000)
    for (let index = 1; index <= 30; index += 1) {
      const result = append(storage, { entries: entries(index, index, 1, 900) })
      clock.run(3)
      expect(result.durable).toBe(true)
      clock.run(1000)
    }
    expect(storage.log.segments).toBeGreaterThan(5)
  })
})

describe('a failing disk', () => {
  it('stops for good at an fsync error: told once, nothing acknowledged or retried', () => {
    const { clock, disk, inject } = bench()
    const { storage, faults } = mustOpen(optionsFor(disk, clock))
    clock.run(100)
    Object.assign(inject, { fault: 'EIO', operation: 'sync', path: 'wal-' })
    const first = append(storage, { entries: entries(1, 1, 1) })
    const second = append(storage, { entries: entries(2, 2, 1) })
    clock.run(100)
    inject.fault = null
    const counts = { ...disk.counts }
    const third = append(storage, { entries: entries(3, 3, 1) })
    clock.run(10_000)
    expect([first, second, third].map(({ durable }) => durable)).toEqual([false, false, false])
    expect(faults.map(({ code }) => code)).toEqual(['DISK_FSYNC_FAILED'])
    expect(disk.counts).toEqual(counts)
    let closed = false
    storage.log.close(() => {
      closed = true
    })
    expect(closed).toBe(true)
  })

  it('stops at a write error that is not for want of space', () => {
    const { clock, disk, inject } = bench()
    const { storage, faults } = mustOpen(optionsFor(disk, clock))
    clock.run(100)
    Object.assign(inject, { fault: 'EIO', operation: 'write', path: 'wal-' })
    const first = append(storage, { entries: entries(1, 1, 1) })
    clock.run(1000)
    expect(first.durable).toBe(false)
    expect(faults.map(({ code }) => code)).toEqual(['DISK_WRITE_FAILED'])
  })

  it('writes again when the file system had no room after all, losing nothing', () => {
    const { clock, disk, inject } = bench()
    const { storage, faults } = mustOpen(optionsFor(disk, clock))
    clock.run(100)
    Object.assign(inject, { fault: 'ENOSPC', operation: 'write', path: 'wal-' })
    const first = append(storage, { entries: entries(1, 1, 1) })
    clock.run(1000)
    expect(storage.log.full).toBe(true)
    expect(first.durable).toBe(false)
    expect(faults.map(({ code }) => code)).toEqual(['DISK_FULL'])
    inject.fault = null
    clock.run(1000)
    expect(first.durable).toBe(true)
    expect(storage.log.full).toBe(false)
  })
})

describe('a full disk', () => {
  it('says so, keeps the reserve for what must go on, and recovers by itself', () => {
    const { clock, disk } = bench()
    const { storage, faults } = mustOpen(optionsFor(disk, clock))
    clock.run(1000)
    disk.capacityBytes = 0
    let index = 0
    const results: { durable: boolean }[] = []
    // Ordinary writes fill what was preallocated, short of the reserve.
    for (let i = 0; i < 20; i += 1) {
      index += 1
      results.push(append(storage, { entries: entries(index, index, 1, 900) }))
      clock.run(200)
    }
    expect(storage.log.full).toBe(true)
    expect(faults.map(({ code }) => code)).toEqual(['DISK_FULL'])
    const stuck = results.findIndex(({ durable }) => !durable)
    expect(stuck).toBeGreaterThan(5)
    expect(stuck).toBeLessThan(12)
    disk.capacityBytes = Number.POSITIVE_INFINITY
    clock.run(1000)
    expect(storage.log.full).toBe(false)
    expect(results.every(({ durable }) => durable)).toBe(true)
    expect(faults).toHaveLength(1)
  })

  it('lets hard states, memberships and reserved writes into the reserve', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen(optionsFor(disk, clock))
    clock.run(1000)
    disk.capacityBytes = 0
    let index = 0
    for (let i = 0; i < 7; i += 1) {
      index += 1
      append(storage, { entries: entries(index, index, 1, 900) })
      clock.run(200)
    }
    expect(storage.log.full).toBe(true)
    const urgent = [
      append(storage, { hardState: state(2, index) }),
      append(storage, {
        entries: [{ kind: 'membership', index: index + 1, term: 2, members: [] }],
      }),
      append(storage, { entries: [entry(index + 2, 2, 'x'.repeat(1000))], reserved: true }),
    ]
    clock.run(1000)
    expect(urgent.map(({ durable }) => durable)).toEqual([true, true, true])
    expect(storage.log.full).toBe(true)
  })

  it('is no longer full when released segments come back', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen(optionsFor(disk, clock))
    for (let index = 1; index <= 12; index += 1) {
      append(storage, { entries: entries(index, index, 1, 900) })
      clock.run(200)
    }
    for (const index of [6, 12]) {
      const writer = storage.snapshots.create({ index, term: 1, members: [] })
      writer.finish(() => {})
      clock.run(100)
    }
    disk.capacityBytes = 0
    for (let index = 13; index <= 16; index += 1) {
      append(storage, { entries: entries(index, index, 1, 900) })
      clock.run(200)
    }
    expect(storage.log.full).toBe(true)
    storage.log.release(12)
    clock.run(1000)
    expect(storage.log.full).toBe(false)
  })

  it('fails a snapshot without space and leaves nothing of it', () => {
    const { clock, disk } = bench()
    const { storage } = mustOpen(optionsFor(disk, clock))
    clock.run(1000)
    disk.capacityBytes = 0
    const faults: (StorageFault | null)[] = []
    const writer = storage.snapshots.create({ index: 1, term: 1, members: [] })
    writer.write(Buffer.alloc(1000), (fault) => faults.push(fault))
    clock.run(100)
    writer.abort()
    expect(faults.map((fault) => fault?.code)).toEqual(['DISK_FULL'])
    expect(disk.list('/data').filter((name) => name.startsWith('snapshot'))).toEqual([])
    expect(storage.snapshots.newest).toBeNull()
  })
})

describe('a recycled segment', () => {
  it('shows nothing of its earlier records', () => {
    const { clock, disk } = bench()
    let { storage } = mustOpen(optionsFor(disk, clock))
    let index = 0
    for (let round = 0; round < 12; round += 1) {
      for (let i = 0; i < 12; i += 1) {
        index += 1
        append(storage, { entries: entries(index, index, 1, 300) })
        clock.run(50)
      }
      const writer = storage.snapshots.create({ index, term: 1, members: [] })
      writer.finish(() => {})
      clock.run(50)
      storage.log.release(index)
      clock.run(50)
    }
    const files = disk.list('/data').filter((name) => /wal/.test(name))
    expect(files.length).toBeLessThan(20)
    // Old records do stand in the files: the test would prove nothing without them.
    const newest = storage.log.segments
    const content = files.map((name) =>
      Buffer.from(disk.readFile(`/data/${name}`)).toString('latin1'),
    )
    expect(content.join('').match(/1\.\d+:/g)?.length).toBeGreaterThan(12 * newest)
    disk.kill()
    clock.clear()
    storage = mustOpen(optionsFor(disk, clock)).storage
    expect(storage.restored.snapshot.index).toBe(index)
    expect(storage.restored.entries).toEqual([])
    append(storage, { entries: entries(index + 1, index + 1, 2) })
    clock.run(100)
    disk.kill()
    storage = mustOpen(optionsFor(disk, clock)).storage
    expect(storage.restored.entries.map(text)).toEqual(entries(index + 1, index + 1, 2).map(text))
  })
})
