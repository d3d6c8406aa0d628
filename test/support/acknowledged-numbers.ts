import { waitFor } from './wait-for.ts'

/** Numbers that a writer writes without end: those that were acknowledged. */
export abstract class AcknowledgedNumbers {
  /** The numbers, and when the acknowledgement of each was there. */
  readonly acknowledged: { readonly number: number; readonly atMs: number }[] = []

  /** Resolves when `count` more numbers are acknowledged, with the milliseconds that took. */
  async goesOn(count: number, withinMs: number): Promise<number> {
    const from = this.acknowledged.length
    const startedAt = Date.now()
    const enough = () => this.acknowledged.length >= from + count
    await waitFor(`${count} more writes`, enough, withinMs)
    return Date.now() - startedAt
  }

  /** The longest time since `fromMs` between two acknowledgements that followed each other. */
  longestGapMs(fromMs: number): number {
    const times = [fromMs, ...this.acknowledged.map(({ atMs }) => atMs).filter((at) => at > fromMs)]
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? at)))
  }
}
