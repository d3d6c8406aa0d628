import type { SessionId } from '../core/brand.ts'

/** Reports that may be unanswered before the oldest is forgotten; bounds #sentAtMs. */
const UNANSWERED_MAX = 64

/**
 * A follower's reports of live sessions to the leader, and the proof they give: an answer to the
 * report sent at time T shows that the leader heard this server at or after T.
 */
export class TouchReport {
  /** Session -> the report that must be answered before it may be forgotten. */
  readonly #touched = new Map<SessionId, number>()
  readonly #sentAtMs = new Map<number, number>()
  #nextSequence = 1
  #provenAtMs = Number.NEGATIVE_INFINITY

  touch(session: SessionId): void {
    this.#touched.set(session, this.#nextSequence)
  }

  /** The next report: all sessions that no answer has covered yet. */
  next(nowMs: number): { sequence: number; sessions: SessionId[] } {
    const sequence = this.#nextSequence
    this.#nextSequence += 1
    this.#sentAtMs.set(sequence, nowMs)
    if (this.#sentAtMs.size > UNANSWERED_MAX) {
      for (const oldest of this.#sentAtMs.keys()) {
        this.#sentAtMs.delete(oldest)
        break
      }
    }
    return { sequence, sessions: [...this.#touched.keys()] }
  }

  answered(sequence: number): void {
    const sentAtMs = this.#sentAtMs.get(sequence)
    if (sentAtMs === undefined) return
    this.#provenAtMs = Math.max(this.#provenAtMs, sentAtMs)
    for (const earlier of this.#sentAtMs.keys()) {
      if (earlier <= sequence) this.#sentAtMs.delete(earlier)
    }
    for (const [session, report] of this.#touched) {
      if (report <= sequence) this.#touched.delete(session)
    }
  }

  /** Milliseconds since the leader surely heard this server; infinite before the first proof. */
  ageMs(nowMs: number): number {
    return nowMs - this.#provenAtMs
  }

  /** After a pause or a change of leader nothing sent before proves anything. */
  forgetProofs(): void {
    this.#sentAtMs.clear()
  }

  /** A pause: even the proof at hand is no longer believed. */
  distrust(): void {
    this.#sentAtMs.clear()
    this.#provenAtMs = Number.NEGATIVE_INFINITY
  }
}
