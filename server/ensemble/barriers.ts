import type { LogIndex } from '../core/brand.ts'

type Waiter = (ok: boolean) => void

/** Callers of ReadIndex: all of a turn share one round, then wait for the log to be applied. */
export class Barriers {
  #arrived: Waiter[] = []
  #nextContext: number
  readonly #asked = new Map<number, readonly Waiter[]>()
  #confirmed: { readonly index: LogIndex; readonly waiters: readonly Waiter[] }[] = []

  /**
   * `firstContext` is drawn at random by each process, so that no late answer to a former process
   * of this server is taken for one to this.
   */
  constructor(firstContext: number) {
    this.#nextContext = firstContext
  }

  get count(): number {
    let count = this.#arrived.length
    for (const waiters of this.#asked.values()) count += waiters.length
    for (const { waiters } of this.#confirmed) count += waiters.length
    return count
  }

  add(waiter: Waiter): void {
    this.#arrived.push(waiter)
  }

  /** The context to ask Raft with for all that arrived since the last call; null when none did. */
  ask(): number | null {
    if (this.#arrived.length === 0) return null
    const context = this.#nextContext
    this.#nextContext += 1
    this.#asked.set(context, this.#arrived)
    this.#arrived = []
    return context
  }

  /** Raft's answer: safe once `index` is applied, or refused when it is negative. */
  answered(context: number, index: LogIndex): void {
    const waiters = this.#asked.get(context)
    if (waiters === undefined) return
    this.#asked.delete(context)
    if (index < 0) for (const waiter of waiters) waiter(false)
    else this.#confirmed.push({ index, waiters })
  }

  /** Lets go those whose index is applied. */
  release(appliedIndex: LogIndex): void {
    if (this.#confirmed.length === 0) return
    const ready = this.#confirmed.filter((read) => read.index <= appliedIndex)
    if (ready.length === 0) return
    this.#confirmed = this.#confirmed.filter((read) => read.index > appliedIndex)
    for (const read of ready) for (const waiter of read.waiters) waiter(true)
  }

  failAll(): void {
    const waiters = [
      ...this.#confirmed.flatMap((read) => read.waiters),
      ...[...this.#asked.values()].flat(),
      ...this.#arrived,
    ]
    this.#arrived = []
    this.#asked.clear()
    this.#confirmed = []
    for (const waiter of waiters) waiter(false)
  }
}
