import type { ConnectionOptions } from 'node:tls'
import type { Coordination } from '../../coordination/coordination.ts'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import { surveyReplicas } from '../../core/cluster/kafka-partitions.ts'
import {
  type DatedSurvey,
  type KafkaTree,
  type KafkaView,
  kafkaPlan,
  SURVEY,
} from '../../core/cluster/kafka-plan.ts'
import type { DiskReport } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import { within } from '../../deadline.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import { KafkaConnection } from './kafka-connection.ts'
import { discoverKafka } from './kafka-disk.ts'
import { readKafkaTree } from './kafka-registration.ts'
import {
  apiVersions,
  countLogs,
  describeConfigs,
  type KafkaMetadata,
  metadata,
  TOPIC,
} from './kafka-requests.ts'

export interface KafkaOptions {
  readonly disk: MemberDisk
  readonly logDirectories: readonly string[]
  readonly set: string
  readonly brokerId: number
  /** The broker id of ordinal 0. */
  readonly firstId: number
  readonly host: string
  readonly port: number
  readonly clientPorts: ClientPorts
  /** Where others reach the broker: one of its registered endpoints. */
  readonly advertisedHost: string
  /** '' leaves them to the broker's configuration. */
  readonly advertisedListeners: string
  /** Null: plain text. */
  readonly tls: (() => ConnectionOptions) | null
  readonly version: string
  readonly coordination: Coordination
  /** Of the brokers' cluster in the tree; '' for the root itself. */
  readonly treeRoot: string
  readonly nowMs: () => number
}

/** What the shell of the container would not take as it stands. */
const SAFE_LINE = /^[\w.,:/=@\-[\] ]*$/

const NO_METADATA: KafkaMetadata = { clusterId: '', controllerId: -1, brokers: [], partitions: [] }
const MIN_IN_SYNC = 'min.insync.replicas'

/**
 * A broker of Apache Kafka whose cluster is kept in the tree (3.9 and before). Nothing of a broker is
 * kept there that a removal would have to take out: its members are whoever is registered.
 */
export class KafkaEngine implements Engine<KafkaView> {
  readonly kind = 'kafka'
  readonly policy: Policy<KafkaView> = clusterPolicy(kafkaPlan(limits))
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: KafkaOptions
  /** For signs of life alone: a broker answers the requests of a connection one after the other. */
  readonly #heart: KafkaConnection
  readonly #broker: KafkaConnection
  #pulse: Promise<void> | null = null
  #answers = false
  #metadata = NO_METADATA
  #survey: DatedSurvey | null = null
  #surveying: Promise<void> | null = null
  #tree: KafkaTree = { kind: 'unknown', reason: 'it was not read yet' }
  /** When the process that got the last permit first answered. */
  #answeredAtMs: number | null = null
  /** Its copies were seen in sync, or time was up: asked once for each process. */
  #caughtUp = false

  constructor(options: KafkaOptions) {
    this.#options = options
    const { host, port, tls, clientPorts } = options
    this.#heart = new KafkaConnection({ host, port }, tls)
    this.#broker = new KafkaConnection({ host, port }, tls)
    this.clientPorts = clientPorts
    this.ports = { kafka: port }
  }

  discover(): DiskReport {
    const { disk, logDirectories, brokerId } = this.#options
    return discoverKafka(disk, logDirectories, brokerId)
  }

  /** In sync or not is known by the brokers together; none is more advanced than the others. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<KafkaView> {
    const { coordination, treeRoot, brokerId } = this.#options
    const [answers, tree] = await Promise.all([
      this.#isAnswering(),
      readKafkaTree(coordination, treeRoot, brokerId),
    ])
    this.#tree = tree
    if (answers) await this.#follow()
    return this.#view(answers)
  }

  /** ApiVersions within its limit. Never whether copies are in sync, nor what the tree says. */
  liveness({ answers }: KafkaView): boolean {
    return answers
  }

  async version(): Promise<string> {
    return this.#options.version
  }

  permitLine(): string {
    const { brokerId, advertisedListeners } = this.#options
    const listeners =
      advertisedListeners === '' ? '' : ` --override advertised.listeners=${advertisedListeners}`
    const line = `--override broker.id=${brokerId}${listeners}`
    if (!SAFE_LINE.test(line)) throw new AgentError('AGENT_CONFIG_INVALID', `unsafe: ${line}`)
    // Another process: what was seen of the former one says nothing of it.
    this.#answeredAtMs = null
    this.#caughtUp = false
    this.#survey = null
    return line
  }

  /** A broker gives away what it leads by itself, when it is told to stop. */
  async drain(): Promise<void> {}

  /** Nothing is kept of a broker beside its registration, which goes with its session. */
  async leave(): Promise<void> {}

  async perform(name: string): Promise<void> {
    if (name === SURVEY) await this.#look()
  }

  /** Waits a moment for the sign of life; until it comes, or its limit is over, the last one counts. */
  async #isAnswering(): Promise<boolean> {
    this.#pulse ??= this.#beat().finally(() => {
      this.#pulse = null
    })
    const late = () => new Error('not yet')
    await within(this.#pulse, limits.kafkaPatienceMs, late).catch(() => {})
    return this.#answers
  }

  async #beat(): Promise<void> {
    try {
      await this.#heart.call(apiVersions, limits.kafkaAnswerMs)
      this.#answers = true
    } catch {
      this.#answers = false
      return
    }
    try {
      this.#metadata = await this.#heart.call(metadata([]), limits.kafkaAnswerMs)
    } catch {
      // It lives; what it told of the cluster before stays.
    }
  }

  /** Until the start of the broker is over: are its copies in sync? */
  async #follow(): Promise<void> {
    const { nowMs } = this.#options
    this.#answeredAtMs ??= nowMs()
    if (this.#caughtUp || !this.#isListed) return
    const dueAtMs = (this.#survey?.atMs ?? Number.NEGATIVE_INFINITY) + limits.kafkaSurveyEveryMs
    if (nowMs() >= dueAtMs) await this.#glance()
    const late = nowMs() - this.#answeredAtMs >= limits.kafkaBehindMs
    this.#caughtUp = late || this.#survey?.behind === 0
  }

  /** Waits a moment for a look at the copies; one that takes longer shows later. */
  async #glance(): Promise<void> {
    this.#surveying ??= this.#look()
      .catch(() => {
        // The broker is not ready while nothing is known of its copies.
      })
      .finally(() => {
        this.#surveying = null
      })
    const late = () => new Error('not yet')
    await within(this.#surveying, limits.kafkaPatienceMs, late).catch(() => {})
  }

  async #look(): Promise<void> {
    const { brokerId, nowMs } = this.#options
    const timeoutMs = limits.kafkaSurveyMs
    const atMs = nowMs()
    const { partitions } = await this.#broker.call(metadata(null), timeoutMs)
    const own = partitions.filter(({ replicas }) => replicas.includes(brokerId))
    const topics = [...new Set(own.map(({ topic }) => topic))]
    const configs = await this.#broker.call(
      describeConfigs(TOPIC, topics, [MIN_IN_SYNC]),
      timeoutMs,
    )
    const minInSync = Object.fromEntries(
      topics.map((topic) => [topic, Number(configs.get(topic)?.[MIN_IN_SYNC] ?? 1)]),
    )
    const logs = await this.#broker.call(countLogs, timeoutMs)
    this.#survey = { ...surveyReplicas(own, minInSync, brokerId), atMs, logs }
  }

  get #isListed(): boolean {
    return this.#metadata.brokers.some(({ id }) => id === this.#options.brokerId)
  }

  #view(answers: boolean): KafkaView {
    const { brokerId } = this.#options
    const { clusterId, controllerId } = this.#metadata
    const obstacle = this.#obstacle(answers)
    const leads = answers && controllerId === brokerId
    return {
      answers,
      retired: false,
      ready: obstacle === null,
      reason: obstacle ?? '',
      clusterId,
      leads,
      leader: controllerId < 0 ? null : this.#podOf(controllerId),
      role: leads ? 'controller' : 'broker',
      members: [],
      brokerId,
      tree: this.#tree,
      survey: this.#survey,
    }
  }

  /**
   * Why clients may not use the broker yet; null: they may. A tree that is away says nothing about a
   * broker that was ready: it goes on serving.
   */
  #obstacle(answers: boolean): string | null {
    const tree = this.#tree
    if (!answers) return 'the broker does not answer'
    if (tree.kind === 'known') {
      if (tree.registered === null) return 'the broker is not registered'
      if (!tree.registered.includes(this.#options.advertisedHost)) {
        return `the broker is registered at ${tree.registered.join(', ')}`
      }
    } else if (!this.#caughtUp) {
      return `it is not known whether the broker is registered: ${tree.reason}`
    }
    if (!this.#isListed) return 'the brokers do not know this one yet'
    if (this.#caughtUp) return null
    const { behind } = this.#survey ?? { behind: null }
    return behind === null ? 'looks at its copies' : `${behind} of its copies are behind`
  }

  #podOf(id: number): string {
    return `${this.#options.set}-${id - this.#options.firstId}`
  }
}
