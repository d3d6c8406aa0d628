import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import {
  type ControllersView,
  controllersPlan,
} from '../../../agent/core/cluster/controllers-plan.ts'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import {
  type KafkaTree,
  type KafkaView,
  kafkaPlan,
} from '../../../agent/core/cluster/kafka-plan.ts'
import { type BrokerView, SURVEY } from '../../../agent/core/cluster/kafka-stop.ts'
import {
  ADD_VOTER,
  type KraftView,
  kraftPlan,
  UNREGISTER,
} from '../../../agent/core/cluster/kraft-plan.ts'
import { type EngineView, ordinalOf } from '../../../agent/core/observation.ts'
import type { Policy } from '../../../agent/core/policy.ts'
import { must, PODS, type Pod } from './dependents-world.ts'
import { QuorumModel, silent } from './engine-models.ts'

/** Kafka in both of its modes, as its plans see it. */

/** What both modes of Kafka see of the copies on a broker: none here, once it was looked. */
class Surveys {
  readonly #atMs = new Map<Pod, number>()

  look(pod: Pod, nowMs: number): void {
    this.#atMs.set(pod, nowMs)
  }

  of(pod: Pod): BrokerView['survey'] {
    const atMs = this.#atMs.get(pod)
    if (atMs === undefined) return null
    return { atMs, copies: 0, behind: 0, atRisk: 0, example: '', logs: 0 }
  }
}

const STOP_BOUNDS = {
  kafkaSurveyFreshMs: 3_000,
  kafkaControllerLastMs: 10_000,
  kafkaOthersMs: 2_000,
}
const CONTROLLERS = 3

/** Formatted by the first permit; the lowest ordinals are given votes; brokers are on record until they are not. */
export class KraftModel extends QuorumModel {
  readonly policy: Policy = clusterPolicy(
    kraftPlan({ ...STOP_BOUNDS, controllers: CONTROLLERS, verdictFreshMs: 2_000 }),
  )
  /** So many of the lowest ordinals are to vote. */
  protected readonly controllers: number = CONTROLLERS
  /** Ordinal to the disk that votes for it. */
  readonly #votes = new Map<number, string>()
  /** Brokers that were never unregistered. */
  readonly #brokers = new Set<number>()
  readonly #surveys = new Surveys()

  start(pod: Pod, mode: string, facts: ClusterFacts | null): void {
    if (mode === 'bootstrap') {
      this.found(pod, `c-${facts?.intent?.nonce}`)
      this.#votes.clear()
      for (const [ordinal, disk] of this.members) this.#votes.set(ordinal, disk)
      return
    }
    if (pod.disk.kind === 'empty') {
      const id = facts?.initialized?.engineClusterId
      must(id === this.clusterId, `formatted for ${id}, and the cluster is ${this.clusterId}`)
      // It has an identity and a cluster from the first moment, and no vote.
      super.fill(pod)
      this.members.delete(pod.ordinal)
    }
  }

  protected override voters(): number[] {
    return [...this.#votes.keys()]
  }

  protected override running(): number[] {
    return this.voters().filter((ordinal) => {
      const { engine, disk } = this.world.pod(ordinal)
      const votes = disk.kind === 'member' && disk.incarnation === this.#votes.get(ordinal)
      return engine === 'running' && votes
    })
  }

  override join(pod: Pod): boolean {
    this.elect()
    const { disk } = pod
    if (pod.engine !== 'running' || this.leader === null || disk.kind !== 'member') return false
    if (pod.ordinal < this.controllers && pod.ordinal < this.world.set.replicas) {
      this.#votes.set(pod.ordinal, disk.incarnation)
    }
    return true
  }

  override perform(pod: Pod, name: string, args: Readonly<Record<string, string>>): boolean {
    if (name === SURVEY) {
      this.#surveys.look(pod, this.world.nowMs)
      return true
    }
    if (name === ADD_VOTER) return this.join(pod)
    must(name === UNREGISTER, `no duty ${name}`)
    const ordinal = ordinalOf(args['name'] ?? '', 'q') ?? -1
    this.elect()
    if (this.leader === null) return false
    must(!this.#votes.has(ordinal), `${args['name']} is forgotten, and votes`)
    this.#brokers.delete(ordinal)
    return true
  }

  override leave(name: string): boolean {
    const ordinal = Number(name.slice(2))
    this.elect()
    if (this.leader === null) return false
    const identity = this.#votes.get(ordinal)
    if (identity === undefined) return true
    const buried = this.world.tree.tombstones.get(name)?.identity
    must(this.world.treeLost || buried === identity, `${name} loses the vote of another disk`)
    // Whoever leads may take its own vote away, and steps down with it (KIP-853).
    if (this.#votes.size === 1) return false
    this.#votes.delete(ordinal)
    if (this.leader === ordinal) this.leader = null
    return true
  }

  settle(): void {
    this.elect()
    if (this.leader === null) return
    for (const { engine, disk, ordinal } of this.world.pods) {
      if (engine === 'running' && disk.kind === 'member') this.#brokers.add(ordinal)
    }
  }

  override view(pod: Pod): KraftView {
    const { disk, ordinal } = pod
    const runs = pod.engine === 'running' && disk.kind === 'member'
    const leader = this.leader
    const ready = runs && leader !== null
    const brokers = this.world.pods.filter(
      (other) => other.engine === 'running' && this.#brokers.has(other.ordinal),
    )
    const view: EngineView = {
      ...silent,
      answers: runs,
      clusterId: runs ? disk.clusterId : '',
      ready,
      reason: ready ? '' : 'no controller',
      leads: runs && leader === ordinal,
      leader: leader === null ? null : `q-${leader}`,
      role: leader === ordinal ? 'controller' : 'broker',
      members: [
        ...[...this.#votes].map(([voter, identity]) => ({
          name: `q-${voter}`,
          identity,
          voter: true,
          heard: brokers.some((other) => other.ordinal === voter),
        })),
        ...brokers
          .filter((other) => !this.#votes.has(other.ordinal))
          .map(({ name }) => ({ name, voter: false, heard: true })),
      ],
    }
    const votes = runs && this.#votes.get(ordinal) === disk.incarnation
    return {
      ...view,
      brokerId: ordinal,
      survey: this.#surveys.of(pod),
      votes: leader === null ? null : votes,
      // Brokers of 4 tell who is on record and does not run.
      fenced: [...this.#brokers]
        .filter((id) => !brokers.some((broker) => broker.ordinal === id))
        .map((id) => `q-${id}`),
      unregistered: [],
      controllersRecord: null,
    }
  }

  override lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const votes = this.voters().sort()
    const wanted = ordinals.filter((ordinal) => ordinal < this.controllers)
    if (votes.join() !== wanted.join()) return `votes ${votes.join()}`
    const running = this.running()
    return running.length === wanted.length ? null : `running ${running.join()}`
  }
}

/** Controllers in a set of their own: all of them are to vote, and none goes that the others need. */
export class ControllersModel extends KraftModel {
  override readonly policy: Policy = clusterPolicy(
    controllersPlan({ kafkaLeaderlessMs: 20_000, kafkaTurnsMs: 10_000 }),
  )
  protected override readonly controllers: number = PODS

  override view(pod: Pod): KraftView & ControllersView {
    const view = super.view(pod)
    const running = this.running().map((ordinal) => `q-${ordinal}`)
    return {
      ...view,
      // Whoever stands for an observer is none of the members.
      members: view.members.filter(({ voter }) => voter),
      caughtUpAtMs: Object.fromEntries(running.map((name) => [name, this.world.nowMs])),
    }
  }
}

const REGISTERED_MS = 18_000

/** Brokers that keep their cluster in the tree; a registration outlives its process by a session. */
export class KafkaModel extends QuorumModel {
  readonly policy = clusterPolicy(kafkaPlan(STOP_BOUNDS))
  readonly #surveys = new Surveys()
  /** When the registration of a broker that was killed ends; of one that runs it does not. */
  readonly #registered = new Map<number, number>()
  #treeId = ''

  start(pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'agents do not form it')
    must(!this.#isRegistered(pod.ordinal), `NODEEXISTS: ${pod.name} is registered still`)
    if (pod.disk.kind === 'member') {
      must(pod.disk.clusterId === this.#treeId, `${pod.name} is of another cluster than the tree`)
    } else if (this.#treeId !== '') {
      // It reads the id first of all. A tree that is lost between its permit and that is beyond agents.
      this.fill(pod)
    }
  }

  override stopped({ ordinal }: Pod): void {
    if (this.#registered.get(ordinal) === Number.POSITIVE_INFINITY) {
      this.#registered.set(ordinal, this.world.nowMs + REGISTERED_MS)
    }
  }

  override loseTree(): void {
    this.#treeId = ''
    this.#registered.clear()
  }

  override perform(pod: Pod, name: string): boolean {
    must(name === SURVEY, `no duty ${name}`)
    this.#surveys.look(pod, this.world.nowMs)
    return true
  }

  override drain(): boolean {
    return true
  }

  override leave(): boolean {
    return true
  }

  override isCurable(): boolean {
    return true
  }

  settle(): void {
    if (!this.world.tree.up) return
    for (const pod of this.world.pods) {
      if (
        pod.engine !== 'running' ||
        this.#registered.get(pod.ordinal) === Number.POSITIVE_INFINITY
      )
        continue
      if (this.#treeId === '') {
        // Whoever runs on data has its id from the start, and makes no other.
        if (pod.disk.kind !== 'empty') continue
        this.found(pod, `c${this.founded + 1}`)
        this.#treeId = this.clusterId
      }
      if (pod.disk.kind === 'empty') this.fill(pod)
      if (pod.disk.kind === 'member' && pod.disk.clusterId !== this.#treeId) continue
      this.#registered.set(pod.ordinal, Number.POSITIVE_INFINITY)
    }
    const running = this.#serving()
    if (this.leader === null || !running.includes(this.leader)) this.leader = running[0] ?? null
  }

  override view(pod: Pod): KafkaView {
    const runs = pod.engine === 'running'
    const { disk, ordinal } = pod
    const registered = this.#registered.get(ordinal) === Number.POSITIVE_INFINITY
    return {
      ...silent,
      answers: runs,
      clusterId: runs && disk.kind === 'member' ? disk.clusterId : '',
      ready: runs && registered,
      reason: 'the broker is not registered',
      leads: runs && this.leader === ordinal,
      leader: this.leader === null ? null : `q-${this.leader}`,
      role: this.leader === ordinal ? 'controller' : 'broker',
      brokerId: ordinal,
      survey: this.#surveys.of(pod),
      tree: this.#treeOf(pod),
    }
  }

  #treeOf({ connected, ordinal, name }: Pod): KafkaTree {
    if (!this.world.tree.up || !connected) return { kind: 'unknown', reason: 'no session' }
    const registered = this.#isRegistered(ordinal) ? [name] : null
    return { kind: 'known', clusterId: this.#treeId, registered }
  }

  #isRegistered(ordinal: number): boolean {
    return (this.#registered.get(ordinal) ?? 0) > this.world.nowMs
  }

  #serving(): number[] {
    return this.world.pods
      .filter(({ engine, ordinal }) => engine === 'running' && this.#isRegistered(ordinal))
      .map(({ ordinal }) => ordinal)
  }

  override lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const serving = this.#serving().sort()
    return serving.join() === ordinals.join() ? null : `serving ${serving.join()}`
  }
}
