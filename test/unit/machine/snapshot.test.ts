import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssertionError } from '../../../server/core/assert.ts'
import type { Batch } from '../../../server/core/machine/operation.ts'
import {
  SNAPSHOT_FORMAT_VERSION,
  type SnapshotCursor,
  SnapshotLoader,
  type SnapshotRecord,
} from '../../../server/core/machine/snapshot.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import { bytes, create, Driver, multi, remove, setData } from './driver.ts'
import { history } from './history.ts'

function readAll(cursor: SnapshotCursor, recordsMax = 3): SnapshotRecord[] {
  const records: SnapshotRecord[] = []
  for (let slice = cursor.next(recordsMax); slice !== null; slice = cursor.next(recordsMax)) {
    records.push(...slice)
  }
  return records
}

function load(records: readonly SnapshotRecord[]): StateMachine {
  const finished = finish(records)
  if ('refusal' in finished) throw new Error(finished.refusal)
  return finished.machine
}

function finish(records: readonly SnapshotRecord[]) {
  const loader = new SnapshotLoader()
  for (const record of records) loader.add(record)
  return loader.finish()
}

const open = ({ machine, term }: Driver): SnapshotCursor =>
  machine.openSnapshot(machine.appliedIndex, term)

function populated(): Driver {
  const driver = new Driver()
  const owner = driver.open()
  driver.create('/p', { data: bytes('data') })
  for (let i = 0; i < 10; i += 1) driver.create('/p/s-', { sequential: true, data: bytes(`${i}`) })
  driver.create('/e', { mode: 'ephemeral' }, owner)
  driver.create('/c', { mode: 'container', data: null })
  driver.create('/t', { mode: 'ttl', ttlMs: 9 })
  return driver
}

const pathsOf = (records: readonly SnapshotRecord[]): string[] =>
  records.flatMap((record) => (record.kind === 'znode' ? [record.znode.path] : [])).sort()

describe('a snapshot', () => {
  it('at any moment, with writes between its slices, is the state of that moment', () => {
    const property = fc.property(
      history,
      fc.nat(21),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
      (batches, moment, slices) => {
        const machine = new StateMachine()
        const apply = (target: StateMachine, batch: Batch) =>
          target.apply({ index: target.appliedIndex + 1, term: 1 }, batch)
        const [before, after] = [batches.slice(0, moment), batches.slice(moment)]
        for (const batch of before) apply(machine, batch)
        const digest = machine.digest
        const cursor = machine.openSnapshot(machine.appliedIndex, 1)
        const records: SnapshotRecord[] = []
        const outputs = after.map((batch, i) => {
          const result = apply(machine, batch)
          records.push(...(cursor.next(slices[i % slices.length] ?? 1) ?? []))
          return result
        })
        records.push(...readAll(cursor))
        const paths = pathsOf(records)
        expect(new Set(paths).size).toBe(paths.length)
        const loaded = load(records)
        expect(loaded.digest).toBe(digest)
        expect(loaded.appliedIndex).toBe(before.length)
        // It goes on as the machine did: the same results, the same events in the same order.
        const again = after.map((batch) => apply(loaded, batch))
        if (!isDeepStrictEqual(again, outputs)) expect(again).toEqual(outputs)
        expect(loaded.digest).toBe(machine.digest)
      },
    )
    fc.assert(property, { numRuns: 100 })
  }, 60_000)

  it('restores everything', () => {
    const driver = populated()
    const { machine } = driver
    const loaded = load(readAll(open(driver)))
    expect(loaded).toMatchObject({
      appliedIndex: machine.appliedIndex,
      lastZxid: machine.lastZxid,
      lastTimeMs: machine.lastTimeMs,
      clusterVersion: machine.clusterVersion,
    })
    expect([...loaded.sessions.all()]).toEqual([...machine.sessions.all()])
    const again = new Driver(loaded)
    for (const [path] of machine.tree.entries()) {
      expect(again.stat(path)).toEqual(driver.stat(path))
      expect(again.data(path)).toBe(driver.data(path))
      expect(loaded.tree.children(path).sort()).toEqual(machine.tree.children(path).sort())
      expect(loaded.tree.mode(path)).toBe(machine.tree.mode(path))
      expect(loaded.tree.ttlMs(path)).toBe(machine.tree.ttlMs(path))
      expect(loaded.tree.acl(path)).toEqual(machine.tree.acl(path))
    }
    expect(loaded.tree.nodeCount).toBe(machine.tree.nodeCount)
    expect(loaded.tree.ephemeralCount).toBe(1)
    expect(loaded.tree.approximateDataSize).toBe(machine.tree.approximateDataSize)
    expect([...loaded.tree.containers(), ...loaded.tree.ttls()]).toEqual(['/c', '/t'])
  })

  it('has one header, the sessions, the znodes and one footer', () => {
    const driver = populated()
    const kinds = readAll(open(driver)).map(({ kind }) => kind)
    expect([kinds[0], kinds[1], kinds.at(-1)]).toEqual(['header', 'session', 'footer'])
    expect(kinds.slice(2, -1)).toEqual(Array(driver.machine.tree.nodeCount).fill('znode'))
  })

  it('keeps within its slices while nothing is written', () => {
    const cursor = open(populated())
    for (let slice = cursor.next(4); slice !== null; slice = cursor.next(4)) {
      expect(slice.length).toBeLessThanOrEqual(4)
    }
  })

  it('ends while everything is rewritten between its slices', () => {
    const driver = populated()
    const { digest } = driver.machine
    const cursor = open(driver)
    const paths = driver.machine.tree.children('/p').map((name) => `/p/${name}`)
    const records: SnapshotRecord[] = []
    for (let slice = cursor.next(1); slice !== null; slice = cursor.next(1)) {
      records.push(...slice)
      for (const path of paths) driver.ok(setData(path, 'rewritten'))
      driver.create('/p/new-', { sequential: true })
    }
    expect(load(records).digest).toBe(digest)
  })

  it('is not confused by slots that are used again', () => {
    const driver = populated()
    const cursor = open(driver)
    const { digest } = driver.machine
    driver.ok(remove('/e'))
    driver.create('/f')
    driver.apply(multi(remove('/c'), create('/g'), remove('/none')))
    driver.apply(multi(remove('/c'), create('/c'), create('/c/d'), remove('/none')))
    const records = readAll(cursor)
    expect(pathsOf(records)).toContain('/e')
    expect(pathsOf(records)).not.toContain('/f')
    expect(load(records).digest).toBe(digest)
  })

  it('grows with the tree beyond a thousand znodes', () => {
    const driver = new Driver()
    for (let i = 0; i < 3000; i += 1) driver.create(`/n${i}`)
    const cursor = open(driver)
    const first = cursor.next(10) ?? []
    for (let i = 2999; i >= 2000; i -= 1) driver.ok(setData(`/n${i}`, 'later'))
    expect(load([...first, ...readAll(cursor, 500)]).tree.nodeCount).toBe(3004)
  })

  it('may be taken twice at once, and given up', () => {
    const driver = populated()
    const early = open(driver)
    const { digest } = driver.machine
    driver.create('/between')
    const late = open(driver)
    const given = open(driver)
    given.next(2)
    given.close()
    expect(given.next(2)).toBeNull()
    const laterDigest = driver.machine.digest
    driver.ok(remove('/between'))
    driver.ok(setData('/p', 'later'))
    expect(load(readAll(early)).digest).toBe(digest)
    expect(load(readAll(late)).digest).toBe(laterDigest)
  })

  it('stands for the last applied entry only', () => {
    const driver = populated()
    const { machine } = driver
    expect(() => machine.openSnapshot(machine.appliedIndex - 1, 1)).toThrow(AssertionError)
  })
})

describe('a loader', () => {
  const records = (): SnapshotRecord[] => readAll(open(populated()))
  const without = (kind: SnapshotRecord['kind']): SnapshotRecord[] =>
    records().filter((record) => record.kind !== kind)

  it('takes the records in any order', () => {
    const { digest } = populated().machine
    expect(load(records().reverse()).digest).toBe(digest)
  })

  it.each([
    ['no record', []],
    ['no header', without('header')],
    ['no footer', without('footer')],
    ['no sessions', without('session')],
    ['a znode missing', records().filter((r) => r.kind !== 'znode' || r.znode.path !== '/e')],
    [
      'a znode twice',
      [
        ...records(),
        ...records()
          .filter((r) => r.kind === 'znode')
          .slice(0, 1),
      ],
    ],
  ])('refuses %s', (_, list) => {
    expect(finish(list)).toHaveProperty('refusal')
  })

  it('refuses an orphan', () => {
    const list = records().map((record) =>
      record.kind === 'znode' && record.znode.path === '/p'
        ? { ...record, znode: { ...record.znode, path: '/q' } }
        : record,
    )
    expect(finish(list)).toEqual({ refusal: 'a znode has no parent' })
  })

  it('refuses a changed znode, a changed session and a changed position', () => {
    const changes: ((record: SnapshotRecord) => SnapshotRecord)[] = [
      (r) => (r.kind === 'znode' ? { ...r, znode: { ...r.znode, data: bytes('rot') } } : r),
      (r) => (r.kind === 'znode' ? { ...r, znode: { ...r.znode, acl: [] } } : r),
      (r) => (r.kind === 'session' ? { ...r, session: { ...r.session, timeoutMs: 1 } } : r),
      (r) => (r.kind === 'header' ? { ...r, zxid: r.zxid + 1 } : r),
      (r) => (r.kind === 'header' ? { ...r, timeMs: r.timeMs + 1 } : r),
    ]
    for (const change of changes) {
      expect(finish(records().map(change))).toEqual({ refusal: 'its digest is wrong' })
    }
  })

  it('refuses a newer format by its number', () => {
    const formatVersion = SNAPSHOT_FORMAT_VERSION + 1
    const list = records().map((r) => (r.kind === 'header' ? { ...r, formatVersion } : r))
    expect(finish(list)).toEqual({ refusal: 'its format 2 is unknown to this build' })
  })
})
