import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import { type PostgresqlView, postgresqlPlan } from '../../../agent/core/cluster/postgresql-plan.ts'
import {
  type DependentsWorld,
  type EngineModel,
  must,
  type Pod,
  silent,
} from './dependents-world.ts'

const BOUNDS = { standbyWaitMs: 20_000, volatile: false }

/**
 * PostgreSQL's real plan over a model of Patroni in synchronous mode: whoever runs with an empty disk may form the
 * cluster while the tree has none, and only the former leader and its synchronous standby may lead.
 */
export class PatroniModel implements EngineModel {
  readonly policy = clusterPolicy(postgresqlPlan(BOUNDS))
  founded = 0
  readonly #world: DependentsWorld
  /** The znodes initialize, leader and sync. */
  #systemId: string | null = null
  #leader: Pod | null = null
  #mayLead: readonly Pod[] = []
  readonly #ledAtMs = new Map<Pod, number>()
  /** Whose slots a server has that nobody reads. */
  readonly #idleSlots = new Map<Pod, Set<string>>()
  #acknowledged = 0

  constructor(world: DependentsWorld) {
    this.#world = world
  }

  start(_pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'agents do not form it')
  }

  bootstrap(): boolean {
    throw new Error('safety: it is not formed while it runs')
  }

  join(pod: Pod): boolean {
    return pod.engine === 'running'
  }

  command(pod: Pod, name: string, args: Readonly<Record<string, string>>): boolean {
    must(name === 'dropSlot', `there is no duty ${name}`)
    const gone = String(args['pod'])
    must(this.#world.tree.tombstones.has(gone), `the slot of ${gone} goes, which was not removed`)
    this.#idleSlots.get(pod)?.delete(gone)
    return pod.engine === 'running'
  }

  drain(pod: Pod): boolean {
    const next = this.#standbys()[0]
    if (this.#leader !== pod || next === undefined || !this.#world.tree.up) return false
    this.#lead(next)
    return true
  }

  leave(name: string): boolean {
    for (const pod of this.#world.pods) {
      if (pod.disk.kind !== 'member' || pod.name === name) continue
      this.#idleSlots.set(pod, new Set([...(this.#idleSlots.get(pod) ?? []), name]))
    }
    return true
  }

  stopped(pod: Pod): void {
    if (this.#leader === pod) this.#leader = null
  }

  diskLost(pod: Pod): void {
    pod.position = 0
    this.#mayLead = this.#mayLead.filter((other) => other !== pod)
    this.#idleSlots.delete(pod)
  }

  treeLost(): void {
    this.#systemId = null
    this.#leader = null
    this.#mayLead = []
  }

  trouble(_pod: Pod): void {}

  cure(): void {}

  /** Acknowledged when the leader and its synchronous standby have it. */
  write(): void {
    if (this.#leader === null) return
    const waitedFor = this.#mayLead.filter((pod) => pod !== this.#leader)
    if (waitedFor.some(({ engine }) => engine !== 'running')) return
    this.#acknowledged += 1
    for (const pod of this.#mayLead) pod.position = this.#acknowledged
  }

  settle(): void {
    if (!this.#world.tree.up) return
    const running = this.#running()
    const empty = this.#world.pods.find(
      ({ engine, disk }) => engine === 'running' && disk.kind === 'empty',
    )
    if (this.#systemId === null && running.length > 0) this.#systemId = 's1'
    else if (this.#systemId === null && empty !== undefined) this.#found(empty)
    this.#elect()
    if (this.#leader === null) return
    this.#follow()
  }

  view(pod: Pod): PostgresqlView {
    const { connected, disk, engine } = pod
    const readable = this.#world.tree.up && connected
    const leader = this.#leader?.name ?? null
    const record = readable ? { systemId: this.#systemId, leader } : null
    if (engine !== 'running') return { ...SILENT, record, ledAtMs: this.#ledAtMs.get(pod) ?? null }
    const leads = this.#leader === pod
    if (leads) this.#ledAtMs.set(pod, this.#world.nowMs)
    const ready = disk.kind === 'member'
    return {
      ...SILENT,
      answers: true,
      ready,
      reason: ready ? '' : 'copies the data',
      clusterId: ready ? disk.clusterId : '',
      leads,
      leader,
      role: leads ? 'primary' : 'replica',
      state: ready ? 'running' : 'creating replica',
      record,
      rosterAtMs: this.#world.nowMs,
      candidates: this.#standbys().map(({ name }) => ({ name, lagBytes: 0 })),
      ledAtMs: this.#ledAtMs.get(pod) ?? null,
      idleSlots: [...(this.#idleSlots.get(pod) ?? [])],
      members: this.#running().map(({ name }) => ({ name, voter: true, heard: true })),
    }
  }

  isCurable(ordinals: readonly number[]): boolean {
    if (this.founded === 0) return true
    return this.#mayLead.some(({ ordinal, disk }) => {
      return ordinals.includes(ordinal) && disk.kind === 'member'
    })
  }

  lacks(ordinals: readonly number[]): string | null {
    if (this.founded !== 1) return `${this.founded} foundings`
    if (this.#leader === null) return 'nobody leads'
    const running = this.#running()
      .map(({ ordinal }) => ordinal)
      .sort()
    if (running.join() !== ordinals.join()) return `running ${running.join()}`
    const kept = running.some((ordinal) => {
      const slots = this.#idleSlots.get(this.#world.pod(ordinal)) ?? []
      return [...slots].some((name) => !ordinals.includes(Number(name.slice(2))))
    })
    return kept ? 'slots of removed members' : null
  }

  #found(pod: Pod): void {
    const holder = this.#world.holder(pod)
    must(holder === undefined, `${pod.name} forms a cluster while ${holder?.name} holds data`)
    this.founded += 1
    this.#systemId = `s${this.founded}`
    this.#fill(pod)
    this.#lead(pod)
    this.#mayLead = [pod]
  }

  #fill(pod: Pod): void {
    const clusterId = String(this.#systemId)
    pod.disk = { kind: 'member', clusterId, incarnation: '', departed: false }
    pod.position = this.#acknowledged
  }

  #lead(pod: Pod): void {
    const lost = pod.position < this.#acknowledged
    must(!lost || this.#world.treeLost, `${pod.name} leads without all that was acknowledged`)
    this.#leader = pod
    this.#ledAtMs.set(pod, this.#world.nowMs)
  }

  /** Without its record of who may lead, as after a loss of the tree, the most advanced that runs does. */
  #elect(): void {
    if (this.#leader !== null) return
    const running = this.#running()
    const known = this.#mayLead.length > 0
    const able = known ? running.filter((pod) => this.#mayLead.includes(pod)) : running
    const [best] = [...able].sort((one, other) => other.position - one.position)
    if (best === undefined) return
    if (!known) this.#acknowledged = best.position
    this.#lead(best)
  }

  /** The others copy or stream, and the first of them is the one that commits wait for. */
  #follow(): void {
    for (const pod of this.#world.pods) {
      if (pod.engine !== 'running' || pod === this.#leader) continue
      if (pod.disk.kind === 'empty') this.#fill(pod)
      pod.position = this.#acknowledged
    }
    const leader = this.#leader
    const others = this.#running().filter((pod) => pod !== leader)
    const standby = others.find((pod) => this.#mayLead.includes(pod)) ?? others[0]
    this.#mayLead = [leader, standby].filter((pod) => pod != null)
  }

  #running(): Pod[] {
    return this.#world.pods.filter(
      ({ engine, disk }) => engine === 'running' && disk.kind === 'member',
    )
  }

  #standbys(): Pod[] {
    return this.#mayLead.filter((pod) => pod !== this.#leader && pod.engine === 'running')
  }
}

const SILENT: PostgresqlView = {
  ...silent,
  state: 'unknown',
  loops: null,
  record: null,
  rosterAtMs: null,
  synchronous: true,
  candidates: [],
  ledAtMs: null,
  idleSlots: [],
}
