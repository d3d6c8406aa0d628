import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ClientAuth, Credentials } from './credentials.ts'
import { subjectName } from './subject-name.ts'

/** The first byte of a TLS handshake; no frame of ours or ZooKeeper's and no word begins with it. */
const HANDSHAKE_RECORD = 0x16

export interface TlsDoorOptions {
  readonly credentials: Credentials
  readonly handshakeTimeoutMs: number
  /** The handshake is done and the certificate is good enough; `subject` is null without one. */
  readonly admitted: (socket: TLSSocket, subject: string | null) => void
}

/** Takes accepted sockets through the TLS handshake. It has no port of its own. */
export class TlsDoor {
  readonly #server: Server
  readonly #options: TlsDoorOptions

  constructor(options: TlsDoorOptions) {
    this.#options = options
    const { credentials, handshakeTimeoutMs } = options
    this.#server = createServer({
      ...credentials.context,
      requestCert: credentials.clientAuth !== 'none',
      // #admit looks at the certificate itself, to be able to say what is wrong with it.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
    })
    credentials.onReload(() => this.#server.setSecureContext(credentials.context))
    this.#server.on('secureConnection', (socket) => this.#admit(socket))
    this.#server.on('tlsClientError', (error, socket) => {
      credentials.failed(socket.remoteAddress ?? 'unknown', error.message)
      socket.destroy()
    })
  }

  /** From here on the socket is the door's; nothing of it may have been read. */
  take(socket: Socket): void {
    this.#server.emit('connection', socket)
  }

  /**
   * As `take`, for a port that takes plain connections too: those go to `plain`, with nothing read.
   * The first byte has to come as soon as a whole handshake.
   */
  takeEither(socket: Socket, plain: () => void): void {
    const timer = setTimeout(() => socket.destroy(), this.#options.handshakeTimeoutMs)
    socket.once('close', () => clearTimeout(timer))
    socket.once('data', (early) => {
      clearTimeout(timer)
      socket.pause()
      socket.unshift(early)
      if (early[0] === HANDSHAKE_RECORD) return this.take(socket)
      plain()
      socket.resume()
    })
  }

  #admit(socket: TLSSocket): void {
    // An error is followed by close, which is all that matters here.
    socket.on('error', () => {})
    const { credentials, admitted } = this.#options
    const certificate = socket.getPeerX509Certificate()
    const refusal = refusalOf(socket, credentials.clientAuth, certificate !== undefined)
    const subject = certificate === undefined ? null : subjectName(certificate.raw)
    if (refusal === null) return admitted(socket, subject)
    credentials.failed(socket.remoteAddress ?? 'unknown', refusal)
    socket.destroy()
  }
}

/** Why the connection may not go on; null when it may. */
function refusalOf(socket: TLSSocket, clientAuth: ClientAuth, shown: boolean): string | null {
  if (clientAuth === 'none') return null
  if (!shown) return clientAuth === 'need' ? 'no certificate was shown' : null
  return socket.authorized ? null : `the certificate is refused: ${socket.authorizationError}`
}
