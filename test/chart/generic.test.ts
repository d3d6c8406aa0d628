import { describe, expect, it } from 'vitest'
import { readGenericDocument } from '../../agent/engines/generic/generic-document.ts'
import { documentOf, exampleBlocks } from '../redis/example.ts'
import { titleOf } from '../support/toolchain.ts'
import {
  type ConfigMap,
  type Manifest,
  type NetworkPolicy,
  pick,
  type Service,
  type StatefulSet,
} from './objects.ts'
import { render, template } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()
const EXAMPLE = 'examples/redis/redis-values.yaml'

const block = {
  image: { repository: 'app', tag: '1' },
  command: ['app', "it's"],
  ports: { http: 80 },
}
const setOf = (manifests: readonly Manifest[], component: string) =>
  pick<StatefulSet>(manifests, 'StatefulSet', `test-quorate-${component}`)

/** As the agent's container gets it: Kubernetes makes one dollar of two. */
function told(set: StatefulSet, name: string): string | undefined {
  const agent = set.spec.template.spec.initContainers?.at(-1)
  const value = agent?.env?.find((each) => each.name === `QUORATE_AGENT_${name}`)?.value
  return value?.replaceAll('$$', () => '$')
}

const refusalOf = (generic: Record<string, unknown>) => template({ set: { generic } }).refusal ?? ''

describe.skipIf(helm.found === null)(titleOf('generic components', helm), () => {
  it('are not there until one is named, nor when it is disabled', () => {
    const names = (generic: object) =>
      render({ set: { generic } })
        .map(({ metadata }) => metadata.name)
        .filter((name) => name.includes('app'))
    expect(names({})).toEqual([])
    expect(names({ app: { ...block, enabled: false } })).toEqual([])
    expect(names({ app: block })).toContain('test-quorate-app')
  })

  it.each(['redis', 'sentinel'])(
    'tell the agent of the example’s %s what its values say',
    (name) => {
      const set = setOf(render({ files: [EXAMPLE] }), name)
      const document = JSON.parse(told(set, 'GENERIC') ?? '')
      const expected = documentOf(exampleBlocks(), name, (other) => `test-quorate-${other}`)
      // What the values leave to genericDefaults is told, too.
      const defaults = { bootstrap: 'none', order: 'parallel', removedReturns: 'asIs' }
      expect(document).toEqual({ ...defaults, ...expected })
      expect(() => readGenericDocument(JSON.stringify(document))).not.toThrow()
      expect(told(set, 'DATA_DIRECTORY')).toBe('/data')
    },
  )

  it('keep what stands for itself in a text', () => {
    const files = { 'a.conf': { content: '$${x} $(y) $$ <&>' } }
    const set = setOf(render({ set: { generic: { app: { ...block, files } } } }), 'app')
    const [file] = JSON.parse(told(set, 'GENERIC') ?? '').files
    expect(file.content).toBe('$${x} $(y) $$ <&>')
  })

  it('have kebab-case names, whatever is between the words of theirs', () => {
    const manifests = render({ set: { generic: { webPages: block } } })
    const { metadata, spec } = setOf(manifests, 'web-pages')
    expect(metadata.labels['app.kubernetes.io/component']).toBe('web-pages')
    expect(spec.template.spec.containers[0]?.name).toBe('web-pages')
    expect(pick<Service>(manifests, 'Service', 'test-quorate-web-pages-cs').spec.selector).toEqual(
      spec.selector.matchLabels,
    )
  })

  it('run their command, word by word, with the permit behind it', () => {
    const manifests = render({ set: { generic: { app: block } } })
    const { data } = pick<ConfigMap>(manifests, 'ConfigMap', 'test-quorate-app-config')
    expect(data['start.sh']).toContain(`exec 'app' 'it'\\''s' $permit "$@"`)
    const [main] = setOf(manifests, 'app').spec.template.spec.containers
    expect(main?.command).toEqual(['/bin/sh', '/etc/quorate/start.sh'])
  })

  it('go over genericDefaults key by key, zero and false too', () => {
    const generic = {
      app: {
        ...block,
        replicaCount: null,
        minReadySeconds: 0,
        rbac: { events: false },
        podSecurityContext: { runAsUser: 1_000_650_000 },
      },
    }
    const manifests = render({ set: { generic, 'genericDefaults.priorityClassName': 'high' } })
    const { spec } = setOf(manifests, 'app')
    expect(spec).toMatchObject({ minReadySeconds: 0 })
    expect(spec.replicas).toBeUndefined()
    expect(spec.template.spec).toMatchObject({
      priorityClassName: 'high',
      securityContext: { runAsUser: 1_000_650_000, runAsGroup: 1000, runAsNonRoot: true },
    })
    const role = pick<Manifest & { rules: { resources: string[] }[] }>(
      manifests,
      'Role',
      'test-quorate-app',
    )
    expect(role.rules.flatMap(({ resources }) => resources)).not.toContain('events')
  })

  it('have a Service for each role, and pods that their agents label', () => {
    const manifests = render({ files: [EXAMPLE] })
    for (const [suffix, role] of Object.entries({ rw: 'primary', ro: 'replica' })) {
      const { spec } = pick<Service>(manifests, 'Service', `test-quorate-redis-${suffix}`)
      expect(spec.selector['quorate/role']).toBe(role)
      expect(spec.ports.map(({ port }) => port)).toEqual([6379])
    }
    expect(told(setOf(manifests, 'redis'), 'ROLE_LABEL')).toBe('quorate/role')
    expect(told(setOf(manifests, 'sentinel'), 'ROLE_LABEL')).toBeUndefined()
  })

  it('share a secret that is made once', () => {
    const manifests = render({ files: [EXAMPLE] })
    const secrets = ['redis', 'sentinel'].map((name) => {
      const volumes = setOf(manifests, name).spec.template.spec.volumes ?? []
      return volumes.find((volume) => volume.name === 'agent-secrets')
    })
    expect(secrets[0]).toMatchObject({ secret: { secretName: 'test-quorate-redis-auth' } })
    expect(secrets[1]).toEqual(secrets[0])
    const jobs = manifests.filter(({ kind }) => kind === 'Job').map(({ metadata }) => metadata.name)
    expect(jobs.sort()).toEqual(['test-quorate-redis-secrets', 'test-quorate-secrets'])
  })

  it('reach each other where networks are closed', () => {
    const closed = { 'genericDefaults.networkPolicy.allowExternal': false }
    const set = { ...closed, 'genericDefaults.networkPolicy.egress.enabled': true }
    const manifests = render({ files: [EXAMPLE], set })
    const { spec } = pick<NetworkPolicy>(manifests, 'NetworkPolicy', 'test-quorate-redis')
    const text = JSON.stringify(spec)
    const peer = '"app.kubernetes.io/component":"sentinel"'
    expect(text.split(peer)).toHaveLength(3)
    expect(text).toContain('{"port":26379,"protocol":"TCP"}')
  })

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['a name that is a component’s', { kafka: block }, /kafka/],
    ['a name that is none', { 'web-pages': block }, /web-pages/],
    ['an unknown key', { app: { ...block, helth: {} } }, /helth/],
    ['a request by nothing', { app: { ...block, health: { startup: {} } } }, /startup/],
    [
      'a request by both',
      { app: { ...block, health: { startup: { tcp: {}, http: { path: '/' } } } } },
      /startup/,
    ],
    ['a file beyond a name', { app: { ...block, files: { '../x': {} } } }, /files/],
    ['an order that there is not', { app: { ...block, order: 'random' } }, /order/],
  ])('are refused by the schema: %s', (_title, generic, message) => {
    expect(refusalOf(generic)).toMatch(/don't meet the specifications of the schema/)
    expect(refusalOf(generic)).toMatch(message)
  })

  it.each<[Record<string, unknown>, string]>([
    [{ command: [] }, 'generic.app.command is empty'],
    [{ image: { repository: 'app' } }, 'generic.app.image.tag is empty'],
    [{ ports: { a: 1, b: 2 } }, 'generic.app.port is empty: which of a, b do members announce?'],
    [
      { ports: { a: 1, b: 1 }, port: 'a' },
      'generic.app.ports.a and generic.app.ports.b are both 1',
    ],
    [{ port: 'grpc' }, 'generic.app.port: grpc is none of the ports of clients, http'],
    [{ peerPorts: ['gossip'] }, 'generic.app.peerPorts: gossip is none of generic.app.ports'],
    [{ uses: ['other'] }, 'generic.app.uses: other is no component of this release'],
    [{ uses: ['postgresql'] }, 'generic.app.uses: postgresql is no component of this release'],
    [{ auth: { sameAs: 'other' } }, 'generic.app.auth.sameAs: other is none of generic'],
    [{ bootstrap: 'hook' }, 'generic.app.hooks.bootstrap goes with generic.app.bootstrap=hook'],
    [{ start: { found: '--new' } }, 'generic.app.start.found needs generic.app.bootstrap=start'],
    [{ start: { follow: '--of' } }, 'generic.app.start.follow needs generic.app.role.leader'],
    [{ order: 'oneAtATime' }, 'that needs generic.app.bootstrap=start'],
    [{ roleServices: { rw: 'primary' } }, 'generic.app.roleServices.rw: primary is none of'],
    [{ files: { a: { path: '/etc/a' } } }, 'generic.app.files.a.path is /etc/a: neither below'],
    [{ replicaCount: 0 }, 'generic.app.replicaCount is 0'],
  ])('are refused where values do not go together: %j', (change, message) => {
    expect(refusalOf({ app: { ...block, ...change } })).toContain(message)
  })

  it('may use any other component that is there', () => {
    const app = { ...block, uses: ['postgresql'] }
    const manifests = render({ set: { generic: { app }, 'postgresql.enabled': true } })
    expect(JSON.parse(told(setOf(manifests, 'app'), 'GENERIC') ?? '').uses).toEqual({
      postgresql: { cluster: 'test-quorate-postgresql', leader: 'primary' },
    })
  })
})
