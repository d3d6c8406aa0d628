import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeConnectResponse, encodeConnectRequest } from '../../../server/wire/handshake.ts'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { fourLetterWord } from '../../support/processes.ts'
import { waitFor } from '../../support/wait-for.ts'
import { closeListeners, forgetListener, listen } from './loopback.ts'

const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await closeListeners()
})

function dial(port: number) {
  const state = { closed: false, received: Buffer.alloc(0) }
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.on('data', (data) => {
    state.received = Buffer.concat([state.received, data])
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    state.closed = true
  })
  return { socket, state }
}

function introduction(): Uint8Array {
  const writer = new JuteWriter()
  encodeConnectRequest(writer, {
    protocolVersion: 0,
    lastZxidSeen: 0,
    timeoutMs: 10_000,
    sessionId: 0,
    password: new Uint8Array(16),
    readOnly: false,
  })
  return writer.copy()
}

describe('the listener', () => {
  it('opens a session over a socket, though the bytes come one by one', async () => {
    const { listener, ensemble, port } = await listen()
    const { socket, state } = dial(port)
    for (const byte of introduction()) socket.write(Uint8Array.of(byte))
    await waitFor('the session', () => ensemble.machine.sessions.count === 1)
    await waitFor('the answer', () => state.received.length === 41)
    expect(decodeConnectResponse(state.received.subarray(4))).toMatchObject({ sessionId: 1 })
    const [connection] = [...listener.registry.all()]
    expect([connection?.address, connection?.port]).toEqual(['127.0.0.1', socket.localPort])
  })

  it('answers a word in pieces and closes; one it does not know it only closes', async () => {
    const { port } = await listen()
    expect(await fourLetterWord(port, 'ruok')).toBe('imok')
    expect(await fourLetterWord(port, 'wxyz')).toBe('')
    expect(await fourLetterWord(port, 'mntr')).toContain('not in the whitelist')
    const { socket, state } = dial(port)
    socket.write('ru')
    socket.write('ok')
    await waitFor('the end', () => state.closed)
    expect(state.received.toString()).toBe('imok')
  })

  it('answers words also while it serves no clients', async () => {
    const { ensemble, port } = await listen()
    ensemble.ready = false
    expect(await fourLetterWord(port, 'srvr')).toContain('not currently serving')
    const { socket, state } = dial(port)
    socket.write(introduction())
    await waitFor('the end', () => state.closed)
    expect(state.received.length).toBe(0)
  })

  it.each([
    ['of one address', { connectionsPerAddressMax: 2 }],
    ['at all', { connectionsMax: 2 }],
  ])(
    'refuses connections above the limit %s, counts them, and takes later ones',
    async (_, limit) => {
      const { listener, port } = await listen(limit)
      const open = [dial(port), dial(port)]
      for (const { socket } of open) socket.write(introduction())
      await waitFor('both', () => listener.registry.count === 2)
      const refused = dial(port)
      await waitFor('the refusal', () => refused.state.closed)
      expect(listener.stats.connectionsRejected).toBe(1)
      open[0]?.socket.destroy()
      await waitFor('room', () => listener.registry.count === 1)
      const later = dial(port)
      later.socket.write(introduction())
      await waitFor('the later one', () => listener.registry.count === 2)
      expect(later.state.closed).toBe(false)
    },
  )

  it.each([
    ['nothing', new Uint8Array(0)],
    ['half a handshake', introduction().subarray(0, 20)],
  ])('closes a connection that sends %s in time', async (_, bytes) => {
    const { listener, port } = await listen({ handshakeTimeoutMs: 40 })
    const { socket, state } = dial(port)
    socket.write(bytes)
    await waitFor('the end', () => state.closed)
    await waitFor('it is forgotten', () => listener.registry.count === 0)
  })

  it('closes a connection in time that sends a byte now and then', async () => {
    const { listener, port } = await listen({ handshakeTimeoutMs: 100 })
    const { socket, state } = dial(port)
    socket.write(introduction().subarray(0, 4))
    const dribble = setInterval(() => socket.write('\0'), 20)
    await waitFor('the end', () => state.closed, 5_000)
    clearInterval(dribble)
    expect(listener.stats.handshakesLate).toBe(1)
  })

  it('lets all in who come at once, a few in each turn of the event loop', async () => {
    const { listener, port } = await listen({ admissionsPerTurnMax: 2 })
    const clients = Array.from({ length: 40 }, () => dial(port))
    for (const { socket } of clients) socket.write(introduction())
    await waitFor('the answers', () => clients.every(({ state }) => state.received.length === 41))
    expect(listener.stats.connectionsArriving).toBe(0)
  })

  it('forgets who has gone before its turn', async () => {
    const { listener, port } = await listen({ admissionsPerTurnMax: 1 })
    const gone = Array.from({ length: 40 }, () => dial(port))
    for (const { socket } of gone) socket.on('connect', () => socket.resetAndDestroy())
    await waitFor('their ends', () => gone.every(({ state }) => state.closed))
    const { socket, state } = dial(port)
    socket.write(introduction())
    await waitFor('the answer', () => state.received.length === 41)
    await waitFor('they are forgotten', () => listener.registry.count === 1)
    expect(listener.stats.connectionsArriving).toBe(0)
  })

  it('closes on what is neither a word nor a frame', async () => {
    const { port } = await listen()
    const { socket, state } = dial(port)
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await waitFor('the end', () => state.closed)
    expect(state.received.length).toBe(0)
  })

  it('ends all connections when it closes, and its port is free', async () => {
    const { listener, port } = await listen()
    const { socket, state } = dial(port)
    socket.write(introduction())
    await waitFor('the connection', () => listener.registry.count === 1)
    forgetListener(listener)
    await listener.close()
    await waitFor('the end', () => state.closed)
    await expect(fourLetterWord(port, 'ruok')).rejects.toThrow('ECONNREFUSED')
  })

  it('says which port it cannot have', async () => {
    const { port } = await listen()
    await expect(listen({ port })).rejects.toThrow('EADDRINUSE')
  })
})
