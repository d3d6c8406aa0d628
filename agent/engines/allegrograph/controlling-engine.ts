import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  CONTROLLING_INSTANCE,
  type CopyInstance,
  copiesListed,
} from '../../core/cluster/allegrograph-instances.ts'
import {
  CONTROLLING,
  type ControllingView,
  REMOVE_INSTANCE,
} from '../../core/cluster/allegrograph-plan.ts'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import type { DiskReport } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError, messageOf } from '../../errors.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import type { AllegrographClient, ServerPlace } from './allegrograph-client.ts'
import type { CopyPods } from './copy-pods.ts'
import { removeListed } from './instance-changes.ts'
import type { Pulse } from './pulse.ts'

export interface ControllingOptions {
  readonly disk: MemberDisk
  readonly local: AllegrographClient
  readonly repository: string
  /** The folder that the server keeps the replicated repository in. */
  readonly repositoryDirectory: string
  /** Where the copies reach it. */
  readonly place: ServerPlace
  /** StatefulSet of the copies. */
  readonly copiesSet: string
  readonly pods: CopyPods
  readonly pulse: Pulse
  readonly clientPorts: ClientPorts
}

/** The controlling instance: created once, then it recovers by itself from its volume at each start. */
export class ControllingEngine implements Engine<ControllingView> {
  readonly kind = 'allegrograph'
  readonly policy: Policy<ControllingView> = clusterPolicy(CONTROLLING)
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>> = {}
  readonly #options: ControllingOptions
  #copies: readonly CopyInstance[] = []

  constructor(options: ControllingOptions) {
    this.#options = options
    this.clientPorts = options.clientPorts
  }

  /** A server lays out its files wherever it starts: the repository is what counts, as in the vendor's recipe. */
  discover(): DiskReport {
    const { disk, repositoryDirectory } = this.#options
    try {
      if (!existsSync(repositoryDirectory)) return { kind: 'empty', founding: null }
      const clusterId = disk.cluster ?? ''
      return { kind: 'member', clusterId, incarnation: clusterId, departed: false }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<ControllingView> {
    const { local, pulse, copiesSet, pods } = this.#options
    const { answers, reason } = await pulse.ask(() => local.hostname())
    const status = answers ? await statusOf(local) : { text: null, reason }
    if (status.text !== null) this.#copies = copiesListed(status.text, copiesSet)
    const ready = status.text !== null
    return {
      answers,
      retired: false,
      ready,
      reason: status.reason,
      clusterId: ready ? this.#clusterId() : '',
      leads: ready,
      leader: null,
      role: CONTROLLING_INSTANCE,
      // Copies are of another set, and this instance is never removed.
      members: this.#copies.map(({ name, pod }) => ({
        name: pod,
        identity: name,
        voter: true,
        heard: false,
      })),
      copies: ready ? this.#copies : [],
      gone: ready ? pods.look(this.#copies) : [],
    }
  }

  liveness(): boolean {
    return this.#options.pulse.isAlive
  }

  async version(): Promise<string> {
    return await this.#options.local.version()
  }

  /** The server needs no word: the line is the permit. */
  permitLine(mode: StartMode): string {
    this.#options.pulse.begin()
    return mode
  }

  /** Who it is comes first, durably: a cluster that was created is known again whatever ends then. */
  async bootstrap({ observation, fence }: EngineCall<ControllingView>): Promise<void> {
    const { disk, local, place, repository } = this.#options
    if ((await local.status()) !== null) return
    if (this.discover().kind !== 'empty') {
      const what = `the repository ${repository} is there and is no instance of a cluster`
      throw new AgentError('ENGINE_REFUSED', what)
    }
    const nonce = observation.cluster?.intent?.nonce ?? randomBytes(8).toString('hex')
    if (disk.cluster === null) disk.writeCluster(`${repository}-${nonce}`)
    fence.check()
    await local.createCluster(CONTROLLING_INSTANCE, place)
    if ((await local.status()) === null) {
      throw new AgentError('ENGINE_REFUSED', 'the cluster was created and is not there')
    }
  }

  /** Nobody can take over what it does. */
  async drain(): Promise<void> {}

  async leave(name: string): Promise<void> {
    throw new AgentError('ENGINE_REFUSED', `${name}: pods of this set are not removed`)
  }

  async perform(
    name: string,
    { instance }: Readonly<Record<string, string>>,
    { fence }: EngineCall<ControllingView>,
  ): Promise<void> {
    if (name !== REMOVE_INSTANCE || instance === undefined) {
      throw new AgentError('ENGINE_REFUSED', `no duty ${name}`)
    }
    const { local, copiesSet } = this.#options
    await removeListed(local, copiesSet, instance, fence)
  }

  /** One that was created without an agent gets its id now. */
  #clusterId(): string {
    const { disk, repository } = this.#options
    if (disk.cluster === null) disk.writeCluster(`${repository}-${randomBytes(8).toString('hex')}`)
    return disk.cluster ?? ''
  }
}

/** What the server says of the cluster; null with the reason why it does not. */
async function statusOf(
  local: AllegrographClient,
): Promise<{ readonly text: string | null; readonly reason: string }> {
  try {
    const text = await local.status()
    return { text, reason: text === null ? 'the cluster is not created yet' : '' }
  } catch (error) {
    return { text: null, reason: messageOf(error) }
  }
}
