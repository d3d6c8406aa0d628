import {
  type CopyView,
  copyPolicy,
  joiningIn,
} from '../../core/cluster/allegrograph-copy-policy.ts'
import {
  type CopyInstance,
  copiesListed,
  copyInstanceName,
  copyInstanceOf,
} from '../../core/cluster/allegrograph-instances.ts'
import { GROW_CLUSTER, REMOVE_INSTANCE } from '../../core/cluster/allegrograph-plan.ts'
import type { DiskReport, Ms, Observation } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError, messageOf } from '../../errors.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import type { AllegrographClient, ServerPlace } from './allegrograph-client.ts'
import { listCopies, removeListed } from './instance-changes.ts'
import type { Pulse } from './pulse.ts'

export interface CopyOptions {
  readonly set: string
  readonly pod: string
  readonly podUid: string
  /** Of the pod's own, not of a volume: it goes with the pod. */
  readonly disk: MemberDisk
  readonly local: AllegrographClient
  readonly controlling: AllegrographClient
  /** Where the other instances reach it. */
  readonly place: ServerPlace
  readonly pulse: Pulse
  readonly clientPorts: ClientPorts
  /** What a turn of the loop waits for a growth; it goes on beside the loop then. */
  readonly patienceMs: Ms
  /** One that is listed, while nobody waits for its growth, has to be an instance after this. */
  readonly stuckMs: Ms
  readonly nowMs: () => Ms
  readonly warn: (message: string) => void
}

/** What both that know of the cluster say; null: one does not answer. */
interface Sight {
  /** Null: the own repository is no instance, or is none yet. */
  readonly own: readonly CopyInstance[] | null
  readonly copies: readonly CopyInstance[] | null
  readonly trouble: string
}

/** A copy: each of its processes is an instance that the controlling one makes, and that is removed at its end. */
export class CopyEngine implements Engine<CopyView> {
  readonly kind = 'allegrograph'
  readonly policy: Policy<CopyView> = copyPolicy()
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>> = {}
  readonly #options: CopyOptions
  /** The request that grows the cluster by this process, while it is under way. */
  #growth: Promise<void> | null = null
  /** The request was refused or broke. */
  #failed = false
  /** Since when the process is listed, is no instance, and nobody waits for it: null when it is not so. */
  #stuckSinceMs: Ms | null = null

  constructor(options: CopyOptions) {
    this.#options = options
    this.clientPorts = options.clientPorts
  }

  /** Nothing that a process leaves is of use to the next one. */
  discover(): DiskReport {
    return { kind: 'empty', founding: null }
  }

  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<CopyView> {
    const { local, pulse, disk } = this.#options
    const [{ answers, reason }, { own, copies, trouble }] = await Promise.all([
      pulse.ask(() => local.hostname()),
      this.#look(),
    ])
    const instance = disk.instance ?? ''
    const isIn = (listed: readonly CopyInstance[]) => listed.some(({ name }) => name === instance)
    const ready = answers && own !== null && isIn(own)
    const isListed = copies === null ? null : isIn(copies)
    const spent = answers && !ready && this.#isSpent(own !== null, isListed)
    return {
      answers,
      retired: false,
      ready,
      reason: ready
        ? ''
        : reason || (spent ? `${instance} cannot be an instance any more` : trouble),
      clusterId: ready ? (disk.cluster ?? '') : '',
      leads: false,
      leader: null,
      role: 'copy',
      // Those whose agents do not look after themselves are the controlling one's.
      members: [],
      instance,
      copies,
      growing: this.#growth !== null,
      spent,
    }
  }

  /** One that was removed never joins again, and nothing but another process can take its place. */
  liveness({ spent }: CopyView): boolean {
    return !spent && this.#options.pulse.isAlive
  }

  async version(): Promise<string> {
    return await this.#options.local.version()
  }

  permitLine(mode: StartMode): string {
    this.#options.pulse.begin()
    return mode
  }

  /** An empty disk and a name that nobody had. */
  async prepare(_mode: StartMode, { cluster }: Observation<CopyView>): Promise<void> {
    const { disk, set, pod, podUid } = this.#options
    const before = copyInstanceOf(disk.instance ?? '', set)
    this.#growth = null
    this.#failed = false
    this.#stuckSinceMs = null
    disk.writeInstance(copyInstanceName(pod, podUid, (before?.start ?? 0) + 1))
    disk.wipe()
    const clusterId = cluster?.initialized?.engineClusterId
    if (clusterId !== undefined) disk.writeCluster(clusterId)
  }

  async drain(): Promise<void> {}

  async leave(name: string, { fence }: EngineCall<CopyView>): Promise<void> {
    const { controlling, set } = this.#options
    const listed = await listCopies(controlling, set)
    for (const copy of listed.filter(({ pod }) => pod === name)) {
      await removeListed(controlling, set, copy.name, fence)
    }
  }

  async perform(
    name: string,
    { instance = '' }: Readonly<Record<string, string>>,
    call: EngineCall<CopyView>,
  ): Promise<void> {
    const { controlling, set } = this.#options
    switch (name) {
      case REMOVE_INSTANCE:
        return await removeListed(controlling, set, instance, call.fence)
      case GROW_CLUSTER:
        return await this.#grow(call)
      default:
        throw new AgentError('ENGINE_REFUSED', `no duty ${name}`)
    }
  }

  /**
   * Asked once for each process, as far as anybody can tell: what is listed already is on its way. All data is
   * copied meanwhile, which may take long: the request goes on beside the agent's loop.
   */
  async #grow({ observation, fence }: EngineCall<CopyView>): Promise<void> {
    const { controlling, set, pod, disk, patienceMs } = this.#options
    const { cluster } = observation
    const { instance } = observation.engine
    if (this.#growth === null) {
      const listed = await listCopies(controlling, set)
      if (listed.some(({ name }) => name === instance)) return
      const joining = joiningIn(listed, cluster ?? { reports: {} }, pod)
      if (joining !== null) throw new AgentError('ENGINE_REFUSED', `${joining} joins just now`)
      disk.writeCluster(cluster?.initialized?.engineClusterId ?? '')
      fence.check()
      this.#growth = this.#growBy(instance)
    }
    await settledWithin(this.#growth, patienceMs)
  }

  async #growBy(instance: string): Promise<void> {
    const { controlling, place, warn } = this.#options
    this.#failed = false
    try {
      await controlling.growCluster(instance, place)
    } catch (error) {
      this.#failed = true
      warn(`${instance} did not join: ${messageOf(error)}`)
      throw error
    } finally {
      this.#growth = null
    }
  }

  /**
   * The repository is an instance of which nobody knows; or one is listed that does not come to be, since its request
   * has failed, or since nobody knows what became of it after the agent ended.
   */
  #isSpent(isInstance: boolean, isListed: boolean | null): boolean {
    const { nowMs, stuckMs } = this.#options
    const isStuck = isListed === true && this.#growth === null
    this.#stuckSinceMs = isStuck ? (this.#stuckSinceMs ?? nowMs()) : null
    if (this.#growth !== null || isListed === null) return false
    if (!isListed) return isInstance
    return this.#failed || nowMs() - (this.#stuckSinceMs ?? nowMs()) >= stuckMs
  }

  async #look(): Promise<Sight> {
    const { local, controlling, set } = this.#options
    let trouble = 'is no instance of the cluster yet'
    const failed = (error: unknown) => {
      trouble = messageOf(error)
      return null
    }
    const [own, copies] = await Promise.all([
      local.status().then((text) => (text === null ? null : copiesListed(text, set)), failed),
      listCopies(controlling, set).catch(failed),
    ])
    return { own, copies, trouble }
  }
}

/** As `promise` settles, or after `ms` without a word: it goes on then, and what comes of it shows elsewhere. */
async function settledWithin(promise: Promise<void>, ms: Ms): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise, patience]).finally(() => clearTimeout(timer))
}
