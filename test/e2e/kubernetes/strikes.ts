import { waitFor } from '../../support/wait-for.ts'
import type { Namespace, Release } from './cluster.ts'

const AGENT_PORT = 8090

interface ContainerStatus {
  readonly name: string
  readonly restartCount: number
  readonly ready: boolean
  readonly state: { readonly waiting?: { readonly reason?: string } }
}

interface SidecarPod {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: { readonly nodeName: string }
  readonly status: {
    readonly podIP?: string
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

/** What is read of `GET /status` of an agent. */
export interface AgentStatus {
  readonly phase: string
  readonly reason: string
  readonly observation: { readonly asking: boolean } | null
}

/** An event of the namespace, by the pod that it speaks of. */
export interface PodEvent {
  readonly pod: string
  readonly message: string
}

/** The agents of a release, beside what Release knows of its servers. */
export class Agents {
  readonly #release: Release

  constructor(release: Release) {
    this.#release = release
  }

  async pod(ordinal: number): Promise<SidecarPod> {
    const { namespace, name } = this.#release
    return await namespace.json<SidecarPod>('pod', `${name}-${ordinal}`)
  }

  async container(ordinal: number): Promise<ContainerStatus> {
    const { status } = await this.pod(ordinal)
    const found = status.initContainerStatuses?.find(({ name }) => name === 'agent')
    if (found === undefined) throw new Error(`pod ${ordinal} has no agent yet`)
    return found
  }

  async isPodReady(ordinal: number): Promise<boolean> {
    const { status } = await this.pod(ordinal)
    return (
      status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
    )
  }

  async status(ordinal: number): Promise<AgentStatus> {
    return JSON.parse(await this.#get(ordinal, '/status')) as AgentStatus
  }

  /** Permits that the agent of this pod has given since it began. */
  async permits(ordinal: number): Promise<number> {
    const metrics = await this.#get(ordinal, '/metrics')
    const sample = /^quorate_agent_actions_total\{action="permit",outcome="done"\} (\d+)$/m
    return Number(sample.exec(metrics)?.[1] ?? 0)
  }

  /** Resolves when the agent cannot give the permit that the server asks for. */
  async withholdsPermit(ordinal: number): Promise<void> {
    await waitFor(
      `the server of pod ${ordinal} waits for its permit`,
      async () => {
        const { phase, reason, observation } = await this.status(ordinal)
        return phase === 'waiting' && reason.startsWith('waits') && observation?.asking === true
      },
      120_000,
    )
  }

  /** The events that agents have written, of one kind. */
  async events(reason: string): Promise<PodEvent[]> {
    const { items } = await this.#release.namespace.json<{
      items: { involvedObject: { name: string }; message: string }[]
    }>('events', `--field-selector=reason=${reason}`)
    return items.map(({ involvedObject, message }) => ({ pod: involvedObject.name, message }))
  }

  #get(ordinal: number, path: string): Promise<string> {
    const { namespace, name } = this.#release
    const url = `http://127.0.0.1:${AGENT_PORT}${path}`
    // In the agent's own container: the server's may be between two lives.
    const wget = ['--', 'wget', '-qO-', url]
    return namespace.kubectl('exec', `${name}-${ordinal}`, '-c', 'agent', ...wget)
  }
}

export type Moment = 'now' | 'starting' | 'joining' | 'draining'
type Signal = 'SIGKILL' | 'SIGSTOP'

/** Signals to servers alone, from privileged pods on their nodes. */
export class Strikes {
  readonly #host: Namespace
  readonly #release: Release
  readonly #agents: Agents
  #count = 0

  constructor(host: Namespace, release: Release) {
    this.#host = host
    this.#release = release
    this.#agents = new Agents(release)
  }

  async now(ordinal: number, signal: Signal = 'SIGKILL'): Promise<void> {
    await this.#start(ordinal, 'now', signal, 'Succeeded')
  }

  /** Resolves when the moment is being waited for, with what resolves when it has come. */
  async arm(ordinal: number, at: Moment, signal: Signal = 'SIGKILL'): Promise<() => Promise<void>> {
    const pod = await this.#start(ordinal, at, signal, 'Running')
    const log = () => this.#host.kubectl('logs', pod)
    await waitFor(`${pod} is armed`, async () => (await log()).startsWith('armed'))
    return async () => {
      await waitFor(
        `${signal} while ${at}`,
        async () => (await log()).endsWith(`${signal} ${at}`),
        120_000,
      )
    }
  }

  async #start(
    ordinal: number,
    at: Moment,
    signal: Signal,
    phase: 'Running' | 'Succeeded',
  ): Promise<string> {
    const { metadata, spec, status } = await this.#agents.pod(ordinal)
    this.#count += 1
    const name = `strike-${this.#count}`
    const env = {
      POD: metadata.name,
      IN: this.#release.namespace.name,
      POD_IP: status.podIP ?? '',
      AGENT_PORT: String(AGENT_PORT),
      HTTP_PORT: String(this.#release.httpPort),
      AT: at,
      SIGNAL: signal,
    }
    await this.#host.startOnNode(name, 'strike', spec.nodeName, env, phase)
    return name
  }
}
