import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { BundledProcess } from '../support/bundled-process.ts'
import { readMetrics } from '../support/metrics.ts'
import { leaderOf, type ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { HealthyClients } from './healthy-client.ts'
import type { StormOrder, StormReport } from './reconnect-dialler.ts'

export interface ReconnectStormOptions {
  readonly sessions: number
  /** Rounds that count; one comes before them, in which the servers' code becomes warm. */
  readonly rounds: number
  readonly pingP99MsMax: number
}

/** What a storm took of the three servers together. */
interface Storm extends StormReport {
  readonly cpuSeconds: number
  readonly logEntries: number
  readonly logBytes: number
  readonly requests: number
  readonly pingP99Ms: number
  readonly pingMaxMs: number
}

const SETTLES_WITHIN_MS = 30_000
const SERIES = {
  cpuSeconds: 'process_cpu_seconds_total',
  entries: 'quorate_entries_applied_total',
  bytes: 'quorate_request_bytes_applied_total',
  requests: 'quorate_requests_applied_total',
  expired: 'quorate_sessions_expired_total',
  connections: 'num_alive_connections',
  sessions: 'global_sessions',
} as const
type Reading = Readonly<Record<keyof typeof SERIES, number>>

/**
 * Three servers. Sessions are begun all at once, their connections are cut all at once, and all are
 * taken up again at once, each on another server; then they are closed, and the next round begins. A
 * client that does nothing wrong pings the leader meanwhile.
 */
export async function reconnectStorm(options: ReconnectStormOptions) {
  const ensemble = await quorateEnsemble({ servers: 3 })
  const entry = fileURLToPath(new URL('reconnect-dialler.ts', import.meta.url))
  try {
    await ensemble.start()
    const dialler = await BundledProcess.start(entry)
    const pinging = ensemble.clientPorts[await leaderOf(ensemble)] ?? 0
    const healthy = await HealthyClients.startPinging(pinging)
    try {
      return await new StormRun(ensemble, dialler, healthy, options).run()
    } finally {
      await healthy.stop()
      dialler.stop()
    }
  } finally {
    await ensemble.stop()
  }
}

class StormRun {
  readonly #ensemble: ServerEnsemble
  readonly #dialler: BundledProcess
  readonly #healthy: HealthyClients
  readonly #options: ReconnectStormOptions

  constructor(
    ensemble: ServerEnsemble,
    dialler: BundledProcess,
    healthy: HealthyClients,
    options: ReconnectStormOptions,
  ) {
    this.#ensemble = ensemble
    this.#dialler = dialler
    this.#healthy = healthy
    this.#options = options
  }

  async run() {
    const fresh: Storm[] = []
    const renewed: Storm[] = []
    const wrongs: string[] = []
    for (let round = 0; round <= this.#options.rounds; round += 1) {
      const { sessions } = this.#options
      const storms = await this.#round(sessions)
      wrongs.push(...storms.flatMap((storm) => this.#wrongsOf(storm)))
      const [first, second] = storms
      if (round === 0 || first === undefined || second === undefined) continue
      fresh.push(first)
      renewed.push(second)
    }
    const { expired } = await this.#reading()
    if (expired > 0) wrongs.push(`${expired} sessions expired`)
    const ratio = ratioOf(renewed, fresh)
    if (ratio.logBytes > 1) wrongs.push('renewals took more of the log than new sessions')
    return { passed: wrongs.length === 0, wrongs, ratio, fresh, renewed }
  }

  /** New sessions, the same ones again, and their end. */
  async #round(sessions: number): Promise<Storm[]> {
    const ports = this.#ensemble.clientPorts
    const fresh = await this.#storm({ kind: 'open', ports, sessions })
    await this.#order({ kind: 'cut' })
    await this.#until('the servers to see the cut', ({ connections }) => connections === 1)
    const renewed = await this.#storm({ kind: 'return' })
    const present = await this.#reading()
    if (present.sessions !== sessions + 1) {
      throw new Error(`there are ${present.sessions} sessions, with that of the healthy client`)
    }
    await this.#order({ kind: 'close' })
    await this.#until('all sessions to be closed', (seen) => {
      return seen.connections === 1 && seen.sessions === 1
    })
    return [fresh, renewed]
  }

  async #storm(order: StormOrder): Promise<Storm> {
    this.#healthy.figures()
    const before = await this.#reading()
    const report = await this.#order(order)
    const { ping } = this.#healthy.figures()
    const after = await this.#reading()
    return {
      ...report,
      cpuSeconds: Number((after.cpuSeconds - before.cpuSeconds).toFixed(3)),
      logEntries: after.entries - before.entries,
      logBytes: after.bytes - before.bytes,
      requests: after.requests - before.requests,
      pingP99Ms: ping.p99Ms,
      pingMaxMs: ping.maxMs,
    }
  }

  #wrongsOf({ lost, pingP99Ms }: Storm): string[] {
    return [
      ...(lost > 0 ? [`${lost} sessions were lost`] : []),
      ...(pingP99Ms > this.#options.pingP99MsMax ? [`pings took ${pingP99Ms} ms at p99`] : []),
    ]
  }

  async #order(order: StormOrder): Promise<StormReport> {
    const reported = once(this.#dialler.child, 'message')
    this.#dialler.child.send(order)
    const [report] = (await reported) as [StormReport]
    return report
  }

  async #until(what: string, holds: (reading: Reading) => boolean): Promise<void> {
    await waitFor(what, async () => holds(await this.#reading()), SETTLES_WITHIN_MS)
  }

  /** CPU and connections of all servers; of what each of them has, the most that one has. */
  async #reading(): Promise<Reading> {
    const servers = await Promise.all(this.#ensemble.httpPorts.map(readMetrics))
    const each = (name: string) => servers.map((metrics) => metrics(name))
    const sum = (name: string) => each(name).reduce((total, value) => total + value, 0)
    const most = (name: string) => Math.max(...each(name))
    return {
      cpuSeconds: sum(SERIES.cpuSeconds),
      connections: sum(SERIES.connections),
      entries: most(SERIES.entries),
      bytes: most(SERIES.bytes),
      requests: most(SERIES.requests),
      expired: most(SERIES.expired),
      sessions: most(SERIES.sessions),
    }
  }
}

/** What renewals take of what new sessions take. */
function ratioOf(renewed: readonly Storm[], fresh: readonly Storm[]) {
  const ratio = (of: (storm: Storm) => number) => {
    const sum = (storms: readonly Storm[]) => storms.reduce((total, each) => total + of(each), 0)
    return Number((sum(renewed) / sum(fresh)).toFixed(2))
  }
  return {
    tookMs: ratio(({ tookMs }) => tookMs),
    cpuSeconds: ratio(({ cpuSeconds }) => cpuSeconds),
    logBytes: ratio(({ logBytes }) => logBytes),
  }
}
