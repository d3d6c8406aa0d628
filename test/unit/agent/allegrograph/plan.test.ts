import { describe, expect, it } from 'vitest'
import {
  type CopyView,
  copyPolicy,
} from '../../../../agent/core/cluster/allegrograph-copy-policy.ts'
import { copyInstanceOf } from '../../../../agent/core/cluster/allegrograph-instances.ts'
import {
  CONTROLLING,
  type ControllingView,
} from '../../../../agent/core/cluster/allegrograph-plan.ts'
import { clusterPolicy } from '../../../../agent/core/cluster/cluster-policy.ts'
import type { LockName } from '../../../../agent/core/cluster/facts.ts'
import { decide } from '../../../../agent/core/decide.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { type AgentState, initialState } from '../../../../agent/core/state.ts'
import { dataReport, emptyReport, facts, initialized, started } from '../cluster-observations.ts'
import { empty, holding, idle, NOW, observation, rules, set } from '../observations.ts'

const OWN = 'q-0-aaaaaaaa-2'
const OTHER = 'q-1-bbbbbbbb-1'
const EARLIER = 'q-0-99999999-1'

function instances(...names: string[]) {
  return names.map((name) => {
    const found = copyInstanceOf(name, 'q')
    if (found === null) throw new Error(`${name} is no copy`)
    return found
  })
}

const inCluster = started(dataReport())

function copyView(changes: Partial<CopyView> = {}): CopyView {
  return {
    ...idle,
    answers: true,
    reason: 'is no instance of the cluster yet',
    role: 'copy',
    instance: OWN,
    copies: [],
    growing: false,
    spent: false,
    ...changes,
  }
}

const linked = copyView({
  ready: true,
  reason: '',
  clusterId: 'c1',
  copies: instances(OWN),
})

interface Told {
  readonly view: CopyView
  readonly locks?: LockName[]
  readonly cluster?: Parameters<typeof facts>[0]
  readonly state?: AgentState
  readonly seen?: Partial<Observation>
}

/** The agent of the copy q-0. */
function copy({ view, locks = [], cluster = {}, state, seen = {} }: Told) {
  const known = facts({ initialized, reports: { 'q-0': inCluster }, ...cluster }, locks)
  const looked = observation({
    record: { kind: 'never' },
    treeReadAtMs: NOW,
    disk: empty,
    statefulSet: set(),
    cluster: known,
    ...seen,
    engine: view,
  }) as Observation<CopyView>
  return decide(looked, state ?? initialState(NOW - 300_000), rules, copyPolicy())
}

const removal = (instance: string) => ({
  kind: 'command',
  name: 'removeInstance',
  args: { instance },
  lock: 'reconfig',
})
const GROWTH = { kind: 'command', name: 'growCluster', args: {}, lock: 'reconfig' }

describe('a copy that asks to start', () => {
  const asking = { asking: true }
  const silent = copyView({ answers: false, copies: [] })

  it('waits until the cluster is created', () => {
    const { action, reason } = copy({ view: silent, cluster: { initialized: null }, seen: asking })
    expect(action).toEqual({ kind: 'none' })
    expect(reason).toContain('has not created the cluster yet')
  })

  it('waits for the tree', () => {
    const { action } = copy({ view: silent, seen: { ...asking, cluster: null } })
    expect(action).toEqual({ kind: 'none' })
  })

  it('starts when the others know', () => {
    const told = { reports: { 'q-0': started(emptyReport) } }
    expect(copy({ view: silent, cluster: told, seen: asking }).action).toEqual({
      kind: 'permit',
      mode: 'join',
    })
  })

  it('starts, though the controlling instance does not answer', () => {
    const told = { reports: { 'q-0': started(emptyReport) } }
    const view = { ...silent, copies: null }
    expect(copy({ view, cluster: told, seen: asking }).action).toMatchObject({ kind: 'permit' })
  })

  it.each([
    ['the process before it', OWN],
    ['an earlier pod of its name', EARLIER],
  ])('first removes what is left of %s, under the lock', (_what, left) => {
    const view = { ...silent, copies: instances(OTHER, left) }
    const waiting = copy({ view, seen: asking })
    expect(waiting.action).toEqual({ kind: 'none' })
    expect(waiting.wants.locks).toContain('reconfig')
    expect(copy({ view, seen: asking, locks: ['reconfig'] }).action).toEqual(removal(left))
  })

  it('removes what is left also while no process comes', () => {
    const view = { ...silent, copies: instances(EARLIER, OWN) }
    expect(copy({ view, locks: ['reconfig'] }).action).toEqual(removal(EARLIER))
  })
})

describe('a copy that runs', () => {
  const serving: AgentState = { ...initialState(NOW - 300_000), phase: 'serving' }

  it('joins under the lock', () => {
    const waiting = copy({ view: copyView(), state: serving })
    expect(waiting.action).toEqual({ kind: 'none' })
    expect(waiting.wants.locks).toContain('reconfig')
    expect(copy({ view: copyView(), state: serving, locks: ['reconfig'] }).action).toEqual(GROWTH)
  })

  it('waits for another that joins: listed, and not known to run in the cluster', () => {
    const view = copyView({ copies: instances(OTHER) })
    const locks: LockName[] = ['reconfig']
    expect(copy({ view, state: serving, locks }).action).toEqual({ kind: 'none' })
    const joining = { reports: { 'q-1': started(emptyReport) } }
    expect(copy({ view, state: serving, locks, cluster: joining }).action).toEqual({ kind: 'none' })
    const joined = { reports: { 'q-1': inCluster } }
    expect(copy({ view, state: serving, locks, cluster: joined }).action).toEqual(GROWTH)
  })

  it.each([
    ['it is listed already', copyView({ copies: instances(OWN) })],
    ['the controlling instance does not answer', copyView({ copies: null })],
    ['it can be no instance any more', copyView({ spent: true })],
    ['it is an instance', linked],
  ])('asks for nothing when %s', (_why, view) => {
    const decision = copy({ view, state: serving, locks: ['reconfig'] })
    expect(decision.action).toEqual({ kind: 'none' })
    expect(decision.wants.locks).not.toContain('reconfig')
  })

  it('serves without the tree and without the controlling instance', () => {
    const view = { ...linked, copies: null }
    const { publication } = copy({ view, state: serving, seen: { cluster: null } })
    expect(publication).toEqual({ status: 'ALIVE', enabled: true })
  })

  it('serves no other cluster than that of the tree', () => {
    const other = { ...initialized, engineClusterId: 'c2' }
    const { publication } = copy({ view: linked, state: serving, cluster: { initialized: other } })
    expect(publication).toMatchObject({ enabled: false })
  })
})

describe('a copy that is about to be stopped', () => {
  const serving: AgentState = { ...initialState(NOW - 300_000), phase: 'serving' }
  const stopping = { prestopAtMs: NOW }

  it.each([
    ['a scale-down', { statefulSet: set({ replicas: 0 }) }],
    ['a restart', { statefulSet: set() }],
    ['an API that does not answer', { statefulSet: { kind: 'never' } as const }],
  ])('is removed, whatever the reason: %s', (_why, seen) => {
    const all = { view: linked, state: serving, locks: ['reconfig' as const] }
    const decision = copy({ ...all, seen: { ...stopping, ...seen } })
    expect(decision.action).toEqual(removal(OWN))
    expect(decision.publication).toMatchObject({ status: 'STOPPING', enabled: false })
    const after = { ...copyView(), copies: [], ready: true }
    const left = copy({ ...all, view: after, state: decision.state, seen: stopping })
    expect(left).toMatchObject({ prestopDone: true, publication: null })
    expect(left.state.drain?.removed).toBe(true)
  })

  it('is removed when its process has ended before', () => {
    const view = { ...linked, answers: false, ready: false }
    const decision = copy({ view, locks: ['reconfig'], seen: { sigtermAtMs: NOW } })
    expect(decision.action).toEqual(removal(OWN))
  })

  it('waits for a growth that is not listed yet', () => {
    const decision = copy({ view: copyView({ growing: true }), state: serving, seen: stopping })
    expect(decision).toMatchObject({ prestopDone: false, reason: 'leaves once it is listed' })
  })

  it.each([
    ['the controlling instance', { ...linked, copies: null }, {}],
    ['the tree', linked, { cluster: null }],
    ['the lock', linked, {}],
  ])('waits for %s, and goes at the end of its budget', (_what, view, seen) => {
    const decision = copy({ view, state: serving, seen: { ...stopping, ...seen } })
    expect(decision).toMatchObject({ prestopDone: false, action: { kind: 'none' } })
    const late = { ...stopping, ...seen, nowMs: NOW + rules.drainBudgetMs }
    expect(copy({ view, state: decision.state, seen: late }).prestopDone).toBe(true)
  })
})

describe('the controlling instance', () => {
  const CONTROLS = clusterPolicy(CONTROLLING)
  const ghosts = instances(OTHER)
  const controlling: ControllingView = {
    ...idle,
    answers: true,
    ready: true,
    reason: '',
    clusterId: 'c1',
    role: 'controlling',
    copies: instances(OWN, OTHER),
    gone: ghosts,
  }
  const serving: AgentState = { ...initialState(NOW - 300_000), phase: 'serving' }

  function decided(seen: Partial<Observation>, view = controlling, state = serving) {
    const self = { set: 'g', pod: 'g-0', ordinal: 0 }
    const looked = observation({
      record: { kind: 'never' },
      treeReadAtMs: NOW,
      self,
      statefulSet: set({ replicas: 1 }),
      disk: holding('c1'),
      ...seen,
      engine: view,
    }) as Observation<ControllingView>
    return decide(looked, state, rules, CONTROLS)
  }

  it('refuses to start on an empty disk while its cluster is on record', () => {
    const seen = { asking: true, disk: empty, cluster: facts({ initialized }) }
    const { action, reason } = decided(seen, { ...controlling, answers: false, ready: false })
    expect(action).toEqual({ kind: 'none' })
    expect(reason).toMatch(/^refuses to start: the disk is empty and this instance controls/)
  })

  it('removes what is left of pods that are gone, under the lock', () => {
    expect(decided({ cluster: facts({ initialized }, ['reconfig']) }).action).toEqual(
      removal(OTHER),
    )
    expect(decided({ cluster: facts({ initialized }) })).toMatchObject({
      action: { kind: 'none' },
      wants: { locks: expect.arrayContaining(['reconfig']) },
    })
  })

  it.each([
    ['whose agent has a session', { reports: { 'q-1': inCluster } }],
    [
      'that is published',
      { members: { 'q-1': { status: 'ALIVE', ready: true, role: 'copy', incarnation: 1 } } },
    ],
  ])('leaves one alone %s', (_which, known) => {
    const cluster = facts({ initialized, ...known }, ['reconfig'])
    expect(decided({ cluster }).action).toEqual({ kind: 'none' })
  })

  it('is never removed itself', () => {
    const seen = {
      prestopAtMs: NOW,
      statefulSet: set({ replicas: 1, firstOrdinal: 1 }),
      cluster: facts({ initialized }, ['reconfig']),
    }
    const { action, prestopDone, state } = decided(seen, { ...controlling, gone: [] })
    expect(action.kind).not.toBe('remove')
    expect(state.drain?.removed ?? false).toBe(false)
    expect(prestopDone).toBe(false)
    const ended = decided(seen, { ...controlling, gone: [] }, state)
    expect(ended.prestopDone).toBe(true)
    expect(ended.state.drain?.removed).toBe(false)
  })
})
