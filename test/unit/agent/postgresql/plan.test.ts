import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clusterPolicy } from '../../../../agent/core/cluster/cluster-policy.ts'
import type { PostgresqlView } from '../../../../agent/core/cluster/postgresql-plan.ts'
import { decide } from '../../../../agent/core/decide.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { type Drain, initialState } from '../../../../agent/core/state.ts'
import { facts } from '../cluster-observations.ts'
import { NOW, rules, set } from '../observations.ts'
import { candidates, members, plan, primary, STANDBY_WAIT_MS, seen, view } from './views.ts'

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
