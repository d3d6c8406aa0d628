import { describe, expect, it } from 'vitest'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import {
  brokersPlan,
  type ControllersRecord,
  type KraftView,
  kraftPlan,
} from '../../../../agent/core/cluster/kraft-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { facts } from '../cluster-observations.ts'
import { empty, holding, idle, NOW, observation, set } from '../observations.ts'

const plan = kraftPlan({
  kafkaSurveyFreshMs: 2_000,
  kafkaControllerLastMs: 60_000,
  kafkaOthersMs: 2_000,
  controllers: 2,
  verdictFreshMs: 2_000,
})

function view(changes: Partial<KraftView> = {}): KraftView {
  const own = {
    brokerId: 0,
    survey: null,
    votes: false,
    fenced: null,
    unregistered: [],
    controllersRecord: null,
  }
  return { ...idle, answers: true, ready: true, ...own, ...changes }
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

describe('a broker that was killed and scaled away', () => {
  const due = { name: 'unregister', args: { name: 'q-3', at: '0' }, lock: 'reconfig' }
  const duty = (
    changes: Partial<ClusterFacts>,
    more: Partial<Observation<KraftView>> = {},
    engine: Partial<KraftView> = {},
  ) =>
    plan.setDuty(
      seen({ engine: view({ fenced: ['q-3'], ...engine }), cluster: facts(changes), ...more }),
    )

  it('is forgotten without a word of it, when the set does not run it', () => {
    expect(duty({})).toMatchObject(due)
    expect(duty({}, { statefulSet: set({ replicas: 4 }) })).toBeNull()
    expect(duty({}, { statefulSet: set({ replicas: 0 }) })).toBeNull()
    expect(duty({}, {}, { fenced: ['q-2', 'else-7'] })).toBeNull()
    expect(duty({}, {}, { unregistered: ['q-3@0'] })).toBeNull()
  })

  it('is not while its agent has a session, or it votes', () => {
    const members = [{ name: 'q-3', identity: 'd3', voter: true, heard: false }]
    expect(duty({}, {}, { members })).toBeNull()
    const report = { engineClusterId: 'c', position: null, empty: false, started: true }
    expect(duty({ reports: { 'q-3': { ...report, incarnation: 1 } } })).toBeNull()
    const tombstone = { identity: '', done: false, at: 7, reason: 'scaled down' }
    expect(duty({ tombstones: { 'q-3': tombstone } })).toBeNull()
  })

  it('is not on an answer of the StatefulSet that is old', () => {
    const value = { uid: 'uid-1', replicas: 3, firstOrdinal: 0, deleting: false }
    const at = (atMs: number) => ({ statefulSet: { kind: 'ok', atMs, value } }) as const
    expect(duty({}, at(NOW - 2_000))).toMatchObject(due)
    expect(duty({}, at(NOW - 2_001))).toBeNull()
  })

  it('is what brokers say that can tell, not what was buried', () => {
    const tombstones = { 'q-3': { identity: '', done: true, at: 7, reason: 'scaled down' } }
    expect(duty({ tombstones }, {}, { fenced: [] })).toBeNull()
    expect(duty({ tombstones })).toMatchObject({ args: { name: 'q-3', at: '7' } })
  })
})

describe('a broker whose controllers are a set of their own', () => {
  const brokers = brokersPlan({
    kafkaSurveyFreshMs: 2_000,
    kafkaControllerLastMs: 60_000,
    kafkaOthersMs: 2_000,
    verdictFreshMs: 2_000,
    kafkaRecordPatienceMs: 10_000,
  })
  const gate = (controllersRecord: ControllersRecord | null, disk: Observation['disk']) =>
    brokers.startGate(seen({ engine: view({ controllersRecord }), disk }))
  const reason = 'there is no session now'
  const unknown = { kind: 'unknown', reason, sinceMs: NOW - 10_000 } as const
  const known = (clusterId: string) => ({ kind: 'known', clusterId }) as const

  it('waits with an empty disk for the cluster that these form', () => {
    expect(gate(known('c1'), empty)).toBeNull()
    expect(gate(known(''), empty)).toBe('the controllers have formed no cluster yet')
    expect(gate(null, empty)).toBe('the controllers have formed no cluster yet')
    expect(gate(unknown, empty)).toBe(
      'the disk is empty, and the cluster of the controllers cannot be read: there is no session now',
    )
  })

  it('starts with a disk of their cluster, and of no other', () => {
    expect(gate(known('c1'), holding('c1'))).toBeNull()
    expect(gate(known('c2'), holding('c1'))).toBe(
      'refuses to start: the disk holds cluster c1, the controllers are of c2',
    )
  })

  it('starts with data where nothing of them is known, and not before it has asked', () => {
    expect(gate({ ...unknown, sinceMs: NOW - 9_999 }, holding('c1'))).toBe(
      `asks what cluster the controllers are of: ${reason}`,
    )
    expect(gate(unknown, holding('c1'))).toBeNull()
    expect(gate(known(''), holding('c1'))).toBeNull()
  })

  it('founds nothing, and never votes', () => {
    expect(brokers.forming).toBe('itself')
    expect(brokers.duty(seen({}))).toBeNull()
  })
})
