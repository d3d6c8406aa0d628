import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { Agent } from '../../../../agent/agent.ts'
import { loadAgentConfig } from '../../../../agent/config.ts'
import { waitFor } from '../../../support/wait-for.ts'
import { flagsOf } from './engines.ts'
import type { Servers } from './servers.ts'

const TOKEN = 'stop-token'

export interface PodOptions {
  readonly servers: Servers
  readonly ordinal: number
  readonly agentPort: number
  readonly treePort: number
  readonly kubernetesUrl: string
}

/** One pod: the real agent with its probes, and a container that reads a permit and runs a double of mongod. */
export class MongodbPod {
  readonly ordinal: number
  readonly #options: PodOptions
  readonly #pipe: string
  #agent: Agent | null = null
  #life: Promise<void> = Promise.resolve()
  #shell: ChildProcess | null = null
  #up = false
  /** The lines by which the container started, in order. */
  readonly permits: string[] = []
  /** So long a copy of the data takes at least. */
  copyMs = 100

  constructor(options: PodOptions) {
    this.#options = options
    this.ordinal = options.ordinal
    this.#pipe = join(options.servers.root, `permit-${options.ordinal}`, 'permit')
  }

  async start(): Promise<void> {
    const { servers, ordinal, agentPort, treePort, kubernetesUrl } = this.#options
    const flags = {
      ...flagsOf(servers, ordinal),
      permitPipe: this.#pipe,
      host: '127.0.0.1',
      port: agentPort,
      prestopToken: TOKEN,
      kubernetesUrl,
      advertisedHost: '127.0.0.1',
      tree: `127.0.0.1:${treePort}`,
      sessionTimeoutMs: 4_000,
      verdictPatienceMs: 1_000,
      reconcileAfterMs: 2_000,
      drainBudgetMs: 30_000,
    }
    const config = loadAgentConfig({ environment: {}, flags })
    this.#agent = await Agent.create(config, pino({ level: 'silent' }))
    this.#life = this.#agent.run()
    this.#up = true
    this.#container()
  }

  /** What the kubelet does when a container has died: it runs the command again. */
  async crash(): Promise<void> {
    await this.#options.servers.kill(this.ordinal)
    this.#container()
  }

  /** The pod ends: the engine at once, then the agent, as a native sidecar does. */
  async end(): Promise<void> {
    this.#up = false
    this.#shell?.kill('SIGKILL')
    await this.#options.servers.kill(this.ordinal)
    this.#agent?.sigterm()
    await this.#life
  }

  get volume(): string {
    return join(this.#options.servers.root, `pod-${this.ordinal}`)
  }

  loseDisk(): void {
    rmSync(this.volume, { recursive: true })
  }

  async prestop(): Promise<number> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    return (await fetch(this.#url('/prestop'), { headers })).status
  }

  async probe(path: string): Promise<number> {
    return (await fetch(this.#url(path))).status
  }

  /** What the agent says it does, and why. */
  async reason(): Promise<string> {
    return ((await (await fetch(this.#url('/status'))).json()) as { reason: string }).reason
  }

  async ready(): Promise<void> {
    await waitFor(
      `q-${this.ordinal} is ready`,
      async () => {
        if ((await this.probe('/engine/readyz')) === 200) return true
        throw new Error(await this.reason())
      },
      40_000,
    )
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#options.agentPort}${path}`
  }

  /** `read -r line < permit && exec mongod $line`, with the double in place of mongod. */
  #container(): void {
    const shell = spawn('sh', ['-ec', `read -r line < ${this.#pipe} && printf %s "$line"`])
    let line = ''
    shell.stdout.on('data', (chunk: Buffer) => {
      line += String(chunk)
    })
    shell.on('close', () => {
      if (this.#up && line !== '') void this.#run(line)
    })
    this.#shell = shell
  }

  async #run(line: string): Promise<void> {
    this.permits.push(line)
    const words = line.split(' ')
    const after = (flag: string) => words[words.indexOf(flag) + 1] ?? ''
    // As mongod does, which starts with no key that others may read.
    if ((statSync(after('--keyFile')).mode & 0o077) !== 0) throw new Error('key too open')
    await this.#options.servers.start(this.ordinal, after('--dbpath'), {
      initialSyncMs: this.copyMs,
      shutdown: () => void this.crash(),
    })
  }
}
