import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clusterPolicy } from '../../../../agent/core/cluster/cluster-policy.ts'
import type { RecoveryReport } from '../../../../agent/core/cluster/facts.ts'
import {
  type PostgresqlView,
  postgresqlPlan,
} from '../../../../agent/core/cluster/postgresql-plan.ts'
import { decide } from '../../../../agent/core/decide.ts'
import type { DiskReport, Observation } from '../../../../agent/core/observation.ts'
import { type Drain, initialState } from '../../../../agent/core/state.ts'
import { dataReport, emptyReport, facts, started } from '../cluster-observations.ts'
import { empty, holding, NOW, observation, rules, set } from '../observations.ts'

const STANDBY_WAIT_MS = 30_000
const bounds = { standbyWaitMs: STANDBY_WAIT_MS, replication: null, volatile: false }
const plan = postgresqlPlan(bounds)

const members = (...ordinals: number[]) =>
  ordinals.map((ordinal) => ({ name: `q-${ordinal}`, voter: true, heard: true }))
const candidates = (...ordinals: number[]) =>
  ordinals.map((ordinal) => ({ name: `q-${ordinal}`, lagBytes: 0 }))

/** A replica that serves, of three with one synchronous standby. */
function view(changes: Partial<PostgresqlView> = {}): PostgresqlView {
  return {
    answers: true,
    retired: false,
    ready: true,
    reason: '',
    clusterId: '7000000000000000001',
    leads: false,
    leader: 'q-1',
    role: 'replica',
    members: members(1, 2),
    state: 'running',
    loops: true,
    silentMs: 0,
    record: null,
    rosterAtMs: NOW,
    synchronous: true,
    replication: null,
    candidates: candidates(2),
    ledAtMs: null,
    idleSlots: [],
    ...changes,
  }
}

const primary = (changes: Partial<PostgresqlView> = {}) =>
  view({ leads: true, leader: 'q-0', role: 'primary', ledAtMs: NOW, ...changes })

function seen(
  engine: PostgresqlView,
  changes: Partial<Observation> = {},
): Observation<PostgresqlView> {
  return { ...observation({ cluster: facts(), ...changes }), engine }
}

function drain(kind: 'temporary' | 'scaledDown', startedAtMs = NOW): Drain {
  return {
    cause: 'prestop',
    startedAtMs,
    deadlineMs: NOW + 100_000,
    verdict: { kind, reason: '' },
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  }
}

describe('an empty disk', () => {
  const all = { 'q-1': emptyReport, 'q-2': emptyReport }
  const nobody = { systemId: null, leader: null, hasLed: false }
  const cases: [string, Partial<Observation>, PostgresqlView['record'], string | null][] = [
    ['waits for the tree', {}, null, 'the disk is empty and the tree cannot be read'],
    [
      'waits for the facts of the agents',
      { cluster: null },
      nobody,
      'the disk is empty and the tree cannot be read',
    ],
    ['copies from a leader', {}, { systemId: '7', leader: 'q-1', hasLed: true }, null],
    [
      'waits for all reports',
      { cluster: facts({ reports: { 'q-1': emptyReport } }) },
      nobody,
      'nobody leads, and there is no report yet of q-2',
    ],
    [
      'lets data go first that the tree does not know',
      { cluster: facts({ reports: { ...all, 'q-2': dataReport() } }) },
      nobody,
      'nobody leads yet: q-2, which holds data, goes first',
    ],
    [
      'waits for the leader of data that the tree knows',
      { cluster: facts({ reports: { ...all, 'q-1': dataReport() } }) },
      { systemId: '7', leader: null, hasLed: true },
      'nobody leads yet: q-1, which holds data, goes first',
    ],
    [
      'is never the beginning of another cluster',
      { cluster: facts({ reports: all }) },
      { systemId: '7', leader: null, hasLed: true },
      'refuses to start: all disks of cluster 7 are empty: bring a volume back, or delete the znode initialize to form a new cluster',
    ],
    [
      'does not count as the last one while another fills its own',
      { cluster: facts({ reports: { ...all, 'q-1': started(emptyReport) } }) },
      { systemId: '7', leader: null, hasLed: true },
      'nobody leads yet: q-1 runs, and had an empty disk',
    ],
    ['of the first ordinal founds', { cluster: facts({ reports: all }) }, nobody, null],
    [
      'of the first ordinal founds again, where it died on the way',
      { cluster: facts({ reports: all }) },
      { systemId: '', leader: null, hasLed: false },
      null,
    ],
    [
      'of another ordinal waits',
      {
        self: { set: 'q', pod: 'q-1', ordinal: 1 },
        cluster: facts({ reports: { 'q-0': emptyReport, 'q-2': emptyReport } }),
      },
      { systemId: '', leader: null, hasLed: false },
      'ordinal 0 forms the cluster',
    ],
    [
      'needs to know how many there are',
      { statefulSet: { kind: 'never' } },
      nobody,
      'the disk is empty and the StatefulSet cannot be read',
    ],
  ]
  it.each(cases)('%s', (_, changes, record, reason) => {
    expect(plan.startGate(seen(view({ record }), changes))).toBe(reason)
  })

  it('is the beginning of another cluster where there are no volumes', () => {
    const record = { systemId: '7', leader: null, hasLed: true }
    const at = seen(view({ record }), { cluster: facts({ reports: all }) })
    const volatile = postgresqlPlan({ ...bounds, volatile: true })
    expect(volatile.startGate(at)).toBeNull()
  })

  it('is none where there is data', () => {
    const disk: DiskReport = holding('7')
    expect(plan.startGate(seen(view(), { disk, cluster: null }))).toBeNull()
    expect(plan.startGate(seen(view(), { disk: empty, cluster: null }))).not.toBeNull()
  })
})

describe('data', () => {
  const nobody = { systemId: null, leader: null, hasLed: false }
  const known = { systemId: '7', leader: null, hasLed: true }
  const position = '2.0.500'
  const q1 = dataReport('2.0.400', '7')
  const q2 = dataReport('1.1.900', '7')
  const behind = { 'q-1': q1, 'q-2': q2 }
  const unknown = 'waits: nobody leads, and this tree has never known a leader of this data:'

  function starts(
    record: PostgresqlView['record'],
    reports: Readonly<Record<string, RecoveryReport>>,
    changes: Partial<Observation> = {},
  ): string {
    const told = { ...started(dataReport(position, '7')), incarnation: 1 }
    const at = seen(view({ answers: false, record }), {
      asking: true,
      disk: holding('7'),
      position,
      treeReadAtMs: NOW,
      cluster: facts({ reports: { 'q-0': told, ...reports } }),
      ...changes,
    })
    const { action, reason } = decide(at, initialState(NOW), rules, clusterPolicy(plan))
    return action.kind === 'permit' ? action.mode : reason
  }

  const cases: [string, string, Parameters<typeof starts>][] = [
    ['starts where the tree knows it, though nobody else is heard', 'resume', [known, {}]],
    ['starts where somebody leads', 'resume', [{ ...nobody, leader: 'q-1' }, {}]],
    [
      'waits for what Patroni has in the tree',
      'waits: what Patroni keeps in the tree cannot be read yet',
      [null, behind],
    ],
    [
      'waits for all reports in a tree that does not know it',
      `${unknown} no report yet of q-1, q-2`,
      [nobody, {}],
    ],
    [
      'waits also where another founder died in that tree',
      `${unknown} no report yet of q-2`,
      [{ ...nobody, systemId: '' }, { 'q-1': emptyReport }],
    ],
    [
      'waits also where the most advanced has begun, and does not lead yet',
      `${unknown} q-1 runs already`,
      [
        { ...known, hasLed: false },
        { ...behind, 'q-1': started(q1) },
      ],
    ],
    [
      'does not wait for one that waits for a leader to copy from',
      'resume',
      [
        { ...nobody, systemId: '7' },
        { 'q-1': q1, 'q-2': started(emptyReport) },
      ],
    ],
    [
      'waits where the znode of its cluster was deleted by hand',
      `${unknown} no report yet of q-2`,
      [{ ...known, systemId: null }, { 'q-1': q1 }],
    ],
    ['goes first when it is the most advanced', 'resume', [nobody, behind]],
    [
      'goes first when it is the only one',
      'resume',
      [nobody, { 'q-1': emptyReport, 'q-2': emptyReport }],
    ],
    ['goes first when it is alone', 'resume', [nobody, {}, { statefulSet: set({ replicas: 1 }) }]],
    [
      'does not wait for pods that the set was scaled away from',
      'resume',
      [
        nobody,
        { 'q-1': q1, 'q-2': dataReport('9.1.1', '7') },
        { statefulSet: set({ replicas: 2 }) },
      ],
    ],
    [
      'lets a later timeline go first',
      `${unknown} q-2 is more advanced and goes first`,
      [nobody, { ...behind, 'q-2': dataReport('3.0.1', '7') }],
    ],
    [
      'lets the one go first that led in the same timeline',
      `${unknown} q-2 is more advanced and goes first`,
      [nobody, { ...behind, 'q-2': dataReport('2.1.1', '7') }],
    ],
    [
      'lets the one go first whose data ends later',
      `${unknown} q-1 is more advanced and goes first`,
      [nobody, { ...behind, 'q-1': dataReport('2.0.1000', '7') }],
    ],
    [
      'lets the lowest ordinal go first of equal ones',
      'resume',
      [nobody, { ...behind, 'q-1': dataReport(position, '7') }],
    ],
    [
      'waits until all know how far they are',
      `${unknown} q-1 does not know yet how far its disk goes`,
      [nobody, { ...behind, 'q-1': dataReport(null, '7') }],
    ],
    [
      'waits until it knows so itself',
      `${unknown} q-0 does not know yet how far its disk goes`,
      [nobody, behind, { position: null }],
    ],
    [
      'of two clusters is for people to choose from',
      'refuses to start: disks hold the clusters 7, 8, and the tree names neither',
      [nobody, { ...behind, 'q-1': dataReport('1.0.1', '8') }],
    ],
    [
      'waits for the StatefulSet',
      `${unknown} the StatefulSet cannot be read`,
      [nobody, behind, { statefulSet: { kind: 'never' } }],
    ],
  ]
  it.each(cases)('%s', (_, expected, given) => {
    expect(starts(...given)).toBe(expected)
  })

  it('starts without the tree when that has been away for long', () => {
    const away = { cluster: null, treeReadAtMs: NOW - rules.treeGraceMs }
    expect(starts(null, {}, away)).toBe('resume')
    expect(starts(known, {}, away)).toBe('resume')
    expect(starts(nobody, {}, away)).toBe('waits: this tree has no reports of the pods yet')
  })
})

describe('a primary that is to stop', () => {
  const wait = (reason: string) => ({ kind: 'wait', reason })
  const none = wait('no synchronous standby yet that could take over and stays')
  const stopping = { status: 'STOPPING', ready: false, role: 'replica', incarnation: 1 }
  const cases: [string, PostgresqlView, Partial<Observation>, Drain, object][] = [
    [
      'hands over to the synchronous standby',
      primary(),
      {},
      drain('temporary'),
      { kind: 'handOver', to: 'q-2', reason: 'q-2 takes over' },
    ],
    [
      'asks who is synchronous after it knows that it stops',
      primary({ rosterAtMs: NOW - 1 }),
      {},
      drain('temporary'),
      none,
    ],
    ['waits while nobody may take over', primary({ candidates: [] }), {}, drain('temporary'), none],
    [
      'waits no longer than that',
      primary({ candidates: [] }),
      {},
      drain('temporary', NOW - STANDBY_WAIT_MS),
      { kind: 'ready' },
    ],
    [
      'goes at once when it is alone',
      primary({ members: [], candidates: [] }),
      {},
      drain('temporary'),
      { kind: 'ready' },
    ],
    [
      'does not hand over to one that stops as well',
      primary(),
      { cluster: facts({ members: { 'q-2': stopping } }) },
      drain('temporary'),
      none,
    ],
    [
      'goes at once when all stop',
      primary(),
      { cluster: facts({ members: { 'q-1': stopping, 'q-2': stopping } }) },
      drain('temporary'),
      { kind: 'ready' },
    ],
    [
      'goes at once when the set is scaled to nothing',
      primary(),
      { statefulSet: set({ replicas: 0 }) },
      drain('temporary'),
      { kind: 'ready' },
    ],
    [
      'leaves for good only when one that stays has taken over',
      primary({ candidates: candidates(2) }),
      { statefulSet: set({ replicas: 2 }), self: { set: 'q', pod: 'q-3', ordinal: 3 } },
      drain('scaledDown', NOW - STANDBY_WAIT_MS),
      none,
    ],
  ]
  it.each(cases)('%s', (_, engine, changes, cause, expected) => {
    expect(plan.drain(seen(engine, changes), cause, rules)).toEqual(expected)
  })
})

describe('a standby that is to stop', () => {
  const cases: [string, PostgresqlView, Drain, string][] = [
    ['goes', view(), drain('temporary'), 'ready'],
    ['goes for good', view(), drain('scaledDown'), 'ready'],
    ['waits for a synchronous standby', view({ candidates: [] }), drain('temporary'), 'wait'],
    [
      'waits for none where commits wait for none',
      view({ synchronous: false, candidates: [] }),
      drain('temporary'),
      'ready',
    ],
    [
      'waits no longer than that',
      view({ candidates: [] }),
      drain('temporary', NOW - STANDBY_WAIT_MS),
      'ready',
    ],
    [
      'that serves nobody goes',
      view({ ready: false, candidates: [] }),
      drain('temporary'),
      'ready',
    ],
    [
      'that led until now waits until it follows',
      view({ ready: false, ledAtMs: NOW - 100 }),
      drain('temporary', NOW - 10_000),
      'wait',
    ],
    [
      'that led until now waits for what is true since',
      view({ ledAtMs: NOW - 100, rosterAtMs: NOW - 200 }),
      drain('temporary', NOW - 10_000),
      'wait',
    ],
    [
      'that led until now goes when it follows, and others could take over',
      view({ ledAtMs: NOW - 100 }),
      drain('temporary', NOW - 10_000),
      'ready',
    ],
  ]
  it.each(cases)('%s', (_, engine, cause, kind) => {
    expect(plan.drain(seen(engine), cause, rules).kind).toBe(kind)
  })
})

describe('a stop while the tree is away', () => {
  const away: [string, Partial<Observation>][] = [
    ['the tree cannot be read', { cluster: null }],
    ['the session is lost', { lease: 'lost' }],
  ]
  const goes: [string, PostgresqlView, Partial<Observation>][] = [
    ['when there is no set any more', view(), { statefulSet: { kind: 'notFound', atMs: NOW } }],
    ['when the set goes', view(), { statefulSet: set({ deleting: true }) }],
    ['when all of the set stop', view(), { statefulSet: set({ replicas: 0 }) }],
    ['when nobody else is there', view({ members: [] }), {}],
  ]

  it.each(away)('waits for as long as it may, since %s', (_, changes) => {
    for (const engine of [view(), primary()]) {
      const long = drain('temporary', NOW - 3 * STANDBY_WAIT_MS)
      expect(plan.drain(seen(engine, changes), long, rules).kind).toBe('wait')
    }
  })

  it.each(goes)('does not wait %s', (_, engine, changes) => {
    const at = seen(engine, { cluster: null, ...changes })
    expect(plan.drain(at, drain('temporary'), rules).kind).toBe('ready')
  })
})

describe('the way out of service', () => {
  const ordinals = fc.uniqueArray(fc.nat(5))
  const anyView = fc
    .record({
      leads: fc.boolean(),
      ready: fc.boolean(),
      synchronous: fc.boolean(),
      known: ordinals,
      fit: ordinals,
      rosterAgeMs: fc.option(fc.nat(40_000)),
      ledAgeMs: fc.option(fc.nat(40_000)),
    })
    .map(({ leads, ready, synchronous, known, fit, rosterAgeMs, ledAgeMs }) =>
      view({
        leads,
        ready,
        synchronous,
        members: members(...known),
        candidates: candidates(...fit),
        rosterAtMs: rosterAgeMs === null ? null : NOW - rosterAgeMs,
        ledAtMs: ledAgeMs === null ? null : NOW - ledAgeMs,
      }),
    )

  it('gives leadership only to one that may have it, stays, and was asked since', () => {
    fc.assert(
      fc.property(
        anyView,
        ordinals,
        fc.nat(6),
        fc.nat(60_000),
        (engine, stops, replicas, ageMs) => {
          const scaledDown = replicas < 6
          const stopping = { status: 'STOPPING', ready: false, role: 'replica', incarnation: 1 }
          const stopped = Object.fromEntries(stops.map((ordinal) => [`q-${ordinal}`, stopping]))
          const at = seen(engine, {
            self: { set: 'q', pod: 'q-5', ordinal: 5 },
            statefulSet: set({ replicas }),
            cluster: facts({ members: stopped }),
          })
          const cause = drain(scaledDown ? 'scaledDown' : 'temporary', NOW - ageMs)
          const step = plan.drain(at, cause, rules)
          if (step.kind === 'ready') {
            // Nobody who may lead would be left behind.
            expect(engine.leads && scaledDown && replicas > 0).toBe(false)
          }
          if (step.kind !== 'handOver') return
          const ordinal = Number(step.to?.slice(2))
          expect(engine.candidates.map(({ name }) => name)).toContain(step.to)
          expect(engine.rosterAtMs).toBeGreaterThanOrEqual(NOW - ageMs)
          expect([5, ...stops]).not.toContain(ordinal)
          if (scaledDown) expect(ordinal).toBeLessThan(replicas)
        },
      ),
    )
  })

  it('of a restart ends by itself', () => {
    fc.assert(
      fc.property(anyView, (engine) => {
        const late = drain('temporary', NOW - 2 * STANDBY_WAIT_MS - 40_000)
        const step = plan.drain(seen({ ...engine, leads: false }), late, rules)
        const led = engine.ledAtMs ?? 0
        if (NOW - led >= STANDBY_WAIT_MS) expect(step.kind).toBe('ready')
      }),
    )
  })
})

describe('a member that is about to be stopped', () => {
  const published = (engine: PostgresqlView) => {
    const stopping = seen(engine, { prestopAtMs: NOW })
    return decide(stopping, initialState(NOW), rules, clusterPolicy(plan)).publication
  }

  it('is sent clients for as long as it takes writes, which nobody else does', () => {
    expect(published(primary())).toEqual({ status: 'STOPPING', enabled: true })
    expect(published(primary({ ready: false }))).toEqual({ status: 'STOPPING', enabled: false })
    expect(published(view())).toEqual({ status: 'STOPPING', enabled: false })
  })
})

describe('a slot that nobody reads', () => {
  const tombstones = { 'q-3': { identity: '', at: 0, reason: '', done: true } }
  const cases: [string, string, Partial<Observation>, string | null][] = [
    ['of a removed pod goes', 'q-3', { cluster: facts({ tombstones }) }, 'q-3'],
    ['of a pod that was not removed stays', 'q-3', {}, null],
    [
      'stays until the removal is done',
      'q-3',
      { cluster: facts({ tombstones: { 'q-3': { ...tombstones['q-3'], done: false } } }) },
      null,
    ],
    [
      'of a pod that is wanted again stays',
      'q-3',
      { cluster: facts({ tombstones }), statefulSet: set({ replicas: 4 }) },
      null,
    ],
    ['stays while the tree is away', 'q-3', { cluster: null }, null],
    [
      'stays while the set cannot be read',
      'q-3',
      { cluster: facts({ tombstones }), statefulSet: { kind: 'never' } },
      null,
    ],
  ]
  it.each(cases)('%s', (_, pod, changes, dropped) => {
    const duty = plan.duty(seen(view({ idleSlots: [pod] }), changes))
    expect(duty?.args['pod'] ?? null).toBe(dropped)
  })
})
