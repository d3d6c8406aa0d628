import { Distribution, SizeRange } from '../measure.ts'

/** Counts of one server's client traffic since its start or the last `srst`. */
export class ServerStats {
  packetsReceived = 0
  packetsSent = 0
  /** Accepted, and not read yet: others came first. */
  connectionsArriving = 0
  /** Refused at the door: too many connections, or too many sessions asked for at once. */
  connectionsRejected = 0
  /** Cut off by the server: too many watches, or replies that the client does not read. */
  connectionsDropped = 0
  /** Closed because they came to no session in time. */
  handshakesLate = 0
  /** Closed at their handshake because this server served nobody then. */
  closedNotServing = 0
  /** Sessions asked for, and of them those that existed. */
  handshakes = 0
  revalidations = 0
  /** Times that a client was not read because too many of its requests were in work. */
  throttles = 0
  bytesReceived = 0
  /** With the lengths in front of the frames; of them, what watch events took. */
  bytesSent = 0
  watchBytes = 0
  /** Credentials that proved nothing. */
  authFailures = 0
  /** From a request to its answer, ms; a reset does not touch them. */
  readonly readLatencyMs = new Distribution()
  readonly updateLatencyMs = new Distribution()
  /** Of the throttle for sessions: its chance of a refusal, and the tokens missing at each admission. */
  dropProbability = 0
  readonly tokenDeficit = new Distribution()
  /** Frames to clients, without their length. */
  readonly responseBytes = new SizeRange()
  #requests = 0
  #latencySumMs = 0
  #latencyMinMs = Number.POSITIVE_INFINITY
  #latencyMaxMs = 0

  /** One request answered, `ms` after it came in; `updates`: through the log. */
  answered(ms: number, updates: boolean): void {
    if (updates) this.updateLatencyMs.note(ms)
    else this.readLatencyMs.note(ms)
    this.#requests += 1
    this.#latencySumMs += ms
    if (ms < this.#latencyMinMs) this.#latencyMinMs = ms
    if (ms > this.#latencyMaxMs) this.#latencyMaxMs = ms
  }

  get latencyMinMs(): number {
    return this.#requests === 0 ? 0 : this.#latencyMinMs
  }

  get latencyAverageMs(): number {
    return this.#requests === 0 ? 0 : this.#latencySumMs / this.#requests
  }

  get latencyMaxMs(): number {
    return this.#latencyMaxMs
  }

  reset(): void {
    this.packetsReceived = 0
    this.packetsSent = 0
    this.responseBytes.reset()
    this.#requests = 0
    this.#latencySumMs = 0
    this.#latencyMinMs = Number.POSITIVE_INFINITY
    this.#latencyMaxMs = 0
  }
}
