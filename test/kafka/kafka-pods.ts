import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KafkaView } from '../../agent/core/cluster/kafka-plan.ts'
import type { KraftView } from '../../agent/core/cluster/kraft-plan.ts'
import { KafkaCluster } from '../../agent/engines/kafka/kafka-cluster.ts'
import { type JavaTool, SMALL_JVM } from '../support/java.ts'
import { reservePorts } from '../support/ports.ts'
import { ServerProcess } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'
import {
  type KafkaForm,
  kafkaCommand,
  kafkaFlags,
  kafkaProperties,
  propertiesFile,
  type ReleasePlace,
} from './kafka-files.ts'

const agentBundle = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))
const TOKEN = 'stop-token'
const READY_WITHIN_MS = 120_000

interface Status {
  readonly reason: string
  readonly publication: { readonly status: string; readonly enabled: boolean } | null
  readonly observation: { readonly engine: KafkaView & Partial<KraftView> }
}

/** One pod as processes: the agent, and a shell that reads its permit and runs the broker. */
export class KafkaPod {
  readonly port: number
  readonly broker: ServerProcess
  readonly #agent: ServerProcess
  readonly #agentPort: number
  readonly #data: string

  constructor(tool: JavaTool, release: ReleasePlace, ordinal: number) {
    const ports = release.ports[ordinal] ?? []
    const [port = 0, agentPort = 0] = ports
    const name = `${release.set}-${ordinal}`
    const directory = join(release.directory, name)
    const [data, pipe] = [join(directory, 'data'), join(directory, 'permit')]
    mkdirSync(data, { recursive: true })
    this.port = port
    this.#agentPort = agentPort
    this.#data = data
    const flags = {
      engine: 'kafka',
      pod: name,
      set: release.set,
      'data-directory': data,
      'permit-pipe': pipe,
      host: '127.0.0.1',
      port: agentPort,
      'advertised-host': '127.0.0.1',
      'prestop-token': TOKEN,
      'kubernetes-url': release.kubernetesUrl,
      tree: release.servers.join(','),
      'return-after-ms': 1_000,
      ...kafkaFlags(release, ports),
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const agentLog = join(directory, 'agent.log')
    this.#agent = new ServerProcess(
      `agent of ${name}`,
      process.execPath,
      [agentBundle, ...args],
      agentLog,
    )
    const file = propertiesFile(directory, 'base', {
      ...kafkaProperties(release, ports),
      'log.dirs': join(data, 'logs'),
      'auto.create.topics.enable': 'false',
      'num.network.threads': '2',
      'num.io.threads': '4',
      'background.threads': '2',
      'log.cleaner.enable': 'false',
    })
    const options = [...SMALL_JVM, `-Dlog4j.configuration=file:${release.log4j}`].join(' ')
    const java = `${tool.java} ${options} -cp '${tool.jars}'`
    const command = kafkaCommand(release, java, file)
    this.broker = new ServerProcess(
      `kafka of ${name}`,
      'sh',
      ['-ec', `read -r line < ${pipe}; ${command}`],
      join(directory, 'broker.log'),
    )
  }

  /** The kubelet's order: the agent first, the engine when the agent is up. */
  async start(): Promise<void> {
    this.#agent.start()
    await waitFor('the agent has decided', async () => (await this.probe('/startupz')) === 200)
    this.broker.start()
  }

  async ready(): Promise<void> {
    await this.broker.ready(
      async () => (await this.probe('/engine/readyz')) === 200,
      READY_WITHIN_MS,
    )
  }

  async probe(path: string): Promise<number> {
    return (await fetch(this.#url(path))).status
  }

  async status(): Promise<Status> {
    return (await (await fetch(this.#url('/status'))).json()) as Status
  }

  /** The agent's sentence about what it does, when it says what is expected. */
  async says(what: RegExp): Promise<string> {
    return await waitFor(
      `the agent says ${what}`,
      async () => {
        const { reason } = await this.status()
        if (what.test(reason)) return reason
        throw new Error(reason)
      },
      READY_WITHIN_MS,
    )
  }

  /** The hook of the main container: resolves when the broker may stop. */
  async prestop(): Promise<number> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    return (await fetch(this.#url('/prestop'), { headers })).status
  }

  /** The pod ends: the broker, then its agent. */
  async stop(): Promise<void> {
    await this.broker.stop()
    await this.#agent.stop()
  }

  async kill(): Promise<void> {
    await Promise.all([this.broker.signal('SIGKILL'), this.#agent.signal('SIGKILL')])
  }

  /** The volume is gone; another one takes its place. */
  loseDisk(): void {
    rmSync(this.#data, { recursive: true })
    mkdirSync(this.#data)
  }

  /** The disk says that it is of this cluster. */
  changeCluster(id: string): void {
    const file = join(this.#data, 'logs', 'meta.properties')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^cluster\.id=.*$/m, `cluster.id=${id}`))
  }

  logs(): string {
    return `${this.#agent.logTail()}\n${this.broker.logTail()}`
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#agentPort}${path}`
  }
}

interface ReleaseOptions {
  readonly form?: KafkaForm
  readonly set?: string
  /** host:port of the controllers, where they are a set of their own. */
  readonly controllers?: readonly string[]
}

/** A StatefulSet of nodes beside a double of the Kubernetes API. */
export class KafkaRelease {
  readonly kubernetes: FakeKubernetes
  readonly pods: readonly KafkaPod[]
  readonly cluster: KafkaCluster
  /** host:port of its controllers. */
  readonly controllers: readonly string[]
  readonly #directory: string

  private constructor(kubernetes: FakeKubernetes, place: ReleasePlace, pods: readonly KafkaPod[]) {
    this.kubernetes = kubernetes
    this.controllers = place.controllers
    this.pods = pods
    this.#directory = place.directory
    const places = pods.map(({ port }) => ({ host: '127.0.0.1', port }))
    this.cluster = new KafkaCluster(places, null, 10_000)
  }

  static async create(
    tool: JavaTool,
    servers: readonly string[],
    replicas: number,
    { form = 'zookeeper', set = 'k', controllers }: ReleaseOptions = {},
  ): Promise<KafkaRelease> {
    const kubernetes = new FakeKubernetes(replicas)
    await kubernetes.listen()
    const directory = mkdtempSync(join(tmpdir(), 'quorate-kafka-pods-'))
    const log4j = propertiesFile(directory, 'log4j', {
      'log4j.rootLogger': 'WARN, out',
      'log4j.appender.out': 'org.apache.log4j.ConsoleAppender',
      'log4j.appender.out.layout': 'org.apache.log4j.PatternLayout',
      'log4j.appender.out.layout.ConversionPattern': '%d %p %m (%c{1})%n',
    })
    const all = await reservePorts(3 * replicas)
    const ports = Array.from({ length: replicas }, (_, i) => all.slice(3 * i, 3 * i + 3))
    const place: ReleasePlace = {
      ...{ form, set, ports, directory, servers, log4j, kubernetesUrl: kubernetes.url },
      controllers: controllers ?? ports.map(([, , port]) => `127.0.0.1:${port}`),
    }
    const pods = ports.map((_, ordinal) => new KafkaPod(tool, place, ordinal))
    return new KafkaRelease(kubernetes, place, pods)
  }

  pod(ordinal: number): KafkaPod {
    const pod = this.pods[ordinal]
    if (pod === undefined) throw new Error(`no pod ${ordinal}`)
    return pod
  }

  /** All at once, as podManagementPolicy Parallel does. */
  async start(): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.start()))
    await Promise.all(this.pods.map((pod) => pod.ready()))
  }

  /** Waits until every partition has so many copies in sync. */
  async inSync(copies: number): Promise<void> {
    await waitFor(`${copies} copies are in sync`, async () => {
      const { partitions } = await this.cluster.metadata(null)
      return partitions.length > 0 && partitions.every(({ inSync }) => inSync.length === copies)
    })
  }

  async close(): Promise<void> {
    this.cluster.close()
    await Promise.all(this.pods.map((pod) => pod.kill()))
    this.kubernetes.close()
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 })
  }

  logs(): string {
    return this.pods.map((pod) => pod.logs()).join('\n')
  }
}
