import { randomBytes } from 'node:crypto'
import { plainCreate } from '../../../server/core/machine/operation.ts'
import type { Environment } from '../../../server/ensemble/environment.ts'
import { DIGEST_ALONE } from '../../../server/listener/authentication.ts'
import { ClientRegistry } from '../../../server/listener/client-registry.ts'
import { ClientConnection, type ConnectionOptions } from '../../../server/listener/connection.ts'
import { ServerStats } from '../../../server/listener/server-stats.ts'
import { SessionThrottle, UNTHROTTLED } from '../../../server/listener/session-throttle.ts'
import {
  type ClientWrite,
  decodeServerFrame,
  encodeClientRequest,
  encodePing,
  encodeRead,
  encodeWrite,
  READ_OPCODES,
  type SentRequest,
  type ServerFrame,
  writeOpcode,
} from '../../../server/wire/client-codec.ts'
import { FrameSplitter } from '../../../server/wire/framing.ts'
import {
  type ConnectRequest,
  type ConnectResponse,
  decodeConnectResponse,
  encodeConnectRequest,
} from '../../../server/wire/handshake.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import type { ReadRequest } from '../../../server/wire/read.ts'
import { ManualEnsemble } from './manual-ensemble.ts'

export type Limits = Partial<
  Pick<
    ConnectionOptions,
    | 'authenticator'
    | 'identities'
    | 'frameBytesMax'
    | 'outputBytesMax'
    | 'replyWindowBytes'
    | 'requestsPerTurnMax'
    | 'throttle'
    | 'outstandingMax'
    | 'watchesMax'
    | 'linearizableReads'
    | 'extendedTypes'
  >
>

/** One server's listener side over an ensemble in the test's hand; time stands still. */
export class ListenerHarness {
  readonly ensemble = new ManualEnsemble()
  readonly registry = new ClientRegistry(this.ensemble)
  readonly stats = new ServerStats()
  nowMs = 1_000
  readonly #timers = new Set<{ readonly atMs: number; readonly call: () => void }>()

  constructor() {
    this.ensemble.setHooks(this.registry)
  }

  readonly environment: Environment = {
    nowMs: () => this.nowMs,
    wallClockMs: () => 1_700_000_000_000,
    random: () => 0.5,
    randomBytes: (count) => randomBytes(count),
    after: (delayMs, call) => {
      const timer = { atMs: this.nowMs + delayMs, call }
      this.#timers.add(timer)
      return () => this.#timers.delete(timer)
    },
    endOfTurn: () => {},
    log: () => {},
  }

  /** Lets time pass, and what was to happen by then. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].sort((left, right) => left.atMs - right.atMs)
      if (next === undefined || next.atMs > untilMs) break
      this.#timers.delete(next)
      this.nowMs = next.atMs
      next.call()
    }
    this.nowMs = untilMs
    this.ensemble.endTurn()
  }

  connect(limits: Limits = {}, address = '127.0.0.1'): Client {
    return new Client(this, limits, address)
  }

  /** A client whose session is open. */
  open(limits: Limits = {}, address = '127.0.0.1'): Client {
    const client = this.connect(limits, address)
    client.introduce()
    this.ensemble.commitAll()
    return client
  }
}

/** The client's end of a connection, in bytes: what it sends, and what the server wrote. */
export class Client {
  readonly connection: ClientConnection
  readonly #harness: ListenerHarness
  readonly #splitter = new FrameSplitter(64 * 1024 * 1024)
  readonly #opcodes = new Map<number, number>([[-4, 100]])
  /** Payload lengths of the frames that came, the handshake's first. */
  readonly lengths: number[] = []
  readonly frames: ServerFrame[] = []
  /** One per write of the server: how many bytes. */
  readonly writes: number[] = []
  handshake: ConnectResponse | null = null
  closed = false
  reading = true
  /** False: what is written stays in the server's output, as for a client that does not read. */
  takes = true

  constructor(harness: ListenerHarness, limits: Limits, address: string) {
    this.#harness = harness
    const { ensemble, registry, environment, stats } = harness
    this.connection = new ClientConnection({
      ensemble,
      registry,
      environment,
      stats,
      address,
      throttle: new SessionThrottle(UNTHROTTLED, environment, stats),
      authenticator: DIGEST_ALONE,
      sessionTimeoutMsMin: 4_000,
      sessionTimeoutMsMax: 40_000,
      frameBytesMax: 1_048_575,
      outputBytesMax: 16 * 1024 * 1024,
      replyWindowBytes: 1024 * 1024,
      requestsPerTurnMax: 64,
      outstandingMax: 1_000,
      watchesMax: 1_000,
      linearizableReads: false,
      ...limits,
      output: {
        write: (bytes) => this.#take(bytes),
        close: () => {
          this.closed = true
        },
        setReading: (reading) => {
          this.reading = reading
        },
      },
    })
  }

  #take(bytes: Uint8Array): void {
    this.writes.push(bytes.length)
    if (this.takes) this.connection.written(bytes.length)
    this.#splitter.push(bytes)
    for (let frame = this.#splitter.next(); frame !== null; frame = this.#splitter.next()) {
      this.lengths.push(frame.length)
      if (this.handshake === null) {
        this.handshake = decodeConnectResponse(frame)
        continue
      }
      const decoded = decodeServerFrame(frame, (xid) => this.#opcodes.get(xid))
      if (decoded === null) throw new Error('the server wrote what no client can read')
      this.frames.push(decoded)
    }
  }

  introduce(request: Partial<ConnectRequest> = {}): void {
    const writer = new JuteWriter()
    encodeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0,
      timeoutMs: 10_000,
      sessionId: 0,
      password: new Uint8Array(16),
      readOnly: false,
      ...request,
    })
    this.connection.receive(writer.copy())
    this.#harness.ensemble.endTurn()
  }

  get session(): number {
    return Number(this.handshake?.sessionId ?? 0)
  }

  /** All requests in one chunk, as a pipelining client sends them. */
  send(...requests: SentRequest[]): void {
    const writer = new JuteWriter()
    for (const request of requests) {
      if ('opcode' in request) this.#opcodes.set(request.xid, request.opcode)
      encodeClientRequest(writer, request)
    }
    this.bytes(writer.copy())
  }

  bytes(bytes: Uint8Array): void {
    this.connection.receive(bytes)
    this.#harness.ensemble.endTurn()
  }

  write(xid: number, operation: ClientWrite): void {
    const writer = new JuteWriter()
    this.#opcodes.set(xid, writeOpcode(operation))
    encodeWrite(writer, xid, operation)
    this.bytes(writer.copy())
  }

  read(xid: number, read: ReadRequest): void {
    const writer = new JuteWriter()
    this.#opcodes.set(xid, READ_OPCODES[read.kind])
    encodeRead(writer, xid, read)
    this.bytes(writer.copy())
  }

  ping(): void {
    const writer = new JuteWriter()
    encodePing(writer)
    this.#opcodes.set(-2, 11)
    this.bytes(writer.copy())
  }

  close(xid: number): void {
    this.send({ kind: 'closeSession', xid, opcode: -11 })
  }

  /** The xids that were answered, in order; -1 is an event. */
  get answered(): number[] {
    return this.frames.map((frame) => (frame.kind === 'notification' ? -1 : frame.xid))
  }

  reply(xid: number): Extract<ServerFrame, { kind: 'reply' }> {
    const found = this.frames.find((frame) => frame.kind === 'reply' && frame.xid === xid)
    if (found?.kind !== 'reply') throw new Error(`no reply to ${xid}`)
    return found
  }

  get events(): Extract<ServerFrame, { kind: 'notification' }>[] {
    return this.frames.filter((frame) => frame.kind === 'notification')
  }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)

export function creation(
  path: string,
  value = '',
  mode: 'persistent' | 'ephemeral' = 'persistent',
) {
  return { ...plainCreate(path, text(value)), mode }
}
