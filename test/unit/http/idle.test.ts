import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type HttpHarness, httpHarness } from './harness.ts'

let harness: HttpHarness
afterEach(() => harness.close())

async function answered(idleMs: number) {
  harness = await httpHarness({ idleMs })
  await harness.app.listen({ port: 0, host: '127.0.0.1' })
  const address = harness.app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const socket = connect(address.port, '127.0.0.1')
  const ask = async () => {
    socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
    const [bytes] = await once(socket, 'data')
    return String(bytes)
  }
  expect(await ask()).toMatch(/^HTTP\/1\.1 200 /)
  return { socket, ask }
}

it('closes a connection that asks nothing more, after the time that is set', async () => {
  const { socket } = await answered(50)
  await once(socket, 'close')
})

it('leaves it open without such a time', async () => {
  const { socket, ask } = await answered(0)
  expect(harness.app.server.keepAliveTimeout).toBe(0)
  expect(await ask()).not.toMatch(/keep-alive: timeout/i)
  socket.destroy()
})
