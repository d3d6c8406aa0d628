import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
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
import { type MongodbView, mongodbPlan } from '../../../agent/core/cluster/mongodb-plan.ts'
import { type PostgresqlView, postgresqlPlan } from '../../../agent/core/cluster/postgresql-plan.ts'
import { type EngineView, ordinalOf } from '../../../agent/core/observation.ts'
import { must, type Pod } from './dependents-world.ts'
import { QuorumModel, silent } from './engine-models.ts'

/** The engines as their plans see them: everything that a plan asks about happens here too. */

/** Members without a vote copy the data first; the configuration names hosts, not disks. */
export class MongodbModel extends QuorumModel {
  readonly policy = clusterPolicy(mongodbPlan)
  readonly #votes = new Set<number>()
  #usersMade = false

  start(_pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'it is not formed by a permit')
  }

  override bootstrap(pod: Pod): boolean {
    if (pod.engine !== 'running') return false
    // It was done before, and its answer was lost.
    if (pod.disk.kind === 'member') return true
    this.found(pod, `c${this.founded + 1}`)
    this.#votes.clear()
    this.#votes.add(pod.ordinal)
    return true
  }

  protected override fill(pod: Pod): void {
    super.fill(pod)
    const { disk } = pod
    if (disk.kind === 'member') pod.disk = { ...disk, incarnation: '' }
    this.members.set(pod.ordinal, '')
  }

  protected override voters(): number[] {
    return [...this.#votes]
  }

  override join(pod: Pod): boolean {
    const joined = super.join(pod)
    this.retired.clear()
    if (joined && pod.disk.kind === 'empty') this.fill(pod)
    return joined
  }

  override perform(pod: Pod, name: string): boolean {
    this.elect()
    if (name === 'users') {
      must(this.leader === pod.ordinal, 'users are made on the primary')
      this.#usersMade = true
      return true
    }
    must(name === 'promote', `no duty ${name}`)
    if (this.leader === null || !this.members.has(pod.ordinal)) return false
    must(pod.disk.kind === 'member', 'a vote for a member without data')
    this.#votes.add(pod.ordinal)
    must(this.#votes.size <= 7, 'more than seven voters')
    return true
  }

  override leave(name: string): boolean {
    const left = super.leave(name)
    this.retired.clear()
    if (left) this.#votes.delete(Number(name.slice(2)))
    return left
  }

  settle(): void {
    this.elect()
    if (this.leader === null) return
    // An empty process whose host is in the configuration is told of it by the others.
    for (const pod of this.world.pods) {
      const listed = this.members.has(pod.ordinal)
      if (pod.engine === 'running' && pod.disk.kind === 'empty' && listed) this.fill(pod)
    }
  }

  override view(pod: Pod): MongodbView {
    const view = super.view(pod)
    const leads = view.leads && view.ready
    const listed = this.members.has(pod.ordinal)
    return {
      ...view,
      state: this.#stateOf(pod, listed),
      members: view.members.map((member) => {
        const ordinal = Number(member.name.slice(2))
        const voter = this.#votes.has(ordinal)
        const { heard } = member
        const state = heard ? ('secondary' as const) : ('unreachable' as const)
        return {
          ...member,
          voter,
          electable: voter,
          state: ordinal === this.leader ? ('primary' as const) : state,
          lagMs: heard ? 0 : null,
        }
      }),
      usersMissing: leads ? (this.#usersMade ? [] : ['app']) : null,
      certificatesRenewed: false,
      resolves: true,
      silentMs: 0,
    }
  }

  #stateOf(pod: Pod, listed: boolean): MongodbView['state'] {
    if (pod.engine !== 'running') return 'unknown'
    if (pod.disk.kind !== 'member') return listed ? 'startup' : 'uninitiated'
    if (!listed) return 'removed'
    return this.leader === pod.ordinal ? 'primary' : 'secondary'
  }

  override lacks(ordinals: readonly number[]): string | null {
    const votes = [...this.#votes].sort()
    if (votes.join() !== ordinals.join()) return `votes ${votes.join()}`
    return this.#usersMade ? super.lacks(ordinals) : 'no users'
  }
}

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

const STOP_BOUNDS = { kafkaSurveyFreshMs: 3_000, kafkaControllerLastMs: 10_000 }
const CONTROLLERS = 3

/** Formatted by the first permit; the lowest ordinals are given votes; brokers are on record until they are not. */
export class KraftModel extends QuorumModel {
  readonly policy = clusterPolicy(kraftPlan({ ...STOP_BOUNDS, controllers: CONTROLLERS }))
  /** Ordinal to the disk that votes for it. */
  readonly #votes = new Map<number, string>()
  /** Brokers that were never unregistered. */
  readonly #brokers = new Set<number>()
  readonly #unregistered = new Set<string>()
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
    if (pod.ordinal < CONTROLLERS && pod.ordinal < this.world.set.replicas) {
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
    this.#unregistered.add(`${args['name']}@${args['at']}`)
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
      unregistered: [...this.#unregistered],
    }
  }

  override lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const votes = this.voters().sort()
    const wanted = ordinals.filter((ordinal) => ordinal < CONTROLLERS)
    if (votes.join() !== wanted.join()) return `votes ${votes.join()}`
    const running = this.running()
    return running.length === wanted.length ? null : `running ${running.join()}`
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

/** Patroni forms, elects and repairs by itself through the tree; a slot for each of the others on every server. */
export class PostgresqlModel extends QuorumModel {
  readonly policy = clusterPolicy(postgresqlPlan({ standbyWaitMs: 20_000, volatile: false }))
  /** The znode `initialize`; null: there is none, '': whoever is named has begun. */
  #systemId: string | null = null
  #begun: Pod | null = null
  readonly #ledAtMs = new Map<Pod, number>()
  readonly #slots = new Map<Pod, Set<string>>()

  start(pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'agents do not form it')
    if (pod.disk.kind === 'member' || this.leader !== null) return
    // Patroni races for `initialize` with whoever else is empty; of one that died there it is left over.
    const others = this.world.pods.filter((other) => other !== pod && other.engine === 'running')
    const racer = others.find(({ disk }) => disk.kind === 'empty')
    must(racer === undefined, `${pod.name} races with ${racer?.name}`)
    const holder = this.world.holder(pod)
    must(holder === undefined, `${pod.name} may form a cluster, and ${holder?.name} holds data`)
  }

  override loseTree(): void {
    this.#systemId = null
    this.#begun = null
    this.leader = null
  }

  override perform(pod: Pod, name: string, args: Readonly<Record<string, string>>): boolean {
    must(name === 'dropSlot', `no duty ${name}`)
    const gone = args['pod'] ?? ''
    must(!this.#named(gone), `the slot of ${gone}, which runs, is dropped`)
    this.#slots.get(pod)?.delete(gone)
    return true
  }

  override drain(pod: Pod, to: string | null): boolean {
    const next = this.#running().find(({ name }) => name === to)
    if (this.leader !== pod.ordinal || next === undefined) return false
    this.#leads(next)
    return true
  }

  override leave(name: string): boolean {
    for (const pod of this.#running()) this.#slots.get(pod)?.delete(name)
    return true
  }

  override isCurable(): boolean {
    return true
  }

  settle(): void {
    if (!this.world.tree.up) return
    for (const pod of this.#running()) {
      const { disk } = pod
      if (disk.kind === 'member') {
        this.#systemId ??= disk.clusterId
        if (this.leader === null) this.#leads(pod)
      }
    }
    for (const pod of this.#running()) {
      if (pod.disk.kind !== 'empty') continue
      if (this.leader !== null) this.fill(pod)
      else this.#form(pod)
    }
    this.#keepSlots()
  }

  /** First the znode, then the data, then the znode's content: a death between them is seen. */
  #form(pod: Pod): void {
    if (this.#begun !== pod) {
      this.#systemId = ''
      this.#begun = pod
      return
    }
    this.found(pod, `c${this.founded + 1}`)
    this.#systemId = this.clusterId
    this.#leads(pod)
  }

  #keepSlots(): void {
    const running = this.#running().filter(({ disk }) => disk.kind === 'member')
    for (const pod of running) {
      const slots = this.#slots.get(pod) ?? new Set<string>()
      for (const { name } of running) if (name !== pod.name) slots.add(name)
      this.#slots.set(pod, slots)
    }
  }

  override stopped(pod: Pod): void {
    super.stopped(pod)
    if (this.#begun === pod) this.#begun = null
  }

  #running(): Pod[] {
    return this.world.pods.filter(({ engine }) => engine === 'running')
  }

  #named(name: string): boolean {
    return this.#running().some((pod) => pod.name === name)
  }

  #leads(pod: Pod): void {
    this.leader = pod.ordinal
    this.#ledAtMs.set(pod, this.world.nowMs)
  }

  override view(pod: Pod): PostgresqlView {
    const { disk, name, ordinal, connected } = pod
    const runs = pod.engine === 'running'
    const leads = runs && this.leader === ordinal
    const { nowMs, tree } = this.world
    if (leads) this.#ledAtMs.set(pod, nowMs)
    const ready = runs && disk.kind === 'member' && (leads || this.leader !== null)
    const standbys = this.#running().filter(
      (other) => other.disk.kind === 'member' && other.ordinal !== this.leader,
    )
    const idleSlots = [...(this.#slots.get(pod) ?? [])].filter((slot) => !this.#named(slot))
    const leader = this.leader === null ? null : `q-${this.leader}`
    const others = this.#running().filter((other) => other !== pod)
    return {
      ...silent,
      answers: runs,
      clusterId: runs && disk.kind === 'member' ? disk.clusterId : '',
      ready,
      reason: ready ? '' : 'PostgreSQL: starting',
      leads,
      leader,
      role: leads ? 'primary' : 'replica',
      members: runs
        ? [
            ...others.map((other) => ({ name: other.name, voter: true, heard: true })),
            ...idleSlots.map((slot) => ({ name: slot, voter: true, heard: false })),
          ].filter((member) => member.name !== name)
        : [],
      state: runs ? 'running' : 'stopped',
      loops: runs ? true : null,
      record: tree.up && connected ? { systemId: this.#systemId, leader } : null,
      rosterAtMs: runs ? nowMs : null,
      synchronous: true,
      candidates: standbys.map((standby) => ({ name: standby.name, lagBytes: 0 })),
      ledAtMs: this.#ledAtMs.get(pod) ?? null,
      idleSlots,
    }
  }

  override lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const serving = this.#running().filter(({ disk }) => disk.kind === 'member')
    const names = serving.map(({ ordinal }) => ordinal).sort()
    if (names.join() !== ordinals.join()) return `running ${names.join()}`
    const buried = [...this.world.tree.tombstones.keys()]
    const kept = serving.flatMap((pod) => buried.filter((slot) => this.#slots.get(pod)?.has(slot)))
    return kept.length === 0 ? null : `slots of ${kept.join()} are kept`
  }
}
