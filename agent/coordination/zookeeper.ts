import { Socket } from 'node:net'
import {
  type Client,
  CreateMode,
  createClient,
  type Exception,
  type Stat,
  State,
  type Transaction,
} from 'node-zookeeper-client'
import { parentOf } from '../../server/core/tree/path.ts'
import { type LeaseStatus, leaseStatus } from '../core/lease.ts'
import { within } from '../deadline.ts'
import { AgentError } from '../errors.ts'
import type { Coordination, TreeOperation, TreeZnode } from './coordination.ts'
import { Relay, type RelayOptions } from './relay.ts'

const NO_NODE = -101
const NODE_EXISTS = -110
const NO_SESSION = '0'
/** Between attempts of the library to connect, at most. */
const SPIN_MS = 200

export interface ZookeeperOptions extends RelayOptions {
  readonly requestTimeoutMs: number
  /** Without a session after this, the client is thrown away. */
  readonly handshakeTimeoutMs: number
  readonly checkEveryMs: number
  readonly goodbyeMs: number
}

/**
 * node-zookeeper-client under guard. It never notices a mute server, keeps half a frame over a cut,
 * and never opens a second session; so what it believes counts for nothing here. The relay has the
 * lease; a session whose lease is lost is thrown away with its client and its relay, and another pair
 * takes their place.
 */
export class ZookeeperCoordination implements Coordination {
  readonly #options: ZookeeperOptions
  readonly #timer: NodeJS.Timeout
  #attempt: Attempt | null = null
  #building = false
  #closed = false

  constructor(options: ZookeeperOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#check(), options.checkEveryMs)
    void this.#build()
  }

  get status(): LeaseStatus {
    const relay = this.#attempt?.relay
    return relay === undefined ? 'none' : leaseStatus(relay.lease, this.#options.nowMs())
  }

  get session(): string | null {
    const { status } = this
    const usable = status === 'held' || status === 'suspended'
    const id = usable ? (this.#attempt?.sessionId() ?? null) : null
    // The relay has seen the session granted, and the library has yet to.
    return id === NO_SESSION ? null : id
  }

  get connectedTo(): string | null {
    return this.#attempt?.relay.connectedTo ?? null
  }

  async read(path: string): Promise<TreeZnode | null> {
    return await orNull(
      this.#call<TreeZnode>((client, done) => {
        client.getData(path, (error, data, stat) =>
          done(error, error ? undefined : znodeOf(data, stat)),
        )
      }),
    )
  }

  async watch(path: string, changed: () => void): Promise<TreeZnode | null> {
    const znode = await orNull(
      this.#call<TreeZnode>((client, done) => {
        client.getData(path, changed, (error, data, stat) =>
          done(error, error ? undefined : znodeOf(data, stat)),
        )
      }),
    )
    if (znode !== null) return znode
    const created = await this.#call<Stat | null>((client, done) =>
      client.exists(path, changed, (error, stat) => done(error, stat ?? null)),
    )
    // It has come between the two questions, and is watched now.
    return created === null ? null : await this.read(path)
  }

  async children(path: string): Promise<readonly string[] | null> {
    return await orNull(
      this.#call<readonly string[]>((client, done) => client.getChildren(path, done)),
    )
  }

  async create(path: string, data: Uint8Array, kind: 'persistent' | 'ephemeral'): Promise<void> {
    const mode = kind === 'ephemeral' ? CreateMode.EPHEMERAL : CreateMode.PERSISTENT
    await this.#create(path, data, mode)
  }

  async createNumbered(path: string, data: Uint8Array): Promise<string> {
    return await this.#create(path, data, CreateMode.EPHEMERAL_SEQUENTIAL)
  }

  async #create(path: string, data: Uint8Array, mode: number): Promise<string> {
    const create = () =>
      this.#call<string>((client, done) => client.create(path, Buffer.from(data), mode, done))
    try {
      return await create()
    } catch (error) {
      if (!isRefusal(error, NO_NODE)) throw error
      await this.#parents(parentOf(path))
      return await create()
    }
  }

  async #parents(path: string): Promise<void> {
    if (path === '/') return
    try {
      await this.create(path, Buffer.alloc(0), 'persistent')
    } catch (error) {
      // Another agent made it first.
      if (!isRefusal(error, NODE_EXISTS)) throw error
    }
  }

  async set(path: string, data: Uint8Array, version: number): Promise<void> {
    await this.#call<Stat>((client, done) => client.setData(path, Buffer.from(data), version, done))
  }

  async delete(path: string, version: number): Promise<boolean> {
    const gone = this.#call<true>((client, done) =>
      client.remove(path, version, (error) => done(error, true)),
    )
    return (await orNull(gone)) ?? false
  }

  async commit(operations: readonly TreeOperation[]): Promise<void> {
    await this.#call<unknown>((client, done) => {
      const transaction = client.transaction()
      for (const operation of operations) add(transaction, operation)
      setVersions(transaction, operations)
      transaction.commit(done)
    })
  }

  async barrier(): Promise<void> {
    await this.commit([{ kind: 'check', path: '/', version: -1 }])
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const attempt = this.#attempt
    this.#attempt = null
    if (attempt !== null) await attempt.goodbye(this.#options.goodbyeMs)
  }

  /** One request with a deadline; its answer counts only while its session is still the one here. */
  async #call<T>(
    send: (client: Client, done: (error: Error | Exception | null, value?: T) => void) => void,
  ): Promise<T> {
    const attempt = this.#attempt
    if (attempt === null || this.session === null) {
      throw new AgentError('TREE_UNREACHABLE', 'there is no session now')
    }
    const late = () => new AgentError('TREE_UNREACHABLE', 'the tree did not answer in time')
    const answer = new Promise<T>((resolve, reject) => {
      send(attempt.client, (error, value) => {
        if (error) reject(treeError(error))
        else resolve(value as T)
      })
    })
    const value = await within(answer, this.#options.requestTimeoutMs, late)
    if (this.#attempt !== attempt) {
      throw new AgentError('TREE_UNREACHABLE', 'the session ended meanwhile')
    }
    return value
  }

  #check(): void {
    const attempt = this.#attempt
    if (attempt === null) return void this.#build()
    const { status } = this
    const { nowMs, handshakeTimeoutMs } = this.#options
    const stuck = status === 'none' && nowMs() - attempt.sinceMs > handshakeTimeoutMs
    if (status === 'lost' || attempt.ended || stuck) {
      this.#options.log('the session is over', { status, session: attempt.sessionId() })
      this.#attempt = null
      attempt.discard()
      void this.#build()
    } else if (status === 'suspended') {
      attempt.relay.cut('no answer for two thirds of the session timeout')
    }
  }

  async #build(): Promise<void> {
    if (this.#building || this.#closed) return
    this.#building = true
    try {
      const relay = await Relay.listen(this.#options)
      if (this.#closed) return relay.close()
      this.#attempt = new Attempt(relay, this.#options)
    } finally {
      this.#building = false
    }
  }
}

/** One client with its relay: at most one session, then thrown away. */
class Attempt {
  readonly relay: Relay
  readonly client: Client
  readonly sinceMs: number
  /** The library says that the session is over; it is right about that, when it does say it. */
  ended = false

  constructor(relay: Relay, options: ZookeeperOptions) {
    this.relay = relay
    this.sinceMs = options.nowMs()
    this.client = createClient(`127.0.0.1:${relay.port}`, {
      sessionTimeout: options.sessionTimeoutMs,
      spinDelay: SPIN_MS,
      retries: 0,
    })
    this.client.on('expired', () => {
      this.ended = true
    })
    this.client.connect()
  }

  sessionId(): string {
    return hex(this.client.getSessionId())
  }

  /** Lets nothing of this session out any more; the ensemble expires it in its time. */
  discard(): void {
    this.client.close()
    this.#sever()
  }

  #sever(): void {
    this.relay.close()
    // A closing client takes the answer to its handshake for a reply, and throws at its "code": what
    // is on its way must not reach it. The library offers no other way to its socket.
    const manager: unknown = Reflect.get(this.client, 'connectionManager')
    const socket: unknown = isObject(manager) ? Reflect.get(manager, 'socket') : null
    if (socket instanceof Socket) socket.destroy()
  }

  /** Closes the session at the ensemble, as far as that takes no longer than `ms`. */
  async goodbye(ms: number): Promise<void> {
    if (this.client.getState() !== State.SYNC_CONNECTED) return this.discard()
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.client.once('disconnected', () => {
        clearTimeout(timer)
        resolve()
      })
      this.client.close()
    })
    this.#sever()
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function add(transaction: Transaction, operation: TreeOperation): void {
  const { kind, path } = operation
  if (kind === 'check') transaction.check(path)
  else if (kind === 'create') transaction.create(path, Buffer.from(operation.data))
  else if (kind === 'set') transaction.setData(path, Buffer.from(operation.data))
  else transaction.remove(path)
}

/**
 * The library takes version 0 for "any" where it builds a transaction (`version || -1`), though not where
 * it writes one: so the numbers are put in between.
 */
function setVersions(transaction: Transaction, operations: readonly TreeOperation[]): void {
  const built: unknown = Reflect.get(transaction, 'ops')
  if (!Array.isArray(built) || built.length !== operations.length) {
    throw new Error('the client library builds its transactions in another way')
  }
  operations.forEach((operation, i) => {
    if ('version' in operation) built[i].version = operation.version
  })
}

function znodeOf(data: Uint8Array | undefined, stat: Stat): TreeZnode {
  return {
    data: data ?? Buffer.alloc(0),
    version: stat.version,
    owner: hex(stat.ephemeralOwner),
    czxid: hex(stat.czxid),
  }
}

/** 64 bits in hex without leading zeros, as ZooKeeper's tools print sessions. */
function hex(id: Buffer): string {
  return id.readBigUInt64BE().toString(16)
}

function treeError(error: Error | Exception): AgentError {
  const code = 'getCode' in error ? error.getCode() : null
  if (code === null || code === -4 || code === -112) {
    return new AgentError('TREE_UNREACHABLE', String(error), code)
  }
  return new AgentError('TREE_REFUSED', String(error), code)
}

function isRefusal(error: unknown, code: number): boolean {
  return error instanceof AgentError && error.code === 'TREE_REFUSED' && error.detail === code
}

/** A znode that is not there is an answer. */
async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch (error) {
    if (isRefusal(error, NO_NODE)) return null
    throw error
  }
}
