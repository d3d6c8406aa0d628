import type { CreateMode } from '../../server/core/machine/operation.ts'
import { OPEN_ACL } from '../../server/core/tree/acl.ts'
import type { ClientConnection } from '../../server/listener/connection.ts'
import {
  type ClientWrite,
  decodeServerFrame,
  encodeClientRequest,
  encodePing,
  encodeRead,
  encodeWrite,
  READ_OPCODES,
  type ReplyBody,
  writeOpcode,
} from '../../server/wire/client-codec.ts'
import { FrameSplitter } from '../../server/wire/framing.ts'
import { decodeConnectResponse, encodeConnectRequest } from '../../server/wire/handshake.ts'
import { JuteWriter } from '../../server/wire/jute.ts'
import { Opcode, Xid } from '../../server/wire/opcode.ts'
import type { ReadRequest } from '../../server/wire/read.ts'
import { type History, Violation } from './history.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { ServerProcess } from './server-process.ts'

export interface UserWorld {
  readonly scheduler: Scheduler
  readonly history: History
  readonly servers: readonly ServerProcess[]
  /** The greatest zxid that anyone has been told of, for real-time order. */
  acknowledgedZxid(): number
  acknowledge(zxid: number): void
  countOperation(): void
  /** The session's client was answered: not merely told of an event. */
  answered(session: number): void
  trace(text: string): void
}

interface Sent {
  readonly opcode: number
  readonly operation: ClientWrite | null
  readonly read: ReadRequest | null
  /** What was acknowledged to anyone when it was sent. */
  readonly after: number
}

interface Wire {
  readonly server: ServerProcess
  readonly splitter: FrameSplitter
  connection: ClientConnection | null
  open: boolean
  toServerMs: number
  toClientMs: number
}

type Kind = 'data' | 'exist' | 'child'

const TIMEOUT_MS = 4_000
export const PATHS = Array.from({ length: 8 }, (_, index) => `/k${index}`)
const QUOTA = '/zookeeper/quota/c0'
const LIMITS = `${QUOTA}/zookeeper_limits`
const USE = `${QUOTA}/zookeeper_stats`

/** The changes that fire a watch of each kind. */
const FIRES = {
  data: ['dataChanged', 'deleted'],
  exist: ['created', 'dataChanged', 'deleted'],
  child: ['childrenChanged', 'deleted'],
} as const

/**
 * A ZooKeeper client with the manners of the real ones: pings, reconnects to any server with its
 * session, restores its watches, and believes its session lost only when told. It holds every reply
 * and event against the history.
 */
export class ZkUser {
  readonly name: string
  readonly #world: UserWorld
  readonly #random: Random
  #session = 0
  #password: Uint8Array = new Uint8Array(16)
  #timeoutMs = 0
  #lastZxid = 0
  #wire: Wire | null = null
  #state: 'idle' | 'connecting' | 'open' | 'stopped' = 'idle'
  #nextXid = 1
  /** Sent and not answered, in order. */
  #sent = new Map<number, Sent>()
  /** "kind path" -> the zxid of the state that the watch was set on. */
  readonly #watches = new Map<string, number>()
  /** Watches whose restoring is under way: not owed before its reply. */
  #restoring = false
  #lastHeardMs = 0
  #idle = true

  constructor(world: UserWorld, name: string, random: Random) {
    this.#world = world
    this.name = name
    this.#random = random
    this.#tick()
    this.#workLater()
  }

  get session(): number {
    return this.#session
  }

  /** Falls silent for good, as a crashed client does. */
  crash(): void {
    this.#state = 'stopped'
    if (this.#wire !== null) this.#wire.open = false
    this.#wire = null
  }

  #tick(): void {
    if (this.#state === 'stopped') return
    const { scheduler } = this.#world
    scheduler.after((this.#timeoutMs || TIMEOUT_MS) / 3, () => this.#tick())
    if (this.#state === 'open') {
      const silentMs = scheduler.nowMs - this.#lastHeardMs
      if (silentMs > (2 * this.#timeoutMs) / 3) return this.#disconnect()
      this.#transmit((writer) => encodePing(writer))
    } else if (this.#state === 'connecting') {
      if (scheduler.nowMs - this.#lastHeardMs > 1_500) this.#disconnect()
    } else this.#connect()
  }

  // --- Connection --------------------------------------------------------------------------------

  #connect(): void {
    if (this.#state !== 'idle') return
    const server = this.#random.pick(this.#world.servers)
    const { scheduler } = this.#world
    this.#lastHeardMs = scheduler.nowMs
    const wire: Wire = {
      server,
      splitter: new FrameSplitter(4_000_000),
      connection: null,
      open: true,
      toServerMs: 0,
      toClientMs: 0,
    }
    this.#wire = wire
    this.#state = 'connecting'
    this.#toServer(wire, () => {
      wire.connection = server.accept(`10.0.0.${this.name}`, (bytes) =>
        this.#fromServer(wire, bytes),
      )
      if (wire.connection === null) this.#fromServer(wire, null)
    })
    this.#transmit((writer) =>
      encodeConnectRequest(writer, {
        protocolVersion: 0,
        lastZxidSeen: this.#lastZxid,
        timeoutMs: TIMEOUT_MS,
        sessionId: this.#session,
        password: this.#password,
        readOnly: false,
      }),
    )
  }

  /** In order, when the server's process runs; a dead one resets the connection. */
  #toServer(wire: Wire, call: () => void): void {
    const { scheduler } = this.#world
    const atMs = Math.max(scheduler.nowMs + this.#random.between(0.1, 2), wire.toServerMs)
    wire.toServerMs = atMs
    scheduler.after(atMs - scheduler.nowMs, () => {
      if (!wire.server.alive) return this.#fromServer(wire, null)
      wire.server.run(call)
    })
  }

  #fromServer(wire: Wire, bytes: Uint8Array | null): void {
    const { scheduler } = this.#world
    const copy = bytes === null ? null : bytes.slice()
    const atMs = Math.max(scheduler.nowMs + this.#random.between(0.1, 2), wire.toClientMs)
    wire.toClientMs = atMs
    scheduler.after(atMs - scheduler.nowMs, () => {
      if (this.#wire !== wire || !wire.open) return
      if (copy === null) return this.#disconnect()
      this.#lastHeardMs = scheduler.nowMs
      wire.splitter.push(copy)
      for (let frame = wire.splitter.next(); frame !== null; frame = wire.splitter.next()) {
        if (this.#wire !== wire) return
        this.#receive(frame)
      }
    })
  }

  #transmit(encode: (writer: JuteWriter) => void): void {
    const wire = this.#wire
    if (wire === null) return
    const writer = new JuteWriter()
    encode(writer)
    const bytes = writer.copy()
    this.#toServer(wire, () => wire.connection?.receive(bytes.slice()))
  }

  /** Closes this side and tries another server soon; what was under way is unknown. */
  #disconnect(): void {
    const wire = this.#wire
    if (wire !== null) {
      wire.open = false
      this.#toServer({ ...wire, open: false }, () => wire.connection?.ended())
    }
    this.#wire = null
    this.#sent.clear()
    this.#restoring = false
    if (this.#state === 'stopped') return
    this.#state = 'idle'
    this.#world.scheduler.after(this.#random.between(20, 200), () => this.#connect())
  }

  #connected(frame: Uint8Array): void {
    const response = decodeConnectResponse(frame)
    if (response === null) throw new Violation('wire', 'the handshake does not decode')
    if (response.timeoutMs === 0) {
      this.#expired()
      return
    }
    const session = Number(response.sessionId)
    if (this.#session !== 0 && session !== this.#session) {
      throw new Violation('session', `session ${this.#session} was silently replaced by ${session}`)
    }
    this.#session = session
    this.#password = response.password.slice()
    this.#timeoutMs = response.timeoutMs
    this.#state = 'open'
    if (this.#watches.size > 0) this.#restoreWatches()
  }

  #expired(): void {
    const { history } = this.#world
    if (this.#session !== 0 && history.sessions.has(this.#session)) {
      throw new Violation('session', `live session ${this.#session} was called expired`)
    }
    this.#session = 0
    this.#password = new Uint8Array(16)
    this.#watches.clear()
    this.#disconnect()
  }

  #restoreWatches(): void {
    const lists: Record<Kind, string[]> = { data: [], exist: [], child: [] }
    for (const key of this.#watches.keys()) {
      const [kind, path] = key.split(' ') as [Kind, string]
      lists[kind].push(path)
    }
    this.#restoring = true
    this.#sent.set(Xid.setWatches, {
      opcode: Opcode.setWatches,
      operation: null,
      read: null,
      after: 0,
    })
    const relativeZxid = this.#lastZxid
    this.#transmit((writer) =>
      encodeClientRequest(writer, {
        kind: 'setWatches',
        xid: Xid.setWatches,
        opcode: Opcode.setWatches,
        relativeZxid,
        ...lists,
        persistent: [],
        persistentRecursive: [],
      }),
    )
  }

  // --- Replies and events --------------------------------------------------------------------------

  #receive(frame: Uint8Array): void {
    if (this.#state === 'connecting') return this.#connected(frame)
    if (this.#state !== 'open') return
    const decoded = decodeServerFrame(frame, (xid) =>
      xid === Xid.ping ? Opcode.ping : this.#sent.get(xid)?.opcode,
    )
    if (decoded === null) throw new Violation('wire', 'a reply does not decode')
    if (decoded.kind === 'notification') return this.#event(decoded.type, decoded.path)
    const { xid, zxid, error, body } = decoded
    this.#world.answered(this.#session)
    if (zxid > 0) this.#advance(zxid)
    if (xid === Xid.ping) return
    const first = this.#sent.entries().next().value
    if (first === undefined || first[0] !== xid) {
      throw new Violation(
        'session order',
        `reply ${xid} came before ${first?.[0] ?? 'any request'}`,
      )
    }
    this.#sent.delete(xid)
    if (xid === Xid.setWatches) {
      this.#restoring = false
      this.#forgetShortLives(zxid)
      this.#checkOwedEvents(zxid)
      return
    }
    this.#checkReply(first[1], zxid, error, body)
  }

  #advance(zxid: number): void {
    if (zxid < this.#lastZxid) {
      throw new Violation('session order', `zxid ${zxid} after ${this.#lastZxid} in one session`)
    }
    if (!this.#restoring) this.#checkOwedEvents(zxid)
    this.#lastZxid = zxid
  }

  /** ZooKeeper's clients do not learn of a znode that came and went while they were away. */
  #forgetShortLives(zxid: number): void {
    for (const key of this.#watches.keys()) {
      const [kind, path] = key.split(' ') as [Kind, string]
      const gone = this.#world.history.state(path, zxid)?.exists !== true
      if (kind === 'exist' && gone) this.#watches.set(key, zxid)
    }
  }

  /** Whoever is shown the state at `zxid` has been told of every change it watched until then. */
  #checkOwedEvents(zxid: number): void {
    for (const [key, since] of this.#watches) {
      const [kind, path] = key.split(' ') as [Kind, string]
      const change = this.#world.history.firstChange(path, since, FIRES[kind])
      if (change !== null && change <= zxid) {
        throw new Violation(
          'watch',
          `${this.name}: a ${kind} watch of ${path} set at ${since} missed ${change}`,
        )
      }
    }
  }

  #event(type: number, path: string): void {
    const kinds: readonly Kind[] =
      type === 4 ? ['child'] : type === 2 ? ['data', 'exist', 'child'] : ['data', 'exist']
    const fired = kinds.filter((kind) => this.#watches.delete(`${kind} ${path}`))
    if (fired.length === 0) {
      throw new Violation('watch', `${this.name}: event ${type} of ${path} without a watch`)
    }
  }

  #checkReply(sent: Sent, zxid: number, error: number, body: ReplyBody | null): void {
    const { history } = this.#world
    if (sent.operation !== null) {
      const known = history.results.get(zxid)
      if (known === undefined)
        throw new Violation('durability', `acknowledged ${zxid} is in no log`)
      if (known.error !== error) {
        throw new Violation(
          'durability',
          `zxid ${zxid} was answered ${error}, the log says ${known.error}`,
        )
      }
      if (zxid <= sent.after) {
        throw new Violation('linearizable', `a write after ${sent.after} was put at ${zxid}`)
      }
      this.#world.acknowledge(zxid)
      this.#world.countOperation()
      return
    }
    const { read } = sent
    if (read === null) return
    this.#world.countOperation()
    if (read.kind === 'exists') return this.#checkExists(read, zxid, error, body)
    if (read.kind === 'getData') return this.#checkData(read, zxid, error, body)
    if (read.kind === 'getChildren') this.#checkChildren(read, zxid, error, body)
  }

  #checkExists(
    read: Extract<ReadRequest, { kind: 'exists' }>,
    zxid: number,
    error: number,
    body: ReplyBody | null,
  ): void {
    const state = this.#world.history.state(read.path, zxid)
    const there = state?.exists === true
    const version = body?.kind === 'exists' ? body.stat.version : -1
    if (there !== (error === 0) || (there && version !== state.version)) {
      throw new Violation(
        'read',
        `exists ${read.path} at ${zxid}: ${error} v${version}, should be ${JSON.stringify(state)}`,
      )
    }
    if (read.watch) this.#watch(there ? 'data' : 'exist', read.path, zxid)
  }

  #checkData(
    read: Extract<ReadRequest, { kind: 'getData' }>,
    zxid: number,
    error: number,
    body: ReplyBody | null,
  ): void {
    const state = this.#world.history.state(read.path, zxid)
    const data =
      body?.kind === 'getData' && body.data !== null ? Buffer.from(body.data).toString() : ''
    const there = state?.exists === true
    if (there !== (error === 0) || (there && data !== state.data)) {
      throw new Violation(
        'read',
        `get ${read.path} at ${zxid}: ${error} "${data}", should be ${JSON.stringify(state)}`,
      )
    }
    if (read.watch && there) this.#watch('data', read.path, zxid)
  }

  #checkChildren(
    read: Extract<ReadRequest, { kind: 'getChildren' }>,
    zxid: number,
    error: number,
    body: ReplyBody | null,
  ): void {
    if (error !== 0 || body?.kind !== 'getChildren') return
    const names = body.children.filter((name) => name !== 'zookeeper')
    const expected = this.#world.history.childrenAt(read.path, zxid)
    if ([...names].sort().join(',') !== expected) {
      throw new Violation(
        'read',
        `children of ${read.path} at ${zxid}: ${names}, should be ${expected}`,
      )
    }
    if (read.watch) this.#watch('child', read.path, zxid)
  }

  #watch(kind: Kind, path: string, zxid: number): void {
    const key = `${kind} ${path}`
    if (!this.#watches.has(key)) this.#watches.set(key, zxid)
  }

  // --- Work ----------------------------------------------------------------------------------------

  #workLater(): void {
    this.#world.scheduler.after(this.#random.between(30, 900), () => {
      if (this.#state === 'stopped') return
      if (this.#state === 'open' && this.#idle) {
        const burst = this.#random.chance(0.3) ? this.#random.integer(2, 6) : 1
        for (let i = 0; i < burst; i += 1) this.#work()
      }
      this.#workLater()
    })
  }

  /** Stops asking, but stays connected. */
  rest(): void {
    this.#idle = false
  }

  #work(): void {
    const path = this.#random.pick(PATHS)
    const data = Buffer.from(`${this.name}-${this.#nextXid}`)
    const dice = this.#random.unit()
    const watch = this.#random.chance(0.5)
    if (dice < 0.22) this.#write({ kind: 'setData', path, data, version: -1 })
    else if (dice < 0.34) this.#write(creation(path, data, 'persistent', false))
    else if (dice < 0.42)
      this.#write(creation(`/e${this.#random.integer(0, 5)}`, data, 'ephemeral', false))
    else if (dice < 0.47) this.#write(creation('/s-', data, 'ephemeral', true))
    else if (dice < 0.52) this.#write({ kind: 'delete', path, version: -1 })
    else if (dice < 0.55) this.#write(this.#reapable(data))
    else if (dice < 0.62) this.#multi(path, data)
    else if (dice < 0.78) this.#read({ kind: 'getData', path, watch })
    else if (dice < 0.9) this.#read({ kind: 'exists', path, watch })
    else if (dice < 0.96) this.#read({ kind: 'getChildren', path: '/', watch })
    else this.#sync()
  }

  /** Something for the leader's housekeeping, or for the quota of /c0. */
  #reapable(data: Uint8Array): ClientWrite {
    const container = `/c${this.#random.integer(0, 2)}`
    const dice = this.#random.unit()
    if (dice < 0.2) return creation(container, data, 'container', false)
    if (dice < 0.4) return creation(`${container}/a`, data, 'persistent', false)
    if (dice < 0.6) return { kind: 'delete', path: `${container}/a`, version: -1 }
    if (dice < 0.8)
      return { ...creation(`/t${container.at(-1)}`, data, 'ttl', false), ttlMs: 3_000 }
    return this.#quota()
  }

  /**
   * The quota of /c0. Limits stay, and use is kept nowhere without them: what is counted is then what
   * is there. They begin with what is unique, as all that users write.
   */
  #quota(): ClientWrite {
    const unique = Buffer.from(`countHardLimit=2;${this.name}-${this.#nextXid}=0`)
    const dice = this.#random.unit()
    if (dice < 0.2) return creation(QUOTA, unique, 'persistent', false)
    if (dice < 0.5) return creation(LIMITS, unique, 'persistent', false)
    if (dice < 0.6) return { kind: 'delete', path: USE, version: -1 }
    return {
      kind: 'multi',
      operations: [
        { kind: 'check', path: LIMITS, version: -1 },
        creation(USE, unique, 'persistent', false),
      ],
    }
  }

  #multi(path: string, data: Uint8Array): void {
    const other = this.#random.pick(PATHS)
    this.#write({
      kind: 'multi',
      operations: [
        { kind: 'setData', path, data, version: -1 },
        this.#random.chance(0.5)
          ? { kind: 'delete', path: other, version: -1 }
          : creation(other, data, 'persistent', false),
      ],
    })
  }

  #write(operation: ClientWrite): void {
    const xid = this.#send(writeOpcode(operation), operation, null)
    this.#transmit((writer) => encodeWrite(writer, xid, operation))
  }

  #read(read: ReadRequest): void {
    const xid = this.#send(READ_OPCODES[read.kind], null, read)
    this.#transmit((writer) => encodeRead(writer, xid, read))
  }

  #sync(): void {
    const xid = this.#send(Opcode.sync, null, null)
    this.#transmit((writer) =>
      encodeClientRequest(writer, { kind: 'sync', xid, opcode: Opcode.sync, path: '/' }),
    )
  }

  #send(opcode: number, operation: ClientWrite | null, read: ReadRequest | null): number {
    const xid = this.#nextXid
    this.#nextXid += 1
    this.#sent.set(xid, { opcode, operation, read, after: this.#world.acknowledgedZxid() })
    return xid
  }
}

function creation(
  path: string,
  data: Uint8Array,
  mode: CreateMode,
  sequential: boolean,
): Extract<ClientWrite, { kind: 'create' }> {
  return { kind: 'create', path, data, acl: OPEN_ACL, mode, sequential, ttlMs: 0, withStat: false }
}
