import { type Document, Timestamp } from 'bson'
import { limits } from '../../limits.ts'
import type { Mongod } from './mongod.ts'

export interface OplogReachOptions {
  /** A server elsewhere, to be closed after use. */
  readonly at: (place: string) => Pick<Mongod, 'asAgent' | 'close'>
  readonly nowMs: () => number
}

/** What one look at a member found. */
export interface Standing {
  /** Its state is RECOVERING. */
  readonly recovers: boolean
  /** Of its last operation, in milliseconds since 1970, exact to the second; null: not known. */
  readonly lastMs: number | null
  /** Null: there is none. */
  readonly primary: string | null
  /** Who can be copied from: whoever is primary or secondary. */
  readonly sources: readonly string[]
}

/**
 * Whether the operations that a member needs next are in nobody's oplog any more. Such a member stays in RECOVERING
 * for ever; a mongod says so in its log alone ("too stale to catch up"). But it does not go on meanwhile, and each
 * server says how far its oplog reaches back (`oplog.earliestOptime` of serverStatus).
 */
export class OplogReach {
  readonly #options: OplogReachOptions
  /** Since when it has been where it is; null: it does not recover, or nobody leads. */
  #since: { readonly lastMs: number; readonly atMs: number } | null = null
  #stale = false
  #askedAtMs = -Infinity

  constructor(options: OplogReachOptions) {
    this.#options = options
  }

  async isStale({ recovers, lastMs, primary, sources }: Standing): Promise<boolean> {
    const nowMs = this.#options.nowMs()
    if (!recovers || lastMs === null || primary === null) {
      this.#since = null
      this.#stale = false
      return false
    }
    if (this.#since?.lastMs !== lastMs) {
      this.#since = { lastMs, atMs: nowMs }
      this.#stale = false
    }
    if (nowMs - this.#since.atMs < limits.mongodbStaleMs) return false
    if (nowMs - this.#askedAtMs < limits.mongodbStaleEveryMs) return this.#stale
    this.#askedAtMs = nowMs
    const began = await Promise.all(sources.map(async (place) => [place, await this.#reach(place)]))
    const known = new Map(began.filter((entry): entry is [string, number] => entry[1] !== null))
    // A member that is away may know more, and is not waited for: the primary has to be among those that answer.
    this.#stale = known.has(primary) && [...known.values()].every((beganMs) => beganMs > lastMs)
    return this.#stale
  }

  /** When the first operation was that its oplog has; null: it does not say. */
  async #reach(place: string): Promise<number | null> {
    const mongod = this.#options.at(place)
    try {
      const { oplog } = await mongod.asAgent({ serverStatus: 1, oplog: 1, ...WITHOUT })
      const earliest: unknown = (oplog as Document | undefined)?.['earliestOptime']
      return earliest instanceof Timestamp ? 1_000 * earliest.getHighBits() : null
    } catch {
      // Whoever does not answer is no proof of anything.
      return null
    } finally {
      mongod.close()
    }
  }
}

/** The largest sections of serverStatus, which nobody reads here. */
const WITHOUT = { wiredTiger: 0, metrics: 0, tcmalloc: 0, locks: 0 }
