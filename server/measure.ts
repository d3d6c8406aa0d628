/** Buckets to a doubling: a quantile is at most 2.2 % off. */
const PER_DOUBLING = 16
/** From 2^-10 (a microsecond, in ms) to 2^20 (17 minutes); what is beyond counts as the end. */
const LEAST_EXPONENT = -10
const BUCKETS = 30 * PER_DOUBLING

/**
 * What is known of many measured values: how many, their sum, and quantiles of the last two windows.
 * Noting one costs a logarithm and no memory, so it is fit for every request.
 */
export class Distribution {
  #count = 0
  #sum = 0
  #min = 0
  #max = 0
  #present = new Uint32Array(BUCKETS)
  #former = new Uint32Array(BUCKETS)

  /** Since the start, as `sum` too. */
  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  /** Since the start, as `max` too; 0 without values. */
  get min(): number {
    return this.#min
  }

  get max(): number {
    return this.#max
  }

  note(value: number): void {
    if (this.#count === 0 || value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    this.#count += 1
    this.#sum += value
    const position = Math.floor((Math.log2(value) - LEAST_EXPONENT) * PER_DOUBLING)
    const bucket = Math.max(0, Math.min(BUCKETS - 1, position))
    this.#present[bucket] = (this.#present[bucket] ?? 0) + 1
  }

  /** The value that the fraction `q` of the last two windows does not exceed; NaN without values. */
  quantile(q: number): number {
    const counts = this.#present.map((count, bucket) => count + (this.#former[bucket] ?? 0))
    let left = q * counts.reduce((total, count) => total + count, 0)
    if (left === 0) return Number.NaN
    const found = counts.findIndex((count) => {
      left -= count
      return left <= 0
    })
    return 2 ** ((found + 0.5) / PER_DOUBLING + LEAST_EXPONENT)
  }

  /** A window begins; what was before the last one is forgotten. */
  turn(): void {
    const oldest = this.#former
    this.#former = this.#present
    this.#present = oldest.fill(0)
  }
}

/** The last, the largest and the smallest of some sizes; -1, as ZooKeeper has it, before the first. */
export class SizeRange {
  last = -1
  max = -1
  min = -1

  note(bytes: number): void {
    this.last = bytes
    if (bytes > this.max) this.max = bytes
    if (bytes < this.min || this.min < 0) this.min = bytes
  }

  reset(): void {
    this.last = -1
    this.max = -1
    this.min = -1
  }
}
