import { clusterPolicy } from '../../../agent/core/cluster/cluster-policy.ts'
import { type PostgresqlView, postgresqlPlan } from '../../../agent/core/cluster/postgresql-plan.ts'
import { positionOf } from '../../../agent/core/cluster/postgresql-position.ts'
import { must, type Pod } from './dependents-world.ts'
import { QuorumModel, silent } from './engine-models.ts'

/** From the start of a server to where it could lead. */
const RECOVERY_MS = 3_000

interface Timeline {
  readonly number: number
  readonly led: boolean
}

/** Patroni forms, elects and repairs by itself through the tree; a slot for each of the others on every server. */
export class PostgresqlModel extends QuorumModel {
  readonly policy = clusterPolicy(
    postgresqlPlan({ standbyWaitMs: 20_000, replication: null, volatile: false }),
  )
  /** The znode `initialize`; null: there is none, '': whoever is named has begun. */
  #systemId: string | null = null
  #begun: Pod | null = null
  /** In this tree. */
  #hasLed = false
  #promotions = 0
  readonly #timelines = new Map<Pod, Timeline>()
  readonly #startedAtMs = new Map<Pod, number>()
  readonly #ledAtMs = new Map<Pod, number>()
  readonly #slots = new Map<Pod, Set<string>>()

  start(pod: Pod, mode: string): void {
    must(mode !== 'bootstrap', 'agents do not form it')
    this.#startedAtMs.set(pod, this.world.nowMs)
    if (pod.disk.kind === 'member') return this.#resume(pod)
    // It copies the leader first of all. A tree that is lost between its permit and that is beyond agents.
    if (this.leader !== null) return this.fill(pod)
    // Patroni races for `initialize` with whoever else is empty; of one that died there it is left over.
    const others = this.world.pods.filter((other) => other !== pod && other.engine === 'running')
    const racer = others.find(({ disk }) => disk.kind === 'empty')
    must(racer === undefined, `${pod.name} races with ${racer?.name}`)
    const holder = this.world.holder(pod)
    must(holder === undefined, `${pod.name} may form a cluster, and ${holder?.name} holds data`)
  }

  /**
   * In a tree where nobody has led, data begins the cluster anew, and what others have beyond it is rewound. A start
   * without the tree may come to be one, when the tree that comes back is another: that is beyond agents.
   */
  #resume(pod: Pod): void {
    const anew = this.leader === null && (!this.#systemId || !this.#hasLed)
    if (!anew || !this.world.isInformed(pod)) return
    const ahead = this.world.holders(pod).find((other) => this.#isAhead(other, pod))
    must(ahead === undefined, `${pod.name} begins anew, and ${ahead?.name} is ahead`)
  }

  #isAhead(other: Pod, pod: Pod): boolean {
    const [theirs, own] = [this.#timelineOf(other), this.#timelineOf(pod)]
    return theirs.number === own.number ? other.position > pod.position : theirs.number > own.number
  }

  #timelineOf(pod: Pod): Timeline {
    return this.#timelines.get(pod) ?? { number: 0, led: false }
  }

  /** The WAL of a primary goes beyond its last checkpoint, which is all that it has on record. */
  position(pod: Pod): string {
    const { number, led } = this.#timelineOf(pod)
    return positionOf({ timeline: number, led, lsn: BigInt(led ? 0 : pod.position) })
  }

  override loseTree(): void {
    this.#systemId = null
    this.#begun = null
    this.#hasLed = false
    this.leader = null
  }

  override write(): void {
    const primary = this.#primary()
    if (primary !== undefined) primary.position += 1
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
    this.#restart()
    this.#follow()
    for (const pod of this.#running()) {
      if (pod.disk.kind !== 'empty') continue
      if (this.leader !== null) this.fill(pod)
      // While `initialize` names a cluster, an empty member waits for its leader.
      else if (!this.#systemId) this.#form(pod)
    }
    this.#keepSlots()
  }

  /** Patroni compares those that are up; the cluster is on record before anybody is. */
  #restart(): void {
    const holders = this.#running().filter(({ disk }) => disk.kind === 'member')
    for (const { disk } of holders) if (disk.kind === 'member') this.#systemId ||= disk.clusterId
    if (this.leader !== null) {
      this.#hasLed = true
      return
    }
    const [best] = holders
      .filter((pod) => this.world.nowMs - (this.#startedAtMs.get(pod) ?? 0) >= RECOVERY_MS)
      .sort((left, right) => (this.#isAhead(right, left) ? 1 : -1))
    if (best !== undefined) this.#leads(best)
  }

  /** Whatever they had beyond their primary's data is rewound. */
  #follow(): void {
    const primary = this.#primary()
    if (primary === undefined) return
    for (const pod of this.#running()) {
      if (pod !== primary && pod.disk.kind === 'member') this.#copy(primary, pod)
    }
  }

  #copy(primary: Pod, pod: Pod): void {
    pod.position = primary.position
    this.#timelines.set(pod, { ...this.#timelineOf(primary), led: false })
  }

  protected override fill(pod: Pod): void {
    super.fill(pod)
    const primary = this.#primary()
    if (primary !== undefined) this.#copy(primary, pod)
  }

  #primary(): Pod | undefined {
    return this.#running().find(({ ordinal }) => ordinal === this.leader)
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
    const primary = this.#primary()
    // Nobody is promoted by a handover before it has all that the primary has.
    if (primary !== undefined && primary !== pod) this.#copy(primary, pod)
    this.leader = pod.ordinal
    this.#promotions += 1
    this.#timelines.set(pod, { number: this.#promotions, led: true })
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
      silentMs: 0,
      record:
        tree.up && connected ? { systemId: this.#systemId, leader, hasLed: this.#hasLed } : null,
      rosterAtMs: runs ? nowMs : null,
      synchronous: true,
      replication: null,
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
