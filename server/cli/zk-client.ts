import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { CreateMode } from '../core/machine/operation.ts'
import type { Acl } from '../core/tree/acl.ts'
import type { Stat } from '../core/tree/stat.ts'
import { splitAddress } from '../transport/outbound-link.ts'
import {
  decodeServerFrame,
  encodeClientRequest,
  encodePing,
  READ_OPCODES,
  type ReplyBody,
  type SentRequest,
  writeOpcode,
} from '../wire/client-codec.ts'
import { FrameSplitter } from '../wire/framing.ts'
import { decodeConnectResponse, encodeConnectRequest } from '../wire/handshake.ts'
import { JuteWriter } from '../wire/jute.ts'
import { Opcode, Xid } from '../wire/opcode.ts'
import type { ReadRequest } from '../wire/read.ts'
import { CommandFailure } from './command-failure.ts'

const FRAME_BYTES_MAX = 64 * 1024 * 1024

/** A refusal of the server, by ZooKeeper's code. */
class ZkError extends CommandFailure {
  override readonly name = 'ZkError'
  readonly code: number

  constructor(code: number) {
    const known = Object.entries(ErrorCode).find(([, value]) => value === code)?.[0]
    super(known ?? `code ${code}`)
    this.code = code
  }
}

interface Waiting {
  readonly opcode: number
  readonly resolve: (body: ReplyBody) => void
  readonly reject: (error: Error) => void
}

export interface WatchNotice {
  readonly type: number
  readonly path: string
}

/** One session with one server, for the command line: no reconnecting. */
export class ZkClient {
  readonly #socket: Socket
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX)
  readonly #writer = new JuteWriter()
  readonly #waiting = new Map<number, Waiting>()
  #nextXid = 1
  #pings: NodeJS.Timeout | null = null
  onWatch: (notice: WatchNotice) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Opens a session with the first server of the list that takes one; `tls` is null for none. */
  static async connect(
    servers: readonly string[],
    timeoutMs: number,
    tls: ConnectionOptions | null = null,
  ): Promise<ZkClient> {
    let failure: unknown = null
    for (const server of servers) {
      try {
        return await ZkClient.#connectTo(server, timeoutMs, tls)
      } catch (error) {
        // The next server may take the session; the last failure is told.
        failure = error
      }
    }
    const reason = failure instanceof Error ? failure.message : 'no server was given'
    throw new CommandFailure(`no session with ${servers.join(',')}: ${reason}`)
  }

  static #connectTo(
    server: string,
    timeoutMs: number,
    tls: ConnectionOptions | null,
  ): Promise<ZkClient> {
    return new Promise((resolve, reject) => {
      const place = splitAddress(server)
      const socket = tls === null ? connect(place) : connectSecurely({ ...tls, ...place })
      const client = new ZkClient(socket)
      socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${server} does not answer`)))
      socket.once('error', reject)
      socket.on('close', () => {
        reject(new Error(`${server} closed the connection`))
        client.#lost()
      })
      socket.once(tls === null ? 'connect' : 'secureConnect', () => client.#introduce(timeoutMs))
      socket.on('data', (chunk) => {
        client.#splitter.push(chunk)
        for (;;) {
          const frame = client.#splitter.next()
          if (frame === null) break
          if (client.#pings !== null) client.#receive(frame)
          else if (client.#connected(frame)) resolve(client)
        }
      })
    })
  }

  #introduce(timeoutMs: number): void {
    encodeConnectRequest(this.#writer, {
      protocolVersion: 0,
      lastZxidSeen: 0,
      timeoutMs,
      sessionId: 0,
      password: new Uint8Array(16),
      readOnly: false,
    })
    this.#flush()
  }

  #connected(frame: Uint8Array): boolean {
    const response = decodeConnectResponse(frame)
    if (response === null || response.timeoutMs === 0) {
      this.#socket.destroy(new Error('the server refused the session'))
      return false
    }
    this.#socket.setTimeout(0)
    this.#pings = setInterval(() => {
      encodePing(this.#writer)
      this.#flush()
    }, response.timeoutMs / 3)
    return true
  }

  #flush(): void {
    this.#socket.write(this.#writer.copy())
    this.#writer.reset()
  }

  #lost(): void {
    if (this.#pings !== null) clearInterval(this.#pings)
    for (const { reject } of this.#waiting.values()) reject(new ZkError(ErrorCode.connectionLoss))
    this.#waiting.clear()
  }

  #receive(frame: Uint8Array): void {
    const decoded = decodeServerFrame(frame, (xid) => this.#waiting.get(xid)?.opcode)
    if (decoded === null) return
    if (decoded.kind === 'notification') {
      this.onWatch({ type: decoded.type, path: decoded.path })
      return
    }
    const waiting = this.#waiting.get(decoded.xid)
    if (waiting === undefined) return
    this.#waiting.delete(decoded.xid)
    if (decoded.error !== 0) waiting.reject(new ZkError(decoded.error))
    else waiting.resolve(decoded.body ?? { kind: 'none' })
  }

  #call(opcode: number, request: (xid: number) => SentRequest, xid?: number): Promise<ReplyBody> {
    const own = xid ?? this.#nextXid++
    return new Promise((resolve, reject) => {
      this.#waiting.set(own, { opcode, resolve, reject })
      encodeClientRequest(this.#writer, request(own))
      this.#flush()
    })
  }

  #write(operation: Parameters<typeof writeOpcode>[0]): Promise<ReplyBody> {
    const opcode = writeOpcode(operation)
    return this.#call(opcode, (xid) => ({ kind: 'write', xid, opcode, operation }))
  }

  #read(read: ReadRequest): Promise<ReplyBody> {
    const opcode = READ_OPCODES[read.kind]
    return this.#call(opcode, (xid) => ({ kind: 'read', xid, opcode, read }))
  }

  async create(
    path: string,
    data: Uint8Array | null,
    acl: Acl,
    mode: CreateMode,
    sequential: boolean,
    ttlMs: number,
  ): Promise<string> {
    const body = await this.#write({
      kind: 'create',
      path,
      data,
      acl,
      mode,
      sequential,
      ttlMs,
      withStat: mode !== 'persistent' && mode !== 'ephemeral',
    })
    if (body.kind !== 'create') throw new Error(`create was answered with ${body.kind}`)
    return body.path
  }

  async delete(path: string, version: number): Promise<void> {
    await this.#write({ kind: 'delete', path, version })
  }

  async set(path: string, data: Uint8Array | null, version: number): Promise<Stat> {
    const body = await this.#write({ kind: 'setData', path, data, version })
    if (body.kind !== 'setData') throw new Error(`set was answered with ${body.kind}`)
    return body.stat
  }

  async setAcl(path: string, acl: Acl, version: number): Promise<void> {
    await this.#write({ kind: 'setAcl', path, acl, version })
  }

  async get(path: string, watch: boolean) {
    const body = await this.#read({ kind: 'getData', path, watch })
    if (body.kind !== 'getData') throw new Error(`get was answered with ${body.kind}`)
    return body
  }

  async stat(path: string, watch: boolean): Promise<Stat> {
    const body = await this.#read({ kind: 'exists', path, watch })
    if (body.kind !== 'exists') throw new Error(`stat was answered with ${body.kind}`)
    return body.stat
  }

  async children(path: string, watch: boolean) {
    const body = await this.#read({ kind: 'getChildren2', path, watch })
    if (body.kind !== 'getChildren2') throw new Error(`ls was answered with ${body.kind}`)
    return body
  }

  async acl(path: string): Promise<Acl> {
    const body = await this.#read({ kind: 'getAcl', path })
    if (body.kind !== 'getAcl') throw new Error(`getAcl was answered with ${body.kind}`)
    return body.acl
  }

  async sync(path: string): Promise<void> {
    const opcode = Opcode.sync
    await this.#call(opcode, (xid) => ({ kind: 'sync', xid, opcode, path }))
  }

  async auth(scheme: string, credential: string): Promise<void> {
    const opcode = Opcode.auth
    const auth = Buffer.from(credential)
    await this.#call(opcode, (xid) => ({ kind: 'auth', xid, opcode, scheme, auth }), Xid.auth)
  }

  /** Ends the session; its ephemerals go. */
  async close(): Promise<void> {
    const opcode = Opcode.closeSession
    await this.#call(opcode, (xid) => ({ kind: 'closeSession', xid, opcode }))
    this.#socket.destroy()
  }
}
