import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ZkClient } from '../../../server/cli/zk-client.ts'
import { reservePorts } from '../../support/ports.ts'
import { ServerProcess } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { FakeKubernetes } from './fake-kubernetes.ts'

const dist = fileURLToPath(new URL('../../../dist', import.meta.url))
const TOKEN = 'stop-token'
const START_MS = 40_000

/** What GET /status of an agent tells, as far as tests look. */
export interface Status {
  readonly phase: string
  readonly reason: string
  readonly publication: { readonly status: string; readonly enabled: boolean } | null
  readonly tree: { readonly lease: string; readonly session: string; readonly published: boolean }
  readonly observation: {
    readonly engine: { readonly leader: string | null; readonly clusterId: string }
  }
}

/** One pod as processes: the real agent, and a shell that reads its permit and runs the real server. */
export class PodProcesses {
  readonly name: string
  readonly directory: string
  readonly agent: ServerProcess
  readonly engine: ServerProcess
  readonly ports: readonly number[]

  constructor(ordinal: number, root: string, kubernetesUrl: string, ports: readonly number[][]) {
    const own = ports[ordinal] ?? []
    const [client = 0, peer = 0, http = 0, agent = 0] = own
    this.name = `q-${ordinal}`
    this.ports = own
    this.directory = join(root, this.name)
    const data = join(this.directory, 'data')
    mkdirSync(data, { recursive: true })
    const pipe = join(this.directory, 'permit')
    const local = (index: number) => (other: readonly number[]) => `127.0.0.1:${other[index]}`
    const flags = [
      ['pod', this.name],
      ['data-directory', data],
      ['permit-pipe', pipe],
      ['host', '127.0.0.1'],
      ['port', agent],
      ['prestop-token', TOKEN],
      ['kubernetes-url', kubernetesUrl],
      ['peer-agents', ports.map((other) => `http://${local(3)(other)}`).join(',')],
      ['peer-servers', ports.map(local(1)).join(',')],
      ['tree', [own, ...ports.filter((other) => other !== own)].map(local(0)).join(',')],
      ['advertised-host', '127.0.0.1'],
      ['client-port', client],
      ['peer-port', peer],
      ['http-port', http],
      ['session-timeout-ms', 4_000],
      ['verdict-patience-ms', 1_000],
      ['return-after-ms', 3_000],
      ['reconcile-after-ms', 2_000],
      ['drain-budget-ms', 20_000],
      ['log-level', 'debug'],
    ]
    const script = join(dist, 'quorate-agent.cjs')
    if (!existsSync(script)) throw new Error('dist/quorate-agent.cjs is missing: npm run build')
    this.agent = new ServerProcess(
      `agent of ${this.name}`,
      process.execPath,
      [script, ...flags.map(([name, value]) => `--${name}=${value}`)],
      join(this.directory, 'agent.log'),
    )
    const settings = [
      `--data-directory ${data} --advertised-host 127.0.0.1 --client-host 127.0.0.1`,
      `--peer-host 127.0.0.1 --http-host 127.0.0.1 --client-port ${client} --peer-port ${peer}`,
      `--http-port ${http} --http-auth open --four-letter-words '*'`,
      '--election-timeout-ms 500 --heartbeat-interval-ms 50',
    ].join(' ')
    // The command of the main container: one line is one start, and no line is none.
    const command = `read -r line < ${pipe} && exec ${process.execPath} ${join(dist, 'quorate.js')} serve $line ${settings}`
    this.engine = new ServerProcess(
      `server of ${this.name}`,
      'sh',
      ['-ec', command],
      join(this.directory, 'server.log'),
    )
  }

  get clientPlace(): string {
    return `127.0.0.1:${this.ports[0]}`
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.ports[3]}${path}`
  }

  /** The kubelet's order: the agent first; the engine when the agent is up. */
  async start(): Promise<void> {
    this.agent.start()
    await this.agentUp()
    this.engine.start()
  }

  async agentUp(): Promise<void> {
    await waitFor(
      `${this.name}: the agent has decided`,
      async () => (await fetch(this.url('/startupz'))).status === 200,
      START_MS,
    )
  }

  async status(): Promise<Status> {
    return (await (await fetch(this.url('/status'))).json()) as Status
  }

  async probe(path: string): Promise<number> {
    return (await fetch(this.url(path))).status
  }

  async ready(): Promise<void> {
    await waitFor(
      `${this.name} is ready`,
      async () => (await this.probe('/engine/readyz')) === 200,
      START_MS,
    )
  }

  /** The hook of the main container; resolves when it is answered. */
  async prestop(token = TOKEN): Promise<number> {
    const headers = { authorization: `Bearer ${token}` }
    return (await fetch(this.url('/prestop'), { headers })).status
  }

  log(): string {
    return ['agent.log', 'server.log']
      .map((file) => join(this.directory, file))
      .map((file) => (existsSync(file) ? readFileSync(file, 'utf8').slice(-4_000) : ''))
      .join('\n')
  }
}

/** A StatefulSet of such pods beside a double of the Kubernetes API. */
export class Release {
  readonly kubernetes: FakeKubernetes
  readonly pods: readonly PodProcesses[]
  readonly #root: string

  private constructor(kubernetes: FakeKubernetes, root: string, ports: readonly number[][]) {
    this.kubernetes = kubernetes
    this.#root = root
    this.pods = ports.map((_, i) => new PodProcesses(i, root, kubernetes.url, [...ports]))
  }

  static async create(replicas: number): Promise<Release> {
    const kubernetes = new FakeKubernetes(replicas)
    await kubernetes.listen()
    const ports = await reservePorts(4 * replicas)
    const perPod = Array.from({ length: replicas }, (_, i) => ports.slice(4 * i, 4 * i + 4))
    return new Release(kubernetes, mkdtempSync(join(tmpdir(), 'quorate-agent-')), perPod)
  }

  pod(ordinal: number): PodProcesses {
    const pod = this.pods[ordinal]
    if (pod === undefined) throw new Error(`no pod ${ordinal}`)
    return pod
  }

  /** All at once, as podManagementPolicy Parallel does; resolves when all are ready. */
  async start(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.start()))
    await Promise.all(this.pods.map((pod) => pod.ready()))
  }

  async close(): Promise<void> {
    await Promise.all(this.pods.map(({ engine }) => engine.signal('SIGKILL')))
    await Promise.all(this.pods.map(({ agent }) => agent.signal('SIGKILL')))
    this.kubernetes.close()
    rmSync(this.#root, { recursive: true, force: true })
  }

  /** The member documents in the tree by pod, read through one of the servers. */
  async documents(through: number): Promise<Map<string, Record<string, unknown>>> {
    const client = await ZkClient.connect([this.pod(through).clientPlace], 4_000)
    try {
      const root = '/members/v1/services/q'
      const { children } = await client.children(root, false)
      const found = new Map<string, Record<string, unknown>>()
      for (const name of children) {
        const { data } = await client.get(`${root}/${name}`, false)
        found.set(name, JSON.parse(Buffer.from(data ?? []).toString()))
      }
      return found
    } finally {
      await client.close()
    }
  }

  /** Names in the configuration, as one server sees it. */
  async members(through: number): Promise<string[]> {
    const answer = await fetch(`http://127.0.0.1:${this.pod(through).ports[2]}/v1/ensemble`)
    const { members } = (await answer.json()) as { members: { name: string; role: string }[] }
    return members.filter(({ role }) => role === 'voter').map(({ name }) => name)
  }
}
