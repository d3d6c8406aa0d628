import { request } from 'node:https'
import type { ConnectionOptions } from 'node:tls'

export interface SecureRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  /** What is trusted, and what is shown. */
  readonly tls: ConnectionOptions
}

export interface SecureAnswer {
  readonly status: number
  readonly text: string
}

/** One request over HTTPS; `fetch` can be told of no authorities. Rejects when there is no answer. */
export function secureRequest(
  url: URL,
  { method, headers, body, timeoutMs, tls }: SecureRequest,
): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    // One question now and then: no connection is kept.
    const asked = request(url, { ...tls, method, headers, signal, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
