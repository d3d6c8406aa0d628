import type { SessionId } from '../brand.ts'

export interface ExpiryOptions {
  /** The width of a bucket: a session ends at most this long after its timeout. */
  readonly tickMs: number
}

/**
 * Which sessions were silent for their timeout, as the leader sees it. Deadlines are rounded up to
 * buckets, so a touch moves a session between two sets, and nobody is ended early.
 */
export class ExpiryQueue {
  readonly #tickMs: number
  /** Session -> the bucket it is in. */
  readonly #bucketOf = new Map<SessionId, number>()
  readonly #buckets = new Map<number, Set<SessionId>>()
  #nextBucket = Number.NEGATIVE_INFINITY

  constructor(options: ExpiryOptions) {
    this.#tickMs = options.tickMs
  }

  get count(): number {
    return this.#bucketOf.size
  }

  /** When which sessions end unless they show life, soonest first; times as those of `touch`. */
  deadlines(): readonly { readonly atMs: number; readonly sessions: ReadonlySet<SessionId> }[] {
    return [...this.#buckets]
      .sort(([left], [right]) => left - right)
      .map(([bucket, sessions]) => ({ atMs: bucket * this.#tickMs, sessions }))
  }

  /** The session showed life at `nowMs`. */
  touch(id: SessionId, timeoutMs: number, nowMs: number): void {
    const bucket = Math.ceil((nowMs + timeoutMs) / this.#tickMs)
    const former = this.#bucketOf.get(id)
    if (former === bucket) return
    if (former !== undefined) this.#leave(id, former)
    this.#bucketOf.set(id, bucket)
    const members = this.#buckets.get(bucket)
    if (members === undefined) this.#buckets.set(bucket, new Set([id]))
    else members.add(id)
    this.#nextBucket = Math.min(this.#nextBucket, bucket)
  }

  remove(id: SessionId): void {
    const bucket = this.#bucketOf.get(id)
    if (bucket === undefined) return
    this.#leave(id, bucket)
    this.#bucketOf.delete(id)
  }

  /** Every session gets its full timeout from now on: a new leader, or one that stood still. */
  resetAll(
    nowMs: number,
    sessions: Iterable<{ readonly id: SessionId; readonly timeoutMs: number }>,
  ): void {
    this.#bucketOf.clear()
    this.#buckets.clear()
    this.#nextBucket = Math.floor(nowMs / this.#tickMs)
    for (const { id, timeoutMs } of sessions) this.touch(id, timeoutMs, nowMs)
  }

  /** The sessions whose timeout has passed; they leave the queue. */
  expired(nowMs: number): SessionId[] {
    const last = Math.floor(nowMs / this.#tickMs)
    const result: SessionId[] = []
    if (this.#buckets.size === 0) {
      this.#nextBucket = last + 1
      return result
    }
    for (const bucket of this.#due(last)) {
      for (const id of this.#buckets.get(bucket) ?? []) {
        this.#bucketOf.delete(id)
        result.push(id)
      }
      this.#buckets.delete(bucket)
    }
    this.#nextBucket = last + 1
    return result
  }

  /** The buckets up to `last`, oldest first; after a leap of the clock it counts buckets, not time. */
  #due(last: number): number[] {
    const due: number[] = []
    if (last - this.#nextBucket < this.#buckets.size) {
      for (let bucket = this.#nextBucket; bucket <= last; bucket += 1) due.push(bucket)
      return due
    }
    for (const bucket of this.#buckets.keys()) if (bucket <= last) due.push(bucket)
    return due.sort((left, right) => left - right)
  }

  #leave(id: SessionId, bucket: number): void {
    const members = this.#buckets.get(bucket)
    members?.delete(id)
    if (members?.size === 0) this.#buckets.delete(bucket)
  }
}
