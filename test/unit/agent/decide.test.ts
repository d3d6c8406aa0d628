import { describe, expect, it } from 'vitest'
import { type Decision, decide } from '../../../agent/core/decide.ts'
import type { Observation } from '../../../agent/core/observation.ts'
import { serverPolicy } from '../../../agent/core/server-policy.ts'
import { type AgentState, initialState, settle } from '../../../agent/core/state.ts'
import { found, holding, idle, NOW, observation, rules, serving, set } from './observations.ts'

/** Decides in turn, at the given moments; each action but the last succeeds at once. */
class Agent {
  state: AgentState = initialState(NOW - 60_000)

  see(changes: Partial<Observation>): Decision {
    const decision = decide(observation(changes), this.state, rules, serverPolicy)
    this.state = decision.state
    return decision
  }

  done(decision: Decision, ok = true, atMs = NOW): void {
    this.state = settle(this.state, decision.action, { ok, atMs }, rules.retryMs)
  }
}

const formed = found({ phase: 'formed', clusterId: 'c1' })
const served = { disk: holding('c1'), record: formed, engine: serving('q-1') }

describe('an engine that asks to start', () => {
  it('gets a permit each time, decided afresh', () => {
    const agent = new Agent()
    const first = agent.see({ ...served, engine: idle, asking: true })
    expect(first.action).toEqual({ kind: 'permit', mode: 'resume' })
    agent.done(first)
    expect(agent.see({ ...served, engine: idle }).reason).toBe('the engine starts')
    expect(agent.see(served).publication).toEqual({ status: 'ALIVE', enabled: true })
    const other = found({ phase: 'formed', clusterId: 'c2' })
    const second = agent.see({ ...served, record: other, engine: idle, asking: true })
    expect(second.action).toEqual({ kind: 'moveAside' })
  })

  it('gets nothing while it does not ask', () => {
    expect(new Agent().see({ ...served, engine: idle }).action.kind).toBe('none')
  })

  it('is published as starting', () => {
    const decision = new Agent().see({ ...served, engine: idle, asking: true })
    expect(decision.publication).toEqual({ status: 'STARTING', enabled: false })
  })
})

describe('a member that serves', () => {
  it('is not usable before the cluster is formed', () => {
    const decision = new Agent().see({ ...served, record: found() })
    expect(decision.publication).toEqual({ status: 'WARNING', enabled: false })
  })

  it('stays usable without the Kubernetes API', () => {
    const failed = { kind: 'failed' as const, atMs: NOW, reason: 'timeout', refused: false }
    const decision = new Agent().see({ ...served, record: failed, statefulSet: failed })
    expect(decision.publication).toEqual({ status: 'ALIVE', enabled: true })
  })

  it('declares the cluster formed as its leader, by the version that it read', () => {
    const action = new Agent().see({ ...served, record: found(), engine: serving('q-0') }).action
    expect(action).toEqual({
      kind: 'writeRecord',
      version: '7',
      record: {
        statefulSetUid: 'uid-1',
        clusterId: 'c1',
        bootstrapper: 'mark-0',
        expected: 3,
        phase: 'formed',
      },
    })
  })

  it('does not declare it formed before a majority of the replicas votes', () => {
    const engine = { ...serving('q-0'), members: [{ name: 'q-0', voter: true, heard: true }] }
    expect(new Agent().see({ ...served, record: found(), engine }).action.kind).toBe('none')
  })

  it('makes a record for data that came from an earlier set', () => {
    const record = { kind: 'notFound' as const, atMs: NOW }
    const { action } = new Agent().see({ ...served, record, engine: serving('q-0') })
    expect(action).toMatchObject({ kind: 'writeRecord', version: null })
  })
})

describe('a member that was removed and is wanted again', () => {
  const reason = 'SERVER_RETIRED: server q-0 was removed from the ensemble'
  const retired = { ...serving('q-1'), answers: true, ready: false, retired: true, reason }

  it('is taken back on fresh evidence that its ordinal is within the replicas', () => {
    const agent = new Agent()
    const nowMs = NOW + rules.verdictFreshMs + 1
    expect(agent.see({ ...served, engine: retired, nowMs }).action).toEqual({ kind: 'verify' })
    const decision = agent.see({ ...served, engine: retired, nowMs, statefulSet: set({}, nowMs) })
    expect(decision.action).toEqual({ kind: 'readmit' })
    expect(decision.publication?.enabled).toBe(false)
  })

  it('loses the note that it left before it is taken back', () => {
    const disk = { kind: 'member', clusterId: 'c1', incarnation: 'i1', departed: true } as const
    const agent = new Agent()
    expect(agent.see({ ...served, engine: retired, disk }).action.kind).toBe('clearDeparted')
    const cleared = { ...disk, departed: false }
    expect(agent.see({ ...served, engine: retired, disk: cleared }).action.kind).toBe('readmit')
  })

  it('is not taken back beyond the replicas, under another set, or without an answer', () => {
    const actionFor = (changes: Partial<Observation>) =>
      new Agent().see({ ...served, engine: retired, ...changes }).action.kind
    expect(actionFor({})).toBe('readmit')
    expect(actionFor({ statefulSet: set({ replicas: 0 }) })).toBe('none')
    expect(actionFor({ statefulSet: set({ deleting: true }) })).toBe('none')
    expect(
      actionFor({ statefulSet: { kind: 'failed', atMs: NOW, reason: '403', refused: true } }),
    ).toBe('none')
    expect(actionFor({ ownerUid: 'another' })).toBe('none')
  })
})

describe('preStop of a restart', () => {
  const prestop = { ...served, prestopAtMs: NOW }

  it('asks why, steps back, keeps the membership', () => {
    const agent = new Agent()
    agent.see({ ...served, engine: serving('q-0') })
    const engine = serving('q-0')
    const old = set({}, NOW - 100)
    const why = agent.see({ ...prestop, engine, statefulSet: old })
    expect(why.action).toEqual({ kind: 'verify' })
    expect(why.publication).toEqual({ status: 'STOPPING', enabled: false })
    expect(agent.see({ ...prestop, engine }).reason).toMatch(/^temporary/)
    const over = agent.see({ ...prestop, engine })
    expect(over.action).toEqual({ kind: 'handOver', to: null })
    expect(over.prestopDone).toBe(false)
    const drained = agent.see(prestop)
    expect(drained.reason).toMatch(/membership kept/)
    expect(drained.prestopDone).toBe(true)
    expect(drained.exit).toBe(false)
    expect(agent.see({ ...prestop, sigtermAtMs: NOW, engine: idle }).exit).toBe(true)
  })

  it('does not wait for ever for a leader that cannot move', () => {
    const agent = new Agent()
    const engine = serving('q-0')
    agent.see({ ...prestop, engine })
    agent.see({ ...prestop, engine })
    const nowMs = NOW + rules.handOverMs + 1
    expect(agent.see({ ...prestop, engine, nowMs }).prestopDone).toBe(true)
  })

  it('takes an API that fails for a restart', () => {
    const agent = new Agent()
    const failed = { kind: 'failed' as const, atMs: NOW, reason: '403', refused: true }
    agent.see({ ...prestop, statefulSet: failed })
    expect(agent.see({ ...prestop, statefulSet: failed }).reason).toMatch(/kept.*403/)
  })

  it('asks on for a while when the API does not answer, and no longer', () => {
    const agent = new Agent()
    const lost = (atMs: number) => ({ kind: 'failed' as const, atMs, reason: 'x', refused: false })
    expect(agent.see({ ...prestop, statefulSet: lost(NOW) }).action).toEqual({ kind: 'verify' })
    const late = NOW + rules.verdictPatienceMs
    const nearly = agent.see({ ...prestop, nowMs: late - 1, statefulSet: lost(late - 1) })
    expect(nearly).toMatchObject({ action: { kind: 'verify' }, prestopDone: false })
    expect(agent.see({ ...prestop, nowMs: late, statefulSet: lost(late) }).prestopDone).toBe(false)
    expect(agent.see({ ...prestop, nowMs: late, statefulSet: lost(late) }).prestopDone).toBe(true)
  })

  it('is answered at once while the engine only waits for a permit', () => {
    const agent = new Agent()
    const asking = { ...prestop, engine: idle, asking: true, statefulSet: set({ deleting: true }) }
    expect(agent.see(asking)).toMatchObject({ prestopDone: true, state: { drain: null } })
    const later = { ...asking, prestopAtMs: NOW + 1, nowMs: NOW + 2 }
    expect(agent.see(later).prestopDone).toBe(true)
  })

  it('is taken back when no SIGTERM comes', () => {
    const agent = new Agent()
    agent.see(prestop)
    expect(agent.see(prestop).prestopDone).toBe(true)
    const later = NOW + rules.returnAfterMs + 1
    expect(agent.see({ ...prestop, nowMs: later - 1 }).publication?.status).toBe('STOPPING')
    const back = agent.see({ ...prestop, nowMs: later })
    expect(back.publication).toEqual({ status: 'ALIVE', enabled: true })
    const again = agent.see({ ...prestop, nowMs: later + 5_000, prestopAtMs: later + 5_000 })
    expect(again.publication?.status).toBe('STOPPING')
  })

  it('is taken back when the engine asks to start again', () => {
    const agent = new Agent()
    agent.see(prestop)
    const decision = agent.see({ ...prestop, engine: idle, asking: true })
    expect(decision.action).toEqual({ kind: 'permit', mode: 'resume' })
    expect(decision.prestopDone).toBe(true)
  })
})

describe('preStop of a scale-down', () => {
  const self = { set: 'q', pod: 'q-2', ordinal: 2 }
  const prestop = {
    ...served,
    self,
    engine: serving('q-0', 'q-2'),
    prestopAtMs: NOW,
    statefulSet: set({ replicas: 1 }),
  }

  function judged(engine = serving('q-0', 'q-2')): Agent {
    const agent = new Agent()
    agent.see({ ...prestop, engine })
    return agent
  }

  it('removes the member, notes it on the disk, withdraws the document', () => {
    const agent = judged()
    const removal = agent.see(prestop)
    expect(removal.action).toEqual({ kind: 'remove', name: 'q-2' })
    agent.done(removal)
    const note = agent.see(prestop)
    expect(note.action).toEqual({ kind: 'markDeparted' })
    agent.done(note)
    const drained = agent.see(prestop)
    expect(drained).toMatchObject({ prestopDone: true, publication: null })
    const nowMs = NOW + rules.returnAfterMs + 1
    expect(agent.see({ ...prestop, nowMs }).publication).toBeNull()
  })

  it('hands leadership to an ordinal that stays first', () => {
    const engine = serving('q-2', 'q-2')
    expect(judged(engine).see(prestopWith(engine)).action).toEqual({ kind: 'handOver', to: 'q-0' })
  })

  it('hands leadership past one that does not answer', () => {
    const silent = (...names: string[]) => {
      const engine = serving('q-2', 'q-2')
      const members = engine.members.map((member) => ({
        ...member,
        heard: !names.includes(member.name),
      }))
      return judged(engine).see(
        prestopWith({ ...engine, members }, { statefulSet: set({ replicas: 2 }) }),
      ).action
    }
    expect(silent('q-0')).toEqual({ kind: 'handOver', to: 'q-1' })
    expect(silent('q-0', 'q-1')).toEqual({ kind: 'handOver', to: null })
  })

  it('waits while another condemned member leads', () => {
    const engine = serving('q-1', 'q-2')
    const decision = judged(engine).see(prestopWith(engine))
    expect(decision.action.kind).toBe('none')
    expect(decision.reason).toMatch(/q-1 leads/)
  })

  it('asks again when its evidence is old, and stays when the set was scaled up meanwhile', () => {
    const agent = judged()
    const nowMs = NOW + rules.verdictFreshMs + 1
    expect(agent.see({ ...prestop, nowMs }).action).toEqual({ kind: 'verify' })
    const grown = agent.see({ ...prestop, nowMs, statefulSet: set({}, nowMs) })
    expect(grown.action.kind).toBe('none')
    expect(grown.prestopDone).toBe(true)
    expect(grown.reason).toMatch(/membership kept/)
  })

  it('tries again after a failure, not at once, and ends with its budget', () => {
    const agent = judged()
    const removal = agent.see(prestop)
    agent.done(removal, false)
    expect(agent.see({ ...prestop, nowMs: NOW + rules.retryMs - 1 }).action.kind).toBe('none')
    expect(agent.see({ ...prestop, nowMs: NOW + rules.retryMs }).action.kind).toBe('remove')
    const end = agent.see({ ...prestop, nowMs: NOW + rules.drainBudgetMs })
    expect(end.prestopDone).toBe(true)
    expect(end.reason).toMatch(/budget/)
  })

  function prestopWith(
    engine: Observation['engine'],
    changes: Partial<Observation> = {},
  ): Partial<Observation> {
    return { ...prestop, engine, ...changes }
  }
})

describe('SIGTERM without preStop', () => {
  it('drains with what is left of the time, then exits', () => {
    const agent = new Agent()
    const stopped = { ...served, engine: idle, sigtermAtMs: NOW, statefulSet: set({}, NOW - 1) }
    const first = agent.see(stopped)
    expect(first).toMatchObject({ action: { kind: 'verify' }, exit: false })
    const nowMs = NOW + rules.sigtermBudgetMs
    expect(agent.see({ ...stopped, nowMs }).exit).toBe(true)
  })

  it('gives no permit any more', () => {
    const decision = new Agent().see({ ...served, engine: idle, asking: true, sigtermAtMs: NOW })
    expect(decision.action.kind).not.toBe('permit')
  })
})

describe('the agent of the leader', () => {
  const leading = {
    ...served,
    engine: serving('q-0'),
    statefulSet: set({ replicas: 2 }),
    published: ['q-0', 'q-1'],
  }

  it('removes who is beyond the replicas and gone for long, on fresh evidence', () => {
    const agent = new Agent()
    expect(agent.see(leading).action.kind).toBe('none')
    const nowMs = NOW + rules.reconcileAfterMs
    const statefulSet = set({ replicas: 2 }, nowMs)
    expect(agent.see({ ...leading, nowMs }).action).toEqual({ kind: 'verify' })
    const removal = agent.see({ ...leading, nowMs, statefulSet })
    expect(removal.action).toEqual({ kind: 'remove', name: 'q-2' })
  })

  it('removes nobody who is expected, published or only unseen', () => {
    const nowMs = NOW + rules.reconcileAfterMs
    const actionLater = (changes: Partial<Observation>) => {
      const agent = new Agent()
      agent.see({ ...leading, ...changes })
      const statefulSet = changes.statefulSet ?? set({ replicas: 2 }, nowMs)
      return agent.see({ ...leading, statefulSet, nowMs, ...changes }).action.kind
    }
    expect(actionLater({ published: ['q-0', 'q-1', 'q-2'] })).toBe('none')
    expect(actionLater({ published: null })).toBe('none')
    expect(actionLater({ statefulSet: set({ replicas: 3 }, nowMs) })).toBe('none')
    expect(actionLater({ statefulSet: set({ replicas: 0 }, nowMs) })).toBe('none')
    expect(actionLater({ ownerUid: 'another' })).toBe('none')
    expect(actionLater({})).toBe('remove')
  })
})
