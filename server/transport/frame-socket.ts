import type { Socket } from 'node:net'
import { FrameSplitter } from '../wire/framing.ts'

/** Frames over a socket: int length + payload. Frames of one turn leave in one write. */
export class FrameSocket {
  readonly #socket: Socket
  readonly #splitter: FrameSplitter
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #flushScheduled = false

  constructor(
    socket: Socket,
    frameBytesMax: number,
    events: { readonly frame: (frame: Uint8Array) => void; readonly close: () => void },
  ) {
    this.#socket = socket
    this.#splitter = new FrameSplitter(frameBytesMax)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 1000)
    socket.on('data', (chunk) => {
      this.#splitter.push(chunk)
      for (let frame = this.#splitter.next(); frame !== null; frame = this.#splitter.next()) {
        events.frame(frame)
        if (socket.destroyed) return
      }
      if (this.#splitter.failure !== null) socket.destroy()
    })
    // An error is followed by close, which is all that matters here.
    socket.on('error', () => {})
    socket.on('close', events.close)
  }

  /** Bytes that the network has not taken yet. */
  get queuedBytes(): number {
    return this.#gatheredBytes + this.#socket.writableLength
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
