import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import {
  type PostgresqlView,
  postgresqlPlan,
  type Replication,
} from '../../core/cluster/postgresql-plan.ts'
import type { DiskReport } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError, messageOf } from '../../errors.ts'
import type { RoleLabel } from '../../kubernetes/role-label.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine, EngineCall, Fence } from '../engine.ts'
import { DataVolume, type VolumeOptions } from './data-volume.ts'
import type { PatroniClient, PatroniStatus } from './patroni-client.ts'
import { PatroniRoster } from './patroni-roster.ts'
import type { PostgresqlSession, ServerLook } from './postgresql-session.ts'
import { podOfSlot, slotOf } from './replication-slots.ts'

export interface PostgresqlOptions extends VolumeOptions {
  readonly set: string
  readonly pod: string
  readonly patroni: PatroniClient
  readonly session: PostgresqlSession
  /** Null: pods are not labelled. */
  readonly label: RoleLabel | null
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  /** Between looks at the cluster, while Patroni answers and while it does not. */
  readonly everyMs: number
  readonly everyMsDown: number
  readonly standbyWaitMs: number
  /** A slot that was dropped and is back is left alone for so long. */
  readonly slotEveryMs: number
  /** Null: nobody tells Patroni how to replicate. */
  readonly replication: Replication | null
  readonly nowMs: () => number
}

const SILENT: PostgresqlView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'Patroni does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  members: [],
  state: 'unknown',
  loops: null,
  silentMs: 0,
  record: null,
  rosterAtMs: null,
  synchronous: false,
  replication: null,
  candidates: [],
  ledAtMs: null,
  idleSlots: [],
}

/** What both that know a server say of it now. */
interface Sight {
  readonly usable: boolean
  readonly is: PatroniStatus
  readonly server: ServerLook | null
  readonly trouble: string
}

/**
 * PostgreSQL under Patroni: the agent looks, gates starts, hands over before stops and clears away after
 * removals. Elections, copies and rewinds are Patroni's.
 */
export class PostgresqlEngine implements Engine<PostgresqlView> {
  readonly kind = 'postgresql'
  readonly policy: Policy<PostgresqlView>
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: PostgresqlOptions
  readonly #roster: PatroniRoster
  readonly #volume: DataVolume
  #last: PostgresqlView = SILENT
  #version = ''
  /** The newest answer of the Patroni that runs; null: there was none yet, and nobody knows how long it takes. */
  #heardAtMs: number | null = null
  /** When its role was last known; null: it has ended since. An agent that begins anew leaves the label for a while. */
  #roleAtMs: number | null
  /** When the slot of a pod was dropped: Patroni may go on making it for the time of member_slots_ttl. */
  readonly #droppedAtMs = new Map<string, number>()

  constructor(options: PostgresqlOptions) {
    this.#options = options
    this.policy = clusterPolicy(postgresqlPlan(options))
    this.clientPorts = options.clientPorts
    this.ports = options.ports
    this.#roleAtMs = options.nowMs()
    this.#roster = new PatroniRoster(options)
    this.#volume = new DataVolume(options)
  }

  discover(): DiskReport {
    return this.#volume.discover(this.#roster.record?.systemId ?? null)
  }

  /** Patroni compares the positions of those that run; in a tree that was lost nobody runs yet. */
  async position(): Promise<string | null> {
    return this.#volume.position()
  }

  async observe(asking = false): Promise<PostgresqlView> {
    const { nowMs } = this.#options
    if (asking) this.#forgetProcess()
    const [sight, loops] = await Promise.all([this.#look(), this.#loops()])
    this.#roster.refresh(sight !== null, sight === null || this.#volume.isBegun)
    if (sight !== null || loops !== null) this.#heardAtMs = nowMs()
    this.#last = sight === null ? this.#silent(loops) : this.#seen(sight, loops, nowMs())
    if (this.#last.ready) this.#volume.finish()
    this.#tellRole(this.#last)
    return this.#last
  }

  /** An answer that comes late is no change of role: Services would have no primary, though it is well. */
  #tellRole({ answers, role }: PostgresqlView): void {
    const { label, nowMs } = this.#options
    const atMs = nowMs()
    if (answers) this.#roleAtMs = atMs
    else if (this.#roleAtMs !== null && atMs - this.#roleAtMs < limits.postgresqlRoleMs) return
    label?.want(answers && (role === 'primary' || role === 'replica') ? role : null)
  }

  /** Another one is to start. */
  #forgetProcess(): void {
    this.#heardAtMs = null
    this.#roleAtMs = null
  }

  /**
   * Patroni says so when its loop stands still, and says nothing when all of it does: a primary whose Patroni is
   * gone goes on taking writes beside the next one. Never a matter of role, quorum or tree.
   */
  liveness({ loops, silentMs }: PostgresqlView): boolean {
    return loops !== false && silentMs < limits.postgresqlSilentMs
  }

  async version(): Promise<string> {
    return this.#version
  }

  /** Patroni needs no word: the line is the permit. */
  permitLine(mode: StartMode): string {
    this.#forgetProcess()
    this.#options.label?.want(null)
    return mode
  }

  async prepare(mode: StartMode): Promise<void> {
    if (mode === 'join') await this.#volume.prepare()
  }

  async drain(to: string | null): Promise<void> {
    const { patroni, pod } = this.#options
    await patroni.switchOver(pod, to)
  }

  /** What is left of a member that is gone: its key, should its session live on, and its slot here. */
  async leave(name: string, { fence }: EngineCall<PostgresqlView>): Promise<void> {
    const { coordination, patroniPath } = this.#options
    const path = `${patroniPath}/members/${name}`
    const key = await coordination.read(path)
    fence.check()
    if (key !== null) await coordination.delete(path, key.version)
    await this.#dropSlot(name)
    this.#roster.forget()
  }

  async perform(
    name: string,
    { pod }: Readonly<Record<string, string>>,
    { fence }: EngineCall<PostgresqlView>,
  ): Promise<void> {
    const { replication } = this.#options
    if (name === 'dropSlot' && pod !== undefined) await this.#dropSlot(pod)
    else if (name === 'setReplication' && replication !== null) {
      await this.#setReplication(replication, fence)
    } else throw new AgentError('ENGINE_REFUSED', `no duty ${name}`)
  }

  /** What it was before is forgotten: the next try, if there is one, waits for the next look. */
  async #setReplication(mode: Replication, fence: Fence): Promise<void> {
    fence.check()
    this.#roster.replication = null
    await this.#options.patroni.setReplication(mode)
    this.#roster.forgetReplication()
  }

  async #dropSlot(pod: string): Promise<void> {
    const { session, nowMs } = this.#options
    await session.dropSlot(slotOf(pod))
    this.#droppedAtMs.set(pod, nowMs())
  }

  async #look(): Promise<Sight | null> {
    const { patroni, session } = this.#options
    let trouble = ''
    const asked = session.look().catch((error: unknown) => {
      trouble = messageOf(error)
      return null
    })
    try {
      let answer = await patroni.status(this.#last.leads)
      const isPrimary = roleOf(answer.is) === 'primary'
      if (isPrimary !== this.#last.leads) answer = await patroni.status(isPrimary)
      const server = await asked
      return { ...answer, server, trouble }
    } catch {
      // Nobody answers for the server: what it says itself counts for nothing without Patroni.
      await asked
      return null
    }
  }

  async #loops(): Promise<boolean | null> {
    try {
      return await this.#options.patroni.loops()
    } catch {
      // Not known, which is alive for a while.
      return null
    }
  }

  #silent(loops: boolean | null): PostgresqlView {
    const { answers, ready, leads, reason } = SILENT
    const { record } = this.#roster
    const silentMs = this.#heardAtMs === null ? 0 : this.#options.nowMs() - this.#heardAtMs
    return { ...this.#last, answers, ready, leads, reason, loops, silentMs, record }
  }

  #seen(
    { usable, is, server, trouble }: Sight,
    loops: boolean | null,
    nowMs: number,
  ): PostgresqlView {
    const { set, pod, slotEveryMs } = this.#options
    const roster = this.#roster
    const role = roleOf(is)
    const leads = role === 'primary'
    if (is.server_version !== undefined) this.#version = versionOf(is.server_version)
    const reason = troubleOf(usable, is, server, trouble)
    const slots = (server?.idleSlots ?? []).flatMap((slot) => podOfSlot(slot, set) ?? [])
    const idleSlots = slots.filter((name) => {
      const droppedAtMs = this.#droppedAtMs.get(name) ?? Number.NEGATIVE_INFINITY
      const isDue = nowMs - droppedAtMs >= slotEveryMs
      return isDue && !roster.members.some((other) => other.name === name)
    })
    const left = idleSlots.map((name) => ({ name, voter: true, heard: false }))
    return {
      answers: true,
      retired: false,
      ready: reason === '',
      reason,
      clusterId: is.database_system_identifier ?? '',
      leads,
      leader: roster.leader,
      role,
      ...(is.timeline === undefined ? {} : { generation: is.timeline }),
      // This one is a member for as long as it runs: nothing of it can be taken away before.
      members: [...roster.members, ...left].filter(({ name }) => name !== pod),
      state: is.state,
      loops,
      silentMs: 0,
      record: roster.record,
      rosterAtMs: roster.atMs,
      synchronous: roster.synchronous,
      replication: roster.replication,
      candidates: roster.candidates,
      ledAtMs: leads ? nowMs : this.#last.ledAtMs,
      idleSlots,
    }
  }
}

/** `master` until Patroni 3, `primary` since 4. */
function roleOf({ role }: PatroniStatus): string {
  return role === 'master' ? 'primary' : role
}

/** '' when clients may use the server. */
function troubleOf(
  usable: boolean,
  is: PatroniStatus,
  server: ServerLook | null,
  trouble: string,
): string {
  const role = roleOf(is)
  if (is.state !== 'running') return `PostgreSQL: ${is.state}`
  if (server === null) return trouble
  if (!usable) return `Patroni: not usable as ${role}, it may lag or have lost its leadership`
  if (server.recovering === (role === 'primary')) {
    return `Patroni says ${role}, PostgreSQL says otherwise`
  }
  return ''
}

/** 150018 is 15.18, as of PostgreSQL 10. */
function versionOf(number: number): string {
  return `${Math.floor(number / 10_000)}.${number % 10_000}`
}
