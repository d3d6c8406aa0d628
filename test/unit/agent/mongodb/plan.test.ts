import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import {
  type MemberState,
  type MongodbMember,
  type MongodbView,
  mongodbPlan,
} from '../../../../agent/core/cluster/mongodb-plan.ts'
import type { DrainStep } from '../../../../agent/core/cluster/plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { facts, initialized } from '../cluster-observations.ts'
import { holding, idle, NOW, observation, rules, set } from '../observations.ts'

function member(name: string, changes: Partial<MongodbMember> = {}): MongodbMember {
  const state: MemberState = 'secondary'
  const serving = { voter: true, electable: true, hidden: false, heard: true }
  return { name, ...serving, state, lagMs: 0, ...changes }
}

function view(changes: Partial<MongodbView> = {}): MongodbView {
  return {
    ...idle,
    answers: true,
    ready: true,
    clusterId: 'c1',
    state: 'secondary',
    role: 'secondary',
    leader: 'q-1',
    members: [member('q-0'), member('q-1', { state: 'primary' }), member('q-2')],
    usersMissing: null,
    certificatesRenewed: false,
    resolves: true,
    silentMs: 0,
    voteless: false,
    stale: false,
    spent: false,
    aside: false,
    ...changes,
  }
}

function seen(changes: Partial<MongodbView>): Observation<MongodbView> {
  return { ...observation(), engine: view(changes) }
}

const leading = { state: 'primary', leads: true, leader: 'q-0', usersMissing: [] } as const

describe('what starts', () => {
  it.each([
    [true, null],
    [false, expect.stringContaining('does not resolve')],
  ])('a process whose own name resolves: %s', (resolves, gate) => {
    expect(mongodbPlan.startGate(seen({ answers: false, resolves }))).toEqual(gate)
  })
})

describe('an empty disk in a set on record', () => {
  const document = (role: string, ready = true) => ({
    status: 'ALIVE',
    ready,
    role,
    incarnation: 1,
  })
  const primary = { 'q-1': document('primary'), 'q-2': document('secondary') }
  const unled = { 'q-1': document('secondary'), 'q-2': document('unknown', false) }
  it.each<[string, Partial<MongodbView>, ClusterFacts['members'], number, unknown]>([
    ['yields its vote to a primary', {}, primary, 3, { name: 'yieldVote', lock: 'reconfig' }],
    ['starts when that is done', { voteless: true }, primary, 3, null],
    ['waits for a primary', {}, unled, 3, expect.stringContaining('no primary')],
    ['does not wait where another alone has no majority', {}, {}, 2, null],
    ['... but yields to one that leads', {}, primary, 2, { name: 'yieldVote' }],
    ['waits while more are there than are wanted', {}, unled, 2, expect.any(String)],
    [
      'does not take a primary that stops for one',
      {},
      { 'q-1': document('primary', false) },
      3,
      expect.any(String),
    ],
    ['does not take itself for one', {}, { 'q-0': document('primary') }, 3, expect.any(String)],
  ])('%s', (_, changes, members, replicas, due) => {
    const observed = {
      ...seen({ answers: false, ...changes }),
      statefulSet: set({ replicas }),
      cluster: facts({ initialized, members }),
    }
    const found = mongodbPlan.beforeStart?.(observed)
    if (typeof due === 'object' && due !== null && 'name' in due) expect(found).toMatchObject(due)
    else expect(found).toEqual(due)
  })
})

describe('a member that cannot catch up any more', () => {
  const primary = {
    'q-1': { status: 'ALIVE', ready: true, role: 'primary', incarnation: 1 },
  }
  const dutyOf = (changes: Partial<MongodbView>, members: ClusterFacts['members'] = primary) =>
    mongodbPlan.duty({ ...seen(changes), cluster: facts({ initialized, members }) })
  const stale = { state: 'recovering', ready: false, stale: true } as const

  it('loses its vote and its process, while there is a primary to copy from', () => {
    expect(dutyOf(stale)).toMatchObject({ name: 'resync', lock: 'reconfig' })
    expect(dutyOf(stale, {})).toBeNull()
    expect(dutyOf({ ...stale, stale: false })).toBeNull()
  })

  const starts = (changes: Partial<MongodbView>, members: ClusterFacts['members'] = primary) =>
    mongodbPlan.beforeStart?.({
      ...seen({ answers: false, ...changes }),
      disk: holding('c1'),
      cluster: facts({ initialized, members }),
    })

  it('starts without its data, as long as there is a primary', () => {
    expect(starts({ spent: true })).toMatchObject({ name: 'setAside', lock: null })
    expect(starts({ spent: true }, {})).toBeNull()
    expect(starts({})).toBeNull()
  })

  it('is not given up when it has caught up all the same', () => {
    const serves = { state: 'secondary', ready: true } as const
    expect(dutyOf({ ...serves, spent: true })).toMatchObject({ name: 'keep', lock: null })
    const voteless = { leader: 'q-1', members: [member('q-0', { voter: false })] }
    expect(dutyOf({ ...serves, ...voteless, spent: true })).toMatchObject({ name: 'keep' })
    expect(dutyOf(serves)).toBeNull()
  })

  it('has all the room there is when it has to start again', () => {
    expect(starts({ aside: true })).toMatchObject({ name: 'dropAside', lock: null })
    // What was aside may be all that is left.
    expect(starts({ aside: true }, {})).toBeNull()
  })

  it('has what it was removed when it has the data', () => {
    const serves = { state: 'secondary', ready: true, aside: true } as const
    expect(dutyOf({ ...serves, members: [member('q-0')] })).toMatchObject({ name: 'dropAside' })
    // Not before it has its vote: that comes first.
    const voteless = [member('q-0', { voter: false })]
    const leader = 'q-1'
    expect(dutyOf({ ...serves, leader, members: voteless })).toMatchObject({ name: 'promote' })
    const late = [member('q-0', { voter: false, lagMs: 60_000 })]
    expect(dutyOf({ ...serves, leader, members: late })).toBeNull()
    const seven = Array.from({ length: 7 }, (_, n) => member(`q-${n + 1}`))
    expect(dutyOf({ ...serves, leader, members: [...late, ...seven] })).toMatchObject({
      name: 'dropAside',
    })
    expect(dutyOf({ ...serves, ready: false, state: 'startup' })).toBeNull()
  })
})

describe('an empty disk where the tree knows no set', () => {
  it.each<[string, boolean, string | null]>([
    ['yields to a primary: the tree may have been lost', true, 'yieldVote'],
    ['waits for none: a set is yet to be formed', false, null],
  ])('%s', (_, ready, name) => {
    const members = { 'q-1': { status: 'ALIVE', ready, role: 'primary', incarnation: 1 } }
    const observed = { ...seen({ answers: false }), cluster: facts({ members }) }
    const due = mongodbPlan.beforeStart?.(observed) ?? null
    expect(typeof due === 'object' ? (due?.name ?? null) : due).toBe(name)
  })
})

describe('what a member does for itself', () => {
  const own = (changes: Partial<MongodbMember>) => [
    member('q-0', { voter: false, ...changes }),
    member('q-1', { state: 'primary' }),
  ]
  const voters = (count: number) => Array.from({ length: count }, (_, i) => member(`q-${i + 1}`))
  it.each<[string, Partial<MongodbView>, string | null]>([
    ['a voter', {}, null],
    ['a caught-up member without a vote', { members: own({}) }, 'promote'],
    ['one that is still close behind', { members: own({ lagMs: 10_000 }) }, 'promote'],
    ['one that is far behind', { members: own({ lagMs: 10_001 }) }, null],
    ['one that copies the data', { state: 'startup', members: own({ state: 'startup' }) }, null],
    ['one without a primary', { leader: null, members: own({}) }, null],
    ['a seventh voter', { members: [...own({}).slice(0, 1), ...voters(6)] }, 'promote'],
    ['an eighth voter', { members: [...own({}).slice(0, 1), ...voters(7)] }, null],
    ['one that is not listed', { members: voters(2) }, null],
    ['a primary with all users', leading, null],
    ['a primary without some', { ...leading, usersMissing: ['app'] }, 'users'],
    ['a member whose certificate was renewed', { certificatesRenewed: true }, 'certificates'],
    ['a secondary, of which users are missing', { usersMissing: ['app'] }, null],
    ['a secondary that cannot know', { usersMissing: null }, null],
  ])('%s', (_, changes, duty) => {
    const found = mongodbPlan.duty(seen(changes))
    expect(found?.name ?? null).toBe(duty)
    expect(found?.lock ?? null).toBe(duty === 'promote' ? 'reconfig' : null)
  })
})

describe('the way out of service', () => {
  const drain = (kind: 'scaledDown' | 'temporary'): Drain => ({
    cause: 'prestop',
    startedAtMs: NOW,
    deadlineMs: NOW + 60_000,
    verdict: { kind, reason: '' },
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  })
  const others = (changes: Partial<MongodbMember>) => [
    member('q-0', { state: 'primary' }),
    member('q-1', changes),
  ]
  it.each<[string, Partial<MongodbView>, 'scaledDown' | 'temporary', DrainStep['kind']]>([
    ['a secondary', {}, 'temporary', 'ready'],
    ['a secondary that is removed', {}, 'scaledDown', 'ready'],
    ['a primary with a close secondary', leading, 'temporary', 'handOver'],
    ['one that is removed', leading, 'scaledDown', 'handOver'],
    [
      'one whose secondary lags',
      { ...leading, members: others({ lagMs: 10_001 }) },
      'temporary',
      'wait',
    ],
    [
      'one whose secondary is mute',
      { ...leading, members: others({ heard: false }) },
      'temporary',
      'ready',
    ],
    ['... and is removed', { ...leading, members: others({ heard: false }) }, 'scaledDown', 'wait'],
    [
      'one with a member that copies',
      { ...leading, members: others({ state: 'startup' }) },
      'temporary',
      'ready',
    ],
    [
      'one with a member that cannot lead',
      { ...leading, members: others({ electable: false }) },
      'temporary',
      'ready',
    ],
    ['a primary alone', { ...leading, members: others({}).slice(0, 1) }, 'temporary', 'ready'],
    ['... and is removed', { ...leading, members: others({}).slice(0, 1) }, 'scaledDown', 'ready'],
  ])('%s', (_, changes, verdict, kind) => {
    expect(mongodbPlan.drain(seen(changes), drain(verdict), rules).kind).toBe(kind)
  })

  it('hands over only to whoever can follow at once', () => {
    const lag = fc.option(fc.integer({ min: 0, max: 30_000 }))
    const state = fc.constantFrom<MemberState>('secondary', 'startup', 'recovering', 'arbiter')
    const other = fc.record({
      voter: fc.boolean(),
      electable: fc.boolean(),
      heard: fc.boolean(),
      state,
      lagMs: lag,
    })
    fc.assert(
      fc.property(fc.array(other, { maxLength: 4 }), (rest) => {
        const members = [
          member('q-0', { state: 'primary' }),
          ...rest.map((m, i) => member(`q-${i + 1}`, m)),
        ]
        const { kind } = mongodbPlan.drain(seen({ ...leading, members }), drain('temporary'), rules)
        const able = rest.some(
          (m) =>
            m.electable &&
            m.heard &&
            m.state === 'secondary' &&
            m.lagMs !== null &&
            m.lagMs <= 10_000,
        )
        expect(kind === 'handOver').toBe(able)
      }),
    )
  })
})
