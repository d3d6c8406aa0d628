import type { Audit } from '../audit/audit.ts'
import type { SessionId } from '../core/brand.ts'
import type { WatchEvent } from '../core/watch/watch.ts'
import type { Contact, Ensemble, EnsembleHooks } from '../ensemble/ensemble.ts'
import { limits } from '../limits.ts'
import type { ClientConnection } from './connection.ts'
import { ReadOnlySessions } from './read-only-sessions.ts'

/** The connections of one server, and the ensemble's news dealt out to them. */
export class ClientRegistry implements EnsembleHooks {
  readonly #ensemble: Ensemble
  readonly #audit: Audit | null
  readonly #byNumber = new Map<number, ClientConnection>()
  readonly #bySession = new Map<SessionId, ClientConnection>()
  /** Connections with replies or events that were not written yet. */
  #dirty: ClientConnection[] = []
  /** Connections with requests that were more than one turn's share. */
  #waiting: ClientConnection[] = []
  #nextNumber = 1
  readonly readOnlySessions = new ReadOnlySessions(limits.readOnlySessionsMax)

  constructor(ensemble: Ensemble, audit: Audit | null = null) {
    this.#ensemble = ensemble
    this.#audit = audit
  }

  get count(): number {
    return this.#byNumber.size
  }

  all(): IterableIterator<ClientConnection> {
    return this.#byNumber.values()
  }

  /** The session of a connection that is open here and has one. */
  sessionOf(number: number): SessionId | undefined {
    return this.#byNumber.get(number)?.session
  }

  outstanding(): number {
    let total = 0
    for (const connection of this.#byNumber.values()) total += connection.outstanding
    return total
  }

  /** A number for a new connection of this process. */
  nextNumber(): number {
    const number = this.#nextNumber
    this.#nextNumber += 1
    return number
  }

  add(connection: ClientConnection): void {
    this.#byNumber.set(connection.number, connection)
  }

  /** The connection has its session: it alone speaks for it here. */
  attached(connection: ClientConnection, session: SessionId): void {
    this.#bySession.set(session, connection)
  }

  remove(connection: ClientConnection): void {
    this.#byNumber.delete(connection.number)
    const { session } = connection
    if (this.#bySession.get(session) === connection) this.#bySession.delete(session)
    this.#ensemble.watches.removeConnection(connection.number)
  }

  /** Marks a connection for one write at the end of the turn. */
  markDirty(connection: ClientConnection): void {
    this.#dirty.push(connection)
    this.#ensemble.scheduleTurn()
  }

  /** Lets a connection take more of its requests when all others have had their turn. */
  goOnLater(connection: ClientConnection): void {
    this.#waiting.push(connection)
    this.#ensemble.scheduleTurn()
  }

  deliver(number: number, event: WatchEvent): void {
    this.#byNumber.get(number)?.notify(event)
  }

  sessionEnded(session: SessionId, znodes: readonly string[]): void {
    this.#audit?.sessionEnded(session, znodes)
    this.#bySession.get(session)?.sessionEnded()
  }

  sessionAttached(session: SessionId, origin: number, number: number): void {
    const connection = this.#bySession.get(session)
    if (connection === undefined) return
    const same = origin === this.#ensemble.origin && connection.number === number
    if (!same) connection.close()
  }

  contactChanged(contact: Contact): void {
    for (const connection of [...this.#byNumber.values()]) {
      if (contact !== 'lost') connection.resume()
      else if (!connection.readOnly) connection.close()
    }
  }

  readOnlyEnded(): void {
    this.readOnlySessions.endAll()
    for (const connection of [...this.#byNumber.values()]) {
      if (connection.readOnly) connection.close()
    }
  }

  turnEnd(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const connection of dirty) connection.flush()
    const waiting = this.#waiting
    this.#waiting = []
    for (const connection of waiting) connection.goOn()
  }
}
