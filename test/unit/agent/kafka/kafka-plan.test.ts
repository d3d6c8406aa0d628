import { describe, expect, it } from 'vitest'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import {
  type KafkaTree,
  type KafkaView,
  kafkaPlan,
} from '../../../../agent/core/cluster/kafka-plan.ts'
import type { DatedSurvey } from '../../../../agent/core/cluster/kafka-stop.ts'
import type { DiskReport, Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { facts } from '../cluster-observations.ts'
import { empty, holding, idle, NOW, observation, rules, set } from '../observations.ts'

const FRESH_MS = 2_000
const CONTROLLER_MS = 60_000
const OTHERS_MS = 2_000
const plan = kafkaPlan({
  kafkaSurveyFreshMs: FRESH_MS,
  kafkaControllerLastMs: CONTROLLER_MS,
  kafkaOthersMs: OTHERS_MS,
})

const quiet: DatedSurvey = { atMs: NOW, copies: 0, behind: 0, atRisk: 0, example: '', logs: 0 }

function view(changes: Partial<KafkaView>): KafkaView {
  const tree: KafkaTree = { kind: 'known', clusterId: 'c1', registered: null }
  return { ...idle, brokerId: 0, tree, survey: quiet, ...changes }
}

function reported(engineClusterId: string) {
  const base = { position: null, started: false, incarnation: 1 }
  return { ...base, engineClusterId, empty: engineClusterId === '' }
}

function seen(changes: Partial<Observation<KafkaView>>): Observation<KafkaView> {
  return { ...observation(), engine: view({}), ...changes }
}

describe('when a broker may start', () => {
  const known = (clusterId: string, registered: readonly string[] | null = null): KafkaTree => ({
    kind: 'known',
    clusterId,
    registered,
  })
  const bothEmpty = facts({ reports: { 'q-1': reported(''), 'q-2': reported('') } })
  const rows: readonly [string, KafkaTree, DiskReport, ClusterFacts | null, RegExp | null][] = [
    ['data of the cluster', known('c1'), holding('c1'), null, null],
    ['no data, a cluster', known('c1'), empty, null, null],
    [
      'no tree',
      { kind: 'unknown', reason: 'cut off' },
      holding('c1'),
      null,
      /^Kafka's part of the tree cannot be read: cut off$/,
    ],
    ['another cluster', known('c2'), holding('c1'), null, /^refuses.* c1, the tree names c2$/],
    [
      'the tree was lost',
      known(''),
      holding('c1'),
      null,
      /^refuses.* c1, and the tree names none$/,
    ],
    ['a former session', known('c1', ['k-0.k']), holding('c1'), null, /registered at k-0\.k until/],
    ['an id that another uses', known('c1', ['elsewhere']), empty, null, /registered at elsewhere/],
    ['the first of all', known(''), empty, bothEmpty, null],
    ['no data, no facts', known(''), empty, null, /^it is not known what other disks hold$/],
    [
      'no data, not all have reported',
      known(''),
      empty,
      facts({ reports: { 'q-2': reported('') } }),
      /^no report yet of q-1$/,
    ],
    [
      'no data, and another disk has some',
      known(''),
      empty,
      facts({ reports: { 'q-1': reported('c1'), 'q-2': reported('') } }),
      /^refuses to start: q-1 holds data of cluster c1/,
    ],
  ]
  it.each(rows)('%s', (_, tree, disk, cluster, expected) => {
    const gate = plan.startGate(seen({ disk, cluster, engine: view({ tree }) }))
    if (expected === null) expect(gate).toBeNull()
    else expect(gate).toMatch(expected)
  })

  it('the first ordinal alone forms a cluster, and not beside a broker that may run', () => {
    const self = { set: 'q', pod: 'q-1', ordinal: 1 }
    const reports = { 'q-0': reported(''), 'q-2': reported('') }
    const engine = view({ tree: known('') })
    const other = plan.startGate(seen({ disk: empty, cluster: facts({ reports }), engine, self }))
    expect(other).toBe('ordinal 0 forms the cluster')
    const begun = { 'q-1': reported(''), 'q-2': { ...reported(''), started: true } }
    const first = plan.startGate(seen({ disk: empty, cluster: facts({ reports: begun }), engine }))
    expect(first).toBe('q-2 may hold data by now')
  })
})

describe('when a broker may stop', () => {
  const drain: Drain = {
    cause: 'prestop',
    startedAtMs: NOW - 1_000,
    deadlineMs: NOW + 100_000,
    verdict: { kind: 'temporary', reason: 'the ordinal stays: a restart' },
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  }
  const leaving: Drain = { ...drain, verdict: { kind: 'scaledDown', reason: 'beyond 2 replicas' } }
  const needed: DatedSurvey = { ...quiet, copies: 3, atRisk: 1, example: 't-0 has 2 copies' }
  const stopping = (...pods: string[]) =>
    facts({
      members: Object.fromEntries(
        pods.map((pod) => [
          pod,
          { status: 'STOPPING', ready: false, role: 'broker', incarnation: 1 },
        ]),
      ),
    })
  const step = (changes: Partial<Observation<KafkaView>>, why = drain) =>
    plan.drain(seen(changes), why, rules)
  const ready = { kind: 'ready' }

  it('looks at its copies first, and again when that is long ago', () => {
    const survey = { kind: 'command', duty: { name: 'survey', lock: null } }
    expect(step({ engine: view({ survey: null }) })).toMatchObject(survey)
    const old = { ...quiet, atMs: NOW - FRESH_MS - 1 }
    expect(step({ engine: view({ survey: old }) })).toMatchObject(survey)
    // Who waits is told the same while it looks again.
    const held = { ...old, atRisk: 2, example: 't-0' }
    expect(step({ engine: view({ survey: held }) })).toMatchObject({
      duty: { reason: '2 partitions would refuse writes without it: t-0' },
    })
  })

  it('waits while partitions would refuse writes', () => {
    expect(step({ engine: view({ survey: needed }) })).toMatchObject({
      kind: 'wait',
      reason: '1 partitions would refuse writes without it: t-0 has 2 copies',
    })
    expect(step({ engine: view({ survey: { ...needed, atRisk: 0 } }) })).toEqual(ready)
  })

  it('does not wait for others where all go', () => {
    const engine = view({ survey: needed })
    expect(step({ engine, statefulSet: set({ deleting: true }) })).toEqual(ready)
    expect(step({ engine, statefulSet: set({ replicas: 0 }) })).toEqual(ready)
    expect(step({ engine, statefulSet: { kind: 'notFound', atMs: NOW } })).toEqual(ready)
    const failed = { kind: 'failed', atMs: NOW, reason: 'timeout', refused: false } as const
    expect(step({ engine, statefulSet: failed })).toMatchObject({ kind: 'wait' })
    // Of a release that is uninstalled the right to ask is gone before its pods are.
    expect(step({ engine, statefulSet: { ...failed, refused: true } })).toEqual(ready)
  })

  it('asks the broker nothing while the tree cannot be read, and holds it where it comes back', () => {
    const tree: KafkaTree = { kind: 'unknown', reason: 'cut off' }
    const engine = view({ survey: null, tree })
    expect(step({ engine })).toEqual({
      kind: 'wait',
      reason: 'nobody would take over what it leads: cut off',
    })
    expect(step({ engine, statefulSet: set({ deleting: true }) })).toEqual(ready)
  })

  it('leaves for good only without copies, and without logs that are yet to be deleted', () => {
    const own = (survey: Partial<DatedSurvey>) => view({ survey: { ...quiet, ...survey } })
    expect(step({ engine: own({ copies: 7 }) }, leaving)).toMatchObject({
      kind: 'wait',
      reason: 'refuses to leave: 7 partitions have copies here; `quorate kafka drain 0` moves them',
    })
    expect(step({ engine: own({ logs: 1 }) }, leaving)).toMatchObject({ kind: 'wait' })
    expect(step({ engine: own({}) }, leaving)).toEqual(ready)
    // A restart takes the copies along.
    expect(step({ engine: own({ copies: 7 }) })).toEqual(ready)
  })

  it('stops the controller after the others, for so long', () => {
    const cluster = stopping('q-0', 'q-2')
    expect(step({ cluster, engine: view({ leads: true }) })).toMatchObject({
      kind: 'wait',
      reason: 'the controller stops last, after q-2',
    })
    expect(step({ cluster, engine: view({ leads: false }) })).toEqual(ready)
    expect(step({ cluster: stopping('q-0'), engine: view({ leads: true }) })).toEqual(ready)
    const long = { ...drain, startedAtMs: NOW - CONTROLLER_MS }
    expect(step({ cluster, engine: view({ leads: true }) }, long)).toEqual(ready)
  })

  it('stops one broker with copies after the other, the highest first and the controller last', () => {
    const begun = { ...drain, startedAtMs: NOW - OTHERS_MS }
    const own = (changes: Partial<KafkaView> = {}) =>
      view({ leads: false, leader: 'q-3', survey: { ...quiet, copies: 3 }, ...changes })
    const among = (cluster: ClusterFacts | null, engine = own(), why = begun) =>
      step({ cluster, engine, self: { set: 'q', pod: 'q-1', ordinal: 1 } }, why)
    expect(among(stopping('q-0', 'q-1', 'q-2'))).toEqual({
      kind: 'wait',
      reason: 'q-2 stops first',
    })
    expect(among(stopping('q-0', 'q-1'))).toEqual(ready)
    expect(among(stopping('q-1', 'q-3'))).toEqual(ready)
    // Without copies nothing is lost by it, and nobody is waited for for ever.
    expect(among(stopping('q-2'), own({ survey: quiet }))).toEqual(ready)
    const long = { ...drain, startedAtMs: NOW - CONTROLLER_MS }
    expect(among(stopping('q-2'), own(), long)).toEqual(ready)
    // Others have said that they stop once the tree was read so long after the own stop began.
    const early = { ...drain, startedAtMs: NOW - OTHERS_MS + 1 }
    expect(among(stopping('q-1'), own(), early)).toEqual({
      kind: 'wait',
      reason: 'looks who else stops',
    })
    expect(among(null, own(), early)).toEqual(ready)
  })
})
