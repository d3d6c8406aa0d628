import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import { compareCounts } from '../../../agent/core/cluster/plan.ts'
import type { EngineView } from '../../../agent/core/observation.ts'
import {
  type DependentsWorld,
  type EngineModel,
  must,
  type Pod,
  silent,
} from './dependents-world.ts'

/**
 * Members with data form a component that one of them begins; who starts from behind, or beside another
 * component, loses what was acknowledged.
 */
export class GaleraModel implements EngineModel {
  readonly policy = clusterPolicy({
    comparePositions: compareCounts,
    startGate: () => null,
    duty: () => null,
    setDuty: () => null,
    drain: () => ({ kind: 'ready' }),
    forming: 'atStart',
    restart: 'elected',
    joins: 'oneAtATime',
    removedReturns: 'asIs',
  })
  founded = 0
  readonly #world: DependentsWorld
  readonly #synced = new Set<Pod>()
  #written = 0

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(pod: Pod, mode: string): void {
    must(!this.#synced.has(pod), 'it runs already')
    must(mode !== 'resume', 'whoever has data joins or bootstraps')
    if (mode === 'join') return
    must(this.#synced.size === 0, `${pod.name} bootstraps beside a component`)
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
  }

  bootstrap(): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  join(): boolean {
    return true
  }

  write(): void {
    if (this.#synced.size === 0) return
    this.#written += 1
    for (const pod of this.#synced) pod.position = this.#written
  }

  settle(): void {
    const [donor] = this.#synced
    for (const pod of this.#world.pods) {
      if (pod.engine !== 'running' || this.#synced.has(pod)) continue
      // A joiner without a component gives up after a while.
      if (donor === undefined) this.#world.killEngine(pod)
      else {
        pod.position = donor.position
        if (pod.disk.kind === 'empty') {
          pod.disk = { kind: 'member', clusterId: 'c1', incarnation: '', departed: false }
        }
        this.#synced.add(pod)
      }
    }
  }

  view(pod: Pod): EngineView {
    if (pod.engine !== 'running') return silent
    const synced = this.#synced.has(pod)
    const clusterId = pod.disk.kind === 'member' ? pod.disk.clusterId : ''
    const members = [...this.#synced].map(({ name }) => ({ name, voter: true, heard: true }))
    const view = { ...silent, answers: true, clusterId, members }
    return { ...view, ready: synced, role: 'primary', position: String(pod.position) }
  }

  drain(): boolean {
    return true
  }

  leave(): boolean {
    return true
  }

  command(_pod: Pod, name: string): boolean {
    throw new Error(`safety: there is no duty ${name}`)
  }

  stopped(pod: Pod): void {
    this.#synced.delete(pod)
  }

  diskLost(): void {}

  trouble(): void {}

  cure(): void {}

  isCurable(): boolean {
    return true
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const synced = [...this.#synced].map(({ ordinal }) => ordinal).sort()
    return synced.join() === ordinals.join() ? null : `synced ${synced.join()}`
  }
}
