import { describe, expect, it } from 'vitest'
import {
  ENLIST,
  type GenericRules,
  type GenericView,
  genericPlan,
  modeOf,
  RENEW,
} from '../../../../agent/core/cluster/generic-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { facts, initialized, intentOf, ready } from '../cluster-observations.ts'
import { empty, holding, NOW, observation, rules, set } from '../observations.ts'

const given: GenericRules = {
  bootstrap: 'start',
  order: 'parallel',
  removedReturns: 'asIs',
  enlists: true,
  follows: true,
  drains: 'leader',
  followPatienceMs: 20_000,
  drainPatienceMs: 30_000,
  handOverMs: 10_000,
}

function view(changes: Partial<GenericView> = {}): GenericView {
  return {
    answers: true,
    retired: false,
    ready: true,
    reason: '',
    clusterId: 'c1',
    leads: false,
    leader: 'q-1',
    role: 'replica',
    members: [],
    alive: true,
    obstacle: null,
    stale: [],
    enlisted: true,
    drainedAtMs: null,
    otherLeader: 'q-1',
    takenOverBy: null,
    silentMs: 5_000,
    ...changes,
  }
}

const primary = (changes: Partial<GenericView> = {}) =>
  view({ leads: true, leader: 'q-0', otherLeader: null, role: 'primary', ...changes })

function seen(engine: GenericView, changes: Partial<Observation> = {}): Observation<GenericView> {
  return { ...observation({ cluster: facts(), ...changes }), engine }
}

const gate = (changed: Partial<GenericRules>, engine: GenericView, changes: Partial<Observation>) =>
  genericPlan({ ...given, ...changed }).startGate(seen(engine, changes))

describe('what is particular to an engine', () => {
  it.each<[Partial<GenericRules>, object]>([
    [{ bootstrap: 'none' }, { forming: 'itself', joins: 'freely' }],
    [{ bootstrap: 'start' }, { forming: 'atStart', joins: 'freely' }],
    [{ bootstrap: 'hook' }, { forming: 'whileRunning', joins: 'freely' }],
    [{ order: 'oneAtATime' }, { forming: 'atStart', joins: 'oneAtATime' }],
    [{ removedReturns: 'fresh' }, { removedReturns: 'fresh', restart: 'itself' }],
  ])('%j', (changed, plan) => {
    expect(genericPlan({ ...given, ...changed })).toMatchObject(plan)
  })
})

describe('the next start', () => {
  const founded = facts({ initialized })
  it.each<[Partial<GenericRules>, Partial<Observation>, string | null]>([
    [{}, { disk: holding('c1'), cluster: null }, 'resume'],
    [{}, { disk: empty, cluster: null }, null],
    [{}, { disk: empty, cluster: facts() }, null],
    [{}, { disk: empty, cluster: facts({ intent: intentOf('q-1') }) }, null],
    [{}, { disk: empty, cluster: facts({ intent: intentOf('q-0') }) }, 'bootstrap'],
    [{}, { disk: empty, cluster: founded }, 'join'],
    [{ bootstrap: 'none' }, { disk: empty, cluster: null }, 'join'],
    [{ bootstrap: 'hook' }, { disk: empty, cluster: facts() }, 'join'],
  ])('by %j with %j', (changed, changes, mode) => {
    expect(modeOf(seen(view(), changes), { ...given, ...changed })).toBe(mode)
  })
})

describe('a start waits', () => {
  const joins = { disk: empty, cluster: facts({ initialized }) }
  const ordered = { order: 'ordinals' } as const
  const second = { ...joins, self: { set: 'q', pod: 'q-2', ordinal: 2 } }
  it.each<
    [string, Partial<GenericRules>, Partial<GenericView>, Partial<Observation>, string | null]
  >([
    ['for nothing', {}, {}, joins, null],
    [
      'for its files',
      {},
      { obstacle: 'a.conf: there is no znode /a' },
      joins,
      'a.conf: there is no znode /a',
    ],
    [
      'for a leader to copy',
      {},
      { otherLeader: null },
      joins,
      'nobody leads yet whom it could follow',
    ],
    [
      'for another to lead, when it may have led',
      {},
      { otherLeader: null },
      { ...joins, disk: holding('c1') },
      'somebody else to lead meanwhile',
    ],
    [
      'no longer than that may take',
      {},
      { otherLeader: null, silentMs: 20_000 },
      { ...joins, disk: holding('c1') },
      null,
    ],
    [
      'for nobody where it is the only one',
      {},
      { otherLeader: null },
      { ...joins, disk: holding('c1'), statefulSet: set({ replicas: 1 }) },
      null,
    ],
    [
      'for no leader that it would not be told',
      { follows: false },
      { otherLeader: null },
      joins,
      null,
    ],
    [
      'not without the tree',
      {},
      { otherLeader: null },
      { disk: holding('c1'), cluster: null },
      null,
    ],
    [
      'not as the founder',
      {},
      { otherLeader: null },
      { cluster: facts({ intent: intentOf('q-0') }) },
      null,
    ],
    ['for all below it', ordered, {}, second, 'q-0, q-1 to be ready first'],
    [
      'for the others below it',
      ordered,
      {},
      { ...second, cluster: facts({ initialized, members: { 'q-0': ready } }) },
      'q-1 to be ready first',
    ],
    [
      'until they are ready',
      ordered,
      {},
      { ...second, cluster: facts({ initialized, members: { 'q-0': ready, 'q-1': ready } }) },
      null,
    ],
    ['for nobody below the first', ordered, {}, joins, null],
    ['for no order once it has data', ordered, {}, { ...second, disk: holding('c1') }, null],
    [
      'for the tree, which knows the order',
      ordered,
      {},
      { ...second, cluster: null },
      'the order of ordinals cannot be told without the tree',
    ],
  ])('%s', (_title, changed, viewed, changes, reason) => {
    expect(gate(changed, view(viewed), changes)).toBe(reason)
  })
})

describe('a duty', () => {
  const plan = genericPlan(given)
  it('renews a file before anything else', () => {
    const duty = plan.duty(seen(view({ stale: ['a', 'b'], enlisted: false })))
    expect(duty).toMatchObject({ name: RENEW, args: { file: 'a' }, lock: null })
  })
  it('becomes a member under the lock', () => {
    expect(plan.duty(seen(view({ enlisted: false })))).toMatchObject({
      name: ENLIST,
      lock: 'reconfig',
    })
  })
  it('is nothing for an engine that is not told', () => {
    const silent = genericPlan({ ...given, enlists: false })
    expect(silent.duty(seen(view({ enlisted: false })))).toBeNull()
  })
})

describe('a stop', () => {
  const drain = (kind: 'temporary' | 'scaledDown', startedAtMs = NOW - 1_000): Drain => ({
    cause: 'prestop',
    startedAtMs,
    deadlineMs: NOW + 60_000,
    verdict: { kind, reason: '' },
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  })
  const others = { cluster: facts({ members: { 'q-1': ready, 'q-2': ready } }) }
  const stopping = { ...ready, status: 'STOPPING' }
  const step = (
    changed: Partial<GenericRules>,
    engine: GenericView,
    changes: Partial<Observation>,
    drained = drain('temporary'),
  ) => genericPlan({ ...given, ...changed }).drain(seen(engine, changes), drained, rules)

  it.each<[string, Partial<GenericRules>, GenericView, Partial<Observation>, string]>([
    ['of one that does not lead', {}, view(), others, 'ready'],
    ['without a hook', { drains: 'nobody' }, primary(), others, 'ready'],
    ['of a leader hands over', {}, primary(), others, 'handOver'],
    ['waits for what comes of that', {}, primary({ drainedAtMs: NOW - 500 }), others, 'wait'],
    [
      'ends when another leads',
      {},
      primary({ drainedAtMs: NOW - 500, otherLeader: 'q-2', takenOverBy: 'q-2' }),
      others,
      'ready',
    ],
    [
      'does not end for one that said so before',
      {},
      primary({ drainedAtMs: NOW - 500, otherLeader: 'q-2' }),
      others,
      'wait',
    ],
    ['waits for somebody to lead', {}, primary(), { cluster: facts() }, 'wait'],
    ['waits without the tree', {}, primary(), { cluster: null }, 'wait'],
    [
      'hands over to nobody who stops',
      {},
      primary(),
      { cluster: facts({ members: { 'q-1': stopping } }) },
      'wait',
    ],
    [
      'of the only one',
      {},
      primary(),
      { cluster: facts(), statefulSet: set({ replicas: 1 }) },
      'ready',
    ],
    ['of all at once', {}, primary(), { ...others, statefulSet: set({ replicas: 0 }) }, 'ready'],
    ['tells every member', { drains: 'everybody' }, view(), others, 'handOver'],
    ['tells it once', { drains: 'everybody' }, view({ drainedAtMs: NOW - 500 }), others, 'ready'],
    [
      'tells it for each stop',
      { drains: 'everybody' },
      view({ drainedAtMs: NOW - 5_000 }),
      others,
      'handOver',
    ],
  ])('%s', (_title, changed, engine, changes, kind) => {
    expect(step(changed, engine, changes).kind).toBe(kind)
  })

  it('asks again when nothing has come of it', () => {
    const begun = drain('temporary', NOW - 20_000)
    expect(step({}, primary({ drainedAtMs: NOW - 11_000 }), others, begun).kind).toBe('handOver')
  })

  it('goes on without it when it only restarts', () => {
    const begun = drain('temporary', NOW - 30_000)
    expect(step({}, primary(), others, begun).kind).toBe('ready')
    expect(step({ drains: 'everybody' }, view(), others, begun).kind).toBe('ready')
  })

  it('hands over to one that stays when it leaves for good, and waits for that', () => {
    const statefulSet = set({ replicas: 2 })
    const leaving = drain('scaledDown', NOW - 40_000)
    const fifth = { self: { set: 'q', pod: 'q-4', ordinal: 4 }, statefulSet }
    const goes = { ...fifth, cluster: facts({ members: { 'q-3': ready } }) }
    const stays = { ...fifth, cluster: facts({ members: { 'q-1': ready, 'q-3': ready } }) }
    expect(step({}, primary(), goes, leaving).kind).toBe('wait')
    expect(step({}, primary(), stays, leaving).kind).toBe('handOver')
  })

  it('sends clients to a leader until another leads', () => {
    const plan = genericPlan(given)
    expect(plan.isNeeded?.(seen(primary()))).toBe(true)
    expect(plan.isNeeded?.(seen(primary({ otherLeader: 'q-1' })))).toBe(false)
    expect(plan.isNeeded?.(seen(view()))).toBe(false)
  })
})
