import { setTimeout as pause } from 'node:timers/promises'
import type { Document } from 'bson'
import { type ConfigStep, canCommit, type SetConfig } from '../../core/cluster/mongodb-config.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Fence } from '../engine.ts'
import { isRefusal, type Mongod, refusals } from './mongod.ts'

/** The primary has moved, or another configuration has come first: what is to be done is looked at anew. */
const TRANSIENT = [
  refusals.incompatibleConfig,
  refusals.configurationInProgress,
  refusals.primarySteppedDown,
  refusals.configNotCommitted,
  refusals.notWritablePrimary,
  refusals.interruptedByStateChange,
  refusals.notPrimaryOrSecondary,
] as const

/** Of replSetGetStatus. */
const SERVING: readonly unknown[] = ['PRIMARY', 'SECONDARY']

export interface MembershipOptions {
  readonly local: Mongod
  readonly at: (place: string) => Mongod
  readonly nowMs: () => number
}

/** Changes of the configuration, on whoever is primary, each committed before the next. */
export class Membership {
  readonly #options: MembershipOptions

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  /**
   * Takes the steps that `stepOf` says until there is none, and the last has committed; true if there were
   * any. None after which no other could follow. Never with `force`: that may lose what a majority has. `known`: where
   * a primary may be asked for.
   */
  async change(
    stepOf: (config: SetConfig, primary: string) => ConfigStep,
    known: readonly string[],
    fence: Fence,
  ): Promise<boolean> {
    const { nowMs } = this.#options
    const deadlineMs = nowMs() + limits.mongodbChangeMs
    let changed = false
    let last: unknown = new AgentError('ENGINE_UNREACHABLE', 'no primary is known')
    while (nowMs() < deadlineMs) {
      const place = await this.#findPrimary(known)
      if (place !== null) {
        const primary = this.#options.at(place)
        try {
          const outcome = await this.#step(primary, (config) => stepOf(config, place), fence)
          if (outcome === 'done') return changed
          if (outcome === 'changed') {
            changed = true
            continue
          }
          last = new AgentError('ENGINE_REFUSED', outcome.wait)
        } catch (error) {
          if (!isRefusal(error, ...TRANSIENT)) throw error
          last = error
        } finally {
          primary.close()
        }
      }
      await pause(limits.mongodbPauseMs)
    }
    throw last
  }

  async #step(
    primary: Mongod,
    stepOf: (config: SetConfig) => ConfigStep,
    fence: Fence,
  ): Promise<'done' | 'changed' | { readonly wait: string }> {
    const answer = await primary.asAgent({ replSetGetConfig: 1, commitmentStatus: true })
    const step = stepOf(answer['config'])
    const committed = answer['commitmentStatus'] === true
    if (!committed) return { wait: 'the configuration has not committed yet' }
    if (step === null) return 'done'
    const serving = servingIn(await primary.asAgent({ replSetGetStatus: 1 }))
    if (!canCommit(step, new Set(serving))) {
      return { wait: 'too few voters would be primary or secondary: it could not commit' }
    }
    fence.check()
    const maxTimeMS = limits.mongodbChangeMs / 2
    await primary.asAgent({ replSetReconfig: step, maxTimeMS }, limits.mongodbChangeMs)
    return 'changed'
  }

  async #findPrimary(known: readonly string[]): Promise<string | null> {
    const { local, at } = this.#options
    const own = await primaryBy(local)
    if (own !== null) return own
    for (const place of known) {
      const other = at(place)
      const primary = await primaryBy(other)
      other.close()
      if (primary !== null) return primary
    }
    return null
  }
}

/** The hosts that are primary or secondary, as replSetGetStatus has them. */
export function servingIn(status: Document): string[] {
  const rows: readonly Document[] = status['members'] ?? []
  return rows.flatMap(({ stateStr, name }) => (SERVING.includes(stateStr) ? [String(name)] : []))
}

/** Whom a server takes for the primary; null: nobody, or it does not answer. */
async function primaryBy(mongod: Mongod): Promise<string | null> {
  try {
    const { primary } = await mongod.plain({ hello: 1 })
    return typeof primary === 'string' ? primary : null
  } catch {
    // Another may know.
    return null
  }
}
