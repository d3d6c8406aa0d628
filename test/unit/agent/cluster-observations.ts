import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { ClusterFacts, LockName, RecoveryReport } from '../../../agent/core/cluster/facts.ts'
import { type ClusterPlan, compareCounts } from '../../../agent/core/cluster/plan.ts'
import { type Decision, decide } from '../../../agent/core/decide.ts'
import type { EngineView, Observation, Rules } from '../../../agent/core/observation.ts'
import { type AgentState, initialState, settle } from '../../../agent/core/state.ts'
import { NOW, observation, rules, serving } from './observations.ts'

/** Formed by one permit; members with data just start. */
export const atStart: ClusterPlan = {
  forming: 'atStart',
  restart: 'itself',
  joins: 'freely',
  removedReturns: 'fresh',
  comparePositions: compareCounts,
  startGate: () => null,
  duty: () => null,
  setDuty: () => null,
  drain: () => ({ kind: 'ready' }),
}
export const elected: ClusterPlan = {
  ...atStart,
  restart: 'elected',
  joins: 'oneAtATime',
  removedReturns: 'asIs',
}
export const whileRunning: ClusterPlan = {
  ...atStart,
  forming: 'whileRunning',
  removedReturns: 'asIs',
}
export const itself: ClusterPlan = { ...atStart, forming: 'itself', removedReturns: 'asIs' }

export const emptyReport: RecoveryReport = {
  engineClusterId: '',
  position: null,
  empty: true,
  started: false,
  incarnation: 1,
}

export function dataReport(position: string | null = null, clusterId = 'c1'): RecoveryReport {
  return { ...emptyReport, engineClusterId: clusterId, position, empty: false }
}

export const started = (report: RecoveryReport): RecoveryReport => ({ ...report, started: true })

export const initialized = {
  engineClusterId: 'c1',
  by: 'q-0',
  at: 0,
  position: null,
  expected: 3,
}

export function intentOf(by: string) {
  return { by, incarnation: 1, token: 't1', nonce: 'n1', chosenFrom: {} }
}

export function facts(changes: Partial<ClusterFacts> = {}, mine: LockName[] = []): ClusterFacts {
  const lock = (name: LockName) =>
    mine.includes(name) ? { holder: 'q-0', token: 't2', mine: true } : null
  return {
    atMs: NOW,
    initialized: null,
    intent: null,
    reports: {},
    tombstones: {},
    members: {},
    locks: {
      bootstrap: lock('bootstrap'),
      reconfig: lock('reconfig'),
      election: lock('election'),
    },
    ...changes,
  }
}

export const ready = { status: 'ALIVE', ready: true, role: 'follower', incarnation: 1 }

/** A process that runs in no cluster. */
export const unformed: EngineView = {
  ...serving('q-1'),
  ready: false,
  reason: 'in no cluster',
  clusterId: '',
  leader: null,
  members: [],
}

/** The agent of q-0 under a plan; each look is the newest, at NOW unless it says another time. */
export class ClusterAgent {
  readonly plan: ClusterPlan
  state: AgentState = initialState(NOW - 300_000)
  readonly #rules: Rules

  constructor(plan: ClusterPlan, changes: Partial<Rules> = {}) {
    this.plan = plan
    this.#rules = { ...rules, ...changes }
  }

  see(changes: Partial<Observation>): Decision {
    const seen = observation({ record: { kind: 'never' }, treeReadAtMs: NOW, ...changes })
    const decision = decide(seen, this.state, this.#rules, clusterPolicy(this.plan))
    this.state = decision.state
    return decision
  }

  done(decision: Decision, ok = true): void {
    const outcome = { ok, atMs: NOW - rules.retryMs }
    this.state = settle(this.state, decision.action, outcome, rules.retryMs)
  }
}
