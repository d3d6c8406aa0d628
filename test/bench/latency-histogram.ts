/** Buckets of 1 us up to 128 us, then 128 per doubling: at most 1 % off, whatever the latency. */
const LINEAR_BITS = 7
const LINEAR = 1 << LINEAR_BITS
const MICROSECONDS_MAX = 0x3fff_ffff

/** Counts latencies without keeping them. */
export class LatencyHistogram {
  readonly #buckets = new Uint32Array(LINEAR * 25)
  #count = 0

  get count(): number {
    return this.#count
  }

  reset(): void {
    this.#buckets.fill(0)
    this.#count = 0
  }

  /** Takes one latency in ms; negative ones (a clock that was set) count as 0. */
  add(ms: number): void {
    const us = Math.min(Math.max(Math.round(ms * 1000), 0), MICROSECONDS_MAX)
    const bucket = bucketOf(us)
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
  }

  /** The latency in ms that a `share` (0 to 1) of all did not exceed; 0 when there are none. */
  quantileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(this.#count * share))
    let seen = 0
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count
      if (seen >= wanted) return upperBoundOf(bucket) / 1000
    }
    return 0
  }
}

function bucketOf(us: number): number {
  const doublings = Math.max(0, 31 - Math.clz32(us) - LINEAR_BITS)
  return doublings === 0 && us < LINEAR
    ? us
    : (doublings + 1) * LINEAR + (us >>> doublings) - LINEAR
}

/** The greatest latency that falls into a bucket, in us. */
function upperBoundOf(bucket: number): number {
  if (bucket < LINEAR) return bucket
  const doublings = Math.floor(bucket / LINEAR) - 1
  const lower = ((bucket % LINEAR) + LINEAR) * 2 ** doublings
  return lower + 2 ** doublings - 1
}
