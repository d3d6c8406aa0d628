import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

const agentBundle = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))
const TOKEN = 'stop-token'
const READY_WITHIN_MS = 60_000
const SESSION_MS = 6_000
export const ROOT = '/kafka'

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
    const directory = join(release.directory, `k-${ordinal}`)
    const [data, pipe] = [join(directory, 'data'), join(directory, 'permit')]
    mkdirSync(data, { recursive: true })
    this.port = port
    this.#agentPort = agentPort
    this.#data = data
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
      'return-after-ms': 1_000,
      ...(release.mode === 'kraft' ? kraftFlags(ports) : zookeeperFlags(port)),
    }
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const agentLog = join(directory, 'agent.log')
    this.#agent = new ServerProcess(
      `agent of k-${ordinal}`,
      process.execPath,
      [agentBundle, ...args],
      agentLog,
    )
    const file = propertiesFile(directory, 'base', {
      ...(release.mode === 'kraft'
        ? kraftLines(release.ports, ports)
        : zookeeperLines(release.servers, port)),
      'log.dirs': join(data, 'logs'),
      'auto.create.topics.enable': 'false',
      'num.network.threads': '2',
      'num.io.threads': '4',
      'background.threads': '2',
      'log.cleaner.enable': 'false',
    })
    const options = [...SMALL_JVM, `-Dlog4j.configuration=file:${release.log4j}`].join(' ')
    const java = `${tool.java} ${options} -cp '${tool.jars}'`
    const command =
      release.mode === 'kraft' ? kraftCommand(java, file) : `exec ${java} kafka.Kafka ${file} $line`
    this.broker = new ServerProcess(
      `kafka ${ordinal}`,
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

  logs(): string {
    return `${this.#agent.logTail()}\n${this.broker.logTail()}`
  }

  #url(path: string): string {
    return `http://127.0.0.1:${this.#agentPort}${path}`
  }
}

export type KafkaMode = 'zookeeper' | 'kraft'

interface ReleasePlace {
  readonly mode: KafkaMode
  /** Of each pod: broker, agent, controller. */
  readonly ports: readonly (readonly number[])[]
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
    mode: KafkaMode = 'zookeeper',
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
    const place = { mode, ports, directory, kubernetesUrl: kubernetes.url, servers, log4j }
    const pods = ports.map((_, ordinal) => new KafkaPod(tool, place, ordinal))
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

function zookeeperFlags(port: number) {
  return {
    'kafka-root': ROOT,
    'kafka-advertised-listeners': `PLAINTEXT://{host}:${port}`,
  }
}

function zookeeperLines(servers: readonly string[], port: number) {
  return {
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    'zookeeper.connect': `${servers.join(',')}${ROOT}`,
    'zookeeper.session.timeout.ms': String(SESSION_MS),
  }
}

function kraftFlags([port, , controller]: readonly number[]) {
  return {
    'kafka-mode': 'kraft',
    'kafka-controllers': 3,
    'kafka-controller-port': controller,
    'kafka-advertised-listeners': `PLAINTEXT://{host}:${port}`,
  }
}

function kraftLines(all: ReleasePlace['ports'], [port, , controller]: readonly number[]) {
  return {
    'process.roles': 'broker,controller',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': all.map((ports) => `127.0.0.1:${ports[2]}`).join(','),
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'broker.session.timeout.ms': String(SESSION_MS),
  }
}

/** What the container's command does with its permit. */
function kraftCommand(java: string, base: string): string {
  const file = base.replace('base', 'server')
  return [
    'format=',
    'set -- $line',
    'if [ "$1" = --format ]; then format="--cluster-id $2 $3"; shift 3; fi',
    `{ cat ${base}; printf '%s\\n' "$@"; } > ${file}`,
    `if [ -n "$format" ]; then ${java} kafka.tools.StorageTool format --config ${file} $format; fi`,
    `exec ${java} kafka.Kafka ${file}`,
  ].join('; ')
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
