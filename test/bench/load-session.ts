import { connect, type Socket } from 'node:net'
import { decodeConnectResponse, encodeConnectRequest } from '../../server/wire/handshake.ts'
import { JuteWriter } from '../../server/wire/jute.ts'
import { Opcode } from '../../server/wire/opcode.ts'
import type { RequestStream } from './request-stream.ts'

const SESSION_TIMEOUT_MS = 30_000
const HEADER_BYTES = 16
const READ_BYTES = 256 * 1024
/** All connections of the process read into the same bytes: each chunk is parsed before the next. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)

/** Which request comes next on a session: a stream and its key, or the end. */
export interface RequestSource {
  readonly streams: readonly RequestStream[]
  /** Moves on; false when there is nothing more to ask. `stream` and `key` then say what to ask. */
  advance(): boolean
  readonly stream: number
  readonly key: number
}

/** Sees every verified reply. */
export type ReplyObserver = (sentAtMs: number, receivedAtMs: number) => void

/**
 * One session that keeps `outstanding` requests under way. Each reply is checked: its xid is the
 * oldest one's, no error, a zxid not below the one before, and the body that the request must give.
 */
export class LoadSession {
  readonly #port: number
  readonly #outstanding: number
  #socket: Socket | null = null
  #rest: Buffer | null = null
  #sessionAwaited: ((reason: string | null) => void) | null = null
  #idle: ((reason: string | null) => void) | null = null
  #ending: ((reason: string | null) => void) | null = null
  #closing = false
  #failure: string | null = null

  #source: RequestSource | null = null
  #observe: ReplyObserver = () => {}
  #nextXid = 1
  #oldestXid = 1
  #zxidHigh = -1
  #zxidLow = -1
  readonly #sentAt: Float64Array
  readonly #streams: Uint8Array
  readonly #keys: Float64Array
  #out = Buffer.allocUnsafeSlow(16 * 1024)
  #outEnd = 0

  constructor(port: number, outstanding: number) {
    this.#port = port
    this.#outstanding = outstanding
    this.#sentAt = new Float64Array(outstanding)
    this.#streams = new Uint8Array(outstanding)
    this.#keys = new Float64Array(outstanding)
  }

  /** Opens the connection and a session of its own. */
  open(): Promise<void> {
    const socket = connect({
      port: this.#port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (count) => {
          this.receive(readBuffer.subarray(0, count))
          return true
        },
      },
    })
    this.#socket = socket
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#ended())
    return this.attach((hello) => socket.once('connect', () => socket.write(hello)))
  }

  /** Asks for a session by `write` and awaits it; the tests come without a socket. */
  attach(write: (hello: Buffer) => void): Promise<void> {
    const writer = new JuteWriter(64)
    encodeConnectRequest(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0,
      timeoutMs: SESSION_TIMEOUT_MS,
      sessionId: 0,
      password: new Uint8Array(16),
      readOnly: false,
    })
    return settle((done) => {
      this.#sessionAwaited = done
      write(writer.copy())
    })
  }

  /** Asks until the source ends; resolves when the last reply has come, rejects at a wrong one. */
  run(source: RequestSource, observe: ReplyObserver): Promise<void> {
    return settle((done) => {
      if (this.#failure !== null) return done(this.#failure)
      this.#idle = done
      this.#source = source
      this.#observe = observe
      const nowMs = performance.now()
      while (this.#underWay < this.#outstanding && this.#ask(source, nowMs));
      this.#send()
      this.#finishWhenIdle()
    })
  }

  /** Ends the session, so that no server keeps it, and the connection; rejects if anything was wrong. */
  close(): Promise<void> {
    return settle((done) => {
      const socket = this.#socket
      if (socket === null || socket.destroyed) return done(this.#failure)
      this.#closing = true
      this.#ending = done
      const frame = Buffer.alloc(12)
      frame.writeInt32BE(8, 0)
      frame.writeInt32BE(this.#nextXid, 4)
      frame.writeInt32BE(Opcode.closeSession, 8)
      socket.write(frame)
    })
  }

  destroy(): void {
    this.#closing = true
    this.#socket?.destroy()
  }

  /** Whether the server owes something: a session, a reply, or the end of the connection. */
  get waits(): boolean {
    return this.#sessionAwaited !== null || this.#ending !== null || this.#underWay > 0
  }

  get #underWay(): number {
    return this.#nextXid - this.#oldestXid
  }

  get answered(): number {
    return this.#oldestXid - 1
  }

  describe(): string {
    return `session on port ${this.#port}, ${this.#underWay} requests without a reply`
  }

  /** Takes what came; the tests call it in a socket's stead. */
  receive(chunk: Buffer): void {
    let bytes = chunk
    if (this.#rest !== null) {
      bytes = Buffer.concat([this.#rest, chunk])
      this.#rest = null
    }
    const nowMs = performance.now()
    let at = 0
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readInt32BE(at)
      if (end > bytes.length) break
      const wrong = this.#frame(bytes, at + 4, end, nowMs)
      if (wrong !== null) return this.#fail(wrong)
      at = end
    }
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at))
    this.#send()
    this.#finishWhenIdle()
  }

  #frame(bytes: Buffer, at: number, end: number, nowMs: number): string | null {
    if (this.#sessionAwaited !== null) return this.#opened(bytes, at, end)
    if (this.#closing) return null
    if (end - at < HEADER_BYTES) return `a reply of ${end - at} bytes`
    const source = this.#source
    const xid = this.#oldestXid
    if (source === null || xid === this.#nextXid) return 'a reply that nothing asked for'
    if (bytes.readInt32BE(at) !== xid) return `xid ${bytes.readInt32BE(at)} instead of ${xid}`
    const high = bytes.readInt32BE(at + 4)
    const low = bytes.readUInt32BE(at + 8)
    if (high < this.#zxidHigh || (high === this.#zxidHigh && low < this.#zxidLow)) {
      return `zxid ${high}:${low} after ${this.#zxidHigh}:${this.#zxidLow}`
    }
    this.#zxidHigh = high
    this.#zxidLow = low
    const error = bytes.readInt32BE(at + 12)
    const slot = xid % this.#outstanding
    const key = this.#keys[slot] ?? 0
    const stream = source.streams[this.#streams[slot] ?? 0]
    if (error !== 0 && error !== stream?.tolerated) return `error ${error} for key ${key}`
    if (error === 0) {
      const wrong = stream?.verify(bytes, at + HEADER_BYTES, end, key, at + 4) ?? null
      if (wrong !== null) return `${wrong} for key ${key}`
    }
    this.#oldestXid = xid + 1
    this.#observe(this.#sentAt[slot] ?? 0, nowMs)
    this.#ask(source, nowMs)
    return null
  }

  #opened(bytes: Buffer, at: number, end: number): string | null {
    const response = decodeConnectResponse(bytes.subarray(at, end))
    const done = this.#sessionAwaited
    if (response === null || response.timeoutMs === 0) return 'no session was given'
    this.#sessionAwaited = null
    done?.(null)
    return null
  }

  #ask(source: RequestSource, nowMs: number): boolean {
    if (!source.advance()) return false
    const stream = source.streams[source.stream]
    if (stream === undefined) return false
    if (this.#outEnd + stream.bytes > this.#out.length) this.#grow()
    const xid = this.#nextXid
    const slot = xid % this.#outstanding
    stream.write(this.#out, this.#outEnd, xid, source.key)
    this.#outEnd += stream.bytes
    this.#sentAt[slot] = nowMs
    this.#streams[slot] = source.stream
    this.#keys[slot] = source.key
    this.#nextXid = xid + 1
    return true
  }

  #grow(): void {
    const larger = Buffer.allocUnsafeSlow(this.#out.length * 2)
    this.#out.copy(larger, 0, 0, this.#outEnd)
    this.#out = larger
  }

  /** One write for all that was asked; bytes that the kernel has not taken are not written over. */
  #send(): void {
    if (this.#outEnd === 0) return
    const socket = this.#socket
    const bytes = this.#out.subarray(0, this.#outEnd)
    this.#outEnd = 0
    if (socket === null) return
    socket.write(bytes)
    if (socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(this.#out.length)
  }

  #finishWhenIdle(): void {
    if (this.#oldestXid !== this.#nextXid || this.#closing || this.#idle === null) return
    const done = this.#idle
    this.#idle = null
    done(null)
  }

  #ended(): void {
    if (!this.#closing) return this.#fail('the server closed the connection')
    const done = this.#ending
    this.#ending = null
    done?.(this.#failure)
  }

  #fail(reason: string): void {
    this.#failure ??= `port ${this.#port}: ${reason}`
    this.#socket?.destroy()
    for (const done of [this.#sessionAwaited, this.#idle, this.#ending]) done?.(this.#failure)
    this.#sessionAwaited = null
    this.#idle = null
    this.#ending = null
  }
}

/** A promise of something that reports a reason, or null when all is well. */
function settle(begin: (done: (reason: string | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    begin((reason) => {
      if (reason === null) resolve()
      else reject(new Error(reason))
    })
  })
}
