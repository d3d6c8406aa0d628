import { connect, type Socket } from 'node:net'
import { Fields, frame, Taken } from './raw-bytes.ts'

const ANSWER_WITHIN_MS = 30_000

export const op = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  createSession: -10,
  close: -11,
} as const

export interface Handshake {
  /** The bytes of the answer's payload: 36, or 37 with the read-only byte. */
  readonly length: number
  readonly protocolVersion: number
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
  readonly readOnly: boolean | null
}

export interface ConnectOptions {
  readonly timeoutMs?: number
  readonly sessionId?: bigint
  readonly password?: Uint8Array
  readonly lastZxidSeen?: bigint
  /** null leaves the byte out, as clients before 3.4 do. */
  readonly readOnly?: boolean | null
}

/** A reply or an event: its header and what follows. */
export interface Message {
  readonly xid: number
  readonly zxid: bigint
  readonly err: number
  readonly body: Taken
}

export interface WatchEvent {
  readonly type: number
  readonly state: number
  readonly path: string | null
  readonly zxid: bigint
}

/** One TCP connection to a server, frame by frame. Nothing is sent that a test did not ask for. */
export class RawConnection {
  readonly #socket: Socket
  #buffered: Buffer = Buffer.alloc(0)
  #payloads: Buffer[] = []
  #closed = false
  /** Called when a payload has come, or the end. */
  #changed: () => void = () => undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#take(chunk)
      this.#changed()
    })
    socket.on('close', () => {
      this.#closed = true
      this.#changed()
    })
    // A reset is one of the ways a server closes; 'close' follows.
    socket.on('error', () => undefined)
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
      socket.once('error', reject)
    })
  }

  get isClosed(): boolean {
    return this.#closed
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** The next payload that the server sent; null when it closed the connection instead. */
  async payload(withinMs = ANSWER_WITHIN_MS): Promise<Buffer | null> {
    await this.#until('a frame', () => this.#payloads.length > 0 || this.#closed, withinMs)
    return this.#payloads.shift() ?? null
  }

  /** Takes no more frames; resolves when the server has closed, with the frames it had sent. */
  async closed(withinMs = ANSWER_WITHIN_MS): Promise<Buffer[]> {
    await this.#until('the end of the connection', () => this.#closed, withinMs)
    return this.#payloads.splice(0)
  }

  /** Cuts the connection without closing the session. */
  drop(): void {
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }

  #until(what: string, met: () => boolean, withinMs: number): Promise<void> {
    if (met()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#changed = () => undefined
        reject(new Error(`${what}: not within ${withinMs} ms`))
      }, withinMs)
      this.#changed = () => {
        if (!met()) return
        clearTimeout(timer)
        this.#changed = () => undefined
        resolve()
      }
    })
  }

  #take(chunk: Buffer): void {
    let bytes = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    while (bytes.length >= 4) {
      const length = bytes.readInt32BE(0)
      if (bytes.length < 4 + length) break
      this.#payloads.push(bytes.subarray(4, 4 + length))
      bytes = bytes.subarray(4 + length)
    }
    this.#buffered = bytes
  }
}

export function connectRequest(options: ConnectOptions): Buffer {
  const fields = new Fields()
    .int(0)
    .long(options.lastZxidSeen ?? 0n)
    .int(options.timeoutMs ?? 30_000)
    .long(options.sessionId ?? 0n)
    .text(options.password ?? Buffer.alloc(16))
  const readOnly = options.readOnly === undefined ? false : options.readOnly
  if (readOnly !== null) fields.bool(readOnly)
  return frame(fields.bytes())
}

/** The answer to a connect request, or null when the server closed without one. */
export async function handshake(
  connection: RawConnection,
  options: ConnectOptions = {},
): Promise<Handshake | null> {
  connection.write(connectRequest(options))
  const payload = await connection.payload()
  if (payload === null) return null
  const taken = new Taken(payload)
  return {
    length: payload.length,
    protocolVersion: taken.int(),
    timeoutMs: taken.int(),
    sessionId: taken.long(),
    password: taken.buffer() ?? Buffer.alloc(0),
    readOnly: taken.left > 0 ? taken.bool() : null,
  }
}

/** A session over one connection: requests by number, every message kept in the order it came. */
export class RawClient {
  readonly connection: RawConnection
  readonly session: Handshake
  /** Events that came before a reply that was waited for. */
  readonly events: WatchEvent[] = []
  #xid = 0

  private constructor(connection: RawConnection, session: Handshake) {
    this.connection = connection
    this.session = session
  }

  /** Opens a session, or takes one up again; throws when the server refuses. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const connection = await RawConnection.open(port)
    const session = await handshake(connection, options)
    if (session === null || session.timeoutMs === 0) {
      connection.drop()
      throw new Error(session === null ? 'closed at the handshake' : 'the session has expired')
    }
    return new RawClient(connection, session)
  }

  /** Sends a request and returns its xid, without waiting. */
  send(type: number, body: Fields = new Fields(), xid = ++this.#xid): number {
    this.connection.write(frame(new Fields().int(xid).int(type).raw(body.bytes()).bytes()))
    return xid
  }

  /** The next message, an event or a reply. */
  async message(withinMs?: number): Promise<Message> {
    const payload = await this.connection.payload(withinMs)
    if (payload === null) throw new Error('the server closed the connection')
    const body = new Taken(payload)
    return { xid: body.int(), zxid: body.long(), err: body.int(), body }
  }

  /** The reply to the oldest request still open; events before it are kept in `events`. */
  async reply(xid: number): Promise<Message> {
    for (;;) {
      const message = await this.message()
      if (message.xid === -1) this.events.push(eventOf(message))
      else if (message.xid === xid) return message
      else throw new Error(`a reply to ${message.xid} where ${xid} was next`)
    }
  }

  async request(type: number, body?: Fields, xid?: number): Promise<Message> {
    return await this.reply(this.send(type, body, xid))
  }

  /** The error code of a request. */
  async code(type: number, body?: Fields, xid?: number): Promise<number> {
    return (await this.request(type, body, xid)).err
  }

  /** The next message, which must be an event. */
  async event(withinMs?: number): Promise<WatchEvent> {
    const kept = this.events.shift()
    return kept ?? eventOf(await this.message(withinMs))
  }

  /** The events of everything that was acknowledged, to any client, before this call. */
  async settle(): Promise<WatchEvent[]> {
    await this.catchUp()
    return this.events.splice(0)
  }

  /**
   * Resolves when the server has applied everything that was acknowledged, to any client, before this call. By a write
   * that is refused, since that has its turn behind the others: the leader of Apache ZooKeeper answers a sync of its own
   * clients before it has applied what followers may have told of already.
   */
  async catchUp(): Promise<void> {
    await this.request(op.delete, new Fields().text('/no-such-znode').int(-1))
  }

  /** Closes the session; resolves when the server has closed the connection. */
  async close(): Promise<void> {
    if (this.connection.isClosed) return
    this.send(op.close)
    await this.connection.closed()
  }
}

function eventOf(message: Message): WatchEvent {
  if (message.xid !== -1) throw new Error(`a reply to ${message.xid} where an event was next`)
  const { body, zxid } = message
  return { type: body.int(), state: body.int(), path: body.text(), zxid }
}
