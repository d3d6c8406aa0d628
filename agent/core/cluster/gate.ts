import type { EngineView, Observation, Rules } from '../observation.ts'
import { NO_ACTION, type Step } from '../policy.ts'
import type { Action, AgentState } from '../state.ts'
import type { ClusterFacts, LockName, RecoveryReport } from './facts.ts'
import type { ClusterPlan, Duty } from './plan.ts'

/** Everything that the rules of a cluster are given; `facts` are those on which something may begin. */
export interface Situation<View extends EngineView = EngineView> {
  readonly observation: Observation<View>
  readonly state: AgentState
  readonly rules: Rules
  readonly plan: ClusterPlan<View>
  /** Null: nothing that needs the tree may begin. */
  readonly facts: ClusterFacts | null
}

export function situationOf<View extends EngineView>(
  observation: Observation<View>,
  state: AgentState,
  rules: Rules,
  plan: ClusterPlan<View>,
): Situation<View> {
  const { cluster, lease, nowMs } = observation
  const fresh = cluster !== null && nowMs - cluster.atMs <= rules.treeFreshMs
  return { observation, state, rules, plan, facts: fresh && lease === 'held' ? cluster : null }
}

/** What a rule wants done, before the general wants are added. */
export interface Move {
  readonly action: Action
  readonly reason: string
  readonly locks: readonly LockName[]
  readonly state?: AgentState
  /** The engine may have data before the report can change again. */
  readonly fills?: boolean
}

export function pause(reason: string, locks: readonly LockName[] = []): Move {
  return { action: NO_ACTION, reason, locks }
}

/** `action` once the lock is held; until then its turn is waited for. */
export function underLock(
  facts: ClusterFacts,
  lock: LockName,
  action: Action,
  reason: string,
): Move {
  const view = facts.locks[lock]
  if (view?.mine === true) return { action, reason, locks: [lock] }
  const holder = view === null ? '' : `, which ${view.holder} holds`
  return pause(`${reason}: waits for the lock ${lock}${holder}`, [lock])
}

/** A duty as a move, under the lock that it needs. */
export function commandMove(facts: ClusterFacts, { reason, lock, ...duty }: Duty): Move {
  const command: Action = { kind: 'command', lock, ...duty }
  if (lock === null) return { action: command, reason, locks: [] }
  return underLock(facts, lock, command, reason)
}

/**
 * What this pod's report says now; null: nothing can be said yet. `started`: the engine runs or may do so
 * before the report can change again.
 */
export function reportOf<View extends EngineView>(
  { observation, plan }: Pick<Situation<View>, 'observation' | 'plan'>,
  started: boolean,
): RecoveryReport | null {
  const { disk, engine, position, incarnation } = observation
  if (disk.kind === 'unreadable') return null
  const onDisk = disk.kind === 'member' ? disk.clusterId : ''
  const unknown = plan.restart === 'elected' && disk.kind === 'member' && position === null
  if (!started && unknown) return null
  return {
    engineClusterId: (engine.answers ? engine.clusterId : '') || onDisk,
    position,
    empty: disk.kind === 'empty' && !(engine.answers && engine.clusterId !== ''),
    started,
    incarnation,
  }
}

/** The step of a move, with the report that goes with it. */
export function stepOf<View extends EngineView>(
  situation: Situation<View>,
  move: Move,
  started: boolean,
): Step {
  const said = reportOf(situation, started)
  const report = said && { ...said, empty: said.empty && move.fills !== true }
  return {
    state: move.state ?? situation.state,
    action: move.action,
    reason: move.reason,
    wants: { locks: move.locks, report },
  }
}
