import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reservePorts } from './ports.ts'
import { type ServerEnsemble, ServerProcess, serves } from './processes.ts'

const DEFAULT_TICK_MS = 2_000
const SERVES_WITHIN_MS = 120_000

export interface EnsembleOptions {
  /** 1 is a standalone server, without server lines. */
  readonly servers: 1 | 3
  readonly tickMs?: number
  /**
   * Apache ZooKeeper brings its AdminServer and its metrics for Prometheus, which make its start
   * slower; Quorate has both in any case.
   */
  readonly monitored?: boolean
  /** Further lines of the configuration file. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the data directories are made; the system's temporary directory by default. */
  readonly parentDirectory?: string
}

export interface ServerFiles {
  readonly directory: string
  readonly configuration: string
  readonly id: number
}

export interface ServerKind {
  readonly name: string
  readonly http: boolean
  /** Metrics have a port of their own. */
  readonly metricsApart?: boolean
  readonly cwd?: string
  /** The command that serves a configuration file in the foreground. */
  command(files: ServerFiles): { readonly command: string; readonly args: readonly string[] }
  /** Lines of the configuration that this kind alone has. */
  settings(
    httpPort: number,
    metricsPort: number,
    peerPort: number,
  ): Readonly<Record<string, string>>
}

/**
 * Servers started from ZooKeeper configuration files: the same file for every kind of server, so
 * that what a suite sees differ is the server.
 */
export async function createEnsemble(
  kind: ServerKind,
  options: EnsembleOptions,
): Promise<ServerEnsemble> {
  const count = options.servers
  const ports = await reservePorts(count * 5)
  const part = (n: number) => ports.slice(n * count, (n + 1) * count)
  const [clientPorts, peerPorts, electionPorts, httpPorts] = [part(0), part(1), part(2), part(3)]
  const metricsPorts = kind.metricsApart === true ? part(4) : httpPorts
  const directory = mkdtempSync(join(options.parentDirectory ?? tmpdir(), `quorate-${kind.name}-`))
  const tickMs = options.tickMs ?? DEFAULT_TICK_MS
  const serverLines = clientPorts.map(
    (port, i) => `server.${i + 1}=127.0.0.1:${peerPorts[i]}:${electionPorts[i]};127.0.0.1:${port}`,
  )
  const processes = clientPorts.map((clientPort, i) => {
    const home = join(directory, String(i + 1))
    mkdirSync(join(home, 'data'), { recursive: true })
    writeFileSync(join(home, 'data', 'myid'), `${i + 1}\n`)
    const configuration = join(home, 'zoo.cfg')
    const settings = {
      tickTime: String(tickMs),
      initLimit: '10',
      syncLimit: '5',
      dataDir: join(home, 'data'),
      clientPort: String(clientPort),
      clientPortAddress: '127.0.0.1',
      maxClientCnxns: '0',
      '4lw.commands.whitelist': '*',
      'admin.enableServer': 'false',
      ...kind.settings(httpPorts[i] ?? 0, metricsPorts[i] ?? 0, peerPorts[i] ?? 0),
      ...options.settings,
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
    if (count > 1) lines.push(...serverLines)
    writeFileSync(configuration, `${lines.join('\n')}\n`)
    const { command, args } = kind.command({ directory: home, configuration, id: i + 1 })
    const log = join(home, 'output.log')
    return new ServerProcess(`${kind.name} ${i + 1}`, command, args, log, kind.cwd)
  })
  const place = { clientPorts, httpPorts, metricsPorts, tickMs, directory }
  return new FileConfiguredEnsemble(kind, place, processes)
}

interface Place {
  readonly clientPorts: readonly number[]
  readonly httpPorts: readonly number[]
  readonly metricsPorts: readonly number[]
  readonly tickMs: number
  readonly directory: string
}

class FileConfiguredEnsemble implements ServerEnsemble {
  readonly name: string
  readonly clientPorts: readonly number[]
  readonly httpPorts: readonly number[]
  readonly metricsPorts: readonly number[]
  readonly tickMs: number
  readonly #directory: string
  readonly #processes: readonly ServerProcess[]

  constructor(kind: ServerKind, place: Place, processes: readonly ServerProcess[]) {
    this.name = kind.name
    this.clientPorts = place.clientPorts
    this.httpPorts = kind.http ? place.httpPorts : []
    this.metricsPorts = kind.http ? place.metricsPorts : []
    this.tickMs = place.tickMs
    this.#directory = place.directory
    this.#processes = processes
  }

  async start(): Promise<void> {
    for (const server of this.#processes) server.start()
    try {
      await Promise.all(this.#processes.map((_, index) => this.#ready(index)))
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#processes.map((server) => server.stop()))
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 })
  }

  async kill(index: number): Promise<void> {
    await this.#at(index).signal('SIGKILL')
  }

  async terminate(index: number): Promise<number | null> {
    return await this.#at(index).signal('SIGTERM')
  }

  async restart(index: number): Promise<void> {
    this.#at(index).start()
    await this.#ready(index)
  }

  pids(): (number | undefined)[] {
    return this.#processes.map((server) => server.pid)
  }

  logs(): string {
    return this.#processes.map((server) => server.logTail()).join('\n')
  }

  #ready(index: number): Promise<void> {
    const port = this.clientPorts[index] ?? 0
    return this.#at(index).ready(() => serves(port), SERVES_WITHIN_MS)
  }

  #at(index: number): ServerProcess {
    const server = this.#processes[index]
    if (server === undefined) throw new Error(`no server ${index} in ${this.name}`)
    return server
  }
}
