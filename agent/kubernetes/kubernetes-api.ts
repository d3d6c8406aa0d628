import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  type CoreV1Event,
  KubeConfig,
  type V1ConfigMap,
} from '@kubernetes/client-node'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Fetched, FormingRecord, StatefulSetView, StoredRecord } from '../core/observation.ts'
import { within } from '../deadline.ts'
import { AgentError, messageOf } from '../errors.ts'
import type { ClusterApi, PodView } from './cluster-api.ts'

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

const Record = Type.Object({
  statefulSetUid: Type.String(),
  clusterId: Type.String(),
  bootstrapper: Type.String(),
  phase: Type.Union([Type.Literal('forming'), Type.Literal('formed')]),
})

/** ClusterApi over the client library. Nothing is watched: a few reads a minute are cheaper to trust. */
export class KubernetesApi implements ClusterApi {
  readonly #options: KubernetesOptions
  readonly #apps: AppsV1Api
  readonly #core: CoreV1Api
  #podUid: string | null = null
  failures = 0

  constructor(options: KubernetesOptions) {
    this.#options = options
    const config = configOf(options.url)
    this.#apps = config.makeApiClient(AppsV1Api)
    this.#core = config.makeApiClient(CoreV1Api)
  }

  async statefulSet(): Promise<Fetched<StatefulSetView>> {
    const { namespace, set: name } = this.#options
    return await this.#fetch(async () => {
      const set = await this.#apps.readNamespacedStatefulSet({ name, namespace })
      return {
        uid: set.metadata?.uid ?? '',
        replicas: set.spec?.replicas ?? 1,
        firstOrdinal: set.spec?.ordinals?.start ?? 0,
        deleting: set.metadata?.deletionTimestamp !== undefined,
      }
    })
  }

  async pod(): Promise<Fetched<PodView>> {
    const { namespace, pod: name } = this.#options
    return await this.#fetch(async () => {
      const pod = await this.#core.readNamespacedPod({ name, namespace })
      const owners = pod.metadata?.ownerReferences ?? []
      const conditions = pod.status?.conditions ?? []
      const disruption = conditions.find(({ type }) => type === 'DisruptionTarget')
      const uid = pod.metadata?.uid ?? ''
      this.#podUid = uid
      return {
        uid,
        ownerUid: owners.find(({ kind }) => kind === 'StatefulSet')?.uid ?? null,
        disruption: disruption?.reason ?? '',
      }
    })
  }

  async record(): Promise<Fetched<StoredRecord>> {
    const { namespace, recordName: name } = this.#options
    return await this.#fetch(async () => {
      const map = await this.#core.readNamespacedConfigMap({ name, namespace })
      const data = Value.Parse(Record, map.data ?? {})
      const clusterId = data.clusterId === '' ? null : data.clusterId
      return { version: map.metadata?.resourceVersion ?? '', record: { ...data, clusterId } }
    })
  }

  async writeRecord(record: FormingRecord, version: string | null): Promise<boolean> {
    const { namespace, recordName: name, set } = this.#options
    const uid = record.statefulSetUid
    const body: V1ConfigMap = {
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'quorate-agent' },
        // For tidiness alone: the UID in the data is what makes the record current.
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: set, uid }],
        ...(version === null ? {} : { resourceVersion: version }),
      },
      data: { ...record, clusterId: record.clusterId ?? '' },
    }
    try {
      const { timeoutMs } = this.#options
      const call =
        version === null
          ? this.#core.createNamespacedConfigMap({ namespace, body })
          : this.#core.replaceNamespacedConfigMap({ name, namespace, body })
      await within(call, timeoutMs, lateError)
      return true
    } catch (error) {
      // The next read shows what stands there now.
      if (error instanceof ApiException && error.code === 409) return false
      throw error
    }
  }

  async event(type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    const { namespace, pod, timeoutMs } = this.#options
    const now = new Date()
    const body: CoreV1Event = {
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
      await within(this.#core.createNamespacedEvent({ namespace, body }), timeoutMs, lateError)
    } catch (error) {
      // Events are for people who look; nothing depends on them.
      this.#options.log('an event could not be written', { reason: shortly(error) })
    }
  }

  async #fetch<T>(read: () => Promise<T>): Promise<Fetched<T>> {
    const atMs = this.#options.nowMs()
    try {
      const value = await within(read(), this.#options.timeoutMs, lateError)
      return { kind: 'ok', atMs, value }
    } catch (error) {
      if (error instanceof ApiException && error.code === 404) return { kind: 'notFound', atMs }
      this.failures += 1
      return { kind: 'failed', atMs, reason: shortly(error) }
    }
  }
}

function configOf(url: string): KubeConfig {
  const config = new KubeConfig()
  if (url === '') {
    config.loadFromCluster()
    return config
  }
  config.loadFromOptions({
    // The library refuses plain http without it; a URL is given for tests and local clusters alone.
    clusters: [{ name: 'given', server: url, skipTLSVerify: url.startsWith('http://') }],
    users: [{ name: 'given' }],
    contexts: [{ name: 'given', cluster: 'given', user: 'given' }],
    currentContext: 'given',
  })
  return config
}

function lateError(): Error {
  return new AgentError('KUBERNETES_TIMEOUT', 'the Kubernetes API did not answer in time')
}

/** The library's messages carry whole bodies and headers. */
function shortly(error: unknown): string {
  if (error instanceof ApiException) return `HTTP ${error.code}`
  return messageOf(error).split('\n')[0] ?? ''
}
