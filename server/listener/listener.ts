import { createServer, type Server, type Socket } from 'node:net'
import type { Ensemble } from '../ensemble/ensemble.ts'
import type { Environment } from '../ensemble/environment.ts'
import type { Authenticator } from './authentication.ts'
import { ClientRegistry } from './client-registry.ts'
import { ClientConnection, type ConnectionOptions } from './connection.ts'
import { answerWord, isWord, type WordContext } from './four-letter-words.ts'
import { ServerStats } from './server-stats.ts'

export interface ListenerOptions {
  readonly ensemble: Ensemble
  readonly environment: Environment
  readonly host: string
  readonly port: number
  readonly authenticator: Authenticator
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly frameBytesMax: number
  readonly outputBytesMax: number
  readonly outstandingMax: number
  readonly watchesMax: number
  /** 0: no limit. */
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
  readonly handshakeTimeoutMs: number
  readonly linearizableReads: boolean
  readonly fourLetterWords: readonly string[]
  readonly words: Omit<WordContext, 'ensemble' | 'registry' | 'stats'>
}

/** ZooKeeper clients over TCP; what is said on a connection is connection.ts. */
export class Listener {
  readonly stats = new ServerStats()
  readonly registry: ClientRegistry
  readonly #options: ListenerOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()

  constructor(options: ListenerOptions) {
    this.#options = options
    this.registry = new ClientRegistry(options.ensemble)
    options.ensemble.setHooks(this.registry)
    this.#server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) =>
      this.#accept(socket),
    )
  }

  listen(): Promise<void> {
    const { host, port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ port, ...(host === '' ? {} : { host }), backlog: 1024 }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  /** Stops accepting and ends all connections after what is gathered for them. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const connection of [...this.registry.all()]) connection.close()
      for (const socket of this.#sockets) socket.destroySoon()
    })
  }

  #accept(socket: Socket): void {
    const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
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
    this.#greet(socket, address)
  }

  /** The first four bytes are a frame's length, or a word in ASCII. */
  #greet(socket: Socket, address: string): void {
    let early = Buffer.alloc(0)
    const timer = setTimeout(() => {
      if (connection === null || connection.handshaking) socket.destroy()
    }, this.#options.handshakeTimeoutMs)
    let connection: ClientConnection | null = null
    socket.on('data', (chunk) => {
      if (connection !== null) return connection.receive(chunk)
      early = early.length === 0 ? chunk : Buffer.concat([early, chunk])
      if (early.length < 4) return
      const word = early.toString('latin1', 0, 4)
      if (isWord(word)) {
        socket.pause()
        socket.end(this.#answer(word))
        return
      }
      connection = this.#connect(socket, address)
      connection.receive(early)
    })
    socket.on('close', () => {
      clearTimeout(timer)
      connection?.ended()
    })
  }

  #answer(word: string): string {
    const { ensemble, fourLetterWords, words } = this.#options
    const context = { ...words, ensemble, registry: this.registry, stats: this.stats }
    return answerWord(word, fourLetterWords, context)
  }

  #connect(socket: Socket, address: string): ClientConnection {
    const { ensemble, environment, authenticator, ...options } = this.#options
    const connectionOptions: ConnectionOptions = {
      ...options,
      ensemble,
      environment,
      authenticator,
      registry: this.registry,
      stats: this.stats,
      address,
      port: socket.remotePort ?? 0,
      output: {
        write: (bytes) => {
          socket.write(bytes, () => connection.written(bytes.length))
        },
        close: () => {
          // A client that does not read must not keep the socket for ever.
          socket.end()
          setTimeout(() => socket.destroy(), CLOSE_GRACE_MS).unref()
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

const CLOSE_GRACE_MS = 1_000
