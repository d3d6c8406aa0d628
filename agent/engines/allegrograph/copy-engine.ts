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
  /** An instance that the controlling one has not listed for so long is none. */
  readonly unlistedMs: Ms
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

/** `unlisted`: by its own word alone it is an instance. `removed`: by nobody's, though it was one. */
type Puzzle = 'copying' | 'unlisted' | 'removed'

/** A copy: each of its processes is an instance that the controlling one makes, and that is removed at its end. */
export class CopyEngine implements Engine<CopyView> {
  readonly kind = 'allegrograph'
  readonly policy: Policy<CopyView> = copyPolicy()
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>> = {}
  readonly #options: CopyOptions
  /** The request that grows the cluster by this process, while it is under way. */
  #growth: Promise<void> | null = null
  /** The request was refused or broke; and the same of an answer that says no. */
  #failed = false
  #refused = false
  /** Where the two lists do not agree, and since when. */
  #puzzle: { readonly what: Puzzle; readonly sinceMs: Ms } | null = null

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
    const isDeparted = instance !== '' && disk.departed === instance
    const place = isDeparted ? 'spent' : this.#placeOf(own && isIn(own), copies && isIn(copies))
    const ready = answers && place === 'instance'
    const spent = answers && place === 'spent'
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
    this.#refused = false
    this.#puzzle = null
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
    const { controlling, set, disk } = this.#options
    switch (name) {
      case REMOVE_INSTANCE:
        // First the note: whoever is asked to remove itself must not join again under that name.
        if (instance === disk.instance) disk.markDeparted(instance, new Date().toISOString())
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
      this.#refused = error instanceof AgentError && error.detail !== null
      warn(`${instance} did not join: ${messageOf(error)}`)
      throw error
    } finally {
      this.#growth = null
    }
  }

  /**
   * By what the two lists have of it; null: that server does not say, or is no instance. The controlling one's counts:
   * what it does not list for a while is in no cluster, whatever it thinks itself. And one that is listed may never
   * come to be: its request has failed, or nobody knows what became of that after the agent ended.
   */
  #placeOf(inOwn: boolean | null, isListed: boolean | null): 'instance' | 'joining' | 'spent' {
    const { nowMs, stuckMs, unlistedMs } = this.#options
    const waits = this.#growth !== null || isListed === null
    const puzzle = waits ? null : puzzleOf(inOwn, isListed)
    if (puzzle !== this.#puzzle?.what) this.#puzzle = puzzle && { what: puzzle, sinceMs: nowMs() }
    const lastsMs = nowMs() - (this.#puzzle?.sinceMs ?? nowMs())
    if (this.#refused && isListed === false) return 'spent'
    const isForgotten = puzzle === 'removed' || (puzzle === 'unlisted' && lastsMs >= unlistedMs)
    const isStuck = puzzle === 'copying' && (this.#failed || lastsMs >= stuckMs)
    if (isForgotten || isStuck) return 'spent'
    return inOwn === true ? 'instance' : 'joining'
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

/** Null: they agree. */
function puzzleOf(inOwn: boolean | null, isListed: boolean): Puzzle | null {
  if (isListed) return inOwn === true ? null : 'copying'
  if (inOwn === null) return null
  return inOwn ? 'unlisted' : 'removed'
}

/** As `promise` settles, or after `ms` without a word: it goes on then, and what comes of it shows elsewhere. */
async function settledWithin(promise: Promise<void>, ms: Ms): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([promise, patience]).finally(() => clearTimeout(timer))
}
