import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KubernetesApi } from '../../../agent/kubernetes/kubernetes-api.ts'
import { FakeKubernetes } from './fake-kubernetes.ts'

describe('what the Kubernetes API tells of the set', () => {
  let kubernetes: FakeKubernetes
  let api: KubernetesApi

  beforeEach(async () => {
    kubernetes = new FakeKubernetes(3)
    await kubernetes.listen()
    api = new KubernetesApi({
      url: kubernetes.url,
      namespace: 'default',
      set: 'q',
      pod: 'q-0',
      recordName: 'q-forming',
      timeoutMs: 2_000,
      nowMs: () => 7,
      log: () => {},
    })
  })
  afterEach(() => kubernetes.close())

  const known = { uid: 'uid-1', replicas: 3, firstOrdinal: 0, deleting: false }

  it('has its size, and whether it is being deleted', async () => {
    expect(await api.statefulSet()).toEqual({ kind: 'ok', atMs: 7, value: known })
    kubernetes.deleting = true
    expect(await api.statefulSet()).toMatchObject({ value: { ...known, deleting: true } })
  })

  it('counts it as being deleted with its namespace, whose pods go first', async () => {
    kubernetes.namespaceDeleting = true
    expect(await api.statefulSet()).toMatchObject({ value: { ...known, deleting: true } })
  })

  it.each([401, 403])('tells a refusal, %i, from a failure', async (status) => {
    kubernetes.failure = status
    expect(await api.statefulSet()).toMatchObject({ kind: 'failed', refused: true })
    kubernetes.failure = 500
    expect(await api.statefulSet()).toMatchObject({ kind: 'failed', refused: false })
  })

  it('believes the set alone where its role may not read the namespace', async () => {
    kubernetes.namespaceRefused = true
    expect(await api.statefulSet()).toEqual({ kind: 'ok', atMs: 7, value: known })
    expect(api.failures).toBe(0)
  })
})
