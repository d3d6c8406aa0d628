import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry, HardState } from '../../../server/core/raft/message.ts'
import { openStorage } from '../../../server/storage/open-storage.ts'
import type { OpenedStorage } from '../../../server/storage/storage.ts'
import { SimulatedFileSystem } from '../../support/simulated-file-system.ts'
import { append, Clock, entry, isRefusal, mustOpen, optionsFor, seeded, text } from './harness.ts'

/** What a log may hold after a crash: each append's effect, up to some append not yet acknowledged. */
interface Version {
  readonly entries: readonly Entry[]
  readonly hardState: HardState
  readonly base: number
}

/** A server's use of its disk, and what it knows to have been acknowledged. */
class Model {
  readonly clock = new Clock()
  readonly disk: SimulatedFileSystem
  readonly random: () => number
  storage: OpenedStorage
  /** versions[0] is acknowledged; each further one is an append that is under way. */
  versions: Version[] = [
    { entries: [], hardState: { term: 0, votedFor: null, commit: 0 }, base: 0 },
  ]
  snapshotIndex = 0
  term = 1
  crashes = 0

  constructor(seed: number) {
    this.random = seeded(seed)
    this.disk = new SimulatedFileSystem({
      schedule: this.clock.schedule,
      latencyMs: () => this.random() * 3,
    })
    this.storage = this.open()
  }

  open(): OpenedStorage {
    const options = {
      ...optionsFor(this.disk, this.clock),
      random: this.random,
      snapshotsKept: 2,
      sparesMax: 2,
      sliceBytes: 1024,
    }
    const opened = openStorage(options)
    if (isRefusal(opened)) {
      throw new Error(`${opened.code} ${opened.file}@${opened.offset}: ${opened.detail}`)
    }
    return opened
  }

  get latest(): Version {
    return this.versions.at(-1) ?? expect.fail()
  }

  lastIndex(version: Version): number {
    return version.entries.at(-1)?.index ?? version.base
  }

  /** Appends behind the end, or from anywhere above the commit; sizes reach beyond a segment. */
  append(count: number, back: number): void {
    const { entries, hardState, base } = this.latest
    const last = this.lastIndex(this.latest)
    const first = Math.max(last + 1 - back, hardState.commit + 1, base + 1)
    if (first <= last) this.term += 1
    const added: Entry[] = []
    for (let index = first; index < first + count; index += 1) {
      const size = Math.floor(this.random() ** 6 * 6000)
      added.push(
        entry(index, this.term, `${this.term}.${index}.${this.random()}`.padEnd(size, '.')),
      )
    }
    const kept = entries.filter(({ index }) => index < first)
    const acknowledgedLast = this.lastIndex(this.versions[0] ?? this.latest)
    const commit = Math.max(
      hardState.commit,
      Math.min(acknowledgedLast, first - 1, Math.floor(this.random() * (last + 1))),
    )
    const next = { term: this.term, votedFor: `${this.term}`, commit }
    const changed = this.random() < 0.6 || next.term !== hardState.term
    const batch = { hardState: changed ? next : null, entries: added }
    this.versions.push({
      entries: [...kept, ...added],
      hardState: changed ? next : hardState,
      base,
    })
    this.storage.log.append(batch, () => {
      this.versions.shift()
    })
  }

  /** Takes a snapshot of acknowledged, committed entries and releases the log below. */
  snapshot(): void {
    const acknowledged = this.versions[0] ?? expect.fail()
    const index = acknowledged.hardState.commit
    const term = acknowledged.entries.find((each) => each.index === index)?.term
    if (index <= this.snapshotIndex || term === undefined) return
    const { storage } = this
    const writer = storage.snapshots.create({ index, term, members: [] })
    writer.write(Buffer.from(`state at ${index}`), () => {
      writer.finish((fault, file) => {
        expect(fault).toBeNull()
        if (file === null) return
        this.snapshotIndex = Math.max(this.snapshotIndex, index)
        storage.log.release(index)
      })
    })
  }

  /** A leader's snapshot far ahead replaces everything. */
  install(): void {
    if (this.versions.length > 1) return
    const index = this.lastIndex(this.latest) + 10
    this.term += 1
    const meta = { index, term: this.term, members: [] }
    const writer = this.storage.snapshots.create(meta)
    writer.write(Buffer.from(`state at ${index}`), () => {})
    let finished = false
    writer.finish(() => {
      finished = true
    })
    while (!finished) this.clock.step()
    this.snapshotIndex = index
    // The snapshot counts from the moment it is durable, whether the log knows of it or not.
    const before = { ...this.latest.hardState, commit: index }
    const after = { ...before, term: this.term, votedFor: null }
    this.versions = [before, after].map((hardState) => ({ entries: [], hardState, base: index }))
    this.storage.log.resetTo(meta, after, () => {
      this.versions.shift()
    })
    if (this.random() < 0.5) while (this.versions.length > 1) this.clock.step()
  }

  /** Loses power at a random moment, opens again and compares. */
  crash(): void {
    this.crashes += 1
    this.disk.crash(this.random)
    this.clock.clear()
    this.storage = this.open()
    const { restored, abstain } = this.storage
    expect(abstain, this.storage.notes.join('; ')).toBe(false)
    expect(restored.snapshot.index).toBeGreaterThanOrEqual(this.snapshotIndex)
    this.snapshotIndex = restored.snapshot.index
    const found = restored.entries.map(text)
    // Every acknowledged entry is there; of what was under way, any part that was begun in order.
    const [acknowledged] = this.versions
    if (acknowledged === undefined) return expect.fail()
    const fits = this.versions.some((version, i) => {
      const following = this.versions[i + 1]
      return this.#between(found, version, following, restored.snapshot.index)
    })
    const seen = this.versions.map(({ entries }) => entries.map(text).join(' ').slice(-200))
    expect(fits, `${found.join(' ').slice(-200)} is none of\n${seen.join('\n')}`).toBe(true)
    expect(restored.hardState.term).toBeGreaterThanOrEqual(acknowledged.hardState.term)
    expect(restored.hardState.commit).toBeGreaterThanOrEqual(acknowledged.hardState.commit)
    const { index } = restored.snapshot
    const whole = [...acknowledgedBelow(this.versions, index), ...restored.entries]
    this.versions = [
      {
        entries: whole,
        hardState: restored.hardState,
        base: whole[0] === undefined ? index : whole[0].index - 1,
      },
    ]
  }

  /** True when `found` is `version`, or on the way from it to `following`. */
  #between(
    found: string[],
    version: Version,
    following: Version | undefined,
    above: number,
  ): boolean {
    const texts = (entries: readonly Entry[]): string[] =>
      entries.filter(({ index }) => index > above).map(text)
    const here = texts(version.entries)
    if (same(found, here)) return true
    if (following === undefined) return false
    const there = texts(following.entries)
    // Partly written: a prefix of what follows, with at least its first new entry or all of it.
    return isPrefix(found, there) && (isPrefix(here, found) || !isPrefix(found, here))
  }
}

/** Entries at or below a snapshot, for the model alone: storage no longer returns them. */
function acknowledgedBelow(versions: readonly Version[], index: number): Entry[] {
  return (versions[0]?.entries ?? []).filter((each) => each.index <= index)
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && isPrefix(a, b)
}

function isPrefix(a: readonly string[], b: readonly string[]): boolean {
  return a.length <= b.length && a.every((each, i) => each === b[i])
}

describe('crashes', () => {
  it('lose nothing acknowledged and bring back nothing that was not written', () => {
    let crashes = 0
    let recycled = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.array(
          fc.oneof(
            { weight: 8, arbitrary: fc.constant('append' as const) },
            { weight: 2, arbitrary: fc.constant('overwrite' as const) },
            { weight: 6, arbitrary: fc.constant('run' as const) },
            { weight: 3, arbitrary: fc.constant('snapshot' as const) },
            { weight: 1, arbitrary: fc.constant('install' as const) },
            { weight: 2, arbitrary: fc.constant('crash' as const) },
          ),
          { minLength: 50, maxLength: 200, size: 'max' },
        ),
        (seed, steps) => {
          const model = new Model(seed)
          for (const step of steps) {
            if (step === 'append') model.append(1 + Math.floor(model.random() * 4), 0)
            if (step === 'overwrite') model.append(1, 1 + Math.floor(model.random() * 3))
            if (step === 'run') model.clock.run(model.random() * 30)
            if (step === 'snapshot') model.snapshot()
            if (step === 'install') model.install()
            if (step === 'crash') model.crash()
          }
          model.crash()
          crashes += model.crashes
          const names = model.disk.list('/data').filter((name) => name.startsWith('wal-'))
          const newest = Number.parseInt(names.at(-1)?.slice(4, 20) ?? '0', 16)
          recycled += Math.max(0, newest - names.length)
        },
      ),
      { numRuns: 300, seed: 20_240_601 },
    )
    expect(crashes).toBeGreaterThan(1000)
    expect(recycled).toBeGreaterThan(300)
  }, 60_000)
})

describe('a process that was killed', () => {
  it('leaves records that are durable once the next one has read them', () => {
    const clock = new Clock()
    const disk = new SimulatedFileSystem({
      schedule: clock.schedule,
      latencyMs: (operation) => (operation === 'sync' ? 1_000_000 : 0),
    })
    const open = () => mustOpen(optionsFor(disk, clock)).storage
    const { durable } = append(open(), { entries: [entry(1, 1, 'a')] })
    clock.run(10)
    expect(durable).toBe(false)
    disk.kill()
    clock.clear()
    expect(open().restored.entries.map(text)).toEqual(['1/1 a'])
    // Each write that was not synced is lost.
    disk.crash(() => 0.5)
    expect(open().restored.entries.map(text)).toEqual(['1/1 a'])
  })
})
