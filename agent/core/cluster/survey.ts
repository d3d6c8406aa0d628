import {
  type EngineView,
  isExpected,
  isFresh,
  ordinalOf,
  type StatefulSetView,
} from '../observation.ts'
import type { ClusterFacts, RecoveryReport } from './facts.ts'
import type { Situation } from './gate.ts'

/** What all pods that are expected say of their disks, this one by its own eyes. */
export interface Survey {
  /** Expected pods without a report. */
  readonly missing: readonly string[]
  /** Ids of the clusters on any disk, each once, in order. */
  readonly clusters: readonly string[]
  /** Other pods whose disk is not empty. */
  readonly holders: readonly string[]
  /** Other pods whose engine runs, or is about to. */
  readonly started: readonly string[]
  /** By pod, of the disks that have one. */
  readonly positions: Readonly<Record<string, string>>
}

/** The StatefulSet when it was read lately, is not being deleted and runs this ordinal; else why not. */
export function expectedSet({ observation, rules }: Situation): StatefulSetView | string {
  const { statefulSet, self, nowMs } = observation
  if (statefulSet.kind !== 'ok' || !isFresh(statefulSet, nowMs, rules.startFreshMs)) {
    return 'the StatefulSet cannot be read'
  }
  if (statefulSet.value.deleting) return 'the StatefulSet is being deleted'
  return isExpected(self.ordinal, statefulSet.value)
    ? statefulSet.value
    : 'the ordinal is beyond the replicas'
}

export function surveyOf<View extends EngineView>(
  { observation }: Situation<View>,
  facts: ClusterFacts,
  set: StatefulSetView,
): Survey {
  const { self, disk, position } = observation
  const others = Object.entries(facts.reports).filter(([pod]) => pod !== self.pod)
  const count = Math.max(set.replicas, facts.initialized?.expected ?? 0)
  const pods = Array.from({ length: count }, (_, i) => `${self.set}-${set.firstOrdinal + i}`)
  const reported = others.map(([pod]) => pod)
  const own = disk.kind === 'member' ? [disk.clusterId] : []
  const ids = [...own, ...others.map(([, report]) => report.engineClusterId)]
  const positions = others.flatMap(([pod, report]) => positionOf(pod, report))
  if (position !== null && disk.kind === 'member') positions.push([self.pod, position])
  return {
    missing: pods.filter((pod) => pod !== self.pod && !reported.includes(pod)),
    clusters: [...new Set(ids.filter((id) => id !== ''))].sort(),
    holders: others.filter(([, report]) => !report.empty).map(([pod]) => pod),
    started: others.filter(([, report]) => report.started).map(([pod]) => pod),
    positions: Object.fromEntries(positions),
  }
}

function positionOf(pod: string, { empty, position }: RecoveryReport): [string, string][] {
  return empty || position === null ? [] : [[pod, position]]
}

/** The most advanced pod; of several the one with the lowest ordinal. Null: nobody has a position. */
export function mostAdvanced(
  positions: Readonly<Record<string, string>>,
  compare: (left: string, right: string) => number,
  set: string,
): string | null {
  const ordinal = (pod: string) => ordinalOf(pod, set) ?? Number.MAX_SAFE_INTEGER
  const [best] = Object.entries(positions).sort(
    ([leftPod, left], [rightPod, right]) =>
      compare(right, left) || ordinal(leftPod) - ordinal(rightPod),
  )
  return best?.[0] ?? null
}

/** How many ordinals that is, up to the highest of these pods. */
export function countUpTo(pods: readonly string[], set: StatefulSetView, name: string): number {
  const ordinals = pods.map((pod) => ordinalOf(pod, name) ?? 0)
  return Math.max(...ordinals) - set.firstOrdinal + 1
}

/**
 * Another member that clients may use, by its document. The document of an agent that was killed stays until its
 * session ends: a report by the next one that the engine does not run counts more.
 */
export function readyMember({ observation }: Situation, facts: ClusterFacts): string | null {
  const ready = Object.entries(facts.members).find(
    ([pod, member]) =>
      pod !== observation.self.pod && member.ready && facts.reports[pod]?.started !== false,
  )
  return ready?.[0] ?? null
}
