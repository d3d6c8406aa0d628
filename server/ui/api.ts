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

/** The JSON at `path`, relative to the page; a refusal becomes an Error with the server's words. */
export async function read<T>(path: string): Promise<T> {
  const response = await fetch(path)
  const body = await response.json()
  if (!response.ok) throw new Error(body.message ?? `${response.status}`)
  return body as T
}
