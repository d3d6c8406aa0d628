import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../support/wait-for.ts'
import { type HttpHarness, httpHarness } from './harness.ts'

let harness: HttpHarness
const sockets: Socket[] = []
beforeAll(async () => {
  harness = await httpHarness({ connectionsMax: 2 })
  await harness.app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await harness.close()
})

/** The answer's first line on a connection that stays open; '' where it was closed instead. */
async function ask(): Promise<string> {
  const address = harness.app.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const socket = connect(address.port, '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  const answer = await Promise.race([
    once(socket, 'data').then(([bytes]) => String(bytes)),
    once(socket, 'close').then(() => ''),
  ])
  return answer.split('\r\n')[0] ?? ''
}

it('closes a connection beyond the limit, until there is room', async () => {
  expect(await ask()).toBe('HTTP/1.1 200 OK')
  expect(await ask()).toBe('HTTP/1.1 200 OK')
  expect(await ask()).toBe('')
  sockets[0]?.destroy()
  await waitFor('room', async () => (await ask()) === 'HTTP/1.1 200 OK')
})
