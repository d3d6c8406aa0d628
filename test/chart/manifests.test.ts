import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { agentSettingNames, loadAgentConfig } from '../../agent/config.ts'
import { loadConfig } from '../../server/config/config.ts'
import { titleOf } from '../support/toolchain.ts'
import {
  type ConfigMap,
  containersOf,
  type NetworkPolicy,
  pick,
  podSpecs,
  type Service,
  type StatefulSet,
} from './objects.ts'
import { render, template, titleOfValues, valueFiles } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()

/** Those that install a server. */
const serverFiles = valueFiles.filter((name) => !/external|dependents/.test(name))

/** One document an object, in the chart's order, keys sorted: a change shows as the lines of it. */
function normalised(file: string): string {
  const manifests = render({ files: [file], namespace: 'apps' })
  return manifests
    .map((manifest) => stringify(manifest, { sortMapEntries: true, lineWidth: 0 }))
    .join('---\n')
}

describe.skipIf(helm.found === null)(titleOf('manifests', helm), () => {
  describe.each(valueFiles.map((file) => [titleOfValues(file), file] as const))(
    '%s',
    (title, file) => {
      it('are these objects, whole', async () => {
        await expect(normalised(file)).toMatchFileSnapshot(`manifests/${title}.yaml`)
      })

      it('are the same when rendered twice', () => {
        expect(template({ files: [file] }).text).toBe(template({ files: [file] }).text)
      })

      it('have a name of their own each', () => {
        const names = render({ files: [file] }).map(
          ({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`,
        )
        expect(names).toEqual([...new Set(names)])
      })

      it('run under pod security restricted, tokens in no container but those that need them', () => {
        for (const pod of podSpecs(render({ files: [file] }))) {
          expect(pod.automountServiceAccountToken).toBe(false)
          expect(pod.enableServiceLinks).toBe(false)
          expect(pod.securityContext).toMatchObject({
            runAsNonRoot: true,
            seccompProfile: { type: 'RuntimeDefault' },
          })
          for (const container of containersOf(pod)) {
            expect(container.securityContext).toMatchObject({
              allowPrivilegeEscalation: false,
              // Spilo writes its configuration beside its volumes.
              readOnlyRootFilesystem: container.name !== 'postgresql',
              capabilities: { drop: ['ALL'] },
            })
            const hasToken = container.volumeMounts?.some(({ name }) => name === 'kube-api-access')
            expect(hasToken ?? false).toBe(['agent', 'secrets'].includes(container.name))
          }
        }
      })

      it('mount what is there, and say each environment name once', () => {
        for (const manifest of render({ files: [file] })) {
          const [pod] = podSpecs([manifest])
          if (pod === undefined) continue
          const claims =
            manifest.kind === 'StatefulSet'
              ? ((manifest as StatefulSet).spec.volumeClaimTemplates ?? [])
              : []
          const volumes = [...(pod.volumes ?? []), ...claims.map(({ metadata }) => metadata)]
          const names = volumes.map(({ name }) => name)
          expect(names).toEqual([...new Set(names)])
          for (const container of containersOf(pod)) {
            for (const mount of container.volumeMounts ?? []) expect(names).toContain(mount.name)
            const environment = (container.env ?? []).map(({ name }) => name)
            expect(environment).toEqual([...new Set(environment)])
          }
        }
      })
    },
  )

  it('select the pods of the set, and nothing by what changes', () => {
    const manifests = render()
    const { selector, template: pod } = pick<StatefulSet>(manifests, 'StatefulSet').spec
    expect(Object.keys(selector.matchLabels).sort()).toEqual([
      'app.kubernetes.io/component',
      'app.kubernetes.io/instance',
      'app.kubernetes.io/name',
    ])
    expect(pod.metadata.labels).toMatchObject(selector.matchLabels)
    for (const service of manifests.filter(({ kind }) => kind === 'Service') as Service[]) {
      expect(service.spec.selector).toEqual(selector.matchLabels)
    }
  })

  it('start the agent before the server and stop the server through it', () => {
    const { template: pod } = pick<StatefulSet>(render(), 'StatefulSet').spec
    const agent = pod.spec.initContainers?.at(-1)
    const [server] = pod.spec.containers
    expect(agent).toMatchObject({ name: 'agent', restartPolicy: 'Always' })
    expect(agent?.readinessProbe).toBeUndefined()
    expect(agent?.lifecycle).toBeUndefined()
    const token = agent?.env?.find(({ name }) => name === 'QUORATE_AGENT_PRESTOP_TOKEN')?.value
    expect(server?.lifecycle?.preStop.httpGet).toEqual({
      path: '/prestop',
      port: 8090,
      httpHeaders: [{ name: 'Authorization', value: `Bearer ${token}` }],
    })
    const permit = agent?.env?.find(({ name }) => name === 'QUORATE_AGENT_PERMIT_PIPE')?.value
    expect(server?.args).toEqual(['permitted', permit, 'serve', '/etc/quorate/server.yaml'])
  })

  it('give the agent settings that it has and accepts', () => {
    for (const file of serverFiles) {
      const { template: pod } = pick<StatefulSet>(render({ files: [file] }), 'StatefulSet').spec
      const environment = Object.fromEntries(
        (pod.spec.initContainers?.at(-1)?.env ?? []).map(({ name, value }) => [name, value ?? '']),
      )
      const known = agentSettingNames.map(
        (name) => `QUORATE_AGENT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
      )
      const others = Object.keys(environment).filter((name) => !known.includes(name))
      expect(others).toEqual(['MALLOC_ARENA_MAX'])
      const set = environment['QUORATE_AGENT_SET']
      const { settings, ordinal } = loadAgentConfig({
        environment: {
          ...environment,
          QUORATE_AGENT_POD: `${set}-2`,
          QUORATE_AGENT_NAMESPACE: 'apps',
          QUORATE_AGENT_ENGINE_TOKEN_FILE: '',
        },
        flags: {},
      })
      expect(ordinal).toBe(2)
      expect(settings.advertisedHost).toBe(`${set}-2.${set}-hs.apps.svc.cluster.local`)
      const { clientPort, secureClientPort, treeCaFile } = settings
      const treePort = treeCaFile === '' ? clientPort : secureClientPort
      expect(settings.tree[0]).toBe(`127.0.0.1:${treePort}`)
    }
  })

  it.each([true, false])(
    'tell the agent whether the disks go with the pods: volumes %s',
    (enabled) => {
      const manifests = render({ set: { 'server.persistence.enabled': enabled } })
      const { volumeClaimTemplates, template: pod } = pick<StatefulSet>(
        manifests,
        'StatefulSet',
      ).spec
      expect(volumeClaimTemplates !== undefined).toBe(enabled)
      const agent = pod.spec.initContainers?.at(-1)
      const environment = Object.fromEntries(
        (agent?.env ?? []).map(({ name, value }) => [name, value ?? '']),
      )
      const { settings } = loadAgentConfig({
        environment: {
          ...environment,
          QUORATE_AGENT_POD: 'test-quorate-0',
          QUORATE_AGENT_ENGINE_TOKEN_FILE: '',
        },
        flags: {},
      })
      expect(settings.volatile).toBe(!enabled)
    },
  )

  it.each([true, false])('close the port of the agent to all but peers and scrapers: %s', (on) => {
    const scrapers = [{ namespaceSelector: { matchLabels: { team: 'monitoring' } } }]
    const { ingress } = pick<NetworkPolicy>(
      render({
        set: { 'server.networkPolicy.scrapers': scrapers, 'server.metrics.enabled': on },
      }),
      'NetworkPolicy',
    ).spec
    const { matchLabels } = pick<StatefulSet>(render(), 'StatefulSet').spec.selector
    const open = ingress.filter(({ ports }) => ports.some(({ port }) => port === 8090))
    expect(open.flatMap(({ from }) => from ?? ['anybody'])).toEqual([
      { podSelector: { matchLabels } },
      ...(on ? scrapers : []),
    ])
  })

  it('let the liveness of the server depend on the server alone, and kill a frozen one soon', () => {
    const [server] = pick<StatefulSet>(render(), 'StatefulSet').spec.template.spec.containers
    expect(server?.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 8080 })
    expect(server?.livenessProbe?.terminationGracePeriodSeconds).toBeLessThan(60)
  })

  it('give the server a configuration that it accepts', () => {
    for (const file of serverFiles) {
      const manifests = render({ files: [file] })
      const { data } = pick<ConfigMap>(manifests, 'ConfigMap')
      const path = join(mkdtempSync(join(tmpdir(), 'quorate-chart-')), 'server.yaml')
      writeFileSync(path, data['server.yaml'] ?? '')
      const [server] = pick<StatefulSet>(manifests, 'StatefulSet').spec.template.spec.containers
      const environment = Object.fromEntries(
        (server?.env ?? []).map(({ name, value }) => [name, value ?? 'from-elsewhere']),
      )
      const { settings, warnings } = loadConfig({
        file: path,
        environment: { ...environment, QUORATE_SECRET_FILE: '', QUORATE_SECRET: 'joined' },
        flags: { join: ['peer:2888'] },
      })
      const ports = Object.fromEntries(
        (server?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]),
      )
      expect(ports).toEqual({
        ...(settings.clientPort === 0 ? {} : { client: settings.clientPort }),
        http: settings.httpPort,
        peer: settings.peerPort,
        ...(settings.secureClientPort === 0 ? {} : { 'secure-client': settings.secureClientPort }),
      })
      expect(settings.httpAuth).toBe('token')
      expect(settings.httpToken).not.toBe('')
      expect(warnings).toEqual([])
    }
  })

  it('follow a changed configuration with new pods, and nothing else', () => {
    const checksum = (set: Record<string, unknown>) =>
      pick<StatefulSet>(render({ set }), 'StatefulSet').spec.template.metadata.annotations[
        'checksum/config'
      ]
    expect(checksum({ 'server.config.logLevel': 'debug' })).not.toBe(checksum({}))
    expect(checksum({ 'server.replicaCount': 5 })).toBe(checksum({}))
  })

  it('leave replicas out where null stands and no set is there to ask', () => {
    const { spec } = pick<StatefulSet>(
      render({ set: { 'server.replicaCount': null } }),
      'StatefulSet',
    )
    expect(spec).not.toHaveProperty('replicas')
  })

  it('keep the name of the set within what its revisions allow', () => {
    const long = 'a'.repeat(53)
    const { metadata } = pick<StatefulSet>(render({ release: long }), 'StatefulSet')
    expect(metadata.name).toBe('a'.repeat(52))
    for (const { metadata: other } of render({ release: long })) {
      expect(other.name.length).toBeLessThanOrEqual(63)
    }
  })

  it('take a digest over a tag and a registry over all images', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const images = podSpecs(
      render({ set: { 'image.digest': digest, 'global.imageRegistry': 'registry.example:5000' } }),
    ).flatMap((pod) => containersOf(pod).map(({ image }) => image))
    expect([...new Set(images)]).toEqual([`registry.example:5000/quorate/quorate@${digest}`])
  })

  it('generate no secret into the manifests, and none at all beside an existing one', () => {
    expect(render().some(({ kind }) => kind === 'Secret')).toBe(false)
    const manifests = render({ set: { 'server.auth.existingSecret': 'mine' } })
    expect(manifests.some(({ kind }) => kind === 'Secret' || kind === 'Job')).toBe(false)
    const [server] = pick<StatefulSet>(manifests, 'StatefulSet').spec.template.spec.volumes?.filter(
      ({ name }) => name === 'secrets',
    ) ?? [undefined]
    expect(server?.secret?.secretName).toBe('mine')
  })

  it('put a storage class where one is told, an empty one for "-", none else', () => {
    const classOf = (set: Record<string, unknown>) =>
      pick<StatefulSet>(render({ set }), 'StatefulSet').spec.volumeClaimTemplates?.[0]?.spec
        .storageClassName
    expect(classOf({})).toBeUndefined()
    expect(classOf({ 'global.storageClass': 'slow' })).toBe('slow')
    expect(
      classOf({ 'global.storageClass': 'slow', 'server.persistence.storageClass': 'fast' }),
    ).toBe('fast')
    expect(classOf({ 'server.persistence.storageClass': '-' })).toBe('')
  })
})
