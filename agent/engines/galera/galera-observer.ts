import { type GaleraState, type GaleraView, NON_PRIMARY } from '../../core/cluster/galera-plan.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { MariadbSession } from './mariadb-session.ts'

export interface ObserverOptions {
  readonly session: MariadbSession
  /** Clients are served also while another member copies from this one. */
  readonly donorServes: boolean
  readonly certificatesRenewed: () => boolean
  readonly nowMs: () => number
}

type Status = ReadonlyMap<string, string>

const SILENT: GaleraView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'MariaDB does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  members: [],
  state: 'unknown',
  nonPrimarySinceMs: null,
  rejects: false,
  certificatesRenewed: false,
  silentMs: 0,
}

/** wsrep_local_state, as the provider numbers it. */
const STATES: Readonly<Record<string, GaleraState>> = {
  '1': 'joining',
  '2': 'donor',
  '3': 'joined',
  '4': 'synced',
}

/** Refused for who asks, not for what is asked: ER_ACCESS_DENIED_ERROR. */
const ACCESS_DENIED = 1_045

/** What a server says of itself, also while it has no majority: SHOW is answered then, and SELECT is not. */
export class GaleraObserver {
  readonly #options: ObserverOptions
  #silentSinceMs: number | null = null
  #nonPrimarySinceMs: number | null = null

  constructor(options: ObserverOptions) {
    this.#options = options
  }

  /** Never rejects. */
  async observe(): Promise<GaleraView> {
    const { session, nowMs } = this.#options
    try {
      const status = pairs(await session.query("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'"))
      const rejecting = pairs(
        await session.query("SHOW GLOBAL VARIABLES LIKE 'wsrep\\_reject\\_queries'"),
      )
      const names = (await session.query('SHOW WSREP_MEMBERSHIP')).map(([, , name]) => name ?? '')
      this.#silentSinceMs = null
      return this.#seen(status, rejecting.get('wsrep_reject_queries') !== 'NONE', names)
    } catch (error) {
      this.#nonPrimarySinceMs = null
      if (error instanceof AgentError && error.code === 'ENGINE_REFUSED') {
        return this.#refused(error)
      }
      // A connection that is taken and not answered is a process that hangs; none at all is one that starts, or
      // is filled by a copy, for however long that takes.
      this.#silentSinceMs = session.isTaken ? (this.#silentSinceMs ?? nowMs()) : null
      const silentMs = this.#silentSinceMs === null ? 0 : nowMs() - this.#silentSinceMs
      return { ...SILENT, silentMs }
    }
  }

  /** It runs, and does not tell this agent how it fares. */
  #refused(error: AgentError): GaleraView {
    this.#silentSinceMs = null
    const whose = error.detail === ACCESS_DENIED ? 'the agent’s user is refused: ' : ''
    return { ...SILENT, answers: true, reason: `${whose}${messageOf(error)}` }
  }

  #seen(status: Status, rejects: boolean, names: readonly string[]): GaleraView {
    const { donorServes, certificatesRenewed, nowMs } = this.#options
    const primary = status.get('wsrep_cluster_status') === 'Primary'
    this.#nonPrimarySinceMs = primary ? null : (this.#nonPrimarySinceMs ?? nowMs())
    const state = STATES[status.get('wsrep_local_state') ?? ''] ?? 'unknown'
    const serves = state === 'synced' || (state === 'donor' && donorServes)
    const reason = troubleOf({ primary, serves, state, rejects, status })
    const uuid = status.get('wsrep_cluster_state_uuid') ?? ''
    const committed = Number(status.get('wsrep_last_committed') ?? '')
    const position = Math.max(0, committed - limits.galeraPositionSlack)
    return {
      ...SILENT,
      answers: true,
      ready: reason === '',
      reason,
      clusterId: /^[0-]*$/.test(uuid) ? '' : uuid,
      role: primary ? state : NON_PRIMARY,
      ...(primary && Number.isSafeInteger(committed) ? { position: String(position) } : {}),
      members: names.map((name) => ({ name, voter: true, heard: true })),
      state,
      nonPrimarySinceMs: this.#nonPrimarySinceMs,
      rejects,
      certificatesRenewed: certificatesRenewed(),
    }
  }
}

interface Fare {
  readonly primary: boolean
  readonly serves: boolean
  readonly state: GaleraState
  readonly rejects: boolean
  readonly status: Status
}

/** '' when clients may use the server. */
function troubleOf({ primary, serves, state, rejects, status }: Fare): string {
  if (!primary) return `it has no majority (${status.get('wsrep_cluster_status')})`
  if (status.get('wsrep_ready') !== 'ON')
    return `not ready: ${status.get('wsrep_local_state_comment')}`
  if (!serves) return `its state is ${state}`
  return rejects ? 'it refuses queries' : ''
}

function pairs(rows: readonly (readonly (string | null)[])[]): Status {
  return new Map(rows.map(([name, value]) => [name ?? '', value ?? '']))
}
