import type { Ms } from '../../core/observation.ts'
import { messageOf } from '../../errors.ts'

/** Whether a server answers, and for how long it has not. */
export class Pulse {
  readonly #silentMs: Ms
  readonly #nowMs: () => Ms
  /** The newest answer, or the beginning of the process that has to give it. */
  #heardAtMs: Ms

  /** `silentMs`: a server that answers nothing for so long is dead. */
  constructor(silentMs: Ms, nowMs: () => Ms) {
    this.#silentMs = silentMs
    this.#nowMs = nowMs
    this.#heardAtMs = nowMs()
  }

  get isAlive(): boolean {
    return this.#nowMs() - this.#heardAtMs < this.#silentMs
  }

  /** A process starts now. */
  begin(): void {
    this.#heardAtMs = this.#nowMs()
  }

  /** Never rejects. */
  async ask(
    question: () => Promise<unknown>,
  ): Promise<{ readonly answers: boolean; readonly reason: string }> {
    try {
      await question()
      this.#heardAtMs = this.#nowMs()
      return { answers: true, reason: '' }
    } catch (error) {
      return { answers: false, reason: messageOf(error) }
    }
  }
}
