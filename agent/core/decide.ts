import { NOTHING_WANTED, type TreeWants } from './cluster/facts.ts'
import type { EngineView, Observation, Rules } from './observation.ts'
import { NO_ACTION, type Policy, type Step } from './policy.ts'
import { type Action, type AgentState, missingMembers } from './state.ts'
import { isWanted } from './stop-verdict.ts'

/** What the agent says of the member, in the tree and to the readiness probe. */
export interface Publication {
  readonly status: 'STARTING' | 'ALIVE' | 'WARNING' | 'STOPPING'
  /** Clients may use the member now. */
  readonly enabled: boolean
}

export interface Decision {
  readonly state: AgentState
  readonly action: Action
  /** In one sentence, for people: /status, the log and events show it. */
  readonly reason: string
  /** What the tree is to hold for this agent from now on. */
  readonly wants: TreeWants
  /** Null: the member has no document. */
  readonly publication: Publication | null
  /** All waiting preStop calls are answered. */
  readonly prestopDone: boolean
  readonly exit: boolean
}

/**
 * What to do now. Pure: the same observation and state give the same decision. Called at every turn
 * of the agent's loop, it trusts nothing but what it is shown, so an agent that crashed goes on from
 * the disk, the record and the engine.
 */
export function decide<View extends EngineView>(
  observation: Observation<View>,
  before: AgentState,
  rules: Rules,
  policy: Policy<View>,
): Decision {
  const state = missingMembers(nextPhase(observation, before, rules), observation)
  const step = stepOf(observation, state, rules, policy)
  const held = step.action.kind !== 'none' && observation.nowMs < step.state.retryAtMs
  const drained = step.state.phase === 'drained'
  return {
    ...step,
    wants: wantsOf(step, observation.nowMs),
    action: held ? NO_ACTION : step.action,
    publication: publicationOf(observation, step.state, policy),
    prestopDone: drained || isPrestopOver(observation, step.state),
    exit: drained && observation.sigtermAtMs !== null,
  }
}

/**
 * Until the next try the lock is for those that wait for it: else one member that cannot be taken in, say for a
 * network that is cut, would keep all others from leaving. A stop has no time to wait for its turn again.
 */
function wantsOf({ wants = NOTHING_WANTED, state }: Step, nowMs: number): TreeWants {
  const givesWay = state.failed && nowMs < state.retryAtMs && state.drain === null
  return givesWay ? { ...wants, locks: wants.locks.filter((lock) => lock !== 'reconfig') } : wants
}

function stepOf<View extends EngineView>(
  observation: Observation<View>,
  state: AgentState,
  rules: Rules,
  policy: Policy<View>,
): Step {
  if (state.drain !== null) return policy.drain(observation, state, state.drain, rules)
  if (observation.asking) return policy.start(observation, state, rules)
  if (state.phase !== 'serving') return policy.wait(observation, state, rules)
  return policy.serve(observation, state, rules)
}

/** What happened since: the engine came, went or asks again; the pod is being stopped, or is not. */
function nextPhase(observation: Observation, state: AgentState, rules: Rules): AgentState {
  const { asking, engine, nowMs, sigtermAtMs } = observation
  const { drain } = state
  const back = { ...state, drain: null, prestopDoneAtMs: nowMs }
  if (sigtermAtMs !== null) {
    const budgetEndMs = sigtermAtMs + rules.sigtermBudgetMs
    if (drain === null) return beginDrain(state, 'sigterm', nowMs, budgetEndMs)
    // The engine has ended: there is nothing more to hear.
    const deadlineMs = Math.min(drain.deadlineMs, budgetEndMs)
    return { ...state, drain: { ...drain, deadlineMs, heardAtMs: null } }
  }
  // A process that waits for a permit was started again: its pod lives on, and so does the member.
  // A preStop of a process that only waits is answered at once: there is nothing to take out of service.
  if (asking) {
    const called = drain !== null || isCalled(observation, state)
    return called ? { ...back, phase: 'waiting' } : { ...state, phase: 'waiting' }
  }
  if (drain !== null) {
    const { endedAtMs, removed } = drain
    const over = endedAtMs !== null && nowMs - endedAtMs > rules.returnAfterMs
    const wanted = !removed || isWanted(observation)
    if (over && engine.answers && wanted) return { ...back, phase: 'serving' }
    return engine.answers ? { ...state, drain: { ...drain, heardAtMs: nowMs } } : state
  }
  if (isCalled(observation, state)) {
    return beginDrain(state, 'prestop', nowMs, nowMs + rules.drainBudgetMs)
  }
  if (engine.answers) return { ...state, phase: 'serving' }
  return state.phase === 'serving' ? { ...state, phase: 'waiting' } : state
}

/** A preStop call waits that no drain has answered yet. */
function isCalled({ prestopAtMs }: Observation, { prestopDoneAtMs }: AgentState): boolean {
  return prestopAtMs !== null && (prestopDoneAtMs === null || prestopAtMs > prestopDoneAtMs)
}

function beginDrain(
  state: AgentState,
  cause: 'prestop' | 'sigterm',
  nowMs: number,
  deadlineMs: number,
): AgentState {
  return {
    ...state,
    phase: 'draining',
    retryAtMs: nowMs,
    drain: {
      cause,
      startedAtMs: nowMs,
      deadlineMs,
      heardAtMs: cause === 'prestop' && state.phase === 'serving' ? nowMs : null,
      verdict: null,
      removed: false,
      marked: false,
      endedAtMs: null,
    },
  }
}

/** The drain was called off: whoever waits for its end waits for nothing. */
function isPrestopOver({ prestopAtMs }: Observation, state: AgentState): boolean {
  const { drain, prestopDoneAtMs } = state
  if (drain !== null || prestopAtMs === null || prestopDoneAtMs === null) return false
  return prestopDoneAtMs >= prestopAtMs
}

function publicationOf<View extends EngineView>(
  observation: Observation<View>,
  state: AgentState,
  policy: Policy<View>,
): Publication | null {
  if (state.drain !== null) {
    const gone = state.drain.removed && state.phase === 'drained'
    return gone ? null : { status: 'STOPPING', enabled: policy.isNeeded(observation) }
  }
  if (state.phase !== 'serving') return { status: 'STARTING', enabled: false }
  return policy.isUsable(observation)
    ? { status: 'ALIVE', enabled: true }
    : { status: 'WARNING', enabled: false }
}
