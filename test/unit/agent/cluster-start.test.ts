import { describe, expect, it } from 'vitest'
import type { ClusterFacts, LockName } from '../../../agent/core/cluster/facts.ts'
import type { ClusterPlan } from '../../../agent/core/cluster/plan.ts'
import type { Decision } from '../../../agent/core/decide.ts'
import type { Observation } from '../../../agent/core/observation.ts'
import {
  atStart,
  ClusterAgent,
  dataReport,
  elected,
  emptyReport,
  facts,
  initialized,
  intentOf,
  itself,
  ready,
  started,
  whileRunning,
} from './cluster-observations.ts'
import { empty, holding, NOW, set } from './observations.ts'

/** What q-0 decides when its engine asks to start. */
function start(
  plan: ClusterPlan,
  cluster: ClusterFacts | null,
  changes: Partial<Observation> = {},
): Decision {
  return new ClusterAgent(plan).see({ asking: true, cluster, ...changes })
}

const allEmpty = { 'q-1': emptyReport, 'q-2': emptyReport }
const data = { disk: holding('c1') }
const permit = (mode: string) => ({ kind: 'permit', mode })
const none = { kind: 'none' }

describe('the first start of a cluster that one permit forms', () => {
  const told = { 'q-0': started(emptyReport), ...allEmpty }

  it('waits for the tree, for the StatefulSet, for every report', () => {
    expect(start(atStart, null).reason).toMatch(/tree cannot be read/)
    expect(start(atStart, facts(), { lease: 'suspended' }).reason).toMatch(/tree cannot be read/)
    const old = facts({ atMs: NOW - 5_001, reports: allEmpty })
    expect(start(atStart, old).reason).toMatch(/tree cannot be read/)
    const unread = { statefulSet: { kind: 'never' } } as const
    expect(start(atStart, facts({ reports: allEmpty }), unread).reason).toMatch(/StatefulSet/)
    const some = start(atStart, facts({ reports: { 'q-1': emptyReport } }, ['bootstrap']))
    expect(some).toMatchObject({ action: none, reason: 'waits: no report yet of q-2' })
    expect(some.wants).toEqual({ locks: [], report: emptyReport })
  })

  it('is the lock, the intent, the word to the others, the permit', () => {
    const first = start(atStart, facts({ reports: allEmpty }))
    expect(first).toMatchObject({ action: none, wants: { locks: ['bootstrap'] } })
    const locked = start(atStart, facts({ reports: allEmpty }, ['bootstrap']))
    expect(locked.action).toEqual({ kind: 'writeIntent', chosenFrom: {} })
    const intent = intentOf('q-0')
    const untold = start(atStart, facts({ intent, reports: allEmpty }, ['bootstrap']))
    expect(untold.action).toEqual(none)
    expect(untold.wants).toEqual({ locks: ['bootstrap'], report: started(emptyReport) })
    const last = start(atStart, facts({ intent, reports: told }, ['bootstrap']))
    expect(last.action).toEqual(permit('bootstrap'))
    const unlocked = start(atStart, facts({ intent, reports: told }))
    expect(unlocked).toMatchObject({ action: none, wants: { locks: ['bootstrap'] } })
  })

  it.each<[string, Partial<ClusterFacts>, RegExp]>([
    ['another pod set out', { intent: intentOf('q-1'), reports: told }, /q-1 is about to form/],
    [
      'another disk has data',
      { reports: { ...told, 'q-1': dataReport() } },
      /q-1 holds cluster c1/,
    ],
    [
      'data without an id',
      { reports: { ...told, 'q-1': dataReport(null, '') } },
      /q-1 holds data, which/,
    ],
    [
      'disks of two clusters',
      { reports: { 'q-1': dataReport(), 'q-2': dataReport(null, 'c2') } },
      /different clusters: c1, c2/,
    ],
    [
      'an engine may run',
      { reports: { ...told, 'q-2': started(emptyReport) } },
      /q-2 may be running/,
    ],
  ])('does not happen while %s', (_why, changes, reason) => {
    const decision = start(atStart, facts(changes, ['bootstrap']))
    expect(decision.action).toEqual(none)
    expect(decision.reason).toMatch(reason)
  })

  it('is not for another ordinal, nor for one beyond the replicas', () => {
    const self = { set: 'q', pod: 'q-1', ordinal: 1 }
    const others = { 'q-0': emptyReport, 'q-2': emptyReport }
    const decision = start(atStart, facts({ reports: others }, ['bootstrap']), { self })
    expect(decision).toMatchObject({ action: none, reason: 'waits: ordinal 0 forms the cluster' })
    const beyond = start(atStart, facts({ reports: others }), {
      self,
      statefulSet: set({ replicas: 1 }),
    })
    expect(beyond.reason).toMatch(/beyond the replicas/)
  })

  it('is called off by an owner that was to start a cluster again, and has lost its disk', () => {
    const intent = { ...intentOf('q-0'), chosenFrom: { 'q-0': '7', 'q-1': '5' } }
    const cluster = facts({ intent, reports: { 'q-0': started(emptyReport) } }, ['bootstrap'])
    expect(start(elected, cluster).action).toEqual({ kind: 'clearIntent' })
  })

  it('is called off by its owner when others turn out to hold data', () => {
    const intent = intentOf('q-0')
    const reports = { ...allEmpty, 'q-1': dataReport() }
    const decision = start(atStart, facts({ intent, reports }, ['bootstrap']))
    expect(decision.action).toEqual({ kind: 'clearIntent' })
  })
})

describe('an empty disk of a cluster that is on record', () => {
  const reports = { 'q-0': started(emptyReport), 'q-1': dataReport() }

  it('joins', () => {
    expect(start(atStart, facts({ initialized, reports })).action).toEqual(permit('join'))
  })

  it('joins a member that serves, under the lock, where joins are one at a time', () => {
    const alone = start(elected, facts({ initialized, reports }, ['bootstrap']))
    expect(alone.reason).toBe('waits: no member serves yet')
    const serving = { ...reports, 'q-1': started(dataReport()) }
    const there = { initialized, reports: serving, members: { 'q-1': ready } }
    const waits = start(elected, facts(there))
    expect(waits).toMatchObject({ action: none, wants: { locks: ['bootstrap'] } })
    const joins = start(elected, facts(there, ['bootstrap']))
    expect(joins.action).toEqual(permit('join'))
  })

  it('refuses when all disks are empty', () => {
    const decision = start(atStart, facts({ initialized, reports: allEmpty }, ['bootstrap']))
    expect(decision).toMatchObject({ action: none })
    expect(decision.reason).toMatch(/^refuses to start: all disks of cluster c1 are empty/)
  })

  it('forms another cluster where pods keep their data and all have lost it, once all have said so', () => {
    const volatile = (cluster: ClusterFacts, changes: Partial<Observation> = {}) =>
      new ClusterAgent(atStart, { volatile: true }).see({ asking: true, cluster, ...changes })
    const held = facts({ initialized, reports: allEmpty }, ['bootstrap'])
    expect(volatile(held).action).toEqual({ kind: 'forget' })
    expect(volatile(facts({ initialized, reports: allEmpty })).wants.locks).toEqual(['bootstrap'])
    const another = { self: { set: 'q', pod: 'q-1', ordinal: 1 } }
    const seen = { 'q-0': emptyReport, 'q-2': emptyReport }
    const waits = volatile(facts({ initialized, reports: seen }, ['bootstrap']), another)
    expect(waits).toMatchObject({ action: none, reason: 'waits: ordinal 0 forms another cluster' })
    const some = facts({ initialized, reports: { 'q-1': emptyReport } }, ['bootstrap'])
    expect(volatile(some).action.kind).not.toBe('forget')
    const running = { ...allEmpty, 'q-1': started(emptyReport) }
    const starts = volatile(facts({ initialized, reports: running }, ['bootstrap']))
    expect(starts.action.kind).not.toBe('forget')
  })

  it('takes back the intent of the disk that it replaces', () => {
    const cluster = facts({ initialized, reports, intent: intentOf('q-0') }, ['bootstrap'])
    expect(start(atStart, cluster).action).toEqual({ kind: 'clearIntent' })
  })
})

describe('a disk with data', () => {
  const reports = { 'q-0': started(dataReport()) }

  it('just starts where the engine guards itself', () => {
    expect(start(atStart, facts({ initialized, reports }), data).action).toEqual(permit('resume'))
    expect(start(whileRunning, facts({ initialized, reports }), data).action).toEqual(
      permit('resume'),
    )
    expect(start(itself, facts({ reports }), data).action).toEqual(permit('resume'))
  })

  it('is refused when it is of another cluster', () => {
    const other = { disk: holding('c2') }
    const decision = start(atStart, facts({ initialized }), other)
    expect(decision.reason).toBe('refuses to start: the disk holds cluster c2, the tree names c1')
    const unknown = start(atStart, facts({ reports: { 'q-1': dataReport() } }), other)
    expect(unknown.reason).toBe('refuses to start: disks hold the clusters c2 and c1')
  })

  it('starts without a tree after a minute, and never as a founder', () => {
    const away = { ...data, cluster: null, treeReadAtMs: NOW - 59_999 }
    expect(start(atStart, null, away).reason).toMatch(/^waits: the tree/)
    const long = { ...away, treeReadAtMs: NOW - 60_000 }
    expect(start(atStart, null, long).action).toEqual(permit('resume'))
    expect(start(elected, null, { ...long, position: '9' }).action).toEqual(permit('join'))
    expect(start(atStart, null, { ...long, disk: empty }).action).toEqual(none)
    const gated = { ...atStart, startGate: () => 'its old registration is still there' }
    expect(start(gated, null, long).reason).toBe('waits: its old registration is still there')
  })

  it('counts the minute from the start of the agent where the tree was never read', () => {
    const agent = new ClusterAgent(atStart)
    agent.state = { ...agent.state, startedAtMs: NOW - 10_000 }
    const never = { asking: true, cluster: null, treeReadAtMs: null, ...data }
    expect(agent.see(never).action).toEqual(none)
  })

  it('is moved aside when its member was removed, and the tombstone goes before it fills', () => {
    const buried = { 'q-0': { identity: 'i1', done: true, at: 0, reason: '' } }
    const cluster = facts({ initialized, tombstones: buried, reports })
    expect(start(atStart, cluster, data).action).toEqual({ kind: 'moveAside' })
    const gone = { ...data, statefulSet: set({ replicas: 0 }) }
    expect(start(atStart, cluster, gone).reason).toMatch(/removed, and the ordinal is beyond/)
    expect(start(atStart, cluster).wants.locks).toEqual(['reconfig'])
    const locked = facts({ initialized, tombstones: buried, reports }, ['reconfig'])
    expect(start(atStart, locked).action).toEqual({ kind: 'unbury', pod: 'q-0' })
    const departed = { disk: holding('c1', true) }
    expect(start(atStart, facts({ initialized }), departed).action).toEqual({ kind: 'moveAside' })
    const another = { 'q-0': { identity: 'i0', done: true, at: 0, reason: '' } }
    const later = facts({ initialized, tombstones: another, reports })
    expect(start(atStart, later, data).action).toEqual(permit('resume'))
    expect(start(whileRunning, cluster, data).action).toEqual(permit('resume'))
  })
})

describe('what has to be done before an engine starts on its disk', () => {
  const duty = { name: 'yield', args: {}, lock: 'reconfig', reason: 'yields' } as const
  const reports = { 'q-0': started(emptyReport), 'q-1': dataReport(), 'q-2': dataReport() }
  const known = (mine: LockName[] = []) => facts({ initialized, reports }, mine)
  const due = (found: ReturnType<NonNullable<ClusterPlan['beforeStart']>>): ClusterPlan => ({
    ...whileRunning,
    beforeStart: () => found,
  })

  it('waits for what has to be done first, under its lock', () => {
    expect(start(due('no leader'), known())).toMatchObject({
      action: none,
      reason: 'waits: no leader',
    })
    expect(start(due(duty), known())).toMatchObject({
      action: none,
      wants: { locks: ['reconfig'] },
    })
    const { name, args, lock } = duty
    const command = { kind: 'command', name, args, lock }
    expect(start(due(duty), known(['reconfig'])).action).toEqual(command)
    expect(start(due(null), known()).action).toEqual(permit('join'))
  })

  it('is not held up where no data is left', () => {
    const lost = { 'q-0': started(emptyReport), ...allEmpty }
    expect(start(due(duty), facts({ initialized, reports: lost })).action).toEqual(permit('join'))
  })

  it.each<[string, ReturnType<typeof due>, LockName[], string, string]>([
    ['waited for', due('no leader'), [], 'none', 'no leader'],
    ['tried', due(duty), ['reconfig'], 'command', 'yields'],
  ])('is not %s without end', (_, plan, mine, meanwhile, told) => {
    const agent = new ClusterAgent(plan, { preparingMs: 1_000, treeFreshMs: 2_000 })
    const at = (afterMs: number, cluster: ClusterFacts | null = known(mine)) =>
      agent.see({ asking: true, cluster, nowMs: NOW + afterMs })
    expect(at(0).action.kind).toBe(meanwhile)
    expect(at(999).action.kind).toBe(meanwhile)
    // What is known by then may be due at once: the clock begins when it is.
    at(999, null)
    expect(at(1_000).action.kind).toBe(meanwhile)
    expect(at(1_999).action.kind).toBe(meanwhile)
    const given = at(2_000)
    expect(given.action).toEqual(permit('join'))
    expect(given.reason).toBe(`the disk is empty (not done before: ${told})`)
  })

  it('is tried for as long as it was waited for', () => {
    let found: ReturnType<NonNullable<ClusterPlan['beforeStart']>> = 'no leader'
    const plan = { ...whileRunning, beforeStart: () => found }
    const agent = new ClusterAgent(plan, { preparingMs: 1_000, treeFreshMs: 3_000 })
    const at = (afterMs: number) => {
      const seen = { asking: true, cluster: known(['reconfig']), nowMs: NOW + afterMs }
      return agent.see(seen).action.kind
    }
    expect(at(0)).toBe('none')
    expect(at(999)).toBe('none')
    found = duty
    expect(at(1_000)).toBe('command')
    expect(at(1_999)).toBe('command')
    expect(at(2_000)).toBe('permit')
  })

  it('is waited for at each start of the engine', () => {
    const agent = new ClusterAgent(due('no leader'), { preparingMs: 1_000, treeFreshMs: 3_000 })
    const at = (afterMs: number) =>
      agent.see({ asking: true, cluster: known(), nowMs: NOW + afterMs })
    at(0)
    const first = at(1_000)
    expect(first.action.kind).toBe('permit')
    agent.done(first)
    expect(at(1_500).action.kind).toBe('none')
    expect(at(2_500).action.kind).toBe('permit')
  })

  it('is not waited for while something else holds the start up', () => {
    let gate: string | null = 'no name'
    const plan = { ...due('no leader'), startGate: () => gate }
    const agent = new ClusterAgent(plan, { preparingMs: 1_000, treeFreshMs: 2_000 })
    const at = (afterMs: number) =>
      agent.see({ asking: true, cluster: known(), nowMs: NOW + afterMs }).reason
    expect(at(0)).toBe('waits: no name')
    gate = null
    expect(at(1_000)).toBe('waits: no leader')
    expect(at(1_999)).toBe('waits: no leader')
    expect(at(2_000)).toMatch(/not done before/)
  })

  it('may be something about a disk with data, too', () => {
    const { name, args, lock } = duty
    const command = { kind: 'command', name, args, lock }
    expect(start(due(duty), known(['reconfig']), data).action).toEqual(command)
    expect(start(due(null), known(), data).action).toEqual(permit('resume'))
  })
})

describe('a disk whose removal was begun, and is not known to be done', () => {
  it('starts as it is: its data may be what a majority needs', () => {
    const tombstones = { 'q-0': { identity: 'i1', done: false, at: 0, reason: '' } }
    const reports = { 'q-0': started(dataReport()) }
    const cluster = facts({ initialized, tombstones, reports })
    expect(start(atStart, cluster, data).action).toEqual(permit('resume'))
  })
})

describe('a cluster of which nothing runs, where one is elected', () => {
  const reports = {
    'q-0': started(dataReport('24')),
    'q-1': dataReport('24'),
    'q-2': dataReport('8'),
  }
  const own = { ...data, position: '24' }
  const lock: ['bootstrap'] = ['bootstrap']

  it('is started by the most advanced, of several the lowest ordinal', () => {
    const first = start(elected, facts({ initialized, reports }, lock), own)
    const chosenFrom = { 'q-0': '24', 'q-1': '24', 'q-2': '8' }
    expect(first.action).toEqual({ kind: 'writeIntent', chosenFrom })
    const cluster = facts({ initialized, reports, intent: intentOf('q-0') }, lock)
    expect(start(elected, cluster, own).action).toEqual(permit('bootstrap'))
    const behind = start(elected, cluster, { ...own, position: '23' })
    expect(behind.action).toEqual({ kind: 'clearIntent' })
  })

  it('hears those that the set was scaled away from, and counts who joins among them', () => {
    const one = { ...own, statefulSet: set({ replicas: 1 }) }
    const known = { 'q-0': dataReport('24'), 'q-1': dataReport('8') }
    const waits = start(elected, facts({ initialized, reports: known }, lock), one)
    expect(waits.reason).toBe('waits: no report yet of q-2')
    const few = { ...initialized, expected: 1 }
    const first = start(elected, facts({ initialized: few, reports: known }, lock), one)
    expect(first.action.kind).toBe('writeIntent')
    const self = { set: 'q', pod: 'q-2', ordinal: 2 }
    const told = { 'q-2': started(dataReport('24')) }
    const joiner = (count: number) =>
      start(
        elected,
        facts(
          {
            initialized: { ...initialized, expected: count },
            reports: told,
            members: { 'q-0': ready },
          },
          lock,
        ),
        { ...own, self },
      ).action
    expect(joiner(2)).toEqual({ kind: 'expect', count: 3, lock: 'bootstrap' })
    expect(joiner(3)).toEqual(permit('join'))
  })

  it('is not joined by the document that a killed agent has left', () => {
    const members = { 'q-1': ready }
    const first = start(elected, facts({ initialized, reports, members }, lock), own)
    expect(first.action.kind).toBe('writeIntent')
    const running = { ...reports, 'q-1': started(dataReport('24')) }
    const joins = start(elected, facts({ initialized, reports: running, members }, lock), own)
    expect(joins.action).toEqual(permit('join'))
  })

  it('counts positions as numbers', () => {
    const nine = { ...reports, 'q-1': dataReport('9'), 'q-2': dataReport('8') }
    const decision = start(elected, facts({ initialized, reports: nine }, lock), {
      ...own,
      position: '10',
    })
    expect(decision.action.kind).toBe('writeIntent')
  })

  it.each<[string, Partial<ClusterFacts>, Partial<Observation>, RegExp]>([
    [
      'another is ahead',
      { reports: { ...reports, 'q-2': dataReport('25') } },
      {},
      /q-2 is more adv/,
    ],
    ['a report is missing', { reports: { 'q-1': dataReport('8') } }, {}, /no report yet of q-2/],
    [
      'an engine may run',
      { reports: { ...reports, 'q-1': started(dataReport('8')) } },
      {},
      /q-1 may be running/,
    ],
    ['another set out', { reports, intent: intentOf('q-1') }, {}, /q-1 is about to start/],
    [
      'the cluster had been further',
      { reports, initialized: { ...initialized, position: '30' } },
      {},
      /at 24, and the cluster had reached 30/,
    ],
    ['its position is not known', { reports: {} }, { position: null }, /no report yet/],
  ])('waits while %s', (_why, changes, seen, reason) => {
    const decision = start(elected, facts({ initialized, ...changes }, lock), { ...own, ...seen })
    expect(decision.action).toEqual(none)
    expect(decision.reason).toMatch(reason)
  })

  it('takes empty disks for reported, and never for the most advanced', () => {
    const mixed = { ...reports, 'q-1': emptyReport, 'q-2': emptyReport }
    const first = start(elected, facts({ initialized, reports: mixed }, lock), own)
    expect(first.action).toEqual({ kind: 'writeIntent', chosenFrom: { 'q-0': '24' } })
  })

  it('is joined as soon as a member serves, and an intent of before is taken back', () => {
    const serving = { ...reports, 'q-2': started(dataReport('8')) }
    const there = { initialized, reports: serving, members: { 'q-2': ready } }
    expect(start(elected, facts(there, lock), own).action).toEqual(permit('join'))
    const intent = intentOf('q-0')
    const clears = start(elected, facts({ ...there, intent }, lock), own)
    expect(clears.action).toEqual({ kind: 'clearIntent' })
  })

  it('says nothing of its disk before its position is known', () => {
    const decision = start(elected, facts({ initialized }), { ...own, position: null })
    expect(decision.wants.report).toBeNull()
    expect(start(elected, facts({ initialized }), own).wants.report).toEqual(dataReport('24'))
  })
})
