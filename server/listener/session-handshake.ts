import type { SessionId, Zxid } from '../core/brand.ts'
import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import { samePassword } from '../core/session/session-table.ts'
import type { Ensemble, Outcome } from '../ensemble/ensemble.ts'
import type { Environment } from '../ensemble/environment.ts'
import {
  type DecodedConnectRequest,
  decodeConnectRequest,
  PASSWORD_BYTES,
} from '../wire/handshake.ts'
import type { ClientRegistry } from './client-registry.ts'
import type { ReadOnlySession } from './read-only-sessions.ts'
import type { ServerStats } from './server-stats.ts'
import type { SessionThrottle } from './session-throttle.ts'

export interface SessionHandshakeOptions {
  readonly ensemble: Ensemble
  readonly registry: ClientRegistry
  readonly environment: Environment
  readonly stats: ServerStats
  readonly throttle: SessionThrottle
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
}

export interface OpenedSession {
  readonly session: ReadOnlySession
  readonly zxid: Zxid
  /** The server is cut off, and the client asked for no more than to read. */
  readonly readOnly: boolean
}

/** The connection whose handshake it is. */
export interface HandshakeOwner {
  readonly number: number
  /** From now on it waits for its session... */
  attach(): void
  /** ... and this is whether it still does. */
  attaching(): boolean
  submit(operation: Operation, session: SessionId, done: (outcome: Outcome) => void): void
  opened(request: DecodedConnectRequest, opened: OpenedSession): void
  /** The session is none that goes on. */
  expired(request: DecodedConnectRequest, readOnly: boolean): void
  close(): void
}

/** The first frame of a client: a new session, or its own again, or nothing. */
export class SessionHandshake {
  readonly #options: SessionHandshakeOptions
  readonly #owner: HandshakeOwner

  constructor(options: SessionHandshakeOptions, owner: HandshakeOwner) {
    this.#options = options
    this.#owner = owner
  }

  receive(frame: Uint8Array): void {
    const request = decodeConnectRequest(frame)
    const { stats, ensemble, throttle } = this.#options
    const owner = this.#owner
    const { ready } = ensemble
    const readOnly = !ready && ensemble.readOnly && request?.readOnly === true
    if (!ready && !readOnly) stats.closedNotServing += 1
    if (request === null || !(ready || readOnly)) return owner.close()
    if (!throttle.admits(request.sessionId !== 0)) return owner.close()
    stats.handshakes += 1
    owner.attach()
    if (readOnly) return this.#attachHere(request)
    if (request.lastZxidSeen <= ensemble.machine.lastZxid) return this.#attach(request)
    // The client has seen a state that is not here yet: catch up, or send it elsewhere (B5.18).
    ensemble.barrier((ok) => {
      if (!owner.attaching()) return
      const behind = request.lastZxidSeen > ensemble.machine.lastZxid
      if (!ok || behind) owner.close()
      else this.#attach(request)
    })
  }

  #attach(request: DecodedConnectRequest): void {
    const { environment, stats } = this.#options
    const timeoutMs = this.#negotiated(request.timeoutMs)
    if (request.sessionId < 0) return this.#owner.expired(request, false)
    const fresh = request.sessionId === 0
    if (!fresh) stats.revalidations += 1
    const operation: Operation | null = fresh
      ? { kind: 'createSession', timeoutMs, password: environment.randomBytes(PASSWORD_BYTES) }
      : this.#renewal(request, timeoutMs)
    if (operation === null) return this.#owner.expired(request, false)
    this.#owner.submit(operation, request.sessionId, (outcome) => this.#attached(request, outcome))
  }

  /**
   * How a session is taken up again; null: its password is another. A session never gets another one,
   * so what this server has of it decides, and the log need not repeat it. A session that is not here,
   * or not yet, is decided where it is applied.
   */
  #renewal({ sessionId, password }: DecodedConnectRequest, timeoutMs: number): Operation | null {
    const { sessions, clusterVersion } = this.#options.ensemble.machine
    const session = sessions.get(sessionId)
    if (session === undefined || clusterVersion < SINCE_VERSION.renewals) {
      return { kind: 'attachSession', timeoutMs, password: password.slice() }
    }
    return samePassword(session.password, password) ? { kind: 'renewSession', timeoutMs } : null
  }

  #negotiated(timeoutMs: number): number {
    const { sessionTimeoutMsMin, sessionTimeoutMsMax } = this.#options
    return Math.min(Math.max(timeoutMs, sessionTimeoutMsMin), sessionTimeoutMsMax)
  }

  #attached(request: DecodedConnectRequest, outcome: Outcome): void {
    const owner = this.#owner
    if (!owner.attaching()) return
    if (outcome.kind !== 'applied') return owner.close()
    const { error, result, zxid } = outcome.result
    if (error === ErrorCode.sessionExpired) return owner.expired(request, false)
    if (result.kind !== 'session') return owner.close()
    owner.opened(request, { session: { ...result, id: result.session }, zxid, readOnly: false })
  }

  /** Reading alone, on a server that is cut off: no other server hears of it. */
  #attachHere(request: DecodedConnectRequest): void {
    const { registry, environment, ensemble } = this.#options
    const { machine, origin } = ensemble
    const { sessionId, lastZxidSeen } = request
    const owner = this.#owner
    // A client of the ensemble goes on with its session where there is a leader.
    const elsewhere =
      lastZxidSeen > machine.lastZxid || machine.sessions.get(sessionId) !== undefined
    if (elsewhere) return owner.close()
    const timeoutMs = this.#negotiated(request.timeoutMs)
    const nowMs = environment.nowMs()
    const { readOnlySessions } = registry
    const resumes = sessionId !== 0
    const session = resumes
      ? readOnlySessions.resume(nowMs, timeoutMs, request)
      : readOnlySessions.open(nowMs, timeoutMs, environment.randomBytes(PASSWORD_BYTES))
    if (session === null) return resumes ? owner.expired(request, true) : owner.close()
    if (resumes) registry.sessionAttached(session.id, origin, owner.number)
    owner.opened(request, { session, zxid: machine.lastZxid, readOnly: true })
  }
}
