import { type EngineView, isExpected, ordinalOf } from '../observation.ts'
import type { ClusterFacts } from './facts.ts'
import { type Move, pause, type Situation } from './gate.ts'
import { expectedSet, mostAdvanced, surveyOf } from './survey.ts'

/**
 * Data that starts in a tree where its cluster never ran, because the tree was lost or is another one: the engine would
 * go on with whoever starts first, and the others would lose what that one has not. So all are heard, the
 * most advanced goes first, and the others wait until it leads. Null: this one goes first.
 */
export function lostTreeMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const { observation, plan } = situation
  const { self, disk } = observation
  const set = expectedSet(situation)
  if (typeof set === 'string') return waits(set)
  const { missing, clusters, holders, started, positions } = surveyOf(situation, facts, set)
  if (missing.length > 0) return waits(`no report yet of ${missing.join(', ')}`)
  if (clusters.length > 1) {
    return pause(
      `refuses to start: disks hold the clusters ${clusters.join(', ')}, and the tree names neither`,
    )
  }
  // One that runs with an empty disk waits for a leader as well, for ever.
  const running = started.filter((pod) => holders.includes(pod))
  if (running.length > 0) return waits(`${running.join(', ')} runs already`)
  const own = disk.kind === 'member' ? [self.pod] : []
  // Those that the set was scaled away from do not start, however far they are.
  const candidates = [...own, ...holders].filter((pod) => {
    const ordinal = ordinalOf(pod, self.set)
    return ordinal !== null && isExpected(ordinal, set)
  })
  const untold = candidates.find((pod) => positions[pod] === undefined)
  if (untold !== undefined) return waits(`${untold} does not know yet how far its disk goes`)
  const known = Object.entries(positions).filter(([pod]) => candidates.includes(pod))
  const compare = (left: string, right: string) => plan.comparePositions(left, right)
  const best = mostAdvanced(Object.fromEntries(known), compare, self.set)
  if (best === null || best === self.pod) return null
  return waits(`${best} is more advanced and goes first`)
}

function waits(reason: string): Move {
  return pause(`nobody leads, and this tree has never known a leader of this data: ${reason}`)
}
