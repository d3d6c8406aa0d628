import type { RequestOptions } from 'node:https'
import { KubeConfig } from '@kubernetes/client-node'
import { AgentError, messageOf } from '../errors.ts'
import { exchange, type HttpAnswer, headersOf, LateError } from '../http/exchange.ts'

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
 * A few JSON requests to the Kubernetes API. Where it is, whom to trust and the token that the kubelet
 * renews are KubeConfig's; the generated calls of that library stay out of the bundle, since they
 * would cost every pod as much memory as all the rest of the agent, for six requests.
 */
export class RestClient {
  readonly #kube: KubeConfig
  readonly #base: URL
  readonly #timeoutMs: number

  constructor({ url, timeoutMs }: RestOptions) {
    this.#kube = kubeConfigOf(url)
    this.#base = new URL(this.#kube.getCurrentCluster()?.server ?? url)
    this.#timeoutMs = timeoutMs
  }

  /** Any answer resolves; rejects with KUBERNETES_TIMEOUT or KUBERNETES_UNREACHABLE without one. */
  async call(method: string, path: string, body?: object): Promise<RestAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body)
    try {
      const answer = await this.#exchange(method, path, text)
      return { status: answer.status, body: answer.text === '' ? null : JSON.parse(answer.text) }
    } catch (error) {
      if (error instanceof LateError) {
        throw new AgentError('KUBERNETES_TIMEOUT', 'the Kubernetes API did not answer in time')
      }
      throw new AgentError('KUBERNETES_UNREACHABLE', messageOf(error))
    }
  }

  async #exchange(method: string, path: string, body: string): Promise<HttpAnswer> {
    const headers = headersOf(body)
    if (method === 'PATCH') headers['content-type'] = 'application/merge-patch+json'
    const options: RequestOptions = { method, headers }
    await this.#kube.applyToHTTPSOptions(options)
    // The library makes a connection pool for each call; the process has one that keeps connections.
    options.agent = undefined
    return await exchange(new URL(path, this.#base), options, body, this.#timeoutMs)
  }
}

/** The cluster that the pod runs in, or one at a URL without credentials, as tests have it. */
function kubeConfigOf(url: string): KubeConfig {
  const kube = new KubeConfig()
  if (url !== '') {
    const cluster = { name: 'given', server: url, skipTLSVerify: url.startsWith('http:') }
    kube.loadFromClusterAndUser(cluster, { name: 'nobody' })
    return kube
  }
  if (!process.env['KUBERNETES_SERVICE_HOST'] || !process.env['KUBERNETES_SERVICE_PORT']) {
    throw new AgentError('AGENT_CONFIG_INVALID', 'kubernetesUrl: not inside a cluster')
  }
  kube.loadFromCluster()
  return kube
}
