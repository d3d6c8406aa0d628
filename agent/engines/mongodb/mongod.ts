import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Document } from 'bson'
import { within } from '../../deadline.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { authenticate, type Credentials } from './scram.ts'
import { encodeMessage, ReplyReader } from './wire.ts'

/** Codes with which a server refuses (MongoDB's error_codes.yml). */
export const refusals = {
  unauthorized: 13,
  authenticationFailed: 18,
  alreadyInitialized: 23,
  shutdownInProgress: 91,
  invalidSetConfig: 93,
  notYetInitialized: 94,
  incompatibleConfig: 103,
  configurationInProgress: 109,
  primarySteppedDown: 189,
  configNotCommitted: 308,
  notWritablePrimary: 10_107,
  interruptedAtShutdown: 11_600,
  interruptedByStateChange: 11_602,
  notPrimaryOrSecondary: 13_436,
  userExists: 51_003,
} as const

/** What a connection is made with. */
export interface MongodOptions {
  readonly host: string
  readonly port: number
  /** Null: without TLS. Read at each connection: certificates are renewed. */
  readonly tls: (() => MongodTls) | null
  /** Read at each login: a password is changed. */
  readonly credentials: () => Credentials
}

export interface MongodTls {
  readonly ca: string
  /** '' for none. */
  readonly cert: string
  readonly key: string
  /** What the server's certificate must be for. */
  readonly serverName: string
}

/** ENGINE_UNREACHABLE because nothing came in time: whatever else goes wrong is said at once. */
export class LateError extends AgentError {
  constructor(message: string) {
    super('ENGINE_UNREACHABLE', message)
  }
}

/**
 * One server and a connection to it alone, made when it is needed and anew after whatever went wrong on it.
 * Rejects with ENGINE_UNREACHABLE, or ENGINE_REFUSED with MongoDB's code as `detail`.
 */
export class Mongod {
  readonly #options: MongodOptions
  #connection: Connection | null = null
  #opening: Promise<Connection> | null = null

  constructor(options: MongodOptions) {
    this.#options = options
  }

  /** A connection was accepted and has not ended. */
  get isConnected(): boolean {
    return this.#connection !== null
  }

  /** As whoever asks is: nobody, or the agent's user once it is logged in. */
  async plain(command: Document, timeoutMs: number = limits.mongodbAnswerMs): Promise<Document> {
    const connection = await this.#connect()
    return await connection.send(command, timeoutMs)
  }

  /** As the agent's user. Rejects with the code `authenticationFailed` while there is no such user. */
  async asAgent(command: Document, timeoutMs: number = limits.mongodbAnswerMs): Promise<Document> {
    const connection = await this.#connect()
    if (!connection.isLoggedIn) {
      const send = (step: Document) => connection.send(step, timeoutMs)
      await authenticate(send, this.#options.credentials())
      connection.isLoggedIn = true
    }
    return await connection.send(command, timeoutMs)
  }

  /** As nobody where that is allowed (the localhost exception), else as the agent's user. */
  async asAllowed(
    command: Document,
    timeoutMs: number = limits.mongodbAnswerMs,
  ): Promise<Document> {
    try {
      return await this.plain(command, timeoutMs)
    } catch (error) {
      if (!isRefusal(error, refusals.unauthorized)) throw error
      return await this.asAgent(command, timeoutMs)
    }
  }

  close(): void {
    this.#connection?.close()
    this.#connection = null
  }

  async #connect(): Promise<Connection> {
    if (this.#connection !== null) return this.#connection
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null
    })
    return await this.#opening
  }

  async #open(): Promise<Connection> {
    const { host, port, tls } = this.#options
    const place = `${host}:${port}`
    try {
      const socket = await dial(host, port, tls?.() ?? null)
      const connection = new Connection(place, socket, () => {
        if (this.#connection === connection) this.#connection = null
      })
      this.#connection = connection
      return connection
    } catch (error) {
      if (error instanceof LateError) throw error
      throw new AgentError('ENGINE_UNREACHABLE', `${place}: ${messageOf(error)}`)
    }
  }
}

/** True for an AgentError by which MongoDB refused with one of these codes. */
export function isRefusal(error: unknown, ...codes: readonly number[]): boolean {
  if (!(error instanceof AgentError) || error.code !== 'ENGINE_REFUSED') return false
  return error.detail !== null && codes.includes(error.detail)
}

function dial(host: string, port: number, tls: MongodTls | null): Promise<Socket> {
  // An address is not a name that a client may ask for; the certificate is checked against it all the same.
  const secure = tls && {
    ca: tls.ca,
    ...(tls.cert === '' ? {} : { cert: tls.cert, key: tls.key }),
    servername: /[a-z]/i.test(tls.serverName) ? tls.serverName : '',
  }
  const socket = secure === null ? connect({ host, port }) : connectTls({ host, port, ...secure })
  const open = new Promise<Socket>((resolve, reject) => {
    socket.once(secure === null ? 'connect' : 'secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
  return within(open, limits.mongodbDialMs, () => {
    socket.destroy()
    return new LateError(`${host}:${port}: no connection in time`)
  })
}

interface Waiting {
  readonly resolve: (document: Document) => void
  readonly reject: (error: Error) => void
}

class Connection {
  readonly #place: string
  readonly #socket: Socket
  readonly #waiting = new Map<number, Waiting>()
  isLoggedIn = false
  #lastId = 0

  constructor(place: string, socket: Socket, ended: () => void) {
    this.#place = place
    this.#socket = socket
    const reader = new ReplyReader(limits.mongodbFrameBytesMax)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const { responseTo, document } of reader.read(chunk)) {
          this.#waiting.get(responseTo)?.resolve(document)
        }
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(messageOf(error)))
      }
    })
    let reason = 'the connection ended'
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => {
      ended()
      const error = new AgentError('ENGINE_UNREACHABLE', `${place}: ${reason}`)
      for (const { reject } of this.#waiting.values()) reject(error)
    })
  }

  async send(command: Document, timeoutMs: number): Promise<Document> {
    this.#lastId += 1
    const id = this.#lastId
    const answer = new Promise<Document>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      // The first key is the name of the command.
      this.#socket.write(encodeMessage(id, { ...command, $db: 'admin' }))
    })
    try {
      const document = await within(answer, timeoutMs, () => this.#late(timeoutMs))
      if (document['ok'] !== 1) throw refused(this.#place, command, document)
      return document
    } finally {
      this.#waiting.delete(id)
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  /** What came of the command is not known, and its answer may still come: the connection goes. */
  #late(timeoutMs: number): LateError {
    this.#socket.destroy()
    return new LateError(`${this.#place}: no answer within ${timeoutMs} ms`)
  }
}

function refused(place: string, command: Document, reply: Document): AgentError {
  const code = typeof reply['code'] === 'number' ? reply['code'] : null
  const name = Object.keys(command)[0] ?? ''
  const told = `${name} at ${place}: ${code} ${reply['codeName'] ?? ''} ${reply['errmsg'] ?? ''}`
  return new AgentError('ENGINE_REFUSED', told, code)
}
