import { createServer, connect as dialTcp, isIP, type Server, type Socket } from 'node:net'
import { type ConnectionOptions, connect as dialTls } from 'node:tls'
import { FrameSplitter } from '../../server/wire/framing.ts'
import { decodeConnectResponse } from '../../server/wire/handshake.ts'
import { type Lease, negotiated, newLease, renewed } from '../core/lease.ts'
import { relayed, requestXid } from '../core/relay-frame.ts'

export interface TreeServer {
  readonly host: string
  readonly port: number
}

export interface TreeTls {
  /** In PEM; '' for none. Read anew for each connection: certificates are renewed under a running agent. */
  readonly read: () => { readonly ca: string; readonly cert: string; readonly key: string }
  /** What the certificate of the local server is for: it is dialled by a loopback address. */
  readonly localName: string
}

export interface RelayOptions {
  /** In the order of preference, the local server first; asked before each connection. */
  readonly servers: () => readonly TreeServer[]
  readonly tls: TreeTls | null
  readonly sessionTimeoutMs: number
  readonly dialTimeoutMs: number
  /** A server that failed is tried last for this long. */
  readonly avoidMs: number
  readonly frameBytesMax: number
  readonly nowMs: () => number
  readonly log: (message: string, fields: object) => void
}

/**
 * A loopback port between the client library and the ensemble. It gives the library whole frames with
 * nothing in them that the library cannot take, speaks TLS for it, picks the server, and keeps the
 * lease: a session is as alive as the last request that the ensemble answered.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #server: Server
  readonly #avoidUntilMs = new Map<string, number>()
  #link: Link | null = null
  #lease: Lease
  #told = ''

  private constructor(options: RelayOptions) {
    this.#options = options
    this.#lease = newLease(options.sessionTimeoutMs)
    this.#server = createServer((client) => void this.#accept(client))
  }

  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(0, '127.0.0.1', resolve)
    })
    return relay
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  get lease(): Lease {
    return this.#lease
  }

  /** host:port of the server that the session is with; null without a connection. */
  get connectedTo(): string | null {
    return this.#link === null ? null : placeOf(this.#link.target)
  }

  /** Ends the connection, so that the client comes again and gets another server. */
  cut(reason: string): void {
    const link = this.#link
    if (link === null) return
    this.#avoid(link.target)
    this.#options.log('the connection to the tree is cut', { server: this.connectedTo, reason })
    link.end()
  }

  /** Nothing passes any more, for good. */
  close(): void {
    this.#server.close()
    this.#link?.end()
  }

  async #accept(client: Socket): Promise<void> {
    client.pause()
    client.setNoDelay(true)
    // Whoever connects while there is a link is the same client, started over.
    this.#link?.end()
    const dialled = await this.#dial()
    if (dialled === null || client.destroyed || !this.#server.listening) {
      dialled?.socket.destroy()
      client.destroy()
      return
    }
    const link: Link = new Link(client, dialled.socket, dialled.target, this.#options, {
      proof: (sentAtMs) => {
        this.#lease = renewed(this.#lease, sentAtMs, this.#options.nowMs())
      },
      timeout: (timeoutMs) => {
        this.#lease = negotiated(this.#lease, timeoutMs, this.#options.nowMs())
      },
      ended: (faulty) => {
        if (faulty) this.#avoid(dialled.target)
        if (this.#link === link) this.#link = null
      },
    })
    this.#link = link
  }

  #avoid(server: TreeServer): void {
    this.#avoidUntilMs.set(placeOf(server), this.#options.nowMs() + this.#options.avoidMs)
  }

  /** The first server that takes a connection, those that failed lately last. */
  async #dial(): Promise<{ readonly socket: Socket; readonly target: TreeServer } | null> {
    const nowMs = this.#options.nowMs()
    const isAvoided = (server: TreeServer) => (this.#avoidUntilMs.get(placeOf(server)) ?? 0) > nowMs
    const servers = this.#options.servers()
    const ordered = [
      ...servers.filter((server) => !isAvoided(server)),
      ...servers.filter(isAvoided),
    ]
    for (const target of ordered) {
      const socket = await this.#open(target)
      if (socket !== null) return { socket, target }
      this.#avoid(target)
    }
    return null
  }

  #open(target: TreeServer): Promise<Socket | null> {
    const { tls, dialTimeoutMs } = this.#options
    return new Promise((resolve) => {
      const socket = this.#connect(target)
      if (socket === null) return resolve(null)
      const timer = setTimeout(() => socket.destroy(), dialTimeoutMs)
      const over = (opened: Socket | null) => {
        clearTimeout(timer)
        resolve(opened)
      }
      socket.once(tls === null ? 'connect' : 'secureConnect', () => over(socket))
      socket.on('error', (error) => {
        // Of a plain connection the reason is of no use: the next server is tried.
        if (tls !== null) this.#tell(target, error)
        socket.destroy()
      })
      socket.once('close', () => over(null))
    })
  }

  /** Null when the files of TLS cannot be read or used just now. */
  #connect(target: TreeServer): Socket | null {
    const { tls } = this.#options
    if (tls === null) return dialTcp({ ...target })
    try {
      return dialTls(secured(target, tls))
    } catch (error) {
      this.#tell(target, error)
      return null
    }
  }

  /** A certificate that nobody accepts fails at each try: it is told once. */
  #tell(target: TreeServer, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (reason === this.#told) return
    this.#told = reason
    this.#options.log('no connection with TLS', { server: placeOf(target), reason })
  }
}

/** An address has no server name: its certificate must then name the address. */
function secured({ host, port }: TreeServer, tls: TreeTls): ConnectionOptions {
  const name = host === '127.0.0.1' || host === '::1' ? tls.localName : host
  return { host, port, ...(isIP(name) === 0 ? { servername: name } : {}), ...tls.read() }
}

interface LinkEvents {
  /** The ensemble answered what was sent then. */
  readonly proof: (sentAtMs: number) => void
  readonly timeout: (timeoutMs: number) => void
  /** `faulty`: the server ended it, or sent what no server sends. */
  readonly ended: (faulty: boolean) => void
}

/** One connection of the client, tied to one of a server; both end together. */
class Link {
  readonly target: TreeServer
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #options: RelayOptions
  readonly #events: LinkEvents
  readonly #requests: FrameSplitter
  readonly #replies: FrameSplitter
  /** When the requests of each xid were sent, oldest first; pings share one xid. */
  readonly #sentAtMs = new Map<number, number[]>()
  #introducedAtMs: number | null = null
  #shaken = false
  #over = false

  constructor(
    client: Socket,
    upstream: Socket,
    target: TreeServer,
    options: RelayOptions,
    events: LinkEvents,
  ) {
    this.target = target
    this.#client = client
    this.#upstream = upstream
    this.#options = options
    this.#events = events
    this.#requests = new FrameSplitter(options.frameBytesMax)
    this.#replies = new FrameSplitter(options.frameBytesMax)
    upstream.setNoDelay(true)
    client.on('data', (chunk) => this.#fromClient(chunk))
    upstream.on('data', (chunk) => this.#fromServer(chunk))
    client.on('error', () => client.destroy())
    client.once('close', () => this.end())
    upstream.once('close', () => this.#finish(true))
    client.resume()
  }

  end(): void {
    this.#finish(false)
  }

  #finish(faulty: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#client.destroy()
    this.#upstream.destroy()
    this.#events.ended(faulty)
  }

  #fromClient(chunk: Uint8Array): void {
    this.#requests.push(chunk)
    for (;;) {
      const frame = this.#requests.next()
      if (frame === null) break
      this.#note(frame)
      send(this.#upstream, frame)
    }
    if (this.#requests.failure !== null) this.end()
  }

  #note(frame: Uint8Array): void {
    const nowMs = this.#options.nowMs()
    if (this.#introducedAtMs === null) {
      this.#introducedAtMs = nowMs
      return
    }
    const xid = requestXid(frame)
    if (xid === null) return
    const times = this.#sentAtMs.get(xid)
    if (times === undefined) this.#sentAtMs.set(xid, [nowMs])
    else times.push(nowMs)
  }

  #fromServer(chunk: Uint8Array): void {
    this.#replies.push(chunk)
    while (!this.#over) {
      const frame = this.#replies.next()
      if (frame === null) break
      if (this.#shaken) this.#pass(frame)
      else this.#greet(frame)
    }
    if (this.#replies.failure !== null) this.#finish(true)
  }

  #greet(frame: Uint8Array): void {
    const response = decodeConnectResponse(frame)
    if (response === null || this.#introducedAtMs === null) return this.#finish(true)
    this.#shaken = true
    if (response.timeoutMs > 0) {
      this.#events.timeout(response.timeoutMs)
      this.#events.proof(this.#introducedAtMs)
    }
    send(this.#client, frame)
  }

  #pass(frame: Uint8Array): void {
    const safe = relayed(frame)
    if (safe.kind === 'cut') {
      this.#options.log('the tree sent what cannot be passed on', { reason: safe.reason })
      return this.#finish(true)
    }
    if (safe.kind === 'drop') return
    if (safe.kind === 'reply') {
      const times = this.#sentAtMs.get(safe.xid)
      const sentAtMs = times?.shift()
      if (times?.length === 0) this.#sentAtMs.delete(safe.xid)
      if (sentAtMs !== undefined) this.#events.proof(sentAtMs)
    }
    send(this.#client, safe.frame)
  }
}

function placeOf({ host, port }: TreeServer): string {
  return `${host}:${port}`
}

/** A length and a frame, in one write. */
function send(socket: Socket, frame: Uint8Array): void {
  const bytes = Buffer.allocUnsafe(4 + frame.length)
  bytes.writeInt32BE(frame.length)
  bytes.set(frame, 4)
  socket.write(bytes)
}
