import type { Observation, Token } from './observations.ts'

/**
 * Which zxid and which session of one server is which of the other: by their first appearance at the same
 * place. Zxids must come in the same order on both; the numbers between are each server's own.
 */
export class Correspondence {
  readonly #pairs = { zxid: new Pairs(true), session: new Pairs(false) }

  constructor() {
    this.#pairs.session.match(0n, 0n)
  }

  /**
   * The next zxid that is new on the second server may be a later one for the same state: a wanted
   * difference, see return-takes-a-zxid in wanted.ts.
   */
  mayRepeat(): void {
    this.#pairs.zxid.mayRepeat = true
  }

  /** The nth last zxid that both showed, as the server with this index has it. */
  zxid(nthLast: number, server: 0 | 1): bigint {
    return this.#pairs.zxid.nthLast(nthLast)?.[server] ?? 0n
  }

  same(left: Observation, right: Observation): boolean {
    if (left.tokens.length !== right.tokens.length) return false
    return left.tokens.every((token, i) => this.#matches(token, right.tokens[i] ?? ''))
  }

  #matches(left: Token, right: Token): boolean {
    if (typeof left === 'string' || typeof right === 'string') return left === right
    return left.kind === right.kind && this.#pairs[left.kind].match(left.value, right.value)
  }
}

type Pair = readonly [bigint, bigint]

class Pairs {
  readonly #ordered: boolean
  readonly #rights = new Map<bigint, bigint>()
  readonly #lefts = new Map<bigint, bigint>()
  /** By the left value, where that means something. */
  readonly #sorted: Pair[] = []
  mayRepeat = false

  constructor(ordered: boolean) {
    this.#ordered = ordered
  }

  nthLast(n: number): Pair | undefined {
    return this.#sorted.at(-1 - n)
  }

  match(left: bigint, right: bigint): boolean {
    if (this.#lefts.has(right)) return this.#lefts.get(right) === left
    const repeats = this.#rights.has(left)
    if (repeats && !this.mayRepeat) return false
    if (this.#ordered) {
      let at = this.#sorted.length
      while (at > 0 && (this.#sorted[at - 1]?.[0] ?? 0n) > left) at -= 1
      // Only the newest state can be shown again.
      if (repeats && at < this.#sorted.length) return false
      const before = this.#sorted[at - 1]
      const after = this.#sorted[at]
      if (before !== undefined && before[1] > right) return false
      if (after !== undefined && after[1] < right) return false
      this.#sorted.splice(at, 0, [left, right])
    }
    this.mayRepeat = false
    this.#rights.set(left, right)
    this.#lefts.set(right, left)
    return true
  }
}
