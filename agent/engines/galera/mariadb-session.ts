import { connect, type Socket } from 'node:net'
import { within } from '../../deadline.ts'
import { AgentError, messageOf } from '../../errors.ts'
import {
  answerSwitch,
  commands,
  decodeGreeting,
  decodePacket,
  decodeRow,
  encodeLogin,
  encodePacket,
  isSwitch,
  type Packet,
  PacketReader,
} from './mariadb-wire.ts'

export type Row = readonly (string | null)[]

export interface SessionOptions {
  /** The server's socket file, in a directory that both containers have. */
  readonly socket: string
  readonly user: string
  /** Read for each connection. */
  readonly password: () => string
  /** Of a connection with its login, and of a question. */
  readonly timeoutMs: number
  readonly packetBytesMax: number
}

type Wire = ReturnType<PacketReader['read']>[number]

/**
 * The agent's own connection to the server beside it, made when it is needed and anew after whatever went wrong
 * on it. Rejects with ENGINE_UNREACHABLE, or ENGINE_REFUSED with MariaDB's code as `detail`.
 */
export class MariadbSession {
  readonly #options: SessionOptions
  #connection: Connection | null = null
  #version = ''
  #isTaken = false
  /** One question after the other: answers have no other names than their order. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** Of the server that greeted last, '' before. */
  get version(): string {
    return this.#version
  }

  /** A server takes connections, whether it answers them or not. */
  get isTaken(): boolean {
    return this.#isTaken
  }

  /** The rows of the answer; none of what has no rows. */
  async query(text: string): Promise<Row[]> {
    return await this.#inTurn((connection) => connection.query(text))
  }

  /** Has the server stop in order: as a command, since it takes no statement for it without a majority. */
  async shutDown(): Promise<void> {
    await this.#inTurn((connection) => connection.shutDown())
  }

  close(): void {
    this.#connection?.close()
    this.#connection = null
  }

  async #inTurn<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const asked = this.#last.then(() => this.#ask(ask))
    this.#last = asked.catch(() => {})
    return await asked
  }

  async #ask<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    const late = () => new AgentError('ENGINE_UNREACHABLE', `MariaDB: no answer in ${timeoutMs} ms`)
    try {
      const asked = async () => await ask(this.#connection ?? (await this.#connect()))
      return await within(asked(), timeoutMs, late)
    } catch (error) {
      const refused = error instanceof AgentError && error.code === 'ENGINE_REFUSED'
      if (!refused) this.close()
      throw refused ? error : new AgentError('ENGINE_UNREACHABLE', messageOf(error))
    }
  }

  async #connect(): Promise<Connection> {
    const { socket: path, user, password, packetBytesMax } = this.#options
    this.#isTaken = false
    const socket = connect({ path })
    const connection = new Connection(socket, packetBytesMax)
    this.#connection = connection
    try {
      await connection.opened
      this.#isTaken = true
      this.#version = await connection.login(user, password())
      return connection
    } catch (error) {
      connection.close()
      this.#connection = null
      throw error
    }
  }
}

/** One connection; every packet that comes is waited for, and its end ends whoever waits. */
class Connection {
  readonly opened: Promise<void>
  readonly #socket: Socket
  readonly #reader: PacketReader
  readonly #packets: Wire[] = []
  #ended: Error | null = null
  #wake: () => void = () => {}

  constructor(socket: Socket, packetBytesMax: number) {
    this.#socket = socket
    this.#reader = new PacketReader(packetBytesMax)
    this.opened = new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.on('error', (error) => this.#end(error))
    socket.on('close', () => this.#end(new Error('MariaDB: the connection ended')))
    socket.on('data', (chunk: Buffer) => {
      try {
        this.#packets.push(...this.#reader.read(chunk))
        this.#wake()
      } catch (error) {
        this.#end(new Error(`MariaDB: ${messageOf(error)}`))
      }
    })
  }

  /** Resolves with the server's version. */
  async login(user: string, password: string): Promise<string> {
    const greeting = decodeGreeting((await this.#next()).bytes)
    if (!('salt' in greeting)) throw refused(greeting)
    this.#socket.write(encodePacket(1, encodeLogin(user, password, greeting.salt)))
    let { bytes, sequence } = await this.#next()
    if (isSwitch(bytes)) {
      this.#socket.write(encodePacket(sequence + 1, answerSwitch(bytes, password)))
      ;({ bytes, sequence } = await this.#next())
    }
    const packet = decodePacket(bytes)
    if (packet.kind === 'error') throw refused(packet.refusal)
    if (packet.kind !== 'ok') throw new Error('MariaDB: a login that does not end')
    return greeting.version
  }

  async query(text: string): Promise<Row[]> {
    const first = await this.#command(commands.query, Buffer.from(text))
    if (first.kind !== 'data') return []
    // The columns, which are known to whoever asks, then the rows.
    await this.#untilEnd()
    return (await this.#untilEnd()).map(decodeRow)
  }

  async shutDown(): Promise<void> {
    await this.#command(commands.shutdown, Buffer.from([0]))
  }

  close(): void {
    this.#socket.destroy()
  }

  async #command(command: number, body: Buffer): Promise<Packet> {
    this.#socket.write(encodePacket(0, Buffer.concat([Buffer.from([command]), body])))
    const first = decodePacket((await this.#next()).bytes)
    if (first.kind === 'error') throw refused(first.refusal)
    return first
  }

  async #untilEnd(): Promise<Buffer[]> {
    const found: Buffer[] = []
    for (;;) {
      const { bytes } = await this.#next()
      const packet = bytes[0] === 0 ? null : decodePacket(bytes)
      if (packet?.kind === 'end') return found
      if (packet?.kind === 'error') throw refused(packet.refusal)
      found.push(bytes)
    }
  }

  async #next(): Promise<Wire> {
    for (;;) {
      const packet = this.#packets.shift()
      if (packet !== undefined) return packet
      if (this.#ended !== null) throw this.#ended
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#socket.destroy()
    this.#wake()
  }
}

function refused({ code, message }: { readonly code: number; readonly message: string }) {
  return new AgentError('ENGINE_REFUSED', `MariaDB: ${message}`, code)
}
