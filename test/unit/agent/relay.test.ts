import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ZookeeperCoordination } from '../../../agent/coordination/zookeeper.ts'
import { relayed } from '../../../agent/core/relay-frame.ts'
import { waitFor } from '../../support/wait-for.ts'
import { FakeServer, frameOf, int, lengthPrefixed, TIMEOUT_MS } from './fake-zookeeper.ts'

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
