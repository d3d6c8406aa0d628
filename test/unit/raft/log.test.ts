import { describe, expect, it } from 'vitest'
import { entryBytes, RaftLog } from '../../../server/core/raft/log.ts'
import type { Entry } from '../../../server/core/raft/message.ts'
import { member } from '../../support/raft-cluster.ts'
import { membership, noop, request, THREE } from './entries.ts'

const EMPTY = { index: 0, term: 0, members: THREE }

function logOf(...terms: readonly number[]): RaftLog {
  return new RaftLog(
    EMPTY,
    terms.map((term, i) => noop(i + 1, term)),
  )
}

function positions(log: RaftLog): string {
  const found: string[] = []
  for (let index = log.firstIndex; index <= log.lastIndex; index += 1) {
    found.push(`${index}@${log.termAt(index)}`)
  }
  return found.join(' ')
}

describe('a recovered log', () => {
  it.each<{ what: string; base: number; entries: Entry[]; expected: string }>([
    { what: 'empty', base: 0, entries: [], expected: '' },
    { what: 'from the start', base: 0, entries: [noop(1, 1), noop(2, 3)], expected: '1@1 2@3' },
    { what: 'behind a snapshot', base: 4, entries: [noop(5, 2)], expected: '5@2' },
    {
      what: 'that overlaps its snapshot',
      base: 4,
      entries: [noop(3, 1), noop(4, 2), noop(5, 2)],
      expected: '5@2',
    },
    { what: 'that ends below its snapshot', base: 4, entries: [noop(3, 1)], expected: '' },
  ])('$what', ({ base, entries, expected }) => {
    const log = new RaftLog({ index: base, term: 2, members: THREE }, entries)
    expect(positions(log)).toBe(expected)
    expect(log.persisted).toBe(log.lastIndex)
    expect(log.takeUnwritten()).toEqual([])
  })

  it('must continue its snapshot', () => {
    const snapshot = { index: 4, term: 2, members: THREE }
    expect(() => new RaftLog(snapshot, [noop(6, 2)])).toThrow('continue the snapshot')
  })
})

describe('terms', () => {
  const log = new RaftLog({ index: 3, term: 2, members: THREE }, [noop(4, 2), noop(5, 7)])

  it.each([
    [2, null],
    [3, 2],
    [4, 2],
    [5, 7],
    [6, null],
    [-1, null],
  ])('at %i: %s', (index, term) => {
    expect(log.termAt(index)).toBe(term)
  })

  it('ends with the last entry, or the base when there is none', () => {
    expect(log.lastTerm).toBe(7)
    expect(new RaftLog({ index: 3, term: 2, members: THREE }, []).lastTerm).toBe(2)
    expect(logOf().lastTerm).toBe(0)
  })
})

describe('append', () => {
  it('takes the next entry only', () => {
    const log = logOf(1, 1)
    log.append(noop(3, 1))
    expect(() => log.append(noop(5, 1))).toThrow('continues the log')
    expect(() => log.append(noop(3, 1))).toThrow('continues the log')
    expect(positions(log)).toBe('1@1 2@1 3@1')
  })

  it('takes no entry of an older term than the last', () => {
    const log = logOf(1, 3)
    expect(() => log.append(noop(3, 2))).toThrow('never fall')
  })

  it('hands each entry out for writing once', () => {
    const log = logOf(1)
    log.append(noop(2, 1))
    log.append(noop(3, 1))
    expect(log.takeUnwritten().map(({ index }) => index)).toEqual([2, 3])
    expect(log.takeUnwritten()).toEqual([])
    expect(log.persisted).toBe(1)
  })
})

describe('slice', () => {
  const log = new RaftLog(EMPTY, [request(1, 1, 100), request(2, 1, 100), request(3, 1, 500)])
  const size = entryBytes(request(1, 1, 100))

  it.each([
    { from: 1, to: 3, bytes: 10_000, indexes: [1, 2, 3] },
    { from: 1, to: 2, bytes: 10_000, indexes: [1, 2] },
    { from: 1, to: 3, bytes: 2 * size, indexes: [1, 2] },
    { from: 1, to: 3, bytes: 2 * size - 1, indexes: [1] },
    { from: 3, to: 3, bytes: 1, indexes: [3] },
    { from: 4, to: 9, bytes: 10_000, indexes: [] },
  ])('from $from to $to in $bytes bytes', ({ from, to, bytes, indexes }) => {
    expect(log.slice(from, to, bytes).map(({ index }) => index)).toEqual(indexes)
  })

  it('reaches nothing that has left memory', () => {
    const short = new RaftLog({ index: 4, term: 1, members: THREE }, [])
    expect(() => short.slice(4, 5, 100)).toThrow('in memory')
  })
})

describe('truncate', () => {
  it('removes the end, and what was durable of it', () => {
    const log = logOf(1, 1, 2, 2)
    log.truncate(3)
    expect(positions(log)).toBe('1@1 2@1')
    expect(log.persisted).toBe(2)
  })

  it('has nothing to remove above the end', () => {
    const log = logOf(1, 1)
    log.truncate(3)
    log.truncate(9)
    expect(positions(log)).toBe('1@1 2@1')
    expect(log.persisted).toBe(2)
  })

  it('removes nothing that has left memory', () => {
    const log = new RaftLog({ index: 4, term: 1, members: THREE }, [noop(5, 1)])
    expect(() => log.truncate(4)).toThrow('in memory')
  })

  it('brings back the configuration before', () => {
    const log = logOf(1)
    const four = [...THREE, member('d')]
    log.append(membership(2, 1, four))
    log.append(membership(3, 1, THREE))
    expect([log.members, log.membersIndex]).toEqual([THREE, 3])
    log.truncate(3)
    expect([log.members, log.membersIndex]).toEqual([four, 2])
    log.truncate(2)
    expect([log.members, log.membersIndex]).toEqual([THREE, 0])
  })
})

describe('durability', () => {
  it('is proved by the report of a write', () => {
    const log = logOf()
    log.append(noop(1, 1))
    log.takeUnwritten()
    log.append(noop(2, 1))
    log.takeUnwritten()
    log.writeDurable(1, 1)
    expect(log.persisted).toBe(1)
    log.writeDurable(2, 1)
    expect(log.persisted).toBe(2)
  })

  it('of a later write is that of the earlier ones', () => {
    const log = logOf()
    log.append(noop(1, 1))
    log.takeUnwritten()
    log.append(noop(2, 1))
    log.takeUnwritten()
    log.writeDurable(2, 1)
    expect(log.persisted).toBe(2)
    log.writeDurable(1, 1)
    expect(log.persisted).toBe(2)
  })

  it('is not proved by a report that nobody waits for', () => {
    const log = logOf()
    log.append(noop(1, 1))
    log.writeDurable(1, 1)
    expect(log.persisted).toBe(0)
    log.takeUnwritten()
    log.writeDurable(1, 2)
    expect(log.persisted).toBe(0)
  })

  it('of what was truncated since is not proved, even when the same entry is there again', () => {
    const log = logOf(1)
    log.append(noop(2, 2))
    log.append(noop(3, 2))
    log.takeUnwritten()
    log.truncate(3)
    log.append(noop(3, 2))
    expect(log.takeUnwritten().map(({ index }) => index)).toEqual([3])
    log.writeDurable(3, 2)
    expect(log.persisted).toBe(2)
    log.writeDurable(3, 2)
    expect(log.persisted).toBe(3)
  })
})

describe('compact', () => {
  it.each([
    { keepFrom: 1, expected: '1@1 2@1 3@2 4@2' },
    { keepFrom: 3, expected: '3@2 4@2' },
    { keepFrom: 5, expected: '' },
    { keepFrom: 99, expected: '' },
  ])('from $keepFrom on', ({ keepFrom, expected }) => {
    const log = logOf(1, 1, 2, 2)
    log.compact(keepFrom)
    expect(positions(log)).toBe(expected)
    expect([log.lastIndex, log.lastTerm]).toEqual([4, 2])
  })

  it('keeps what is not durable', () => {
    const log = logOf(1)
    log.append(noop(2, 1))
    log.compact(3)
    expect(positions(log)).toBe('2@1')
  })

  it('goes forward only', () => {
    const log = logOf(1, 1, 1)
    log.compact(3)
    log.compact(2)
    expect(log.baseIndex).toBe(2)
  })

  it('keeps the configuration of its new base', () => {
    const log = logOf(1)
    const four = [...THREE, member('d')]
    log.append(membership(2, 1, four))
    log.append(noop(3, 1))
    log.takeUnwritten()
    log.writeDurable(3, 1)
    log.compact(3)
    expect(log.members).toBe(four)
    expect(log.membersIndex).toBe(2)
    log.append(membership(4, 1, THREE))
    log.truncate(4)
    expect(log.members).toBe(four)
  })
})

describe('reset', () => {
  it('leaves the snapshot alone, and no write that could prove anything', () => {
    const log = logOf(1, 1)
    log.append(noop(3, 1))
    log.takeUnwritten()
    const two = THREE.slice(1)
    log.reset({ index: 9, term: 4, members: two })
    expect([log.baseIndex, log.lastIndex, log.lastTerm, log.persisted]).toEqual([9, 9, 4, 9])
    expect(log.members).toBe(two)
    log.writeDurable(3, 1)
    expect(log.persisted).toBe(9)
    log.append(noop(10, 4))
    expect(positions(log)).toBe('10@4')
  })
})
