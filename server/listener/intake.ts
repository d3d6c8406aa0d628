import { FrameSplitter } from '../wire/framing.ts'

/** The connection whose bytes come in. */
export interface IntakeOwner {
  /** Whether one more frame may be taken now. */
  takes(): boolean
  frame(frame: Uint8Array): void
  /** The stream of frames cannot go on. */
  unreadable(): void
  setReading(reading: boolean): void
  /** Calls `goOn` in the next turn of the event loop. */
  later(): void
}

/**
 * A client's bytes, cut into frames and taken as fast as is fair: so many in one turn of the event
 * loop, whatever came, and none while the owner takes none. What is not taken is not read either, so
 * that no more than the socket's last chunk waits here.
 */
export class Intake {
  readonly #owner: IntakeOwner
  readonly #splitter: FrameSplitter
  readonly #perTurnMax: number
  #taking = false
  /** The rest is left to the next turn. */
  #deferred = false
  #reading = true

  constructor(owner: IntakeOwner, limits: { frameBytesMax: number; perTurnMax: number }) {
    this.#owner = owner
    this.#splitter = new FrameSplitter(limits.frameBytesMax)
    this.#perTurnMax = limits.perTurnMax
  }

  get reading(): boolean {
    return this.#reading
  }

  receive(chunk: Uint8Array): void {
    this.#splitter.push(chunk)
    this.take()
  }

  /** The next turn has come. */
  goOn(): void {
    this.#deferred = false
    this.take()
  }

  /** Takes what there is, as far as the owner takes it and the turn's share goes. */
  take(): void {
    // A frame that is answered at once makes room for the next: that is this loop's business.
    if (this.#taking || this.#deferred) return
    this.#taking = true
    let left = this.#perTurnMax
    while (this.#owner.takes() && left > 0) {
      const frame = this.#splitter.next()
      if (frame === null) break
      left -= 1
      this.#owner.frame(frame)
    }
    this.#taking = false
    if (this.#splitter.failure !== null) return this.#owner.unreadable()
    const takes = this.#owner.takes()
    if (left === 0 && takes && this.#splitter.pendingBytes > 0) {
      this.#deferred = true
      this.#owner.later()
    }
    this.#setReading(takes && !this.#deferred)
  }

  #setReading(reading: boolean): void {
    if (reading === this.#reading) return
    this.#reading = reading
    this.#owner.setReading(reading)
  }
}
