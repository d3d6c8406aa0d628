import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type HttpHarness, httpHarness } from './harness.ts'

/** More than the buffers of both sockets of a loopback connection hold. */
const LARGE = 16 * 1024 * 1024
/** Longer than a test may take: a bound that must not be what ended the wait. */
const NEVER_MS = 60_000

let http: HttpHarness
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await http.close()
})

async function client(bytesMax: number, msMax: number): Promise<Socket> {
  http = await httpHarness({ refusedBody: { bytesMax, msMax } })
  await http.app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = http.app.server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

function head(framing: string): string {
  const lines = ['POST /v1/data HTTP/1.1', 'host: x', 'content-type: application/json', framing]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Resolves when the kernel has taken all of it; a reset of the connection rejects. */
function send(socket: Socket, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

/** All that the server says until it closes the connection. */
async function answer(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += String(chunk)
  return text
}

const REFUSED = /^HTTP\/1\.1 413 .*"code":"BODY_TOO_LARGE"/s

describe('a body above the limit', () => {
  it('is answered to a client that sends all of it before it reads', async () => {
    const socket = await client(2 * LARGE, NEVER_MS)
    await send(socket, head(`content-length: ${LARGE}`))
    await send(socket, Buffer.alloc(LARGE, 'x'))
    expect(await answer(socket)).toMatch(REFUSED)
  })

  it('is answered in the same way when it announces no length', async () => {
    const socket = await client(2 * LARGE, NEVER_MS)
    await send(socket, head('transfer-encoding: chunked'))
    await send(socket, `${LARGE.toString(16)}\r\n`)
    await send(socket, Buffer.alloc(LARGE, 'x'))
    await send(socket, '\r\n0\r\n\r\n')
    expect(await answer(socket)).toMatch(REFUSED)
  })

  it('is not waited for when it announces more than would be read', async () => {
    const socket = await client(LARGE, NEVER_MS)
    await send(socket, head(`content-length: ${LARGE + 1}`))
    expect(await answer(socket)).toMatch(REFUSED)
  })

  it('is not read beyond the bound', async () => {
    const socket = await client(10_000, NEVER_MS)
    await send(socket, head('transfer-encoding: chunked'))
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
    // Never ended: what answers is the bound alone.
    await send(socket, chunk.repeat(4))
    expect(await answer(socket)).toMatch(REFUSED)
  })

  it('is not waited for longer than the bound', async () => {
    const socket = await client(LARGE, 50)
    await send(socket, head('content-length: 10000'))
    expect(await answer(socket)).toMatch(REFUSED)
  })
})
