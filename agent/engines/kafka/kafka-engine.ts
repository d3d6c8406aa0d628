import type { ConnectionOptions } from 'node:tls'
import type { Coordination } from '../../coordination/coordination.ts'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import { type KafkaTree, type KafkaView, kafkaPlan } from '../../core/cluster/kafka-plan.ts'
import { SURVEY } from '../../core/cluster/kafka-stop.ts'
import type { DiskReport } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import { safeLine } from '../safe-line.ts'
import { LocalBroker } from './kafka-broker.ts'
import { discoverKafka } from './kafka-disk.ts'
import { readKafkaTree } from './kafka-registration.ts'
import { LeaderlessMark } from './leaderless-mark.ts'

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
  /** Path of the file that tells the container's script that nobody can let the broker go in order. */
  readonly leaderlessMark: string
  readonly nowMs: () => number
}

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
  readonly #broker: LocalBroker
  readonly #leaderless: LeaderlessMark

  constructor(options: KafkaOptions) {
    this.#options = options
    const { host, port, tls, clientPorts, nowMs, brokerId, leaderlessMark } = options
    this.#broker = new LocalBroker({ id: brokerId, place: { host, port }, tls, nowMs })
    this.#leaderless = new LeaderlessMark(leaderlessMark, limits.kafkaLeaderlessMs, nowMs)
    this.#leaderless.clear()
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
    const { coordination, treeRoot, brokerId, set, firstId } = this.#options
    const answers = await this.#broker.look()
    // A broker that is about to start must not do so on what a server behind the others says.
    const tree = await readKafkaTree(coordination, treeRoot, brokerId, !answers)
    if (answers) await this.#broker.follow(isInTree(tree))
    this.#leaderless.look(tree.kind === 'known')
    const { clusterId, controllerId } = this.#broker.metadata
    const obstacle = this.#obstacle(answers, tree)
    const leads = answers && controllerId === brokerId
    return {
      answers,
      retired: false,
      ready: obstacle === null,
      reason: obstacle ?? '',
      clusterId,
      leads,
      leader: controllerId < 0 ? null : `${set}-${controllerId - firstId}`,
      role: leads ? 'controller' : 'broker',
      members: [],
      brokerId,
      tree,
      survey: this.#broker.survey,
    }
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
    this.#broker.begin()
    this.#leaderless.clear()
    return safeLine(`--override broker.id=${brokerId}${listeners}`)
  }

  /** A broker gives away what it leads by itself, when it is told to stop. */
  async drain(): Promise<void> {}

  /** Nothing is kept of a broker beside its registration, which goes with its session. */
  async leave(): Promise<void> {}

  async perform(name: string): Promise<void> {
    if (name === SURVEY) await this.#broker.lookAtCopies()
  }

  /**
   * Why clients may not use the broker yet; null: they may. A tree that is away says nothing about a
   * broker that was ready: it goes on serving.
   */
  #obstacle(answers: boolean, tree: KafkaTree): string | null {
    if (!answers) return 'the broker does not answer'
    if (tree.kind === 'known') {
      if (tree.registered === null) return 'the broker is not registered'
      if (!tree.registered.includes(this.#options.advertisedHost)) {
        return `the broker is registered at ${tree.registered.join(', ')}`
      }
    } else if (!this.#broker.isCaughtUp) {
      return `it is not known whether the broker is registered: ${tree.reason}`
    }
    return this.#broker.obstacle
  }
}

/** A question about copies that a broker without its session is asked holds a thread of it until the session is back. */
function isInTree(tree: KafkaTree): boolean {
  return tree.kind === 'known' && tree.registered !== null
}
