import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { DiskReport, EngineView, Observation } from '../../core/observation.ts'
import { serverPolicy } from '../../core/server-policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { exchange, type HttpAnswer, headersOf } from '../../http/exchange.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'

export interface QuorateOptions {
  readonly disk: MemberDisk
  readonly dataDirectory: string
  readonly pod: string
  readonly ordinal: number
  readonly host: string
  readonly httpPort: number
  readonly peerPort: number
  readonly clientPorts: ClientPorts
  /** Bearer token of the server's HTTP API; '' for none. */
  readonly token: string
  readonly timeoutMs: number
  /** host:port of the peer port of an ordinal. */
  readonly peerAddress: (ordinal: number) => string
}

const Member = Type.Object({
  name: Type.String(),
  role: Type.String(),
  httpAddress: Type.String(),
  /** Null where the server that was asked does not lead, and cannot know. */
  silentMs: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
})
/** What is read of GET /v1/ensemble; it has more. */
const View = Type.Object({
  name: Type.String(),
  version: Type.Optional(Type.String()),
  clusterId: Type.String(),
  role: Type.String(),
  leader: Type.Union([Type.String(), Type.Null()]),
  ready: Type.Boolean(),
  reason: Type.String(),
  members: Type.Array(Member),
})
const Identity = Type.Object({ clusterId: Type.String(), id: Type.String() })
const Refusal = Type.Object({
  code: Type.String(),
  message: Type.String(),
  leader: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})

/** Redirections to a newer leader that one change follows. */
const REDIRECTS_MAX = 3
/** How the reason of a server begins that was removed. */
const RETIRED = 'SERVER_RETIRED:'
/** What the shell of the container would not take as it stands. */
const SAFE_LINE = /^[\w.,:/=@ -]*$/

const SILENT: EngineView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'the server does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  members: [],
}

/** The server of the ensemble itself: its disk, its HTTP API, its four-letter words. */
export class QuorateEngine implements Engine {
  readonly kind = 'quorate'
  readonly policy = serverPolicy
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: QuorateOptions
  #members: readonly Type.Static<typeof Member>[] = []
  #last: EngineView = SILENT

  constructor(options: QuorateOptions) {
    this.#options = options
    const { httpPort, peerPort, clientPorts } = options
    this.clientPorts = clientPorts
    this.ports = { metrics: httpPort, http: httpPort, peer: peerPort }
  }

  discover(): DiskReport {
    const { disk, dataDirectory } = this.#options
    try {
      // No permit is given before this has been looked at, so no server runs on the half-moved data.
      if (disk.isMoving) disk.finishMove()
      const identity = readIdentity(join(dataDirectory, 'identity.json'))
      if (identity === null || identity.clusterId === '') {
        return { kind: 'empty', founding: disk.founding }
      }
      const { clusterId, id } = identity
      return { kind: 'member', clusterId, incarnation: id, departed: disk.departed === id }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  /** Raft needs none: a majority of the disks has everything. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<EngineView> {
    try {
      const view = Value.Parse(View, await this.#get('/v1/ensemble'))
      if (view.members.length > 0) this.#members = view.members
      this.#last = {
        answers: true,
        retired: view.reason.startsWith(RETIRED),
        ready: view.ready,
        reason: view.reason,
        clusterId: view.clusterId,
        leads: view.role === 'leader',
        leader: view.leader,
        role: view.role,
        members: view.members.map(({ name, role, silentMs }) => ({
          name,
          voter: role === 'voter',
          heard: (silentMs ?? 0) < limits.memberSilentMs,
        })),
      }
    } catch (error) {
      this.#last = {
        ...this.#last,
        answers: false,
        retired: false,
        ready: false,
        leads: false,
        reason: messageOf(error),
      }
    }
    return this.#last
  }

  /** The server's liveness is its own /livez; through the agent it is never proven dead. */
  liveness(): boolean {
    return true
  }

  async version(): Promise<string> {
    return Value.Parse(View, await this.#get('/v1/ensemble')).version ?? ''
  }

  permitLine(mode: StartMode, { statefulSet }: Observation): string {
    const { pod, ordinal, peerAddress } = this.#options
    const set = statefulSet.kind === 'ok' ? statefulSet.value : null
    const first = set?.firstOrdinal ?? 0
    // Without the set: enough of the low ordinals to find the others, whose list is in the log anyway.
    const count = set?.replicas ?? Math.max(ordinal + 1, 3)
    const seeds = Array.from({ length: count }, (_, i) => peerAddress(first + i))
    if (seeds.length === 0) seeds.push(peerAddress(ordinal))
    const forming = mode === 'bootstrap' ? '--bootstrap' : `--join ${seeds.join(',')}`
    // No session before a majority has what it writes: the first disk may yet be lost.
    const voters = Math.floor(count / 2) + 1
    const line = `--name ${pod} --expected-voters ${voters} ${forming}`
    if (!SAFE_LINE.test(line)) throw new AgentError('AGENT_CONFIG_INVALID', `unsafe: ${line}`)
    return line
  }

  async drain(to: string | null): Promise<void> {
    const body = to === null ? {} : { to }
    const { host, httpPort } = this.#options
    const answer = await this.#request(`${host}:${httpPort}`, 'POST', '/v1/ensemble/transfer', body)
    if (!answer.ok) throw refused(answer)
  }

  async leave(name: string): Promise<void> {
    await this.#askLeader('DELETE', name)
  }

  /** Only ever back: a server that was never removed joins by its permit line. */
  async join(): Promise<boolean> {
    return this.#askLeader('POST', this.#options.pod)
  }

  /** Whoever is asked first names the leader. */
  async #askLeader(method: 'DELETE' | 'POST', name: string): Promise<boolean> {
    const { host, httpPort } = this.#options
    const leader = this.#members.find((member) => member.name === this.#last.leader)?.httpAddress
    const others = this.#members.filter((member) => member.name !== this.#options.pod)
    const places = new Set([
      ...(leader ? [leader] : []),
      `${host}:${httpPort}`,
      ...others.map((member) => member.httpAddress),
    ])
    let failure: unknown = new AgentError('ENGINE_UNREACHABLE', 'no server is known')
    for (const place of places) {
      if (place === '') continue
      try {
        return await this.#changeAt(place, method, name)
      } catch (error) {
        // Another server may know the leader; the last failure is told.
        failure = error
      }
    }
    throw failure
  }

  /** False for a name that the leader does not know, which is as it should be. */
  async #changeAt(place: string, method: string, name: string): Promise<boolean> {
    const path = `/v1/ensemble/members/${encodeURIComponent(name)}`
    let address = place
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
      const answer = await this.#request(address, method, path)
      if (answer.ok) return true
      if (answer.refusal?.code === 'MEMBER_NOT_FOUND') return false
      const leader = answer.refusal?.code === 'NOT_LEADER' ? answer.refusal.leader : null
      if (!leader) throw refused(answer)
      address = leader
    }
    throw new AgentError('ENGINE_REFUSED', 'leadership moves too fast to be followed')
  }

  async #get(path: string): Promise<unknown> {
    const { host, httpPort } = this.#options
    const answer = await this.#request(`${host}:${httpPort}`, 'GET', path)
    if (!answer.ok) throw refused(answer)
    return JSON.parse(answer.text)
  }

  async #request(address: string, method: string, path: string, body?: object): Promise<Answer> {
    const { token, timeoutMs } = this.#options
    const text = body === undefined ? '' : JSON.stringify(body)
    let answer: HttpAnswer
    try {
      answer = await exchange(
        new URL(`http://${address}${path}`),
        {
          method,
          headers: {
            ...headersOf(text),
            ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          },
        },
        text,
        // A removal waits for its commit.
        method === 'GET' ? timeoutMs : 5 * timeoutMs,
      )
    } catch (error) {
      throw new AgentError('ENGINE_UNREACHABLE', `${address}: ${messageOf(error)}`)
    }
    const ok = answer.status >= 200 && answer.status < 300
    return { ...answer, ok, refusal: ok ? null : refusalOf(answer.text) }
  }
}

interface Answer extends HttpAnswer {
  readonly ok: boolean
  readonly refusal: Type.Static<typeof Refusal> | null
}

function refusalOf(text: string): Type.Static<typeof Refusal> | null {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(Refusal, value) ? value : null
  } catch {
    // No JSON: the text itself is told.
    return null
  }
}

function refused({ status, text, refusal }: Answer): AgentError {
  const message = refusal === null ? text : `${refusal.code}: ${refusal.message}`
  return new AgentError('ENGINE_REFUSED', message, status)
}

/** The server's identity file: a line of JSON and a line with its CRC32; null where there is none. */
function readIdentity(path: string): Type.Static<typeof Identity> | null {
  if (!existsSync(path)) return null
  const text = readFileSync(path, 'utf8')
  const line = text.slice(0, text.indexOf('\n') + 1)
  const checksum = crc32(line).toString(16).padStart(8, '0')
  if (text !== `${line}${checksum}\n`) throw new Error(`${path} is damaged`)
  return Value.Parse(Identity, JSON.parse(line))
}
