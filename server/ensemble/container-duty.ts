import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import { ZnodeMode } from '../core/tree/tree.ts'
import type { Environment } from './environment.ts'

export interface ContainerLimits {
  /** From one look at all containers and TTL znodes to the next. */
  readonly containerCheckMs: number
  readonly containerDeletionsPerMinuteMax: number
  /** A container that never had a child goes after this long; 0: it stays. */
  readonly containerUnusedMs: number
  /** Containers and TTL znodes looked at in one tick. */
  readonly containersPerTick: number
}

export interface ContainerDutyOptions {
  readonly environment: Environment
  readonly machine: () => StateMachine
  readonly limits: ContainerLimits
  /** Asks for a removal; `done` is called when its outcome is known, or never will be. */
  readonly remove: (operation: Operation, done: () => void) => void
}

const MINUTE_MS = 60_000

type Removal = Extract<Operation, { kind: 'deleteContainer' | 'deleteUnusedContainer' }>

/**
 * The leader's removal of containers that are empty again and of TTL znodes that nobody wrote to, as
 * ZooKeeper's ContainerManager does it: a look at all of them at every interval, the removals spread
 * by the minute. A removal is asked for here and decided where it is applied.
 */
export class ContainerDuty {
  readonly #options: ContainerDutyOptions
  /** What is left of the present look; null between two. */
  #look: Iterator<Removal | null> | null = null
  #nextLookMs: number | null = null
  #lastTickMs = 0
  /** How many may be removed now, a part of one included. */
  #allowance = 1
  /** Paths whose removal was asked for, while its outcome is not known: nobody asks twice, in vain. */
  readonly #asked = new Set<string>()

  constructor(options: ContainerDutyOptions) {
    this.#options = options
  }

  /** This server leads no more, or not yet: the first look comes an interval after it does. */
  rest(): void {
    this.#look = null
    this.#nextLookMs = null
  }

  /** At each tick of a leader in fresh contact with its quorum. */
  tick(): void {
    const { environment, limits } = this.#options
    const nowMs = environment.nowMs()
    if (this.#nextLookMs === null) this.#nextLookMs = nowMs + limits.containerCheckMs
    if (this.#look === null && nowMs >= this.#nextLookMs) {
      this.#nextLookMs = nowMs + limits.containerCheckMs
      this.#lastTickMs = nowMs
      this.#look = this.#removals()
    }
    if (this.#look === null) return
    const earned = ((nowMs - this.#lastTickMs) * limits.containerDeletionsPerMinuteMax) / MINUTE_MS
    this.#allowance = Math.min(this.#allowance, 1) + earned
    this.#lastTickMs = nowMs
    this.#goOn(this.#look)
  }

  #goOn(look: Iterator<Removal | null>): void {
    for (let seen = 0; seen < this.#options.limits.containersPerTick; seen += 1) {
      if (this.#allowance < 1) return
      const { done, value } = look.next()
      if (done === true) {
        this.#look = null
        return
      }
      if (value === null || this.#asked.has(value.path)) continue
      this.#allowance -= 1
      this.#asked.add(value.path)
      this.#options.remove(value, () => this.#asked.delete(value.path))
    }
  }

  /** For each container and TTL znode how to remove it, or null when it stays. */
  *#removals(): Generator<Removal | null> {
    const { machine } = this.#options
    for (const path of machine().tree.containers()) yield this.#removalOf(path)
    for (const path of machine().tree.ttls()) yield this.#removalOf(path)
  }

  #removalOf(path: string): Removal | null {
    const { environment, machine, limits } = this.#options
    const { tree, clusterVersion } = machine()
    const stat = tree.stat(path)
    if (stat === undefined || stat.numChildren > 0) return null
    const ageMs = environment.wallClockMs() - stat.mtimeMs
    if (tree.mode(path) === ZnodeMode.ttl) {
      return ageMs > tree.ttlMs(path) ? { kind: 'deleteContainer', path } : null
    }
    if (tree.creations(path) !== 0) return { kind: 'deleteContainer', path }
    const unusedMs = limits.containerUnusedMs
    const mayGo = unusedMs > 0 && ageMs > unusedMs && clusterVersion >= SINCE_VERSION.quotas
    return mayGo ? { kind: 'deleteUnusedContainer', path, unusedMs } : null
  }
}
