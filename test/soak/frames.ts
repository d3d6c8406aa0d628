import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BundledProcess } from '../support/bundled-process.ts'
import { readMetrics } from '../support/metrics.ts'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import type { FloodFigures, FloodOrder } from './frame-flood.ts'
import { Gardener } from './gardener.ts'
import { HealthyClients } from './healthy-client.ts'

export interface FramesOptions {
  /** That the server reads, after the warm-up. */
  readonly frames: number
  readonly warmUpFrames: number
  readonly framesPerSecond: number
  /** Opened one after the other at the beginning, and left alone. */
  readonly halfOpenHandshakes: number
  /** What may be resident beyond the level after the warm-up. */
  readonly residentMbMore: number
  /** Of a healthy client's pings. */
  readonly p99MsMax: number
  /** Of the wanted rate: below it the run says nothing of it. */
  readonly rateShareMin: number
  readonly seed: number
  /** The server has the first processor for itself, and the flood another. */
  readonly pinned: boolean
}

/** What a server holds when nobody does anything. */
interface Level {
  readonly residentMb: number
  /** Of it, what V8 uses, garbage included. */
  readonly heapMb: number
  readonly handles: number
  readonly descriptors: number
}

/** Beyond the level after the warm-up: connections for metrics come and go. */
const DESCRIPTORS_MORE = 4
/** Sessions and sockets of a flood that has ended are gone after this. */
const SETTLES_WITHIN_MS = 60_000
const RESIDENT_SAMPLES = 10

const SUPERUSER = 'super:gardener'
const HEALTHY_PATH = '/healthy'

/**
 * Unauthenticated input: fuzzed frames at a rate against one server, half-open handshakes, clients that
 * never read, watchers; and clients that do nothing wrong, which must not notice.
 */
export async function frames(options: FramesOptions) {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-frames-'))
  const ensemble = await quorateEnsemble({
    servers: 1,
    tickMs: 500,
    parentDirectory: directory,
    settings: {
      '4lw.commands.whitelist': 'ruok,srvr,stat,mntr,conf,isro,cons,wchs',
      'quorate.superDigest': `super:${createHash('sha1').update(SUPERUSER).digest('base64')}`,
      extendedTypesEnabled: 'true',
      // So that what a flood leaves is soon gone.
      maxSessionTimeout: '4000',
    },
  })
  try {
    await ensemble.start()
    return await new FramesRun(ensemble, options, directory).run()
  } finally {
    await ensemble.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

class FramesRun {
  readonly #ensemble: ServerEnsemble
  readonly #options: FramesOptions
  readonly #directory: string

  constructor(ensemble: ServerEnsemble, options: FramesOptions, directory: string) {
    this.#ensemble = ensemble
    this.#options = options
    this.#directory = directory
  }

  async run() {
    const { frames: wanted, warmUpFrames, halfOpenHandshakes, framesPerSecond } = this.#options
    const port = this.#ensemble.clientPorts[0] ?? 0
    const entry = fileURLToPath(new URL('frame-flood.ts', import.meta.url))
    const flood = await BundledProcess.start(entry)
    const gardener = await Gardener.start(port, SUPERUSER, [HEALTHY_PATH])
    const healthy = await HealthyClients.start(port, HEALTHY_PATH)
    try {
      this.#pin(this.#ensemble.pids()[0], 0)
      this.#pin(flood.child.pid, 1)
      const idle = await this.#quiet()
      await this.#flooded(flood, warmUpFrames, halfOpenHandshakes)
      const warm = await this.#quiet()
      healthy.figures()
      const during = await this.#flooded(flood, wanted, halfOpenHandshakes)
      const clients = healthy.figures()
      const end = await this.#quiet()
      const after = healthy.figures()
      const rate = Math.round(during.framesRead / during.seconds)
      const { p99MsMax, rateShareMin, residentMbMore } = this.#options
      const wrongs = [...grownOf(warm, end, residentMbMore), ...this.#complaints()]
      if (!(clients.ping.p99Ms < p99MsMax)) wrongs.push(`pings of ${clients.ping.p99Ms} ms`)
      if (rate < rateShareMin * framesPerSecond) wrongs.push(`only ${rate} frames a second`)
      const znodesCleared = gardener.deleted
      return {
        passed: wrongs.length === 0,
        wrongs,
        framesPerSecond: rate,
        ...during,
        clients,
        clientsAfter: after,
        levels: { idle, warm, end },
        znodesCleared,
      }
    } finally {
      flood.stop()
      await Promise.allSettled([healthy.stop(), gardener.stop()])
    }
  }

  /** Floods the server until it has read so many frames. */
  async #flooded(flood: BundledProcess, frames: number, halfOpen: number) {
    const { framesPerSecond, seed } = this.#options
    const order = (what: FloodOrder) => flood.child.send(what)
    const port = this.#ensemble.clientPorts[0] ?? 0
    const before = await this.#metrics()
    const beganMs = performance.now()
    order({ kind: 'start', port, framesPerSecond, seed })
    if (halfOpen > 0) order({ kind: 'halfOpen', connections: halfOpen })
    let residentMbMax = 0
    let connectionsMax = 0
    let read = 0
    while (read < frames) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      const now = await this.#metrics()
      const grown = now('packets_received') - before('packets_received')
      if (grown === read) throw new Error('the server reads nothing any more')
      read = grown
      residentMbMax = Math.max(residentMbMax, megabytes(now('process_resident_memory_bytes')))
      connectionsMax = Math.max(connectionsMax, now('num_alive_connections'))
    }
    const seconds = (performance.now() - beganMs) / 1_000
    const now = await this.#metrics()
    const figures = await stopped(flood)
    const since = (name: string) => now(name) - before(name)
    return {
      seconds: Math.round(seconds),
      framesRead: since('packets_received'),
      ...figures,
      sessions: since('connection_request_count'),
      handshakesLate: since('sessionless_connections_expired'),
      cutOff: since('connection_drop_count'),
      replies: since('packets_sent'),
      megabytesRead: megabytes(since('bytes_received_count')),
      residentMbMax,
      connectionsMax,
      watches: now('watch_count'),
    }
  }

  /** The level that the server comes to when only the healthy clients are left. */
  async #quiet(): Promise<Level> {
    await waitFor(
      'the flood has drained away',
      async () => {
        const now = await this.#metrics()
        // Two healthy clients and the gardener.
        return now('global_sessions') === 3 && now('num_alive_connections') === 3
      },
      SETTLES_WITHIN_MS,
    )
    const levels: Level[] = []
    while (levels.length < RESIDENT_SAMPLES) {
      const now = await this.#metrics()
      levels.push({
        residentMb: megabytes(now('process_resident_memory_bytes')),
        heapMb: megabytes(now('nodejs_heap_size_used_bytes')),
        handles: now('nodejs_active_handles_total'),
        descriptors: now('process_open_fds'),
      })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const least = (of: (level: Level) => number) => Math.min(...levels.map(of))
    return {
      residentMb: least((level) => level.residentMb),
      heapMb: least((level) => level.heapMb),
      handles: least((level) => level.handles),
      descriptors: least((level) => level.descriptors),
    }
  }

  #metrics(): Promise<(name: string) => number> {
    return readMetrics(this.#ensemble.httpPorts[0])
  }

  #pin(pid: number | undefined, processor: number): void {
    if (!this.#options.pinned) return
    const { status } = spawnSync('taskset', ['-acp', String(processor), String(pid)])
    if (status !== 0) throw new Error(`process ${pid} could not be pinned`)
  }

  /** Lines of the server's log above warnings; none is caused by what a client sends. */
  #complaints(): string[] {
    const logs = readdirSync(this.#directory, { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('output.log'))
      .map((name) => readFileSync(join(this.#directory, name), 'utf8'))
    return logs
      .flatMap((log) => log.split('\n'))
      .filter((line) => line !== '' && !/^\{"level":[1-4]0,/.test(line))
      .slice(0, 10)
  }
}

/** Ends the flood; what it did. */
function stopped(flood: BundledProcess): Promise<FloodFigures> {
  return new Promise((resolve) => {
    flood.child.once('message', (figures: FloodFigures) => resolve(figures))
    flood.child.send({ kind: 'stop' } satisfies FloodOrder)
  })
}

/** What the server holds after the flood and did not hold before. */
function grownOf(warm: Level, end: Level, residentMbMore: number): string[] {
  const wrongs: string[] = []
  if (end.residentMb > warm.residentMb + residentMbMore) {
    wrongs.push(`${end.residentMb} MB resident after ${warm.residentMb}`)
  }
  if (end.descriptors > warm.descriptors + DESCRIPTORS_MORE) {
    wrongs.push(`${end.descriptors} descriptors after ${warm.descriptors}`)
  }
  if (end.handles > warm.handles + DESCRIPTORS_MORE) {
    wrongs.push(`${end.handles} handles after ${warm.handles}`)
  }
  return wrongs
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
