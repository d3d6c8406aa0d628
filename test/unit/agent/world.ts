import { type Decision, decide } from '../../../agent/core/decide.ts'
import {
  type DiskReport,
  type EngineView,
  type Fetched,
  isExpected,
  type Observation,
  type PeerReport,
  type StatefulSetView,
  type StoredRecord,
} from '../../../agent/core/observation.ts'
import { serverPolicy } from '../../../agent/core/server-policy.ts'
import { type Action, type AgentState, initialState, settle } from '../../../agent/core/state.ts'
import { idle, rules, UID } from './observations.ts'

interface Pod {
  readonly ordinal: number
  readonly name: string
  disk: DiskReport
  engine: 'down' | 'asking' | 'running'
  agent: AgentState
  statefulSet: Fetched<StatefulSetView>
  record: Fetched<StoredRecord>
  peers: PeerReport[]
  prestopAtMs: number | null
  sigtermAtMs: number | null
  last: Decision | null
}

interface Cluster {
  readonly id: string
  /** The incarnation of each ordinal that is in the configuration. */
  readonly members: Map<number, string>
  /** Incarnations that were removed, which come back only when they are readmitted. */
  readonly retired: Set<string>
  leader: number | null
}

/** How an action ends for the agent that tried it. */
export type Fate = 'done' | 'failedBefore' | 'crashedBefore' | 'crashedAfter'

export const PODS = 5

/**
 * A model of pods, disks, servers and the Kubernetes API around the real decisions. Events are called
 * from outside in any order; what must never happen throws at once.
 */
export class World {
  nowMs = 1_000_000
  apiUp = true
  view: StatefulSetView = { uid: UID, replicas: 3, firstOrdinal: 0, deleting: false }
  /** When which number of replicas was set, newest last. */
  readonly scales: { readonly atMs: number; readonly replicas: number }[] = []
  record: StoredRecord | null = null
  readonly clusters = new Map<string, Cluster>()
  readonly pods: Pod[] = []
  #marks = 0
  #incarnations = 0
  #versions = 0
  founded = 0

  constructor() {
    this.scales.push({ atMs: 0, replicas: this.view.replicas })
    for (let ordinal = 0; ordinal < PODS; ordinal += 1) {
      this.pods.push({
        ordinal,
        name: `q-${ordinal}`,
        disk: { kind: 'empty', founding: null },
        engine: 'down',
        agent: initialState(this.nowMs),
        statefulSet: { kind: 'never' },
        record: { kind: 'never' },
        peers: [],
        prestopAtMs: null,
        sigtermAtMs: null,
        last: null,
      })
    }
  }

  pod(ordinal: number): Pod {
    const pod = this.pods[ordinal]
    if (pod === undefined) throw new Error(`no pod ${ordinal}`)
    return pod
  }

  scale(replicas: number): void {
    this.view = { ...this.view, replicas }
    this.scales.push({ atMs: this.nowMs, replicas })
  }

  /** The agent asks the API; a failure is an answer as well. */
  refresh({ ordinal }: { ordinal: number }): void {
    const pod = this.pod(ordinal)
    const atMs = this.nowMs
    const failed = { kind: 'failed' as const, atMs, reason: 'timeout', refused: false }
    pod.statefulSet = this.apiUp ? { kind: 'ok', atMs, value: this.view } : failed
    const { record } = this
    if (!this.apiUp) pod.record = failed
    else
      pod.record =
        record === null ? { kind: 'notFound', atMs } : { kind: 'ok', atMs, value: record }
  }

  askPeers(ordinal: number): void {
    const others = this.pods.filter((other) => other.ordinal !== ordinal)
    this.pod(ordinal).peers = others.map((other) => ({
      ordinal: other.ordinal,
      atMs: this.nowMs,
      disk: other.disk,
    }))
  }

  /** The kubelet starts the container: its first act is to read the permit pipe. */
  startEngine(ordinal: number): void {
    const pod = this.pod(ordinal)
    const condemned = !isExpected(ordinal, this.view) && pod.disk.kind === 'empty'
    if (pod.engine === 'down' && !condemned) pod.engine = 'asking'
  }

  killEngine(ordinal: number): void {
    this.pod(ordinal).engine = 'down'
    for (const cluster of this.clusters.values()) {
      if (cluster.leader === ordinal) cluster.leader = null
    }
  }

  crashAgent(ordinal: number): void {
    const pod = this.pod(ordinal)
    pod.agent = initialState(this.nowMs)
    pod.statefulSet = { kind: 'never' }
    pod.record = { kind: 'never' }
    pod.peers = []
    pod.prestopAtMs = null
  }

  /** The pod goes and comes back, with its volume or without. */
  replacePod(ordinal: number, keepDisk: boolean): void {
    this.killEngine(ordinal)
    this.crashAgent(ordinal)
    const pod = this.pod(ordinal)
    pod.sigtermAtMs = null
    if (!keepDisk) pod.disk = { kind: 'empty', founding: null }
  }

  /** A running voter with a majority behind it leads. */
  elect(): void {
    for (const cluster of this.clusters.values()) {
      const running = this.runningOf(cluster)
      if (cluster.leader !== null && running.includes(cluster.leader)) {
        if (2 * running.length > cluster.members.size) continue
      }
      const majority = 2 * running.length > cluster.members.size
      cluster.leader = majority ? (running[0] ?? null) : null
    }
  }

  runningOf(cluster: Cluster): number[] {
    return [...cluster.members].flatMap(([ordinal, incarnation]) => {
      const { engine, disk } = this.pod(ordinal)
      const itself = disk.kind === 'member' && disk.incarnation === incarnation
      return engine === 'running' && itself ? [ordinal] : []
    })
  }

  /** Every server that runs and is in no configuration asks to be taken in, unless it was removed. */
  join(): void {
    for (const pod of this.pods) {
      if (pod.engine !== 'running') continue
      const { disk } = pod
      const wanted = disk.kind === 'member' ? disk.clusterId : null
      for (const cluster of this.clusters.values()) {
        if (cluster.leader === null || (wanted !== null && wanted !== cluster.id)) continue
        if (disk.kind === 'member' && cluster.retired.has(disk.incarnation)) continue
        const member = disk.kind === 'member' ? disk : this.#memberOf(cluster.id)
        cluster.members.set(pod.ordinal, member.incarnation)
        pod.disk = member
        break
      }
    }
  }

  #memberOf(clusterId: string) {
    this.#incarnations += 1
    const incarnation = `i${this.#incarnations}`
    return { kind: 'member' as const, clusterId, incarnation, departed: false }
  }

  /** One turn of an agent: it decides on what it knows, and its action meets its fate. */
  turn(ordinal: number, fate: Fate): Decision {
    const pod = this.pod(ordinal)
    const decision = decide(this.#observe(pod), pod.agent, rules, serverPolicy)
    pod.last = decision
    pod.agent = decision.state
    if (decision.exit) {
      this.replacePod(ordinal, true)
      return decision
    }
    if (decision.prestopDone) pod.prestopAtMs = null
    if (fate === 'crashedBefore') this.crashAgent(ordinal)
    else this.#act(pod, decision.action, fate)
    return decision
  }

  #act(pod: Pod, action: Action, fate: Fate): void {
    const ok = fate !== 'failedBefore' && this.#perform(pod, action)
    if (fate === 'crashedAfter') return this.crashAgent(pod.ordinal)
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
        return this.#start(pod, action.mode)
      case 'writeFounding': {
        must(pod.engine === 'asking' && pod.disk.kind === 'empty', 'a mark on a disk in use')
        this.#marks += 1
        pod.disk = { kind: 'empty', founding: `mark-${this.#marks}` }
        return true
      }
      case 'moveAside':
        must(pod.engine === 'asking', 'data moved away under a running server')
        pod.disk = { kind: 'empty', founding: null }
        return true
      case 'writeRecord': {
        if (!this.apiUp || action.version !== (this.record?.version ?? null)) return false
        this.#versions += 1
        this.record = { record: action.record, version: String(this.#versions) }
        return true
      }
      case 'handOver':
        return this.#handOver(pod, action.to)
      case 'remove':
        return this.#remove(pod, action.name)
      case 'readmit':
        return this.#readmit(pod)
      case 'markDeparted':
        if (pod.disk.kind === 'member') pod.disk = { ...pod.disk, departed: true }
        return true
      case 'clearDeparted':
        if (pod.disk.kind === 'member') pod.disk = { ...pod.disk, departed: false }
        return true
      default:
        throw new Error(`safety: the agent of a server does ${action.kind}`)
    }
  }

  #start(pod: Pod, mode: string): boolean {
    must(pod.engine === 'asking', 'a permit that nobody asked for')
    must(!(pod.disk.kind === 'member' && pod.disk.departed), 'a removed incarnation came back')
    pod.engine = 'running'
    if (mode !== 'bootstrap') return true
    must(pod.disk.kind === 'empty', 'a bootstrap over data')
    must(this.record?.record.phase === 'forming', 'a bootstrap without a forming record')
    this.founded += 1
    const id = `c${this.founded}`
    const disk = this.#memberOf(id)
    pod.disk = disk
    const members = new Map([[pod.ordinal, disk.incarnation]])
    this.clusters.set(id, { id, members, retired: new Set(), leader: pod.ordinal })
    return true
  }

  #handOver(pod: Pod, to: string | null): boolean {
    const cluster = this.#clusterOf(pod)
    if (cluster?.leader !== pod.ordinal) return false
    const others = this.runningOf(cluster).filter((ordinal) => ordinal !== pod.ordinal)
    const next = others.find((ordinal) => to === null || `q-${ordinal}` === to) ?? others[0]
    if (next === undefined) return false
    cluster.leader = next
    return true
  }

  #remove(pod: Pod, name: string): boolean {
    const ordinal = this.pods.findIndex((other) => other.name === name)
    const evidence = this.#lately().some(({ replicas }) => replicas > 0 && ordinal >= replicas)
    must(evidence, `${name} removed without a scale-down`)
    const cluster = this.#clusterOf(pod) ?? [...this.clusters.values()][0]
    if (cluster === undefined || cluster.leader === null) return false
    must(cluster.leader !== ordinal, `${name} removed while it leads`)
    const incarnation = cluster.members.get(ordinal)
    if (incarnation !== undefined) cluster.retired.add(incarnation)
    cluster.members.delete(ordinal)
    return true
  }

  /** What the set was at some moment of the last two seconds. */
  #lately() {
    const since = this.nowMs - rules.verdictFreshMs
    const before = this.scales.filter(({ atMs }) => atMs <= since).at(-1)
    return this.scales.filter((scale) => scale === before || scale.atMs >= since)
  }

  #readmit({ ordinal, disk }: Pod): boolean {
    const expected = this.#lately().some(({ replicas }) => ordinal < replicas)
    must(expected, 'a member beyond the replicas was readmitted')
    if (disk.kind !== 'member') return false
    const cluster = this.clusters.get(disk.clusterId)
    if (cluster === undefined || cluster.leader === null) return false
    must(!disk.departed, 'a member that left was readmitted')
    cluster.retired.delete(disk.incarnation)
    return true
  }

  #clusterOf({ disk }: Pod): Cluster | undefined {
    return disk.kind === 'member' ? this.clusters.get(disk.clusterId) : undefined
  }

  #observe(pod: Pod): Observation {
    const { ordinal, name } = pod
    return {
      nowMs: this.nowMs,
      self: { set: 'q', pod: name, ordinal },
      ownerUid: UID,
      statefulSet: pod.statefulSet,
      record: pod.record,
      disk: pod.disk,
      peers: pod.peers,
      engine: this.#engineOf(pod),
      asking: pod.engine === 'asking',
      prestopAtMs: pod.prestopAtMs,
      sigtermAtMs: pod.sigtermAtMs,
      published: this.pods.filter(({ engine }) => engine === 'running').map((other) => other.name),
      position: null,
      incarnation: 1,
      lease: 'held',
      cluster: null,
      treeReadAtMs: null,
    }
  }

  #engineOf(pod: Pod): EngineView {
    if (pod.engine !== 'running') return idle
    const cluster = this.#clusterOf(pod)
    if (cluster === undefined) return { ...idle, answers: true, reason: 'belongs to no cluster' }
    const { leader } = cluster
    return {
      answers: true,
      retired: pod.disk.kind === 'member' && cluster.retired.has(pod.disk.incarnation),
      ready: leader !== null && this.runningOf(cluster).includes(pod.ordinal),
      reason: leader === null ? 'no leader' : '',
      clusterId: cluster.id,
      leads: leader === pod.ordinal,
      leader: leader === null ? null : `q-${leader}`,
      role: leader === pod.ordinal ? 'leader' : 'follower',
      members: [...cluster.members.keys()].map((ordinal) => ({
        name: `q-${ordinal}`,
        voter: true,
        heard: this.runningOf(cluster).includes(ordinal),
      })),
    }
  }

  /** Clusters whose data are on disks and not marked as left behind. */
  clustersOnDisks(): string[] {
    const ids = this.pods.map(({ disk }) =>
      disk.kind === 'member' && !disk.departed ? disk.clusterId : '',
    )
    return [...new Set(ids)].filter((id) => id !== '')
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`safety: ${what}`)
}
