import { LatencyHistogram } from '../bench/latency-histogram.ts'
import { create, dataBody, err } from '../conformance/operations.ts'
import { Fields } from '../conformance/raw-bytes.ts'
import { op, RawClient } from '../conformance/raw-client.ts'

const PAUSE_MS = 10

export interface ClientFigures {
  readonly requests: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Clients that do nothing wrong, while others do: one pings, one writes, each by itself. */
export class HealthyClients {
  readonly #clients: readonly RawClient[]
  readonly #pings = new Latencies()
  readonly #writes = new Latencies()
  readonly #ended: Promise<void>
  #over = false
  #failure: unknown = null

  private constructor(pinging: RawClient, writing: RawClient | null, path: string) {
    this.#clients = writing === null ? [pinging] : [pinging, writing]
    const ping = () => pinging.code(op.ping, new Fields(), -2)
    const ended = [this.#repeat(ping, this.#pings)]
    if (writing !== null) {
      const write = () => writing.code(op.setData, dataBody(path, 'well'))
      ended.push(this.#repeat(write, this.#writes))
    }
    this.#ended = Promise.all(ended).then(() => undefined)
  }

  /** `path` is made, unless it is there. */
  static async start(port: number, path: string): Promise<HealthyClients> {
    const [pinging, writing] = await Promise.all([RawClient.connect(port), RawClient.connect(port)])
    await create(writing, path)
    return new HealthyClients(pinging, writing, path)
  }

  /** One that pings and does nothing else: the log hears nothing of it. */
  static async startPinging(port: number): Promise<HealthyClients> {
    return new HealthyClients(await RawClient.connect(port), null, '')
  }

  /** What the clients saw since the last call; throws when they were refused anything. */
  figures(): { readonly ping: ClientFigures; readonly write: ClientFigures } {
    if (this.#failure !== null) throw this.#failure
    return { ping: this.#pings.take(), write: this.#writes.take() }
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#ended
    for (const client of this.#clients) await client.close()
  }

  async #repeat(ask: () => Promise<number>, latencies: Latencies): Promise<void> {
    try {
      while (!this.#over) {
        const askedAtMs = performance.now()
        const code = await ask()
        latencies.add(performance.now() - askedAtMs)
        if (code !== err.ok) throw new Error(`a healthy client was answered ${code}`)
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      }
    } catch (error) {
      this.#failure ??= error
    }
  }
}

class Latencies {
  readonly #histogram = new LatencyHistogram()
  #maxMs = 0

  add(ms: number): void {
    this.#histogram.add(ms)
    this.#maxMs = Math.max(this.#maxMs, ms)
  }

  take(): ClientFigures {
    const figures = {
      requests: this.#histogram.count,
      p50Ms: this.#histogram.quantileMs(0.5),
      p99Ms: this.#histogram.quantileMs(0.99),
      maxMs: Math.round(this.#maxMs),
    }
    this.#histogram.reset()
    this.#maxMs = 0
    return figures
  }
}
