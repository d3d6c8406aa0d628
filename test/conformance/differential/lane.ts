import { err } from '../operations.ts'
import { Fields, frame } from '../raw-bytes.ts'
import { type ConnectOptions, connectRequest, op, RawConnection } from '../raw-client.ts'
import { type Observation, observe, observeHandshake, type Token } from './observations.ts'
import { DYING_TIMEOUT_MS } from './stage.ts'
import type { Expire, Open, Request, Step, StepContext } from './steps.ts'
import { markerRequest, Witness } from './witness.ts'

/** A server that says nothing for this long is taken to say nothing at all. */
const ANSWER_WITHIN_MS = 10_000
const END_WITHIN_MS = 1_000
const AHEAD = 0x7fff_0000_0000_0000n
const XID = { event: -1, ping: -2 }

interface Session {
  readonly id: bigint
  readonly password: Buffer
}

interface Connected {
  readonly connection: RawConnection
  readonly session: Session
  xid: number
  /** The opcodes of what was sent, by xid, in the order of sending. */
  readonly sent: Map<number, number[]>
}

const plain = (...tokens: Token[]): Observation => ({ eventZxid: null, tokens })

/** The connections of a run to one of the servers. A step yields what the server showed of it. */
export class Lane {
  readonly #port: number
  readonly #context: StepContext
  readonly #slots: (Connected | null)[]
  readonly #sessions: Session[] = []
  readonly #witness: Witness
  /** Zxids of session ends. */
  readonly ends = new Set<bigint>()

  constructor(port: number, slots: number, context: StepContext) {
    this.#port = port
    this.#context = context
    // One more, for a session that only a step knows.
    this.#slots = Array.from({ length: slots + 1 }, () => null)
    this.#witness = new Witness(port, context.place)
  }

  async run(step: Step): Promise<Observation[]> {
    switch (step.kind) {
      case 'open':
        return await this.#open(step)
      case 'requests':
        return await this.#requests(step.slot, step.requests)
      case 'doubtful':
        return await this.#doubtful(step.slot, step.request)
      case 'bytes':
        return await this.#bytes(step.slot, step.bytes)
      case 'cut':
        return this.#cut(step.slot, step.partOfFrame)
      case 'greeting':
        return await this.#greeting(step.bytes)
      case 'expire':
        return await this.#expire(step)
      case 'reap':
        await this.#witness.reaped()
        return []
      case 'settle':
        return await this.#settle()
    }
  }

  /** The server's last zxid. */
  async zxid(): Promise<bigint> {
    return await this.#witness.zxid()
  }

  /** By slot, whether it has a connection. */
  open(): readonly boolean[] {
    return this.#slots.map((slot) => slot !== null)
  }

  /** Cuts the connections that the other server has closed: a wanted difference, and its end. */
  follow(open: readonly boolean[]): void {
    for (const [slot, connected] of this.#slots.entries()) {
      if (connected !== null && !open[slot]) this.#cut(slot, false)
    }
  }

  /** Closes every session of the run, so that none ends within a later one. */
  async end(): Promise<void> {
    await this.#witness.end()
    for (const slot of this.#slots) slot?.connection.drop()
    for (const { id, password } of this.#sessions) {
      const connection = await RawConnection.open(this.#port)
      connection.write(connectRequest({ sessionId: id, password }))
      connection.write(requestFrame(1, op.close))
      await connection.closed()
    }
  }

  // --- Connections -------------------------------------------------------------------------------

  async #open(step: Open): Promise<Observation[]> {
    this.#slots[step.slot]?.connection.drop()
    this.#slots[step.slot] = null
    const session = step.take === null ? undefined : this.#sessions.at(-1 - step.take.nthLast)
    const options: ConnectOptions = {
      timeoutMs: step.timeoutMs,
      readOnly: step.readOnly,
      lastZxidSeen:
        step.lastZxidSeen === 'none'
          ? 0n
          : step.lastZxidSeen === 'ahead'
            ? AHEAD
            : this.#context.zxid(0),
    }
    if (session === undefined) return await this.#connect(step.slot, options)
    const password = step.take?.wrongPassword ? Buffer.alloc(16, 1) : session.password
    const observed = await this.#connect(step.slot, { ...options, sessionId: session.id, password })
    for (const [slot, other] of this.#slots.entries()) {
      if (other === null || slot === step.slot || other.session.id !== session.id) continue
      observed.push(
        plain(`slot ${slot} lost its session`),
        ...(await this.#handOver(slot, other, step)),
      )
    }
    return observed
  }

  /** What the holder of a session sees when another connection claims it. */
  async #handOver(slot: number, holder: Connected, step: Open): Promise<Observation[]> {
    const took = this.#slots[step.slot] !== null
    const observed = took ? await this.#closed(holder) : await this.#probe(slot, holder)
    this.#slots[slot] = holder.connection.isClosed ? null : holder
    return observed
  }

  async #connect(slot: number, options: ConnectOptions): Promise<Observation[]> {
    const connection = await RawConnection.open(this.#port)
    connection.write(connectRequest(options))
    const payload = await answerOf(connection)
    if (payload === null || payload === 'silence') return [plain(`no session: ${payload}`)]
    const { tokens, sessionId, password } = observeHandshake(payload)
    if (sessionId === 0n) return [plain(...tokens), await this.#ended(connection)]
    const session = { id: sessionId, password }
    if (!this.#sessions.some(({ id }) => id === sessionId)) this.#sessions.push(session)
    this.#slots[slot] = { connection, session, xid: 0, sent: new Map() }
    return [plain(...tokens)]
  }

  /** The connection of a slot; a new one, with a new session, where there is none. */
  async #connected(slot: number, observed: Observation[]): Promise<Connected> {
    const known = this.#slots[slot]
    if (known) return known
    observed.push(...(await this.#connect(slot, { timeoutMs: 120_000 })))
    const made = this.#slots[slot]
    if (!made) throw new Error(`${this.#port} refuses a new session`)
    return made
  }

  // --- Steps -------------------------------------------------------------------------------------

  async #requests(slot: number, requests: readonly Request[]): Promise<Observation[]> {
    const observed: Observation[] = []
    const connected = await this.#connected(slot, observed)
    connected.connection.write(Buffer.concat(requests.map((one) => this.#frameOf(connected, one))))
    for (let replies = 0; replies < requests.length; ) {
      const reply = await this.#next(slot, connected, observed)
      if (reply === 'closed') return observed
      if (reply === 'reply') replies += 1
    }
    return observed
  }

  async #doubtful(slot: number, request: Request): Promise<Observation[]> {
    const observed: Observation[] = []
    const connected = await this.#connected(slot, observed)
    connected.connection.write(this.#frameOf(connected, request))
    for (;;) {
      const next = await this.#next(slot, connected, observed, request.type === op.close)
      if (next === 'closed') return observed
      if (next === 'reply') break
    }
    if (request.type === op.close && request.cutTo === null) {
      await this.#closed(connected)
      this.#slots[slot] = null
      return [...observed, plain('closed')]
    }
    // The end comes behind this reply, and a ping could be answered before it.
    if (observed.at(-1)?.tokens.includes(`err ${err.unimplemented}`)) {
      await connected.connection.closed(END_WITHIN_MS).catch(() => undefined)
    }
    return [...observed, ...(await this.#probe(slot, connected))]
  }

  async #bytes(slot: number, bytes: Uint8Array): Promise<Observation[]> {
    const observed: Observation[] = []
    const connected = await this.#connected(slot, observed)
    connected.connection.write(bytes)
    while ((await this.#next(slot, connected, observed)) !== 'closed') {
      // Whatever came is in what was observed.
    }
    return observed
  }

  #cut(slot: number, partOfFrame: boolean): Observation[] {
    const connected = this.#slots[slot]
    if (partOfFrame)
      connected?.connection.write(new Fields().int(100).int(1).int(op.create).bytes())
    connected?.connection.drop()
    this.#slots[slot] = null
    return []
  }

  async #greeting(bytes: Uint8Array): Promise<Observation[]> {
    const connection = await RawConnection.open(this.#port)
    connection.write(bytes)
    const payload = await answerOf(connection)
    if (payload === null || payload === 'silence') return [plain(`no session: ${payload}`)]
    const { tokens, sessionId } = observeHandshake(payload)
    if (sessionId !== 0n) connection.write(requestFrame(1, op.close))
    return [plain(...tokens), await this.#ended(connection)]
  }

  async #expire({ requests, cut }: Expire): Promise<Observation[]> {
    const slot = this.#slots.length - 1
    const observed = await this.#connect(slot, { timeoutMs: DYING_TIMEOUT_MS })
    const dying = this.#slots[slot]
    if (!dying) throw new Error(`${this.#port} refuses a new session`)
    const marker = await this.#witness.watchedMarker()
    observed.push(...(await this.#requests(slot, [markerRequest(marker), ...requests])))
    if (cut) this.#cut(slot, false)
    this.ends.add(await this.#witness.deleted(marker))
    if (!cut) observed.push(...(await this.#closed(dying)))
    const { id, password } = dying.session
    observed.push(...(await this.#connect(slot, { sessionId: id, password })))
    this.#cut(slot, false)
    return observed
  }

  async #settle(): Promise<Observation[]> {
    const observed: Observation[] = []
    for (const [slot, connected] of this.#slots.entries()) {
      if (connected === null) continue
      observed.push(plain(`slot ${slot}`), ...(await this.#probe(slot, connected)))
    }
    return observed
  }

  // --- Frames ------------------------------------------------------------------------------------

  /** A ping, for what came before its answer; or the end of the connection. */
  async #probe(slot: number, connected: Connected): Promise<Observation[]> {
    const observed: Observation[] = []
    connected.connection.write(requestFrame(XID.ping, op.ping))
    for (;;) {
      const next = await this.#next(slot, connected, observed)
      if (next === 'closed' || next === 'pong') return observed
    }
  }

  async #ended(connection: RawConnection): Promise<Observation> {
    const rest = await endOf(connection)
    return plain(rest === 'open' ? 'still open' : `closed after ${rest.length} frames`)
  }

  async #closed(connected: Connected): Promise<Observation[]> {
    const rest = await endOf(connected.connection)
    if (rest === 'open') return [plain('still open')]
    return [...rest.map((payload) => this.#observe(connected, payload)), plain('closed')]
  }

  async #next(
    slot: number,
    connected: Connected,
    observed: Observation[],
    isEnd = false,
  ): Promise<'closed' | 'event' | 'pong' | 'reply'> {
    const payload = await answerOf(connected.connection)
    if (payload === null || payload === 'silence') {
      connected.connection.drop()
      this.#slots[slot] = null
      observed.push(plain(payload ?? 'closed'))
      return 'closed'
    }
    const xid = payload.length >= 16 ? payload.readInt32BE(0) : 0
    if (isEnd && xid !== XID.event && payload.length >= 16) this.ends.add(payload.readBigInt64BE(4))
    observed.push(this.#observe(connected, payload))
    return xid === XID.event ? 'event' : xid === XID.ping ? 'pong' : 'reply'
  }

  #observe({ sent }: Connected, payload: Buffer): Observation {
    return observe(payload, (xid) => sent.get(xid)?.shift() ?? 0)
  }

  #frameOf(connected: Connected, request: Request): Buffer {
    connected.xid += 1
    const xid = request.xid ?? connected.xid
    const types = connected.sent.get(xid) ?? []
    types.push(request.type)
    connected.sent.set(xid, types)
    const body = request.body(this.#context).bytes()
    return requestFrame(xid, request.type, body.subarray(0, request.cutTo ?? body.length))
  }
}

function requestFrame(xid: number, type: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  return frame(new Fields().int(xid).int(type).raw(body).bytes())
}

async function answerOf(connection: RawConnection): Promise<Buffer | 'silence' | null> {
  return await connection.payload(ANSWER_WITHIN_MS).catch(() => 'silence' as const)
}

async function endOf(connection: RawConnection): Promise<Buffer[] | 'open'> {
  return await connection.closed(ANSWER_WITHIN_MS).catch(() => 'open' as const)
}
