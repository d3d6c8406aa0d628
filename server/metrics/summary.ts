import { type Registry, Summary } from 'prom-client'
import type { Distribution } from '../measure.ts'

/** Quantiles are of the last one to two windows, so that an hour ago does not hide the present. */
const WINDOW_MS = 300_000
const QUANTILES = [0.5, 0.9, 0.99]

export interface SummaryDefinition {
  readonly name: string
  readonly help: string
  readonly values: Distribution
}

/**
 * A summary over a distribution that is kept elsewhere. The client library's own estimator costs too
 * much for every request, so only the shape of its answer is used.
 */
export class DistributionSummary extends Summary<'quantile'> {
  readonly #definition: SummaryDefinition
  readonly #nowMs: () => number
  #windowMs: number

  constructor(registry: Registry, definition: SummaryDefinition, nowMs: () => number) {
    const { name, help } = definition
    super({ name, help, registers: [registry] })
    this.#definition = definition
    this.#nowMs = nowMs
    this.#windowMs = nowMs()
  }

  override async get(): ReturnType<Summary<'quantile'>['get']> {
    const { name, values } = this.#definition
    if (this.#nowMs() - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = this.#nowMs()
      values.turn()
    }
    const quantiles = QUANTILES.map((quantile) => ({
      metricName: name,
      labels: { quantile },
      value: values.quantile(quantile),
    }))
    return {
      ...(await super.get()),
      values: [
        ...quantiles,
        { metricName: `${name}_sum`, labels: {}, value: values.sum },
        { metricName: `${name}_count`, labels: {}, value: values.count },
      ],
    }
  }
}
