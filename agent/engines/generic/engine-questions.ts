import { type FactOf, substitute } from '../../core/substitution.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { exchange } from '../../http/exchange.ts'
import { limits } from '../../limits.ts'
import type { GenericRequest } from './generic-document.ts'
import { tcpExchange } from './tcp-exchange.ts'

export interface AskOptions {
  readonly request: GenericRequest
  /** Where the engine is, for requests that name no host. */
  readonly host: string
  readonly timeoutMs: number
  readonly factOf: FactOf
  /** Other answers by TCP that end the exchange as well as the request's own `expect`. */
  readonly patterns?: readonly RegExp[]
}

/**
 * One request to the engine, with its facts put in; resolves with the text of the answer. Rejects with
 * ENGINE_REFUSED for another answer than is expected, with ENGINE_UNREACHABLE for none.
 */
export async function ask(options: AskOptions): Promise<string> {
  const { request, host, factOf, patterns = [] } = options
  const { http, tcp } = request
  const timeoutMs = request.timeoutMs ?? options.timeoutMs
  const put = (text: string) => filled(text, factOf)
  if (tcp !== undefined) {
    const place = { host: put(tcp.host ?? host), port: tcp.port }
    const expect = [...(tcp.expect === undefined ? [] : [new RegExp(tcp.expect)]), ...patterns]
    const question = { ...place, send: put(tcp.send ?? ''), expect, timeoutMs }
    try {
      return await tcpExchange({ ...question, bytesMax: limits.genericAnswerBytesMax })
    } catch (error) {
      throw new AgentError('ENGINE_UNREACHABLE', `port ${tcp.port}: ${messageOf(error)}`)
    }
  }
  if (http === undefined) throw new AgentError('AGENT_CONFIG_INVALID', 'neither http nor tcp')
  const { method = 'GET', body = '', headers = {}, statuses = [200], port } = http
  const where = put(http.host ?? host)
  const base = `http://${where.includes(':') ? `[${where}]` : where}:${port}`
  const text = put(body)
  const filledHeaders = Object.entries(headers).map(([name, value]) => [name, put(value)])
  const length = text === '' ? {} : { 'content-length': String(Buffer.byteLength(text)) }
  const head = { method, headers: { ...length, ...Object.fromEntries(filledHeaders) } }
  const answer = await exchange(new URL(put(http.path), base), head, text, timeoutMs).catch(
    (error: unknown) => {
      throw new AgentError('ENGINE_UNREACHABLE', `port ${port}: ${messageOf(error)}`)
    },
  )
  if (statuses.includes(answer.status)) return answer.text
  const excerpt = JSON.stringify(answer.text.slice(0, 200))
  throw new AgentError('ENGINE_REFUSED', `HTTP ${answer.status}: ${excerpt}`, answer.status)
}

/** Throws ENGINE_UNREACHABLE while a fact is not known. */
function filled(template: string, factOf: FactOf): string {
  const result = substitute(template, factOf)
  if (result.kind === 'text') return result.text
  if (result.kind === 'invalid') throw new AgentError('AGENT_CONFIG_INVALID', result.reason)
  throw new AgentError('ENGINE_UNREACHABLE', `the fact ${result.name} is not known now`)
}
