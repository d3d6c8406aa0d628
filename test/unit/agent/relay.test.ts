import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ZookeeperCoordination } from '../../../agent/coordination/zookeeper.ts'
import { relayed } from '../../../agent/core/relay-frame.ts'
import { FrameSplitter } from '../../../server/wire/framing.ts'
import { waitFor } from '../../support/wait-for.ts'

const TIMEOUT_MS = 1_500

describe('what the relay lets through', () => {
  const reply = (code: number) => new Uint8Array(frameOf(7, code))

  it('is whatever the client library knows, as it is', () => {
    for (const code of [0, -4, -101, -103, -110, -112, -115]) {
      expect(relayed(reply(code))).toEqual({ kind: 'reply', xid: 7, frame: reply(code) })
    }
  })

  it('has codes that it does not know replaced, and a session that moved cut off', () => {
    const codes: [number, number][] = [
      [-125, -8],
      [-127, -7],
      [-9999, -1],
      [-122, -1],
    ]
    for (const [sent, passed] of codes) {
      expect(relayed(reply(sent))).toEqual({ kind: 'reply', xid: 7, frame: reply(passed) })
    }
    // Also of a view into memory that others use.
    const shared = Buffer.concat([Buffer.alloc(20, 9), frameOf(7, -127)])
    const mapped = relayed(shared.subarray(20))
    expect(mapped).toEqual({ kind: 'reply', xid: 7, frame: reply(-7) })
    expect(shared.subarray(0, 20)).toEqual(Buffer.alloc(20, 9))
    expect(relayed(reply(-118)).kind).toBe('cut')
    expect(relayed(new Uint8Array(3)).kind).toBe('cut')
  })

  it('has no events of kinds that came later', () => {
    const event = (type: number) => new Uint8Array(Buffer.concat([frameOf(-1, 0), int(type)]))
    expect(relayed(event(3)).kind).toBe('event')
    expect(relayed(event(6)).kind).toBe('drop')
    expect(relayed(frameOf(-1, 0)).kind).toBe('drop')
  })
})

describe('the guarded client', () => {
  const servers: FakeServer[] = []
  let coordination: ZookeeperCoordination | null = null

  beforeEach(async () => {
    servers.push(await FakeServer.listen(1n), await FakeServer.listen(2n))
  })

  afterEach(async () => {
    await coordination?.close()
    coordination = null
    for (const server of servers.splice(0)) server.close()
  })

  function connect(checkEveryMs = 20): ZookeeperCoordination {
    coordination = new ZookeeperCoordination({
      servers: () => servers.map(({ port }) => ({ host: '127.0.0.1', port })),
      tls: null,
      sessionTimeoutMs: TIMEOUT_MS,
      dialTimeoutMs: 500,
      avoidMs: 5_000,
      frameBytesMax: 1_048_575,
      requestTimeoutMs: 1_000,
      handshakeTimeoutMs: 1_000,
      checkEveryMs,
      goodbyeMs: 100,
      nowMs: () => performance.now(),
      log: () => {},
    })
    return coordination
  }

  function server(index: number): FakeServer {
    const found = servers[index]
    if (found === undefined) throw new Error(`no server ${index}`)
    return found
  }

  async function held(client: ZookeeperCoordination, place: FakeServer): Promise<void> {
    await waitFor(
      `a session with ${place.port}`,
      () => client.status === 'held' && client.connectedTo === `127.0.0.1:${place.port}`,
    )
  }

  /** The server that the client is with: on a busy machine the first may have been too slow for it. */
  async function settled(client: ZookeeperCoordination) {
    const isOwn = ({ port }: FakeServer) => client.connectedTo === `127.0.0.1:${port}`
    await waitFor('a session', () => client.status === 'held' && servers.some(isOwn))
    const index = servers.findIndex(isOwn)
    return { own: server(index), other: server(1 - index) }
  }

  it('takes the first server, and keeps the lease by pings', async () => {
    const client = connect()
    await held(client, server(0))
    const until = performance.now() + 2 * TIMEOUT_MS
    await waitFor(
      'two timeouts without losing it',
      () => {
        expect(client.status).toBe('held')
        return performance.now() > until
      },
      4 * TIMEOUT_MS,
    )
  })

  it('notices a mute server and moves to another within the session', async () => {
    const client = connect()
    const { own, other } = await settled(client)
    const { session } = client
    own.freeze()
    await held(client, other)
    expect(client.session).toBe(session)
  })

  it('gives a session up when all are frozen, and opens another when they go on', async () => {
    // Seldom looked after, so that what the servers owe comes before the old session is thrown away.
    const client = connect(700)
    await settled(client)
    const { session } = client
    for (const each of servers) each.freeze()
    await waitFor('the end of the lease', () => client.session === null)
    await expect(client.read('/a')).rejects.toMatchObject({ code: 'TREE_UNREACHABLE' })
    for (const each of servers) each.thaw()
    await waitFor('another session', () => client.session !== null && client.session !== session)
  })

  it('is not led astray by half a frame before a cut', async () => {
    const client = connect()
    const { own, other } = await settled(client)
    own.say(Buffer.from([0, 0, 0, 40, 1, 2, 3]))
    own.hangUp()
    await held(client, other)
  })

  it('outlives codes and events that its library does not know', async () => {
    const client = connect()
    const { own } = await settled(client)
    own.code = -125
    await expect(client.read('/a')).rejects.toMatchObject({ code: 'TREE_REFUSED', detail: -8 })
    own.say(lengthPrefixed(Buffer.concat([frameOf(-1, 0), int(9)])))
    await expect(client.read('/b')).rejects.toMatchObject({ detail: -8 })
    expect(client.status).toBe('held')
  })
})

/**
 * A double of a ZooKeeper server: it takes sessions, answers pings, and answers requests with one
 * code. Frozen it says nothing; what it was sent meanwhile is answered when it goes on, as by a
 * process that was stopped.
 */
class FakeServer {
  code = -101
  readonly #server: Server
  readonly #newSession: bigint
  readonly #sockets = new Set<Socket>()
  #owed: (() => void)[] | null = null

  private constructor(newSession: bigint) {
    this.#newSession = newSession
    this.#server = createServer((socket) => this.#accept(socket))
  }

  static async listen(newSession: bigint): Promise<FakeServer> {
    const server = new FakeServer(newSession)
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

function frameOf(xid: number, code: number): Buffer {
  return Buffer.concat([int(xid), Buffer.alloc(8), int(code)])
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function lengthPrefixed(frame: Uint8Array): Buffer {
  return Buffer.concat([int(frame.length), frame])
}
