import { describe, expect, it } from 'vitest'
import type { Member } from '../../../server/core/raft/message.ts'
import type { RaftStatus } from '../../../server/core/raft/step.ts'
import {
  compareNames,
  decideForming,
  type Forming,
  foreignCluster,
  isListed,
  judgeJoin,
  memberOf,
  promotion,
  targetsOf,
} from '../../../server/ensemble/joining.ts'
import type { Hello } from '../../../server/wire/peer-frame.ts'

function hello(name: string, overrides: Partial<Hello> = {}): Hello {
  return {
    name,
    id: `id-${name}`,
    clusterId: '',
    peerAddress: `host-${name}:2888`,
    clientAddress: `host-${name}:2181`,
    httpAddress: '',
    observer: false,
    versionMax: 1,
    ...overrides,
  }
}

const three: Forming = {
  kind: 'static',
  servers: ['1', '2', '10'].map((name) => ({
    name,
    peerAddress: `host-${name}:2888`,
    observer: false,
  })),
}

function status(members: readonly Member[], overrides: Partial<RaftStatus> = {}): RaftStatus {
  return {
    id: 'id-1',
    role: 'leader',
    term: 3,
    leader: 'id-1',
    commit: 10,
    applied: 10,
    persisted: 10,
    firstIndex: 1,
    lastIndex: 10,
    lastTerm: 3,
    members,
    membersIndex: 0,
    contactAgeTicks: 0,
    committedInTerm: true,
    transferTarget: null,
    progress: members
      .filter((member) => member.id !== 'id-1')
      .map((member) => ({
        peer: member.id,
        match: 10,
        state: 'replicate' as const,
        silentTicks: 0,
      })),
    ...overrides,
  }
}

const voters = ['1', '2', '10'].map((name) => memberOf(hello(name), 'voter'))

describe('forming from a static list', () => {
  it('lets only the lowest name bootstrap, compared as numbers', () => {
    const links = [hello('1'), hello('2'), hello('10')]
    const others = (name: string) => links.filter((link) => link.name !== name)
    expect(decideForming(three, hello('1'), others('1'))).toBe('bootstrap')
    expect(decideForming(three, hello('2'), others('2'))).toBe('wait')
    expect(decideForming(three, hello('10'), others('10'))).toBe('wait')
    expect(['10', '2', '1'].sort(compareNames)).toEqual(['1', '2', '10'])
    expect(['quorate-2', 'quorate-1'].sort(compareNames)).toEqual(['quorate-1', 'quorate-2'])
  })

  it('waits until every listed server answers', () => {
    expect(decideForming(three, hello('1'), [hello('2')])).toBe('wait')
    expect(decideForming(three, hello('1'), [])).toBe('wait')
  })

  it('never founds a second cluster beside one that answers', () => {
    const links = [hello('2', { clusterId: 'c' }), hello('10')]
    expect(decideForming(three, hello('1'), links)).toBe('join')
  })

  it('leaves founding to participants, not observers', () => {
    const withObserver: Forming = {
      kind: 'static',
      servers: [
        { name: '1', peerAddress: 'host-1:2888', observer: true },
        { name: '2', peerAddress: 'host-2:2888', observer: false },
      ],
    }
    expect(decideForming(withObserver, hello('1'), [hello('2')])).toBe('wait')
    expect(decideForming(withObserver, hello('2'), [hello('1')])).toBe('bootstrap')
  })

  it('follows --bootstrap and --join without a list', () => {
    expect(decideForming({ kind: 'bootstrap' }, hello('a'), [])).toBe('bootstrap')
    const join: Forming = { kind: 'join', seeds: ['x:1'] }
    expect(decideForming(join, hello('a'), [])).toBe('wait')
    expect(decideForming(join, hello('a'), [hello('b', { clusterId: 'c' })])).toBe('join')
  })
})

describe('judging a join', () => {
  it('takes a new name in as a learner', () => {
    const verdict = judgeJoin(hello('7'), status(voters), 20, null)
    expect(verdict).toEqual({
      kind: 'change',
      members: [...voters, memberOf(hello('7'), 'learner')],
    })
  })

  it('refuses names outside a static list', () => {
    const verdict = judgeJoin(hello('7'), status(voters), 20, ['1', '2', '10'])
    expect(verdict.kind).toBe('refuse')
  })

  it('replaces a silent incarnation by removing it first', () => {
    const fresh = hello('2', { id: 'id-2-new' })
    const silent = status(voters, {
      progress: [
        { peer: 'id-2', match: 4, state: 'probe', silentTicks: 20 },
        { peer: 'id-10', match: 10, state: 'replicate', silentTicks: 0 },
      ],
    })
    expect(judgeJoin(fresh, silent, 20, null)).toEqual({
      kind: 'change',
      members: voters.filter((member) => member.name !== '2'),
    })
    expect(judgeJoin(fresh, status(voters), 20, null).kind).toBe('refuse')
  })

  it('never takes the leader itself for silent', () => {
    expect(judgeJoin(hello('1', { id: 'other' }), status(voters), 20, null).kind).toBe('refuse')
  })

  it('corrects the addresses of a member that moved and keeps its role', () => {
    const moved = hello('2', { peerAddress: 'elsewhere:2888' })
    const verdict = judgeJoin(moved, status(voters), 20, null)
    expect(verdict.kind).toBe('change')
    if (verdict.kind !== 'change') return
    expect(verdict.members[1]).toEqual({ ...voters[1], peerAddress: 'elsewhere:2888' })
    expect(judgeJoin(hello('2'), status(voters), 20, null)).toEqual({ kind: 'done' })
    expect(isListed(voters, moved)).toBe(false)
    expect(isListed(voters, hello('2'))).toBe(true)
  })
})

describe('promotion', () => {
  const learner = memberOf(hello('7'), 'learner')
  const members = [...voters, learner]
  const at = (match: number, silentTicks: number, state: 'probe' | 'replicate' = 'replicate') =>
    status(members, { lastIndex: 200, progress: [{ peer: learner.id, match, state, silentTicks }] })

  it('promotes a learner that has caught up and answers', () => {
    expect(promotion(at(150, 0), 100, 20)?.at(-1)).toEqual({ ...learner, role: 'voter' })
  })

  it('leaves those behind, silent, probing, and observers', () => {
    expect(promotion(at(99, 0), 100, 20)).toBeNull()
    expect(promotion(at(200, 21), 100, 20)).toBeNull()
    expect(promotion(at(200, 0, 'probe'), 100, 20)).toBeNull()
    const observer = { ...learner, observer: true }
    const progress = [{ peer: learner.id, match: 200, state: 'replicate' as const, silentTicks: 0 }]
    expect(promotion(status([...voters, observer], { progress }), 100, 20)).toBeNull()
  })
})

describe('targets', () => {
  it('are all addresses known, without our own', () => {
    const joiners = new Map([['id-9', 'host-9:2888']])
    expect(targetsOf(three, voters, hello('1'), joiners)).toEqual([
      'host-2:2888',
      'host-10:2888',
      'host-9:2888',
    ])
  })
})

describe('a directory of another cluster', () => {
  const own = hello('1', { clusterId: 'b' })
  const of = (...clusters: readonly (readonly [name: string, clusterId: string])[]) =>
    clusters.map(([name, clusterId]) => hello(name, { clusterId }))

  it.each<[string, Hello, Hello[], string | null]>([
    ['two others agree on another', own, of(['2', 'a'], ['10', 'a']), 'a'],
    ['one other has another', own, of(['2', 'a']), null],
    ['one agrees, one does not', own, of(['2', 'b'], ['10', 'a']), null],
    ['the others are empty', own, of(['2', ''], ['10', '']), null],
    ['each has its own', own, of(['2', 'a'], ['10', 'c']), null],
    ['this one is empty', hello('1'), of(['2', 'a'], ['10', 'a']), null],
    ['the others are not in the list', own, of(['3', 'a'], ['4', 'a']), null],
  ])('is outvoted by those of the list: %s', (_, self, links, other) => {
    expect(foreignCluster(three, self, links)).toBe(other)
  })

  it('is no matter without a list', () => {
    const links = of(['2', 'a'], ['10', 'a'])
    expect(foreignCluster({ kind: 'join', seeds: [] }, own, links)).toBeNull()
  })
})
