import { type IncomingMessage, request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'
import { within } from '../deadline.ts'
import { limits } from '../limits.ts'

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/** No whole answer came within the time that was given. */
export class LateError extends Error {}

/**
 * One HTTP request with all of its answer, from the first byte of the name's resolution to the last
 * of the answer within `timeoutMs`. Rejects when there is none; with LateError when it took longer.
 * Not the global fetch: its parser alone would be a tenth of the agent's memory. Not
 * AbortSignal.timeout: it makes an error with its stack even for an exchange that was long over.
 */
export function exchange(
  url: URL,
  options: RequestOptions,
  body: string,
  timeoutMs: number,
): Promise<HttpAnswer> {
  const send = url.protocol === 'http:' ? requestHttp : requestHttps
  const request = send(url, options)
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    request.on('response', (response) => {
      const status = response.statusCode ?? 0
      gather(response).then((text) => resolve({ status, text }), reject)
    })
    request.on('error', reject)
  })
  request.end(body)
  return within(answer, timeoutMs, () => {
    const late = new LateError(`no answer within ${timeoutMs} ms`)
    request.destroy(late)
    return late
  })
}

/** What a JSON body, or none ('') needs in the head of its request. */
export function headersOf(body: string): Record<string, string> {
  const accept = { accept: 'application/json' }
  if (body === '') return accept
  const length = String(Buffer.byteLength(body))
  return { ...accept, 'content-type': 'application/json', 'content-length': length }
}

async function gather(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response) {
    const part: Uint8Array = chunk
    bytes += part.length
    if (bytes > limits.answerBytesMax) throw new Error('the answer is too long')
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
}
