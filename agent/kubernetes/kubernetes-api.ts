import * as Type from 'typebox'
import { Value } from 'typebox/value'
import type { Fetched, FormingRecord, StatefulSetView, StoredRecord } from '../core/observation.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { ClusterApi, PodView } from './cluster-api.ts'
import { type RestAnswer, RestClient } from './rest-client.ts'

export interface KubernetesOptions {
  /** URL of the API; '' is the one of the cluster that the pod runs in, with its token. */
  readonly url: string
  readonly namespace: string
  readonly set: string
  readonly pod: string
  /** Name of the ConfigMap with the record. */
  readonly recordName: string
  readonly timeoutMs: number
  readonly nowMs: () => number
  readonly log: (message: string, fields: object) => void
}

// What is read of each object; they have much more.
const StatefulSet = Type.Object({
  metadata: Type.Object({
    uid: Type.String(),
    deletionTimestamp: Type.Optional(Type.String()),
  }),
  spec: Type.Object({
    replicas: Type.Optional(Type.Integer()),
    ordinals: Type.Optional(Type.Object({ start: Type.Optional(Type.Integer()) })),
  }),
})
const Namespace = Type.Object({
  metadata: Type.Object({ deletionTimestamp: Type.Optional(Type.String()) }),
})
const Owner = Type.Object({ kind: Type.String(), uid: Type.String() })
const Condition = Type.Object({ type: Type.String(), reason: Type.Optional(Type.String()) })
const Pod = Type.Object({
  metadata: Type.Object({
    uid: Type.String(),
    ownerReferences: Type.Optional(Type.Array(Owner)),
  }),
  status: Type.Optional(Type.Object({ conditions: Type.Optional(Type.Array(Condition)) })),
})
const RecordMap = Type.Object({
  metadata: Type.Object({ resourceVersion: Type.String() }),
  data: Type.Object({
    statefulSetUid: Type.String(),
    clusterId: Type.String(),
    bootstrapper: Type.String(),
    expected: Type.String({ pattern: '^[0-9]{1,9}$' }),
    phase: Type.Union([Type.Literal('forming'), Type.Literal('formed')]),
  }),
})

/** ClusterApi over HTTP. Nothing is watched: a few reads a minute are cheaper to trust. */
export class KubernetesApi implements ClusterApi {
  readonly #options: KubernetesOptions
  readonly #rest: RestClient
  readonly #core: string
  #podUid: string | null = null
  failures = 0

  constructor(options: KubernetesOptions) {
    this.#options = options
    this.#rest = new RestClient(options)
    this.#core = `/api/v1/namespaces/${encodeURIComponent(options.namespace)}`
  }

  /**
   * A namespace that is deleted takes its pods first and all else after them (Kubernetes 1.34,
   * OrderedNamespaceDeletion): its StatefulSets look as if they were to stay. So it is asked for, too.
   */
  async statefulSet(): Promise<Fetched<StatefulSetView>> {
    const [set, isNamespaceGoing] = await Promise.all([this.#ownSet(), this.#isNamespaceGoing()])
    if (set.kind !== 'ok' || !isNamespaceGoing) return set
    return { ...set, value: { ...set.value, deleting: true } }
  }

  async #ownSet(): Promise<Fetched<StatefulSetView>> {
    const { namespace, set } = this.#options
    const path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/statefulsets/${encodeURIComponent(set)}`
    return await this.#fetch(path, StatefulSet, ({ metadata, spec }) => ({
      uid: metadata.uid,
      replicas: spec.replicas ?? 1,
      firstOrdinal: spec.ordinals?.start ?? 0,
      deleting: metadata.deletionTimestamp !== undefined,
    }))
  }

  async #isNamespaceGoing(): Promise<boolean> {
    try {
      const { body } = await this.#rest.call('GET', this.#core)
      // A role without this right is told nothing, and then the StatefulSet alone is believed.
      return Value.Check(Namespace, body) && body.metadata.deletionTimestamp !== undefined
    } catch (error) {
      this.#options.log('the namespace could not be read', { reason: messageOf(error) })
      return false
    }
  }

  async pod(): Promise<Fetched<PodView>> {
    const path = `${this.#core}/pods/${encodeURIComponent(this.#options.pod)}`
    return await this.#fetch(path, Pod, ({ metadata, status }) => {
      this.#podUid = metadata.uid
      const owner = metadata.ownerReferences?.find(({ kind }) => kind === 'StatefulSet')
      const disruption = status?.conditions?.find(({ type }) => type === 'DisruptionTarget')
      return {
        uid: metadata.uid,
        ownerUid: owner?.uid ?? null,
        disruption: disruption?.reason ?? '',
      }
    })
  }

  async record(): Promise<Fetched<StoredRecord>> {
    return await this.#fetch(this.#recordPath(), RecordMap, ({ metadata, data }) => ({
      version: metadata.resourceVersion,
      record: {
        ...data,
        expected: Number(data.expected),
        clusterId: data.clusterId === '' ? null : data.clusterId,
      },
    }))
  }

  async writeRecord(record: FormingRecord, version: string | null): Promise<boolean> {
    const { namespace, recordName: name, set } = this.#options
    const uid = record.statefulSetUid
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'quorate-agent' },
        // For tidiness alone: the UID in the data is what makes the record current.
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid }],
        ...(version === null ? {} : { resourceVersion: version }),
      },
      data: {
        ...record,
        expected: String(record.expected),
        clusterId: record.clusterId ?? '',
      },
    }
    const answer =
      version === null
        ? await this.#rest.call('POST', `${this.#core}/configmaps`, body)
        : await this.#rest.call('PUT', this.#recordPath(), body)
    // Another was faster; the next read shows what stands there now.
    if (answer.status === 409) return false
    if (!isSuccess(answer)) throw refused(answer)
    return true
  }

  async event(type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    const { namespace, pod } = this.#options
    const now = new Date().toISOString()
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${pod}-`, namespace },
      involvedObject: {
        apiVersion: 'v1',
        kind: 'Pod',
        name: pod,
        namespace,
        ...(this.#podUid === null ? {} : { uid: this.#podUid }),
      },
      type,
      reason,
      message,
      source: { component: 'quorate-agent' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    try {
      const answer = await this.#rest.call('POST', `${this.#core}/events`, body)
      if (!isSuccess(answer)) throw refused(answer)
    } catch (error) {
      // Events are for people who look; nothing depends on them.
      this.#options.log('an event could not be written', { reason: messageOf(error) })
    }
  }

  #recordPath(): string {
    return `${this.#core}/configmaps/${encodeURIComponent(this.#options.recordName)}`
  }

  async #fetch<S extends Type.TSchema, T>(
    path: string,
    schema: S,
    view: (value: Type.Static<S>) => T,
  ): Promise<Fetched<T>> {
    const atMs = this.#options.nowMs()
    try {
      const answer = await this.#rest.call('GET', path)
      if (answer.status === 404) return { kind: 'notFound', atMs }
      if (!isSuccess(answer)) throw refused(answer)
      if (!Value.Check(schema, answer.body)) throw new Error('the answer has another shape')
      return { kind: 'ok', atMs, value: view(answer.body) }
    } catch (error) {
      this.failures += 1
      const status = error instanceof AgentError ? error.detail : null
      const refused = status === 401 || status === 403
      return { kind: 'failed', atMs, reason: messageOf(error), refused }
    }
  }
}

function isSuccess({ status }: RestAnswer): boolean {
  return status >= 200 && status < 300
}

function refused({ status }: RestAnswer): AgentError {
  return new AgentError('KUBERNETES_REFUSED', `HTTP ${status}`, status)
}
