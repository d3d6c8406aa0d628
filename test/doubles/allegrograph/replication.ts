import { randomBytes } from 'node:crypto'
import type { ClusterMember, Commit, Instance, InstanceStore } from './instance-store.ts'

export interface ReplicationOptions {
  readonly user: string
  readonly password: string
  /** How long a copy of all data takes. */
  readonly growMs: number
  /** Between exchanges of what is new. */
  readonly exchangeMs: number
}

interface Place {
  readonly host: string
  readonly port: number
}

const PEER_ANSWERS_WITHIN_MS = 2_000

/** A request that is refused, with its HTTP status. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The instances of one server: created, grown to others, removed; every one takes writes and has them all in the end. */
export class Replication {
  readonly #store: InstanceStore
  readonly #options: ReplicationOptions
  readonly #instances = new Map<string, Instance>()
  readonly #creating = new Set<string>()
  #timer: NodeJS.Timeout | null = null
  #exchanging = false

  constructor(store: InstanceStore, options: ReplicationOptions) {
    this.#store = store
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.#exchange(), this.#options.exchangeMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** 404 without the repository, which every repository of the double is an instance of. */
  instance(repository: string): Instance {
    const known = this.#instances.get(repository) ?? this.#store.read(repository)
    if (known === null) throw new Refusal(404, `no repository ${repository}`)
    this.#instances.set(repository, known)
    return known
  }

  async create(repository: string, name: string, place: Place): Promise<void> {
    if (this.#creating.has(repository) || this.#store.read(repository) !== null) {
      throw new Refusal(409, `the repository ${repository} is there`)
    }
    this.#creating.add(repository)
    const cluster = randomBytes(8).toString('hex')
    const self = { name, ...place, linked: true }
    const made = { cluster, name, controlling: name, members: [self], removed: [], commits: [] }
    this.#save(repository, made)
    this.#creating.delete(repository)
  }

  /** Answers when the copy is an instance; it goes on when nobody waits for the answer any more. */
  async grow(
    repository: string,
    name: string,
    at: Place & { readonly repository: string },
  ): Promise<void> {
    const own = this.#controlled(repository)
    if (own.removed.includes(name))
      throw new Refusal(400, `${name} was removed and never joins again`)
    if (own.members.some((member) => member.name === name))
      throw new Refusal(409, `${name} is there`)
    const joining = own.members.find(({ linked }) => !linked)
    // AllegroGraph 6.4.3, bug25397: two that join at once are never linked. The double says so instead.
    if (joining !== undefined) throw new Refusal(500, `${joining.name} joins just now`)
    own.members.push({ name, host: at.host, port: at.port, linked: false })
    this.#save(repository, own)
    await new Promise((resolve) => setTimeout(resolve, this.#options.growMs))
    const members = own.members.map((member) =>
      member.name === name ? { ...member, linked: true } : member,
    )
    // Since 6.4.4 (rfe15786) a removal ends a growth on the way.
    if (!members.some((member) => member.name === name))
      throw new Refusal(400, `${name} was removed`)
    await this.#tell(at, at.repository, 'install', { ...own, name, members })
    own.members = own.members.map((member) =>
      member.name === name ? { ...member, linked: true } : member,
    )
    this.#save(repository, own)
    await this.#spread(repository, own)
  }

  async remove(repository: string, name: string): Promise<void> {
    const own = this.#controlled(repository)
    const gone = own.members.find((member) => member.name === name)
    if (gone === undefined) throw new Refusal(400, `there is no instance ${name}`)
    if (name === own.controlling)
      throw new Refusal(400, 'the controlling instance cannot be removed')
    own.members = own.members.filter((member) => member !== gone)
    own.removed = [...own.removed, name]
    this.#save(repository, own)
    await this.#spread(repository, own, [gone])
  }

  commit(repository: string, statement: string): void {
    const own = this.instance(repository)
    // 409: what the durability of a commit asks for cannot be had.
    if (!own.members.some(({ name }) => name === own.name))
      throw new Refusal(409, 'not in the cluster')
    const number = own.commits.filter(({ origin }) => origin === own.name).length
    own.commits.push({ origin: own.name, number, statement })
    this.#save(repository, own)
  }

  /** What instances say to each other; a real one has ports of its own for that. */
  async answerPeer(verb: string, repository: string, body: string): Promise<string> {
    if (verb === 'POST double/install') {
      this.#save(repository, JSON.parse(body) as Instance)
      return '{}'
    }
    const own = this.instance(repository)
    if (verb === 'POST double/members') {
      const told = JSON.parse(body) as Pick<Instance, 'cluster' | 'members' | 'removed'>
      if (told.cluster !== own.cluster) throw new Refusal(400, 'of another cluster')
      this.#save(repository, { ...own, members: told.members, removed: told.removed })
      return '{}'
    }
    if (verb !== 'POST double/commits') throw new Refusal(404, `no ${verb}`)
    const { cluster, commits } = JSON.parse(body) as Pick<Instance, 'cluster' | 'commits'>
    if (cluster !== own.cluster) throw new Refusal(400, 'of another cluster')
    this.#take(repository, own, commits)
    return JSON.stringify(own.commits)
  }

  #controlled(repository: string): Instance {
    const own = this.instance(repository)
    if (own.name === own.controlling) return own
    throw new Refusal(400, `${own.name} does not control its cluster`)
  }

  #save(repository: string, instance: Instance): void {
    this.#instances.set(repository, instance)
    this.#store.write(repository, instance)
  }

  #take(repository: string, own: Instance, commits: readonly Commit[]): void {
    const idOf = ({ origin, number }: Commit) => `${origin} ${number}`
    const known = new Set(own.commits.map(idOf))
    const fresh = commits.filter((commit) => !known.has(idOf(commit)))
    if (fresh.length === 0) return
    own.commits.push(...fresh)
    this.#save(repository, own)
  }

  /** Everybody who is linked learns who is in the cluster, and whoever was removed that it is not. */
  async #spread(repository: string, own: Instance, others: readonly ClusterMember[] = []) {
    const { cluster, members, removed } = own
    const places = [...members.filter(({ name, linked }) => linked && name !== own.name), ...others]
    await Promise.all(
      places.map((place) =>
        // One that is away learns it at the next exchange.
        this.#tell(place, repository, 'members', { cluster, members, removed }).catch(() => null),
      ),
    )
  }

  async #exchange(): Promise<void> {
    if (this.#exchanging) return
    this.#exchanging = true
    for (const [repository, own] of this.#instances) {
      if (!own.members.some(({ name }) => name === own.name)) continue
      const others = own.members.filter(({ name, linked }) => linked && name !== own.name)
      await Promise.all(
        others.map(async (other) => {
          const { cluster, commits } = own
          try {
            const answer = await this.#tell(other, repository, 'commits', { cluster, commits })
            this.#take(repository, own, JSON.parse(answer) as Commit[])
          } catch {
            // It is away, or of another cluster by now: its part is kept for it.
          }
        }),
      )
      if (own.name === own.controlling) await this.#spread(repository, own)
    }
    this.#exchanging = false
  }

  async #tell({ host, port }: Place, repository: string, verb: string, body: object) {
    const { user, password } = this.#options
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    const name = host.includes(':') ? `[${host}]` : host
    const answer = await fetch(
      `http://${name}:${port}/repositories/${encodeURIComponent(repository)}/double/${verb}`,
      {
        method: 'POST',
        headers: { authorization },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(PEER_ANSWERS_WITHIN_MS),
      },
    )
    const text = await answer.text()
    if (!answer.ok) throw new Refusal(500, `${host}:${port}: HTTP ${answer.status}: ${text}`)
    return text
  }
}
