import type { LogIndex } from '../core/brand.ts'
import type { Distribution } from '../measure.ts'

/** How long this leader's proposals take until they are committed. */
export class QuorumClock {
  readonly #quorumAckMs: Distribution
  /** Proposed and not yet committed, in the order of the log. */
  #waiting: { readonly index: LogIndex; readonly atMs: number }[] = []

  constructor(quorumAckMs: Distribution) {
    this.#quorumAckMs = quorumAckMs
  }

  proposed(index: LogIndex, atMs: number): void {
    this.#waiting.push({ index, atMs })
  }

  /** Everything up to `index` is committed. */
  committed(index: LogIndex, atMs: number): void {
    let done = 0
    for (const proposal of this.#waiting) {
      if (proposal.index > index) break
      this.#quorumAckMs.note(atMs - proposal.atMs)
      done += 1
    }
    if (done > 0) this.#waiting.splice(0, done)
  }

  /** What was proposed may be replaced: nothing can be said of it. */
  leadershipChanged(): void {
    this.#waiting = []
  }
}
