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
    const from = Number.isFinite(this.#nextBucket) ? this.#nextBucket : this.#earliest()
    for (let bucket = from; bucket <= last; bucket += 1) {
      const members = this.#buckets.get(bucket)
      if (members === undefined) continue
      this.#buckets.delete(bucket)
      for (const id of members) {
        this.#bucketOf.delete(id)
        result.push(id)
      }
    }
    this.#nextBucket = last + 1
    return result
  }

  #earliest(): number {
    return Math.min(...this.#buckets.keys())
  }

  #leave(id: SessionId, bucket: number): void {
    const members = this.#buckets.get(bucket)
    members?.delete(id)
    if (members?.size === 0) this.#buckets.delete(bucket)
  }
}
