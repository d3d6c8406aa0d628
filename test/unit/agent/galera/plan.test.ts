import { describe, expect, it } from 'vitest'
import type { PublishedMember, RecoveryReport } from '../../../../agent/core/cluster/facts.ts'
import {
  type GaleraView,
  galeraPlan,
  NON_PRIMARY,
} from '../../../../agent/core/cluster/galera-plan.ts'
import type { DrainStep } from '../../../../agent/core/cluster/plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { dataReport, facts, initialized, started } from '../cluster-observations.ts'
import { idle, NOW, observation, rules, set } from '../observations.ts'

const plan = galeraPlan({ leaveMs: 3_000, standDownMs: 10_000 })
const member = (name: string) => ({ name, voter: true, heard: true })

function view(changes: Partial<GaleraView> = {}): GaleraView {
  return {
    ...idle,
    answers: true,
    ready: true,
    clusterId: 'c1',
    role: 'synced',
    state: 'synced',
    members: [member('q-0'), member('q-1'), member('q-2')],
    nonPrimarySinceMs: null,
    rejects: false,
    certificatesRenewed: false,
    silentMs: 0,
    ...changes,
  }
}

function seen(
  changes: Partial<GaleraView> = {},
  more: Partial<Observation> = {},
): Observation<GaleraView> {
  return { ...observation(more), engine: view(changes) }
}

const stopped = dataReport('7')
const running = started(dataReport('7'))
const document = (role: string): PublishedMember => ({
  status: 'WARNING',
  ready: false,
  role,
  incarnation: 1,
})

/** What the tree says of q-1 and q-2. */
function others(
  reports: Readonly<Record<string, RecoveryReport>>,
  members: Readonly<Record<string, PublishedMember>> = {},
) {
  return { cluster: facts({ initialized, reports, members }) }
}

describe('a member without a majority', () => {
  const stuck = { ready: false, role: NON_PRIMARY, nonPrimarySinceMs: NOW - 10_000 }
  const both = { 'q-1': stopped, 'q-2': stopped }
  it.each<[string, Partial<GaleraView>, Partial<Observation>, string | null]>([
    ['stops for an election that others wait for', stuck, others(both), 'standDown'],
    [
      'and so does another in its place',
      stuck,
      others({ 'q-1': stopped, 'q-2': running }, { 'q-2': document(NON_PRIMARY) }),
      'standDown',
    ],
    ['waits a moment', { ...stuck, nonPrimarySinceMs: NOW - 9_999 }, others(both), null],
    ['waits for the others to come back by themselves', stuck, others({ 'q-1': running }), null],
    [
      'waits while nobody waits for it',
      stuck,
      others(
        { 'q-1': running, 'q-2': running },
        { 'q-1': document(NON_PRIMARY), 'q-2': document(NON_PRIMARY) },
      ),
      null,
    ],
    [
      'waits while another may have the majority',
      stuck,
      others({ 'q-1': stopped, 'q-2': running }, { 'q-2': document('synced') }),
      null,
    ],
    ['waits for one that said nothing yet', stuck, others({ 'q-1': stopped }), null],
    ['waits without the tree', stuck, { cluster: null }, null],
    [
      'waits where the set is deleted',
      stuck,
      { ...others(both), statefulSet: set({ deleting: true }) },
      null,
    ],
    ['which has one, goes on', {}, others(both), null],
  ])('%s', (_, engine, more, duty) => {
    expect(plan.duty(seen(engine, more))?.name ?? null).toBe(duty)
  })
})

describe('what a member does for itself', () => {
  it.each<[string, Partial<GaleraView>, string | null]>([
    ['one that serves', {}, null],
    ['one whose stop was taken back', { rejects: true, ready: false }, 'accept'],
    ['one whose certificate was renewed', { certificatesRenewed: true }, 'certificates'],
  ])('%s', (_, changes, duty) => {
    const found = plan.duty(seen(changes))
    expect(found?.name ?? null).toBe(duty)
    expect(found?.lock ?? null).toBeNull()
  })
})

describe('the way out of service', () => {
  const since = (ms: number): Drain => ({
    cause: 'prestop',
    startedAtMs: NOW - ms,
    deadlineMs: NOW + 60_000,
    verdict: { kind: 'temporary', reason: 'restart' },
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  })
  const of = (replicas: number) => ({ statefulSet: set({ replicas }) })
  it.each<[string, Partial<GaleraView>, number, Partial<Observation>, DrainStep['kind']]>([
    ['waits for whoever copies from it', { state: 'donor' }, 60_000, {}, 'wait'],
    ['tells clients first', {}, 2_999, {}, 'wait'],
    ['then refuses queries', {}, 3_000, {}, 'command'],
    ['and is ready', { rejects: true, ready: false }, 3_000, {}, 'ready'],
    ['is ready at once without a majority', { ready: false }, 0, {}, 'ready'],
    [
      'is ready at once where clients have nobody else',
      { members: [member('q-0')] },
      0,
      {},
      'ready',
    ],
    ['and where the others are scaled away', {}, 0, of(1), 'ready'],
    ['and where all stop', {}, 0, of(0), 'ready'],
  ])('%s', (_, engine, ms, more, kind) => {
    expect(plan.drain(seen(engine, more), since(ms), rules).kind).toBe(kind)
  })
})

it('compares positions as numbers', () => {
  expect(plan.comparePositions('9', '10')).toBeLessThan(0)
  expect(plan.comparePositions('9007199254740993', '9007199254740992')).toBeGreaterThan(0)
})
