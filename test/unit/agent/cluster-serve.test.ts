import { describe, expect, it } from 'vitest'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import type { ClusterPlan, DrainStep } from '../../../agent/core/cluster/plan.ts'
import type { Decision } from '../../../agent/core/decide.ts'
import type { Observation } from '../../../agent/core/observation.ts'
import { settle } from '../../../agent/core/state.ts'
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
  unformed,
  whileRunning,
} from './cluster-observations.ts'
import { empty, holding, idle, NOW, rules, serving, set } from './observations.ts'

const none = { kind: 'none' }
const others = { 'q-1': started(dataReport()), 'q-2': started(dataReport()) }
const formed = { disk: holding('c1'), engine: serving('q-1') }

/** What q-0 decides while its engine answers. */
function serve(
  plan: ClusterPlan,
  cluster: ClusterFacts | null,
  changes: Partial<Observation> = {},
): Decision {
  return new ClusterAgent(plan).see({ ...formed, cluster, ...changes })
}

/** Of a process that is about to be taken in: from then on it may have data before it can say so. */
const mayFill = { ...started(emptyReport), empty: false }

describe('a member that serves', () => {
  it('wants the election, tells that it runs, and is usable, with the tree or without', () => {
    const decision = serve(atStart, facts({ initialized }))
    expect(decision).toMatchObject({ action: none, reason: 'serves as follower' })
    expect(decision.wants).toEqual({ locks: ['election'], report: started(dataReport()) })
    expect(decision.publication).toEqual({ status: 'ALIVE', enabled: true })
    expect(serve(atStart, null).publication).toEqual({ status: 'ALIVE', enabled: true })
  })

  it('leaves the election to others while it is not ready', () => {
    const engine = { ...serving('q-1'), ready: false, reason: 'no primary' }
    const decision = serve(atStart, facts({ initialized }), { engine })
    expect(decision.wants.locks).toEqual([])
    expect(decision.publication).toEqual({ status: 'WARNING', enabled: false })
  })

  it('is not usable in the tree of another cluster, except where agents keep no record', () => {
    const other = facts({ initialized: { ...initialized, engineClusterId: 'c2' } })
    const decision = serve(atStart, other)
    expect(decision.reason).toBe('refuses service: it runs cluster c1, the tree names c2')
    expect(decision.publication?.enabled).toBe(false)
    expect(serve(itself, other).publication?.enabled).toBe(true)
  })

  it('does its own duty, under the lock that it needs', () => {
    const duty = { name: 'promote', args: { votes: '1' }, lock: 'reconfig', reason: 'why' } as const
    const plan = { ...atStart, duty: () => duty }
    const waits = serve(plan, facts({ initialized }))
    expect(waits).toMatchObject({ action: none, wants: { locks: ['election', 'reconfig'] } })
    const { action } = serve(plan, facts({ initialized }, ['reconfig']))
    expect(action).toEqual({
      kind: 'command',
      name: 'promote',
      args: { votes: '1' },
      lock: 'reconfig',
    })
    expect(serve(plan, null).action).toEqual(none)
  })

  it('gives the lock to whoever waits for it when what it was for has failed', () => {
    const agent = new ClusterAgent(whileRunning)
    const reports = { 'q-0': mayFill, ...others }
    const members = { 'q-1': ready }
    const lost = {
      engine: unformed,
      cluster: facts({ initialized, reports, members }, ['reconfig']),
    }
    const join = agent.see(lost)
    expect(join).toMatchObject({ action: { kind: 'join' }, wants: { locks: ['reconfig'] } })
    agent.state = settle(agent.state, join.action, { ok: false, atMs: NOW }, rules.retryMs)
    expect(agent.see(lost).wants.locks).toEqual([])
    const queued = { ...lost, cluster: facts({ initialized, reports, members }) }
    expect(agent.see({ ...queued, nowMs: NOW + rules.retryMs - 1 }).wants.locks).toEqual([])
    expect(agent.see({ ...queued, nowMs: NOW + rules.retryMs }).wants.locks).toEqual(['reconfig'])
  })

  it('keeps the lock where it leaves, and where what was asked for has been taken', () => {
    const duty = { name: 'promote', args: {}, lock: 'reconfig', reason: 'why' } as const
    const agent = new ClusterAgent({ ...atStart, duty: () => duty })
    const held = { ...formed, cluster: facts({ initialized }, ['reconfig']) }
    const promote = agent.see(held)
    agent.state = settle(agent.state, promote.action, { ok: true, atMs: NOW }, rules.retryMs)
    expect(agent.see(held).wants.locks).toContain('reconfig')
    const gone = { ...held, self: { set: 'q', pod: 'q-0', ordinal: 5 }, prestopAtMs: NOW }
    agent.see(gone)
    const leaves = agent.see(gone)
    agent.state = settle(agent.state, leaves.action, { ok: false, atMs: NOW }, rules.retryMs)
    expect(agent.see(gone).wants.locks).toContain('reconfig')
  })

  it('does the duties of the set where it holds the election', () => {
    const duty = { name: 'slots', args: {}, lock: null, reason: 'why' } as const
    const plan = { ...atStart, setDuty: () => duty }
    expect(serve(plan, facts({ initialized })).action).toEqual(none)
    expect(serve(plan, facts({ initialized }, ['election'])).action.kind).toBe('command')
  })

  it('lets a duty of its own that fails hold up none of the set', () => {
    const own = { name: 'own', args: {}, lock: null, reason: 'why' } as const
    const ofTheSet = { ...own, name: 'set' }
    const plan = { ...atStart, duty: () => own, setDuty: () => ofTheSet }
    const agent = new ClusterAgent(plan)
    const observed = { ...formed, cluster: facts({ initialized }, ['election']) }
    const names = [false, true, true, false, false, true].map((ok) => {
      const decision = agent.see(observed)
      agent.done(decision, ok)
      return decision.action.kind === 'command' ? decision.action.name : decision.action.kind
    })
    // As long as the one that failed has not succeeded, the other one goes first; then it has its turn.
    expect(names).toEqual(['own', 'set', 'set', 'set', 'own', 'set'])
  })

  it('does what it can while a duty waits for its lock', () => {
    const own = { name: 'own', args: {}, lock: 'reconfig', reason: 'why' } as const
    const ofTheSet = { name: 'set', args: {}, lock: null, reason: 'why' } as const
    const plan = { ...atStart, duty: () => own, setDuty: () => ofTheSet }
    const decision = serve(plan, facts({ initialized }, ['election']))
    expect(decision.action).toMatchObject({ kind: 'command', name: 'set' })
    expect(decision.wants.locks).toContain('reconfig')
  })
})

describe('what is on record of a cluster', () => {
  const initialize = { kind: 'initialize', engineClusterId: 'c1' }

  it('is written by the founder under its lock, and its intent goes after that', () => {
    const intent = intentOf('q-0')
    const waits = serve(atStart, facts({ intent }))
    expect(waits).toMatchObject({ action: none, wants: { locks: ['election', 'bootstrap'] } })
    expect(serve(atStart, facts({ intent }, ['bootstrap'])).action).toEqual({
      ...initialize,
      expected: 1,
    })
    const known = serve(atStart, facts({ intent, initialized }, ['bootstrap']))
    expect(known.action).toEqual({ kind: 'clearIntent' })
    const notReady = { engine: { ...serving('q-1'), ready: false } }
    expect(serve(atStart, facts({ intent }, ['bootstrap']), notReady).action).toEqual(none)
  })

  it('is taken up when the tree was lost, by all reports alone', () => {
    const agreed = serve(atStart, facts({ reports: others }, ['bootstrap']))
    expect(agreed.action).toEqual({ ...initialize, expected: 3 })
    const some = facts({ reports: { 'q-1': dataReport() } }, ['bootstrap'])
    expect(serve(atStart, some).reason).toMatch(/not on record: no report of q-2/)
    const two = facts({ reports: { ...others, 'q-2': dataReport(null, 'c2') } }, ['bootstrap'])
    expect(serve(atStart, two).reason).toMatch(/different clusters: c1, c2/)
    const founding = facts({ reports: others, intent: intentOf('q-1') }, ['bootstrap'])
    expect(serve(atStart, founding)).toMatchObject({ action: none })
    expect(serve(itself, facts({ reports: others }, ['bootstrap'])).action).toEqual(none)
  })

  it('follows the furthest position and the size, on the agent of the set', () => {
    const engine = { ...serving('q-1'), position: '12' }
    const at = (position: string | null, changes = {}) =>
      serve(elected, facts({ initialized: { ...initialized, position } }, ['election']), {
        engine,
        ...changes,
      })
    expect(at(null).action).toEqual({ kind: 'notePosition', position: '12' })
    expect(at('9').action).toEqual({ kind: 'notePosition', position: '12' })
    expect(at('12').action).toEqual(none)
    const two = { engine: { ...engine, members: engine.members.slice(0, 2) } }
    const smaller = at('12', { ...two, statefulSet: set({ replicas: 2 }) })
    expect(smaller.action).toEqual({ kind: 'expect', count: 2, lock: 'election' })
    expect(at('12', { statefulSet: set({ replicas: 2 }) }).action).toEqual(none)
  })
})

describe('a process that runs in no cluster', () => {
  const alone = { disk: empty, engine: unformed }
  const reports = { 'q-1': started(emptyReport), 'q-2': started(emptyReport) }

  it('is formed by the first ordinal: lock, intent, bootstrap', () => {
    expect(serve(whileRunning, facts({ reports }), alone).wants.locks).toEqual(['bootstrap'])
    const write = serve(whileRunning, facts({ reports }, ['bootstrap']), alone)
    expect(write.action.kind).toBe('writeIntent')
    const intent = intentOf('q-0')
    const act = serve(whileRunning, facts({ reports, intent }, ['bootstrap']), alone)
    expect(act.action).toEqual({ kind: 'bootstrap' })
    const some = facts({ reports: { 'q-1': emptyReport } }, ['bootstrap'])
    expect(serve(whileRunning, some, alone).reason).toBe('no report yet of q-2')
  })

  it('joins a member that serves, one at a time', () => {
    const holders = { ...reports, 'q-1': started(dataReport()) }
    const cluster = { initialized, reports: holders, members: { 'q-1': ready } }
    expect(serve(whileRunning, facts(cluster), alone).wants.locks).toEqual(['reconfig'])
    const untold = serve(whileRunning, facts(cluster, ['reconfig']), alone)
    expect(untold.action).toEqual(none)
    expect(untold.wants.report).toEqual(mayFill)
    const told = { ...cluster, reports: { ...holders, 'q-0': mayFill } }
    const join = serve(whileRunning, facts(told, ['reconfig']), alone)
    expect(join.action).toEqual({ kind: 'join' })
    expect(join.wants.report).toEqual(mayFill)
    const before = { ...told, reports: { ...holders, 'q-0': { ...mayFill, incarnation: 0 } } }
    expect(serve(whileRunning, facts(before, ['reconfig']), alone).action).toEqual(none)
    const nobody = facts({ ...cluster, members: {} }, ['reconfig'])
    expect(serve(whileRunning, nobody, alone).action).toEqual(none)
    const lost = facts({ initialized, reports }, ['reconfig', 'bootstrap'])
    expect(serve(whileRunning, lost, alone).reason).toMatch(/^refuses to form.*c1 are empty/)
    const volatile = new ClusterAgent(whileRunning, { volatile: true })
    expect(volatile.see({ ...formed, cluster: lost, ...alone }).action).toEqual({ kind: 'forget' })
  })
})

describe('a member that was removed and runs', () => {
  const tombstones = { 'q-0': { identity: 'i1', done: false, at: 0, reason: '' } }

  it('is taken back within the replicas, by the word of the leader and not its own view', () => {
    const cluster = facts({ initialized, tombstones }, ['reconfig'])
    expect(serve(atStart, cluster).action).toEqual({ kind: 'rejoin' })
    const stale = { statefulSet: set({}, NOW - 2_001) }
    expect(serve(atStart, cluster, stale).action).toEqual({ kind: 'verify' })
    const beyond = { statefulSet: set({ replicas: 0 }) }
    expect(serve(atStart, cluster, beyond).action).toEqual(none)
    const engine = { ...serving('q-1'), retired: true }
    expect(serve(atStart, facts({ initialized }, ['reconfig']), { engine }).action).toEqual({
      kind: 'rejoin',
    })
  })

  it('keeps no lock from others while nobody leads', () => {
    const engine = { ...serving('q-1'), ready: false }
    const alone = facts({ initialized, tombstones }, ['reconfig'])
    expect(serve(atStart, alone, { engine }).wants.locks).toEqual([])
    const led = facts({ initialized, tombstones, members: { 'q-1': ready } }, ['reconfig'])
    expect(serve(atStart, led, { engine }).action).toEqual({ kind: 'rejoin' })
  })

  it('loses the note on its disk first', () => {
    const cluster = facts({ initialized, tombstones }, ['reconfig'])
    const { action } = serve(atStart, cluster, { disk: holding('c1', true) })
    expect(action).toEqual({ kind: 'clearDeparted' })
  })
})

describe('a removal whose agent ended in the middle', () => {
  const engine = { ...serving('q-1'), members: serving('q-1').members.slice(0, 2) }
  const tombstones = { 'q-2': { identity: 'i2', done: false, at: 0, reason: '' } }
  const held = ['election', 'reconfig'] as const

  it('is confirmed by the agent of the set when the cluster is without the member', () => {
    const cluster = facts({ initialized, tombstones }, [...held])
    const { action } = serve(atStart, cluster, { engine })
    expect(action).toEqual({ kind: 'confirm', pod: 'q-2' })
    expect(serve(atStart, cluster).action).toEqual(none)
    const known = { 'q-2': { ...tombstones['q-2'], done: true } }
    const done = facts({ initialized, tombstones: known }, [...held])
    expect(serve(atStart, done, { engine }).action).toEqual(none)
  })
})

describe('members that the set was scaled away from', () => {
  const two = { statefulSet: set({ replicas: 2 }), published: ['q-0', 'q-1'] }

  function reconcile(cluster: ClusterFacts, changes: Partial<Observation> = {}): Decision {
    const agent = new ClusterAgent(atStart)
    agent.state = { ...agent.state, missingSince: { 'q-2': NOW - 20_000 } }
    return agent.see({ ...formed, ...two, cluster, ...changes })
  }

  it('are removed by the agent of the set: lock, answer, tombstone, removal', () => {
    expect(reconcile(facts({ initialized })).action).toEqual(none)
    const waits = reconcile(facts({ initialized }, ['election']))
    expect(waits.wants.locks).toEqual(['election', 'reconfig'])
    const held = ['election', 'reconfig'] as const
    const stale = { statefulSet: set({ replicas: 2 }, NOW - 2_001) }
    expect(reconcile(facts({ initialized }, [...held]), stale).action).toEqual({ kind: 'verify' })
    const bury = reconcile(facts({ initialized }, [...held])).action
    expect(bury).toMatchObject({ kind: 'bury', pod: 'q-2', identity: '' })
    const tombstones = { 'q-2': { identity: '', done: false, at: 0, reason: '' } }
    const { action } = reconcile(facts({ initialized, tombstones }, [...held]))
    expect(action).toEqual({ kind: 'remove', name: 'q-2' })
  })

  it('stay while they have a session, while the set has them, and while it is going', () => {
    const held = facts({ initialized }, ['election', 'reconfig'])
    expect(reconcile({ ...held, reports: { 'q-2': dataReport() } }).action).toEqual(none)
    expect(reconcile({ ...held, members: { 'q-2': ready } }).action).toEqual(none)
    for (const statefulSet of [set(), set({ replicas: 0 }), set({ replicas: 2, deleting: true })]) {
      expect(reconcile(held, { statefulSet }).action).toEqual(none)
    }
    expect(reconcile(held, { ownerUid: 'another' }).action).toEqual(none)
  })
})

describe('a drain', () => {
  const prestop = { prestopAtMs: NOW }
  const down = set({ replicas: 0 })

  function drain(plan: ClusterPlan, cluster: ClusterFacts | null, changes: Partial<Observation>) {
    const agent = new ClusterAgent(plan)
    // The verdict, then what follows from it.
    agent.see({ ...formed, cluster, ...prestop, ...changes })
    return agent.see({ ...formed, cluster, ...prestop, ...changes })
  }

  it('waits as the plan says, hands over, and ends as a restart', () => {
    const steps: [DrainStep, object][] = [
      [{ kind: 'wait', reason: 'no synchronous standby' }, none],
      [
        { kind: 'handOver', to: 'q-1', reason: 'x' },
        { kind: 'handOver', to: 'q-1' },
      ],
    ]
    for (const [next, action] of steps) {
      const plan = { ...atStart, drain: () => next }
      expect(drain(plan, facts({ initialized }), {}).action).toEqual(action)
    }
    const decision = drain(atStart, facts({ initialized }), {})
    expect(decision).toMatchObject({ prestopDone: true, wants: { locks: [] } })
    expect(decision.reason).toMatch(/membership kept: the ordinal stays/)
    expect(drain(atStart, null, { statefulSet: down }).reason).toMatch(/scaled to zero/)
  })

  it('goes on as the plan says when the engine misses a look, and ends without it when it stays silent', () => {
    const plan: ClusterPlan = { ...atStart, drain: () => ({ kind: 'wait', reason: 'x' }) }
    const silence = { ...formed, engine: idle, cluster: facts({ initialized }), ...prestop }
    for (const self of [undefined, { set: 'q', pod: 'q-0', ordinal: 5 }]) {
      const agent = new ClusterAgent(plan)
      const changes = self === undefined ? {} : { self }
      agent.see({ ...formed, cluster: facts({ initialized }), ...changes })
      // From the first look on, and again after the engine was heard once more.
      agent.see({ ...silence, ...changes })
      for (const nowMs of [NOW + 1, NOW + 14_999]) {
        const decision = agent.see({ ...silence, ...changes, nowMs })
        expect(decision).toMatchObject({ action: none, prestopDone: false })
        expect(decision.reason).toBe('does not answer: waits for it')
      }
      const heard = { ...silence, ...changes, ...formed, nowMs: NOW + 15_000 }
      expect(agent.see(heard)).toMatchObject({ prestopDone: false, reason: 'x' })
      const again = { ...silence, ...changes, nowMs: NOW + 29_999 }
      expect(agent.see(again).prestopDone).toBe(false)
      expect(agent.see({ ...again, nowMs: NOW + 30_000 }).prestopDone).toBe(true)
    }
  })

  it('does not wait for an engine that was not heard before it', () => {
    const plan: ClusterPlan = { ...atStart, drain: () => ({ kind: 'wait', reason: 'x' }) }
    expect(drain(plan, facts({ initialized }), { engine: idle }).prestopDone).toBe(true)
  })

  it('ends at its deadline whatever the plan says', () => {
    const agent = new ClusterAgent({ ...atStart, drain: () => ({ kind: 'wait', reason: 'x' }) })
    expect(agent.see({ ...formed, ...prestop }).prestopDone).toBe(false)
    const late = { nowMs: NOW + 60_000 }
    expect(agent.see({ ...formed, ...prestop, ...late }).prestopDone).toBe(true)
  })

  it('leaves after a scale-down: lock, tombstone, removal, the note on the disk', () => {
    const self = { set: 'q', pod: 'q-0', ordinal: 5 }
    const gone = { self }
    const first = drain(atStart, facts({ initialized }), gone)
    expect(first).toMatchObject({ action: none, wants: { locks: ['reconfig'] } })
    const bury = drain(atStart, facts({ initialized }, ['reconfig']), gone)
    expect(bury.action).toMatchObject({ kind: 'bury', pod: 'q-0', identity: '' })
    const tombstones = { 'q-0': { identity: '', done: false, at: 0, reason: '' } }
    const cluster = facts({ initialized, tombstones }, ['reconfig'])
    const agent = new ClusterAgent(atStart)
    agent.see({ ...formed, cluster, ...prestop, ...gone })
    const remove = agent.see({ ...formed, cluster, ...prestop, ...gone })
    expect(remove.action).toEqual({ kind: 'remove', name: 'q-0' })
    agent.done(remove)
    const mark = agent.see({ ...formed, cluster, ...prestop, ...gone })
    expect(mark.action).toEqual({ kind: 'markDeparted' })
    agent.done(mark)
    const end = agent.see({ ...formed, cluster, ...prestop, ...gone })
    expect(end).toMatchObject({ prestopDone: true, publication: null })
  })

  it('asks again whether it is scaled down when the answer has grown old', () => {
    const self = { set: 'q', pod: 'q-0', ordinal: 5 }
    const cluster = facts({ initialized }, ['reconfig'])
    const agent = new ClusterAgent(atStart)
    agent.see({ ...formed, cluster, ...prestop, self })
    const statefulSet = set({}, NOW - 2_001)
    const later = agent.see({ ...formed, cluster, ...prestop, self, statefulSet })
    expect(later.action).toEqual({ kind: 'verify' })
  })

  it('removes nothing without the tree, nor a member of no cluster', () => {
    const self = { set: 'q', pod: 'q-0', ordinal: 5 }
    const treeless = drain(atStart, null, { self })
    expect(treeless).toMatchObject({ action: none, prestopDone: false })
    const engine = { ...serving('q-1'), members: [] }
    expect(drain(atStart, facts(), { self, engine }).prestopDone).toBe(true)
  })

  it('is taken back when the engine asks to start', () => {
    const agent = new ClusterAgent(atStart)
    agent.see({ ...formed, ...prestop })
    const reports = { 'q-0': started(dataReport()) }
    const again = { cluster: facts({ initialized, reports }), engine: idle, asking: true }
    expect(agent.see({ disk: holding('c1'), ...prestop, ...again }).action).toEqual({
      kind: 'permit',
      mode: 'resume',
    })
  })
})
