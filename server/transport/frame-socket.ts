import type { Socket } from 'node:net'
import { FrameSplitter } from '../wire/framing.ts'

export interface FrameSocketOptions {
  readonly frameBytesMax: number
  /** An open link sends an empty frame this often… */
  readonly keepaliveMs: number
  /** …and is given up when nothing has come in for this long. */
  readonly silenceMsMax: number
}

export interface FrameSocketEvents {
  frame(frame: Uint8Array): void
  /** Nothing has come in for too long: the socket is destroyed, `close` follows. */
  silent(): void
  close(): void
}

const EMPTY = new Uint8Array(0)

/**
 * Frames over a socket: int length + payload. Frames of one turn leave in one write.
 *
 * Each side of an open link sends an empty frame now and then, unasked: a path that swallows packets
 * is found out long before TCP gives up, and a long queue of one side never delays the sign of life
 * of the other. Any byte is a sign of life, so that a frame may take long to arrive.
 */
export class FrameSocket {
  readonly #socket: Socket
  readonly #splitter: FrameSplitter
  readonly #events: FrameSocketEvents
  readonly #options: FrameSocketOptions
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #flushScheduled = false
  /** Runs while the link is open. */
  #heart: NodeJS.Timeout | null = null
  #silentBeats = 0

  constructor(socket: Socket, options: FrameSocketOptions, events: FrameSocketEvents) {
    this.#socket = socket
    this.#splitter = new FrameSplitter(options.frameBytesMax)
    this.#events = events
    this.#options = options
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#receive(chunk))
    // An error is followed by close, which is all that matters here.
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#heart !== null) clearInterval(this.#heart)
      events.close()
    })
  }

  /** Bytes that the network has not taken yet. */
  get queuedBytes(): number {
    return this.#gatheredBytes + this.#socket.writableLength
  }

  /** The handshake is over: empty frames are signs of life from here on, ours and the other's. */
  open(): void {
    this.#heart = setInterval(() => this.#beat(), this.#options.keepaliveMs)
  }

  #receive(chunk: Uint8Array): void {
    this.#silentBeats = 0
    this.#splitter.push(chunk)
    for (let frame = this.#splitter.next(); frame !== null; frame = this.#splitter.next()) {
      if (this.#heart === null || frame.length > 0) this.#events.frame(frame)
      if (this.#socket.destroyed) return
    }
    if (this.#splitter.failure !== null) this.#socket.destroy()
  }

  /**
   * Silence is counted in beats, not read from a clock: after a pause of this process one beat comes
   * before what arrived meanwhile is read, and must not condemn every link at once.
   */
  #beat(): void {
    const { keepaliveMs, silenceMsMax } = this.#options
    this.#silentBeats += 1
    if (this.#silentBeats * keepaliveMs < silenceMsMax) return this.send(EMPTY)
    this.#events.silent()
    this.#socket.destroy()
  }

  send(payload: Uint8Array): void {
    const head = new Uint8Array(4)
    new DataView(head.buffer).setUint32(0, payload.length)
    this.#gathered.push(head, payload)
    this.#gatheredBytes += 4 + payload.length
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#flushScheduled = false
    const gathered = this.#gathered
    this.#gathered = []
    this.#gatheredBytes = 0
    if (this.#socket.destroyed || gathered.length === 0) return
    this.#socket.write(gathered.length === 1 ? (gathered[0] ?? '') : Buffer.concat(gathered))
  }

  destroy(): void {
    this.#flush()
    this.#socket.destroy()
  }
}
