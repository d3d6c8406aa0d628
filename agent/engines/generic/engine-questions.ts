import { type FactOf, substitute } from '../../core/substitution.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { exchange } from '../../http/exchange.ts'
import { limits } from '../../limits.ts'
import type { GenericRequest } from './generic-document.ts'
import type { GenericFacts } from './generic-facts.ts'
import { tcpExchange } from './tcp-exchange.ts'

export interface QuestionsOptions {
  /** Where the agent reaches the engine. */
  readonly host: string
  /** Of clients; null: requests have to name theirs. */
  readonly port: number | null
  /** By name. */
  readonly ports: Readonly<Record<string, number>>
  readonly facts: GenericFacts
}

/** Where a request goes; the port is null where the request has to name one. */
interface Place {
  readonly host: string
  readonly port: number | null
}

export interface AskOptions {
  readonly timeoutMs: number
  /** What may be put in; all facts when it is left out. */
  readonly factOf?: FactOf
  /** Answers by TCP that end the exchange as well as the request's own `expect`. */
  readonly patterns?: readonly RegExp[]
}

type Http = NonNullable<GenericRequest['http']>
type Tcp = NonNullable<GenericRequest['tcp']>

/**
 * Requests of the document, sent with their facts put in: to the engine of this pod, to the first of other members
 * that answers (`at`), or to all of them in turn (`each`).
 */
export class EngineQuestions {
  readonly #options: QuestionsOptions

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /**
   * Resolves with the text of the (last) answer. Rejects with ENGINE_REFUSED for another answer than is expected, with
   * ENGINE_UNREACHABLE for none; no secret stands in the message.
   */
  async ask(request: GenericRequest, options: AskOptions): Promise<string> {
    const { facts } = this.#options
    try {
      const places = this.#places(request)
      if (request.each !== undefined) {
        let last = ''
        for (const place of places) last = await this.#askAt(place, request, options)
        return last
      }
      return await this.#askFirst(places, request, options)
    } catch (error) {
      if (!(error instanceof AgentError)) throw error
      throw new AgentError(error.code, facts.redacted(error.message), error.detail)
    }
  }

  async #askFirst(
    places: readonly Place[],
    request: GenericRequest,
    options: AskOptions,
  ): Promise<string> {
    let refusal = new AgentError('ENGINE_UNREACHABLE', 'there is nobody to ask')
    for (const place of places) {
      try {
        return await this.#askAt(place, request, options)
      } catch (error) {
        if (!(error instanceof AgentError)) throw error
        refusal = error
      }
    }
    throw refusal
  }

  #places({ at, each }: GenericRequest): readonly Place[] {
    const { host, port, facts } = this.#options
    const whose = at ?? each
    if (whose === undefined) return [{ host, port }]
    const places = facts.placesOf(whose)
    if (places === null) throw unreachable(`the members ${whose} are not known now`)
    return places
  }

  async #askAt(place: Place, request: GenericRequest, options: AskOptions): Promise<string> {
    const { http, tcp } = request
    const timeoutMs = request.timeoutMs ?? options.timeoutMs
    const factOf = options.factOf ?? this.#options.facts.of
    const put = (text: string) => filled(text, factOf)
    const port = this.#portOf(http?.port ?? tcp?.port, place)
    if (http !== undefined) return await askHttp(http, { ...place, port }, timeoutMs, put)
    const { patterns = [] } = options
    return await askTcp(tcp ?? {}, { ...place, port }, timeoutMs, put, patterns)
  }

  #portOf(given: string | number | undefined, place: Place): number {
    const port = typeof given === 'string' ? this.#options.ports[given] : (given ?? place.port)
    if (port === undefined || port === null) {
      throw new AgentError('AGENT_CONFIG_INVALID', `generic: there is no port ${given ?? ''}`)
    }
    return port
  }
}

async function askTcp(
  { send = '', expect }: Tcp,
  place: { readonly host: string; readonly port: number },
  timeoutMs: number,
  put: (text: string) => string,
  patterns: readonly RegExp[],
): Promise<string> {
  const wanted = [...(expect === undefined ? [] : [new RegExp(expect)]), ...patterns]
  const bytesMax = limits.genericAnswerBytesMax
  const question = { ...place, send: put(send), expect: wanted, timeoutMs, bytesMax }
  try {
    return await tcpExchange(question)
  } catch (error) {
    throw unreachable(`${place.host}:${place.port}: ${messageOf(error)}`)
  }
}

async function askHttp(
  { method = 'GET', path, body = '', headers = {}, statuses = [200] }: Http,
  { host, port }: { readonly host: string; readonly port: number },
  timeoutMs: number,
  put: (text: string) => string,
): Promise<string> {
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  const text = put(body)
  const given = Object.entries(headers).map(([name, value]) => [name, put(value)])
  const length = text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }
  const head = { method, headers: { ...length, ...Object.fromEntries(given) } }
  const url = new URL(put(path), base)
  const answer = await exchange(url, head, text, timeoutMs).catch((error: unknown) => {
    throw unreachable(`${host}:${port}: ${messageOf(error)}`)
  })
  if (statuses.includes(answer.status)) return answer.text
  const excerpt = JSON.stringify(answer.text.slice(0, 200))
  throw new AgentError('ENGINE_REFUSED', `HTTP ${answer.status}: ${excerpt}`, answer.status)
}

/** Throws ENGINE_UNREACHABLE while a fact is not known. */
function filled(template: string, factOf: FactOf): string {
  const result = substitute(template, factOf)
  if (result.kind === 'text') return result.text
  if (result.kind === 'invalid') throw new AgentError('AGENT_CONFIG_INVALID', result.reason)
  throw unreachable(`the fact ${result.name} is not known now`)
}

function unreachable(message: string): AgentError {
  return new AgentError('ENGINE_UNREACHABLE', message)
}
