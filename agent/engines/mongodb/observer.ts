import { lookup } from 'node:dns/promises'
import { type Document, ObjectId } from 'bson'
import type { MemberState, MongodbMember, MongodbView } from '../../core/cluster/mongodb-plan.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { servingIn } from './membership.ts'
import { isRefusal, LateError, type Mongod, refusals } from './mongod.ts'
import { OplogReach } from './oplog-reach.ts'
import { connectionString, type Places, splitPlace } from './places.ts'
import { missingUsers, type WantedUser } from './users.ts'

export interface ObserverOptions {
  readonly local: Mongod
  /** A server elsewhere, to be closed after use. */
  readonly at: (place: string) => Mongod
  readonly places: Places
  /** This pod, and where it is. */
  readonly pod: string
  readonly place: string
  readonly replicaSet: string
  readonly tls: boolean
  readonly users: readonly WantedUser[]
  readonly files: { readonly certificates: { readonly isRenewed: boolean } }
  /** The id of the set as the disk has it; '' before it was learnt. */
  readonly known: () => string
  /** The id of the set that runs was learnt from its configuration. */
  readonly learn: (clusterId: string) => void
  readonly nowMs: () => number
  readonly warn: (message: string) => void
}

const SILENT: MongodbView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'MongoDB does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  state: 'unknown',
  members: [],
  usersMissing: null,
  certificatesRenewed: false,
  resolves: true,
  silentMs: 0,
  voteless: false,
  stale: false,
  spent: false,
  aside: false,
}

const STALE = 'its state is recovering, and nobody’s oplog reaches back to where it is'

const STATES: Readonly<Record<string, MemberState>> = {
  PRIMARY: 'primary',
  SECONDARY: 'secondary',
  STARTUP: 'startup',
  STARTUP2: 'startup',
  RECOVERING: 'recovering',
  ROLLBACK: 'rollback',
  ARBITER: 'arbiter',
  REMOVED: 'removed',
  DOWN: 'unreachable',
}

/** What a member's own server says of it, as far as it says anything. */
export class Observer {
  readonly #options: ObserverOptions
  #silentSinceMs: number | null = null
  #last: MongodbView = SILENT
  #voters = 0
  #usersMissing: readonly string[] | null = null
  readonly #notBeforeMs = new Map<string, number>()
  readonly #reach: OplogReach

  constructor(options: ObserverOptions) {
    this.#options = options
    this.#reach = new OplogReach(options)
  }

  async observe(): Promise<MongodbView> {
    const { local, nowMs } = this.#options
    try {
      await local.plain({ ping: 1 })
      this.#silentSinceMs = null
      this.#last = { ...(await this.#ask()), answers: true }
    } catch (error) {
      const reason = messageOf(error)
      const refused = isAnswered(error)
      // Only a server that leaves a connection, or a ping, without any answer is known to hang: one that closes it,
      // or is not trusted for its certificate, may serve others well.
      const hangs = error instanceof LateError
      this.#silentSinceMs = hangs ? (this.#silentSinceMs ?? nowMs()) : null
      const silentMs = this.#silentSinceMs === null ? 0 : nowMs() - this.#silentSinceMs
      const gone = {
        ...this.#last,
        answers: refused,
        ready: false,
        leads: false,
        retired: false,
        stale: false,
      }
      this.#last = { ...gone, reason, silentMs, resolves: refused || (await this.#resolves()) }
    }
    return this.#last
  }

  /** A duty that fails is not shown as due for a while: others have their turn. */
  async attempt(
    duty: 'users' | 'certificates' | 'resync',
    perform: () => Promise<void>,
  ): Promise<void> {
    this.#notBeforeMs.set(duty, this.#options.nowMs() + limits.mongodbDutyRetryMs)
    await perform()
    this.#notBeforeMs.delete(duty)
  }

  #isDue(duty: string): boolean {
    return this.#options.nowMs() >= (this.#notBeforeMs.get(duty) ?? 0)
  }

  async #resolves(): Promise<boolean> {
    try {
      await lookup(splitPlace(this.#options.place).host)
      return true
    } catch {
      // Not yet, or not just now: it is asked again at the next look.
      return false
    }
  }

  async #ask(): Promise<MongodbView> {
    const { local, replicaSet } = this.#options
    const hello = await local.plain({ hello: 1 })
    const { setName } = hello
    if (setName === undefined) return await this.#outside()
    if (setName !== replicaSet) {
      return { ...SILENT, reason: `runs the replica set ${setName}, not ${replicaSet}` }
    }
    try {
      const { config } = await local.asAgent({ replSetGetConfig: 1 })
      const status = await local.asAgent({ replSetGetStatus: 1 })
      return await this.#inside(hello, config, status)
    } catch (error) {
      if (!isAnswered(error)) throw error
      return await this.#withoutUser(hello, error)
    }
  }

  /** A server without a configuration that lists it says the same of itself whether it ever had one or not. */
  async #outside(): Promise<MongodbView> {
    const { local, known } = this.#options
    try {
      await local.asAllowed({ replSetGetStatus: 1 })
      return { ...SILENT, reason: 'its configuration is about to change' }
    } catch (error) {
      if (isRefusal(error, refusals.notYetInitialized)) {
        const role = 'uninitiated'
        return { ...SILENT, role, state: role, clusterId: '', reason: 'in no replica set yet' }
      }
      if (!isRefusal(error, refusals.invalidSetConfig)) throw error
      const reason = 'the replica set removed this member'
      return {
        ...SILENT,
        retired: true,
        role: 'removed',
        state: 'removed',
        clusterId: known(),
        reason,
      }
    }
  }

  async #inside(hello: Document, config: Document, status: Document): Promise<MongodbView> {
    const { learn, places, replicaSet, tls, files } = this.#options
    const clusterId = idOf(config)
    learn(clusterId)
    const own = rowOf(status, (row) => row['self'] === true)
    const state = stateOf(own)
    const leads = hello['isWritablePrimary'] === true
    const ready = leads || hello['secondary'] === true
    const hosts: readonly Document[] = config['members'] ?? []
    this.#count(hosts)
    const stale = await this.#isStale(state, hello, status)
    return {
      ...SILENT,
      ready,
      reason: ready ? '' : stale ? STALE : told(state, own ?? status),
      stale: stale && this.#isDue('resync'),
      clusterId,
      leads,
      leader: this.#leaderOf(hello),
      role: state,
      state,
      generation: Number(status['term'] ?? 0),
      members: hosts.map((host) => this.#memberOf(host, status)),
      usersMissing: leads ? await this.#missing() : null,
      certificatesRenewed: files.certificates.isRenewed && this.#isDue('certificates'),
      connection: connectionString(
        hosts.map(({ host }) => String(host)).filter((host) => places.podAt(host) !== host),
        replicaSet,
        tls,
      ),
    }
  }

  async #isStale(state: MemberState, { primary }: Document, status: Document): Promise<boolean> {
    const at = rowOf(status, (row) => row['self'] === true)?.['optimeDate']
    return await this.#reach.isStale({
      recovers: state === 'recovering',
      lastMs: at instanceof Date ? at.getTime() : null,
      primary: typeof primary === 'string' ? primary : null,
      // Nobody else is copied from.
      sources: servingIn(status),
    })
  }

  /** Null while it is not to be asked: what was missing could not be made. */
  async #missing(): Promise<readonly string[] | null> {
    const { local, users } = this.#options
    if (!this.#isDue('users')) return null
    // Users that were there are not asked for again.
    if (this.#usersMissing?.length !== 0) this.#usersMissing = await missingUsers(local, users)
    return this.#usersMissing
  }

  /** Two are no majority when one of them is gone: allowed, and told when it comes to that. */
  #count(hosts: readonly Document[]): void {
    const voters = hosts.filter(({ votes }) => (votes ?? 1) > 0).length
    if (voters === 2 && this.#voters !== 2) {
      this.#options.warn('two members vote: without either of them there is no primary')
    }
    this.#voters = voters
  }

  /**
   * The agent's user is not there: on a primary it is yet to be made, on a member that has no data yet it has
   * not come; else somebody took it away. Clients are none the worse for that.
   */
  async #withoutUser(hello: Document, refusal: AgentError): Promise<MongodbView> {
    const { known, places } = this.#options
    const leads = hello['isWritablePrimary'] === true
    const serves = leads || hello['secondary'] === true
    const clusterId = known() || (serves ? '' : await this.#idAt(hello['primary']))
    const state = leads ? 'primary' : hello['secondary'] === true ? 'secondary' : 'startup'
    const listed: readonly string[] = [...(hello['hosts'] ?? []), ...(hello['passives'] ?? [])]
    return {
      ...SILENT,
      ready: serves && clusterId !== '',
      reason: serves ? `the agent’s user may not look: ${refusal.message}` : told(state, hello),
      clusterId,
      leads,
      leader: this.#leaderOf(hello),
      role: state,
      state,
      members: listed.map((host) => ({
        name: places.podAt(host),
        voter: true,
        heard: false,
        electable: false,
        hidden: false,
        state: 'unknown',
        lagMs: null,
      })),
    }
  }

  /** Of the set that is about to send its data, as its primary has it; '' while that cannot be told. */
  async #idAt(primary: unknown): Promise<string> {
    if (typeof primary !== 'string') return ''
    const mongod = this.#options.at(primary)
    try {
      const { config } = await mongod.asAgent({ replSetGetConfig: 1 })
      const clusterId = idOf(config)
      this.#options.learn(clusterId)
      return clusterId
    } catch {
      // It is asked again at the next look; the reason is of no use to anybody meanwhile.
      return ''
    } finally {
      mongod.close()
    }
  }

  #leaderOf(hello: Document): string | null {
    const { primary } = hello
    return typeof primary === 'string' ? this.#options.places.podAt(primary) : null
  }

  #memberOf(host: Document, status: Document): MongodbMember {
    const place = String(host['host'])
    const row = rowOf(status, (candidate) => candidate['name'] === place)
    const primary = rowOf(status, ({ stateStr }) => stateStr === 'PRIMARY')
    return {
      name: this.#options.places.podAt(place),
      voter: (host['votes'] ?? 1) > 0,
      electable: (host['priority'] ?? 1) > 0 && host['arbiterOnly'] !== true,
      hidden: host['hidden'] === true,
      heard: row?.['health'] === 1,
      state: stateOf(row),
      lagMs: lagOf(row, primary),
    }
  }
}

/** The server answers, and refuses; or the agent has no password to ask it with. */
function isAnswered(error: unknown): error is AgentError {
  return error instanceof AgentError && error.code !== 'ENGINE_UNREACHABLE'
}

function idOf(config: Document | undefined): string {
  const id: unknown = config?.['settings']?.replicaSetId
  return id instanceof ObjectId ? id.toHexString() : ''
}

function rowOf(status: Document, matches: (row: Document) => boolean): Document | undefined {
  const rows: readonly Document[] = status['members'] ?? []
  return rows.find(matches)
}

function stateOf(row: Document | undefined): MemberState {
  return STATES[String(row?.['stateStr'] ?? '')] ?? 'unknown'
}

function lagOf(row: Document | undefined, primary: Document | undefined): number | null {
  const [behind, ahead] = [row?.['optimeDate'], primary?.['optimeDate']]
  if (!(behind instanceof Date) || !(ahead instanceof Date)) return null
  return Math.max(0, ahead.getTime() - behind.getTime())
}

function told(state: MemberState, row: Document): string {
  const message = row['infoMessage'] ?? row['lastHeartbeatMessage'] ?? ''
  return message === '' ? `its state is ${state}` : `its state is ${state}: ${message}`
}
