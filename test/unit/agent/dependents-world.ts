import type { ClusterFacts, LockName } from '../../../agent/core/cluster/facts.ts'
import { type Decision, decide } from '../../../agent/core/decide.ts'
import {
  type DiskReport,
  type EngineView,
  type Fetched,
  isExpected,
  type Observation,
  type StatefulSetView,
} from '../../../agent/core/observation.ts'
import type { Policy } from '../../../agent/core/policy.ts'
import { type Action, type AgentState, initialState, settle } from '../../../agent/core/state.ts'
import { rules, UID } from './observations.ts'
import { TreeModel, TreeView } from './tree-model.ts'

/** How an action ends for the agent that tried it. */
export type Fate = 'done' | 'failedBefore' | 'lostReply' | 'crashedBefore' | 'crashedAfter'

export const PODS = 5

export interface Pod {
  readonly ordinal: number
  readonly name: string
  disk: DiskReport
  /** Progress of the data; counted by engines that elect. */
  position: number
  engine: 'down' | 'asking' | 'running'
  agent: AgentState
  incarnation: number
  tree: TreeView
  /** The agent reaches the tree. */
  connected: boolean
  statefulSet: Fetched<StatefulSetView>
  prestopAtMs: number | null
  sigtermAtMs: number | null
  last: Decision | null
}

/** The model of one kind of engine; what it must never be asked to do throws. */
export interface EngineModel {
  readonly policy: Policy
  view(pod: Pod): EngineView
  /** The container got a line: the engine runs now. */
  start(pod: Pod, mode: string, facts: ClusterFacts | null): void
  bootstrap(pod: Pod): boolean
  join(pod: Pod): boolean
  drain(pod: Pod, to: string | null): boolean
  /** A duty of the engine's plan; the lock that it needs is held. */
  perform(pod: Pod, name: string, args: Readonly<Record<string, string>>): boolean
  /** All that was in the tree is gone, the engine's own part too. */
  loseTree(): void
  /** Evidence and tombstone were checked. */
  leave(name: string): boolean
  stopped(pod: Pod): void
  /** Of engines that keep more of a disk than the pod has. */
  loseDisk?(pod: Pod): void
  /** Of engines that keep something of a pod which goes with it, whatever its disk. */
  replaced?(pod: Pod): void
  /** Something particular to the engine goes wrong with a pod, or is well again. */
  trouble?(pod: Pod): void
  /** All of that is well again. */
  cure?(): void
  /** What engines do among themselves: elect, catch up, give up. */
  settle(): void
  /** Nothing is missing for a set that serves with these ordinals. Null: whole; else what is missing. */
  lacks(ordinals: readonly number[]): string | null
  /** These alone can make it whole again; else nobody could, whatever agents do. */
  isCurable(ordinals: readonly number[]): boolean
  write(): void
  /** What the engine of a stopped pod says of its data; left out: its count. */
  position?(pod: Pod): string
}

/**
 * A model of pods, disks, the tree and the Kubernetes API around the real decisions of dependents' agents.
 * Events are called from outside in any order; what must never happen throws at once.
 */
export class DependentsWorld {
  nowMs = 1_000_000
  apiUp = true
  set: StatefulSetView = { uid: UID, replicas: 3, firstOrdinal: 0, deleting: false }
  readonly scales: { readonly atMs: number; readonly replicas: number }[] = []
  readonly tree = new TreeModel()
  /** All that was in the tree is gone; nothing can be asked of tombstones since. */
  treeLost = false
  readonly pods: Pod[]
  readonly model: EngineModel

  constructor(modelOf: (world: DependentsWorld) => EngineModel) {
    this.scales.push({ atMs: 0, replicas: this.set.replicas })
    this.pods = Array.from({ length: PODS }, (_, ordinal) => newPod(ordinal, this.nowMs))
    this.model = modelOf(this)
  }

  pod(ordinal: number): Pod {
    const pod = this.pods[ordinal]
    if (pod === undefined) throw new Error(`no pod ${ordinal}`)
    return pod
  }

  scale(replicas: number): void {
    this.set = { ...this.set, replicas }
    this.scales.push({ atMs: this.nowMs, replicas })
  }

  /** The agent asks the API; a failure is an answer as well. */
  refresh(pod: Pod): void {
    const atMs = this.nowMs
    pod.statefulSet = this.apiUp
      ? { kind: 'ok', atMs, value: this.set }
      : { kind: 'failed', atMs, reason: 'timeout', refused: false }
  }

  look(pod: Pod): void {
    this.tree.expire(this.nowMs)
    if (this.tree.up && pod.connected) this.tree.look(pod.tree, pod.name, this.nowMs)
    else if (pod.tree.lease(this.nowMs) === 'lost') pod.tree.facts = null
  }

  startEngine(pod: Pod): void {
    const condemned = !isExpected(pod.ordinal, this.set) && pod.disk.kind === 'empty'
    if (pod.engine === 'down' && !condemned) pod.engine = 'asking'
  }

  killEngine(pod: Pod): void {
    pod.engine = 'down'
    this.model.stopped(pod)
  }

  crashAgent(pod: Pod): void {
    pod.agent = initialState(this.nowMs)
    pod.incarnation += 1
    // The session is left to expire.
    pod.tree = new TreeView()
    pod.statefulSet = { kind: 'never' }
    pod.prestopAtMs = null
  }

  replacePod(pod: Pod, keepDisk: boolean): void {
    this.killEngine(pod)
    this.crashAgent(pod)
    this.model.replaced?.(pod)
    pod.sigtermAtMs = null
    if (keepDisk) return
    pod.disk = { kind: 'empty', founding: null }
    this.model.loseDisk?.(pod)
  }

  /** All servers of the tree have gone, and others with nothing came in their place. */
  replaceTree(): void {
    this.treeLost = true
    this.tree.clear()
    for (const pod of this.pods) pod.tree = new TreeView()
    this.model.loseTree()
  }

  /** What the agent decides on is as good as what the tree has. */
  isInformed({ tree, connected }: Pod): boolean {
    const { facts } = tree
    const fresh = facts !== null && this.nowMs - facts.atMs <= rules.treeFreshMs
    return this.tree.up && connected && fresh && tree.lease(this.nowMs) === 'held'
  }

  /** One turn of an agent: it decides on what it knows, and its action meets its fate. */
  turn(pod: Pod, fate: Fate): Decision {
    this.tree.expire(this.nowMs)
    const decision = decide(this.observe(pod), pod.agent, rules, this.model.policy)
    pod.last = decision
    pod.agent = decision.state
    pod.tree.want(decision.wants)
    const { publication } = decision
    pod.tree.document = publication && {
      status: publication.status,
      ready: publication.enabled,
      role: this.model.view(pod).role,
      incarnation: pod.incarnation,
    }
    if (decision.exit) {
      if (pod.tree.session !== null) this.tree.close(pod.tree.session)
      this.replacePod(pod, true)
      return decision
    }
    if (decision.prestopDone) pod.prestopAtMs = null
    if (fate === 'crashedBefore') this.crashAgent(pod)
    else this.#act(pod, decision.action, fate)
    return decision
  }

  #act(pod: Pod, action: Action, fate: Fate): void {
    const done = fate !== 'failedBefore' && this.#perform(pod, action)
    if (fate === 'crashedAfter') return this.crashAgent(pod)
    const ok = done && fate !== 'lostReply'
    pod.agent = settle(pod.agent, action, { ok, atMs: this.nowMs }, rules.retryMs)
  }

  #perform(pod: Pod, action: Action): boolean {
    switch (action.kind) {
      case 'none':
        return true
      case 'verify':
        this.refresh(pod)
        return true
      case 'permit':
        return this.#permit(pod, action.mode)
      case 'moveAside':
        must(pod.engine === 'asking', 'data moved away under a running engine')
        pod.disk = { kind: 'empty', founding: null }
        return true
      case 'markDeparted':
      case 'clearDeparted': {
        const departed = action.kind === 'markDeparted'
        if (pod.disk.kind === 'member') pod.disk = { ...pod.disk, departed }
        return true
      }
      case 'handOver':
        return this.model.drain(pod, action.to)
      case 'command':
        if (action.lock !== null && !this.#holds(pod, action.lock)) return false
        return this.model.perform(pod, action.name, action.args)
      case 'bootstrap':
        return this.#holds(pod, 'bootstrap') && this.model.bootstrap(pod)
      case 'join':
        return this.#holds(pod, 'reconfig') && this.model.join(pod)
      case 'rejoin':
        if (!this.#holds(pod, 'reconfig') || !this.model.join(pod)) return false
        return this.#change(pod, { kind: 'unbury', pod: pod.name })
      case 'remove':
        return this.#holds(pod, 'reconfig') && this.#remove(action.name)
      case 'writeIntent':
      case 'clearIntent':
      case 'initialize':
      case 'forget':
      case 'notePosition':
      case 'expect':
      case 'bury':
      case 'confirm':
      case 'unbury':
        return this.#change(pod, action)
      default:
        throw new Error(`safety: the agent of a dependent does ${action.kind}`)
    }
  }

  #change(pod: Pod, action: Parameters<TreeModel['perform']>[1]): boolean {
    const reached = this.tree.up && pod.connected
    if (!reached || pod.tree.lease(this.nowMs) !== 'held') return false
    const done = this.tree.perform(pod.tree, action, pod.name)
    this.look(pod)
    return done
  }

  /** As a fence sees it: from this side, without asking. */
  #holds(pod: Pod, lock: LockName): boolean {
    return pod.tree.lease(this.nowMs) === 'held' && pod.tree.facts?.locks[lock]?.mine === true
  }

  #permit(pod: Pod, mode: string): boolean {
    must(pod.engine === 'asking', 'a permit that nobody asked for')
    if (mode === 'bootstrap' && !this.#holds(pod, 'bootstrap')) return false
    pod.engine = 'running'
    this.model.start(pod, mode, pod.tree.facts)
    return true
  }

  #remove(name: string): boolean {
    const ordinal = this.pods.findIndex((other) => other.name === name)
    const evidence = this.#lately().some(({ replicas }) => replicas > 0 && ordinal >= replicas)
    must(evidence, `${name} removed without a scale-down`)
    must(this.treeLost || this.tree.tombstones.has(name), `${name} removed without a tombstone`)
    return this.model.leave(name)
  }

  /** Another pod with data, of those that the set has had for as long as an answer of the API is good. */
  holder(pod: Pod): Pod | undefined {
    return this.holders(pod)[0]
  }

  holders(pod: Pod): Pod[] {
    const sinceMs = this.nowMs - rules.startFreshMs
    const before = this.scales.filter(({ atMs }) => atMs <= sinceMs).at(-1)
    const lately = this.scales.filter((scale) => scale === before || scale.atMs >= sinceMs)
    const sure = Math.min(...lately.map(({ replicas }) => replicas))
    return this.pods.slice(0, sure).filter((other) => other !== pod && other.disk.kind === 'member')
  }

  /** What the set was at some moment of the last two seconds. */
  #lately() {
    const since = this.nowMs - rules.verdictFreshMs
    const before = this.scales.filter(({ atMs }) => atMs <= since).at(-1)
    return this.scales.filter((scale) => scale === before || scale.atMs >= since)
  }

  observe(pod: Pod): Observation {
    const { tree } = pod
    const usable = tree.lease(this.nowMs) === 'lost' ? null : tree.facts
    const stopped = pod.engine === 'asking' && pod.disk.kind === 'member'
    return {
      nowMs: this.nowMs,
      self: { set: 'q', pod: pod.name, ordinal: pod.ordinal },
      ownerUid: UID,
      statefulSet: pod.statefulSet,
      record: { kind: 'never' },
      disk: pod.disk,
      peers: [],
      engine: this.model.view(pod),
      position: stopped ? (this.model.position?.(pod) ?? String(pod.position)) : null,
      asking: pod.engine === 'asking',
      prestopAtMs: pod.prestopAtMs,
      sigtermAtMs: pod.sigtermAtMs,
      published: usable === null ? null : tree.published,
      incarnation: pod.incarnation,
      lease: tree.lease(this.nowMs),
      cluster: usable,
      treeReadAtMs: tree.readAtMs,
    }
  }
}

function newPod(ordinal: number, nowMs: number): Pod {
  return {
    ordinal,
    name: `q-${ordinal}`,
    disk: { kind: 'empty', founding: null },
    position: 0,
    engine: 'down',
    agent: initialState(nowMs),
    incarnation: 1,
    tree: new TreeView(),
    connected: true,
    statefulSet: { kind: 'never' },
    prestopAtMs: null,
    sigtermAtMs: null,
    last: null,
  }
}

export function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`safety: ${what}`)
}
