import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ServerProcess } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'

const agentScript = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))
const TOKEN = 'stop-token'
/** What the chart's script does: a line is one start. */
const SCRIPT = 'IFS= read -r permit < "$0"; exec "$@" $permit'
/** The kubelet's back-off after the first end of a container. */
const RESTART_MS = 300

export interface RedisPodOptions {
  readonly directory: string
  /** `redis` or `sentinel`: of the cluster, too. */
  readonly component: string
  readonly ordinal: number
  readonly port: number
  readonly agentPort: number
  readonly tree: string
  readonly kubernetesUrl: string
  readonly password: string
  readonly document: Readonly<Record<string, unknown>>
  readonly command: readonly string[]
  /** What stands before the names of programs. */
  readonly programs: (program: string) => readonly string[]
}

/** What an agent tells of its member, as far as these tests look. */
export interface GenericStatus {
  readonly phase: string
  readonly reason: string
  readonly publication: { readonly enabled: boolean } | null
  readonly observation: {
    readonly engine: { readonly role: string; readonly reason: string; readonly leads: boolean }
    readonly cluster: {
      readonly initialized: { readonly by: string } | null
      readonly tombstones: Readonly<Record<string, { readonly done: boolean }>>
    } | null
  }
}

/** An agent of the bundle and the process beside it, which is started again whenever it ends, as by a kubelet. */
export class RedisPod {
  readonly name: string
  readonly port: number
  readonly #options: RedisPodOptions
  readonly #agent: ServerProcess
  readonly #engine: ServerProcess
  #keeper: NodeJS.Timeout | undefined

  constructor(options: RedisPodOptions) {
    const { directory, component, ordinal, port, agentPort, password, programs } = options
    this.#options = options
    this.name = `${component}-${ordinal}`
    this.port = port
    const place = join(directory, this.name)
    const [volume, files, secrets] = ['data', 'run/files', 'secrets'].map((name) =>
      join(place, name),
    )
    for (const path of [volume, files, secrets]) mkdirSync(path ?? '', { recursive: true })
    writeFileSync(join(secrets ?? '', 'password'), `${password}\n`)
    // Of a pod everything is its own; here all share a machine.
    const here = (text: string) =>
      text
        .replaceAll('/run/quorate/files', files ?? '')
        .replaceAll(/\/data\b/g, volume ?? '')
        .replaceAll('quorate 5000', 'quorate 1000')
    const portName = Object.keys(options.document['ports'] ?? {})[0] ?? ''
    const document = here(JSON.stringify({ ...options.document, ports: { [portName]: port } }))
    const pipe = join(place, 'run', 'permit')
    const flags = {
      engine: 'generic',
      generic: document,
      'generic-files': files,
      'generic-secrets': secrets,
      pod: this.name,
      'data-directory': volume,
      'permit-pipe': pipe,
      host: '127.0.0.1',
      port: agentPort,
      'prestop-token': TOKEN,
      'kubernetes-url': options.kubernetesUrl,
      tree: options.tree,
      'advertised-host': '127.0.0.1',
      'session-timeout-ms': 4_000,
      'verdict-patience-ms': 1_000,
      'return-after-ms': 3_000,
      'reconcile-after-ms': 2_000,
      'drain-budget-ms': 30_000,
    }
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)
    const log = (name: string) => join(place, `${name}.log`)
    this.#agent = new ServerProcess(
      `agent of ${this.name}`,
      process.execPath,
      [agentScript, ...args],
      log('agent'),
    )
    const [program = '', ...rest] = options.command
    const command = [...programs(program), ...rest.map(here)]
    this.#engine = new ServerProcess(
      this.name,
      '/bin/sh',
      ['-c', SCRIPT, pipe, ...command],
      log('engine'),
    )
  }

  get pid(): number | undefined {
    return this.#engine.pid
  }

  /** The agent, and then the process, which asks for its permit. */
  async start(): Promise<void> {
    if (!this.#agent.isRunning) this.#agent.start()
    await waitFor(`agent of ${this.name} has decided`, () => this.#probe('/startupz'), 40_000)
    this.#engine.start()
    this.#keeper = setInterval(() => {
      if (!this.#engine.isRunning) this.#engine.start()
    }, RESTART_MS)
  }

  async ready(withinMs = 30_000): Promise<void> {
    await waitFor(
      `${this.name} is ready`,
      async () => {
        if (await this.#probe('/engine/readyz')) return true
        throw new Error((await this.status()).reason)
      },
      withinMs,
    )
  }

  async status(): Promise<GenericStatus> {
    return (await (await fetch(this.#url('/status'))).json()) as GenericStatus
  }

  /** SIGKILL for the process alone; it is started again. */
  async kill(): Promise<void> {
    await this.#engine.signal('SIGKILL')
  }

  /** The hook of the main container; resolves with its status when it is answered. */
  async prestop(): Promise<number> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    return (await fetch(this.#url('/prestop'), { headers })).status
  }

  /** The pod ends: first the process, for good, then its agent. */
  async end(): Promise<void> {
    clearInterval(this.#keeper)
    await this.#engine.signal('SIGTERM')
    await this.#agent.signal('SIGTERM')
  }

  async stop(): Promise<void> {
    clearInterval(this.#keeper)
    await Promise.all([this.#engine.signal('SIGKILL'), this.#agent.signal('SIGKILL')])
  }

  logs(): string {
    return `${this.#engine.logTail()}\n${this.#agent.logTail()}`
  }

  async #probe(path: string): Promise<boolean> {
    return (await fetch(this.#url(path))).status === 200
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#options.agentPort}${path}`
  }
}
