import type { EngineView, Observation, Rules } from '../observation.ts'
import type { Drain } from '../state.ts'
import type { LockName } from './facts.ts'

/** One thing for the engine's own code to do; the lock is taken first, and held while it is done. */
export interface Duty {
  readonly name: string
  readonly args: Readonly<Record<string, string>>
  readonly lock: LockName | null
  readonly reason: string
  /** Done, it is told to Kubernetes as a warning by this name, since somebody may want to know. */
  readonly event?: string
}

/** What a member that is about to be stopped does next. */
export type DrainStep =
  /** Stopping now would hurt; asked again at each turn, until the budget of the drain ends. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** Engine.drain: leadership goes to the named member, or to any. */
  | { readonly kind: 'handOver'; readonly to: string | null; readonly reason: string }
  | { readonly kind: 'command'; readonly duty: Duty }
  /** Nothing of the engine holds up the stop. */
  | { readonly kind: 'ready' }

/**
 * What is particular to an engine that keeps its cluster's founding in the tree; `clusterPolicy` makes
 * the rules of its agent from it. Pure. Methods see the engine's own view with all its fields.
 */
export interface ClusterPlan<View extends EngineView = EngineView> {
  /**
   * How the first cluster comes to be. `atStart`: by the line of one permit (Galera, KRaft).
   * `whileRunning`: by Engine.bootstrap on a process that runs in no cluster, and the others by
   * Engine.join (MongoDB). `itself`: the engine races through the tree on its own (Patroni, Kafka in
   * ZooKeeper mode); agents neither found nor record anything.
   */
  readonly forming: 'atStart' | 'whileRunning' | 'itself'
  /**
   * How a cluster of which nothing runs starts again. `itself`: members with data just start, the
   * engine's own quorum guards them. `elected`: the most advanced member bootstraps, when all have
   * reported; the others join (Galera).
   */
  readonly restart: 'itself' | 'elected'
  /** `oneAtATime`: a start that joins holds the bootstrap lock until the member is ready. */
  readonly joins: 'oneAtATime' | 'freely'
  /**
   * What a removed member's data is when its engine starts again: `fresh`: moved aside, it joins with an
   * empty disk. `asIs`: the engine catches up from it. (One that never stopped is taken back as it is.)
   */
  readonly removedReturns: 'fresh' | 'asIs'
  /** Negative: `left` is behind. Only asked of engines whose restart is `elected`, and where `isTreeLost`. */
  comparePositions(left: string, right: string): number
  /** Why the engine must not be started yet, beside the general rules; null: it may be. */
  startGate(observation: Observation<View>): string | null
  /**
   * What has to be done before an engine may start on its disk, or for what that has to wait; null: nothing. What
   * does not come about for `preparingMs` is done without. Left out: who starts on any disk is in nobody's way.
   */
  beforeStart?(observation: Observation<View>): Duty | string | null
  /**
   * Nobody leads, and nobody has led in this tree: whoever starts with data begins the cluster anew with that.
   * Left out: the engine's own quorum guards it, or it is elected anyway.
   */
  isTreeLost?(observation: Observation<View>): boolean
  /** What a serving member does for itself; null: nothing. */
  duty(observation: Observation<View>): Duty | null
  /** What the elected agent does for the set; null: nothing. */
  setDuty(observation: Observation<View>): Duty | null
  /**
   * The next step out of service, of a member whose engine answers. The reason of the stop is known by
   * then: `drain.verdict`.
   */
  drain(observation: Observation<View>, drain: Drain, rules: Rules): DrainStep
  /**
   * Clients have nobody else yet for what this member does, which is about to be stopped: they are sent to it
   * until they have. Left out: a member that drains is never needed.
   */
  isNeeded?(observation: Observation<View>): boolean
}

/** For plans: positions that are whole numbers in decimal. */
export function compareCounts(left: string, right: string): number {
  const [a, b] = [BigInt(left), BigInt(right)]
  if (a === b) return 0
  return a < b ? -1 : 1
}
