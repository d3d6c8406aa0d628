import { AgentError, messageOf } from '../../errors.ts'
import { exchange, type HttpAnswer, LateError } from '../../http/exchange.ts'
import { readSecretFile } from '../../secret-file.ts'

/** host and port of a server's HTTP. */
export interface ServerPlace {
  readonly host: string
  readonly port: number
}

export interface AllegrographOptions {
  readonly place: ServerPlace
  readonly repository: string
  /** The same superuser on all servers. */
  readonly user: string
  readonly passwordFile: string
  /** One question. */
  readonly timeoutMs: number
  /** One change of the cluster, but growing it. */
  readonly changeMs: number
  /** Growing the cluster: all data is copied meanwhile. */
  readonly growMs: number
}

/** What a refusal may show of an answer. */
const SHOWN_CHARACTERS = 200
const REDACTED = '(redacted)'

/**
 * The part of AllegroGraph's REST API that multi-master replication is run by: `/hostname`, `/version` and
 * `/repositories/R/repl/*`. Who asks is in a header; but the server wants to be told by parameters as whom instances
 * reach each other, so no URL and no answer is ever shown as it is. Rejects with an AgentError.
 */
export class AllegrographClient {
  readonly #options: AllegrographOptions

  constructor(options: AllegrographOptions) {
    this.#options = options
  }

  /** Resolves when the server answers. */
  async hostname(): Promise<string> {
    const { timeoutMs } = this.#options
    return this.#accepted(await this.#send('GET', '/hostname', {}, timeoutMs)).trim()
  }

  async version(): Promise<string> {
    const { timeoutMs } = this.#options
    const text = this.#accepted(await this.#send('GET', '/version', {}, timeoutMs))
    return text.replaceAll('"', '').trim()
  }

  /** What the repository's cluster is, in a form that is not documented; null: it is an instance of none. */
  async status(): Promise<string | null> {
    const { timeoutMs } = this.#options
    const answer = await this.#send('GET', this.#path('status'), {}, timeoutMs)
    const isNone = answer.status === 400 || answer.status === 404
    return isNone ? null : this.#accepted(answer)
  }

  /** Creates the repository as the first and controlling instance of a cluster. */
  async createCluster(instanceName: string, at: ServerPlace): Promise<void> {
    const { changeMs } = this.#options
    const parameters = { ...this.#reachedAt(at), instanceName }
    this.#accepted(await this.#send('PUT', this.#path('createCluster'), parameters, changeMs))
  }

  /** Has this server copy its repository to the one at `at`, which becomes an instance. */
  async growCluster(instanceName: string, at: ServerPlace): Promise<void> {
    const { growMs, repository } = this.#options
    const parameters = { ...this.#reachedAt(at), name: repository, instanceName }
    this.#accepted(await this.#send('PUT', this.#path('growCluster'), parameters, growMs))
  }

  async removeInstance(instanceName: string): Promise<void> {
    const { changeMs } = this.#options
    this.#accepted(await this.#send('PUT', this.#path('remove'), { instanceName }, changeMs))
  }

  #path(verb: string): string {
    return `/repositories/${encodeURIComponent(this.#options.repository)}/repl/${verb}`
  }

  #reachedAt({ host, port }: ServerPlace) {
    return { host, port: String(port), user: this.#options.user, password: this.#password() }
  }

  async #send(
    method: string,
    path: string,
    parameters: Readonly<Record<string, string>>,
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    const { place, user } = this.#options
    const query = new URLSearchParams(parameters).toString()
    const headers = {
      accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
      authorization: `Basic ${Buffer.from(`${user}:${this.#password()}`).toString('base64')}`,
      // A PUT without a length would be sent in chunks, of which there are none.
      ...(method === 'GET' ? {} : { 'content-length': '0' }),
    }
    const host = place.host.includes(':') ? `[${place.host}]` : place.host
    const url = new URL(`http://${host}:${place.port}${path}${query === '' ? '' : `?${query}`}`)
    try {
      return await exchange(url, { method, headers }, '', timeoutMs)
    } catch (error) {
      const code = error instanceof LateError ? 'ENGINE_REFUSED' : 'ENGINE_UNREACHABLE'
      throw new AgentError(code, this.#redacted(`AllegroGraph: ${messageOf(error)}`))
    }
  }

  #accepted({ status, text }: HttpAnswer): string {
    if (status >= 200 && status < 300) return text
    const shown = this.#redacted(text).slice(0, SHOWN_CHARACTERS)
    throw new AgentError('ENGINE_REFUSED', `AllegroGraph: HTTP ${status}: ${shown}`, status)
  }

  #password(): string {
    return readSecretFile(this.#options.passwordFile)
  }

  /** Servers repeat what they were asked for in what they refuse, also as it stood in the URL. */
  #redacted(text: string): string {
    const password = this.#password()
    const forms = new URLSearchParams({ password }).toString().slice('password='.length)
    return [password, encodeURIComponent(password), forms]
      .filter((form) => form !== '')
      .reduce((shown, form) => shown.replaceAll(form, REDACTED), text)
  }
}
