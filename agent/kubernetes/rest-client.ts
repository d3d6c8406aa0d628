import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { AgentError, messageOf } from '../errors.ts'

/** Where Kubernetes puts what a pod needs to speak to its API. */
const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
const ANSWER_BYTES_MAX = 4 * 1024 * 1024

export interface RestOptions {
  /** URL of the API; '' is the one of the cluster that the pod runs in, with its token. */
  readonly url: string
  readonly timeoutMs: number
}

export interface RestAnswer {
  readonly status: number
  readonly body: unknown
}

/**
 * A few JSON requests to the Kubernetes API. The usual client library is forty times its size in
 * memory, in every pod of every engine, for five calls. The token is read anew each time, since the
 * kubelet renews its file.
 */
export class RestClient {
  readonly #base: URL
  readonly #isInside: boolean
  readonly #timeoutMs: number

  constructor({ url, timeoutMs }: RestOptions) {
    this.#isInside = url === ''
    this.#base = new URL(url === '' ? insideUrl() : url)
    this.#timeoutMs = timeoutMs
  }

  /** Any answer resolves; rejects with KUBERNETES_TIMEOUT or KUBERNETES_UNREACHABLE without one. */
  async call(method: string, path: string, body?: object): Promise<RestAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body)
    try {
      const { status, answer } = await this.#exchange(method, path, text)
      return { status, body: answer === '' ? null : JSON.parse(answer) }
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError') {
        throw new AgentError('KUBERNETES_TIMEOUT', 'the Kubernetes API did not answer in time')
      }
      throw new AgentError('KUBERNETES_UNREACHABLE', messageOf(error))
    }
  }

  #exchange(method: string, path: string, body: string) {
    const send = this.#base.protocol === 'http:' ? requestHttp : requestHttps
    const options = {
      method,
      headers: this.#headers(body),
      // All of the exchange, from the first byte of the name's resolution to the last of the answer.
      signal: AbortSignal.timeout(this.#timeoutMs),
      ...(this.#isInside ? { ca: readFileSync(`${ACCOUNT}/ca.crt`) } : {}),
    }
    return new Promise<{ readonly status: number; readonly answer: string }>((resolve, reject) => {
      const fail = (error: Error) => reject(options.signal.aborted ? options.signal.reason : error)
      const request = send(new URL(path, this.#base), options, (response) => {
        gather(response).then(
          (answer) => resolve({ status: response.statusCode ?? 0, answer }),
          fail,
        )
      })
      request.on('error', fail)
      request.end(body)
    })
  }

  #headers(body: string): Record<string, string> {
    const token = this.#isInside ? readFileSync(`${ACCOUNT}/token`, 'utf8').trim() : ''
    return {
      accept: 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
      ...(body === ''
        ? {}
        : {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(body)),
          }),
    }
  }
}

function insideUrl(): string {
  const host = process.env['KUBERNETES_SERVICE_HOST']
  const port = process.env['KUBERNETES_SERVICE_PORT'] ?? '443'
  if (!host) throw new AgentError('AGENT_CONFIG_INVALID', 'kubernetesUrl: not inside a cluster')
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
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
