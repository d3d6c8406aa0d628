/**
 * Work that comes in bursts, spread over the turns of the event loop: so many pieces in each, in the
 * order in which they came. Between two turns every connection that has something to say is heard.
 * There is no bound of its own: whoever adds pieces bounds them.
 */
export class PacedWork {
  readonly #perTurnMax: number
  #waiting: (() => void)[] = []
  #next = 0
  #scheduled = false

  constructor(perTurnMax: number) {
    this.#perTurnMax = perTurnMax
  }

  /** `piece` must not throw. */
  add(piece: () => void): void {
    this.#waiting.push(piece)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    const pieces = this.#waiting.slice(this.#next, this.#next + this.#perTurnMax)
    this.#next += pieces.length
    for (const piece of pieces) piece()
    if (this.#next < this.#waiting.length) return this.#schedule()
    this.#waiting = []
    this.#next = 0
  }
}
