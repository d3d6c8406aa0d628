import type { SessionId } from '../core/brand.ts'
import { Opcode } from '../wire/opcode.ts'

/** What a server in read-only mode answers NotReadOnly to, readable or not. */
const REFUSED: ReadonlySet<number> = new Set([
  Opcode.sync,
  Opcode.create,
  Opcode.create2,
  Opcode.createTtl,
  Opcode.createContainer,
  Opcode.delete,
  Opcode.deleteContainer,
  Opcode.setData,
  Opcode.setAcl,
  Opcode.multi,
  Opcode.reconfig,
])

/** Whether a request asks for more than the state of the server that is asked. */
export function needsQuorum(opcode: number): boolean {
  return REFUSED.has(opcode)
}

export interface ReadOnlySession {
  readonly id: SessionId
  readonly password: Uint8Array
  readonly timeoutMs: number
}

interface Kept extends ReadOnlySession {
  /** On the monotonic clock. */
  endsAtMs: number
}

/** -1 is what an id beyond the safe integers is decoded to. */
const FIRST_ID = -2

/**
 * Sessions of clients that read on a server which is cut off. No other server hears of them, and they
 * end with the mode. Their ids are negative, as no replicated session's is: whoever is asked for one
 * later takes it for expired.
 */
export class ReadOnlySessions {
  readonly #sessionsMax: number
  readonly #sessions = new Map<SessionId, Kept>()
  #nextId = FIRST_ID

  constructor(sessionsMax: number) {
    this.#sessionsMax = sessionsMax
  }

  /** Null when there are too many. */
  open(nowMs: number, timeoutMs: number, password: Uint8Array): ReadOnlySession | null {
    if (this.#sessions.size >= this.#sessionsMax) this.#forgetSilent(nowMs)
    if (this.#sessions.size >= this.#sessionsMax) return null
    const session = { id: this.#nextId, password, timeoutMs, endsAtMs: nowMs + timeoutMs }
    this.#nextId -= 1
    this.#sessions.set(session.id, session)
    return session
  }

  /** The session of a client that comes back; null when it has ended, or the password is another. */
  resume(
    nowMs: number,
    timeoutMs: number,
    asked: { readonly sessionId: SessionId; readonly password: Uint8Array },
  ): ReadOnlySession | null {
    const kept = this.#sessions.get(asked.sessionId)
    if (kept === undefined || Buffer.compare(kept.password, asked.password) !== 0) return null
    if (nowMs >= kept.endsAtMs) return null
    const resumed = { ...kept, timeoutMs, endsAtMs: nowMs + timeoutMs }
    this.#sessions.set(kept.id, resumed)
    return resumed
  }

  /** The client showed life. */
  touch(nowMs: number, id: SessionId): void {
    const session = this.#sessions.get(id)
    if (session !== undefined) session.endsAtMs = nowMs + session.timeoutMs
  }

  end(id: SessionId): void {
    this.#sessions.delete(id)
  }

  endAll(): void {
    this.#sessions.clear()
  }

  #forgetSilent(nowMs: number): void {
    for (const [id, { endsAtMs }] of this.#sessions) {
      if (nowMs >= endsAtMs) this.#sessions.delete(id)
    }
  }
}
