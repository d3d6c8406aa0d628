import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { JuteWriter } from '../../../server/wire/jute.ts'
import { encodeHello } from '../../../server/wire/peer-codec.ts'
import { reservePorts } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'
import {
  chunk,
  closeAll,
  helloOf,
  numbered,
  pair,
  sequences,
  servers,
  sockets,
  start,
  stop,
} from './loopback-peer.ts'

afterEach(closeAll)

describe('links between servers', () => {
  it('carry frames in order, each way on its own connection', async () => {
    const [a, b] = await pair()
    a.transport.setTargets([b.address])
    await waitFor('a to b', () => a.ups.length === 1)
    expect(a.transport.links()).toEqual([helloOf('b', b.address)])
    expect(b.transport.links()).toEqual([])
    for (let i = 0; i < 1_000; i += 1) a.transport.send('id-b', numbered(i))
    await waitFor('all frames', () => b.frames.length === 1_000)
    expect(sequences(b)).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
    expect(b.frames[0]?.from).toBe('id-a')
    b.transport.setTargets([a.address])
    await waitFor('b to a', () => b.ups.length === 1)
    b.transport.send('id-a', numbered(7))
    await waitFor('the answer', () => a.frames.length === 1)
    expect(sequences(a)).toEqual([7])
  })

  it('carry large frames whole', async () => {
    const [a, b] = await pair()
    a.transport.setTargets([b.address])
    await waitFor('a to b', () => a.ups.length === 1)
    a.transport.send('id-b', chunk(700_000))
    a.transport.send('id-b', numbered(1))
    await waitFor('both', () => b.frames.length === 2)
    const [first] = b.frames
    expect(first?.frame.kind === 'forward' && first.frame.requests.length).toBe(700_000)
  })

  it('open when the other side comes later, and again when it comes back', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    const a = await start('a', left)
    a.transport.setTargets([`127.0.0.1:${right}`])
    await waitFor('the warning', () => a.logged.some((line) => line.includes('cannot be reached')))
    const b = await start('b', right)
    await waitFor('the link', () => a.ups.length === 1)
    await stop(b)
    await waitFor('its end', () => a.downs.length === 1)
    expect(a.downs).toEqual(['id-b'])
    expect(a.transport.links()).toEqual([])
    const again = await start('b', right)
    await waitFor('the link again', () => a.ups.length === 2)
    a.transport.send('id-b', numbered(5))
    await waitFor('a frame', () => again.frames.length === 1)
  })

  it('are re-dialled with growing pauses up to the greatest', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    const dials: number[] = []
    const closing = createServer((socket) => {
      dials.push(performance.now())
      socket.destroy()
    })
    servers.push(closing)
    await new Promise<void>((done) => closing.listen(right, '127.0.0.1', done))
    const a = await start('a', left, { retryMsMin: 20, retryMsMax: 160 })
    a.transport.setTargets([`127.0.0.1:${right}`])
    await waitFor('six dials', () => dials.length >= 6)
    const pauses = dials.slice(1).map((at, index) => at - (dials[index] ?? 0))
    // 20, 40, 80, 160, 160, of which three quarters are waited for at this jitter.
    for (const [index, least] of [15, 30, 60, 120, 120].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(least - 2)
    }
  })

  it('go when their address is no target any more', async () => {
    const [a, b] = await pair()
    a.transport.setTargets([b.address])
    await waitFor('the link', () => a.ups.length === 1)
    a.transport.setTargets([])
    await waitFor('its end', () => a.downs.length === 1)
    a.transport.send('id-b', numbered(1))
    expect(a.transport.droppedFrames).toBe(1)
  })

  it('open anew with a new hello, on both sides', async () => {
    const [a, b] = await pair()
    a.transport.setTargets([b.address])
    b.transport.setTargets([a.address])
    await waitFor('both links', () => a.ups.length === 1 && b.ups.length === 1)
    a.transport.setHello({ ...helloOf('a', a.address), clusterId: 'formed' })
    await waitFor('b knows', () => b.transport.links()[0]?.clusterId === 'formed')
    await waitFor('a is linked', () => a.transport.links().length === 1)
  })

  it('to itself stay silent', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    const a = await start('a', left)
    const b = await start('b', right)
    a.transport.setTargets([a.address, b.address])
    await waitFor('the link to b', () => a.ups.length === 1)
    expect(a.transport.links().map((hello) => hello.name)).toEqual(['b'])
  })
})

describe('the ensemble secret', () => {
  it('is proved by the acceptor: a dialler with another one refuses the link', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    const a = await start('a', left, { secret: 'another' })
    const b = await start('b', right)
    a.transport.setTargets([b.address])
    await waitFor('a refuses', () => a.transport.refusedLinks > 0)
    expect([a.ups, b.frames]).toEqual([[], []])
    expect(a.logged.join()).toContain('did not prove the ensemble secret')
  })

  it('is proved by the dialler: an impostor that answers anything is refused', async () => {
    const [, b] = await pair()
    const impostor = await recorded(b.address, [introduction(), frameOf(new Uint8Array(32))])
    await waitFor('b refuses', () => b.transport.refusedLinks === 1)
    await waitFor('the end', () => impostor.ended)
    expect(b.frames).toEqual([])
  })

  it('is proved anew on each link: a recorded handshake is refused', async () => {
    const [a, b] = await pair()
    const between = await eavesdropper(b.address)
    a.transport.setTargets([between.address])
    await waitFor('the link', () => a.ups.length === 1)
    a.transport.send('id-b', numbered(1))
    await waitFor('the frame', () => b.frames.length === 1)
    const replay = await recorded(b.address, [Buffer.concat(between.recorded)])
    await waitFor('b refuses', () => b.transport.refusedLinks === 1)
    await waitFor('the end', () => replay.ended)
    expect(b.frames).toHaveLength(1)
  })

  it('lets no frame in before it is proved', async () => {
    const [, b] = await pair()
    const early = Buffer.from([1, 5, ...new Uint8Array(16)])
    await recorded(b.address, [introduction(), frameOf(early)])
    await waitFor('b refuses', () => b.transport.refusedLinks === 1)
    expect(b.frames).toEqual([])
  })

  it.each([
    ['nothing', []],
    ['half an introduction', [introduction().subarray(0, 20)]],
  ])('is waited for no longer than the timeout: %s', async (_, sent) => {
    const [, b] = await pair({ handshakeTimeoutMs: 50 })
    const silent = await recorded(b.address, sent)
    await waitFor('the end', () => silent.ended)
  })

  it('is not asked of who is no peer', async () => {
    const [, b] = await pair()
    const stranger = await recorded(b.address, [frameOf(Buffer.from('GET / HTTP/1.1'))])
    await waitFor('the end', () => stranger.ended)
    expect([b.transport.refusedLinks, stranger.received.length]).toEqual([1, 0])
  })
})

describe('limits of links', () => {
  it('close a link at an oversized frame; the next one is open again', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    const a = await start('a', left)
    const b = await start('b', right, { frameBytesMax: 1_000 })
    a.transport.setTargets([b.address])
    await waitFor('the link', () => a.ups.length === 1)
    a.transport.send('id-b', chunk(2_000))
    await waitFor('its end', () => a.downs.length === 1)
    await waitFor('the next', () => a.ups.length === 2)
    a.transport.send('id-b', numbered(1))
    await waitFor('a frame', () => b.frames.length === 1)
    expect(sequences(b)).toEqual([1])
  })

  it('drop and count frames above the queue, and those without a link', async () => {
    const [a, b] = await pair({ queueBytesMax: 1_000 })
    a.transport.send('id-b', numbered(0))
    expect(a.transport.droppedFrames).toBe(1)
    a.transport.setTargets([b.address])
    await waitFor('the link', () => a.ups.length === 1)
    a.transport.send('id-b', chunk(600))
    expect(a.transport.queuedBytes('id-b')).toBeGreaterThan(600)
    a.transport.send('id-b', chunk(600))
    expect(a.transport.droppedFrames).toBe(2)
    a.transport.send('id-b', numbered(1))
    await waitFor('what fitted', () => b.frames.length === 2)
    await waitFor('an empty queue', () => a.transport.queuedBytes('id-b') === 0)
    expect(a.transport.queuedBytes('id-c')).toBe(0)
  })

  it('close a link at a frame that cannot be read', async () => {
    const [a, b] = await pair()
    const between = await eavesdropper(b.address)
    a.transport.setTargets([between.address])
    await waitFor('the link', () => a.ups.length === 1)
    between.inject(frameOf(Buffer.from([1, 250, 1, 2, 3])))
    await waitFor('b refuses', () => b.transport.refusedLinks === 1)
    await waitFor('its end', () => a.downs.length === 1)
  })
})

// --- Links by hand -------------------------------------------------------------------------------

function frameOf(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(payload.length)
  return Buffer.concat([head, payload])
}

/** A well-formed introduction of a server that knows no secret. */
function introduction(): Buffer {
  const hello = helloBytes()
  const buffer = (bytes: Uint8Array) => frameOf(bytes)
  const magic = Buffer.from([0x51, 0x4c, 0x4e, 0x4b])
  const noProof = Buffer.from([255, 255, 255, 255])
  return frameOf(Buffer.concat([magic, buffer(new Uint8Array(16)), buffer(hello), noProof]))
}

function helloBytes(): Uint8Array {
  const writer = new JuteWriter()
  encodeHello(writer, helloOf('impostor', '127.0.0.1:1'))
  return writer.copy()
}

/** Sends bytes as they are and remembers what came back. */
async function recorded(address: string, chunks: readonly Uint8Array[]) {
  const state = { ended: false, received: [] as Buffer[] }
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  sockets.push(socket)
  socket.on('data', (data) => void state.received.push(data))
  socket.on('error', () => {})
  socket.on('close', () => {
    state.ended = true
  })
  await new Promise<void>((done) => socket.once('connect', done))
  for (const bytes of chunks) socket.write(bytes)
  return state
}

/** Stands between two servers: passes all on, and keeps what the dialler sent. */
async function eavesdropper(to: string) {
  const chunks: Buffer[] = []
  let onward: Socket | null = null
  const server = createServer((inbound) => {
    const outbound = connect(Number(to.split(':')[1]), '127.0.0.1')
    sockets.push(inbound, outbound)
    onward = outbound
    inbound.on('data', (data) => {
      chunks.push(data)
      outbound.write(data)
    })
    outbound.on('data', (data) => inbound.write(data))
    for (const [one, other] of [
      [inbound, outbound],
      [outbound, inbound],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  })
  servers.push(server)
  const [port = 0] = await reservePorts(1)
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  return {
    address: `127.0.0.1:${port}`,
    recorded: chunks,
    inject: (bytes: Uint8Array) => void onward?.write(bytes),
  }
}
