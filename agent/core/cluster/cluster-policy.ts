import type { EngineView } from '../observation.ts'
import type { Policy } from '../policy.ts'
import { drainStep } from './cluster-drain.ts'
import { isOfTheTree, serveStep, waitStep } from './cluster-serve.ts'
import { startStep } from './cluster-start.ts'
import { situationOf } from './gate.ts'
import type { ClusterPlan } from './plan.ts'

/** The rules of an agent whose cluster is on record in the tree, with what its engine's plan adds. */
export function clusterPolicy<View extends EngineView>(plan: ClusterPlan<View>): Policy<View> {
  return {
    memory: 'tree',
    start: (observation, state, rules) => startStep(situationOf(observation, state, rules, plan)),
    wait: (observation, state, rules) => waitStep(situationOf(observation, state, rules, plan)),
    serve: (observation, state, rules) => serveStep(situationOf(observation, state, rules, plan)),
    drain: (observation, state, drain, rules) =>
      drainStep(situationOf(observation, state, rules, plan), drain),
    // Without the tree, and before it has said anything, the engine's own word counts.
    isUsable: (observation) => observation.engine.ready && isOfTheTree({ observation, plan }),
    isNeeded: (observation) => plan.isNeeded?.(observation) ?? false,
  }
}
