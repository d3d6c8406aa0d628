import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { openStorage } from '../../../server/storage/open-storage.ts'
import { recordBytes } from '../../../server/storage/record.ts'
import { segmentHeaderBytes, segmentName } from '../../../server/storage/segment.ts'
import { snapshotName } from '../../../server/storage/snapshot-file.ts'
import type { OpenedStorage, OpenRefusal } from '../../../server/storage/storage.ts'
import { SimulatedFileSystem } from '../../support/simulated-file-system.ts'
import {
  append,
  Clock,
  entries,
  entry,
  isRefusal,
  member,
  mustOpen,
  optionsFor,
  state,
  text,
} from './harness.ts'

const segmentBytes = 4096
const masks = [0x01, 0x80, 0xff]

interface Made {
  readonly disk: SimulatedFileSystem
  readonly expected: readonly string[]
}

/** A closed disk whose log was written in the given batches, each of them acknowledged alone. */
function madeLog(batches: readonly (readonly [number, number])[], size = 56): Made {
  const clock = new Clock()
  const disk = new SimulatedFileSystem({ schedule: clock.schedule })
  const { storage } = mustOpen({ ...optionsFor(disk, clock), segmentBytes })
  for (const [first, last] of batches) {
    const batch = { hardState: state(1, first - 1), entries: entries(first, last, 1, size) }
    const result = append(storage, batch)
    clock.run()
    expect(result.durable).toBe(true)
  }
  storage.log.close(() => {})
  clock.run()
  const last = batches.at(-1)?.[1] ?? 0
  return { disk, expected: entries(1, last, 1, size).map(text) }
}

function reopen(disk: SimulatedFileSystem): OpenedStorage | OpenRefusal {
  return openStorage({ ...optionsFor(disk, new Clock()), segmentBytes })
}

type Outcome = 'refused' | 'whole' | 'cut with abstain'

/**
 * What may happen to acknowledged entries: all there; or refused; or only the end is missing, and
 * the server abstains from elections. Anything else fails here.
 */
function outcomeOf(opened: OpenedStorage | OpenRefusal, expected: readonly string[]): Outcome {
  if (isRefusal(opened)) {
    expect(['DATA_CORRUPT', 'DATA_FUTURE_VERSION']).toContain(opened.code)
    expect(opened.file).not.toBe('')
    return 'refused'
  }
  const found = opened.restored.entries.map(text)
  expect(found).toEqual(expected.slice(0, found.length))
  if (found.length === expected.length && !opened.abstain) return 'whole'
  expect(opened.abstain).toBe(true)
  return 'cut with abstain'
}

describe('a damaged log', () => {
  it('never gives a wrong entry nor loses one in silence, whichever byte is flipped', () => {
    const { disk, expected } = madeLog([
      [1, 3],
      [4, 4],
      [5, 7],
      [8, 8],
    ])
    const path = `/data/${segmentName(1)}`
    const content = disk.readFile(path)
    const used = content.findLastIndex((byte) => byte !== 0) + 1
    // The last write: a hard state, entry 8 and the end.
    const lastStart = used - 29 - recordBytes(60) - recordBytes(6)
    const seen = new Map<string, number>()
    for (let offset = 0; offset < used + 64; offset += 1) {
      for (const mask of masks) {
        const copy = disk.clone()
        copy.flip(path, offset, mask)
        const outcome = outcomeOf(reopen(copy), expected)
        const place =
          offset < segmentHeaderBytes ? 'header' : offset < lastStart ? 'middle' : 'last'
        seen.set(`${place}: ${outcome}`, (seen.get(`${place}: ${outcome}`) ?? 0) + 1)
      }
    }
    // Padding and the unused rest of the header sector say nothing; the latter is checked all the same.
    expect([...seen.keys()].sort()).toEqual([
      'header: refused',
      'last: cut with abstain',
      'last: whole',
      'middle: refused',
      'middle: whole',
    ])
    const share = (seen.get('middle: whole') ?? 0) / (seen.get('middle: refused') ?? 1)
    expect(share).toBeLessThan(0.3)
  })

  it('does so in every segment of a longer log', () => {
    const batches = Array.from({ length: 12 }, (_, i) => [3 * i + 1, 3 * i + 3] as const)
    const { disk, expected } = madeLog(batches, 300)
    const paths = disk.list('/data').filter((name) => name.startsWith('wal-'))
    expect(paths.length).toBeGreaterThan(3)
    for (const name of paths) {
      for (let offset = 0; offset < segmentBytes; offset += 7) {
        const copy = disk.clone()
        copy.flip(`/data/${name}`, offset, 0x10)
        outcomeOf(reopen(copy), expected)
      }
    }
  })

  it('refuses every truncation of a segment', () => {
    const { disk, expected } = madeLog([
      [1, 3],
      [4, 4],
    ])
    for (const name of disk.list('/data').filter((each) => each.startsWith('wal-'))) {
      for (let size = 0; size < segmentBytes; size += size < 1024 ? 1 : 61) {
        const copy = disk.clone()
        copy.truncate(`/data/${name}`, size)
        const outcome = outcomeOf(reopen(copy), expected)
        expect(outcome).toBe(size === 0 && name !== segmentName(1) ? 'cut with abstain' : 'refused')
      }
    }
  })

  it('cuts a write that was torn at any sector, and does not abstain for it', () => {
    const clock = new Clock()
    const disk = new SimulatedFileSystem({ schedule: clock.schedule })
    const { storage } = mustOpen({ ...optionsFor(disk, clock), segmentBytes })
    const first = append(storage, { entries: entries(1, 2, 1, 100) })
    clock.run()
    expect(first.durable).toBe(true)
    const path = `/data/${segmentName(1)}`
    const before = disk.readFile(path)
    append(storage, { hardState: state(1, 2), entries: entries(3, 8, 1, 200) })
    clock.run()
    const whole = disk.readFile(path)
    let cuts = 0
    for (let boundary = 512; boundary < segmentBytes; boundary += 512) {
      const torn = before.slice()
      torn.set(whole.subarray(0, boundary))
      const copyClock = new Clock()
      const copy = disk.clone({ schedule: copyClock.schedule })
      copy.put(path, torn)
      const options = { ...optionsFor(copy, copyClock), segmentBytes }
      const opened = mustOpen(options).storage
      expect(opened.abstain).toBe(false)
      const found = opened.restored.entries.map(text)
      expect(found.length).toBeGreaterThanOrEqual(2)
      expect(found).toEqual(
        [...entries(1, 2, 1, 100), ...entries(3, 8, 1, 200)].map(text).slice(0, found.length),
      )
      if (found.length < 8) cuts += 1
      // What was cut is gone for good: the log goes on from there and is read back.
      const after = entry(found.length + 1, 2, 'after')
      append(opened, { entries: [after] })
      opened.log.close(() => {})
      copyClock.run()
      const again = mustOpen(options).storage.restored.entries.map(text)
      expect(again).toEqual([...found, text(after)])
    }
    expect(cuts).toBeGreaterThan(2)
  })

  it('remembers to abstain over restarts until a leader has matched the log', () => {
    const { disk } = madeLog([
      [1, 3],
      [4, 4],
    ])
    const path = `/data/${segmentName(1)}`
    const used = disk.readFile(path).findLastIndex((byte) => byte !== 0) + 1
    disk.flip(path, used - 29 - 40, 0x04)
    const options = { ...optionsFor(disk, new Clock()), segmentBytes }
    for (const abstain of [true, true]) {
      const { storage } = mustOpen(options)
      expect(storage.abstain).toBe(abstain)
      expect(storage.restored.entries).toHaveLength(3)
      disk.unlock('/data')
    }
    const { storage } = mustOpenUnlocked(disk)
    storage.endAbstention()
    disk.unlock('/data')
    expect(mustOpenUnlocked(disk).storage.abstain).toBe(false)
  })

  it('refuses formats of a newer build, whole as they are', () => {
    const { disk } = madeLog([[1, 3]])
    const newer = disk.clone()
    const path = `/data/${segmentName(1)}`
    const sector = Buffer.from(newer.readFile(path))
    sector.writeUInt32BE(2, 8)
    sector.writeUInt32BE(crc32(sector.subarray(0, 508)), 508)
    newer.put(path, sector)
    expect(reopen(newer)).toMatchObject({ code: 'DATA_FUTURE_VERSION', file: path })
    const line = '{"format":2,"clusterId":"","name":"1","id":"a1","abstain":false}\n'
    const identity = disk.clone()
    const checksum = crc32(line).toString(16).padStart(8, '0')
    identity.put('/data/identity.json', Buffer.from(`${line}${checksum}\n`))
    expect(reopen(identity)).toMatchObject({ code: 'DATA_FUTURE_VERSION' })
  })

  it('refuses a missing segment and one of another server', () => {
    const batches = Array.from({ length: 12 }, (_, i) => [3 * i + 1, 3 * i + 3] as const)
    const { disk } = madeLog(batches, 300)
    const names = disk.list('/data').filter((name) => name.startsWith('wal-'))
    for (const name of names.slice(0, -1)) {
      const copy = disk.clone()
      copy.remove(`/data/${name}`)
      expect(reopen(copy)).toMatchObject({ code: 'DATA_CORRUPT' })
    }
    const none = disk.clone()
    for (const name of names) none.remove(`/data/${name}`)
    expect(reopen(none)).toMatchObject({ code: 'DATA_CORRUPT' })
    const foreign = disk.clone()
    const other = optionsFor(foreign, new Clock(), { directory: '/other', newId: () => 'b2' })
    mustOpen(other)
    foreign.put(`/data/${segmentName(1)}`, foreign.readFile(`/other/${segmentName(1)}`))
    expect(reopen(foreign)).toMatchObject({ code: 'DATA_CORRUPT' })
  })
})

function mustOpenUnlocked(disk: SimulatedFileSystem): { storage: OpenedStorage } {
  return mustOpen({ ...optionsFor(disk, new Clock()), segmentBytes })
}

describe('a damaged snapshot or identity', () => {
  function madeSnapshot(): SimulatedFileSystem {
    const clock = new Clock()
    const disk = new SimulatedFileSystem({ schedule: clock.schedule })
    const { storage } = mustOpen(optionsFor(disk, clock))
    append(storage, { entries: entries(1, 6, 1) })
    clock.run()
    for (const index of [3, 6]) {
      const writer = storage.snapshots.create({ index, term: 1, members: [member('1')] })
      writer.write(Buffer.from(`first of ${index}`), () => {})
      writer.write(Buffer.from(`second of ${index}`), () => {})
      clock.run()
      writer.finish(() => {})
      clock.run()
      storage.log.release(index)
    }
    storage.log.close(() => {})
    clock.run()
    return disk
  }

  function falledBack(disk: SimulatedFileSystem): void {
    const opened = reopen(disk)
    if (isRefusal(opened)) throw new Error(opened.detail)
    expect(opened.restored.snapshot.index).toBe(3)
    expect(opened.restored.entries.map(text)).toEqual(entries(4, 6, 1).map(text))
    const file = opened.snapshotFile ?? expect.fail()
    const blocks = [...opened.snapshots.blocks(file)].map((block) => Buffer.from(block).toString())
    expect(blocks).toEqual(['first of 3', 'second of 3'])
  }

  it('falls back whichever byte of the newest snapshot is flipped, or wherever it ends', () => {
    const disk = madeSnapshot()
    const path = `/data/${snapshotName({ index: 6, term: 1, members: [] })}`
    const size = disk.size(path)
    for (let at = 0; at < size; at += 1) {
      for (const mask of masks) {
        const flipped = disk.clone()
        flipped.flip(path, at, mask)
        falledBack(flipped)
      }
      const short = disk.clone()
      short.truncate(path, at)
      falledBack(short)
    }
    const long = disk.clone()
    long.truncate(path, size + 1)
    falledBack(long)
  })

  it('refuses an identity of which any byte is flipped or missing', () => {
    const disk = madeSnapshot()
    const path = '/data/identity.json'
    for (let at = 0; at < disk.size(path); at += 1) {
      for (const mask of masks) {
        const flipped = disk.clone()
        flipped.flip(path, at, mask)
        expect(reopen(flipped)).toMatchObject({ code: 'DATA_CORRUPT', file: path })
      }
      const short = disk.clone()
      short.truncate(path, at)
      expect(reopen(short)).toMatchObject({ code: 'DATA_CORRUPT', file: path })
    }
    const orphaned = disk.clone()
    orphaned.remove(path)
    expect(reopen(orphaned)).toMatchObject({ code: 'DATA_CORRUPT' })
  })
})
