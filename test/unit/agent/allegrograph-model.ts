import {
  type CopyView,
  copyPolicy,
  joiningIn,
} from '../../../agent/core/cluster/allegrograph-copy-policy.ts'
import {
  type CopyInstance,
  copyInstanceName,
  copyInstanceOf,
} from '../../../agent/core/cluster/allegrograph-instances.ts'
import {
  CONTROLLING,
  type ControllingView,
  GROW_CLUSTER,
  REMOVE_INSTANCE,
} from '../../../agent/core/cluster/allegrograph-plan.ts'
import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { Observation } from '../../../agent/core/observation.ts'
import type { Policy } from '../../../agent/core/policy.ts'
import { type DependentsWorld, type EngineModel, must, type Pod } from './dependents-world.ts'
import { silent } from './engine-models.ts'

/** What the cluster lists. */
interface Listed extends CopyInstance {
  /** Looks until all data is copied; 0: it is an instance. */
  left: number
}

/** A pod's present life, as nothing of an earlier one is left. */
interface Life {
  uid: string
  starts: number
  /** Of the process that runs or ran last; '' before the first. */
  instance: string
  clusterId: string
  /** The process was made an instance. */
  linked: boolean
  /** Its own agent has removed it. */
  departed: boolean
}

/** Looks of the world at its engines, of which a round of all agents has five. */
const COPYING_LOOKS = 20

/**
 * AllegroGraph's multi-master replication: the pod of ordinal 0 is the controlling instance, of a set of its own on a
 * real cluster; the others are copies. Growing takes time, and goes on whatever becomes of the agent that asked.
 */
export class AllegrographModel implements EngineModel {
  readonly policy: Policy = dispatched(clusterPolicy(CONTROLLING), copyPolicy())
  readonly #world: DependentsWorld
  readonly #lives = new Map<Pod, Life>()
  #listed: Listed[] = []
  readonly #removed = new Set<string>()
  #uids = 0
  #created = 0

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(pod: Pod, mode: string): void {
    if (pod.ordinal === 0) {
      must(mode !== 'bootstrap', 'no permit founds it')
      return
    }
    const life = this.#life(pod)
    const left = this.#copyView(pod).copies?.find((copy) => copy.pod === pod.name)
    must(left === undefined, `${left?.name} is listed, and another process starts`)
    life.starts += 1
    life.instance = copyInstanceName(pod.name, life.uid, life.starts)
    life.linked = false
    life.departed = false
  }

  /** createCluster: once, and never over data. */
  bootstrap(pod: Pod): boolean {
    must(pod.ordinal === 0, `the copy ${pod.name} creates a cluster`)
    if (pod.engine !== 'running') return false
    if (pod.disk.kind === 'member') return true
    must(!this.#someAreHeard(pod), 'a cluster is created while copies say that they hold one')
    this.#created += 1
    const clusterId = `c${this.#created}`
    pod.disk = { kind: 'member', clusterId, incarnation: clusterId, departed: false }
    this.#listed = []
    return true
  }

  join(): boolean {
    throw new Error('safety: nobody joins but by growing')
  }

  drain(): boolean {
    return true
  }

  perform(pod: Pod, name: string, { instance }: Readonly<Record<string, string>>): boolean {
    const controlling = this.#world.pod(0)
    if (controlling.engine !== 'running' || controlling.disk.kind !== 'member') return false
    if (name === REMOVE_INSTANCE) return this.#remove(pod, instance ?? '')
    must(name === GROW_CLUSTER, `no duty ${name}`)
    return this.#grow(pod, controlling.disk.clusterId)
  }

  /** growCluster, as the engine asks for it: after a look at who is listed. */
  #grow(pod: Pod, clusterId: string): boolean {
    const life = this.#life(pod)
    const { instance } = life
    if (pod.engine !== 'running') return false
    if (this.#isListed(instance)) return true
    const facts = pod.tree.facts
    if (facts === null || joiningIn(this.#listed, facts, pod.name) !== null) return false
    const joining = this.#listed.find((copy) => copy.left > 0 && this.#runs(copy))
    must(joining === undefined, `${instance} joins while ${joining?.name} does`)
    must(!this.#removed.has(instance), `${instance} was removed and joins again`)
    const parsed = copyInstanceOf(instance, 'q')
    if (parsed === null) throw new Error(`safety: ${instance} is no name of a copy`)
    this.#listed.push({ ...parsed, left: COPYING_LOOKS })
    life.clusterId = clusterId
    return true
  }

  /** A copy takes away what is its own; the controlling one only what cannot run any more. */
  #remove(by: Pod, instance: string): boolean {
    const listed = this.#listed.find(({ name }) => name === instance)
    if (listed === undefined) return true
    const own = listed.pod === by.name
    must(own || (by.ordinal === 0 && !this.#runs(listed)), `${by.name} removes ${instance}`)
    const leaves = by.agent.drain !== null || !this.#runs(listed)
    must(leaves, `${instance} is removed, which runs and stays`)
    const life = this.#life(by)
    if (life.instance === instance) life.departed = true
    this.#listed = this.#listed.filter((other) => other !== listed)
    this.#removed.add(instance)
    return true
  }

  leave(name: string): boolean {
    throw new Error(`safety: ${name} is removed with a tombstone`)
  }

  /** Neither does the cluster need it, nor is anything of it there. */
  loseTree(): void {}

  stopped(pod: Pod): void {
    this.#life(pod).linked = false
  }

  /** The pod is another one, with no volume. */
  replaced(pod: Pod): void {
    this.#lives.delete(pod)
  }

  settle(): void {
    const controlling = this.#world.pod(0)
    if (controlling.engine !== 'running') return
    // What a kubelet does with a process that its liveness calls dead.
    for (const pod of this.#world.pods.slice(1)) {
      if (this.#copyView(pod).spent) this.#world.killEngine(pod)
    }
    for (const copy of this.#listed) {
      if (!this.#runs(copy)) continue
      copy.left = Math.max(0, copy.left - 1)
      if (copy.left === 0) this.#life(this.#podOf(copy)).linked = true
    }
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.#created !== 1) return `${this.#created} clusters were created`
    const ghosts = this.#listed.filter((copy) => !this.#runs(copy))
    if (ghosts.length > 0) return `ghosts: ${ghosts.map(({ name }) => name).join()}`
    const copies = ordinals.filter((ordinal) => ordinal > 0)
    const linked = this.#listed.map(({ pod }) => this.#world.pods.findIndex((p) => p.name === pod))
    return linked.sort().join() === copies.join() ? null : `listed: ${linked.join()}`
  }

  isCurable(): boolean {
    return true
  }

  write(): void {
    // Every instance has all data: there is nothing to follow.
  }

  view(pod: Pod): ControllingView | CopyView {
    return pod.ordinal === 0 ? this.#controllingView(pod) : this.#copyView(pod)
  }

  #controllingView(pod: Pod): ControllingView {
    const answers = pod.engine === 'running'
    const { disk } = pod
    const formed = answers && disk.kind === 'member'
    return {
      ...silent,
      answers,
      ready: formed,
      reason: 'the cluster is not created yet',
      clusterId: formed ? disk.clusterId : '',
      role: 'controlling',
      members: formed
        ? this.#listed.map((copy) => ({ name: `c-${copy.pod}`, voter: true, heard: false }))
        : [],
      copies: formed ? this.#listed : [],
      gone: formed && this.#world.apiUp ? this.#listed.filter((copy) => this.#isGone(copy)) : [],
    }
  }

  #copyView(pod: Pod): CopyView {
    const life = this.#life(pod)
    const answers = pod.engine === 'running'
    const controlling = this.#world.pod(0)
    const known = controlling.engine === 'running' && controlling.disk.kind === 'member'
    const ready = answers && life.linked
    const forgotten = known && life.linked && !this.#isListed(life.instance)
    const spent = answers && (life.departed || forgotten)
    return {
      ...silent,
      answers,
      ready: ready && !spent,
      reason: 'is no instance of the cluster yet',
      clusterId: ready && !spent ? life.clusterId : '',
      role: 'copy',
      instance: life.instance,
      copies: known ? this.#listed : null,
      growing: false,
      spent,
    }
  }

  #life(pod: Pod): Life {
    const known = this.#lives.get(pod)
    if (known !== undefined) return known
    this.#uids += 1
    const uid = this.#uids.toString(16).padStart(8, '0')
    const life = { uid, starts: 0, instance: '', clusterId: '', linked: false, departed: false }
    this.#lives.set(pod, life)
    return life
  }

  #podOf({ pod }: CopyInstance): Pod {
    const found = this.#world.pods.find(({ name }) => name === pod)
    if (found === undefined) throw new Error(`no pod ${pod}`)
    return found
  }

  #runs(copy: CopyInstance): boolean {
    const pod = this.#podOf(copy)
    return pod.engine === 'running' && this.#life(pod).instance === copy.name
  }

  #isGone(copy: CopyInstance): boolean {
    return this.#life(this.#podOf(copy)).uid !== copy.podUid
  }

  #isListed(instance: string): boolean {
    return this.#listed.some(({ name }) => name === instance)
  }

  /** Where the volume and the tree are lost at once, the reports of copies are all that tells of a cluster. */
  #someAreHeard({ tree }: Pod): boolean {
    const heard = (pod: string) => tree.facts?.reports[pod]?.empty === false
    return this.#listed.some((copy) => this.#runs(copy) && copy.left === 0 && heard(copy.pod))
  }
}

/** Two kinds of agents in one set. */
function dispatched(controlling: Policy<ControllingView>, copy: Policy<CopyView>): Policy {
  const of = ({ self }: Observation) => (self.ordinal === 0 ? controlling : copy) as Policy
  return {
    memory: 'tree',
    start: (observation, state, rules) => of(observation).start(observation, state, rules),
    wait: (observation, state, rules) => of(observation).wait(observation, state, rules),
    serve: (observation, state, rules) => of(observation).serve(observation, state, rules),
    drain: (observation, state, drain, rules) =>
      of(observation).drain(observation, state, drain, rules),
    isUsable: (observation) => of(observation).isUsable(observation),
    isNeeded: (observation) => of(observation).isNeeded(observation),
  }
}
