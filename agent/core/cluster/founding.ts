import type { EngineView, StatefulSetView } from '../observation.ts'
import type { Action } from '../state.ts'
import type { ClusterFacts } from './facts.ts'
import { type Move, pause, type Situation, underLock } from './gate.ts'
import { type Survey, surveyOf } from './survey.ts'

/**
 * The first cluster, of a pod whose disk is empty while the tree names none. `act` is what founds: the
 * permit of a founder, or `bootstrap` on a process that runs. Nobody else founds from the moment that
 * the intent is written, and the intent goes only when `initialized` is there, or by its owner's hand
 * while its engine surely founds nothing.
 */
export function foundingMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
  set: StatefulSetView,
  act: Action,
): Move {
  const { self } = situation.observation
  const { intent } = facts
  if (intent !== null && intent.by !== self.pod) {
    return pause(`${intent.by} is about to form the cluster`)
  }
  const survey = surveyOf(situation, facts, set)
  const obstacle = obstacleTo(survey, situation)
  // One that was chosen among others to start their cluster again founds none when it has lost its disk: those
  // others hold data, also while they are silent.
  const founds = Object.keys(intent?.chosenFrom ?? {}).length === 0
  if (intent !== null) {
    if (survey.holders.length === 0 && founds) {
      return underLock(facts, 'bootstrap', act, 'this pod has set out to form the cluster')
    }
    return underLock(facts, 'bootstrap', { kind: 'clearIntent' }, obstacle ?? 'others hold data')
  }
  if (obstacle !== null) return pause(obstacle)
  if (self.ordinal !== set.firstOrdinal)
    return pause(`ordinal ${set.firstOrdinal} forms the cluster`)
  const write: Action = { kind: 'writeIntent', chosenFrom: {} }
  return underLock(facts, 'bootstrap', write, 'all expected disks are empty')
}

/**
 * A cluster is on record, and no disk of the set holds any of it; null: one may. It is formed anew only where pods
 * keep their data themselves: anywhere else a volume may be brought back.
 */
export function lostMove<View extends EngineView>(
  situation: Situation<View>,
  { facts, set, clusterId, refusal }: LostCluster,
): Move | null {
  const { observation, plan, rules } = situation
  const { missing, holders, started } = surveyOf(situation, facts, set)
  if (missing.length > 0 || holders.length > 0) return null
  if (!rules.volatile) {
    const ways = 'bring a volume back, or delete the znode initialized to form a new cluster'
    return pause(`${refusal}: all disks of cluster ${clusterId} are empty: ${ways}`)
  }
  if (plan.forming === 'atStart' && started.length > 0) {
    return pause(`${started.join(', ')} may be running`)
  }
  if (observation.self.ordinal !== set.firstOrdinal) {
    return pause(`ordinal ${set.firstOrdinal} forms another cluster`)
  }
  const reason = `all data of cluster ${clusterId} went with its pods`
  return underLock(facts, 'bootstrap', { kind: 'forget' }, reason)
}

export interface LostCluster {
  readonly facts: ClusterFacts
  readonly set: StatefulSetView
  readonly clusterId: string
  /** How a refusal begins. */
  readonly refusal: string
}

function obstacleTo(survey: Survey, { plan }: Situation): string | null {
  const { missing, clusters, holders, started } = survey
  if (clusters.length > 1) return `disks hold different clusters: ${clusters.join(', ')}`
  if (holders.length > 0) {
    const whose = clusters[0] === undefined ? 'data' : `cluster ${clusters[0]}`
    return `${holders.join(', ')} holds ${whose}, which the tree does not know: it goes on first`
  }
  if (missing.length > 0) return `no report yet of ${missing.join(', ')}`
  // A process that runs without a cluster is how some are formed; elsewhere it may be forming one.
  if (plan.forming === 'atStart' && started.length > 0)
    return `${started.join(', ')} may be running`
  return null
}
