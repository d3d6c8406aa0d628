import { describe, expect, it } from 'vitest'
import { ReadIndexQueue } from '../../../server/core/raft/read-index.ts'

const contexts = (reads: readonly { readonly context: number }[]) =>
  reads.map(({ context }) => context)

describe('at the leader', () => {
  it('a read waits for a round that began after it, at the commit index of then', () => {
    const reads = new ReadIndexQueue()
    reads.add(1, null)
    expect(reads.needsRound).toBe(true)
    expect(reads.takeConfirmed(99)).toEqual([])
    reads.beginRound(5, 40)
    expect(reads.needsRound).toBe(false)
    expect(reads.takeConfirmed(4)).toEqual([])
    expect(reads.takeConfirmed(5)).toEqual([{ context: 1, from: null, round: 5, index: 40 }])
    expect(reads.takeConfirmed(5)).toEqual([])
  })

  it('a later round confirms the reads of earlier ones, each at its own index', () => {
    const reads = new ReadIndexQueue()
    reads.add(1, null)
    reads.beginRound(5, 40)
    reads.add(2, 'b')
    reads.beginRound(6, 41)
    reads.add(3, null)
    const confirmed = reads.takeConfirmed(6)
    expect(confirmed.map(({ context, index }) => [context, index])).toEqual([
      [1, 40],
      [2, 41],
    ])
    expect(reads.needsRound).toBe(true)
  })

  it('a round does not move the index of a read that has one', () => {
    const reads = new ReadIndexQueue()
    reads.add(1, null)
    reads.beginRound(5, 40)
    reads.beginRound(6, 50)
    expect(reads.takeConfirmed(6)[0]?.index).toBe(40)
  })

  it('gives all of them up when it leads no more', () => {
    const reads = new ReadIndexQueue()
    reads.add(1, null)
    reads.beginRound(5, 40)
    reads.add(2, 'b')
    expect(contexts(reads.takeAll())).toEqual([1, 2])
    expect(reads.takeAll()).toEqual([])
    expect(reads.needsRound).toBe(false)
  })
})

describe('at a follower', () => {
  it('an answer is taken once, and only when it was waited for', () => {
    const reads = new ReadIndexQueue()
    reads.forwarded(7)
    expect(reads.answered(8)).toBe(false)
    expect(reads.answered(7)).toBe(true)
    expect(reads.answered(7)).toBe(false)
  })

  it('waits so many ticks for each', () => {
    const reads = new ReadIndexQueue()
    reads.forwarded(1)
    expect(reads.tick(3)).toEqual([])
    reads.forwarded(2)
    expect(reads.tick(3)).toEqual([])
    expect(reads.tick(3)).toEqual([1])
    expect(reads.tick(3)).toEqual([2])
    expect(reads.answered(1)).toBe(false)
  })

  it('gives all of them up when its leader is gone', () => {
    const reads = new ReadIndexQueue()
    reads.forwarded(1)
    reads.forwarded(2)
    expect(reads.takeForwarded()).toEqual([1, 2])
    expect(reads.takeForwarded()).toEqual([])
  })
})
