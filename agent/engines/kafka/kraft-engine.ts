import type { Coordination } from '../../coordination/coordination.ts'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import { SURVEY } from '../../core/cluster/kafka-stop.ts'
import {
  ADD_VOTER,
  brokersPlan,
  type ControllersRecord,
  type KraftView,
  kraftPlan,
  mayVote,
  UNREGISTER,
} from '../../core/cluster/kraft-plan.ts'
import {
  type DiskReport,
  type EngineMember,
  type Observation,
  ordinalOf,
} from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import { safeLine } from '../safe-line.ts'
import { readControllersRecord } from './controllers-record.ts'
import { LocalBroker } from './kafka-broker.ts'
import { discoverKafka } from './kafka-disk.ts'
import type { KafkaOptions } from './kafka-engine.ts'
import {
  type ControllerPlace,
  describeQuorum,
  fencedBrokers,
  type QuorumView,
  unregisterBroker,
} from './kafka-quorum-requests.ts'
import { highestVersions, metadata } from './kafka-requests.ts'
import { type AskQuorum, formatWords, foundersId, giveVote, takeVote } from './kraft-votes.ts'
import { LeaderlessMark } from './leaderless-mark.ts'

/** Controllers that are a set of their own. */
export interface ControllersElsewhere {
  readonly coordination: Coordination
  /** Of the facts of their cluster in the tree. */
  readonly root: string
}

export interface KraftOptions extends Omit<KafkaOptions, 'coordination' | 'treeRoot'> {
  /** Where the other controllers reach this one. */
  readonly controller: ControllerPlace
  /** So many of the lowest ordinals are controllers, or others are. */
  readonly controllers: number | ControllersElsewhere
}

const BROKER_ID_NOT_REGISTERED = 102

/**
 * A broker of Apache Kafka with KRaft and a dynamic quorum (3.9 and later), and controller too on the lowest ordinals
 * unless these are a set of their own.
 */
export class KraftEngine implements Engine<KraftView> {
  readonly kind = 'kafka'
  readonly policy: Policy<KraftView>
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: KraftOptions
  readonly #broker: LocalBroker
  readonly #leaderless: LeaderlessMark
  readonly #ask: AskQuorum
  /** Null: the lowest ordinals are the controllers. */
  readonly #elsewhere: ControllersElsewhere | null
  #record: ControllersRecord | null = null
  #quorum: QuorumView | null = null
  /** Of the process that runs: whether it can tell of brokers that do not. */
  #tellsFenced: boolean | null = null
  #fenced: readonly number[] | null = null
  /** By `<pod>@<when it was buried>`: when to look at it again. */
  readonly #unregistered = new Map<string, number>()

  constructor(options: KraftOptions) {
    this.#options = options
    const { host, port, tls, clientPorts, nowMs, brokerId, controller, controllers } = options
    const combined = typeof controllers === 'number'
    this.#elsewhere = combined ? null : controllers
    this.policy = clusterPolicy(
      combined ? kraftPlan({ ...limits, controllers }) : brokersPlan(limits),
    )
    this.#broker = new LocalBroker({ id: brokerId, place: { host, port }, tls, nowMs })
    this.#ask = (request, timeoutMs) => this.#broker.ask(request, timeoutMs)
    this.#leaderless = new LeaderlessMark(
      options.leaderlessMark,
      limits.kafkaLeaderlessMs,
      options.nowMs,
    )
    // An agent that was started again does not know how long it has been so.
    this.#leaderless.clear()
    this.clientPorts = clientPorts
    this.ports = { kafka: port, ...(combined ? { controller: controller.port } : {}) }
  }

  discover(): DiskReport {
    const { disk, logDirectories, brokerId } = this.#options
    return discoverKafka(disk, logDirectories, brokerId)
  }

  /** A majority of the voters has all of the metadata. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<KraftView> {
    const { brokerId, nowMs } = this.#options
    const answers = await this.#broker.look()
    if (answers) await this.#broker.follow(true)
    const quorum = answers ? await this.#lookAtQuorum() : null
    if (answers) await this.#lookAtFenced()
    // A broker that runs has its cluster on its disk.
    else await this.#lookAtRecord()
    const obstacle = answers ? this.#broker.obstacle : 'the broker does not answer'
    const leaderId = quorum?.leaderId ?? -1
    if (answers) this.#leaderless.look(leaderId >= 0)
    const leads = leaderId === brokerId
    const unregistered = [...this.#unregistered].filter(([, untilMs]) => nowMs() < untilMs)
    return {
      answers,
      retired: false,
      ready: obstacle === null,
      reason: obstacle ?? '',
      clusterId: this.#broker.metadata.clusterId,
      leads,
      leader: leaderId < 0 || this.#elsewhere !== null ? null : this.#podOf(leaderId),
      role: leads ? 'controller' : 'broker',
      ...(quorum === null ? {} : { generation: quorum.epoch }),
      members: this.#members(),
      brokerId,
      survey: this.#broker.survey,
      votes: quorum === null ? null : this.#hasVote(quorum),
      fenced: this.#fenced?.map((id) => this.#podOf(id)) ?? null,
      unregistered: unregistered.map(([name]) => name),
      controllersRecord: this.#record,
    }
  }

  /** ApiVersions within its limit. Never whether copies are in sync, nor what the quorum says. */
  liveness({ answers }: KraftView): boolean {
    return answers
  }

  async version(): Promise<string> {
    return this.#options.version
  }

  /** `--format <cluster id> <flag>` where the disk is empty, then properties of this node alone. */
  permitLine(mode: StartMode, { cluster, engine }: Observation<KraftView>): string {
    const { brokerId, advertisedListeners } = this.#options
    const { controllersRecord: record } = engine
    const onRecord =
      this.#elsewhere === null
        ? cluster?.initialized?.engineClusterId
        : record?.kind === 'known'
          ? record.clusterId
          : undefined
    const clusterId = mode === 'bootstrap' ? foundersId(cluster?.intent?.nonce) : onRecord
    const words = [
      ...formatWords(mode, clusterId),
      `node.id=${brokerId}`,
      ...(advertisedListeners === '' ? [] : [`advertised.listeners=${advertisedListeners}`]),
    ]
    this.#broker.begin()
    this.#tellsFenced = null
    this.#leaderless.clear()
    return safeLine(words.join(' '))
  }

  /** A node gives away what it leads by itself, when it is told to stop. */
  async drain(): Promise<void> {}

  /** Gives this disk a vote, in place of the one that the node had with another; false: it had it. */
  async join({ fence, observation }: EngineCall<KraftView>): Promise<boolean> {
    const { brokerId: id, controller, controllers } = this.#options
    if (typeof controllers !== 'number' || !mayVote(observation, { controllers })) return false
    const directoryId = observation.disk.kind === 'member' ? observation.disk.incarnation : ''
    return await giveVote(this.#ask, { id, directoryId }, controller, fence)
  }

  /** Takes the vote away. What is left of the broker goes when its process has. */
  async leave(name: string, { fence }: EngineCall<KraftView>): Promise<void> {
    if (this.#elsewhere === null) await takeVote(this.#ask, this.#idOf(name), fence)
  }

  async perform(
    name: string,
    args: Readonly<Record<string, string>>,
    call: EngineCall<KraftView>,
  ): Promise<void> {
    if (name === SURVEY) await this.#broker.lookAtCopies()
    if (name === ADD_VOTER) await this.join(call)
    if (name === UNREGISTER) await this.#unregister(args['name'] ?? '', args['at'] ?? '', call)
  }

  /** One that still has copies stays registered, and is looked at again later. */
  async #unregister(name: string, at: string, { fence }: EngineCall<KraftView>): Promise<void> {
    const id = this.#idOf(name)
    const { partitions } = await this.#broker.ask(metadata(null))
    const isEmpty = !partitions.some(({ replicas }) => replicas.includes(id))
    if (isEmpty) {
      fence.check()
      await this.#broker.ask(unregisterBroker(id)).catch((error: unknown) => {
        const before = error instanceof AgentError && error.detail === BROKER_ID_NOT_REGISTERED
        if (!before) throw error
      })
    }
    const untilMs = this.#options.nowMs() + limits.kafkaUnregisterAgainMs
    // Brokers that tell who is registered need no memory of who is not any more.
    const forGood = isEmpty && this.#fenced === null
    this.#unregistered.set(`${name}@${at}`, forGood ? Number.POSITIVE_INFINITY : untilMs)
  }

  /** Null while the quorum has no leader that could say; who votes stays known. */
  async #lookAtQuorum(): Promise<QuorumView | null> {
    try {
      this.#quorum = await this.#broker.askQuickly(describeQuorum)
      return this.#quorum
    } catch {
      return null
    }
  }

  /** What was seen before stays while there is no answer. */
  async #lookAtFenced(): Promise<void> {
    try {
      if (this.#tellsFenced === null) {
        const versions = await this.#broker.askQuickly(highestVersions)
        this.#tellsFenced = (versions.get(fencedBrokers.key) ?? 0) >= fencedBrokers.version
      }
      if (!this.#tellsFenced) return
      this.#fenced = await this.#broker.askQuickly(fencedBrokers)
    } catch {
      // Whoever is fenced is so for longer than one answer takes.
    }
  }

  async #lookAtRecord(): Promise<void> {
    if (this.#elsewhere === null) return
    const { coordination, root } = this.#elsewhere
    const before = this.#record
    const sinceMs = before?.kind === 'unknown' ? before.sinceMs : this.#options.nowMs()
    this.#record = await readControllersRecord(coordination, root, sinceMs)
  }

  #hasVote({ voters }: QuorumView): boolean {
    const disk = this.discover()
    const directoryId = disk.kind === 'member' ? disk.incarnation : ''
    const { brokerId } = this.#options
    return voters.some((voter) => voter.id === brokerId && voter.directoryId === directoryId)
  }

  /** Whoever votes, and the brokers that run. Voters of another set are none of this one's members. */
  #members(): readonly EngineMember[] {
    const brokers = this.#broker.metadata.brokers.map(({ id }) => id)
    const voters = this.#elsewhere === null ? (this.#quorum?.voters ?? []) : []
    return [
      ...voters.map(({ id, directoryId }) => ({
        name: this.#podOf(id),
        identity: directoryId,
        voter: true,
        heard: brokers.includes(id),
      })),
      ...brokers
        .filter((id) => !voters.some((voter) => voter.id === id))
        .map((id) => ({ name: this.#podOf(id), voter: false, heard: true })),
    ]
  }

  #podOf(id: number): string {
    return `${this.#options.set}-${id - this.#options.firstId}`
  }

  /** -1 for a pod of another set. */
  #idOf(pod: string): number {
    const ordinal = ordinalOf(pod, this.#options.set)
    return ordinal === null ? -1 : this.#options.firstId + ordinal
  }
}
