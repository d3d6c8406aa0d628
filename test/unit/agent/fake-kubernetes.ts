import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

interface ConfigMap {
  metadata: { name: string; resourceVersion: string }
  data: Record<string, string>
}

const DELETED_AT = '2026-01-01T00:00:00Z'

/**
 * A double of the Kubernetes API: one StatefulSet, its namespace, its pods, ConfigMaps with optimistic locking, and
 * events. It answers over real HTTP with the status codes of the real one.
 */
export class FakeKubernetes {
  readonly #server: Server
  readonly #maps = new Map<string, ConfigMap>()
  #versions = 0
  replicas: number
  uid = 'uid-1'
  deleting = false
  /** All of the namespace is being deleted, of which the StatefulSet tells nothing yet. */
  namespaceDeleting = false
  /** The role has no right to read the namespace. */
  namespaceRefused = false
  /** `down` cuts connections; a number is the status of every answer. */
  failure: 'down' | 'mute' | number | null = null
  readonly events: { readonly reason: string; readonly message: string }[] = []
  readonly requests: string[] = []
  /** UIDs of pods, where they are not made of the name; null: there is no such pod. */
  readonly podUids = new Map<string, string | null>()
  /** Labels of pods, as patches left them. */
  readonly labels = new Map<string, Record<string, string>>()

  constructor(replicas: number) {
    this.replicas = replicas
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get url(): string {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
    return `http://127.0.0.1:${address.port}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  /** The data of a ConfigMap. */
  data(name: string): Record<string, string> | null {
    return this.#maps.get(name)?.data ?? null
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method} ${request.url}`)
    if (this.failure === 'down') return void request.socket.destroy()
    if (this.failure === 'mute') return
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const [status, body] =
      this.failure === null
        ? this.#answer(request.method ?? '', request.url ?? '', text)
        : [this.failure, { kind: 'Status' }]
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }

  #answer(method: string, url: string, text: string): [number, object] {
    const pod = /\/pods\/([^/]+)$/.exec(url)?.[1]
    const map = /\/configmaps(?:\/([^/]+))?$/.exec(url)
    if (/\/statefulsets\/[^/]+$/.test(url)) return [200, this.#statefulSet()]
    if (/\/namespaces\/[^/]+$/.test(url)) {
      if (this.namespaceRefused) return [403, { kind: 'Status', metadata: {} }]
      return [200, { metadata: this.namespaceDeleting ? { deletionTimestamp: DELETED_AT } : {} }]
    }
    if (pod !== undefined && method === 'PATCH') {
      const { metadata } = JSON.parse(text) as { metadata: { labels: Record<string, string> } }
      const merged = Object.entries({ ...this.labels.get(pod), ...metadata.labels })
      this.labels.set(pod, Object.fromEntries(merged.filter(([, value]) => value !== null)))
      return [200, {}]
    }
    if (pod !== undefined) {
      const uid = this.podUids.get(pod)
      if (uid === null) return [404, { kind: 'Status' }]
      const ownerReferences = [{ kind: 'StatefulSet', uid: this.uid, name: 'q' }]
      return [200, { metadata: { name: pod, uid: uid ?? `pod-${pod}`, ownerReferences } }]
    }
    if (map !== null) return this.#configMap(method, map[1] ?? '', text)
    if (method === 'POST' && url.endsWith('/events')) {
      this.events.push(JSON.parse(text))
      return [201, {}]
    }
    return [404, { kind: 'Status' }]
  }

  #statefulSet(): object {
    return {
      metadata: {
        name: 'q',
        uid: this.uid,
        ...(this.deleting ? { deletionTimestamp: DELETED_AT } : {}),
      },
      spec: { replicas: this.replicas },
    }
  }

  #configMap(method: string, name: string, text: string): [number, object] {
    const known = this.#maps.get(name)
    if (method === 'GET') return known === undefined ? [404, {}] : [200, known]
    const given: ConfigMap = JSON.parse(text)
    const target = name === '' ? given.metadata.name : name
    const current = this.#maps.get(target)
    const isCreate = method === 'POST'
    if (isCreate !== (current === undefined)) return [isCreate ? 409 : 404, {}]
    if (current && given.metadata.resourceVersion !== current.metadata.resourceVersion) {
      return [409, {}]
    }
    this.#versions += 1
    const stored = {
      ...given,
      metadata: { ...given.metadata, resourceVersion: `${this.#versions}` },
    }
    this.#maps.set(target, stored)
    return [isCreate ? 201 : 200, stored]
  }
}
