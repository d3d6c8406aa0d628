import type { SessionId } from '../brand.ts'
import { hashBytes, mix } from '../tree/hash.ts'

/** A client's lease, as every server holds it. */
export interface Session {
  readonly id: SessionId
  readonly timeoutMs: number
  /** 16 bytes that prove a reconnect. */
  readonly password: Uint8Array
  /** The server process and connection that may speak for it. */
  readonly origin: number
  readonly connection: number
}

/** The sessions of the ensemble: replicated, changed by the log alone. */
export class SessionTable {
  readonly #sessions = new Map<SessionId, Session>()
  #digest = 0

  get count(): number {
    return this.#sessions.size
  }

  /** A sum over all sessions, independent of their order. */
  get digest(): number {
    return this.#digest >>> 0
  }

  get(id: SessionId): Session | undefined {
    return this.#sessions.get(id)
  }

  all(): IterableIterator<Session> {
    return this.#sessions.values()
  }

  /** Adds or replaces. */
  put(session: Session): void {
    this.remove(session.id)
    this.#sessions.set(session.id, session)
    this.#digest = (this.#digest + shareOf(session)) | 0
  }

  remove(id: SessionId): boolean {
    const session = this.#sessions.get(id)
    if (session === undefined) return false
    this.#sessions.delete(id)
    this.#digest = (this.#digest - shareOf(session)) | 0
    return true
  }
}

function shareOf(session: Session): number {
  const identity = mix(mix(0x1b873593, session.id), session.timeoutMs)
  const owner = mix(mix(identity, session.origin), session.connection)
  return mix(owner, hashBytes(session.password))
}

/** Takes the same time wherever the difference is. */
export function samePassword(left: Uint8Array, right: Uint8Array): boolean {
  let difference = left.length ^ right.length
  for (let i = 0; i < left.length; i += 1) difference |= (left[i] ?? 0) ^ (right[i] ?? 0)
  return difference === 0
}
