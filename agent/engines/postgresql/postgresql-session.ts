import type { Client } from 'pg'
import { within } from '../../deadline.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { readSecretFile } from '../../secret-file.ts'

const DATABASE = 'postgres'
const LOOK = `select pg_is_in_recovery() as recovering,
  array(select slot_name::text from pg_replication_slots
    where slot_type = 'physical' and not active) as slots`
const DROP = `select pg_drop_replication_slot(slot_name) from pg_replication_slots
  where slot_name = $1 and slot_type = 'physical' and not active`

export interface SessionOptions {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Read for each connection: passwords may change. */
  readonly passwordFile: string
  /** Of a connection, and of a question. */
  readonly timeoutMs: number
}

export interface ServerLook {
  /** True on a standby, false on a server that takes writes. */
  readonly recovering: boolean
  /** Physical replication slots that nobody reads. */
  readonly idleSlots: readonly string[]
}

/**
 * The agent's own connection to the server beside it: what Patroni says of a server that is about to stop may
 * be old. One connection that stays; whatever fails drops it, and the next question makes another.
 */
export class PostgresqlSession {
  readonly #options: SessionOptions
  #client: Client | null = null

  constructor(options: SessionOptions) {
    this.#options = options
  }

  async look(): Promise<ServerLook> {
    const [row] = await this.#query<{ recovering: boolean; slots: string[] }>(LOOK, [])
    if (row === undefined) throw new AgentError('ENGINE_REFUSED', 'PostgreSQL: no answer')
    return { recovering: row.recovering, idleSlots: row.slots }
  }

  /** Done as well when there is no such slot, or when somebody reads it. */
  async dropSlot(name: string): Promise<void> {
    await this.#query(DROP, [name])
  }

  close(): void {
    const client = this.#client
    this.#client = null
    // Ends the connection at once when a question is under way.
    client?.end().catch(() => {})
  }

  async #query<Row extends object>(text: string, values: string[]): Promise<Row[]> {
    const { timeoutMs } = this.#options
    try {
      const late = () => new Error(`no answer within ${timeoutMs} ms`)
      return await within(this.#ask<Row>(text, values), timeoutMs, late)
    } catch (error) {
      this.close()
      throw new AgentError('ENGINE_UNREACHABLE', `PostgreSQL: ${messageOf(error)}`)
    }
  }

  async #ask<Row extends object>(text: string, values: string[]): Promise<Row[]> {
    const client = this.#client ?? (await this.#connect())
    const { rows } = await client.query<Row>(text, values)
    return rows
  }

  async #connect(): Promise<Client> {
    const { host, port, user, passwordFile, timeoutMs } = this.#options
    const { default: driver } = await import('pg')
    const client = new driver.Client({
      host,
      port,
      user,
      password: readSecretFile(passwordFile),
      database: DATABASE,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      application_name: 'quorate-agent',
    })
    client.on('error', () => {
      // The server ended the connection between two questions: the next one finds out what it does.
      if (this.#client === client) this.#client = null
    })
    await client.connect()
    this.#client = client
    return client
  }
}
