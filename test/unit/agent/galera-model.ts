import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import {
  type GaleraView,
  galeraPlan,
  NON_PRIMARY,
} from '../../../agent/core/cluster/galera-plan.ts'
import { type DependentsWorld, type EngineModel, must, type Pod } from './dependents-world.ts'
import { silent } from './engine-models.ts'

const BOUNDS = { leaveMs: 3_000, standDownMs: 10_000 }

const SILENT: GaleraView = {
  ...silent,
  state: 'unknown',
  nonPrimarySinceMs: null,
  rejects: false,
  certificatesRenewed: false,
  silentMs: 0,
}

/**
 * Galera under its real plan. Members with data are a component that one of them begins; those that are left without
 * a majority of it wait. Who starts from behind, or beside another component, loses what was acknowledged.
 */
export class GaleraModel implements EngineModel {
  readonly policy = clusterPolicy(galeraPlan(BOUNDS))
  founded = 0
  readonly #world: DependentsWorld
  /** Of the component: those that run in it, and all that it last counted. */
  readonly #synced = new Set<Pod>()
  #counted = 0
  /** Since when members have been without a majority. */
  readonly #stuck = new Map<Pod, number>()
  readonly #rejecting = new Set<Pod>()
  #written = 0

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(pod: Pod, mode: string): void {
    must(!this.#synced.has(pod), 'it runs already')
    must(mode !== 'resume', 'whoever has data joins or bootstraps')
    if (mode === 'join') return
    // Of those that the set was scaled away from nobody knows any more when the tree is lost, too.
    const forgotten = this.#world.treeLost && this.#world.holder(pod) === undefined
    must(forgotten || this.#synced.size === 0, `${pod.name} bootstraps beside a component`)
    if (pod.disk.kind === 'empty') {
      const holder = this.#world.holder(pod)
      must(holder === undefined, `${pod.name} bootstraps while ${holder?.name} holds data`)
      this.founded += 1
      pod.disk = { kind: 'member', clusterId: 'c1', incarnation: '', departed: false }
    }
    const expected = this.#world.pods.slice(0, this.#world.set.replicas)
    const ahead = expected.find(
      ({ disk, position }) => disk.kind === 'member' && position > pod.position,
    )
    must(ahead === undefined, `${pod.name} bootstraps, and ${ahead?.name} is ahead`)
    this.#synced.add(pod)
    this.#counted = this.#synced.size
  }

  bootstrap(): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  join(): boolean {
    return true
  }

  write(): void {
    this.#count()
    if (this.#synced.size === 0) return
    this.#written += 1
    for (const pod of this.#synced) pod.position = this.#written
  }

  settle(): void {
    this.#count()
    const [donor] = this.#synced
    for (const pod of this.#world.pods) {
      const waits = this.#synced.has(pod) || this.#stuck.has(pod)
      if (pod.engine !== 'running' || waits) continue
      // A joiner without a component gives up after a while.
      if (donor === undefined) this.#world.killEngine(pod)
      else {
        pod.position = donor.position
        if (pod.disk.kind === 'empty') {
          pod.disk = { kind: 'member', clusterId: 'c1', incarnation: '', departed: false }
        }
        this.#synced.add(pod)
        this.#counted = this.#synced.size
      }
    }
  }

  /** A component goes on with a majority of those it last counted, and none goes on with less. */
  #count(): void {
    if (this.#synced.size === this.#counted) return
    if (2 * this.#synced.size <= this.#counted) {
      for (const pod of this.#synced) this.#stuck.set(pod, this.#world.nowMs)
      this.#synced.clear()
    }
    this.#counted = this.#synced.size
  }

  view(pod: Pod): GaleraView {
    if (pod.engine !== 'running') return SILENT
    this.#count()
    const synced = this.#synced.has(pod)
    const sinceMs = this.#stuck.get(pod) ?? null
    const rejects = this.#rejecting.has(pod)
    return {
      ...SILENT,
      answers: true,
      clusterId: pod.disk.kind === 'member' ? pod.disk.clusterId : '',
      members: synced
        ? [...this.#synced].map(({ name }) => ({ name, voter: true, heard: true }))
        : [],
      ready: synced && !rejects,
      role: sinceMs === null ? 'synced' : NON_PRIMARY,
      state: synced ? 'synced' : 'joining',
      nonPrimarySinceMs: sinceMs,
      rejects,
      ...(synced ? { position: String(pod.position) } : {}),
    }
  }

  drain(): boolean {
    return true
  }

  perform(pod: Pod, name: string): boolean {
    if (pod.engine !== 'running') return false
    if (name === 'reject') this.#rejecting.add(pod)
    else if (name === 'accept') this.#rejecting.delete(pod)
    else {
      must(name === 'standDown', `no duty ${name}`)
      must(this.#stuck.has(pod), 'a member of a component stops for an election')
      this.#world.killEngine(pod)
    }
    return true
  }

  loseTree(): void {
    // Nothing of the engine is there.
  }

  leave(name: string): boolean {
    return ![...this.#synced].some((pod) => pod.name === name)
  }

  stopped(pod: Pod): void {
    this.#synced.delete(pod)
    this.#stuck.delete(pod)
    this.#rejecting.delete(pod)
  }

  isCurable(): boolean {
    return true
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const synced = [...this.#synced].map(({ ordinal }) => ordinal).sort()
    return synced.join() === ordinals.join() ? null : `synced ${synced.join()}`
  }
}
