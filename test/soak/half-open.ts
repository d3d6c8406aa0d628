import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ZkClient } from '../../server/cli/zk-client.ts'
import { BundledProcess } from '../support/bundled-process.ts'
import { CertificateAuthority } from '../support/certificates.ts'
import { readMetrics } from '../support/metrics.ts'
import { reservePorts } from '../support/ports.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import type { DialFigures, DialOrder } from './half-open-dialler.ts'
import { type ClientFigures, HealthyClients } from './healthy-client.ts'

export interface HalfOpenOptions {
  /** Of each kind, at once. */
  readonly connections: number
  readonly pingP99MsMax: number
  /** Of the memory before, what may be left after a round. */
  readonly residentShareMax: number
  /** Rounds before those that count: memory comes to its level in some of them. */
  readonly warmUps: number
  /** Which kinds are open together, one round after the other. */
  readonly rounds: readonly (readonly Kind[])[]
}

/** The rest of the server's files. */
const DESCRIPTORS_KEPT = 400
/** A handshake that is only begun is ended by the server after ten seconds. */
const ENDED_WITHIN_MS = 90_000
const SETTLES_WITHIN_MS = 15_000
const RESIDENT_SAMPLES = 20
const SAMPLE_EVERY_MS = 500

/** The beginning of a ClientHello of TLS, and of a frame of ZooKeeper. */
const FIRST = { tls: '16030100c8010000c40303', plain: '0000' } as const
type Kind = keyof typeof FIRST

interface Round {
  readonly kinds: readonly Kind[]
  /** Open at once, of each kind; and how many were refused. */
  readonly opened: number
  readonly failed: number
  readonly ping: ClientFigures
  readonly residentMbMost: number
  readonly residentMbAfter: number
  /** Of it, what V8 uses, garbage included. */
  readonly heapMbAfter: number
}

/**
 * Handshakes that are begun and never ended, against one server: with TLS, plain, and both together,
 * as many as the system's limit on open files allows. A client that does nothing wrong pings meanwhile.
 */
export async function halfOpen(options: HalfOpenOptions) {
  const authority = new CertificateAuthority()
  const [securePort = 0] = await reservePorts(1)
  const ensemble = await quorateEnsemble({
    servers: 1,
    settings: {
      secureClientPort: String(securePort),
      'ssl.keyStore.location': authority.issue().both,
      'ssl.clientAuth': 'none',
    },
  })
  try {
    await ensemble.start()
    return await new HalfOpenRun(ensemble, securePort, options).run()
  } finally {
    await ensemble.stop()
    authority.remove()
  }
}

class HalfOpenRun {
  readonly #ensemble: ServerEnsemble
  readonly #ports: Readonly<Record<Kind, number>>
  readonly #options: HalfOpenOptions

  constructor(ensemble: ServerEnsemble, securePort: number, options: HalfOpenOptions) {
    this.#ensemble = ensemble
    this.#ports = { tls: securePort, plain: ensemble.clientPorts[0] ?? 0 }
    this.#options = options
  }

  async run() {
    const descriptors = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }))
    const healthy = await HealthyClients.start(this.#ports.plain, '/healthy')
    try {
      const pid = this.#ensemble.pids()[0]
      const residentMbIdle = await this.#least()
      const round = (kinds: readonly Kind[], before: number) => {
        const room = Math.floor((descriptors - DESCRIPTORS_KEPT) / kinds.length)
        const connections = Math.min(this.#options.connections, room)
        return this.#round(kinds, connections, healthy, before)
      }
      // What the C library keeps of memory that was given back is there for the next time: no leak.
      const warmUps: Round[] = []
      for (let n = 0; n < this.#options.warmUps; n += 1) {
        warmUps.push(await round(['tls', 'plain'], residentMbIdle))
      }
      const residentMbBefore = warmUps.at(-1)?.residentMbAfter ?? residentMbIdle
      const rounds: Round[] = []
      for (const kinds of this.#options.rounds) rounds.push(await round(kinds, residentMbBefore))
      const wrongs = rounds.flatMap((round) => this.#wrongsOf(round, residentMbBefore))
      if (this.#ensemble.pids()[0] !== pid) wrongs.push('the server ended')
      await this.#serves()
      const passed = wrongs.length === 0
      return { passed, wrongs, descriptors, residentMbIdle, warmUps, residentMbBefore, rounds }
    } finally {
      await healthy.stop()
    }
  }

  async #round(
    kinds: readonly Kind[],
    connections: number,
    healthy: HealthyClients,
    residentMbBefore: number,
  ): Promise<Round> {
    healthy.figures()
    const dials = await Promise.all(kinds.map((kind) => this.#dial(kind, connections)))
    let residentMbMost = 0
    let sampledAtMs = 0
    await waitFor(
      'the server to end every handshake',
      async () => {
        if (performance.now() > sampledAtMs + SAMPLE_EVERY_MS) {
          sampledAtMs = performance.now()
          residentMbMost = Math.max(residentMbMost, await this.#residentMb())
        }
        return dials.every(({ figures: { failed, ended } }) => failed + ended === connections)
      },
      ENDED_WITHIN_MS,
    ).finally(() => {
      for (const { process } of dials) process.stop()
    })
    const { ping } = healthy.figures()
    const residentMbAfter = await this.#settled(residentMbBefore * this.#options.residentShareMax)
    return {
      kinds,
      opened: Math.min(...dials.map(({ figures }) => figures.openMost)),
      failed: dials.reduce((sum, { figures }) => sum + figures.failed, 0),
      ping,
      residentMbMost,
      residentMbAfter,
      heapMbAfter: await this.#megabytes('nodejs_heap_size_used_bytes'),
    }
  }

  async #dial(kind: Kind, connections: number) {
    const entry = fileURLToPath(new URL('half-open-dialler.ts', import.meta.url))
    const process = await BundledProcess.start(entry)
    const dial = {
      process,
      figures: { open: 0, openMost: 0, failed: 0, ended: 0 } satisfies DialFigures as DialFigures,
    }
    process.child.on('message', (figures: DialFigures) => {
      dial.figures = figures
    })
    process.child.send({
      port: this.#ports[kind],
      connections,
      first: FIRST[kind],
    } satisfies DialOrder)
    return dial
  }

  #wrongsOf({ kinds, opened, failed, ping, residentMbAfter }: Round, before: number): string[] {
    const round = kinds.join(' and ')
    const { pingP99MsMax, residentShareMax } = this.#options
    return [
      ...(failed > 0 ? [`${round}: ${failed} were refused`] : []),
      ...(opened === 0 ? [`${round}: none was open`] : []),
      ...(ping.p99Ms > pingP99MsMax ? [`${round}: pings took ${ping.p99Ms} ms at p99`] : []),
      ...(residentMbAfter > before * residentShareMax
        ? [`${round}: ${residentMbAfter} MB are left, of ${before} MB before`]
        : []),
    ]
  }

  /** Both kinds of connections are taken again. */
  async #serves(): Promise<void> {
    const tls = { rejectUnauthorized: false }
    for (const [port, options] of [
      [this.#ports.plain, null],
      [this.#ports.tls, tls],
    ] as const) {
      await (await ZkClient.connect([`127.0.0.1:${port}`], 10_000, options)).close()
    }
  }

  /** The resident memory when it has fallen to `mb`, or what it is after a while. */
  async #settled(mb: number): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    await waitFor(
      'memory to be given back',
      async () => {
        least = await this.#least()
        return least <= mb
      },
      SETTLES_WITHIN_MS,
    ).catch(() => null)
    return least
  }

  async #least(): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    for (let sample = 0; sample < RESIDENT_SAMPLES; sample += 1) {
      least = Math.min(least, await this.#residentMb())
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return least
  }

  async #residentMb(): Promise<number> {
    return await this.#megabytes('process_resident_memory_bytes')
  }

  async #megabytes(metric: string): Promise<number> {
    const metrics = await readMetrics(this.#ensemble.httpPorts[0])
    return Math.round(metrics(metric) / 1024 ** 2)
  }
}
