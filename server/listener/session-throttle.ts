import type { Environment } from '../ensemble/environment.ts'
import type { ServerStats } from './server-stats.ts'

export interface SessionThrottleOptions {
  /** What the bucket holds; 0: everybody is admitted. */
  readonly tokensMax: number
  /** `fillCount` tokens come in `fillMs`. */
  readonly fillMs: number
  readonly fillCount: number
  /** From one look at the bucket to the next, for the probability; -1: nobody is refused by chance. */
  readonly freezeMs: number
  readonly dropIncrease: number
  readonly dropDecrease: number
  /** Of the bucket, how much may be missing for the probability to fall. */
  readonly decreaseRatio: number
  /** Tokens for a new session and for one that is taken up again; null: one each, without weights. */
  readonly weights: { readonly fresh: number; readonly renewed: number } | null
}

export const UNTHROTTLED: SessionThrottleOptions = {
  tokensMax: 0,
  fillMs: 1,
  fillCount: 1,
  freezeMs: -1,
  dropIncrease: 0.02,
  dropDecrease: 0.002,
  decreaseRatio: 0,
  weights: null,
}

/**
 * How fast clients come to sessions: ZooKeeper's bucket of tokens (its BlueThrottle), where a renewed
 * session may cost less than a new one. While the bucket is found empty, clients are also refused by
 * chance, and ever more of them, so that it is not always the same ones who come too late.
 */
export class SessionThrottle {
  readonly #options: SessionThrottleOptions
  readonly #environment: Pick<Environment, 'nowMs' | 'random'>
  /** With weights, tokens are counted in new sessions. */
  readonly #scale: number
  #tokens: number
  #filledAtMs: number
  #lookedAtMs: number
  readonly #stats: ServerStats

  constructor(
    options: SessionThrottleOptions,
    environment: Pick<Environment, 'nowMs' | 'random'>,
    stats: ServerStats,
  ) {
    this.#stats = stats
    this.#options = options
    this.#environment = environment
    this.#scale = options.weights?.fresh ?? 1
    this.#tokens = this.#tokensMax
    this.#filledAtMs = environment.nowMs()
    this.#lookedAtMs = environment.nowMs()
  }

  /** Whether a client may have its session now; one that may not tries again by itself. */
  admits(renewed: boolean): boolean {
    const admitted = this.#options.tokensMax === 0 || this.#takes(renewed)
    if (admitted) this.#stats.tokenDeficit.note(this.#tokensMax - this.#tokens)
    else this.#stats.connectionsRejected += 1
    return admitted
  }

  #takes(renewed: boolean): boolean {
    const { freezeMs, weights } = this.#options
    const nowMs = this.#environment.nowMs()
    this.#fill(nowMs)
    if (freezeMs !== -1 && this.#dropsByChance(nowMs)) return false
    const needed = weights === null ? 1 : renewed ? weights.renewed : weights.fresh
    if (this.#tokens < needed) return false
    this.#tokens -= needed
    return true
  }

  get #tokensMax(): number {
    return this.#options.tokensMax * this.#scale
  }

  #fill(nowMs: number): void {
    const { fillMs, fillCount } = this.#options
    const elapsedMs = nowMs - this.#filledAtMs
    if (elapsedMs <= fillMs) return
    const filled = Math.floor((elapsedMs * fillCount * this.#scale) / fillMs)
    this.#tokens = Math.min(this.#tokens + filled, this.#tokensMax)
    this.#filledAtMs = nowMs
  }

  #dropsByChance(nowMs: number): boolean {
    const { freezeMs, dropIncrease, dropDecrease, decreaseRatio } = this.#options
    const stats = this.#stats
    if (nowMs - this.#lookedAtMs > freezeMs) {
      this.#lookedAtMs = nowMs
      const missing = this.#tokensMax - this.#tokens
      if (this.#tokens === 0) {
        stats.dropProbability = Math.min(stats.dropProbability + dropIncrease, 1)
      } else if (missing <= Math.round(this.#tokensMax * decreaseRatio)) {
        stats.dropProbability = Math.max(stats.dropProbability - dropDecrease, 0)
      }
    }
    return this.#environment.random() < stats.dropProbability
  }
}
