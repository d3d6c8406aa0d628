import { afterEach } from 'vitest'
import type { ServerEnsemble } from '../../support/processes.ts'
import { create } from '../operations.ts'
import { type ConnectOptions, RawClient, RawConnection } from '../raw-client.ts'

export interface Target {
  readonly name: string
  /** The running ensemble; only inside a test. */
  ensemble(): ServerEnsemble
}

/** Where servers that pass the suite may differ; docs/compatibility.md says of each why. */
export interface Supports {
  /** A wrong password leaves the connection alone: see wrong-password-is-harmless there. */
  readonly wrongPasswordIsHarmless: boolean
  /**
   * A write whose body is too short is answered: see short-writes there. Apache ZooKeeper 3.9.5 does so standalone; in an
   * ensemble one such request to a follower stops all writes and new sessions until a restart.
   */
  readonly truncatedWrites: boolean
  /** What servers alone ask is refused to clients: see server-opcodes there. */
  readonly serverOpcodesRefused: boolean
  /** A createTTL that makes no sense is refused: see ttl-flags there. */
  readonly badTtlRefused: boolean
  /** Of connections that claim a session at once, one is obeyed: see claims-at-once there. */
  readonly claimsAtOnce: boolean
}

let places = 0

/** The sessions of one test, closed after it. */
export class Sessions {
  readonly #target: Target
  readonly #open: (RawClient | RawConnection)[] = []

  constructor(target: Target) {
    this.#target = target
    afterEach(() => this.#close())
  }

  /** A session at a server of the ensemble, by its index. */
  async client(options: ConnectOptions = {}, server = 0): Promise<RawClient> {
    const client = await RawClient.connect(this.port(server), options)
    this.#open.push(client)
    return client
  }

  /** A connection on which nothing was sent yet. */
  async connection(server = 0): Promise<RawConnection> {
    const connection = await RawConnection.open(this.port(server))
    this.#open.push(connection)
    return connection
  }

  port(server = 0): number {
    const port = this.#target.ensemble().clientPorts[server]
    if (port === undefined) throw new Error(`no server ${server}`)
    return port
  }

  /** A new znode for one test to work under. */
  async place(client: RawClient): Promise<string> {
    const { path, err } = await create(client, `/place-${process.pid}-${places++}`)
    if (path === null) throw new Error(`a place could not be made: ${err}`)
    return path
  }

  async #close(): Promise<void> {
    for (const one of this.#open.splice(0)) {
      if (one instanceof RawConnection) one.drop()
      else await one.close().catch(() => one.connection.drop())
    }
  }
}
