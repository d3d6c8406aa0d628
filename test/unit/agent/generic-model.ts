import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import { ENLIST, type GenericView, genericPlan } from '../../../agent/core/cluster/generic-plan.ts'
import { type DependentsWorld, type EngineModel, must, type Pod } from './dependents-world.ts'
import { silent } from './engine-models.ts'
import { rules } from './observations.ts'

/**
 * What the example of Redis is: one member founds, others copy whoever leads, somebody outside of the pods (Sentinel)
 * finds another leader, and the roster in the tree says who is to be taken out.
 */
export class GenericModel implements EngineModel {
  readonly policy = clusterPolicy(
    genericPlan({
      bootstrap: 'start',
      order: 'parallel',
      removedReturns: 'asIs',
      enlists: true,
      follows: true,
      followPatienceMs: 5_000,
      drains: 'leader',
      drainPatienceMs: 10_000,
      handOverMs: rules.handOverMs,
    }),
  )
  founded = 0
  readonly #world: DependentsWorld
  readonly #roster = new Set<string>()
  /** The cluster in which a process without data was started. */
  readonly #begun = new Map<Pod, string>()
  readonly #drainedAtMs = new Map<Pod, number>()
  readonly #stoppedAtMs = new Map<Pod, number>()
  #leader: Pod | null = null

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(pod: Pod, mode: string, facts: ClusterFacts | null): void {
    this.#drainedAtMs.delete(pod)
    if (mode === 'resume') {
      must(pod.disk.kind === 'member', `${pod.name} resumes without data`)
      return
    }
    must(pod.disk.kind === 'empty', `${pod.name} begins anew over its data`)
    const known = facts?.initialized?.engineClusterId ?? ''
    if (mode === 'join') {
      must(known !== '', `${pod.name} joins what nobody has founded`)
      this.#begun.set(pod, known)
      return
    }
    const holder = this.#world.holder(pod)
    must(holder === undefined, `${pod.name} founds while ${holder?.name} holds data`)
    this.#begun.set(pod, `c-${facts?.intent?.nonce}`)
  }

  /** Whoever leads is followed; when that one is gone another leads; a founder leads once it is up. */
  settle(): void {
    const running = this.#running()
    if (this.#leader !== null && !running.includes(this.#leader)) this.#leader = null
    this.#leader ??= running.find(({ disk }) => disk.kind === 'member') ?? null
    for (const pod of running) {
      if (pod.disk.kind === 'member') continue
      const clusterId = this.#begun.get(pod) ?? ''
      const founds = clusterId.startsWith('c-') && this.#holders().length === 0
      if (founds && this.#leader === null) {
        this.founded += 1
        this.#leader = pod
      }
      if (this.#leader === null) continue
      pod.disk = { kind: 'member', clusterId, incarnation: '', departed: false }
      this.#begun.delete(pod)
    }
  }

  view(pod: Pod): GenericView {
    const drainedAtMs = this.#drainedAtMs.get(pod) ?? null
    const reached = this.#world.tree.up && pod.connected
    const otherLeader = reached && this.#leader !== pod ? (this.#leader?.name ?? null) : null
    const stoppedAtMs = this.#stoppedAtMs.get(pod) ?? Number.NEGATIVE_INFINITY
    const view = {
      ...silent,
      alive: null,
      obstacle: null,
      stale: [],
      enlisted: this.#roster.has(pod.name),
      drainedAtMs,
      otherLeader,
      takenOverBy: drainedAtMs === null ? null : otherLeader,
      silentMs: pod.engine === 'running' ? 0 : this.#world.nowMs - stoppedAtMs,
      leader: this.#leader?.name ?? null,
      members: [...this.#roster].map((name) => ({ name, voter: true, heard: true })),
    }
    if (pod.engine !== 'running') return view
    const leads = this.#leader === pod
    const clusterId = pod.disk.kind === 'member' ? pod.disk.clusterId : this.#begun.get(pod)
    return {
      ...view,
      answers: true,
      ready: this.#leader !== null && pod.disk.kind === 'member',
      reason: 'nobody leads',
      clusterId: clusterId ?? '',
      leads,
      role: leads ? 'primary' : 'replica',
    }
  }

  drain(pod: Pod): boolean {
    const next = this.#running().find((other) => other !== pod && other.disk.kind === 'member')
    if (next === undefined) return false
    if (this.#leader === pod) this.#leader = next
    this.#drainedAtMs.set(pod, this.#world.nowMs)
    return true
  }

  perform(pod: Pod, name: string): boolean {
    must(name === ENLIST, `no duty ${name}`)
    return this.join(pod)
  }

  join(pod: Pod): boolean {
    this.#roster.add(pod.name)
    return true
  }

  leave(name: string): boolean {
    this.#roster.delete(name)
    return true
  }

  bootstrap(): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  loseTree(): void {
    this.#roster.clear()
  }

  loseDisk(pod: Pod): void {
    this.#begun.delete(pod)
  }

  stopped(pod: Pod): void {
    this.#stoppedAtMs.set(pod, this.#world.nowMs)
    if (this.#leader === pod) this.#leader = null
    this.#begun.delete(pod)
  }

  write(): void {
    // Whoever leads keeps what is written: nothing to follow here.
  }

  /** Whoever holds data is among them, or nobody does. */
  isCurable(ordinals: readonly number[]): boolean {
    const holders = this.#holders()
    return holders.length === 0 || holders.some(({ ordinal }) => ordinals.includes(ordinal))
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const names = ordinals.map((ordinal) => `q-${ordinal}`)
    const roster = [...this.#roster].sort()
    if (roster.join() !== names.join()) return `on the roster ${roster.join()}`
    const idle = ordinals.filter((ordinal) => {
      const { engine, disk } = this.#world.pod(ordinal)
      return engine !== 'running' || disk.kind !== 'member'
    })
    return idle.length === 0 ? null : `idle ${idle.join()}`
  }

  #running(): Pod[] {
    return this.#world.pods.filter(({ engine }) => engine === 'running')
  }

  #holders(): Pod[] {
    return this.#world.pods.filter(({ disk }) => disk.kind === 'member')
  }
}
