import { type Ms, type Observation, ordinalOf } from '../observation.ts'
import type { Drain } from '../state.ts'
import { isSetGoing } from './kafka-stop.ts'
import { KRAFT, type VoterView, voterDuty } from './kraft-plan.ts'
import type { ClusterPlan, DrainStep } from './plan.ts'

export interface ControllersView extends VoterView {
  /** By pod of each voter: the last moment at which its leader knew that it had all of the log. */
  readonly caughtUpAtMs: Readonly<Record<string, Ms>>
}

interface ControllersBounds {
  /** Without a leader for so long a controller that stops waits for none any more. */
  readonly kafkaLeaderlessMs: Ms
  /** Where several stop at once, each waits so long for what others do. */
  readonly kafkaTurnsMs: Ms
}

/** Controllers of Kafka in a set of their own (KIP-853), all of which vote. */
export function controllersPlan(bounds: ControllersBounds): ClusterPlan<ControllersView> {
  return {
    ...KRAFT,
    duty: (observation) => voterDuty(observation, { controllers: Number.POSITIVE_INFINITY }),
    setDuty: () => null,
    drain: (observation, drain) => stopStep(observation, drain, bounds),
  }
}

/** Whoever leads hands over by itself when it is told to stop. What it does not look at is who is left. */
function stopStep(
  observation: Observation<ControllersView>,
  drain: Drain,
  bounds: ControllersBounds,
): DrainStep {
  if (isSetGoing(observation)) return { kind: 'ready' }
  const reason = stopObstacle(observation, drain, bounds)
  return reason === null ? { kind: 'ready' } : { kind: 'wait', reason }
}

/**
 * Those that stay are to be a majority of those that vote then, each seen in step since this stop began. Of several
 * that stop at once the highest ordinal goes first; the others wait until it is back, or votes no more.
 */
function stopObstacle(
  { engine, cluster, self, nowMs }: Observation<ControllersView>,
  drain: Drain,
  { kafkaLeaderlessMs, kafkaTurnsMs }: ControllersBounds,
): string | null {
  const elapsedMs = nowMs - drain.startedAtMs
  if (engine.votes === null) {
    // The leader itself always has all of the log: that is when one last told anything.
    const toldAtMs = Math.max(drain.startedAtMs, ...Object.values(engine.caughtUpAtMs))
    return nowMs - toldAtMs < kafkaLeaderlessMs ? 'no controller leads: waits for one' : null
  }
  if (!engine.votes) return null
  const others = engine.members
    .filter(({ name, voter }) => voter && name !== self.pod)
    .map(({ name }) => name)
  const voters = drain.verdict?.kind === 'scaledDown' ? others.length : others.length + 1
  const majority = Math.floor(voters / 2) + 1
  // Two of two are needed: waiting would not help.
  if (others.length < majority) return null
  const stopping = others.filter((pod) => cluster?.members[pod]?.status === 'STOPPING')
  if (stopping.length > 0 && elapsedMs < kafkaTurnsMs) {
    return `${stopping.join(', ')} may stop first`
  }
  const staying = others.filter((pod) => {
    const goesFirst = stopping.includes(pod) && (ordinalOf(pod, self.set) ?? 0) > self.ordinal
    return !goesFirst && (engine.caughtUpAtMs[pod] ?? -1) >= drain.startedAtMs
  })
  if (staying.length >= majority) return null
  return `${majority} of ${voters} controllers have to stay, and ${staying.length} others are in step`
}
