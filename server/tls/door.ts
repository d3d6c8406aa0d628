import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ClientAuth, Credentials } from './credentials.ts'
import { subjectName } from './subject-name.ts'

/** The first byte of a TLS handshake; no frame of ours or ZooKeeper's and no word begins with it. */
const HANDSHAKE_RECORD = 0x16

/** Of a record: its type, version and length (RFC 8446, 5.1); and the most that may follow. */
const RECORD_HEADER_BYTES = 5
const RECORD_BYTES_MAX = 2 ** 14

export interface TlsDoorOptions {
  readonly credentials: Credentials
  /** For the first record, and again for the rest of the handshake. */
  readonly handshakeTimeoutMs: number
  /** Begins the handshake of a socket when it is its turn: that is most of a millisecond's work. */
  readonly inTurn?: (socket: Socket, begin: () => void) => void
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
    this.#gather(socket, null)
  }

  /** As `take`, for a port that takes plain connections too: those go to `plain`, with nothing read. */
  takeEither(socket: Socket, plain: () => void): void {
    this.#gather(socket, plain)
  }

  /**
   * Waits for the first record, the ClientHello: the state of a TLS connection is 40 KB, and whoever
   * never says what he wants should not have it.
   */
  #gather(socket: Socket, plain: (() => void) | null): void {
    const { credentials, handshakeTimeoutMs } = this.#options
    let early: Buffer = Buffer.alloc(0)
    const timer = setTimeout(() => {
      if (plain === null || early.length > 0) {
        credentials.failed(socket.remoteAddress ?? 'unknown', 'no ClientHello in time')
      }
      socket.destroy()
    }, handshakeTimeoutMs)
    const receive = (chunk: Buffer) => {
      early = early.length === 0 ? chunk : Buffer.concat([early, chunk])
      const shakes = early[0] === HANDSHAKE_RECORD
      if (shakes && early.length < firstRecordBytes(early)) return
      clearTimeout(timer)
      socket.off('data', receive)
      socket.pause()
      socket.unshift(early)
      // What is no handshake on a port for nothing else: TLS says so, in its own words.
      if (shakes || plain === null) return this.#begin(socket)
      plain()
      socket.resume()
    }
    socket.once('close', () => clearTimeout(timer))
    socket.on('data', receive)
    socket.resume()
  }

  #begin(socket: Socket): void {
    const { inTurn } = this.#options
    const begin = () => {
      this.#server.emit('connection', socket)
    }
    if (inTurn === undefined) begin()
    else inTurn(socket, begin)
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

/** What has to be there before TLS looks at it; a record that is too long is refused at its header. */
function firstRecordBytes(early: Buffer): number {
  if (early.length < RECORD_HEADER_BYTES) return RECORD_HEADER_BYTES
  const length = early.readUInt16BE(RECORD_HEADER_BYTES - 2)
  return length > RECORD_BYTES_MAX ? RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + length
}

/** Why the connection may not go on; null when it may. */
function refusalOf(socket: TLSSocket, clientAuth: ClientAuth, shown: boolean): string | null {
  if (clientAuth === 'none') return null
  if (!shown) return clientAuth === 'need' ? 'no certificate was shown' : null
  return socket.authorized ? null : `the certificate is refused: ${socket.authorizationError}`
}
