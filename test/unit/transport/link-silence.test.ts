import { spawn } from 'node:child_process'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { TcpTransportOptions } from '../../../server/transport/tcp-transport.ts'
import { reservePorts } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'
import {
  chunk,
  closeAll,
  numbered,
  type Peer,
  pair,
  sequences,
  servers,
  sockets,
  start,
} from './loopback-peer.ts'

const SILENCE_MS = 300
const brisk = { keepaliveMs: 30, silenceMsMax: SILENCE_MS, handshakeTimeoutMs: 500 }

afterEach(closeAll)

describe('a link through which nothing comes any more', () => {
  it('is given up by both sides and dialled again: the next path is used at once', async () => {
    const { a, b, path } = await throughPath()
    path.swallow('open')
    const cutMs = performance.now()
    await waitFor('the link again', () => a.ups.length === 2)
    expect(performance.now() - cutMs).toBeGreaterThanOrEqual(SILENCE_MS - 2 * brisk.keepaliveMs)
    a.transport.send('id-b', numbered(2))
    await waitFor('a frame on it', () => b.frames.length === 2)
    await waitFor('the other side gives up', () => b.transport.silentLinks === 1)
    expect([a.downs, a.transport.silentLinks, path.dials()]).toEqual([['id-b'], 1, 2])
    expect([a, b].map((peer) => peer.logged.join())).toEqual([
      expect.stringContaining('not heard'),
      expect.stringContaining('not heard'),
    ])
  })

  it('is dialled for as long as it takes', async () => {
    const { a, b, path } = await throughPath()
    path.swallow('all')
    await waitFor('dials without an answer', () => path.dials() >= 4)
    expect(a.ups).toHaveLength(1)
    path.heal()
    await waitFor('the link again', () => a.ups.length === 2)
    a.transport.send('id-b', numbered(2))
    await waitFor('a frame on it', () => b.frames.length === 2)
    // Dials without an answer are no links.
    expect(a.transport.silentLinks).toBe(1)
  })

  it.each(['dialler', 'acceptor'] as const)(
    'is given up when only the %s is mute',
    async (mute) => {
      const { a, path } = await throughPath()
      path.swallow('open', mute)
      await waitFor('the link again', () => a.ups.length === 2)
    },
  )
})

describe('a link stays open', () => {
  it('while nobody has anything to say', async () => {
    const { a, b, path } = await throughPath()
    const beats = Math.ceil((3 * SILENCE_MS) / brisk.keepaliveMs)
    const before = path.passed()
    // Four bytes each.
    await waitFor('signs of life', () => path.passed().acceptor >= before.acceptor + 4 * beats)
    await waitFor('of both', () => path.passed().dialler >= before.dialler + 4 * beats)
    expectUnbroken(a, b)
    expect([b.frames.length, b.transport.refusedLinks]).toEqual([1, 0])
  })

  it('while a large frame takes its time', async () => {
    const { a, b, path } = await throughPath()
    path.slowDown(16_384)
    const sentMs = performance.now()
    a.transport.send('id-b', chunk(700_000))
    await waitFor('it', () => b.frames.length === 2)
    expect(performance.now() - sentMs).toBeGreaterThan(2 * SILENCE_MS)
    expectUnbroken(a, b)
  })

  it('over a pause of the process', async () => {
    const { a, b } = await throughPath()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4 * SILENCE_MS)
    a.transport.send('id-b', numbered(2))
    await waitFor('a frame', () => b.frames.length === 2)
    expectUnbroken(a, b)
  })
})

describe('a dial that nobody answers', () => {
  it('is given up long before the system does', async () => {
    const [left = 0, right = 0] = await reservePorts(2)
    await deafListener(right)
    const options = { dialTimeoutMs: 40, handshakeTimeoutMs: 600_000 }
    const a = await start('a', left, options)
    a.transport.setTargets([`127.0.0.1:${right}`])
    await waitFor('three dials', () => a.logged.some((line) => line.includes('cannot be reached')))
  })
})

function expectUnbroken(a: Peer, b: Peer): void {
  expect([a.ups.length, a.downs, a.transport.silentLinks, b.transport.silentLinks]).toEqual([
    1,
    [],
    0,
    0,
  ])
}

/** Two peers with an open link from a to b through a path in the test's hand; one frame has passed. */
async function throughPath(options: Partial<TcpTransportOptions> = brisk) {
  const [a, b] = await pair(options)
  const path = await pathTo(b.address)
  a.transport.setTargets([path.address])
  await waitFor('the link', () => a.ups.length === 1)
  a.transport.send('id-b', numbered(1))
  await waitFor('a frame', () => b.frames.length === 1)
  expect(sequences(b)).toEqual([1])
  return { a, b, path }
}

type Speaker = 'dialler' | 'acceptor'

/**
 * A stretch of network: passes bytes on, or swallows them while both ends stay connected, as a
 * partition does. Nothing of a swallowed connection gets through, not even its end.
 */
async function pathTo(to: string) {
  let dials = 0
  let swallowing = false
  let pieceBytes = 0
  const muted = new Set<Socket>()
  const open = new Set<readonly [Socket, Socket]>()
  const passed: Record<Speaker, number> = { dialler: 0, acceptor: 0 }
  const relay = (from: Socket, onto: Socket, speaker: Speaker): void => {
    let queue = Promise.resolve()
    from.on('data', (data) => {
      if (muted.has(from)) return
      passed[speaker] += data.length
      const bytes = Buffer.from(data)
      for (let at = 0; at < bytes.length; at += pieceBytes || bytes.length) {
        const piece = bytes.subarray(at, at + (pieceBytes || bytes.length))
        if (pieceBytes > 0) queue = queue.then(() => pause(20))
        queue = queue.then(() => void onto.write(piece))
      }
    })
    from.on('error', () => {})
    from.on('close', () => {
      if (!muted.has(from)) onto.destroy()
    })
  }
  const server = createServer((inbound) => {
    dials += 1
    const outbound = connect(Number(to.split(':')[1]), '127.0.0.1')
    sockets.push(inbound, outbound)
    open.add([inbound, outbound])
    if (swallowing) muted.add(inbound).add(outbound)
    relay(inbound, outbound, 'dialler')
    relay(outbound, inbound, 'acceptor')
  })
  servers.push(server)
  const [port = 0] = await reservePorts(1)
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  return {
    address: `127.0.0.1:${port}`,
    dials: () => dials,
    passed: () => ({ ...passed }),
    /** 'open': the connections there are; 'all': those to come too. */
    swallow: (which: 'open' | 'all', speaker: Speaker | 'both' = 'both') => {
      swallowing = which === 'all'
      for (const [inbound, outbound] of open) {
        if (speaker !== 'acceptor') muted.add(inbound)
        if (speaker !== 'dialler') muted.add(outbound)
      }
    },
    heal: () => {
      swallowing = false
    },
    /** From here on so many bytes at a time, with pauses. */
    slowDown: (bytes: number) => {
      pieceBytes = bytes
    },
  }
}

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

/** A port of a process that stands still, with its queue of connections full: it answers no dial. */
async function deafListener(port: number): Promise<void> {
  const script = `require('node:net').createServer().listen(
    { port: ${port}, host: '127.0.0.1', backlog: 1 },
    () => {
      process.stdout.write('listening', () => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      })
    },
  )`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  stopping.push(() => void child.kill('SIGKILL'))
  await new Promise<void>((done) => child.stdout.once('data', () => done()))
  // A queue of one holds two, and dials beyond are left without an answer.
  for (let i = 0; i < 4; i += 1) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    sockets.push(socket)
  }
  await waitFor('a full queue', () => sockets.filter((socket) => !socket.connecting).length >= 2)
}

const stopping: (() => void)[] = []
afterEach(() => {
  for (const stop of stopping.splice(0)) stop()
})
