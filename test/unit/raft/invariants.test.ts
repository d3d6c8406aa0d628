import { describe, expect, it } from 'vitest'
import { EnsembleInvariants, RaftInvariants } from '../../../server/core/raft/invariants.ts'
import type { Raft, RaftInspection } from '../../../server/core/raft/raft.ts'
import { THREE } from './entries.ts'

/** A leader that keeps every rule: five entries, the last two not committed. */
const SOUND: RaftInspection = {
  id: 'a',
  role: 'leader',
  term: 3,
  leader: 'a',
  commit: 3,
  applied: 2,
  persisted: 4,
  firstIndex: 1,
  lastIndex: 5,
  lastTerm: 3,
  members: THREE,
  membersIndex: 0,
  contactAgeTicks: 0,
  committedInTerm: true,
  transferTarget: null,
  progress: [
    { peer: 'b', match: 3, state: 'replicate', silentTicks: 0 },
    { peer: 'c', match: 0, state: 'probe', silentTicks: 0 },
  ],
  votedFor: 'a',
  handedOut: 3,
  baseIndex: 0,
  termAt: (index) => (index >= 1 && index <= 5 ? 3 : null),
  nextOf: (peer) => (peer === 'b' ? 6 : 1),
}

type Change = Partial<RaftInspection>

/** The invariants look at nothing but the inspection. */
function showing(change: Change): Raft {
  return { inspect: () => ({ ...SOUND, ...change }) } as unknown as Raft
}

const FOLLOWER: Change = { role: 'follower', leader: 'b', votedFor: 'b', progress: [] }

describe('the state of one peer', () => {
  it.each<Change>([{}, FOLLOWER, { baseIndex: 3 }, { leader: 'a', persisted: 5 }])(
    'passes when it is sound: %o',
    (change) => {
      expect(() => new RaftInvariants().check(showing(change))).not.toThrow()
    },
  )

  it.each<{ change: Change; violation: string }>([
    { change: { baseIndex: 4 }, violation: 'what left memory is committed' },
    { change: { applied: 4 }, violation: 'only handed-out entries are applied' },
    { change: { handedOut: 4 }, violation: 'only committed entries are handed out' },
    { change: { persisted: 2 }, violation: 'only durable entries are handed out' },
    { change: { commit: 6 }, violation: 'committed entries are in the log' },
    { change: { persisted: 6 }, violation: 'durable entries are in the log' },
    { change: { lastTerm: 4 }, violation: 'no entry is of a term to come' },
    { change: { leader: 'b' }, violation: 'a leader knows itself' },
    { change: { leader: null }, violation: 'a leader knows itself' },
    { change: { nextOf: () => 3 }, violation: 'match stays below next' },
    { change: { nextOf: () => null }, violation: 'match stays below next' },
    {
      change: {
        progress: [{ peer: 'b', match: 6, state: 'replicate', silentTicks: 0 }],
        nextOf: () => 7,
      },
      violation: 'nobody matches what is not there',
    },
    {
      change: { role: 'candidate', leader: null, votedFor: 'b' },
      violation: 'a candidate votes for itself',
    },
  ])('$violation', ({ change, violation }) => {
    expect(() => new RaftInvariants().check(showing(change))).toThrow(violation)
  })
})

describe('two looks at one peer', () => {
  function look(before: Change, now: Change): () => void {
    const invariants = new RaftInvariants()
    invariants.check(showing(before))
    return () => invariants.check(showing(now))
  }

  it.each<{ what: string; before: Change; now: Change }>([
    { what: 'nothing new', before: {}, now: {} },
    { what: 'a new term and vote', before: FOLLOWER, now: { ...FOLLOWER, term: 4, votedFor: 'c' } },
    { what: 'the first vote', before: { ...FOLLOWER, votedFor: null }, now: FOLLOWER },
    { what: 'a leader lost', before: FOLLOWER, now: { ...FOLLOWER, leader: null } },
    {
      what: 'a follower that truncates',
      before: { ...FOLLOWER, lastIndex: 9 },
      now: FOLLOWER,
    },
    { what: 'a leader that appends', before: {}, now: { lastIndex: 7 } },
  ])('$what: sound', ({ before, now }) => {
    expect(look(before, now)).not.toThrow()
  })

  it.each<{ before: Change; now: Change; violation: string }>([
    { before: FOLLOWER, now: { ...FOLLOWER, term: 2, lastTerm: 2 }, violation: 'the term never' },
    { before: {}, now: { commit: 2, handedOut: 2 }, violation: 'the commit index never falls' },
    { before: {}, now: { handedOut: 2 }, violation: 'nothing is handed out twice' },
    {
      before: FOLLOWER,
      now: { ...FOLLOWER, votedFor: 'c' },
      violation: 'a vote is given once in a term',
    },
    {
      before: FOLLOWER,
      now: { ...FOLLOWER, votedFor: null },
      violation: 'a vote is given once in a term',
    },
    { before: FOLLOWER, now: { ...FOLLOWER, leader: 'c' }, violation: 'a term has one leader' },
    { before: {}, now: { lastIndex: 4 }, violation: 'a leader only appends' },
  ])('$violation', ({ before, now, violation }) => {
    expect(look(before, now)).toThrow(violation)
  })
})

describe('the ensemble', () => {
  it('has one leader in a term', () => {
    const invariants = new EnsembleInvariants()
    invariants.check([showing({}), showing({ ...FOLLOWER, id: 'b' })])
    invariants.check([showing({ term: 4 })])
    invariants.check([showing({ id: 'b', leader: 'b', term: 5 })])
    expect(() => invariants.check([showing({ id: 'b', leader: 'b' })])).toThrow(
      'term 3 has one leader',
    )
  })

  it('commits one entry at an index', () => {
    const invariants = new EnsembleInvariants()
    invariants.check([showing({})])
    const other = showing({ ...FOLLOWER, id: 'b', termAt: (index) => (index === 2 ? 1 : 3) })
    expect(() => invariants.check([other])).toThrow('index 2 is committed once')
  })

  it('remembers what was committed by peers that are gone', () => {
    const invariants = new EnsembleInvariants()
    invariants.check([showing({ commit: 5, persisted: 5 })])
    const other = showing({ ...FOLLOWER, id: 'b', term: 9, commit: 4, termAt: () => 9 })
    expect(() => invariants.check([other])).toThrow('index 1 is committed once')
  })

  it('lets uncommitted entries differ', () => {
    const invariants = new EnsembleInvariants()
    invariants.check([showing({})])
    const other = showing({ ...FOLLOWER, id: 'b', termAt: (index) => (index > 3 ? 1 : 3) })
    expect(() => invariants.check([other])).not.toThrow()
  })

  it('compares from where a peer was looked at last, and from its base', () => {
    const invariants = new EnsembleInvariants()
    invariants.check([showing({})])
    const compacted = showing({ baseIndex: 3, termAt: (index) => (index > 3 ? 3 : null) })
    expect(() => invariants.check([compacted])).not.toThrow()
    const grown = showing({ commit: 5, persisted: 5 })
    expect(() => invariants.check([grown])).not.toThrow()
    const other = showing({ ...FOLLOWER, id: 'b', commit: 5, termAt: (i) => (i === 5 ? 2 : 3) })
    expect(() => invariants.check([other])).toThrow('index 5 is committed once')
  })
})
