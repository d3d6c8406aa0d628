import { connect, type Socket } from 'node:net'
import type { Hello } from '../wire/peer-frame.ts'
import { FrameSocket, type FrameSocketOptions } from './frame-socket.ts'
import {
  decodeIntroduction,
  encodeIntroduction,
  introduce,
  isProof,
  proofOf,
} from './link-handshake.ts'
import { dialSecurely, type PeerTls } from './peer-tls.ts'

export interface LinkOptions extends FrameSocketOptions {
  readonly secret: string
  readonly queueBytesMax: number
  /** Connecting, once the name is looked up. */
  readonly dialTimeoutMs: number
  /** From the look-up of the name to the proofs. */
  readonly handshakeTimeoutMs: number
  /** Re-dialling waits between these, doubling. */
  readonly retryMsMin: number
  readonly retryMsMax: number
  readonly random: () => number
  /** Failed dials in a row after which the peer is reported unreachable (dialling goes on). */
  readonly connectRetries: number
  /** Null: plain links alone. */
  readonly tls: PeerTls | null
}

export interface LinkEvents {
  up(hello: Hello): void
  down(hello: Hello): void
  /** The other side was not heard for too long; `down` follows. */
  silent(address: string): void
  refused(address: string, reason: string): void
  unreachable(address: string, attempts: number): void
  dropped(): void
}

/** One address that is dialled until told otherwise; the host name is resolved on each dial. */
export class OutboundLink {
  readonly address: string
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #ownHello: () => Hello
  #socket: FrameSocket | null = null
  #peer: Hello | null = null
  #retryMs: number
  #timer: NodeJS.Timeout | null = null
  #closed = false
  #failures = 0

  constructor(address: string, ownHello: () => Hello, options: LinkOptions, events: LinkEvents) {
    this.address = address
    this.#ownHello = ownHello
    this.#options = options
    this.#events = events
    this.#retryMs = options.retryMsMin
    this.#dial()
  }

  /** The other side, once the link is open. */
  get peer(): Hello | null {
    return this.#peer
  }

  get queuedBytes(): number {
    return this.#socket?.queuedBytes ?? 0
  }

  send(payload: Uint8Array): void {
    const socket = this.#socket
    if (socket === null || this.#peer === null) return
    if (socket.queuedBytes + payload.length > this.#options.queueBytesMax) {
      return this.#events.dropped()
    }
    socket.send(payload)
  }

  /** Opens the link anew, to introduce this server as it is now. */
  reopen(): void {
    this.#retryMs = this.#options.retryMsMin
    if (this.#socket !== null) this.#socket.destroy()
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket?.destroy()
  }

  #dial(): void {
    const { host, port } = splitAddress(this.address)
    const { tls } = this.#options
    const plain = connect({ host, port, noDelay: true })
    boundDial(plain, this.#options.dialTimeoutMs)
    const secure = tls?.dial === true
    const socket = secure ? dialSecurely(plain, host, tls) : plain
    const own = introduce(this.#ownHello())
    const timeout = setTimeout(() => plain.destroy(), this.#options.handshakeTimeoutMs)
    let open = false
    const frames = new FrameSocket(socket, this.#options, {
      frame: (frame) => {
        // The acceptor speaks once: after that the link is one-way, but for signs of life.
        if (open) {
          socket.destroy()
          return
        }
        const other = decodeIntroduction(frame)
        const proven =
          other !== null &&
          isProof(proofOf(this.#options.secret, 'acceptor', own, other), other.proof)
        if (!proven) {
          this.#events.refused(this.address, other === null ? 'not a peer' : 'wrong secret')
          socket.destroy()
          return
        }
        clearTimeout(timeout)
        frames.send(proofOf(this.#options.secret, 'dialler', own, other))
        frames.open()
        open = true
        this.#retryMs = this.#options.retryMsMin
        this.#failures = 0
        if (other.hello.id === own.hello.id) return
        this.#peer = other.hello
        this.#events.up(other.hello)
      },
      silent: () => this.#events.silent(this.address),
      close: () => {
        clearTimeout(timeout)
        this.#socket = null
        const peer = this.#peer
        this.#peer = null
        if (peer !== null) this.#events.down(peer)
        if (!this.#closed) this.#retryLater()
      },
    })
    this.#socket = frames
    socket.once(secure ? 'secureConnect' : 'connect', () =>
      frames.send(encodeIntroduction(own, null)),
    )
  }

  #retryLater(): void {
    this.#failures += 1
    if (this.#failures === this.#options.connectRetries) {
      this.#events.unreachable(this.address, this.#failures)
    }
    const jitter = 0.5 + this.#options.random() / 2
    this.#timer = setTimeout(() => this.#dial(), this.#retryMs * jitter)
    this.#retryMs = Math.min(2 * this.#retryMs, this.#options.retryMsMax)
  }
}

/**
 * A path that swallows packets answers no dial, and the system repeats its first packet at growing
 * intervals: a new dial finds a path that has come back sooner. The look-up of the name, which may be
 * slow in good health, does not count.
 */
function boundDial(socket: Socket, timeoutMs: number): void {
  let timer: NodeJS.Timeout | undefined
  socket.once('connectionAttempt', () => {
    timer = setTimeout(() => socket.destroy(), timeoutMs)
  })
  for (const end of ['connect', 'close']) socket.once(end, () => clearTimeout(timer))
}

/** "host:port", "[::1]:port". */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host, port: Number(address.slice(colon + 1)) }
}
