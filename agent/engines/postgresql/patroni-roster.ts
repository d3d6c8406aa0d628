import type { Coordination } from '../../coordination/coordination.ts'
import type { Candidate, PatroniRecord, Replication } from '../../core/cluster/postgresql-plan.ts'
import type { EngineMember } from '../../core/observation.ts'
import type { PatroniClient, PatroniMember } from './patroni-client.ts'

export interface RosterOptions {
  readonly coordination: Coordination
  readonly patroniPath: string
  readonly patroni: PatroniClient
  readonly everyMs: number
  readonly everyMsDown: number
  readonly nowMs: () => number
}

const LEADERS = ['leader', 'standby_leader']
const STANDBYS = ['sync_standby', 'quorum_standby']
const RUNS = ['streaming', 'running', 'in archive recovery']

/**
 * What Patroni knows of its cluster. It looks into the tree for each answer, which takes long while the tree is
 * away: so it is asked beside the loop, and what it last said stays, with its age.
 */
export class PatroniRoster {
  readonly #options: RosterOptions
  #isAsking = false
  /** How often it was changed. */
  #replications = 0
  #askedAtMs = Number.NEGATIVE_INFINITY
  atMs: number | null = null
  leader: string | null = null
  members: readonly EngineMember[] = []
  synchronous = false
  replication: Replication | 'other' | null = null
  candidates: readonly Candidate[] = []
  /** Null: the tree could not be read, or nobody wants to know. */
  record: PatroniRecord | null = null

  constructor(options: RosterOptions) {
    this.#options = options
  }

  /** Asks when it is time to. `wantsRecord`: what the tree says is needed, also without Patroni. */
  refresh(answers: boolean, wantsRecord: boolean): void {
    const { everyMs, everyMsDown, nowMs } = this.#options
    const due = nowMs() - this.#askedAtMs >= (answers ? everyMs : everyMsDown)
    if (due && !this.#isAsking) void this.#ask(answers, wantsRecord)
  }

  /** Something was changed: the next look does not wait. */
  forget(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY
  }

  /** The same of replication, of which a look that is under way may not know yet. */
  forgetReplication(): void {
    this.#replications += 1
    this.replication = null
    this.forget()
  }

  async #ask(answers: boolean, wantsRecord: boolean): Promise<void> {
    const askedAtMs = this.#options.nowMs()
    this.#isAsking = true
    this.#askedAtMs = askedAtMs
    try {
      this.record = wantsRecord ? await this.#readRecord() : null
      if (answers) await this.#askPatroni(askedAtMs)
    } catch {
      // Its age tells: `atMs` stays what it was.
    } finally {
      this.#isAsking = false
    }
  }

  async #readRecord(): Promise<PatroniRecord | null> {
    const { coordination, patroniPath } = this.#options
    try {
      const [initialize, leader, status] = await Promise.all([
        coordination.read(`${patroniPath}/initialize`),
        coordination.read(`${patroniPath}/leader`),
        coordination.read(`${patroniPath}/status`),
      ])
      return {
        systemId: textOf(initialize?.data),
        leader: textOf(leader?.data),
        hasLed: status !== null,
      }
    } catch {
      return null
    }
  }

  async #askPatroni(askedAtMs: number): Promise<void> {
    const { patroni } = this.#options
    const replications = this.#replications
    const [members, { synchronous, mode }] = await Promise.all([
      patroni.members(),
      patroni.replication(),
    ])
    const fit = synchronous
      ? await this.#answering(members.filter(({ role }) => STANDBYS.includes(role)))
      : members.filter(({ role, state, tags }) => {
          return role === 'replica' && RUNS.includes(state) && tags?.nofailover !== true
        })
    this.members = members.map(({ name, state }) => ({
      name,
      voter: true,
      heard: RUNS.includes(state),
    }))
    this.leader = members.find(({ role }) => LEADERS.includes(role))?.name ?? null
    this.synchronous = synchronous
    if (replications === this.#replications) this.replication = mode
    this.candidates = fit
      .map(({ name, lag }) => ({
        name,
        lagBytes: typeof lag === 'number' ? lag : Number.MAX_SAFE_INTEGER,
      }))
      .sort((left, right) => left.lagBytes - right.lagBytes)
    this.atMs = askedAtMs
  }

  /** The tree goes on naming a standby that has just died; its own Patroni does not. */
  async #answering(standbys: readonly PatroniMember[]): Promise<PatroniMember[]> {
    const { patroni } = this.#options
    const answers = await Promise.all(
      standbys.map((standby) => patroni.isStandby(standby).catch(() => false)),
    )
    return standbys.filter((_, i) => answers[i])
  }
}

function textOf(data: Uint8Array | undefined): string | null {
  return data === undefined ? null : Buffer.from(data).toString()
}
