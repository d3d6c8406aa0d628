import { rmSync, writeFileSync } from 'node:fs'

/**
 * A file that is there while nobody has been there for long who could let the broker go in order: the leader of the
 * controllers, or the tree in which brokers find their controller. One that is told to stop asks for it first
 * (controlled shutdown), and waits five minutes for the one, for ever for the other: when all stop, the last ones wait
 * for what is not coming back, until they are killed at the end of their grace period. The container's script looks
 * at the file once it was told to stop.
 */
export class LeaderlessMark {
  readonly #path: string
  readonly #afterMs: number
  readonly #nowMs: () => number
  #sinceMs: number | null = null
  #written = true

  constructor(path: string, afterMs: number, nowMs: () => number) {
    this.#path = path
    this.#afterMs = afterMs
    this.#nowMs = nowMs
  }

  /** What a node that answers knows. */
  look(hasLeader: boolean): void {
    if (hasLeader) {
      this.clear()
      return
    }
    this.#sinceMs ??= this.#nowMs()
    if (this.#written || this.#nowMs() - this.#sinceMs < this.#afterMs) return
    writeFileSync(this.#path, '')
    this.#written = true
  }

  /** Also what an agent before this one has left. */
  clear(): void {
    this.#sinceMs = null
    if (!this.#written) return
    rmSync(this.#path, { force: true })
    this.#written = false
  }
}
