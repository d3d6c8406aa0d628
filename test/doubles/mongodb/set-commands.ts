import { setTimeout as pause } from 'node:timers/promises'
import { type Document, EJSON, Long, ObjectId } from 'bson'
import type { ReplicaMember } from './replica-member.ts'
import type { HostConfig, SetConfig, SetStore } from './set-store.ts'

/** A refusal with the code and the name of MongoDB's error_codes.yml. */
export class Refusal extends Error {
  readonly code: number
  readonly codeName: string

  constructor(code: number, codeName: string, message: string) {
    super(message)
    this.code = code
    this.codeName = codeName
  }
}

const VOTERS_MAX = 7

/** The commands that make and change a replica set. */
export class SetCommands {
  readonly #member: ReplicaMember
  readonly #store: SetStore
  readonly #set: string
  readonly #isSelf: (host: string) => boolean
  /** Of this process, and how often what `hello` says has changed since it began. */
  readonly #processId = new ObjectId()
  #changes = 0
  #said = ''

  constructor(
    member: ReplicaMember,
    store: SetStore,
    set: string,
    isSelf: (host: string) => boolean,
  ) {
    this.#member = member
    this.#store = store
    this.#set = set
    this.#isSelf = isSelf
  }

  initiate(given: Document): Document {
    if (this.#store.config !== null) {
      throw new Refusal(23, 'AlreadyInitialized', 'already initialized')
    }
    if (given['_id'] !== this.#set) throw incompatible('the name of the set is another')
    const config = { ...completed(given), version: 1, term: 0 }
    const problem = flaw(config)
    if (problem !== null) throw new Refusal(93, 'InvalidReplicaSetConfig', problem)
    const own = config.members.find(({ host }) => this.#isSelf(host))
    if (own === undefined) {
      throw new Refusal(
        93,
        'InvalidReplicaSetConfig',
        'No host described in the config is this node',
      )
    }
    const settings = { ...config.settings, replicaSetId: new ObjectId() }
    this.#member.install({ ...config, settings }, own.host)
    return { ok: 1 }
  }

  async reconfigure({ replSetReconfig: given, force, maxTimeMS }: Document): Promise<Document> {
    if (force === true) throw new Refusal(72, 'InvalidOptions', 'the double forces nothing')
    this.#mustLead()
    const deadlineMs = performance.now() + (maxTimeMS ?? 30_000)
    while (!this.#isCommitted()) {
      if (performance.now() > deadlineMs) {
        throw new Refusal(
          308,
          'CurrentConfigNotCommittedYet',
          'the current config has not committed',
        )
      }
      await pause(10)
      this.#mustLead()
    }
    const { config: before } = this.#store
    if (before === null) throw notYet()
    const config = { ...completed(given), term: this.#store.term, settings: before.settings }
    const problem = flaw(config) ?? this.#flawBeside(before, config)
    if (problem !== null) throw incompatible(problem)
    this.#member.install(config, this.#store.me)
    return { ok: 1 }
  }

  getConfig(commitmentStatus: unknown): Document {
    const { config } = this.#store
    if (config === null) throw notYet()
    const { term, ...rest } = config
    const members = rest.members.map((member) => ({ ...member, arbiterOnly: false, hidden: false }))
    if (commitmentStatus !== true) return { ok: 1, config: { ...rest, term, members } }
    this.#mustLead()
    return { ok: 1, config: { ...rest, term, members }, commitmentStatus: this.#isCommitted() }
  }

  getStatus(): Document {
    const { config, me, term } = this.#store
    if (config === null) throw notYet()
    const member = this.#member
    if (member.role === 'removed') {
      const told = 'Our replica set config is invalid or we are not a member of it'
      throw new Refusal(93, 'InvalidReplicaSetConfig', told)
    }
    const rows = config.members.map(({ _id, host }) => {
      const self = host === me
      const heard = self || (member.role === 'primary' ? member.isHeard(host) : true)
      const role = self ? member.role : host === member.primary ? 'primary' : member.roleOf(host)
      const stateStr = heard ? (STATES[role] ?? 'UNKNOWN') : '(not reachable/healthy)'
      const optimeMs = self ? member.optimeMs : member.optimeOf(host) || member.optimeMs
      const row = {
        _id,
        name: host,
        health: heard ? 1 : 0,
        stateStr,
        optimeDate: new Date(optimeMs),
      }
      return self ? { ...row, self: true } : row
    })
    return { ok: 1, set: config._id, term, members: rows }
  }

  async stepDown({
    replSetStepDown,
    secondaryCatchUpPeriodSecs,
    force,
  }: Document): Promise<Document> {
    this.#mustLead()
    const waitMs = 1_000 * (secondaryCatchUpPeriodSecs ?? 10)
    const deadlineMs = performance.now() + waitMs
    // No more writes, so that there is something to catch up with.
    this.#member.steppingDown = true
    try {
      while (this.#member.caughtUp().length === 0 && force !== true) {
        if (performance.now() > deadlineMs) {
          throw new Refusal(262, 'ExceededTimeLimit', 'No electable secondaries caught up')
        }
        await pause(10)
        this.#mustLead()
      }
      this.#member.stepDown(replSetStepDown)
      return { ok: 1 }
    } finally {
      this.#member.steppingDown = false
    }
  }

  /** By it a client tells what is news: a mongod says it with `hello` and when it is not the one to ask. */
  topologyVersion(): { readonly processId: ObjectId; readonly counter: Long } {
    const said = EJSON.stringify(this.hello())
    if (said !== this.#said) this.#changes += 1
    this.#said = said
    return { processId: this.#processId, counter: Long.fromNumber(this.#changes) }
  }

  /** Resolves when there is news for who knows that much, when the time is over, or when nobody waits. */
  async news(
    { topologyVersion: known, maxAwaitTimeMS }: Document,
    isAwaited: () => boolean,
  ): Promise<void> {
    const deadlineMs = performance.now() + maxAwaitTimeMS
    while (isAwaited() && performance.now() < deadlineMs) {
      const { processId, counter } = this.topologyVersion()
      if (!processId.equals(known.processId) || counter.notEquals(known.counter)) return
      await pause(10)
    }
  }

  hello(): Document {
    const { config, me } = this.#store
    const { role, primary } = this.#member
    if (config === null || role === 'removed') {
      const info = 'Does not have a valid replica set config'
      return {
        isWritablePrimary: false,
        ismaster: false,
        secondary: false,
        isreplicaset: true,
        info,
      }
    }
    const leads = role === 'primary' && !this.#member.steppingDown
    const electable = config.members.filter(({ priority }) => priority > 0)
    const passives = config.members.filter(({ priority }) => priority === 0)
    return {
      setName: config._id,
      setVersion: config.version,
      isWritablePrimary: leads,
      ismaster: leads,
      secondary: role === 'secondary',
      hosts: electable.map(({ host }) => host),
      ...(passives.length === 0 ? {} : { passives: passives.map(({ host }) => host) }),
      ...(primary === null ? {} : { primary }),
      me,
      ...(leads ? { electionId: electionId(this.#store.term) } : {}),
    }
  }

  #isCommitted(): boolean {
    return this.#member.isConfigCommitted && this.#member.committed >= this.#termBegin()
  }

  /** The first entry of the primary's own term: until it has committed no configuration may change. */
  #termBegin(): number {
    const { log, term } = this.#store
    return log.findIndex((entry) => entry.term === term) + 1
  }

  #mustLead(): void {
    if (this.#member.role === 'primary') return
    throw new Refusal(10_107, 'NotWritablePrimary', 'not primary')
  }

  #flawBeside(before: SetConfig, config: SetConfig): string | null {
    if (config._id !== before._id) return 'the name of the set is another'
    if (config.version <= before.version) return `version ${config.version} is not a newer one`
    const voters = ({ members }: SetConfig) => members.filter(isVoter).map(({ _id }) => _id)
    const [old, fresh] = [voters(before), voters(config)]
    const added = fresh.filter((id) => !old.includes(id)).length
    const removed = old.filter((id) => !fresh.includes(id)).length
    if (added + removed > 1) return `${added} voters added and ${removed} removed in one step`
    const own = config.members.find(({ host }) => host === this.#store.me)
    return own === undefined || own.priority === 0 ? 'the primary must stay electable' : null
  }
}

const STATES: Readonly<Record<string, string>> = {
  startup: 'STARTUP2',
  recovering: 'RECOVERING',
  secondary: 'SECONDARY',
  primary: 'PRIMARY',
  removed: 'REMOVED',
}

function completed(given: Document): SetConfig {
  const hosts: readonly Document[] = given['members'] ?? []
  const members = hosts.map(
    ({ _id, host, votes, priority, ...others }): HostConfig => ({
      ...others,
      _id,
      host,
      votes: votes ?? 1,
      priority: priority ?? 1,
    }),
  )
  return { ...given, _id: given['_id'], version: given['version'], term: 0, members, settings: {} }
}

function flaw({ members }: SetConfig): string | null {
  const voters = members.filter(isVoter).length
  if (voters < 1 || voters > VOTERS_MAX) return `${voters} voting members`
  if (members.some(({ votes, priority }) => votes === 0 && priority > 0)) {
    return 'priority must be 0 when non-voting'
  }
  const distinct = (values: readonly unknown[]) => new Set(values).size === members.length
  const unique =
    distinct(members.map(({ _id }) => _id)) && distinct(members.map(({ host }) => host))
  return unique ? null : 'two members with one _id or host'
}

function isVoter({ votes }: HostConfig): boolean {
  return votes > 0
}

function electionId(term: number): ObjectId {
  return new ObjectId(`7fffffff${term.toString(16).padStart(16, '0')}`)
}

function incompatible(message: string): Refusal {
  return new Refusal(103, 'NewReplicaSetConfigurationIncompatible', message)
}

function notYet(): Refusal {
  return new Refusal(94, 'NotYetInitialized', 'no replset config has been received')
}
