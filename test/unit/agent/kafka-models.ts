import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import { type KafkaView, kafkaPlan } from '../../../agent/core/cluster/kafka-plan.ts'
import {
  type BrokerView,
  type DatedSurvey,
  SURVEY,
} from '../../../agent/core/cluster/kafka-stop.ts'
import {
  ADD_VOTER,
  type KraftView,
  kraftPlan,
  UNREGISTER,
} from '../../../agent/core/cluster/kraft-plan.ts'
import { isExpected } from '../../../agent/core/observation.ts'
import type { Policy } from '../../../agent/core/policy.ts'
import { limits } from '../../../agent/limits.ts'
import {
  type DependentsWorld,
  type EngineModel,
  must,
  type Pod,
  silent,
} from './dependents-world.ts'

const CONTROLLERS = 3
/** A broker's session in ZooKeeper mode. */
const SESSION_MS = 18_000

/** What brokers are, however their cluster is kept. */
abstract class BrokersModel implements EngineModel {
  abstract readonly policy: Policy
  founded = 0
  protected readonly world: DependentsWorld
  protected clusterId = ''
  /** Brokers whose copies nobody has moved. */
  readonly #laden = new Set<Pod>()
  readonly #surveys = new Map<Pod, DatedSurvey>()

  constructor(world: DependentsWorld) {
    this.world = world
  }

  abstract start(pod: Pod, mode: string, facts: ClusterFacts | null): void
  abstract settle(): void
  abstract view(pod: Pod): BrokerView
  abstract leave(name: string): boolean
  abstract lacks(ordinals: readonly number[]): string | null
  abstract isCurable(ordinals: readonly number[]): boolean

  bootstrap(): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  join(pod: Pod): boolean {
    return pod.engine === 'running'
  }

  command(pod: Pod, name: string, _args: Readonly<Record<string, string>>): boolean {
    must(name === SURVEY, `there is no duty ${name}`)
    if (pod.engine !== 'running') return false
    const copies = this.#laden.has(pod) ? 1 : 0
    const none = { behind: 0, atRisk: 0, example: '' }
    this.#surveys.set(pod, { ...none, atMs: this.world.nowMs, copies, logs: copies })
    return true
  }

  drain(): boolean {
    return true
  }

  write(): void {
    // What brokers keep is kept by their copies: nothing to follow here.
  }

  stopped(pod: Pod): void {
    this.#surveys.delete(pod)
  }

  diskLost(_pod: Pod): void {}

  trouble(pod: Pod): void {
    if (!this.#laden.delete(pod)) this.#laden.add(pod)
  }

  cure(): void {
    this.#laden.clear()
  }

  protected found(pod: Pod, id: string): void {
    const holder = this.world.holder(pod)
    must(holder === undefined, `${pod.name} forms a cluster while ${holder?.name} holds data`)
    must(pod.disk.kind === 'empty', 'a cluster is formed over data')
    this.founded += 1
    this.clusterId = id
  }

  protected fill(pod: Pod, incarnation: string): void {
    pod.disk = { kind: 'member', clusterId: this.clusterId, incarnation, departed: false }
  }

  protected running(): Pod[] {
    return this.world.pods.filter(({ engine }) => engine === 'running')
  }

  protected broker(pod: Pod): BrokerView {
    const clusterId = pod.disk.kind === 'member' ? pod.disk.clusterId : ''
    const survey = this.#surveys.get(pod) ?? null
    return { ...silent, answers: true, clusterId, brokerId: pod.ordinal, survey }
  }
}

/** KRaft's real plan: formatted by a permit; controllers get and lose their votes by calls. */
export class KraftModel extends BrokersModel {
  readonly policy = clusterPolicy(kraftPlan({ ...limits, controllers: CONTROLLERS }))
  /** Voter to its disk. */
  readonly #voters = new Map<Pod, string>()
  readonly #unregistered = new Set<string>()
  #leader: Pod | null = null
  #disks = 0

  start(pod: Pod, mode: string, facts: ClusterFacts | null): void {
    if (mode === 'resume') return must(pod.disk.kind === 'member', 'nothing to go on from')
    must(pod.disk.kind === 'empty', 'data is formatted')
    if (mode === 'bootstrap') {
      this.found(pod, `c-${facts?.intent?.nonce}`)
      this.#voters.clear()
    } else must(facts?.initialized?.engineClusterId === this.clusterId, 'formatted for another')
    this.#disks += 1
    this.fill(pod, `d${this.#disks}`)
    if (mode === 'bootstrap') this.#voters.set(pod, `d${this.#disks}`)
  }

  override join(pod: Pod): boolean {
    const { disk } = pod
    this.#elect()
    if (pod.engine !== 'running' || disk.kind !== 'member' || this.#leader === null) return false
    if (pod.ordinal >= CONTROLLERS || this.#voters.get(pod) === disk.incarnation) return true
    // First the vote of its former disk goes, so that each step changes one.
    if (this.#voters.has(pod) && !this.#removeVoter(pod)) return false
    this.#voters.set(pod, disk.incarnation)
    return true
  }

  override command(pod: Pod, name: string, args: Readonly<Record<string, string>>): boolean {
    if (name === ADD_VOTER) {
      must(pod.ordinal < CONTROLLERS, `${pod.name} is no controller and gets a vote`)
      return this.join(pod)
    }
    if (name !== UNREGISTER) return super.command(pod, name, args)
    const gone = String(args['name'])
    const buried = this.world.tree.tombstones.get(gone)
    must(this.world.treeLost || buried?.done !== false, `${gone} is unregistered, not removed`)
    if (this.#leader === null) return false
    this.#unregistered.add(`${gone}@${args['at']}`)
    return true
  }

  leave(name: string): boolean {
    this.#elect()
    const pod = this.world.pod(Number(name.slice(2)))
    if (this.#leader === null) return false
    return !this.#voters.has(pod) || this.#removeVoter(pod)
  }

  settle(): void {
    this.#elect()
  }

  override stopped(pod: Pod): void {
    super.stopped(pod)
    if (this.#leader === pod) this.#leader = null
  }

  view(pod: Pod): KraftView {
    const unregistered = [...this.#unregistered]
    const rest = { votes: null, unregistered }
    if (pod.engine !== 'running') {
      return { ...silent, brokerId: pod.ordinal, survey: null, ...rest }
    }
    const leader = this.#leader
    const brokers = this.running().filter((other) => !this.#voters.has(other))
    const disk = pod.disk.kind === 'member' ? pod.disk.incarnation : ''
    return {
      ...this.broker(pod),
      ready: leader !== null,
      reason: leader === null ? 'no leader' : '',
      leads: leader === pod,
      leader: leader?.name ?? null,
      role: leader === pod ? 'controller' : 'broker',
      votes: leader === null ? null : this.#voters.get(pod) === disk,
      unregistered,
      members: [
        ...[...this.#voters].map(([{ name, engine }, identity]) => ({
          name,
          identity,
          voter: true,
          heard: engine === 'running',
        })),
        ...brokers.map(({ name }) => ({ name, voter: false, heard: true })),
      ],
    }
  }

  isCurable(ordinals: readonly number[]): boolean {
    const left = [...this.#voters].filter(([{ ordinal }]) => ordinals.includes(ordinal))
    return this.#voters.size === 0 || 2 * left.length > this.#voters.size
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const wanted = ordinals.slice(0, CONTROLLERS).join()
    const voters = [...this.#voters.keys()].map(({ ordinal }) => ordinal).sort()
    if (voters.join() !== wanted) return `voters ${voters.join()}`
    const voting = this.#voting().length
    return voting === voters.length ? null : `${voting} voters run`
  }

  #voting(): Pod[] {
    return [...this.#voters].flatMap(([pod, identity]) => {
      const itself = pod.disk.kind === 'member' && pod.disk.incarnation === identity
      return pod.engine === 'running' && itself ? [pod] : []
    })
  }

  #elect(): void {
    const voting = this.#voting()
    if (2 * voting.length <= this.#voters.size) this.#leader = null
    else if (this.#leader === null || !voting.includes(this.#leader)) {
      this.#leader = voting[0] ?? null
    }
  }

  /** It commits by a majority of those that stay; the last one cannot go. */
  #removeVoter(pod: Pod): boolean {
    const staying = this.#voting().filter((other) => other !== pod)
    if (2 * staying.length <= this.#voters.size - 1) return false
    this.#voters.delete(pod)
    this.#elect()
    return true
  }
}

/** ZooKeeper mode's real plan: brokers race for the cluster's id, and are registered as long as their sessions last. */
export class KafkaModel extends BrokersModel {
  readonly policy = clusterPolicy(kafkaPlan(limits))
  /** Of /cluster/id. */
  #treeId = ''
  /** Until when a registration stays if its broker is not heard of any more. */
  readonly #registered = new Map<Pod, number>()

  start(pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'agents do not form it')
    this.#expire()
    must(!this.#registered.has(pod), `${pod.name} starts beside its own registration`)
    if (!this.#reaches(pod)) return this.world.killEngine(pod)
    const { disk } = pod
    if (disk.kind === 'member') {
      return must(disk.clusterId === this.#treeId, 'it holds the data of another cluster')
    }
    if (this.#treeId === '') {
      this.found(pod, `c${this.founded + 1}`)
      this.#treeId = this.clusterId
    }
    this.fill(pod, '')
  }

  leave(): boolean {
    return true
  }

  settle(): void {
    this.#expire()
    for (const pod of this.running()) {
      if (this.#reaches(pod)) this.#registered.set(pod, this.world.nowMs + SESSION_MS)
    }
  }

  treeLost(): void {
    this.#treeId = ''
    this.#registered.clear()
  }

  view(pod: Pod): KafkaView {
    this.#expire()
    const registered = this.#registered.has(pod) ? [`${pod.name}.host`] : null
    const tree: KafkaView['tree'] = this.#reaches(pod)
      ? { kind: 'known', clusterId: this.#treeId, registered }
      : { kind: 'unknown', reason: 'no connection' }
    if (pod.engine !== 'running') {
      return { ...silent, brokerId: pod.ordinal, survey: null, tree }
    }
    const brokers = this.running()
    const leader = brokers.find((other) => this.#registered.has(other)) ?? null
    return {
      ...this.broker(pod),
      ready: true,
      reason: '',
      leads: leader === pod,
      leader: leader?.name ?? null,
      role: leader === pod ? 'controller' : 'broker',
      members: brokers.map(({ name }) => ({ name, voter: false, heard: true })),
      tree,
    }
  }

  isCurable(): boolean {
    return true
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const running = this.running().filter(({ ordinal }) => isExpected(ordinal, this.world.set))
    const registered = running.filter((pod) => this.#registered.has(pod))
    return registered.length === ordinals.length ? null : `${registered.length} registered`
  }

  #reaches({ connected }: Pod): boolean {
    return this.world.tree.up && connected
  }

  /** Sessions end by the clock of the tree, which stands still while it is down. */
  #expire(): void {
    if (!this.world.tree.up) return
    for (const [pod, untilMs] of this.#registered) {
      if (this.world.nowMs >= untilMs) this.#registered.delete(pod)
    }
  }
}
