import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import type { Credentials } from '../tls/credentials.ts'
import { TlsDoor } from '../tls/door.ts'

export interface HttpTls {
  readonly credentials: Credentials
  /** Plain HTTP is taken on the same port: the first byte tells. */
  readonly shared: boolean
  readonly handshakeTimeoutMs: number
  /** The subject whose certificate makes a superuser; '' for none. */
  readonly superSubject: string
  /** Whether other servers must have a certificate for their host, when they are asked. */
  readonly verifyHost: boolean
}

/** For what a client sends. */
export interface HttpTimeouts {
  readonly requestTimeout: number
  readonly headersTimeout: number
  readonly connectionsCheckingInterval: number
}

/** HTTP behind a TLS handshake, with the subjects of the certificates that were shown there. */
export class TlsServers {
  readonly #tls: HttpTls
  readonly #subjects = new WeakMap<Socket, string>()
  /** Connections that are in a handshake, or have not sent their first byte. */
  readonly #handshaking = new Set<Socket>()

  constructor(tls: HttpTls) {
    this.#tls = tls
  }

  /** Of the certificate that came with the request and was checked; null without one. */
  subjectOf(request: FastifyRequest): string | null {
    return this.#subjects.get(request.raw.socket) ?? null
  }

  /** A server of HTTP whose connections come through the handshake first. */
  create(timeouts: HttpTimeouts, handler: RequestListener): Server {
    const server = createServer(timeouts, handler)
    // What the server does with a connection, it does behind the handshake.
    const [serve] = server.listeners('connection')
    if (serve === undefined) throw new Error('a server of HTTP takes no connections')
    server.removeAllListeners('connection')
    const { credentials, shared, handshakeTimeoutMs } = this.#tls
    const door = new TlsDoor({
      credentials,
      handshakeTimeoutMs,
      admitted: (stream, subject) => {
        if (subject !== null) this.#subjects.set(stream, subject)
        serve.call(server, stream)
      },
    })
    server.on('connection', (socket: Socket) => {
      this.#handshaking.add(socket)
      const settled = () => this.#handshaking.delete(socket)
      socket.once('close', settled)
      // An error is followed by close, which is all that matters here.
      socket.on('error', () => {})
      if (!shared) return door.take(socket)
      door.takeEither(socket, () => {
        settled()
        serve.call(server, socket)
      })
    })
    return server
  }

  /** Nobody waits for a handshake when the server stops. */
  endHandshakes(): void {
    for (const socket of this.#handshaking) socket.destroy()
  }
}
