import { describe, expect, it } from 'vitest'
import { loadAgentConfig } from '../../agent/config.ts'
import { titleOf } from '../support/toolchain.ts'
import { type NetworkPolicy, pick, type Service, type StatefulSet } from './objects.ts'
import { render, template } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()
const NAME = 'test-quorate-allegrograph'
const COPIES = `${NAME}-copies`
const enabled = { 'allegrograph.enabled': true, 'allegrographCopies.enabled': true }
const all = (set: Record<string, unknown> = {}) => render({ set: { ...enabled, ...set } })

/** What the agent of a pod is told; fields of the pod are what Kubernetes would fill in. */
function agentOf(set: StatefulSet) {
  const fields: Record<string, string> = {
    'metadata.name': `${set.metadata.name}-0`,
    'metadata.namespace': 'default',
    'metadata.uid': 'uid-of-the-pod',
    'status.podIP': '10.0.0.7',
  }
  const agent = set.spec.template.spec.initContainers?.at(-1)
  const environment = Object.fromEntries(
    (agent?.env ?? []).map((variable) => {
      const path = (variable as { valueFrom?: { fieldRef?: { fieldPath: string } } }).valueFrom
        ?.fieldRef?.fieldPath
      return [variable.name, variable.value ?? fields[path ?? ''] ?? '']
    }),
  )
  return loadAgentConfig({ environment, flags: {} }).settings
}

describe.skipIf(helm.found === null)(titleOf('AllegroGraph', helm), () => {
  it('is a controlling instance with a volume and copies without one, of one cluster', () => {
    const manifests = all()
    const controlling = pick<StatefulSet>(manifests, 'StatefulSet', NAME)
    const copies = pick<StatefulSet>(manifests, 'StatefulSet', COPIES)
    expect(controlling.spec).toMatchObject({ replicas: 1 })
    expect(controlling.spec.volumeClaimTemplates).toHaveLength(1)
    expect(copies.spec).toMatchObject({ replicas: 2 })
    expect(copies.spec.volumeClaimTemplates).toBeUndefined()
    for (const { spec } of [controlling, copies]) {
      const memory = { name: 'shared-memory', emptyDir: { medium: 'Memory', sizeLimit: '1Gi' } }
      expect(spec.template.spec.volumes).toContainEqual(memory)
      const mount = { name: 'shared-memory', mountPath: '/dev/shm' }
      expect(spec.template.spec.containers[0]?.volumeMounts).toContainEqual(mount)
    }
    expect(agentOf(controlling)).toMatchObject({
      allegrographRole: 'controlling',
      allegrographCopies: COPIES,
      cluster: NAME,
      advertisedHost: `${NAME}-0.${NAME}-hs.default.svc.cluster.local`,
    })
    expect(agentOf(copies)).toMatchObject({
      allegrographRole: 'copy',
      allegrographControlling: `${NAME}-0.${NAME}-hs.default.svc.cluster.local:10035`,
      allegrographPodUid: 'uid-of-the-pod',
      cluster: NAME,
      advertisedHost: '10.0.0.7',
    })
  })

  it('has one secret for all servers, which no environment holds', () => {
    for (const [set, secret] of [
      [{}, `${NAME}-auth`],
      [{ 'allegrograph.auth.existingSecret': 'mine' }, 'mine'],
    ] as const) {
      const manifests = all(set)
      for (const name of [NAME, COPIES]) {
        const { spec } = pick<StatefulSet>(manifests, 'StatefulSet', name).spec.template
        const secrets = (spec.volumes ?? []).flatMap(
          (volume) => (volume as { secret?: { secretName: string } }).secret?.secretName ?? [],
        )
        expect([...new Set(secrets)]).toEqual([secret])
        expect(JSON.stringify(spec.containers[0]?.env)).not.toContain('secretKeyRef')
      }
    }
    const licensed = all({ 'allegrograph.graph.license.existingSecret': 'licence' })
    const [engine] = pick<StatefulSet>(licensed, 'StatefulSet', COPIES).spec.template.spec
      .containers
    expect(engine?.env).toContainEqual({
      name: 'LICENSE',
      valueFrom: { secretKeyRef: { name: 'licence', key: 'license' } },
    })
  })

  it('has Services for the controlling instance, the copies and a chosen one, each of its own type', () => {
    const manifests = all({
      'allegrograph.service.type': 'LoadBalancer',
      'allegrographCopies.chosen': { enabled: true, ordinal: 1, type: 'LoadBalancer' },
    })
    const specOf = (name: string) => pick<Service>(manifests, 'Service', name).spec
    expect(specOf(`${NAME}-cs`)).toMatchObject({ type: 'LoadBalancer' })
    expect(specOf(`${COPIES}-cs`)).toMatchObject({ type: 'ClusterIP' })
    expect(specOf(`${COPIES}-chosen`)).toMatchObject({
      type: 'LoadBalancer',
      selector: { 'statefulset.kubernetes.io/pod-name': `${COPIES}-1` },
    })
    const names = all().map(({ metadata }) => metadata.name)
    expect(names).not.toContain(`${COPIES}-chosen`)
  })

  it('lets its instances reach each other on any port, and others on one', () => {
    const manifests = all({ 'allegrograph.networkPolicy.egress.enabled': true })
    for (const name of [NAME, COPIES]) {
      const { ingress } = pick<NetworkPolicy>(manifests, 'NetworkPolicy', name).spec
      const open = ingress.filter(({ ports }) => ports === undefined)
      const components = JSON.stringify(open).match(/component":"[^"]+/g)
      expect(components).toEqual(['component":"allegrograph', 'component":"allegrograph-copies'])
    }
  })

  it.each([
    [
      { 'allegrographCopies.enabled': true },
      'allegrographCopies.enabled needs allegrograph.enabled: they are copies of its repository',
    ],
    [
      { ...enabled, 'allegrographCopies.chosen': { enabled: true, ordinal: 2 } },
      'allegrographCopies.chosen.ordinal is 2 and allegrographCopies.replicaCount is 2: there is no such copy',
    ],
    [
      { ...enabled, 'allegrograph.config': { Port: 1 } },
      'allegrograph.config.Port follows from allegrograph.ports and cannot be set beside it',
    ],
    [{ ...enabled, 'allegrograph.replicaCount': 2 }, 'replicaCount'],
    [{ ...enabled, 'allegrograph.persistence.enabled': false }, 'persistence'],
    [{ ...enabled, 'allegrographCopies.persistence.enabled': true }, 'persistence'],
  ])('refuses %j', (set, message) => {
    expect(template({ set }).refusal).toContain(message)
  })
})
