import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KafkaView } from '../../agent/core/cluster/kafka-plan.ts'
import { KafkaCluster } from '../../agent/engines/kafka/kafka-cluster.ts'
import { type JavaTool, SMALL_JVM } from '../support/java.ts'
import { reservePorts } from '../support/ports.ts'
import { ServerProcess } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'

const agentBundle = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))
const TOKEN = 'stop-token'
const READY_WITHIN_MS = 60_000
const SESSION_MS = 6_000
export const ROOT = '/kafka'

interface Status {
  readonly reason: string
  readonly publication: { readonly status: string; readonly enabled: boolean } | null
  readonly observation: { readonly engine: KafkaView }
}

/** One pod as processes: the agent, and a shell that reads its permit and runs the broker. */
export class KafkaPod {
  readonly port: number
  readonly broker: ServerProcess
  readonly #agent: ServerProcess
  readonly #agentPort: number

  constructor(tool: JavaTool, release: ReleasePlace, ordinal: number, ports: readonly number[]) {
    const [port = 0, agentPort = 0] = ports
    const directory = join(release.directory, `k-${ordinal}`)
    const [data, pipe] = [join(directory, 'data'), join(directory, 'permit')]
    mkdirSync(data, { recursive: true })
    this.port = port
    this.#agentPort = agentPort
    const flags = {
      engine: 'kafka',
      pod: `k-${ordinal}`,
      set: 'k',
      'data-directory': data,
      'permit-pipe': pipe,
      host: '127.0.0.1',
      port: agentPort,
      'advertised-host': '127.0.0.1',
      'prestop-token': TOKEN,
      'kubernetes-url': release.kubernetesUrl,
      tree: release.servers.join(','),
      'kafka-port': port,
      'kafka-root': ROOT,
      'kafka-advertised-listeners': `PLAINTEXT://{host}:${port}`,
      'return-after-ms': 1_000,
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const agentLog = join(directory, 'agent.log')
    this.#agent = new ServerProcess(
      `agent of k-${ordinal}`,
      process.execPath,
      [agentBundle, ...args],
      agentLog,
    )
    const file = propertiesFile(directory, 'server', {
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
      'zookeeper.connect': `${release.servers.join(',')}${ROOT}`,
      'zookeeper.session.timeout.ms': String(SESSION_MS),
      'log.dirs': join(data, 'logs'),
      'auto.create.topics.enable': 'false',
      'num.network.threads': '2',
      'num.io.threads': '4',
      'background.threads': '2',
      'log.cleaner.enable': 'false',
      'file.delete.delay.ms': '500',
    })
    const java = [tool.java, ...SMALL_JVM, `-Dlog4j.configuration=file:${release.log4j}`]
    const command = `${java.join(' ')} -cp '${tool.jars}' kafka.Kafka ${file}`
    this.broker = new ServerProcess(
      `kafka ${ordinal}`,
      'sh',
      ['-ec', `read -r line < ${pipe} && exec ${command} $line`],
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

  async kill(): Promise<void> {
    await Promise.all([this.broker.signal('SIGKILL'), this.#agent.signal('SIGKILL')])
  }

  logs(): string {
    return `${this.#agent.logTail()}\n${this.broker.logTail()}`
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#agentPort}${path}`
  }
}

interface ReleasePlace {
  readonly directory: string
  readonly kubernetesUrl: string
  readonly servers: readonly string[]
  readonly log4j: string
}

/** A StatefulSet of brokers beside a double of the Kubernetes API. */
export class KafkaRelease {
  readonly kubernetes: FakeKubernetes
  readonly pods: readonly KafkaPod[]
  readonly cluster: KafkaCluster
  readonly #directory: string

  private constructor(kubernetes: FakeKubernetes, directory: string, pods: readonly KafkaPod[]) {
    this.kubernetes = kubernetes
    this.pods = pods
    this.#directory = directory
    const places = pods.map(({ port }) => ({ host: '127.0.0.1', port }))
    this.cluster = new KafkaCluster(places, null, 10_000)
  }

  static async create(
    tool: JavaTool,
    servers: readonly string[],
    replicas: number,
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
    const place = { directory, kubernetesUrl: kubernetes.url, servers, log4j }
    const ports = await reservePorts(2 * replicas)
    const pods = Array.from(
      { length: replicas },
      (_, i) => new KafkaPod(tool, place, i, ports.slice(2 * i, 2 * i + 2)),
    )
    return new KafkaRelease(kubernetes, directory, pods)
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

function propertiesFile(
  directory: string,
  name: string,
  lines: Readonly<Record<string, string>>,
): string {
  const file = join(directory, `${name}.properties`)
  const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, text.join(''))
  return file
}
