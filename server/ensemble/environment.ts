/** Time, timers and randomness as the shells use them; the simulation supplies virtual ones. */
export interface Environment {
  /** Monotonic, in ms, may have fractions. */
  nowMs(): number
  /** Wall clock in ms since the epoch; may jump. */
  wallClockMs(): number
  /** Uniform in [0, 1). */
  random(): number
  randomBytes(count: number): Uint8Array
  /** Calls back once after `ms`; returns the cancellation. */
  after(ms: number, call: () => void): () => void
  /** Calls back once at the end of this turn of the event loop (after all that has arrived). */
  endOfTurn(call: () => void): void
  /** A line for the log; `fields` are structured. */
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: object): void
}
