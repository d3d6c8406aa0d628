import type { RequestResult } from '../core/machine/operation.ts'
import type { Environment } from './environment.ts'

/** Between two lines: ZooKeeper's RateLogger says as much about one message in as long. */
const GAP_MS = 60_000

/** Tells the log of writes above a limit: the first at once, then at intervals with their number. */
export class QuotaWarnings {
  readonly #environment: Environment
  #quietUntilMs = Number.NEGATIVE_INFINITY
  #unsaid = 0

  constructor(environment: Environment) {
    this.#environment = environment
  }

  applied(results: readonly RequestResult[]): void {
    for (const { excesses } of results) {
      for (const excess of excesses ?? []) {
        const nowMs = this.#environment.nowMs()
        if (nowMs < this.#quietUntilMs) {
          this.#unsaid += 1
          continue
        }
        this.#environment.log('warn', 'a quota is exceeded', { ...excess, unsaid: this.#unsaid })
        this.#quietUntilMs = nowMs + GAP_MS
        this.#unsaid = 0
      }
    }
  }
}
