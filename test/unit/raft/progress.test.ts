import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Progress } from '../../../server/core/raft/progress.ts'

const APPENDS = 3
const BYTES = 1000

function replicating(next = 1): Progress {
  const progress = new Progress(next)
  progress.acknowledged(next - 1)
  return progress
}

function view({ state, match, next }: Progress): string {
  return `${state} ${match} ${next}`
}

describe('probe', () => {
  it('sends one append at a time', () => {
    const progress = new Progress(6)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
    progress.sent(8, 10)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
    expect(view(progress)).toBe('probe 0 6')
  })

  it('asks again when nothing was heard for an election timeout', () => {
    const progress = new Progress(6)
    progress.sent(8, 10)
    for (let i = 0; i < 9; i += 1) progress.tick(10)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
    progress.tick(10)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
    expect(progress.silentTicks).toBe(10)
  })

  it.each([
    { what: 'far behind', previous: 9, agree: 2, expected: 'probe 0 3' },
    { what: 'with nothing', previous: 9, agree: 0, expected: 'probe 0 1' },
    { what: 'with a hint above what was asked', previous: 9, agree: 50, expected: 'probe 0 9' },
    { what: 'one behind', previous: 9, agree: 8, expected: 'probe 0 9' },
  ])('goes back for a follower $what', ({ previous, agree, expected }) => {
    const progress = new Progress(10)
    progress.sent(10, 1)
    expect(progress.rejected(previous, agree)).toBe(true)
    expect(view(progress)).toBe(expected)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
  })

  it('ignores a refusal of another question', () => {
    const progress = new Progress(10)
    progress.sent(10, 1)
    expect(progress.rejected(5, 1)).toBe(false)
    expect(view(progress)).toBe('probe 0 10')
    expect(progress.probing).toBe(true)
  })

  it('begins to replicate at the first acknowledgement', () => {
    const progress = new Progress(10)
    progress.sent(12, 1)
    expect(progress.acknowledged(12)).toBe(true)
    expect(view(progress)).toBe('replicate 12 13')
  })
})

describe('replicate', () => {
  it('sends ahead until so many appends are under way', () => {
    const progress = replicating()
    progress.sent(1, 1)
    progress.sent(2, 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
    progress.sent(3, 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
    expect(view(progress)).toBe('replicate 0 4')
    progress.acknowledged(1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
  })

  it('or so many bytes', () => {
    const progress = replicating()
    progress.sent(1, BYTES - 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
    progress.sent(2, 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
    progress.acknowledged(1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
  })

  it('frees all that one acknowledgement covers', () => {
    const progress = replicating()
    for (const last of [2, 4, 6]) progress.sent(last, 1)
    progress.acknowledged(5)
    progress.sent(7, 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
    progress.sent(8, 1)
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
  })

  it('keeps its place over late and repeated acknowledgements', () => {
    const progress = replicating(5)
    progress.sent(5, 1)
    progress.sent(6, 1)
    expect(progress.acknowledged(6)).toBe(true)
    expect(progress.acknowledged(5)).toBe(false)
    expect(progress.acknowledged(6)).toBe(false)
    expect(view(progress)).toBe('replicate 6 7')
  })

  it('falls back to probing at a refusal', () => {
    const progress = replicating(5)
    progress.sent(5, 1)
    progress.sent(6, 1)
    expect(progress.rejected(5, 4)).toBe(true)
    expect(view(progress)).toBe('probe 4 5')
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(true)
  })

  it('ignores a refusal of what has been acknowledged since', () => {
    const progress = replicating(5)
    progress.sent(5, 1)
    progress.acknowledged(5)
    expect(progress.rejected(4, 2)).toBe(false)
    expect(view(progress)).toBe('replicate 5 6')
  })

  it('falls back when its appends stay unanswered for an election timeout', () => {
    const progress = replicating()
    progress.sent(1, 1)
    for (let i = 0; i < 10; i += 1) progress.tick(10)
    expect(view(progress)).toBe('probe 0 1')
  })

  it('stays when there is nothing to answer', () => {
    const progress = replicating()
    for (let i = 0; i < 50; i += 1) progress.tick(10)
    expect(view(progress)).toBe('replicate 0 1')
    expect(progress.silentTicks).toBe(50)
  })

  it('counts its patience from the last acknowledgement', () => {
    const progress = replicating()
    progress.sent(1, 1)
    progress.sent(2, 1)
    for (let i = 0; i < 9; i += 1) progress.tick(10)
    progress.acknowledged(1)
    for (let i = 0; i < 9; i += 1) progress.tick(10)
    expect(progress.state).toBe('replicate')
    progress.tick(10)
    expect(progress.state).toBe('probe')
  })
})

describe('snapshot', () => {
  it('sends nothing and believes no refusal', () => {
    const progress = new Progress(10)
    progress.becomeSnapshot()
    expect(progress.hasRoom(APPENDS, BYTES)).toBe(false)
    expect(progress.rejected(9, 2)).toBe(false)
    for (let i = 0; i < 50; i += 1) progress.tick(10)
    expect(progress.state).toBe('snapshot')
  })

  it('goes on behind what the follower has', () => {
    const progress = new Progress(10)
    progress.becomeSnapshot()
    progress.becomeProbe()
    progress.acknowledged(20)
    expect(view(progress)).toBe('replicate 20 21')
  })
})

it('never lets match reach next, whatever comes', () => {
  const index = fc.integer({ min: 0, max: 20 })
  const event = fc.oneof(
    fc.record({ kind: fc.constant('acknowledged' as const), index }),
    fc.record({ kind: fc.constant('rejected' as const), index, agree: index }),
    fc.record({ kind: fc.constantFrom('sent', 'probe', 'snapshot', 'tick') }),
  )
  fc.assert(
    fc.property(index, fc.array(event, { maxLength: 40 }), (start, events) => {
      const progress = new Progress(start + 1)
      for (const happened of events) {
        if ('agree' in happened) progress.rejected(happened.index, happened.agree)
        else if ('index' in happened) progress.acknowledged(happened.index)
        else if (happened.kind === 'probe') progress.becomeProbe()
        else if (happened.kind === 'snapshot') progress.becomeSnapshot()
        else if (happened.kind === 'tick') progress.tick(2)
        else if (progress.hasRoom(APPENDS, BYTES)) progress.sent(progress.next + 1, 300)
        expect(progress.match).toBeLessThan(progress.next)
      }
    }),
  )
})
