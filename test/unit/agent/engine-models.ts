import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import type { ClusterFacts } from '../../../agent/core/cluster/facts.ts'
import { type ClusterPlan, compareCounts } from '../../../agent/core/cluster/plan.ts'
import type { EngineView, Observation } from '../../../agent/core/observation.ts'
import type { Policy } from '../../../agent/core/policy.ts'
import { type DependentsWorld, type EngineModel, must, type Pod } from './dependents-world.ts'

const plain: Omit<ClusterPlan, 'forming' | 'restart' | 'joins' | 'removedReturns'> = {
  comparePositions: compareCounts,
  startGate: () => null,
  duty: () => null,
  setDuty: () => null,
  drain: ({ engine, self }: Observation) => {
    const others = engine.members.filter(({ name, heard }) => heard && name !== self.pod)
    if (!engine.leads || others.length === 0) return { kind: 'ready' }
    return { kind: 'handOver', to: null, reason: 'another is to lead' }
  },
}

export const silent: EngineView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  members: [],
}

/**
 * Engines with a configuration of members and a majority: a leader wherever most of the members run. What they
 * differ in is how the first one comes to be.
 */
export abstract class QuorumModel implements EngineModel {
  abstract readonly policy: Policy
  protected readonly world: DependentsWorld
  /** Ordinal to identity. */
  protected readonly members = new Map<number, string>()
  /** Identities that were removed and not taken in again. */
  protected readonly retired = new Set<string>()
  protected leader: number | null = null
  protected clusterId = ''
  founded = 0
  #identities = 0

  constructor(world: DependentsWorld) {
    this.world = world
  }

  abstract start(pod: Pod, mode: string, facts: ClusterFacts | null): void
  abstract settle(): void

  bootstrap(_pod: Pod): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  /** Asks the leader to take in, or back, whoever runs with data. */
  join(pod: Pod): boolean {
    const { disk } = pod
    this.elect()
    if (pod.engine !== 'running' || this.leader === null) return false
    if (disk.kind === 'member') {
      this.members.set(pod.ordinal, disk.incarnation)
      this.retired.delete(disk.incarnation)
    }
    return true
  }

  write(): void {
    // A majority keeps what is written: nothing to follow here.
  }

  protected found(pod: Pod, id: string): void {
    const holder = this.world.holder(pod)
    must(holder === undefined, `${pod.name} bootstraps while ${holder?.name} holds data`)
    must(pod.disk.kind === 'empty', 'a bootstrap over data')
    this.founded += 1
    this.clusterId = id
    this.members.clear()
    this.fill(pod)
    this.leader = pod.ordinal
  }

  /** The empty disk becomes a member's. */
  protected fill(pod: Pod): void {
    this.#identities += 1
    const incarnation = `i${this.#identities}`
    pod.disk = { kind: 'member', clusterId: this.clusterId, incarnation, departed: false }
    this.members.set(pod.ordinal, incarnation)
  }

  protected running(): number[] {
    return [...this.members].flatMap(([ordinal, identity]) => {
      const { engine, disk } = this.world.pod(ordinal)
      const itself = disk.kind === 'member' && disk.incarnation === identity
      return engine === 'running' && itself ? [ordinal] : []
    })
  }

  /** The ordinals that count. */
  protected voters(): number[] {
    return [...this.members.keys()]
  }

  protected elect(): void {
    const voters = this.voters()
    const running = this.running().filter((ordinal) => voters.includes(ordinal))
    const majority = 2 * running.length > voters.length
    if (!majority) this.leader = null
    else if (this.leader === null || !running.includes(this.leader)) {
      this.leader = running[0] ?? null
    }
  }

  view(pod: Pod): EngineView {
    if (pod.engine !== 'running') return silent
    const { disk } = pod
    const view = { ...silent, answers: true, reason: 'in no cluster' }
    if (disk.kind !== 'member') return view
    const member = this.members.get(pod.ordinal) === disk.incarnation
    const { leader } = this
    return {
      ...view,
      clusterId: disk.clusterId,
      retired: !member,
      ready: leader !== null && member,
      reason: leader === null ? 'no leader' : 'no member',
      leads: leader === pod.ordinal,
      leader: leader === null ? null : `q-${leader}`,
      role: leader === pod.ordinal ? 'leader' : 'follower',
      members: [...this.members].map(([ordinal, identity]) => ({
        name: `q-${ordinal}`,
        identity,
        voter: true,
        heard: this.running().includes(ordinal),
      })),
    }
  }

  drain(pod: Pod, _to: string | null): boolean {
    const next = this.running().find((ordinal) => ordinal !== pod.ordinal)
    if (this.leader !== pod.ordinal || next === undefined) return false
    this.leader = next
    return true
  }

  leave(name: string): boolean {
    const ordinal = Number(name.slice(2))
    this.elect()
    // Whoever leads removes others, never itself.
    if (this.leader === null) return false
    if (this.leader === ordinal && this.members.size > 1) return false
    const identity = this.members.get(ordinal)
    if (identity === undefined) return true
    const buried = this.world.tree.tombstones.get(name)?.identity
    must(
      this.world.treeLost || buried === identity,
      `${name} removed under the tombstone of another`,
    )
    this.retired.add(identity)
    this.members.delete(ordinal)
    return true
  }

  stopped(pod: Pod): void {
    if (this.leader === pod.ordinal) this.leader = null
  }

  isCurable(ordinals: readonly number[]): boolean {
    const voters = this.voters()
    const left = voters.filter((ordinal) => ordinals.includes(ordinal))
    return voters.length === 0 || 2 * left.length > voters.length
  }

  perform(_pod: Pod, name: string, _args: Readonly<Record<string, string>>): boolean {
    throw new Error(`safety: no duty ${name}`)
  }

  loseTree(): void {
    // Nothing of the engine is there.
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    const members = [...this.members.keys()].sort()
    if (members.join() !== ordinals.join()) return `members ${members.join()}`
    const running = this.running()
    return running.length === ordinals.length ? null : `running ${running.join()}`
  }
}

/** Formed by one permit; members with data just start; a removed one comes back empty. */
export class PermitModel extends QuorumModel {
  readonly policy = clusterPolicy({
    ...plain,
    forming: 'atStart',
    restart: 'itself',
    joins: 'freely',
    removedReturns: 'fresh',
  })

  start(pod: Pod, mode: string, facts: ClusterFacts | null): void {
    const { disk } = pod
    const old = disk.kind === 'member' && this.retired.has(disk.incarnation)
    // While a removal was begun and is not known to be done, its disk may be what a majority needs.
    const known = facts?.tombstones[pod.name]?.done === true || (old && disk.departed)
    must(!old || !known, 'a removed member came back as it was')
    if (mode === 'bootstrap') return this.found(pod, `c-${facts?.intent?.nonce}`)
    must(disk.kind === 'member' || facts?.initialized?.engineClusterId === this.clusterId, 'astray')
  }

  settle(): void {
    this.elect()
    if (this.leader === null) return
    for (const pod of this.world.pods) {
      if (pod.engine === 'running' && pod.disk.kind === 'empty') this.fill(pod)
    }
  }
}
