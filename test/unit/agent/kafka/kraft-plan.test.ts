import { describe, expect, it } from 'vitest'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import { type KraftView, kraftPlan } from '../../../../agent/core/cluster/kraft-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { idle, NOW, observation, set } from '../observations.ts'

const plan = kraftPlan({
  kafkaSurveyFreshMs: 2_000,
  kafkaControllerLastMs: 60_000,
  controllers: 2,
})

function view(changes: Partial<KraftView> = {}): KraftView {
  const own = { brokerId: 0, survey: null, votes: false, unregistered: [] }
  return { ...idle, answers: true, ready: true, ...own, ...changes }
}

function facts(changes: Partial<ClusterFacts>): ClusterFacts {
  return {
    atMs: NOW,
    initialized: null,
    intent: null,
    reports: {},
    tombstones: {},
    members: {},
    locks: { bootstrap: null, reconfig: null, election: null },
    ...changes,
  }
}

function seen(changes: Partial<Observation<KraftView>>): Observation<KraftView> {
  return { ...observation(), engine: view(), ...changes }
}

const pod = (ordinal: number) => ({ set: 'q', pod: `q-${ordinal}`, ordinal })

describe('the vote of a node', () => {
  const vote = { name: 'addVoter', lock: 'reconfig' }

  it('is asked for by one that runs without', () => {
    expect(plan.duty(seen({}))).toMatchObject(vote)
    expect(plan.duty(seen({ engine: view({ votes: true }) }))).toBeNull()
    expect(plan.duty(seen({ engine: view({ votes: null }) }))).toBeNull()
    expect(plan.duty(seen({ engine: view({ ready: false }) }))).toBeNull()
  })

  it('is for so many of the lowest ordinals', () => {
    expect(plan.duty(seen({ self: pod(1) }))).toMatchObject(vote)
    expect(plan.duty(seen({ self: pod(2) }))).toBeNull()
    const later = set({ firstOrdinal: 5, replicas: 3 })
    expect(plan.duty(seen({ self: pod(6), statefulSet: later }))).toMatchObject(vote)
    expect(plan.duty(seen({ self: pod(7), statefulSet: later }))).toBeNull()
  })

  it('is not for one whose ordinal the set does not run', () => {
    expect(plan.duty(seen({ self: pod(1), statefulSet: set({ replicas: 1 }) }))).toBeNull()
    expect(plan.duty(seen({ statefulSet: set({ deleting: true }) }))).toBeNull()
    expect(plan.duty(seen({ statefulSet: { kind: 'never' } }))).toBeNull()
  })
})

describe('a broker that has left', () => {
  const tombstones = { 'q-3': { identity: '', done: true, at: 7, reason: 'scaled down' } }
  const due = { name: 'unregister', args: { name: 'q-3', at: '7' }, lock: 'reconfig' }
  const duty = (changes: Partial<ClusterFacts>, more: Partial<Observation<KraftView>> = {}) =>
    plan.setDuty(seen({ cluster: facts({ tombstones, ...changes }), ...more }))

  it('is forgotten when its agent is gone', () => {
    expect(duty({})).toMatchObject(due)
    const report = { engineClusterId: 'c', position: null, empty: false, started: true }
    expect(duty({ reports: { 'q-3': { ...report, incarnation: 1 } } })).toBeNull()
    const member = { status: 'STOPPING', ready: false, role: 'broker', incarnation: 1 }
    expect(duty({ members: { 'q-3': member } })).toBeNull()
  })

  it('is not forgotten before its vote is gone', () => {
    const under = { ...tombstones['q-3'], done: false }
    expect(duty({ tombstones: { 'q-3': under } })).toBeNull()
  })

  it('is not forgotten while the set runs its ordinal, nor twice', () => {
    expect(duty({}, { statefulSet: set({ replicas: 4 }) })).toBeNull()
    expect(duty({}, { engine: view({ unregistered: ['q-3@7'] }) })).toBeNull()
    expect(duty({}, { engine: view({ unregistered: ['q-3@6'] }) })).toMatchObject(due)
    expect(duty({}, { statefulSet: { kind: 'never' } })).toBeNull()
    expect(plan.setDuty(seen({ cluster: null }))).toBeNull()
  })
})
