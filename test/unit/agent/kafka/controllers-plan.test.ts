import { describe, expect, it } from 'vitest'
import {
  type ControllersView,
  controllersPlan,
} from '../../../../agent/core/cluster/controllers-plan.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { facts, ready } from '../cluster-observations.ts'
import { idle, NOW, observation, rules, set } from '../observations.ts'

const plan = controllersPlan({ kafkaLeaderlessMs: 20_000, kafkaTurnsMs: 10_000 })
const BEGAN = NOW - 15_000

/** Three vote, or so many, all in step since the stop began but those that are named. */
function view(changes: Partial<ControllersView> = {}, voters = 3, behind: number[] = []) {
  const ordinals = Array.from({ length: voters }, (_, i) => i)
  const own: ControllersView = {
    ...idle,
    answers: true,
    ready: true,
    leader: 'q-0',
    votes: true,
    members: ordinals.map((i) => ({ name: `q-${i}`, identity: `d${i}`, voter: true, heard: true })),
    caughtUpAtMs: Object.fromEntries(
      ordinals.map((i) => [`q-${i}`, behind.includes(i) ? BEGAN - 1 : BEGAN]),
    ),
  }
  return { ...own, ...changes }
}

function seen(changes: Partial<Observation<ControllersView>>): Observation<ControllersView> {
  const self = { set: 'q', pod: 'q-1', ordinal: 1 }
  return { ...observation(), self, engine: view(), ...changes }
}

function drain(kind: 'temporary' | 'scaledDown', startedAtMs = BEGAN): Drain {
  const rest = {
    deadlineMs: NOW + 60_000,
    removed: false,
    marked: false,
    endedAtMs: null,
    heardAtMs: null,
  }
  return { cause: 'prestop', startedAtMs, verdict: { kind, reason: 'told' }, ...rest }
}

function stopping(...pods: readonly string[]): ClusterFacts {
  const member = { ...ready, status: 'STOPPING', ready: false, role: 'controller' }
  return facts({ members: Object.fromEntries(pods.map((pod) => [pod, member])) })
}

const step = (
  changes: Partial<Observation<ControllersView>>,
  kind: 'temporary' | 'scaledDown' = 'temporary',
  startedAtMs = BEGAN,
) => plan.drain(seen(changes), drain(kind, startedAtMs), rules)

const READY = { kind: 'ready' }

describe('the vote of a controller', () => {
  it('is asked for by every one of the set that runs without', () => {
    const vote = { name: 'addVoter', lock: 'reconfig' }
    const self = { set: 'q', pod: 'q-4', ordinal: 4 }
    const engine = view({ votes: false })
    expect(plan.duty(seen({ engine, self, statefulSet: set({ replicas: 5 }) }))).toMatchObject(vote)
    expect(plan.duty(seen({ engine, self, statefulSet: set({ replicas: 3 }) }))).toBeNull()
    expect(plan.duty(seen({ engine: view({ votes: true }) }))).toBeNull()
    expect(plan.duty(seen({ engine: view({ votes: false, ready: false }) }))).toBeNull()
  })
})

describe('the stop of a controller', () => {
  it('waits until a majority is in step without it', () => {
    expect(step({})).toEqual(READY)
    expect(step({ engine: view({}, 3, [2]) })).toEqual({
      kind: 'wait',
      reason: '2 of 3 controllers have to stay, and 1 others are in step',
    })
    expect(step({ engine: view({}, 5, [4]) })).toEqual(READY)
    expect(step({ engine: view({}, 5, [3, 4]) })).toMatchObject({ kind: 'wait' })
  })

  it('counts nobody who was last seen before the stop began', () => {
    expect(step({}, 'temporary', BEGAN + 1)).toMatchObject({ kind: 'wait' })
  })

  it('needs a majority of those that vote when its vote is gone', () => {
    // Three of four, and then two of two.
    expect(step({ engine: view({}, 4, [3]) }, 'temporary')).toMatchObject({ kind: 'wait' })
    expect(step({ engine: view({}, 4, [3]) }, 'scaledDown')).toEqual(READY)
    expect(step({ engine: view({}, 3, [2]) }, 'scaledDown')).toMatchObject({ kind: 'wait' })
    expect(step({ engine: view({}, 2) }, 'scaledDown')).toEqual(READY)
  })

  it('waits for nothing that cannot be: one of two, or the only one', () => {
    expect(step({ engine: view({}, 2) })).toEqual(READY)
    expect(
      step({ engine: view({ votes: true }, 1), self: { set: 'q', pod: 'q-0', ordinal: 0 } }),
    ).toEqual(READY)
  })

  it('waits for nobody where it has no vote, or the whole set goes', () => {
    const engine = view({}, 3, [0, 2])
    expect(step({ engine: { ...engine, votes: false } })).toEqual(READY)
    expect(step({ engine, statefulSet: set({ replicas: 0 }) })).toEqual(READY)
    expect(step({ engine, statefulSet: set({ deleting: true }) })).toEqual(READY)
    expect(step({ engine, statefulSet: { kind: 'notFound', atMs: NOW } })).toEqual(READY)
  })

  it('waits for a leader, which an election brings, and not for ever', () => {
    const waits = { kind: 'wait' }
    const told = (agoMs: number) => view({ votes: null, caughtUpAtMs: { 'q-0': NOW - agoMs } })
    expect(step({ engine: view({ votes: null }) })).toMatchObject(waits)
    expect(step({ engine: told(19_999) }, 'temporary', NOW - 50_000)).toMatchObject(waits)
    expect(step({ engine: told(20_000) }, 'temporary', NOW - 50_000)).toEqual(READY)
    expect(step({ engine: told(50_000) }, 'temporary', NOW - 19_999)).toMatchObject(waits)
  })

  it('goes after others of a higher ordinal that stop too', () => {
    const waits = { kind: 'wait' }
    expect(step({ cluster: stopping('q-2') })).toMatchObject(waits)
    expect(step({ cluster: stopping('q-0') })).toEqual(READY)
    expect(step({ cluster: stopping('q-1') })).toEqual(READY)
    expect(step({ cluster: stopping('q-4'), engine: view({}, 5) })).toEqual(READY)
    expect(step({ cluster: stopping('q-3', 'q-4'), engine: view({}, 5) })).toMatchObject(waits)
  })

  it('looks first whether another that stops is gone by now', () => {
    const began = NOW - 9_999
    const caughtUpAtMs = { 'q-0': NOW, 'q-1': NOW, 'q-2': NOW }
    const engine = view({ caughtUpAtMs })
    expect(step({ engine, cluster: stopping('q-0') }, 'temporary', began)).toEqual({
      kind: 'wait',
      reason: 'q-0 may stop first',
    })
    expect(step({ engine, cluster: stopping('q-0') }, 'temporary', began - 1)).toEqual(READY)
    expect(step({ engine }, 'temporary', began)).toEqual(READY)
  })
})
