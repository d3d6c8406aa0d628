import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { FrameSplitter } from '../../../server/wire/framing.ts'

/** Of the sessions that it grants. */
export const TIMEOUT_MS = 1_500

/**
 * A double of a ZooKeeper server: it takes sessions, answers pings, and answers requests with one
 * code. Frozen it says nothing; what it was sent meanwhile is answered when it goes on, as by a
 * process that was stopped.
 */
export class FakeServer {
  code = -101
  readonly #server: Server
  readonly #newSession: bigint
  readonly #sockets = new Set<Socket>()
  #owed: (() => void)[] | null = null

  private constructor(newSession: bigint, tls: TlsOptions | null) {
    this.#newSession = newSession
    const take = (socket: Socket) => this.#accept(socket)
    this.#server = tls === null ? createServer(take) : createTlsServer(tls, take)
  }

  static async listen(newSession: bigint, tls: TlsOptions | null = null): Promise<FakeServer> {
    const server = new FakeServer(newSession, tls)
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  freeze(): void {
    this.#owed ??= []
  }

  thaw(): void {
    const owed = this.#owed ?? []
    this.#owed = null
    for (const answer of owed) answer()
  }

  say(bytes: Uint8Array): void {
    for (const socket of this.#sockets) socket.write(bytes)
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.end()
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    const splitter = new FrameSplitter(1_048_575)
    let greeted = false
    socket.on('data', (chunk) => {
      splitter.push(chunk)
      for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
        const reply = greeted ? this.#reply(frame) : this.#greet(frame)
        greeted = true
        const answer = () => socket.write(lengthPrefixed(reply))
        if (this.#owed === null) answer()
        else this.#owed.push(answer)
      }
    })
  }

  /** protocol, timeout, session, password; a session that is asked for is granted. */
  #greet(frame: Uint8Array): Buffer {
    const asked = Buffer.from(frame).readBigInt64BE(16)
    sessions += asked === 0n ? 1n : 0n
    const id = asked === 0n ? this.#newSession * 1_000n + sessions : asked
    const session = Buffer.alloc(8)
    session.writeBigInt64BE(id)
    return Buffer.concat([int(0), int(TIMEOUT_MS), session, int(16), Buffer.alloc(16, 1)])
  }

  #reply(frame: Uint8Array): Buffer {
    const request = Buffer.from(frame)
    const [xid, opcode] = [request.readInt32BE(0), request.readInt32BE(4)]
    return frameOf(xid, opcode === 11 ? 0 : this.code)
  }
}

let sessions = 0n

export function frameOf(xid: number, code: number): Buffer {
  return Buffer.concat([int(xid), Buffer.alloc(8), int(code)])
}

export function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function lengthPrefixed(frame: Uint8Array): Buffer {
  return Buffer.concat([int(frame.length), frame])
}
