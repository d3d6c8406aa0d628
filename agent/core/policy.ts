import type { TreeWants } from './cluster/facts.ts'
import type { EngineView, Observation, Rules } from './observation.ts'
import type { Action, AgentState, Drain } from './state.ts'

/** What one rule says: a side effect or none, what is remembered, and why. */
export interface Step {
  readonly state: AgentState
  readonly action: Action
  readonly reason: string
  /** Left out: nothing is wanted of the tree. */
  readonly wants?: TreeWants
}

/**
 * An engine's rules: pure, as all of agent/core. `decide` asks one of them at each turn, by the phase
 * of the member. The view that an engine gives of itself may have more fields than `EngineView`; its
 * own rules see them. (Methods, not functions in fields: an engine's policy then passes for a policy
 * of any engine, and the driver only ever shows it what the same engine observed.)
 */
export interface Policy<View extends EngineView = EngineView> {
  /** Where a cluster's founding is kept: in the forming record (the server), or in the tree. */
  readonly memory: 'record' | 'tree'
  /** The process blocks on the permit pipe: it surely does not run. */
  start(observation: Observation<View>, state: AgentState, rules: Rules): Step
  /** A permit was given, and the process does not answer yet, or no longer. */
  wait(observation: Observation<View>, state: AgentState, rules: Rules): Step
  /** The process answers, and is not about to be stopped. */
  serve(observation: Observation<View>, state: AgentState, rules: Rules): Step
  /** The pod is about to be stopped. Ends with a state whose phase is `drained`. */
  drain(observation: Observation<View>, state: AgentState, drain: Drain, rules: Rules): Step
  /** Clients may use the member, which serves. Never depends on the tree being there. */
  isUsable(observation: Observation<View>): boolean
  /** The same of a member that is about to be stopped: it is the only one for what it does. */
  isNeeded(observation: Observation<View>): boolean
}

export const NO_ACTION: Action = { kind: 'none' }
