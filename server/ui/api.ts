/** What the page reads from the server that serves it. */
export interface ServerView {
  readonly name: string
  readonly address: string
  readonly reachable: boolean
  readonly role: string
  readonly configuredRole: string
  readonly term: number
  readonly commit: number
  readonly applied: number
  readonly lastIndex: number
  readonly zxid: string
  readonly sessions: number
  readonly ready: boolean
  readonly reason: string
}

export interface EnsembleView {
  readonly self: string
  readonly clusterId: string
  readonly leader: string | null
  readonly servers: readonly ServerView[]
}

export interface ZnodeView {
  readonly path: string
  readonly data: string | null
  readonly encoding: 'utf8' | 'base64'
  readonly stat: Readonly<Record<string, number | string>>
  readonly children: readonly string[]
}

/** A server that hangs is silent: without this the page would show its last words as if current. */
const ANSWER_WITHIN_MS = 3000

/** What the server refused, in its words. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The JSON at `path`, relative to the page; throws a `Refusal`, or another Error without answer. */
export async function read<T>(path: string): Promise<T> {
  const response = await fetch(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  const body = await response.json()
  if (!response.ok) throw new Refusal(response.status, body.message ?? `${response.status}`)
  return body as T
}
