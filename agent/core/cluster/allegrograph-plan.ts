import type { EngineView, Observation } from '../observation.ts'
import type { CopyInstance } from './allegrograph-instances.ts'
import type { ClusterPlan, Duty } from './plan.ts'

/** Duties of both kinds of agents, by name. */
export const REMOVE_INSTANCE = 'removeInstance'
export const GROW_CLUSTER = 'growCluster'

export interface ControllingView extends EngineView {
  /** The copies that the cluster lists. */
  readonly copies: readonly CopyInstance[]
  /** Those whose pod, as that UID, is gone from the Kubernetes API: it never comes back. */
  readonly gone: readonly CopyInstance[]
}

/**
 * The controlling instance of AllegroGraph's multi-master replication: the one that creates the cluster, once, has a
 * volume and is never removed. Its agent removes what copies have left behind.
 */
export const CONTROLLING: ClusterPlan<ControllingView> = {
  forming: 'whileRunning',
  restart: 'itself',
  joins: 'freely',
  removedReturns: 'asIs',
  // Its data is the newest there is of it: nobody else has it.
  comparePositions: () => 0,
  startGate: lossObstacle,
  duty: reapDuty,
  setDuty: () => null,
  drain: () => ({ kind: 'ready' }),
}

/** Nobody can give its data back to it but the volume: as a copy it could not control anything. */
function lossObstacle({ disk, cluster }: Observation<ControllingView>): string | null {
  const known = cluster?.initialized?.engineClusterId ?? ''
  if (disk.kind !== 'empty' || known === '') return null
  return `refuses to start: the disk is empty and this instance controls cluster ${known}: bring its volume back, or delete the znode initialized to form a new cluster`
}

/**
 * A copy that ended without a word stays listed, and everybody keeps for it what it has not received. Whose agent has
 * a session is that agent's own business; whose pod is gone can be nobody's any more.
 */
function reapDuty({ engine, cluster }: Observation<ControllingView>): Duty | null {
  if (!engine.ready || cluster === null) return null
  const ghost = engine.gone.find(
    ({ pod }) => cluster.reports[pod] === undefined && cluster.members[pod] === undefined,
  )
  if (ghost === undefined) return null
  const reason = `${ghost.name} is left of a pod that is gone`
  return removalDuty(ghost.name, reason)
}

export function removalDuty(instance: string, reason: string): Duty {
  return { name: REMOVE_INSTANCE, args: { instance }, lock: 'reconfig', reason }
}
