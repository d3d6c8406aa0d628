import { createServer, type Server, type Socket } from 'node:net'
import type { Audit } from '../audit/audit.ts'
import type { Ensemble } from '../ensemble/ensemble.ts'
import type { Environment } from '../ensemble/environment.ts'
import { limits } from '../limits.ts'
import type { Credentials } from '../tls/credentials.ts'
import { TlsDoor } from '../tls/door.ts'
import { type Authenticator, certificateIdentities } from './authentication.ts'
import { ClientRegistry } from './client-registry.ts'
import { ClientConnection, type ConnectionOptions } from './connection.ts'
import { answerWord, isWord, wordBytes } from './four-letter-words.ts'
import { PacedWork } from './paced-work.ts'
import { ServerStats } from './server-stats.ts'
import { SessionThrottle, type SessionThrottleOptions } from './session-throttle.ts'
import type { WordContext } from './word-context.ts'
import type { Asker } from './word-lists.ts'

export interface ListenerOptions {
  readonly ensemble: Ensemble
  readonly environment: Environment
  readonly host: string
  readonly port: number
  /** Connections that wait to be accepted; -1: limits.listenBacklog. */
  readonly backlog?: number
  readonly authenticator: Authenticator
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly frameBytesMax: number
  readonly outputBytesMax: number
  readonly replyWindowBytes: number
  readonly requestsPerTurnMax: number
  readonly admissionsPerTurnMax: number
  readonly outstandingMax: number
  readonly watchesMax: number
  /** 0: no limit. */
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
  readonly handshakeTimeoutMs: number
  readonly throttle: SessionThrottleOptions
  readonly linearizableReads: boolean
  readonly extendedTypes?: boolean
  readonly fourLetterWords: readonly string[]
  readonly words: Omit<WordContext, 'ensemble' | 'registry' | 'stats'>
  readonly audit?: Audit | null
  /** Null: plain connections alone. */
  readonly tls: ListenerTls | null
}

export interface ListenerTls {
  readonly credentials: Credentials
  /** Of the port that takes TLS alone. */
  readonly host: string
  readonly port: number
  /** `port` of the listener takes TLS too: the first byte tells. */
  readonly shared: boolean
  /** The subject whose certificate makes a superuser; '' for none. */
  readonly superSubject: string
}

/** ZooKeeper clients over TCP; what is said on a connection is connection.ts. */
export class Listener {
  readonly stats = new ServerStats()
  readonly registry: ClientRegistry
  readonly #throttle: SessionThrottle
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #secureServer: Server
  readonly #door: TlsDoor | null
  /** Connections as they came in; those with TLS and those still in a handshake too. */
  readonly #sockets = new Set<Socket>()
  /** What is spoken on: the sockets of plain connections, the TLS of the others. */
  readonly #streams = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()
  /** Those that came in and had no turn yet: nothing of them is read before. */
  readonly #arrivals: PacedWork

  constructor(options: ListenerOptions) {
    this.#options = options
    this.registry = new ClientRegistry(options.ensemble, options.audit)
    options.ensemble.setHooks(this.registry)
    this.#throttle = new SessionThrottle(options.throttle, options.environment, this.stats)
    this.#arrivals = new PacedWork(options.admissionsPerTurnMax)
    const { tls, handshakeTimeoutMs } = options
    this.#door =
      tls === null
        ? null
        : new TlsDoor({
            credentials: tls.credentials,
            handshakeTimeoutMs,
            inTurn: (arrived, begin) => this.#inTurn(arrived, begin),
            admitted: (stream, subject) => this.#greet(stream, subject),
          })
    const shared = tls?.shared === true
    const common = { noDelay: true, keepAlive: true, allowHalfOpen: false, pauseOnConnect: true }
    this.#server = createServer(common, (socket) => {
      this.#accept(socket, () => {
        const greet = () => this.#greet(socket, null)
        if (shared) return this.#door?.takeEither(socket, greet)
        greet()
        socket.resume()
      })
    })
    this.#secureServer = createServer(common, (socket) => {
      this.#accept(socket, () => this.#door?.take(socket))
    })
  }

  /** Opens the port for plain connections, and for all where it is shared. */
  listen(): Promise<void> {
    return open(this.#server, this.#options, this.#options.backlog)
  }

  /** Opens the port for TLS alone. */
  async listenSecurely(): Promise<void> {
    const { tls } = this.#options
    if (tls !== null) await open(this.#secureServer, tls, this.#options.backlog)
  }

  /** Stops accepting and ends all connections after what is gathered for them. */
  async close(): Promise<void> {
    const closed = Promise.all([this.#server, this.#secureServer].map(closing))
    for (const connection of [...this.registry.all()]) connection.close()
    for (const stream of this.#streams) stream.destroySoon()
    // Nobody waits for a client that does not read, or that is in the midst of a handshake.
    const rest = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy()
    }, limits.clientCloseMsMax)
    await closed
    clearTimeout(rest)
  }

  /**
   * Calls `admit` when it is the socket's turn, unless there is no room for it. A handshake that was
   * only begun takes room too.
   */
  #accept(socket: Socket, admit: () => void): void {
    const address = addressOf(socket)
    const used = this.#perAddress.get(address) ?? 0
    const { connectionsMax, connectionsPerAddressMax } = this.#options
    const full =
      (connectionsMax > 0 && this.#sockets.size >= connectionsMax) ||
      (connectionsPerAddressMax > 0 && used >= connectionsPerAddressMax)
    if (full) {
      this.stats.connectionsRejected += 1
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#perAddress.set(address, used + 1)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      const left = (this.#perAddress.get(address) ?? 1) - 1
      if (left === 0) this.#perAddress.delete(address)
      else this.#perAddress.set(address, left)
    })
    // An error is followed by close, which is all that matters here.
    socket.on('error', () => {})
    this.#inTurn(socket, admit)
  }

  #inTurn(socket: Socket, admit: () => void): void {
    this.stats.connectionsArriving += 1
    this.#arrivals.add(() => {
      this.stats.connectionsArriving -= 1
      if (!socket.destroyed) admit()
    })
  }

  /**
   * The first four bytes are a frame's length, or a word in ASCII. `subject` is that of the client's
   * certificate.
   */
  #greet(socket: Socket, subject: string | null): void {
    const address = addressOf(socket)
    this.#streams.add(socket)
    let early = Buffer.alloc(0)
    const timer = setTimeout(() => {
      if (connection !== null && !connection.handshaking) return
      this.stats.handshakesLate += 1
      socket.destroy()
    }, this.#options.handshakeTimeoutMs)
    let connection: ClientConnection | null = null
    socket.on('data', (chunk) => {
      if (connection !== null) return connection.receive(chunk)
      early = early.length === 0 ? chunk : Buffer.concat([early, chunk])
      if (early.length < 4) return
      const word = early.toString('latin1', 0, 4)
      if (isWord(word)) {
        if (early.length < wordBytes(word, this.#options.fourLetterWords)) return
        socket.pause()
        socket.end(this.#answer(early, { address, port: socket.remotePort ?? 0 }))
        return
      }
      connection = this.#connect(socket, address, subject)
      connection.receive(early)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      this.#streams.delete(socket)
      connection?.ended()
    })
  }

  /** What four-letter words, and the commands of the AdminServer, report on. */
  get wordContext(): WordContext {
    const { ensemble, words } = this.#options
    return { ...words, ensemble, registry: this.registry, stats: this.stats }
  }

  #answer(bytes: Uint8Array, asker: Asker): string {
    return answerWord(bytes, this.#options.fourLetterWords, this.wordContext, asker)
  }

  #connect(socket: Socket, address: string, subject: string | null): ClientConnection {
    const connectionOptions: ConnectionOptions = {
      // More than is asked for: to leave some out takes twice the time, at every connection.
      ...this.#options,
      registry: this.registry,
      stats: this.stats,
      throttle: this.#throttle,
      address,
      port: socket.remotePort ?? 0,
      identities: certificateIdentities(subject, this.#options.tls?.superSubject ?? ''),
      output: {
        write: (bytes) => {
          socket.write(bytes, () => connection.written(bytes.length))
        },
        close: () => {
          // A client that does not read must not keep the socket for ever.
          socket.end()
          setTimeout(() => socket.destroy(), limits.clientCloseMsMax).unref()
        },
        setReading: (reading) => {
          if (reading) socket.resume()
          else socket.pause()
        },
      },
    }
    const connection: ClientConnection = new ClientConnection(connectionOptions)
    return connection
  }
}

function addressOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}

function open(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  backlog = -1,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const waiting = backlog === -1 ? limits.listenBacklog : backlog
    server.listen({ port, ...(host === '' ? {} : { host }), backlog: waiting }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Resolves when the last connection of the server is gone; at once where it was never opened. */
function closing(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
