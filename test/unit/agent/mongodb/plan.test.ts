import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type MemberState,
  type MongodbMember,
  type MongodbView,
  mongodbPlan,
} from '../../../../agent/core/cluster/mongodb-plan.ts'
import type { DrainStep } from '../../../../agent/core/cluster/plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { idle, NOW, observation, rules } from '../observations.ts'

function member(name: string, changes: Partial<MongodbMember> = {}): MongodbMember {
  const state: MemberState = 'secondary'
  return { name, voter: true, electable: true, heard: true, state, lagMs: 0, ...changes }
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
          ...rest.map((m, i) => ({ ...m, name: `q-${i + 1}` })),
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
