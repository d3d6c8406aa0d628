import type { DiskReport, EngineView, StatefulSetView } from '../core/observation.ts'
import type { StartMode, StartRule } from '../core/start-rule.ts'

/**
 * What the agent needs of an engine; one folder or file of agent/engines per engine. All calls are
 * safe to repeat: an agent may crash after any of them. Calls that reach a process reject with an
 * AgentError when it cannot be reached or refuses.
 */
export interface Engine {
  readonly kind: string
  /** Pure: how a process that asks to start may start. */
  readonly decide: StartRule
  /** What the data volume holds; the process need not run. */
  discover(): DiskReport
  /** Comparable progress for recoveries that choose the most advanced member; null: has none. */
  position(): Promise<string | null>
  /** Readiness, role and members as the process tells them; never rejects: silence is a view too. */
  observe(): Promise<EngineView>
  /** False only when the process is surely dead; "not known" is alive. */
  liveness(view: EngineView): boolean
  /** Of the software that runs; '' while it has not said. */
  version(): Promise<string>
  /** The single-use line of the permit pipe: arguments of one start, and nothing that lasts. */
  permitLine(mode: StartMode, set: StatefulSetView | null): string
  /** Gives leadership away, to the named member or to any; resolves when that has begun. */
  drain(to: string | null): Promise<void>
  /** Takes a member out of the configuration; resolves when that has committed, or was so before. */
  leave(name: string): Promise<void>
  /** Lets the member come back that was removed; false when that was so before. */
  readmit(name: string): Promise<boolean>
  /** Other ports of the member, by name, for its document. */
  readonly ports: Readonly<Record<string, number>>
}
