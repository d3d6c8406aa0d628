import type { LogIndex, PeerId } from '../brand.ts'

/** A linearizable read at the leader, on its way to confirmation (Ongaro's thesis, 6.4). */
export interface LeaderRead {
  readonly context: number
  /** Null: a read of this peer's own clients. */
  readonly from: PeerId | null
  /** The commit index when the read came in; -1 until the leader has committed in its term. */
  index: LogIndex
  /** The heartbeat round, begun after the read came in, that must be confirmed; 0: not begun. */
  round: number
}

/** Reads that wait: at the leader for a confirmed round, at a follower for the leader's answer. */
export class ReadIndexQueue {
  #reads: LeaderRead[] = []
  /** Context -> ticks waited, for reads that were passed on to the leader. */
  readonly #forwarded = new Map<number, number>()

  add(context: number, from: PeerId | null): void {
    this.#reads.push({ context, from, index: -1, round: 0 })
  }

  /** True when some read waits for a round to begin. */
  get needsRound(): boolean {
    return this.#reads.some((read) => read.round === 0)
  }

  /** A round begins now: it confirms all reads that came in before, at this commit index. */
  beginRound(round: number, commit: LogIndex): void {
    for (const read of this.#reads) {
      if (read.round !== 0) continue
      read.round = round
      read.index = commit
    }
  }

  /** The reads whose round a quorum has answered. */
  takeConfirmed(round: number): LeaderRead[] {
    const confirmed = this.#reads.filter((read) => read.round !== 0 && read.round <= round)
    if (confirmed.length > 0) {
      this.#reads = this.#reads.filter((read) => read.round === 0 || read.round > round)
    }
    return confirmed
  }

  /** All reads of a leader that leads no more. */
  takeAll(): LeaderRead[] {
    const reads = this.#reads
    this.#reads = []
    return reads
  }

  forwarded(context: number): void {
    this.#forwarded.set(context, 0)
  }

  /** True when the answer was waited for. */
  answered(context: number): boolean {
    return this.#forwarded.delete(context)
  }

  /** Contexts that waited longer than `ticksMax` for an answer. */
  tick(ticksMax: number): number[] {
    const expired: number[] = []
    for (const [context, ticks] of this.#forwarded) {
      if (ticks + 1 >= ticksMax) {
        expired.push(context)
        this.#forwarded.delete(context)
      } else {
        this.#forwarded.set(context, ticks + 1)
      }
    }
    return expired
  }

  takeForwarded(): number[] {
    const contexts = [...this.#forwarded.keys()]
    this.#forwarded.clear()
    return contexts
  }
}
