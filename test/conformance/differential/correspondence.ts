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
   * Both are in the same state, though the second server may count it once more: a wanted difference, see
   * return-takes-a-zxid in docs/compatibility.md.
   */
  sameState(left: bigint, right: bigint): void {
    this.#pairs.zxid.repeat(left, right)
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
  /** Lefts that stand for one state with several numbers on the right. */
  readonly #repeated = new Set<bigint>()

  constructor(ordered: boolean) {
    this.#ordered = ordered
  }

  nthLast(n: number): Pair | undefined {
    return this.#sorted.at(-1 - n)
  }

  match(left: bigint, right: bigint): boolean {
    if (this.#lefts.has(right)) return this.#lefts.get(right) === left
    if (this.#rights.has(left) && !this.#repeated.has(left)) return false
    if (this.#ordered) {
      const at = this.#placeOf(left, right)
      const before = this.#sorted[at - 1]
      const after = this.#sorted[at]
      if (before !== undefined && before[1] > right) return false
      if (after !== undefined && after[1] < right) return false
    }
    this.#add(left, right)
    return true
  }

  repeat(left: bigint, right: bigint): void {
    this.#repeated.add(left)
    if (!this.#lefts.has(right)) this.#add(left, right)
  }

  #add(left: bigint, right: bigint): void {
    this.#sorted.splice(this.#placeOf(left, right), 0, [left, right])
    this.#rights.set(left, right)
    this.#lefts.set(right, left)
  }

  #placeOf(left: bigint, right: bigint): number {
    const isBehind = ([l, r]: Pair) => l > left || (l === left && r > right)
    let at = this.#sorted.length
    for (let last = this.#sorted[at - 1]; last && isBehind(last); last = this.#sorted[at - 1])
      at -= 1
    return at
  }
}
