import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import {
  type ConfigStep,
  canCommit,
  firstConfig,
  isVoter,
  type SetConfig,
  withMember,
  withoutMember,
  withoutVote,
  withVote,
} from '../../../agent/core/cluster/mongodb-config.ts'
import { type MongodbView, mongodbPlan } from '../../../agent/core/cluster/mongodb-plan.ts'
import { type DependentsWorld, type EngineModel, must, type Pod } from './dependents-world.ts'
import { silent } from './engine-models.ts'
import { rules } from './observations.ts'

/**
 * Replica sets under MongoDB's real plan and its real steps of a configuration. A process without a configuration
 * is initiated, and others are added, by calls; whether a disk was ever a member's the agent knows by a note alone,
 * which it makes when the process tells it.
 */
export class MongodbModel implements EngineModel {
  readonly policy = clusterPolicy(mongodbPlan)
  founded = 0
  readonly #world: DependentsWorld
  /** What is committed; hosts are the names of pods. */
  #config: SetConfig | null = null
  /** Pods whose disks have the data. */
  readonly #filled = new Set<Pod>()
  readonly #nameless = new Set<Pod>()
  /** Pods whose agents know that they have no vote. */
  readonly #voteless = new Set<Pod>()
  /** Pods whose processes need what is in nobody's oplog any more, and those whose disks are noted for that. */
  readonly #stale = new Set<Pod>()
  readonly #spent = new Set<Pod>()
  /** When the agent of a pod first saw that its engine asks to start. */
  readonly #askingSinceMs = new Map<Pod, number>()
  #leader: Pod | null = null
  #hasUsers = false

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(pod: Pod, mode: string, facts: ClusterFacts | null): void {
    must(mode !== 'bootstrap', 'it is not formed by a permit')
    must(!this.#nameless.has(pod), `${pod.name} starts while its name does not resolve`)
    const primary = Object.values(facts?.members ?? {}).some(
      ({ ready, role }) => ready && role === 'primary',
    )
    const member = this.#memberOf(pod)
    const votes = member !== undefined && isVoter(member) && !this.#filled.has(pod)
    const sinceMs = this.#askingSinceMs.get(pod) ?? this.#world.nowMs
    const patient = this.#world.nowMs - sinceMs < rules.preparingMs
    this.#askingSinceMs.delete(pod)
    must(!votes || !primary || !patient, `${pod.name} starts with a vote and without data`)
    this.#voteless.delete(pod)
    this.#spent.delete(pod)
  }

  bootstrap(pod: Pod): boolean {
    if (pod.engine !== 'running') return false
    // It was done before, and its answer was lost.
    if (this.#filled.has(pod)) return true
    const holder = this.#world.holder(pod)
    must(holder === undefined, `${pod.name} is initiated while ${holder?.name} holds data`)
    this.founded += 1
    this.#config = firstConfig('rs0', pod.name, pod.ordinal)
    this.#filled.clear()
    this.#filled.add(pod)
    this.#leader = pod
    return true
  }

  /** Without a vote: that is given when the member has the data. */
  join(pod: Pod): boolean {
    if (pod.engine !== 'running') return false
    return this.#change((config) => withMember(config, pod.name, pod.ordinal))
  }

  perform(pod: Pod, name: string): boolean {
    if (name === 'yieldVote') {
      must(pod.engine === 'asking', `${pod.name} yields its vote while it runs`)
      const taken = this.#change((config) => withoutVote(config, pod.name))
      if (taken) this.#voteless.add(pod)
      return taken
    }
    if (name === 'setAside') return this.#setAside(pod)
    if (pod.engine !== 'running') return false
    if (name === 'users') {
      this.#elect()
      if (this.#leader !== pod) return false
      this.#hasUsers = true
      return true
    }
    if (name === 'resync') {
      must(this.#stale.has(pod), `${pod.name} gives up what it could catch up from`)
      if (!this.#change((config) => withoutVote(config, pod.name))) return false
      this.#spent.add(pod)
      this.#world.killEngine(pod)
      return true
    }
    if (name === 'keep') {
      this.#spent.delete(pod)
      return true
    }
    must(name === 'promote', `there is no duty ${name}`)
    must(this.#filled.has(pod), `${pod.name} gets a vote before it has the data`)
    return this.#change((config) => withVote(config, pod.name))
  }

  #setAside(pod: Pod): boolean {
    must(pod.engine === 'asking', `the data of ${pod.name} goes while it runs`)
    const member = this.#memberOf(pod)
    const counts = member !== undefined && isVoter(member)
    must(!counts, `${pod.name} gives up its data, and has a vote`)
    pod.disk = { kind: 'empty', founding: null }
    this.loseDisk(pod)
    return true
  }

  leave(name: string): boolean {
    this.#elect()
    if (this.#leader?.name === name) return false
    must(this.#world.treeLost || this.#world.tree.tombstones.has(name), `${name} is not buried`)
    return this.#change((config) => withoutMember(config, name))
  }

  drain(pod: Pod): boolean {
    const next = this.#electable().find((other) => other !== pod)
    if (this.#leader !== pod || next === undefined) return false
    this.#leader = next
    return true
  }

  loseTree(): void {
    // Nothing of MongoDB is there.
  }

  stopped(pod: Pod): void {
    if (this.#leader === pod) this.#leader = null
  }

  loseDisk(pod: Pod): void {
    for (const pods of [this.#filled, this.#voteless, this.#stale, this.#spent]) pods.delete(pod)
  }

  /** Of a process that runs and does not lead: the others write on until it cannot follow any more. */
  trouble(pod: Pod): void {
    if (pod.engine !== 'running') {
      if (!this.#nameless.delete(pod)) this.#nameless.add(pod)
      return
    }
    this.#elect()
    const others = this.#electable().filter((other) => other !== pod)
    const lasting = this.#filled.has(pod) && 2 * others.length > this.#voters().length
    if (lasting && this.#leader !== pod) this.#stale.add(pod)
  }

  cure(): void {
    this.#nameless.clear()
  }

  write(): void {
    // A majority keeps what is written: nothing to follow here.
  }

  settle(): void {
    this.#elect()
    if (this.#leader === null) return
    for (const pod of this.#world.pods) {
      // A process whose host is in the configuration is told of it by the others, and copies the data.
      if (pod.engine === 'running' && this.#memberOf(pod) !== undefined) this.#filled.add(pod)
    }
  }

  view(pod: Pod): MongodbView {
    const resolves = !this.#nameless.has(pod)
    if (pod.engine !== 'asking') this.#askingSinceMs.delete(pod)
    else if (!this.#askingSinceMs.has(pod)) this.#askingSinceMs.set(pod, this.#world.nowMs)
    if (pod.engine !== 'running') {
      const [voteless, spent] = [this.#voteless.has(pod), this.#spent.has(pod)]
      return { ...SILENT, resolves, voteless, spent }
    }
    const clusterId = this.#filled.has(pod) ? `c${this.founded}` : ''
    // The agent notes whose data it is when it is told: until then the disk says nothing.
    if (clusterId === '' && pod.disk.kind === 'empty') {
      return { ...SILENT, answers: true, role: 'uninitiated', state: 'uninitiated' }
    }
    if (clusterId !== '' && pod.disk.kind === 'empty') {
      pod.disk = { kind: 'member', clusterId, incarnation: '', departed: false }
    }
    const listed = this.#memberOf(pod) !== undefined
    if (!listed) {
      return {
        ...SILENT,
        answers: true,
        retired: true,
        clusterId,
        role: 'removed',
        state: 'removed',
      }
    }
    const spent = this.#spent.has(pod)
    if (this.#stale.has(pod)) {
      const state = 'recovering'
      const leader = this.#leader?.name ?? null
      const members = this.#members()
      const stale = leader !== null
      return {
        ...SILENT,
        answers: true,
        clusterId,
        leader,
        role: state,
        state,
        members,
        stale,
        spent,
      }
    }
    const leads = this.#leader === pod
    const state = leads ? 'primary' : 'secondary'
    return {
      ...SILENT,
      answers: true,
      ready: true,
      reason: '',
      clusterId,
      leads,
      leader: this.#leader?.name ?? null,
      role: state,
      state,
      spent,
      members: this.#members(),
      usersMissing: leads ? (this.#hasUsers ? [] : ['app']) : null,
    }
  }

  isCurable(ordinals: readonly number[]): boolean {
    if (this.#config === null) return true
    const left = this.#voters().filter(
      (pod) => ordinals.includes(pod.ordinal) && this.#isCurrent(pod),
    )
    return 2 * left.length > this.#voters().length
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const names = (pods: readonly Pod[]) =>
      pods
        .map(({ ordinal }) => ordinal)
        .sort()
        .join()
    const members = this.#config?.members.length ?? 0
    const voters = this.#voters()
    if (members !== ordinals.length || names(voters) !== ordinals.join()) {
      return `${members} members, of which ${names(voters)} vote`
    }
    if (!this.#hasUsers) return 'no users'
    const serving = names(this.#electable())
    return serving === ordinals.join() ? null : `${serving} serve`
  }

  #memberOf({ name }: Pod) {
    return this.#config?.members.find(({ host }) => host === name)
  }

  #members(): MongodbView['members'] {
    return (this.#config?.members ?? []).map((member) => {
      const pod = this.#podOf(member.host)
      const heard = pod.engine === 'running'
      const serves = pod === this.#leader ? 'primary' : 'secondary'
      return {
        name: member.host,
        voter: isVoter(member),
        electable: isVoter(member),
        hidden: false,
        heard,
        state: !heard ? 'unreachable' : this.#isCurrent(pod) ? serves : 'startup',
        lagMs: 0,
      }
    })
  }

  #podOf(name: string): Pod {
    return this.#world.pod(Number(name.slice(2)))
  }

  #voters(config = this.#config): readonly Pod[] {
    return (config?.members ?? []).filter(isVoter).map(({ host }) => this.#podOf(host))
  }

  #electable(): readonly Pod[] {
    return this.#voters().filter((pod) => pod.engine === 'running' && this.#isCurrent(pod))
  }

  #isCurrent(pod: Pod): boolean {
    return this.#filled.has(pod) && !this.#stale.has(pod)
  }

  #elect(): void {
    const able = this.#electable()
    if (2 * able.length <= this.#voters().length) this.#leader = null
    else if (this.#leader === null || !able.includes(this.#leader)) this.#leader = able[0] ?? null
  }

  /** Each step commits before the next: a majority of the voters has, or gets, all that was acknowledged. */
  #change(stepOf: (config: SetConfig) => ConfigStep): boolean {
    for (;;) {
      this.#elect()
      if (this.#config === null || this.#leader === null) return false
      const next = stepOf(this.#config)
      if (next === null) return true
      const voters = this.#voters(next)
      const before = this.#voters()
      const changed = [...voters, ...before].filter(
        (pod) => voters.includes(pod) !== before.includes(pod),
      )
      must(changed.length <= 1, 'more than one vote changes at a time')
      const serving = this.#world.pods.filter(
        (pod) => pod.engine === 'running' && this.#isCurrent(pod),
      )
      if (!canCommit(next, new Set(serving.map(({ name }) => name)))) return false
      this.#config = next
    }
  }
}

const SILENT: MongodbView = {
  ...silent,
  state: 'unknown',
  members: [],
  usersMissing: null,
  certificatesRenewed: false,
  resolves: true,
  silentMs: 0,
  voteless: false,
  stale: false,
  spent: false,
  aside: false,
}
