import { connect as connectPlain, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecure } from 'node:tls'
import { within } from '../../deadline.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { KafkaRequest } from './kafka-requests.ts'
import { KafkaReader, KafkaWriter } from './kafka-wire.ts'

export interface KafkaPlace {
  readonly host: string
  readonly port: number
}

const CLIENT_NAME = 'quorate'
const LENGTH_BYTES = 4

interface Waiting {
  readonly plainAnswer: boolean
  readonly resolve: (reader: KafkaReader) => void
  readonly reject: (error: Error) => void
}

/**
 * A connection to one broker, opened by its first request and closed by whatever goes wrong on it; then
 * another takes its place. Rejections are AgentErrors: ENGINE_UNREACHABLE without an answer in time.
 */
export class KafkaConnection {
  readonly #place: KafkaPlace
  /** Asked for each connection: certificates are renewed. Null: plain text. */
  readonly #tls: (() => ConnectionOptions) | null
  readonly #waiting = new Map<number, Waiting>()
  #socket: Socket | null = null
  #opened: Promise<void> = Promise.resolve()
  #received: Buffer[] = []
  #receivedBytes = 0
  /** With so many bytes something more can be told. */
  #neededBytes = LENGTH_BYTES
  #requests = 0

  constructor(place: KafkaPlace, tls: (() => ConnectionOptions) | null) {
    this.#place = place
    this.#tls = tls
  }

  async call<T>(request: KafkaRequest<T>, timeoutMs: number): Promise<T> {
    const late = () => {
      // An answer that comes later would be of a connection that nobody trusts any more.
      const error = new Error(`no answer to ${request.name} within ${timeoutMs} ms`)
      this.#fail(error)
      return error
    }
    let reader: KafkaReader
    try {
      reader = await within(this.#exchange(request), timeoutMs, late)
    } catch (error) {
      throw this.#unreachable(error)
    }
    try {
      return request.decode(reader)
    } catch (error) {
      if (error instanceof AgentError) throw error
      throw this.#unreachable(new Error(`${request.name}: ${messageOf(error)}`))
    }
  }

  close(): void {
    this.#fail(new Error('closed'))
  }

  async #exchange<T>(request: KafkaRequest<T>): Promise<KafkaReader> {
    if (this.#socket === null) this.#open()
    await this.#opened
    const socket = this.#socket
    if (socket === null) throw new Error('the connection was closed')
    this.#requests += 1
    const id = this.#requests
    const writer = new KafkaWriter()
    writer.int16(request.key).int16(request.version).int32(id).plainString(CLIENT_NAME).end()
    request.encode(writer)
    const body = writer.finish()
    const length = Buffer.alloc(LENGTH_BYTES)
    length.writeInt32BE(body.length)
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { plainAnswer: request.plainAnswer === true, resolve, reject })
      socket.write(Buffer.concat([length, body]))
    })
  }

  #open(): void {
    const { host, port } = this.#place
    const tls = this.#tls?.()
    const socket: Socket =
      tls === undefined ? connectPlain({ host, port }) : connectSecure({ host, port, ...tls })
    socket.setNoDelay(true)
    const opened = new Promise<void>((resolve, reject) => {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => resolve())
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    // Whoever waits for it is told; nobody may wait any more.
    opened.catch(() => {})
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    // One that was given up takes nothing of its successor with it.
    const fail = (error: Error) => {
      if (this.#socket === socket) this.#fail(error)
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the connection was closed')))
    this.#socket = socket
    this.#opened = opened
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk)
    this.#receivedBytes += chunk.length
    if (this.#receivedBytes < this.#neededBytes) return
    const bytes = Buffer.concat(this.#received)
    let at = 0
    let needed = LENGTH_BYTES
    while (bytes.length - at >= LENGTH_BYTES) {
      const length = bytes.readInt32BE(at)
      if (length < LENGTH_BYTES || length > limits.kafkaAnswerBytesMax) {
        this.#fail(new Error(`an answer of ${length} bytes`))
        return
      }
      needed = LENGTH_BYTES + length
      if (bytes.length - at < needed) break
      this.#answer(bytes.subarray(at + LENGTH_BYTES, at + needed))
      at += needed
      needed = LENGTH_BYTES
    }
    this.#received = [bytes.subarray(at)]
    this.#receivedBytes = bytes.length - at
    this.#neededBytes = needed
  }

  #answer(bytes: Buffer): void {
    const reader = new KafkaReader(bytes)
    const id = reader.int32()
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    if (!waiting.plainAnswer) reader.end()
    waiting.resolve(reader)
  }

  #fail(error: Error): void {
    this.#socket?.destroy()
    this.#socket = null
    this.#received = []
    this.#receivedBytes = 0
    this.#neededBytes = LENGTH_BYTES
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(error)
  }

  #unreachable(error: unknown): AgentError {
    const { host, port } = this.#place
    return new AgentError('ENGINE_UNREACHABLE', `${host}:${port}: ${messageOf(error)}`)
  }
}
