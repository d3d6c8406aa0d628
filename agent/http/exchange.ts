import { type IncomingMessage, request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'

const ANSWER_BYTES_MAX = 4 * 1024 * 1024

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/**
 * One HTTP request with all of its answer. Rejects when there is none; with the signal's reason when
 * that ended it. Not the global fetch: its parser alone would be a tenth of the agent's memory.
 */
export function exchange(url: URL, options: RequestOptions, body: string): Promise<HttpAnswer> {
  const send = url.protocol === 'http:' ? requestHttp : requestHttps
  return new Promise((resolve, reject) => {
    const { signal } = options
    const fail = (error: Error) => reject(signal?.aborted ? signal.reason : error)
    const request = send(url, options, (response) => {
      gather(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), fail)
    })
    request.on('error', fail)
    request.end(body)
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
    if (bytes > ANSWER_BYTES_MAX) throw new Error('the answer is too long')
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
}
