import { type Document, EJSON } from 'bson'
import { Peers, type Role } from './peers.ts'
import {
  configAt,
  type HostConfig,
  isNewer,
  type OplogEntry,
  type SetConfig,
  type SetStore,
} from './set-store.ts'
import type { LinkTls } from './wire.ts'

export interface MemberOptions {
  readonly store: SetStore
  /** What members of one set share; another's messages count for nothing. */
  readonly key: string
  readonly tls: LinkTls
  readonly heartbeatMs: number
  readonly electionMs: number
  /** So long a member that was empty takes to copy the data. */
  readonly initialSyncMs: number
  /** By so much of `electionMs` members differ in their patience. */
  readonly electionSpread: number
}

const BATCH = 200

/**
 * Elections and replication of the double, by the rules that clients of a replica set can tell: terms, one
 * vote a term, only members with a vote and all data of a majority are elected, a write is acknowledged when
 * a majority of voters has it. Unlike MongoDB's, the primary sends; nobody pulls.
 */
export class ReplicaMember {
  readonly #options: MemberOptions
  readonly #store: SetStore
  readonly #peers: Peers
  #timer: NodeJS.Timeout | null = null
  #electing = false
  #heardAtMs = performance.now()
  #syncedAtMs = 0
  #patience = 1
  #leads = false
  #lostAt: string | null = null
  /** What comes next for it is in the oplog of nobody who leads. */
  #stale = false
  primary: string | null = null
  committed = 0
  frozenUntilMs = 0
  /** An oplog has so many entries at the most, but for the copy of who is empty. */
  oplogMax = Infinity
  /** It waits for another to catch up, and takes no writes meanwhile. */
  steppingDown = false

  constructor(options: MemberOptions) {
    this.#options = options
    this.#store = options.store
    this.#peers = new Peers(options)
  }

  start(): void {
    this.#hear()
    this.#timer = setInterval(() => this.#tick(), this.#options.heartbeatMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#peers.close()
  }

  /** Neither sends to others nor takes anything from them. */
  set isolated(isolated: boolean) {
    this.#peers.isolated = isolated
  }

  get role(): Role {
    const { config } = this.#store
    if (config === null) return 'uninitiated'
    if (this.own === undefined) return 'removed'
    if (this.#copies || performance.now() < this.#syncedAtMs) return 'startup'
    if (this.#stale) return 'recovering'
    return this.#leads ? 'primary' : 'secondary'
  }

  /** An initial sync is not done. */
  get #copies(): boolean {
    return this.#store.log.length < this.#store.syncUntil
  }

  /** The index of the first entry that its oplog has. */
  get #oplogBegin(): number {
    return Math.max(0, this.#store.log.length - this.oplogMax)
  }

  /** When the first operation was that its oplog has. */
  get earliestMs(): number {
    return this.#store.log[this.#oplogBegin]?.atMs ?? 0
  }

  /** Does not find itself in the configuration that it has now, as when its name does not resolve. */
  lose(): void {
    this.#lostAt = configAt(this.#store.config)
    this.#follow(null)
  }

  get own(): HostConfig | undefined {
    if (configAt(this.#store.config) === this.#lostAt) return undefined
    return this.#store.config?.members.find(({ host }) => host === this.#store.me)
  }

  /** No configuration commits meanwhile. */
  commitsNothing = false

  get isConfigCommitted(): boolean {
    if (this.commitsNothing) return false
    const at = configAt(this.#store.config)
    return this.#hasMajority((host) => this.#peers.of(host).configAt === at)
  }

  /** A configuration that this member makes by itself, as the first, or as primary. */
  install(config: SetConfig, me: string): void {
    this.#store.config = config
    this.#store.me = me
    this.#store.save()
  }

  /** The index that has to be committed. */
  write(op: OplogEntry['op']): number {
    this.#store.append([{ term: this.#store.term, atMs: Date.now(), op }])
    this.#count()
    for (const { host } of this.others()) void this.#append(host)
    return this.#store.log.length
  }

  stepDown(seconds: number): void {
    this.frozenUntilMs = performance.now() + 1_000 * seconds
    this.#follow(null)
    const next = this.caughtUp()[0]
    if (next !== undefined) void this.#peers.ask(next, { doubleStepUp: 1 })
  }

  /** Electable members that have everything. */
  caughtUp(): string[] {
    const { log } = this.#store
    return this.others()
      .filter(({ priority, host }) => priority > 0 && this.isHeard(host))
      .map(({ host }) => host)
      .filter(
        (host) => this.#peers.of(host).matched === log.length && this.roleOf(host) === 'secondary',
      )
  }

  others(): readonly HostConfig[] {
    const { config, me } = this.#store
    return config?.members.filter(({ host }) => host !== me) ?? []
  }

  isHeard(host: string): boolean {
    return performance.now() - this.#peers.of(host).heardAtMs < 2 * this.#options.electionMs
  }

  roleOf(host: string): Role {
    return this.#peers.of(host).role
  }

  optimeOf(host: string): number {
    return this.#peers.of(host).optimeMs
  }

  get optimeMs(): number {
    return this.#store.log.at(-1)?.atMs ?? 0
  }

  #stepUp(): void {
    if (!this.#electing && this.role === 'secondary') void this.#campaign(false)
  }

  /** A message of another member; null: it is not for this one. */
  take(message: Document): Document | null {
    if (this.#peers.isolated || message['key'] !== this.#options.key) return null
    if (message['doubleAppend'] !== undefined) return this.#onAppend(message)
    if (message['doubleVote'] !== undefined) return this.#onVote(message)
    if (message['doubleStepUp'] !== undefined) this.#stepUp()
    return { ok: 1 }
  }

  #tick(): void {
    const now = performance.now()
    if (this.#leads) {
      const alive = this.#hasMajority((host) => this.isHeard(host))
      if (!alive) this.#follow(null)
      else for (const { host } of this.others()) void this.#append(host)
      return
    }
    const silent = now - this.#heardAtMs > this.#options.electionMs * this.#patience
    if (silent) this.primary = null
    const { own } = this
    if (own === undefined || this.role !== 'secondary') return
    const alone = this.others().length === 0
    if (!(silent || alone) || this.#electing) return
    const able = own.votes > 0 && own.priority > 0 && now >= this.frozenUntilMs
    if (able) void this.#campaign(true)
    else void this.#inquire()
  }

  /** Whoever cannot be elected asks the same way, for a configuration that may not list it any more. */
  async #inquire(): Promise<void> {
    this.#electing = true
    await this.#collect(this.#store.term + 1, true)
    this.#hear()
    this.#electing = false
  }

  async #campaign(dry: boolean): Promise<void> {
    this.#electing = true
    const store = this.#store
    // A dry run first: a member that was cut off must not raise terms.
    if (!dry || (await this.#collect(store.term + 1, true))) {
      store.term += 1
      store.votedFor = store.me
      store.save()
      const { term } = store
      if ((await this.#collect(term, false)) && store.term === term) this.#lead()
    }
    this.#hear()
    this.#electing = false
  }

  /** Whoever is not heard from now on is waited for, by each member for a while of its own. */
  #hear(): void {
    this.#heardAtMs = performance.now()
    this.#patience = 1 + this.#options.electionSpread * Math.random()
  }

  async #collect(term: number, dry: boolean): Promise<boolean> {
    const { log, config, me } = this.#store
    const last = { index: log.length, term: log.at(-1)?.term ?? 0 }
    const message = { doubleVote: 1, term, dry, from: me, last, config: EJSON.stringify(config) }
    const voters = this.others().filter(({ votes }) => votes > 0)
    const granted = new Set<string>()
    await Promise.all(
      voters.map(async ({ host }) => {
        const reply = await this.#peers.ask(host, message)
        if (reply?.['granted'] === true) granted.add(host)
        if (typeof reply?.['config'] === 'string') this.#adopt(EJSON.parse(reply['config']))
      }),
    )
    return this.own !== undefined && this.#hasMajority((host) => granted.has(host))
  }

  #lead(): void {
    const { config, term } = this.#store
    if (config === null) return
    this.#leads = true
    this.primary = this.#store.me
    this.#peers.clear()
    for (const { host } of this.others()) this.#peers.of(host).heardAtMs = performance.now()
    this.install({ ...config, term }, this.#store.me)
    this.write({ kind: 'noop' })
  }

  #follow(primary: string | null): void {
    this.#leads = false
    this.primary = primary
    this.#hear()
  }

  async #append(host: string): Promise<void> {
    const { log, term, config, me } = this.#store
    if (this.#peers.isBusy(host)) return
    const peer = this.#peers.of(host)
    const begin = Math.min(peer.next, log.length)
    const reply = await this.#peers.ask(host, {
      doubleAppend: 1,
      from: me,
      to: host,
      term,
      config: EJSON.stringify(config),
      oplogBegin: this.#oplogBegin,
      begin,
      beginTerm: log[begin - 1]?.term ?? 0,
      entries: log.slice(begin, begin + BATCH).map((entry) => EJSON.stringify(entry)),
      committed: this.committed,
      optimeMs: this.optimeMs,
    })
    if (reply === null || !this.#leads || this.#store.term !== term) return
    if (reply['term'] > term) {
      this.#store.term = reply['term']
      this.#store.save()
      this.#follow(null)
      return
    }
    peer.heardAtMs = performance.now()
    peer.configAt = reply['configAt']
    peer.role = reply['role']
    peer.optimeMs = reply['optimeMs']
    if (peer.role === 'recovering') return
    peer.next = reply['matched'] >= 0 ? reply['matched'] : Math.max(0, begin - BATCH)
    if (reply['matched'] >= 0) peer.matched = reply['matched']
    this.#count()
    if (peer.next < log.length) void this.#append(host)
  }

  /** How far a majority of voters is, in the term of this primary (Raft, section 5.4.2). Who copies has nothing yet. */
  #count(): void {
    const { log, term } = this.#store
    const reached = (host: string) =>
      this.roleOf(host) === 'startup' ? 0 : this.#peers.of(host).matched
    for (let index = log.length; index > this.committed; index -= 1) {
      const has = this.#hasMajority((host) => reached(host) >= index)
      if (has && log[index - 1]?.term === term) this.committed = index
    }
  }

  #onAppend(message: Document): Document {
    const store = this.#store
    const answer = (matched: number) => ({
      ok: 1,
      term: store.term,
      matched,
      configAt: configAt(store.config),
      role: this.role,
      optimeMs: this.optimeMs,
    })
    if (message['term'] < store.term) return answer(-1)
    if (message['term'] > store.term) Object.assign(store, { term: message['term'], votedFor: '' })
    if (store.config === null) {
      this.#syncedAtMs = performance.now() + this.#options.initialSyncMs
      store.syncUntil = message['committed']
    }
    store.me = message['to']
    this.#adopt(EJSON.parse(message['config']))
    store.save()
    this.#follow(message['from'])
    this.#peers.of(message['from']).optimeMs = message['optimeMs']
    const { begin, beginTerm, oplogBegin } = message
    this.#stale = !this.#copies && store.log.length < oplogBegin
    if (this.#stale) return answer(-1)
    if (store.log.length < begin || (store.log[begin - 1]?.term ?? 0) !== beginTerm)
      return answer(-1)
    const entries = message['entries'].map((text: string): OplogEntry => EJSON.parse(text))
    const known = entries.findIndex(
      (entry: OplogEntry, i: number) => store.log[begin + i]?.term !== entry.term,
    )
    if (known >= 0) {
      if (store.log.length > begin + known) store.truncate(begin + known)
      store.append(entries.slice(known))
    }
    const matched = begin + entries.length
    this.committed = Math.max(this.committed, Math.min(message['committed'], matched))
    return answer(matched)
  }

  #onVote({ term, dry, from, last, config }: Document): Document {
    const store = this.#store
    const theirs: SetConfig = EJSON.parse(config)
    if (isNewer(store.config, theirs)) {
      return { ok: 1, granted: false, config: EJSON.stringify(store.config) }
    }
    // Whoever copies has a vote as others have, and nothing to compare.
    const copied = this.role === 'startup' ? [] : store.log
    const own = { index: copied.length, term: copied.at(-1)?.term ?? 0 }
    const behind = last.term < own.term || (last.term === own.term && last.index < own.index)
    const led = this.#leads || performance.now() - this.#heardAtMs < this.#options.electionMs
    const stepping = this.primary === null && !this.#leads
    if (behind || term < store.term || (dry && led && !stepping)) return { ok: 1, granted: false }
    if (dry) return { ok: 1, granted: true }
    if (term > store.term) {
      Object.assign(store, { term, votedFor: '' })
      this.#follow(null)
    }
    const granted = store.votedFor === '' || store.votedFor === from
    if (granted) store.votedFor = from
    store.save()
    return { ok: 1, granted }
  }

  #adopt(config: SetConfig): void {
    if (!isNewer(config, this.#store.config)) return
    this.#store.config = config
    this.#store.save()
    if (this.own === undefined) this.#follow(null)
  }

  #hasMajority(has: (host: string) => boolean): boolean {
    const voters = this.#store.config?.members.filter(({ votes }) => votes > 0) ?? []
    const having = voters.filter(({ host }) => host === this.#store.me || has(host))
    return 2 * having.length > voters.length
  }
}
