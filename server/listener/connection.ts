import type { Audit, Requester } from '../audit/audit.ts'
import { assert } from '../core/assert.ts'
import type { SessionId, Zxid } from '../core/brand.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { WatchEvent, Watcher } from '../core/watch/watch.ts'
import type { Ensemble, Outcome } from '../ensemble/ensemble.ts'
import type { Environment } from '../ensemble/environment.ts'
import {
  writeAuthReply,
  writeHeaderReply,
  writeNotification,
  writePingReply,
  writeSaslReply,
  writeWriteReply,
} from '../wire/client-reply.ts'
import { type ClientRequest, decodeClientRequest } from '../wire/client-request.ts'
import {
  type DecodedConnectRequest,
  encodeConnectResponse,
  encodeSessionExpired,
} from '../wire/handshake.ts'
import { JuteWriter } from '../wire/jute.ts'
import { Xid } from '../wire/opcode.ts'
import { withKnownSchemes } from './acl-schemes.ts'
import { type Authenticator, ClientAuthentication } from './authentication.ts'
import type { ClientRegistry } from './client-registry.ts'
import { withoutTtl } from './extended-types.ts'
import { Intake } from './intake.ts'
import { type LocalRequest, writeLocalAnswer } from './local-answer.ts'
import { needsQuorum } from './read-only-sessions.ts'
import { type Answerable, type Pending, type QueueOwner, RequestQueue } from './request-queue.ts'
import { operationName, RequestStats } from './request-stats.ts'
import type { ServerStats } from './server-stats.ts'
import { type OpenedSession, SessionHandshake } from './session-handshake.ts'
import type { SessionThrottle } from './session-throttle.ts'

/** Where a connection's bytes go: a socket, or a link of the simulation. */
export interface ConnectionOutput {
  write(bytes: Uint8Array): void
  /** Ends the connection after what was written. */
  close(): void
  /** Whether more should be read: false while too much of this client is in work. */
  setReading(reading: boolean): void
}

export interface ConnectionOptions {
  readonly ensemble: Ensemble
  readonly registry: ClientRegistry
  readonly environment: Environment
  readonly stats: ServerStats
  readonly throttle: SessionThrottle
  readonly output: ConnectionOutput
  /** The client's address, its `ip` identity. */
  readonly address: string
  /** The client's port, for the words that list connections. */
  readonly port?: number
  /** What the client has proved before its first byte: the names in its certificate. */
  readonly identities?: readonly Identity[]
  readonly authenticator: Authenticator
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly frameBytesMax: number
  readonly outputBytesMax: number
  /** Of replies that wait to be written; above it no further request is taken. */
  readonly replyWindowBytes: number
  readonly outstandingMax: number
  /** Taken of this client in one turn of the event loop. */
  readonly requestsPerTurnMax: number
  readonly watchesMax: number
  /** Reads wait for a ReadIndex round first (a listener option). */
  readonly linearizableReads: boolean
  /** False: no znode with a time to live is made. */
  readonly extendedTypes?: boolean
  readonly audit?: Audit | null
}

/** Of the length in front of a frame. */
const LENGTH_BYTES = 4

/**
 * One ZooKeeper client, without its socket: bytes in, bytes out. Replies go out in the order of the
 * requests; a pipelined write is handed in at once (unless a barrier must pass first), a read is done
 * when all before it is answered.
 */
export class ClientConnection implements Watcher {
  readonly connection: number
  readonly address: string
  readonly port: number
  readonly #options: ConnectionOptions
  readonly #ensemble: Ensemble
  readonly #intake: Intake
  readonly #out = new JuteWriter(256)
  /** Of `#out`, what has been counted. */
  #framesEnd = 0
  #dirty = false
  #state: 'handshake' | 'attaching' | 'open' | 'closing' | 'closed' = 'handshake'
  readonly #authentication: ClientAuthentication
  #session: SessionId = 0
  #timeoutMs = 0
  /** The server is cut off, and the client asked for no more than to read. */
  #readOnly = false
  #cancelSilence: () => void = () => {}
  readonly #queue: RequestQueue
  #unwrittenBytes = 0
  lastZxid: Zxid = 0
  /** When bytes last came, on the monotonic clock. */
  heardAtMs: number
  readonly requests = new RequestStats()
  readonly establishedAtMs: number

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#ensemble = options.ensemble
    this.connection = options.registry.nextNumber()
    this.address = options.address
    this.port = options.port ?? 0
    this.#authentication = new ClientAuthentication(
      options.authenticator,
      [{ scheme: 'ip', id: options.address }, ...(options.identities ?? [])],
      options.environment.randomBytes,
    )
    this.#intake = new Intake(
      {
        takes: () => this.#takes,
        frame: (frame) => this.#frame(frame),
        unreadable: () => this.close(),
        setReading: (reading) => this.#setReading(reading),
        later: () => options.registry.goOnLater(this),
      },
      { frameBytesMax: options.frameBytesMax, perTurnMax: options.requestsPerTurnMax },
    )
    this.establishedAtMs = options.environment.wallClockMs()
    this.heardAtMs = options.environment.nowMs()
    this.#queue = new RequestQueue(this.#queueOwner(), options.linearizableReads)
    options.registry.add(this)
  }

  #queueOwner(): QueueOwner {
    const isOpen = () => this.#state === 'open'
    return {
      get open() {
        return isOpen()
      },
      submit: (operation, done) =>
        this.#submit(this.#allowed(operation), this.#session, this.#audited(operation, done)),
      barrier: (done) => this.#ensemble.barrier(done),
      reconfigure: (request, done) =>
        this.#ensemble.reconfigure(request, this.identities, (code) => {
          this.#options.audit?.reconfig(this.#requester, code)
          done(code)
        }),
      answer: (pending) => this.#answer(pending),
      drained: () => {
        if (!this.#intake.reading) this.#intake.take()
      },
      // The read would show the write: its contact was lost for too long.
      overtaken: () => this.close(),
    }
  }

  get #requester(): Requester {
    return { session: this.#session, identities: this.identities, address: this.address }
  }

  /** Tells of the outcome before it is dealt with. */
  #audited(operation: Operation, done: (outcome: Outcome) => void): (outcome: Outcome) => void {
    const { audit } = this.#options
    if (audit?.tells(operation) !== true) return done
    const requester = this.#requester
    return (outcome) => {
      audit.write(requester, operation, outcome)
      done(outcome)
    }
  }

  #allowed(operation: Operation): Operation {
    const known = withKnownSchemes(operation, this.#options.authenticator.schemes)
    return this.#options.extendedTypes === false ? withoutTtl(known) : known
  }

  get number(): number {
    return this.connection
  }

  get identities(): readonly Identity[] {
    return this.#authentication.effective
  }

  get session(): SessionId {
    return this.#session
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  get readOnly(): boolean {
    return this.#readOnly
  }

  get handshaking(): boolean {
    return this.#state === 'handshake' || this.#state === 'attaching'
  }

  get closed(): boolean {
    return this.#state === 'closed'
  }

  /** Requests in work. */
  get outstanding(): number {
    return this.#queue.outstanding
  }

  /** Java's SelectionKey: 1 while requests are read, 4 while replies wait to be written. */
  get interestOps(): number {
    return (this.#intake.reading ? 1 : 0) | (this.#unwrittenBytes > 0 ? 4 : 0)
  }

  // --- Bytes in ----------------------------------------------------------------------------------

  receive(chunk: Uint8Array): void {
    if (this.#state === 'closed') return
    this.heardAtMs = this.#options.environment.nowMs()
    this.#options.stats.bytesReceived += chunk.length
    this.#intake.receive(chunk)
  }

  /** The next turn has come for requests that were left over. */
  goOn(): void {
    this.#intake.goOn()
  }

  get #takes(): boolean {
    return this.#state === 'handshake' || (this.#state === 'open' && this.#hasRoom)
  }

  /** A client with too much in work, or that does not take its replies, has to wait. */
  get #hasRoom(): boolean {
    const { outstandingMax, replyWindowBytes } = this.#options
    return this.outstanding < outstandingMax && this.#owedBytes < replyWindowBytes
  }

  get #owedBytes(): number {
    return this.#unwrittenBytes + this.#out.length
  }

  #frame(frame: Uint8Array): void {
    this.requests.received += 1
    this.#options.stats.packetsReceived += 1
    if (this.#state === 'handshake') this.#shakeHands().receive(frame)
    else this.#request(frame)
  }

  #setReading(reading: boolean): void {
    if (this.#state === 'closed') return
    if (!reading && !this.#hasRoom) this.#options.stats.throttles += 1
    this.#options.output.setReading(reading)
  }

  // --- Handshake ---------------------------------------------------------------------------------

  #shakeHands(): SessionHandshake {
    return new SessionHandshake(this.#options, {
      number: this.number,
      attaching: () => this.#state === 'attaching',
      attach: () => {
        this.#state = 'attaching'
      },
      submit: (operation, session, done) => this.#submit(operation, session, done),
      opened: (request, opened) => this.#opened(request, opened),
      expired: (request, readOnly) => this.#answerExpired(request, readOnly),
      close: () => this.close(),
    })
  }

  #opened(request: DecodedConnectRequest, { session, zxid, readOnly }: OpenedSession): void {
    this.#readOnly = readOnly
    this.#session = session.id
    this.#timeoutMs = session.timeoutMs
    this.#state = 'open'
    this.#options.registry.attached(this, session.id)
    this.#touch()
    if (this.#readOnly) this.#endSilence()
    encodeConnectResponse(this.#out, {
      protocolVersion: 0,
      timeoutMs: session.timeoutMs,
      sessionId: session.id,
      password: session.password,
      readOnly: request.readOnly === null ? null : readOnly,
    })
    this.#wrote()
    this.#noteAnswer('SESS', 0, this.heardAtMs, zxid)
    this.#intake.take()
  }

  /** Nobody else ends the session of a client that only reads here, and is silent. */
  #endSilence(): void {
    const { environment, registry } = this.#options
    const leftMs = this.heardAtMs + this.#timeoutMs - environment.nowMs()
    this.#cancelSilence = environment.after(Math.max(1, leftMs), () => {
      if (environment.nowMs() < this.heardAtMs + this.#timeoutMs) return this.#endSilence()
      registry.readOnlySessions.end(this.#session)
      this.close()
    })
  }

  #touch(): void {
    const { environment, registry } = this.#options
    if (this.#readOnly) registry.readOnlySessions.touch(environment.nowMs(), this.#session)
    else this.#ensemble.touch(this.#session)
  }

  #answerExpired(request: DecodedConnectRequest, readOnly: boolean): void {
    encodeSessionExpired(this.#out, request.readOnly === null ? null : readOnly)
    this.#wrote()
    this.close()
  }

  // --- Requests ----------------------------------------------------------------------------------

  #request(frame: Uint8Array): void {
    const request = decodeClientRequest(frame)
    if (request.kind === 'close') return this.close()
    this.#touch()
    if (request.kind === 'auth') return this.#authenticate(request)
    if (request.kind === 'sasl') return this.#sasl(request.xid, request.token)
    if (!this.#authentication.admitted) return this.#turnAway(request.xid)
    if (request.kind === 'ping') return this.#ping()
    const receivedAtMs = this.#options.environment.nowMs()
    if (!this.#readOnly) return this.#queue.push(request, receivedAtMs)
    // Nothing of it waits for anything.
    this.#answer({ request, receivedAtMs, outcome: null, barrier: 'none', answered: false })
  }

  #submit(operation: Operation, session: SessionId, done: (outcome: Outcome) => void): void {
    assert(!this.#readOnly, 'nothing of a read-only session reaches the log')
    this.#ensemble.submit(
      {
        session: operation.kind === 'createSession' ? 0 : session,
        connection: this.connection,
        // A session belongs to whoever has its password: names matter to znodes.
        identities: this.#state === 'attaching' ? [] : this.identities,
        operation,
      },
      done,
    )
  }

  /** Out of band, at once; not at all while the leader may have given this server up. */
  #ping(): void {
    if (!this.#readOnly && this.#ensemble.contact !== 'fresh') return
    // While replies wait, theirs come first: a client's zxid never falls.
    if (this.outstanding === 0) this.lastZxid = this.#ensemble.machine.lastZxid
    writePingReply(this.#out, this.lastZxid)
    this.#wrote()
    this.#noteAnswer('PING', Xid.ping, this.heardAtMs)
  }

  #authenticate({ xid, scheme, auth }: Extract<ClientRequest, { kind: 'auth' }>): void {
    const verdict = this.#authentication.auth(scheme, auth)
    if (verdict !== 'ok') this.#options.stats.authFailures += 1
    if (verdict === 'elsewhere') return this.close()
    writeAuthReply(this.#out, xid, verdict === 'ok' ? ErrorCode.ok : ErrorCode.authFailed)
    this.#wrote()
    if (verdict === 'failed') this.close()
  }

  #sasl(xid: number, clientToken: Uint8Array): void {
    const { error, token, closes, failed } = this.#authentication.sasl(clientToken)
    if (failed) this.#options.stats.authFailures += 1
    // Its zxid is 0 in ZooKeeper, as that of auth.
    writeSaslReply(this.#out, xid, 0, error, token)
    this.#wrote()
    if (closes) this.close()
  }

  /** The client has not proved what this server demands of all. The session lives on. */
  #turnAway(xid: number): void {
    writeHeaderReply(this.#out, xid, 0, ErrorCode.sessionClosedRequireSaslAuth)
    this.#wrote()
    this.close()
  }

  /** Contact may be fresh again: what waited for it goes on. */
  resume(): void {
    this.#queue.drain()
  }

  #answer(pending: Pending): boolean {
    if (!this.#tryAnswer(pending)) return false
    const { request, receivedAtMs } = pending
    const nowMs = this.#noteAnswer(operationName(request), request.xid, receivedAtMs)
    this.#options.stats.answered(nowMs - receivedAtMs, pending.outcome !== null)
    return true
  }

  /** Returns what time it is. */
  #noteAnswer(operation: string, xid: number, receivedAtMs: number, zxid = this.lastZxid): number {
    const nowMs = this.#options.environment.nowMs()
    this.requests.answered(operation, { xid, zxid, receivedAtMs, nowMs })
    return nowMs
  }

  /** True when the request has been answered, or has ended the connection. */
  #tryAnswer(pending: Pending): boolean {
    const { request } = pending
    if (this.#readOnly) {
      this.#answerCutOff(request)
      return true
    }
    if (request.kind === 'write' || request.kind === 'closeSession') {
      return this.#answerWrite(pending, request.opcode, request.xid)
    }
    if (pending.barrier === 'waiting') return false
    if (request.kind === 'reconfig' && pending.outcome !== null) {
      return this.#answerWrite(pending, request.opcode, request.xid)
    }
    if (pending.barrier === 'failed') {
      this.close()
      return true
    }
    // No read on the word of a leader that may be deposed (design 3, Raft: fencing).
    if (this.#ensemble.contact !== 'fresh') return false
    this.#answerHere(request)
    return true
  }

  /** From what this server has, or not at all. */
  #answerCutOff(request: Answerable): void {
    const { xid, opcode } = request
    this.lastZxid = this.#ensemble.machine.lastZxid
    if (needsQuorum(opcode) || request.kind === 'write') {
      writeHeaderReply(this.#out, xid, this.lastZxid, ErrorCode.notReadOnly)
      this.#wrote()
    } else if (request.kind === 'closeSession') {
      this.#options.registry.readOnlySessions.end(this.#session)
      writeHeaderReply(this.#out, xid, this.lastZxid, ErrorCode.ok)
      this.#wrote()
      this.close()
    } else this.#answerHere(request)
  }

  #answerWrite(pending: Pending, opcode: number, xid: number): boolean {
    const { outcome } = pending
    if (outcome === null) return false
    if (outcome.kind !== 'applied') {
      this.close()
      return true
    }
    const { error, zxid, result } = outcome.result
    if (error === ErrorCode.sessionMoved || error === ErrorCode.sessionExpired) {
      this.close()
      return true
    }
    this.lastZxid = zxid
    writeWriteReply(this.#out, opcode, xid, zxid, error, result)
    this.#wrote()
    if (pending.request.kind === 'closeSession') this.close()
    return true
  }

  #answerHere(request: LocalRequest): void {
    const { outputBytesMax, watchesMax, stats } = this.#options
    this.lastZxid = this.#ensemble.machine.lastZxid
    writeLocalAnswer(this.#out, request, {
      ensemble: this.#ensemble,
      client: this,
      proved: this.#authentication.proved,
      // No single reply takes more than half of what may be gathered for a client.
      replyBytesMax: outputBytesMax / 2,
    })
    this.#wrote()
    if (request.kind === 'unimplemented') return this.close()
    if (this.#ensemble.watches.countOf(this.connection) > watchesMax) {
      stats.connectionsDropped += 1
      this.close()
    }
  }

  // --- Watches -----------------------------------------------------------------------------------

  /** A watch event: written at once, so before the reply to whatever revealed the change. */
  notify(event: WatchEvent): void {
    if (this.#state !== 'open') return
    const before = this.#out.length
    writeNotification(this.#out, event)
    this.#options.stats.watchBytes += this.#out.length - before
    this.#wrote()
  }

  // --- Bytes out, and the end --------------------------------------------------------------------

  #wrote(): void {
    this.requests.sent += 1
    const { stats } = this.#options
    const bytes = this.#out.length - this.#framesEnd
    stats.packetsSent += 1
    stats.bytesSent += bytes
    stats.responseBytes.note(bytes - LENGTH_BYTES)
    this.#framesEnd = this.#out.length
    // One reply may be as long as it is: what counts is what the client had not taken before it.
    if (this.#owedBytes - bytes > this.#options.outputBytesMax) return this.#cutOff()
    if (this.#dirty) return
    this.#dirty = true
    this.#options.registry.markDirty(this)
  }

  /** A client that does not read loses its connection, not its session. */
  #cutOff(): void {
    if (this.#state === 'closed') return
    this.#options.stats.connectionsDropped += 1
    this.#out.reset()
    this.#state = 'closing'
    this.#end()
  }

  /** Writes what this turn gathered, in one go. */
  flush(): void {
    this.#dirty = false
    if (this.#out.length === 0) return
    const bytes = this.#out.take()
    this.#framesEnd = 0
    this.#unwrittenBytes += bytes.length
    this.#options.output.write(bytes)
  }

  /** The output has handed `count` bytes on. */
  written(count: number): void {
    this.#unwrittenBytes -= count
    if (!this.#intake.reading) this.#intake.take()
  }

  /** The session ended by its own close, or expired: the connection goes after its replies. */
  sessionEnded(): void {
    this.close()
  }

  /** Writes what is gathered and ends the connection; the session lives on. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closing'
    if (this.#out.length > 0) {
      this.#options.output.write(this.#out.copy())
      this.#out.reset()
    }
    this.#end()
  }

  #end(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelSilence()
    this.#queue.clear()
    this.#options.registry.remove(this)
    this.#options.output.close()
  }

  /** The other side is gone. */
  ended(): void {
    if (this.#state === 'closed') return
    this.#out.reset()
    this.#end()
  }
}
