import { assert } from '../assert.ts'
import type { LogIndex } from '../brand.ts'

interface Inflight {
  readonly last: LogIndex
  readonly bytes: number
}

/**
 * A follower as its leader sees it.
 *
 * - probe: one append at a time, to find where the logs agree.
 * - replicate: appends are sent ahead of their acknowledgements, within limits.
 * - snapshot: the follower needs entries that are gone; nothing is sent until a snapshot is in.
 *
 * Invariant: 0 <= match < next.
 */
export class Progress {
  state: 'probe' | 'replicate' | 'snapshot' = 'probe'
  match: LogIndex = 0
  next: LogIndex
  /** Ticks since anything was heard from it. */
  silentTicks = 0
  /** The newest heartbeat round that it answered. */
  answeredRound = 0
  /** The greatest commit index that it was told. */
  commitTold: LogIndex = 0
  /** Removed from the configuration by this entry: it is served until it knows, and counts nowhere. */
  departsAt: LogIndex | null = null
  /** In state snapshot: the snapshot up to here has been sent whole; null before. */
  delivered: LogIndex | null = null
  /** In state probe: an append is under way. */
  probing = false
  #inflights: Inflight[] = []
  #inflightBytes = 0
  /** Ticks since the oldest of the inflights was sent or one was acknowledged. */
  #stalledTicks = 0

  constructor(next: LogIndex) {
    this.next = next
  }

  hasRoom(appendsMax: number, bytesMax: number): boolean {
    if (this.state === 'snapshot') return false
    if (this.state === 'probe') return !this.probing
    return this.#inflights.length < appendsMax && this.#inflightBytes < bytesMax
  }

  /** Appends that are under way without an answer for `ticks` are taken for lost. */
  tick(ticks: number): void {
    this.silentTicks += 1
    if (this.#inflights.length === 0 && !this.probing) return
    this.#stalledTicks += 1
    if (this.#stalledTicks < ticks) return
    if (this.state === 'replicate') this.becomeProbe()
    this.probing = false
    this.#stalledTicks = 0
  }

  sent(last: LogIndex, bytes: number): void {
    if (this.state === 'probe') {
      this.probing = true
      return
    }
    this.#inflights.push({ last, bytes })
    this.#inflightBytes += bytes
    this.next = last + 1
  }

  /** The follower has everything up to `index`, durably. True when that is news. */
  acknowledged(index: LogIndex): boolean {
    const news = index > this.match
    this.match = Math.max(this.match, index)
    this.next = Math.max(this.next, this.match + 1)
    this.#stalledTicks = 0
    while (this.#inflights.length > 0) {
      const oldest = this.#inflights[0]
      if (oldest === undefined || oldest.last > index) break
      this.#inflights.shift()
      this.#inflightBytes -= oldest.bytes
    }
    if (this.state === 'probe') this.#becomeReplicate()
    assert(this.match < this.next, 'match stays below next')
    return news
  }

  /** The follower refused the append after `previousIndex`; `agree` is where its log may agree. */
  rejected(previousIndex: LogIndex, agree: LogIndex): boolean {
    if (this.state === 'snapshot') return false
    // A probe from the very end of what was acknowledged is refused: the follower's disk has lost it
    // since. What was counted stays counted (the follower abstains); it is only sent again.
    const lost = this.state === 'probe' && previousIndex === this.match && agree < this.match
    if (lost) this.match = agree
    // An answer to something older than what is known already.
    if (previousIndex <= this.match) return false
    if (this.state === 'probe' && previousIndex !== this.next - 1) return false
    this.becomeProbe()
    this.next = Math.max(this.match + 1, Math.min(previousIndex, agree + 1))
    return true
  }

  becomeProbe(): void {
    this.state = 'probe'
    this.probing = false
    this.next = this.match + 1
    this.#clearInflights()
  }

  becomeSnapshot(): void {
    this.state = 'snapshot'
    this.probing = false
    this.delivered = null
    this.#clearInflights()
  }

  #becomeReplicate(): void {
    this.state = 'replicate'
    this.probing = false
    this.next = this.match + 1
    this.#clearInflights()
  }

  #clearInflights(): void {
    this.#inflights = []
    this.#inflightBytes = 0
    this.#stalledTicks = 0
  }
}
