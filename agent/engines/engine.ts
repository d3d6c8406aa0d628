import type { DiskReport, EngineView, Observation } from '../core/observation.ts'
import type { Policy } from '../core/policy.ts'
import type { StartMode } from '../core/start-rule.ts'

/** The lock under which something is done, while it is done. */
export interface Fence {
  /** Rises with each holder; for engines that can carry it. */
  readonly token: string
  /** To be called before each request that changes anything. Throws TREE_FENCED when it may be lost. */
  check(): void
}

/** A fence for what needs no lock. */
export const UNFENCED: Fence = { token: '', check: () => {} }

/** What the call was decided on, and under which lock it runs. */
export interface EngineCall<View extends EngineView = EngineView> {
  readonly observation: Observation<View>
  readonly fence: Fence
}

/** Where clients reach the member; null: not in this way. */
export interface ClientPorts {
  readonly port: number | null
  readonly sslPort: number | null
}

/**
 * What the agent needs of an engine; one folder of agent/engines per engine (README.md there says how
 * to write one). All calls are safe to repeat: an agent may crash after any of them. Calls that reach
 * a process reject with an AgentError when it cannot be reached or refuses.
 */
export interface Engine<View extends EngineView = EngineView> {
  readonly kind: string
  /** Pure: all that is decided for the member. */
  readonly policy: Policy<View>
  readonly clientPorts: ClientPorts
  /** Other ports of the member, by name, for its document. */
  readonly ports: Readonly<Record<string, number>>
  /** What the data volume holds; the process need not run. Quick: it is asked at each turn of a start. */
  discover(): DiskReport
  /**
   * Comparable progress of a stopped engine with data, for starts that choose the most advanced member;
   * null: has none. Asked once per start, may take seconds.
   */
  position(): Promise<string | null>
  /**
   * Readiness, role and members as the process tells them; never rejects: silence is a view too. `asking`: a process
   * waits for its permit, the one before it is gone.
   */
  observe(asking: boolean): Promise<View>
  /** False only when the process is surely dead; "not known" is alive. */
  liveness(view: View): boolean
  /** Of the software that runs; '' while it has not said. */
  version(): Promise<string>
  /** The single-use line of the permit pipe: arguments of one start, and nothing that lasts. */
  permitLine(mode: StartMode, observation: Observation<View>): string
  /**
   * What the disk, or the engine's own part of the tree, needs before a start. The process surely does not run; the
   * permit follows when this has resolved.
   */
  prepare?(mode: StartMode, observation: Observation<View>): Promise<void>
  /** Forms the cluster, on a process that runs in none; engines formed while they run have it. */
  bootstrap?(call: EngineCall<View>): Promise<void>
  /**
   * Has the cluster take this running member in, or back after a removal; false when it was in before. The
   * engine's leader says which, never this member's own view. Left out only where to run is to be a member.
   */
  join?(call: EngineCall<View>): Promise<boolean>
  /** Gives leadership away, to the named member or to any; resolves when that has begun. */
  drain(to: string | null): Promise<void>
  /**
   * Takes a member out of the configuration, with all that is left of it; resolves when that has
   * committed, or was so before. Until then `observe` lists it.
   */
  leave(name: string, call: EngineCall<View>): Promise<void>
  /** Does a duty of the policy. Engines without duties do not have it. */
  perform?(
    name: string,
    args: Readonly<Record<string, string>>,
    call: EngineCall<View>,
  ): Promise<void>
}
