import { MariadbSession } from '../../agent/engines/galera/mariadb-session.ts'
import { AcknowledgedNumbers } from '../support/acknowledged-numbers.ts'
import { type GaleraMember, passwords } from './member.ts'

const ANSWER_MS_MAX = 2_000
const PACE_MS = 10

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A session of root's, by the socket of a member. */
export function rootSession(member: GaleraMember): MariadbSession {
  return new MariadbSession({
    socket: member.socket,
    user: 'root',
    password: () => passwords.root,
    timeoutMs: ANSWER_MS_MAX,
    packetBytesMax: 16_777_215,
  })
}

/** Writes rows through all members by turns, without end, and keeps what was acknowledged. */
export class Writer extends AcknowledgedNumbers {
  readonly #sessions: readonly MariadbSession[]
  #next = 0
  #stopped = false
  readonly #loops: readonly Promise<void>[]

  private constructor(members: readonly GaleraMember[]) {
    super()
    this.#sessions = members.map(rootSession)
    this.#loops = this.#sessions.map((session) => this.#write(session))
  }

  /** Makes the table by the first member. */
  static async start(members: readonly GaleraMember[]): Promise<Writer> {
    const [first] = members
    if (first === undefined) throw new Error('no members')
    const session = rootSession(first)
    await session.query('CREATE DATABASE IF NOT EXISTS trial')
    await session.query('CREATE TABLE IF NOT EXISTS trial.writes (number BIGINT PRIMARY KEY)')
    session.close()
    return new Writer(members)
  }

  /** Acknowledged rows that a member does not have. */
  async lostOn(member: GaleraMember): Promise<number[]> {
    const expected = this.acknowledged.map(({ number }) => number)
    const session = rootSession(member)
    // Also what was received and not applied yet.
    await session.query('SET SESSION wsrep_sync_wait = 1')
    const rows = await session.query('SELECT number FROM trial.writes')
    session.close()
    const present = new Set(rows.map(([number]) => Number(number)))
    return expected.filter((number) => !present.has(number))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#loops)
    for (const session of this.#sessions) session.close()
  }

  async #write(session: MariadbSession): Promise<void> {
    while (!this.#stopped) {
      // A row that was not acknowledged is one that nobody counts on: the next one has another number.
      this.#next += 1
      const number = this.#next
      try {
        await session.query(`INSERT INTO trial.writes VALUES (${number})`)
        this.acknowledged.push({ number, atMs: Date.now() })
      } catch {
        // The member is down, or without a majority: by and by it is not.
      }
      await pause(PACE_MS)
    }
  }
}
