import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type PostgresqlView,
  postgresqlPlan,
} from '../../../../agent/core/cluster/postgresql-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import type { Drain } from '../../../../agent/core/state.ts'
import { facts } from '../cluster-observations.ts'
import { observation, rules, set } from '../observations.ts'

const STANDBY_WAIT_MS = 30_000
const TURNS_MAX = 5_000
const plan = postgresqlPlan({
  standbyWaitMs: STANDBY_WAIT_MS,
  replication: null,
  volatile: false,
})

/**
 * A model of Patroni in synchronous mode: one leader, one synchronous standby, which alone may follow a leader
 * that is lost, and which is chosen anew some time after it or the leader has changed.
 */
class Cluster {
  readonly running: Set<number>
  leader: number | null
  standby: number | null
  nowMs = 1_000_000

  constructor(count: number, leader: number, standby: number) {
    this.running = new Set(Array.from({ length: count }, (_, i) => i))
    this.leader = leader
    this.standby = standby
  }

  /** One turn of Patroni's loop, somewhere. */
  settle(prefers: number): void {
    if (this.leader === null) {
      if (this.standby === null || !this.running.has(this.standby)) return
      this.leader = this.standby
      this.standby = null
      return
    }
    if (this.standby !== null && this.running.has(this.standby)) return
    const fit = [...this.running].filter((ordinal) => ordinal !== this.leader)
    this.standby = fit[prefers % Math.max(fit.length, 1)] ?? null
  }

  switchOver(from: number, to: number): void {
    if (this.leader !== from || this.standby !== to || !this.running.has(to)) return
    this.leader = to
    this.standby = null
  }

  stop(ordinal: number): void {
    this.running.delete(ordinal)
    if (this.leader === ordinal) this.leader = null
  }
}

class Agent {
  readonly #cluster: Cluster
  readonly #ordinal: number
  readonly #drain: Drain
  #view: PostgresqlView | null = null
  #ledAtMs: number | null = null

  constructor(cluster: Cluster, ordinal: number, kind: 'scaledDown' | 'temporary') {
    this.#cluster = cluster
    this.#ordinal = ordinal
    this.#drain = {
      cause: 'prestop',
      startedAtMs: cluster.nowMs,
      deadlineMs: Number.POSITIVE_INFINITY,
      verdict: { kind, reason: '' },
      removed: false,
      marked: false,
      endedAtMs: null,
      heardAtMs: null,
    }
  }

  /** What it knows from now on; it goes on with what it saw last until it looks again. */
  look(): void {
    const { leader, standby, running, nowMs } = this.#cluster
    const leads = leader === this.#ordinal
    if (leads) this.#ledAtMs = nowMs
    const fit = standby !== null && running.has(standby)
    this.#view = {
      answers: true,
      retired: false,
      ready: leader !== null,
      reason: '',
      clusterId: '7',
      leads,
      leader: leader === null ? null : `q-${leader}`,
      role: leads ? 'primary' : 'replica',
      members: [...running]
        .filter((ordinal) => ordinal !== this.#ordinal)
        .map((ordinal) => ({ name: `q-${ordinal}`, voter: true, heard: true })),
      state: 'running',
      loops: true,
      silentMs: 0,
      record: null,
      rosterAtMs: nowMs,
      synchronous: true,
      replication: null,
      candidates: fit ? [{ name: `q-${standby}`, lagBytes: 0 }] : [],
      ledAtMs: this.#ledAtMs,
      idleSlots: [],
    }
  }

  act(replicas: number, stopping: readonly number[]): void {
    if (this.#view === null || !this.#cluster.running.has(this.#ordinal)) return
    const member = { status: 'STOPPING', ready: false, role: 'replica', incarnation: 1 }
    const seen: Observation<PostgresqlView> = {
      ...observation({
        nowMs: this.#cluster.nowMs,
        self: { set: 'q', pod: `q-${this.#ordinal}`, ordinal: this.#ordinal },
        statefulSet: set({ replicas }, this.#cluster.nowMs),
        cluster: facts({
          members: Object.fromEntries(stopping.map((ordinal) => [`q-${ordinal}`, member])),
        }),
      }),
      engine: this.#view,
    }
    const step = plan.drain(seen, this.#drain, rules)
    if (step.kind === 'handOver') {
      this.#cluster.switchOver(this.#ordinal, Number(step.to?.slice(2)))
    }
    if (step.kind === 'ready') this.#cluster.stop(this.#ordinal)
  }
}

describe('servers that leave at once', () => {
  const scenario = fc
    .record({
      count: fc.integer({ min: 2, max: 6 }),
      left: fc.integer({ min: 1, max: 5 }),
      leader: fc.nat(5),
      standby: fc.nat(5),
      choices: fc.infiniteStream(fc.nat(1_000)),
    })
    .filter(({ count, left }) => left < count)

  it('leave a leader behind, in whatever order they come', () => {
    fc.assert(
      fc.property(scenario, ({ count, left, leader, standby, choices }) => {
        const first = leader % count
        const second = standby % count === first ? (first + 1) % count : standby % count
        const cluster = new Cluster(count, first, second)
        const leaving = Array.from({ length: count - left }, (_, i) => left + i)
        const agents = leaving.map((ordinal) => new Agent(cluster, ordinal, 'scaledDown'))
        const next = () => choices.next().value ?? 0
        let turns = 0
        while (leaving.some((ordinal) => cluster.running.has(ordinal)) && turns < TURNS_MAX) {
          turns += 1
          cluster.nowMs += next()
          const agent = agents[next() % agents.length]
          const what = next() % 3
          if (what === 0) cluster.settle(next())
          else if (what === 1) agent?.look()
          else agent?.act(left, next() % 2 === 0 ? leaving : [])
        }
        cluster.settle(0)
        expect([...cluster.running]).toEqual(Array.from({ length: left }, (_, i) => i))
        expect(cluster.leader).not.toBeNull()
      }),
      { numRuns: 2_000 },
    )
  })
})
