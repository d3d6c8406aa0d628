import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { Replication } from '../../core/cluster/postgresql-plan.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { exchange, type HttpAnswer, headersOf, LateError } from '../../http/exchange.ts'
import { readSecretFile } from '../../secret-file.ts'

// What is read of each answer; they have more (Patroni's REST API, "Monitoring endpoint").
const Status = Type.Object({
  state: Type.String(),
  role: Type.String(),
  timeline: Type.Optional(Type.Number()),
  server_version: Type.Optional(Type.Number()),
  database_system_identifier: Type.Optional(Type.String()),
})
const Member = Type.Object({
  name: Type.String(),
  role: Type.String(),
  state: Type.String(),
  api_url: Type.String(),
  /** Bytes, or "unknown"; the leader has none. */
  lag: Type.Optional(Type.Union([Type.Number(), Type.String()])),
  tags: Type.Optional(Type.Object({ nofailover: Type.Optional(Type.Boolean()) })),
})
const Cluster = Type.Object({ members: Type.Array(Member) })
const Configuration = Type.Object({
  synchronous_mode: Type.Optional(Type.Unknown()),
  synchronous_mode_strict: Type.Optional(Type.Unknown()),
})

export type PatroniStatus = Type.Static<typeof Status>
export type PatroniMember = Type.Static<typeof Member>

export interface PatroniOptions {
  readonly host: string
  readonly port: number
  /** '' where the REST API asks for none. */
  readonly user: string
  readonly passwordFile: string
  /** A standby further behind than this serves nobody. */
  readonly lagBytesMax: number
  /** One answer from the memory of Patroni. */
  readonly timeoutMs: number
  /** One answer for which Patroni looks into the tree. */
  readonly treeTimeoutMs: number
}

/** Patroni's REST API, of the own pod and of others. Rejects with an AgentError. */
export class PatroniClient {
  readonly #options: PatroniOptions
  readonly #base: URL

  constructor(options: PatroniOptions) {
    this.#options = options
    this.#base = new URL(`http://${options.host}:${options.port}`)
  }

  /** What Patroni says of itself, and whether it may be used as a primary (else as a standby). */
  async status(
    asPrimary: boolean,
  ): Promise<{ readonly usable: boolean; readonly is: PatroniStatus }> {
    const path = asPrimary ? '/primary' : `/replica?lag=${this.#options.lagBytesMax}`
    const { status, text } = await this.#get(path, this.#options.timeoutMs)
    return { usable: status === 200, is: parsed(Status, text) }
  }

  /** False: Patroni's loop has stood still for longer than the leader's key lives. */
  async loops(): Promise<boolean> {
    const { status } = await this.#get('/liveness', this.#options.timeoutMs)
    return status !== 503
  }

  /** As the tree has it now. */
  async members(): Promise<readonly PatroniMember[]> {
    const { text } = await this.#get('/cluster', this.#options.treeTimeoutMs)
    return parsed(Cluster, text).members
  }

  /** What the dynamic configuration asks for; `synchronous`: commits wait for standbys, in whatever way. */
  async replication(): Promise<{
    readonly synchronous: boolean
    readonly mode: Replication | 'other'
  }> {
    const { text } = await this.#get('/config', this.#options.treeTimeoutMs)
    const { synchronous_mode: mode, synchronous_mode_strict: strict } = parsed(Configuration, text)
    if (/^quorum$/i.test(String(mode))) return { synchronous: true, mode: 'other' }
    if (isOn(mode)) return { synchronous: true, mode: isOn(strict) ? 'strict' : 'synchronous' }
    return { synchronous: false, mode: isOn(strict) ? 'other' : 'asynchronous' }
  }

  /** Changes that in the dynamic configuration, and nothing else of it. */
  async setReplication(mode: Replication): Promise<void> {
    const answer = await this.#change('PATCH', '/config', {
      synchronous_mode: mode !== 'asynchronous',
      synchronous_mode_strict: mode === 'strict',
    })
    if (answer === null) throw new AgentError('ENGINE_UNREACHABLE', 'Patroni: no answer in time')
  }

  /** Whether that member's own Patroni says that it is a synchronous standby and runs. */
  async isStandby(member: PatroniMember): Promise<boolean> {
    const path = member.role === 'quorum_standby' ? '/quorum' : '/synchronous'
    const { status } = await this.#get(path, this.#options.timeoutMs, new URL(member.api_url))
    return status === 200
  }

  /** Resolves when the switchover is on record. Patroni answers when it is over, which nobody waits for. */
  async switchOver(leader: string, candidate: string | null): Promise<void> {
    const value = { leader, ...(candidate === null ? {} : { candidate }) }
    await this.#change('POST', '/switchover', value)
  }

  /** Null: no answer in time, which says nothing of what came of it. */
  async #change(method: string, path: string, value: object): Promise<HttpAnswer | null> {
    const body = JSON.stringify(value)
    const { user, passwordFile, treeTimeoutMs } = this.#options
    const secret = user === '' ? '' : `${user}:${readSecretFile(passwordFile)}`
    const headers = {
      ...headersOf(body),
      ...(secret === '' ? {} : { authorization: `Basic ${btoa(secret)}` }),
    }
    let answer: HttpAnswer
    try {
      answer = await exchange(new URL(path, this.#base), { method, headers }, body, treeTimeoutMs)
    } catch (error) {
      if (error instanceof LateError) return null
      throw new AgentError('ENGINE_UNREACHABLE', `Patroni: ${messageOf(error)}`)
    }
    if (answer.status !== 200 && answer.status !== 202) {
      throw new AgentError('ENGINE_REFUSED', `Patroni: ${answer.text}`, answer.status)
    }
    return answer
  }

  async #get(path: string, timeoutMs: number, base = this.#base): Promise<HttpAnswer> {
    try {
      return await exchange(new URL(path, base), { headers: headersOf('') }, '', timeoutMs)
    } catch (error) {
      throw new AgentError('ENGINE_UNREACHABLE', `Patroni: ${messageOf(error)}`)
    }
  }
}

/** As Patroni reads it (parse_bool). */
function isOn(value: unknown): boolean {
  return /^(on|true|yes|1)$/i.test(String(value))
}

function parsed<S extends Type.TSchema>(schema: S, text: string): Type.Static<S> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // While the tree is away some answers are plain text.
    throw new AgentError('ENGINE_REFUSED', `Patroni: ${text.slice(0, 200)}`)
  }
  if (Value.Check(schema, value)) return value
  throw new AgentError('ENGINE_REFUSED', 'Patroni: the answer has another shape')
}
