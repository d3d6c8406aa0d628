import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { reservePorts } from '../support/ports.ts'
import { ServerProcess } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'
import { PatroniMembers } from './members.ts'

const COUNT = 3
const TOKEN = 'stop-token'
const AGENT_WITHIN_MS = 40_000
const agentScript = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))

/** What an agent tells of a member, as far as these tests look. */
export interface PodStatus {
  readonly phase: string
  readonly reason: string
  readonly publication: { readonly enabled: boolean } | null
  readonly observation: {
    readonly engine: {
      readonly ready: boolean
      readonly role: string
      readonly generation?: number
      readonly leads: boolean
      readonly members: readonly { readonly name: string }[]
    }
    readonly cluster: { readonly tombstones: Readonly<Record<string, unknown>> } | null
  }
}

/** Three pods: agents of the bundle, each beside a Patroni that waits for its permit. */
export class PatroniPods {
  readonly kubernetes = new FakeKubernetes(COUNT)
  readonly members: PatroniMembers
  readonly #agents: readonly ServerProcess[]
  readonly #ports: readonly number[]

  private constructor(
    members: PatroniMembers,
    ports: readonly number[],
    kubernetes: FakeKubernetes,
    hosts: readonly string[],
  ) {
    this.members = members
    this.kubernetes = kubernetes
    this.#ports = ports
    this.#agents = ports.map((port, i) => {
      const { name, volume, permitPipe, postgresPort, restPort } = members.place(i)
      const flags = [
        ['engine', 'postgresql'],
        ['pod', name],
        ['data-directory', volume],
        ['postgresql-data', 'data'],
        ['permit-pipe', permitPipe],
        ['host', '127.0.0.1'],
        ['port', port],
        ['prestop-token', TOKEN],
        ['kubernetes-url', kubernetes.url],
        ['tree', hosts.join(',')],
        ['advertised-host', '127.0.0.1'],
        ['patroni-scope', 'tests'],
        ['patroni-port', restPort],
        ['patroni-replication', 'synchronous'],
        ['postgresql-port', postgresPort],
        ['session-timeout-ms', 4_000],
        ['verdict-patience-ms', 1_000],
        ['return-after-ms', 3_000],
        ['reconcile-after-ms', 2_000],
        ['drain-budget-ms', 60_000],
      ]
      return new ServerProcess(
        `agent of ${name}`,
        process.execPath,
        [agentScript, ...flags.map(([flag, value]) => `--${flag}=${value}`)],
        join(volume, '..', 'agent.log'),
      )
    })
  }

  static async at(hosts: readonly string[]): Promise<PatroniPods> {
    if (!existsSync(agentScript))
      throw new Error('dist/quorate-agent.cjs is missing: npm run build')
    const members = await PatroniMembers.at(hosts, { prefix: 'q-', first: 0, gated: true })
    const kubernetes = new FakeKubernetes(COUNT)
    await kubernetes.listen()
    return new PatroniPods(members, await reservePorts(COUNT), kubernetes, hosts)
  }

  /** All agents, and beside each a Patroni that asks to start. */
  async start(): Promise<void> {
    for (const agent of this.#agents) agent.start()
    await Promise.all(this.#agents.map((_, i) => this.#decided(i)))
    this.members.startAll()
  }

  async stop(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.signal('SIGKILL')))
    this.members.stop()
    this.kubernetes.close()
  }

  async status(index: number): Promise<PodStatus> {
    return (await (await fetch(this.#url(index, '/status'))).json()) as PodStatus
  }

  async statuses(): Promise<PodStatus[]> {
    return await Promise.all(this.#agents.map((_, i) => this.status(i)))
  }

  async probe(index: number, path: string): Promise<number> {
    return (await fetch(this.#url(index, path))).status
  }

  /** The given pods' agents say that clients may use the members. */
  async ready(indexes: readonly number[], withinMs: number): Promise<void> {
    const isReady = async (index: number) => (await this.probe(index, '/engine/readyz')) === 200
    await waitFor(
      `pods ${indexes.join(', ')} are ready`,
      async () => (await Promise.all(indexes.map(isReady))).every((ready) => ready),
      withinMs,
    )
  }

  /** The index of the pod whose member leads, by what agents saw last; another one than `former`, if one is named. */
  async primary(former?: number): Promise<number> {
    const { leader } = await waitFor('one member leads', async () => {
      const statuses = await this.statuses()
      const leaders = statuses.flatMap(({ observation }, i) =>
        observation.engine.leads ? [i] : [],
      )
      const [leader] = leaders
      if (leader === undefined || leaders.length > 1) throw new Error(`primaries: ${leaders}`)
      return leader === former ? null : { leader }
    })
    return leader
  }

  /** The hook of the main container; resolves with its status when it is answered. */
  async prestop(index: number): Promise<number> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    return (await fetch(this.#url(index, '/prestop'), { headers })).status
  }

  /** The pod goes: its agent ends once the engine has. */
  async endAgent(index: number): Promise<void> {
    await this.#agents[index]?.signal('SIGTERM')
  }

  async killAgent(index: number): Promise<void> {
    await this.#agents[index]?.signal('SIGKILL')
  }

  /** A pod that was killed as a whole comes back. */
  async restart(index: number): Promise<void> {
    this.#agents[index]?.start()
    await this.#decided(index)
    this.members.start(index)
  }

  logs(): string {
    return [this.members.logs(), ...this.#agents.map((agent) => agent.logTail())].join('\n')
  }

  async #decided(index: number): Promise<void> {
    const decided = async () => (await this.probe(index, '/startupz')) === 200
    await waitFor(`agent ${index} has decided`, decided, AGENT_WITHIN_MS)
  }

  #url(index: number, path: string): string {
    return `http://127.0.0.1:${this.#ports[index]}${path}`
  }
}
