import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { exchange, headersOf, LateError } from '../../../agent/http/exchange.ts'

const WITHIN_MS = 100
let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** A server that does with its response what `answer` says, and its URL. */
async function serving(answer: (response: ServerResponse) => void): Promise<URL> {
  const listening = createServer((_request, response) => answer(response))
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return new URL(`http://127.0.0.1:${(listening.address() as AddressInfo).port}/`)
}

function ask(url: URL) {
  return exchange(url, { headers: headersOf('') }, '', WITHIN_MS)
}

test('a whole answer comes with its status', async () => {
  const url = await serving((response) => response.writeHead(409).end('taken'))
  expect(await ask(url)).toEqual({ status: 409, text: 'taken' })
})

test('no answer in time is an error of its own', async () => {
  const url = await serving(() => {})
  await expect(ask(url)).rejects.toThrow(LateError)
})

test('neither is an answer that begins and does not end', async () => {
  const url = await serving((response) => response.writeHead(200).write('half'))
  await expect(ask(url)).rejects.toThrow(LateError)
})

test('an answer that is cut off is no late one', async () => {
  const url = await serving((response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('half', () => response.destroy())
  })
  const failure = await ask(url).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)
  expect(failure).not.toBeInstanceOf(LateError)
})
