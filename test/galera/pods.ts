import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reservePorts } from '../support/ports.ts'
import { ServerProcess } from '../support/processes.ts'
import { NOBODY } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'
import { GaleraMember, type MemberOptions, type MemberPorts } from './member.ts'

const TOKEN = 'stop-token'
const AGENT_WITHIN_MS = 40_000
/** Between the end of a container and its next start. */
const BACK_OFF_MS = 300
const agentScript = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))

/** What an agent tells of a member, as far as these tests look. */
export interface PodStatus {
  readonly phase: string
  readonly reason: string
  readonly observation: {
    readonly engine: {
      readonly answers: boolean
      readonly ready: boolean
      readonly state: string
      readonly role: string
      readonly clusterId: string
      readonly rejects: boolean
      readonly members: readonly { readonly name: string }[]
    }
    readonly cluster: {
      readonly initialized: { readonly engineClusterId: string; readonly expected: number } | null
      readonly intent: object | null
    } | null
  }
}

/** One permit that a container got. */
export interface Permit {
  readonly pod: number
  readonly atMs: number
  readonly line: string
}

/** How a start was permitted. */
export function kindOf({ line }: Permit): 'found' | 'bootstrap' | 'join' {
  if (line.startsWith('found ')) return 'found'
  return line.includes('--wsrep-new-cluster') ? 'bootstrap' : 'join'
}

export interface PodsOptions {
  /** Of servers of the tree. */
  readonly hosts: readonly string[]
  /** At most so many; `kubernetes.replicas` of them are wanted. */
  readonly count: number
  readonly replicas: number
  readonly method: MemberOptions['method']
  readonly tls: MemberOptions['tls']
}

/** Pods of a set: agents of the bundle, each beside a real MariaDB whose container starts again when it has ended. */
export class GaleraPods {
  readonly kubernetes: FakeKubernetes
  readonly members: readonly GaleraMember[]
  readonly #options: PodsOptions
  readonly #agents: readonly ServerProcess[]
  readonly #agentPorts: readonly number[]
  readonly #directory: string
  readonly #wanted = new Set<number>()
  readonly #supervisor: ReturnType<typeof setInterval>
  readonly #endedAtMs = new Map<number, number>()

  private constructor(
    options: PodsOptions,
    kubernetes: FakeKubernetes,
    directory: string,
    ports: readonly number[],
  ) {
    const { count, method, tls } = options
    this.#options = options
    this.kubernetes = kubernetes
    this.#directory = directory
    const indexes = Array.from({ length: count }, (_, i) => i)
    const places = indexes.map((i) => portsOf(ports.slice(5 * i, 5 * i + 4)))
    this.#agentPorts = indexes.map((i) => ports[5 * i + 4] ?? 0)
    this.members = places.map(
      (own, i) => new GaleraMember({ name: `q-${i}`, directory, ports: own, method, tls }),
    )
    this.#agents = indexes.map((i) => this.#agentOf(i, places))
    this.#supervisor = setInterval(() => this.#startEnded(), BACK_OFF_MS / 3)
  }

  static async at(options: PodsOptions): Promise<GaleraPods> {
    if (!existsSync(agentScript)) {
      throw new Error('dist/quorate-agent.cjs is missing: npm run build')
    }
    const kubernetes = new FakeKubernetes(options.replicas)
    await kubernetes.listen()
    const directory = mkdtempSync(join(tmpdir(), 'quorate-galera-'))
    if (process.getuid?.() === 0) chownSync(directory, NOBODY, NOBODY)
    return new GaleraPods(options, kubernetes, directory, await reservePorts(5 * options.count))
  }

  /** The agent, then the container, which lives until the pod ends. */
  async start(index: number): Promise<void> {
    this.#agent(index).start()
    await waitFor(
      `agent ${index} has decided`,
      async () => (await this.probe(index, '/startupz')) === 200,
      AGENT_WITHIN_MS,
    )
    this.member(index).process.start()
    this.#wanted.add(index)
  }

  async startAll(indexes: readonly number[]): Promise<void> {
    await Promise.all(indexes.map((index) => this.start(index)))
  }

  /** SIGKILL for all of the given pods, agents and servers, without a word to anybody. */
  async kill(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) this.#wanted.delete(index)
    await Promise.all(
      indexes.flatMap((index) => [this.member(index).kill(), this.#agent(index).signal('SIGKILL')]),
    )
  }

  /** As the kubelet does: the hook, SIGTERM, and then the agent. */
  async stop(index: number): Promise<void> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    await fetch(this.#url(index, '/prestop'), { headers })
    this.#wanted.delete(index)
    await this.member(index).terminate()
    await this.#agent(index).signal('SIGTERM')
  }

  async close(): Promise<void> {
    clearInterval(this.#supervisor)
    await this.kill(this.members.map((_, i) => i))
    this.kubernetes.close()
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  member(index: number): GaleraMember {
    const member = this.members[index]
    if (member === undefined) throw new Error(`no pod ${index}`)
    return member
  }

  async status(index: number): Promise<PodStatus> {
    return (await (await fetch(this.#url(index, '/status'))).json()) as PodStatus
  }

  async probe(index: number, path: string): Promise<number> {
    try {
      return (await fetch(this.#url(index, path))).status
    } catch {
      // Its port is not open yet.
      return 0
    }
  }

  /** The given pods serve clients, and know of each other and of nobody else. */
  async ready(indexes: readonly number[], withinMs: number): Promise<void> {
    const wanted = indexes.map((index) => `q-${index}`).join()
    await waitFor(
      `pods ${indexes.join(', ')} are ready`,
      async () => {
        for (const index of indexes) {
          if ((await this.probe(index, '/engine/readyz')) !== 200) return false
          const { engine } = (await this.status(index)).observation
          const names = engine.members.map(({ name }) => name).sort()
          if (names.join() !== wanted) return false
        }
        return true
      },
      withinMs,
    )
  }

  /** Every permit since `sinceMs`, in order. */
  permits(sinceMs = 0): Permit[] {
    return this.members
      .flatMap(({ permits }, pod) => {
        const text = existsSync(permits) ? readFileSync(permits, 'utf8') : ''
        return [...text.matchAll(/^(\d+) (.*)$/gm)].map(([, at, line = '']) => ({
          pod,
          atMs: Number(at),
          line,
        }))
      })
      .filter(({ atMs }) => atMs >= sinceMs)
      .sort((one, other) => one.atMs - other.atMs)
  }

  /** When the agent of a pod first said, after `sinceMs`, that its member serves; null: not yet. */
  servedAtMs(pod: number, sinceMs: number): number | null {
    const log = readFileSync(join(this.member(pod).volume, '..', 'agent.log'), 'utf8')
    const lines = log.split('\n').filter((line) => line.includes('"phase":"serving"'))
    const said = lines.map((line) => JSON.parse(line) as { time: number; msg: string })
    const first = said.find(({ time, msg }) => time > sinceMs && !msg.startsWith('not ready'))
    return first?.time ?? null
  }

  /** Pairs of members of which one was let in before the other served. */
  overlappingJoins(sinceMs = 0): string[] {
    const joins = this.permits(sinceMs).filter((permit) => kindOf(permit) === 'join')
    return joins.flatMap((join, at) => {
      const next = joins.slice(at + 1).find(({ pod }) => pod !== join.pod)
      const servedAtMs = this.servedAtMs(join.pod, join.atMs)
      if (next === undefined || (servedAtMs !== null && servedAtMs <= next.atMs)) return []
      return [`${next.pod} was let in before ${join.pod} served`]
    })
  }

  logs(): string {
    const processes = [...this.members.map((member) => member.process), ...this.#agents]
    return processes.map((each) => each.logTail()).join('\n')
  }

  /** A container that has ended starts again, as long as its pod lives. */
  #startEnded(): void {
    for (const index of this.#wanted) {
      const { process: container } = this.member(index)
      if (container.isRunning) {
        this.#endedAtMs.delete(index)
        continue
      }
      const endedAtMs = this.#endedAtMs.get(index) ?? Date.now()
      this.#endedAtMs.set(index, endedAtMs)
      if (Date.now() - endedAtMs >= BACK_OFF_MS) container.start()
    }
  }

  #agentOf(index: number, places: readonly MemberPorts[]): ServerProcess {
    const member = this.member(index)
    const { hosts, method, tls } = this.#options
    const flags = [
      ['engine', 'galera'],
      ['pod', `q-${index}`],
      ['data-directory', member.volume],
      ['permit-pipe', member.permitPipe],
      ['host', '127.0.0.1'],
      ['port', this.#agentPorts[index]],
      ['prestop-token', TOKEN],
      ['kubernetes-url', this.kubernetes.url],
      ['tree', hosts.join(',')],
      ['advertised-host', '127.0.0.1'],
      ['galera-port', places[index]?.clients],
      ['galera-hosts', places.map(({ replication }) => `127.0.0.1:${replication}`).join(',')],
      ['galera-socket', member.socket],
      ['galera-position-file', join(member.runDirectory, 'galera-position')],
      ['galera-agent-password-file', member.passwordFile],
      ['galera-donor-serves', method === 'mariabackup' ? 'yes' : 'no'],
      ...(tls === null
        ? []
        : [
            ['galera-tls-ca-file', tls.ca],
            ['galera-tls-certificate-file', tls.cert],
            ['galera-tls-key-file', tls.key],
          ]),
      ['session-timeout-ms', 4_000],
      ['verdict-patience-ms', 1_000],
      ['return-after-ms', 3_000],
      ['reconcile-after-ms', 2_000],
      ['drain-budget-ms', 60_000],
    ]
    return new ServerProcess(
      `agent of q-${index}`,
      process.execPath,
      [agentScript, ...flags.map(([flag, value]) => `--${flag}=${value}`)],
      join(member.volume, '..', 'agent.log'),
    )
  }

  #agent(index: number): ServerProcess {
    const agent = this.#agents[index]
    if (agent === undefined) throw new Error(`no agent ${index}`)
    return agent
  }

  #url(index: number, path: string): string {
    return `http://127.0.0.1:${this.#agentPorts[index]}${path}`
  }
}

function portsOf([clients = 0, replication = 0, increments = 0, copies = 0]: readonly number[]) {
  return { clients, replication, increments, copies }
}
