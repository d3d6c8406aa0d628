import type { ConnectionOptions } from 'node:tls'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import { type ControllersView, controllersPlan } from '../../core/cluster/controllers-plan.ts'
import { ADD_VOTER, mayVote } from '../../core/cluster/kraft-plan.ts'
import { type DiskReport, type Observation, ordinalOf } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import { safeLine } from '../safe-line.ts'
import { LocalController } from './kafka-controller.ts'
import { discoverKafka } from './kafka-disk.ts'
import {
  type ControllerPlace,
  describeQuorum,
  type QuorumReplica,
  type QuorumView,
} from './kafka-quorum-requests.ts'
import { type AskQuorum, formatWords, foundersId, giveVote, takeVote } from './kraft-votes.ts'

interface ControllerOptions {
  readonly disk: MemberDisk
  readonly logDirectories: readonly string[]
  readonly set: string
  readonly nodeId: number
  /** The node id of ordinal 0. */
  readonly firstId: number
  /** Where the agent reaches it. */
  readonly host: string
  /** Where the others do. */
  readonly controller: ControllerPlace
  /** By the host that is named, or this controller's own for null; null: plain text. */
  readonly tls: ((host: string | null) => ConnectionOptions) | null
  readonly version: string
  readonly nowMs: () => number
}

/** The quorum as its leader told of it, and when it was asked. */
interface DatedQuorum extends QuorumView {
  readonly atMs: number
}

/** A controller of Kafka and nothing else, of a dynamic quorum (3.9 and later); brokers are a set of their own. */
export class ControllerEngine implements Engine<ControllersView> {
  readonly kind = 'kafka'
  readonly policy: Policy<ControllersView> = clusterPolicy(controllersPlan(limits))
  readonly clientPorts: ClientPorts = { port: null, sslPort: null }
  readonly ports: Readonly<Record<string, number>>
  readonly #options: ControllerOptions
  readonly #controller: LocalController
  readonly #ask: AskQuorum
  #quorum: DatedQuorum | null = null

  constructor(options: ControllerOptions) {
    this.#options = options
    const { host, controller, nodeId: id, tls } = options
    this.#controller = new LocalController({ id, place: { host, port: controller.port }, tls })
    this.#ask = (request, timeoutMs) => this.#controller.askLeader(request, timeoutMs)
    this.ports = { controller: controller.port }
  }

  discover(): DiskReport {
    const { disk, logDirectories, nodeId } = this.#options
    return discoverKafka(disk, logDirectories, nodeId)
  }

  /** A majority of the voters has all of the metadata. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<ControllersView> {
    const { nodeId } = this.#options
    const answers = await this.#controller.look()
    const quorum = answers ? await this.#lookAtQuorum() : null
    const disk = this.discover()
    const directoryId = disk.kind === 'member' ? disk.incarnation : ''
    const isOwn = (node: QuorumReplica) => node.id === nodeId && node.directoryId === directoryId
    const obstacle = answers ? obstacleOf(quorum, isOwn) : 'the controller does not answer'
    const leaderId = quorum?.leaderId ?? -1
    const leads = leaderId === nodeId
    return {
      answers,
      retired: false,
      ready: obstacle === null,
      reason: obstacle ?? '',
      clusterId: this.#controller.metadata.clusterId,
      leads,
      leader: leaderId < 0 ? null : this.#podOf(leaderId),
      role: leads ? 'leader' : 'controller',
      ...(quorum === null ? {} : { generation: quorum.epoch }),
      members: (this.#quorum?.voters ?? []).map((voter) => ({
        name: this.#podOf(voter.id),
        identity: voter.directoryId,
        voter: true,
        heard: quorum !== null && isInStep(quorum, voter),
      })),
      votes: quorum === null ? null : quorum.voters.some(isOwn),
      caughtUpAtMs: this.#caughtUpAtMs(),
    }
  }

  /** ApiVersions within its limit. Never what the quorum says. */
  liveness({ answers }: ControllersView): boolean {
    return answers
  }

  async version(): Promise<string> {
    return this.#options.version
  }

  /** `--format <cluster id> <flag>` where the disk is empty, then properties of this node alone. */
  permitLine(mode: StartMode, { cluster }: Observation<ControllersView>): string {
    const { nodeId, controller } = this.#options
    const { listener, host, port } = controller
    const founded = mode === 'bootstrap' ? foundersId(cluster?.intent?.nonce) : undefined
    const clusterId = founded ?? cluster?.initialized?.engineClusterId
    const words = [
      ...formatWords(mode, clusterId),
      `node.id=${nodeId}`,
      `advertised.listeners=${listener}://${host}:${port}`,
    ]
    this.#quorum = null
    return safeLine(words.join(' '))
  }

  /** Whoever leads gives that away by itself, when it is told to stop. */
  async drain(): Promise<void> {}

  /** Gives this disk a vote, in place of the one that the node had with another; false: it had it. */
  async join({ fence, observation }: EngineCall<ControllersView>): Promise<boolean> {
    if (!mayVote(observation, { controllers: Number.POSITIVE_INFINITY })) return false
    const { nodeId: id, controller } = this.#options
    const directoryId = observation.disk.kind === 'member' ? observation.disk.incarnation : ''
    return await giveVote(this.#ask, { id, directoryId }, controller, fence)
  }

  async leave(name: string, { fence }: EngineCall<ControllersView>): Promise<void> {
    const { set, firstId } = this.#options
    const ordinal = ordinalOf(name, set)
    if (ordinal !== null) await takeVote(this.#ask, firstId + ordinal, fence)
  }

  async perform(
    name: string,
    _args: Readonly<Record<string, string>>,
    call: EngineCall<ControllersView>,
  ): Promise<void> {
    if (name === ADD_VOTER) await this.join(call)
  }

  /** Null while nobody leads that could say; who votes stays known. */
  async #lookAtQuorum(): Promise<DatedQuorum | null> {
    const atMs = this.#options.nowMs()
    try {
      const quorum = await this.#ask(describeQuorum, limits.kafkaPatienceMs)
      this.#quorum = { ...quorum, atMs }
      return this.#quorum
    } catch {
      return null
    }
  }

  /** The leader's clock is not ours: what counts is how long before its answer that was. */
  #caughtUpAtMs(): Readonly<Record<string, number>> {
    const quorum = this.#quorum
    if (quorum === null) return {}
    const all = quorum.voters.map((voter): [string, number] => [
      this.#podOf(voter.id),
      quorum.atMs - behindMs(quorum, voter),
    ])
    return Object.fromEntries(all)
  }

  /** A node of another set has no name here. */
  #podOf(id: number): string {
    const { set, firstId } = this.#options
    return id < firstId ? `node ${id}` : `${set}-${id - firstId}`
  }
}

/** Why others cannot count on this node; null: they can. */
function obstacleOf(
  quorum: QuorumView | null,
  isOwn: (node: QuorumReplica) => boolean,
): string | null {
  if (quorum === null || quorum.leaderId < 0) return 'no controller leads'
  const own = [...quorum.voters, ...quorum.observers].find(isOwn)
  if (own === undefined) return 'the leader has not heard of it yet'
  return isInStep(quorum, own) ? null : 'it is behind the leader'
}

function isInStep(quorum: QuorumView, node: QuorumReplica): boolean {
  return behindMs(quorum, node) <= limits.kafkaBehindLeaderMs
}

/** For how long a node has not had all of the log, by the leader's clock; infinity: that is not known. */
function behindMs({ voters, leaderId }: QuorumView, node: QuorumReplica): number {
  const leader = voters.find(({ id }) => id === leaderId)
  if (leader === undefined || node.caughtUpAt < 0) return Number.POSITIVE_INFINITY
  return Math.max(0, leader.caughtUpAt - node.caughtUpAt)
}
