/** Virtual time: events run in the order of their time, ties in the order they were scheduled. */
export class Scheduler {
  nowMs = 0
  #heap: { readonly atMs: number; readonly order: number; readonly call: () => void }[] = []
  #order = 0

  after(delayMs: number, call: () => void): void {
    this.#order += 1
    this.#push({ atMs: this.nowMs + Math.max(0, delayMs), order: this.#order, call })
  }

  /** Runs everything due up to `untilMs`. */
  runUntil(untilMs: number): void {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#pop()
      this.nowMs = next.atMs
      next.call()
    }
    this.nowMs = untilMs
  }

  #before(left: number, right: number): boolean {
    const a = this.#heap[left]
    const b = this.#heap[right]
    if (a === undefined || b === undefined) return false
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  }

  #swap(left: number, right: number): void {
    const a = this.#heap[left]
    const b = this.#heap[right]
    if (a === undefined || b === undefined) return
    this.#heap[left] = b
    this.#heap[right] = a
  }

  #push(event: { atMs: number; order: number; call: () => void }): void {
    let at = this.#heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(at, parent)) break
      this.#swap(at, parent)
      at = parent
    }
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (this.#before(left, least)) least = left
      if (this.#before(right, least)) least = right
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }
}
