import { createServer, type Server, type Socket } from 'node:net'
import type { PeerId } from '../core/brand.ts'
import { TlsDoor } from '../tls/door.ts'
import { JuteWriter } from '../wire/jute.ts'
import { decodePeerFrame, encodePeerFrame } from '../wire/peer-codec.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'
import { FrameSocket } from './frame-socket.ts'
import {
  decodeIntroduction,
  encodeIntroduction,
  introduce,
  isProof,
  proofOf,
} from './link-handshake.ts'
import { type LinkOptions, OutboundLink } from './outbound-link.ts'
import type { Transport, TransportEvents } from './transport.ts'

export interface TcpTransportOptions extends LinkOptions {
  readonly listenHost: string
  readonly listenPort: number
  readonly log: (level: 'info' | 'warn', message: string, fields: object) => void
}

/** Peers over TCP; see Transport for what callers may expect. */
export class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions
  readonly #events: TransportEvents
  readonly #server: Server
  readonly #door: TlsDoor | null
  readonly #inbound = new Set<Socket>()
  readonly #outbound = new Map<string, OutboundLink>()
  readonly #byPeer = new Map<PeerId, OutboundLink>()
  readonly #writer = new JuteWriter()
  #hello: Hello
  #closed = false
  droppedFrames = 0
  refusedLinks = 0
  /** Given up because the other side was not heard, whoever dialled. */
  silentLinks = 0

  constructor(options: TcpTransportOptions, events: TransportEvents, hello: Hello) {
    this.#options = options
    this.#events = events
    this.#hello = hello
    const { tls, handshakeTimeoutMs } = options
    this.#door =
      tls === null
        ? null
        : new TlsDoor({
            credentials: tls.credentials,
            handshakeTimeoutMs,
            admitted: (stream) => this.#accept(stream),
          })
    this.#server = createServer({ noDelay: true }, (socket) => this.#enter(socket))
  }

  /** Opens the peer port. */
  listen(): Promise<void> {
    const { listenHost: host, listenPort: port } = this.#options
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  setTargets(addresses: readonly string[]): void {
    const wanted = new Set(addresses)
    for (const [address, link] of this.#outbound) {
      if (wanted.has(address)) continue
      this.#outbound.delete(address)
      link.close()
    }
    for (const address of wanted) {
      if (!this.#outbound.has(address)) this.#outbound.set(address, this.#link(address))
    }
  }

  #link(address: string): OutboundLink {
    const link: OutboundLink = new OutboundLink(address, () => this.#hello, this.#options, {
      up: (hello) => {
        this.#byPeer.set(hello.id, link)
        this.#events.linkUp(hello)
      },
      down: ({ id }) => {
        if (this.#byPeer.get(id) !== link) return
        this.#byPeer.delete(id)
        this.#events.linkDown(id)
      },
      silent: (to) => this.#gaveUp({ to }),
      refused: (to, reason) => {
        this.refusedLinks += 1
        this.#options.log('warn', 'a peer did not prove the ensemble secret', { to, reason })
      },
      unreachable: (to, attempts) => {
        this.#options.log('warn', 'a peer cannot be reached; dialling goes on', { to, attempts })
      },
      dropped: () => {
        this.droppedFrames += 1
      },
    })
    return link
  }

  send(to: PeerId, frame: PeerFrame): void {
    const link = this.#byPeer.get(to)
    if (link === undefined) {
      this.droppedFrames += 1
      return
    }
    this.#writer.reset()
    encodePeerFrame(this.#writer, frame)
    link.send(this.#writer.copy())
  }

  queuedBytes(to: PeerId): number {
    return this.#byPeer.get(to)?.queuedBytes ?? 0
  }

  links(): readonly Hello[] {
    const hellos: Hello[] = []
    for (const link of this.#byPeer.values()) if (link.peer !== null) hellos.push(link.peer)
    return hellos
  }

  setHello(hello: Hello): void {
    this.#hello = hello
    for (const link of this.#outbound.values()) link.reopen()
    // Those who dialled us know the old hello: they come again and learn the new one.
    for (const socket of this.#inbound) socket.destroy()
  }

  close(done: () => void): void {
    this.#closed = true
    for (const link of this.#outbound.values()) link.close()
    for (const socket of this.#inbound) socket.destroy()
    this.#server.close(() => done())
  }

  /** Plain or through TLS, as the settings have it. */
  #enter(socket: Socket): void {
    if (this.#door === null) return this.#accept(socket)
    this.#inbound.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => this.#inbound.delete(socket))
    if (this.#options.tls?.shared !== true) return this.#door.take(socket)
    this.#door.takeEither(socket, () => this.#accept(socket))
  }

  #accept(socket: Socket): void {
    this.#inbound.add(socket)
    const own = introduce(this.#hello)
    let dialler: ReturnType<typeof decodeIntroduction> = null
    let proven = false
    const timeout = setTimeout(() => socket.destroy(), this.#options.handshakeTimeoutMs)
    const frames = new FrameSocket(socket, this.#options, {
      frame: (frame) => {
        if (this.#closed) return
        if (dialler === null) {
          dialler = decodeIntroduction(frame)
          if (dialler === null) return this.#refuse(socket, 'not a peer')
          const proof = proofOf(this.#options.secret, 'acceptor', dialler, own)
          frames.send(encodeIntroduction(own, proof))
          return
        }
        if (!proven) {
          const expected = proofOf(this.#options.secret, 'dialler', dialler, own)
          if (!isProof(expected, frame)) return this.#refuse(socket, 'wrong secret')
          clearTimeout(timeout)
          frames.open()
          proven = true
          return
        }
        const decoded = decodePeerFrame(frame)
        if (decoded === null) return this.#refuse(socket, 'unreadable frame')
        this.#events.frame(dialler.hello.id, decoded)
      },
      silent: () => this.#gaveUp({ from: dialler?.hello.name ?? 'unknown' }),
      close: () => {
        clearTimeout(timeout)
        this.#inbound.delete(socket)
      },
    })
  }

  #gaveUp(link: object): void {
    this.silentLinks += 1
    this.#options.log('warn', 'a peer was not heard for too long; its link is closed', link)
  }

  #refuse(socket: Socket, reason: string): void {
    this.refusedLinks += 1
    const from = socket.remoteAddress ?? 'unknown'
    this.#options.log('warn', 'a peer connection was refused', { from, reason })
    socket.destroy()
  }
}
