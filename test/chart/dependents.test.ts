import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { agentSettingNames, loadAgentConfig } from '../../agent/config.ts'
import { parseUser } from '../../agent/engines/mongodb/users.ts'
import { titleOf } from '../support/toolchain.ts'
import {
  type ConfigMap,
  type Manifest,
  type NetworkPolicy,
  type PodSpec,
  pick,
  type Service,
  type StatefulSet,
} from './objects.ts'
import { type RenderOptions, render, valueFiles } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()
const dependents = ['kafka', 'mongodb', 'postgresql', 'galera'] as const

interface Role extends Manifest {
  readonly rules: readonly {
    readonly resources: readonly string[]
    readonly resourceNames?: readonly string[]
    readonly verbs: readonly string[]
  }[]
}

const enabled = Object.fromEntries(dependents.map((name) => [`${name}.enabled`, true]))
const all = (set: Record<string, unknown> = {}) => render({ set: { ...enabled, ...set } })

const setOf = (manifests: readonly Manifest[], component: string) =>
  pick<StatefulSet>(manifests, 'StatefulSet', `test-quorate-${component}`)

function environmentOf({ spec }: StatefulSet): Record<string, string> {
  const agent = spec.template.spec.initContainers?.at(-1)
  return Object.fromEntries((agent?.env ?? []).map(({ name, value }) => [name, value ?? '']))
}

/** What the agent of the third pod makes of its environment. */
function settingsOf(set: StatefulSet) {
  const { settings } = loadAgentConfig({
    environment: {
      ...environmentOf(set),
      QUORATE_AGENT_POD: `${set.metadata.name}-2`,
      QUORATE_AGENT_NAMESPACE: 'default',
    },
    flags: {},
  })
  return settings
}

describe.skipIf(helm.found === null)(titleOf('dependents', helm), () => {
  it('are not there until they are asked for', () => {
    const names = render().map(({ metadata }) => metadata.name)
    expect(
      names.filter((name) => /kafka|mongodb|postgresql|galera|allegrograph/.test(name)),
    ).toEqual([])
  })

  it('give their agents settings that these have and accept', () => {
    const known = agentSettingNames.map(
      (name) => `QUORATE_AGENT_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    )
    const seen = new Set<string>()
    for (const file of valueFiles) {
      const sets = render({ files: [file] }).filter(({ kind }) => kind === 'StatefulSet')
      for (const set of sets as StatefulSet[]) {
        const engine = environmentOf(set)['QUORATE_AGENT_ENGINE'] ?? ''
        if (engine === 'quorate') continue
        seen.add(engine)
        const others = Object.keys(environmentOf(set)).filter((name) => !known.includes(name))
        expect(others.filter((name) => !/^(MALLOC_ARENA_MAX|NODE_ADDRESS)$/.test(name))).toEqual([])
        const settings = settingsOf(set)
        expect(settings.engine).toBe(engine)
        expect(settings.tree).not.toEqual([])
        for (const user of settings.mongodbUsers) expect(() => parseUser(user)).not.toThrow()
      }
    }
    expect([...seen].sort()).toEqual(['allegrograph', ...dependents, 'generic'].sort())
  })

  it.each([
    ['kafka', 300],
    ['mongodb', 90],
    ['postgresql', 120],
    ['galera', 120],
  ])('are asked and stopped through the agent: %s within %i s', (component, graceSeconds) => {
    const { spec } = setOf(all(), component).spec.template
    const [engine] = spec.containers
    expect(engine?.startupProbe?.httpGet).toEqual({ path: '/engine/startupz', port: 8090 })
    // The copy of a large member, or what a crash left to recover, takes as long as it takes.
    const startup = engine?.startupProbe
    expect((startup?.periodSeconds ?? 0) * (startup?.failureThreshold ?? 0)).toBeGreaterThan(80_000)
    expect(engine?.livenessProbe?.httpGet).toEqual({ path: '/engine/livez', port: 8090 })
    expect(engine?.readinessProbe?.httpGet).toEqual({ path: '/engine/readyz', port: 8090 })
    // Longer than the longest back-off of an agent that crashes again and again.
    const { periodSeconds = 0, failureThreshold = 0 } = engine?.livenessProbe ?? {}
    expect(periodSeconds * failureThreshold).toBeGreaterThan(300)
    expect(engine?.lifecycle?.preStop.httpGet).toMatchObject({ path: '/prestop', port: 8090 })
    expect(spec.terminationGracePeriodSeconds).toBe(graceSeconds)
    expect(settingsOf(setOf(all(), component)).drainBudgetMs).toBe((graceSeconds - 15) * 1000)
  })

  it('may read their set and their pod, and label it where Services ask for the role', () => {
    for (const component of dependents) {
      const name = `test-quorate-${component}`
      const { rules } = pick<Role>(all(), 'Role', name)
      const pods = component === 'postgresql' ? ['get', 'patch'] : ['get']
      expect(
        rules.map(({ resources, resourceNames, verbs }) => ({ resources, resourceNames, verbs })),
      ).toEqual([
        { resources: ['statefulsets'], resourceNames: [name], verbs: ['get'] },
        { resources: ['namespaces'], resourceNames: ['default'], verbs: ['get'] },
        { resources: ['pods'], resourceNames: undefined, verbs: pods },
        { resources: ['events'], resourceNames: undefined, verbs: ['create'] },
      ])
    }
  })

  it('select primary and standbys by the label that the agent writes', () => {
    const manifests = all()
    const { roleLabel } = settingsOf(setOf(manifests, 'postgresql'))
    const roles = { rw: 'primary', ro: 'replica' }
    for (const [suffix, role] of Object.entries(roles)) {
      const { spec } = pick<Service>(manifests, 'Service', `test-quorate-postgresql-${suffix}`)
      expect(spec.selector[roleLabel]).toBe(role)
      expect(spec.publishNotReadyAddresses).toBeUndefined()
    }
  })

  it.each(['10.96.0.7', 'None'])(
    'give an address to one Service, and none to all: %s',
    (address) => {
      const manifests = all({ 'postgresql.service.clusterIP': address })
      const addresses = ['rw', 'ro'].map(
        (suffix) =>
          pick<Service>(manifests, 'Service', `test-quorate-postgresql-${suffix}`).spec.clusterIP,
      )
      expect(addresses).toEqual(address === 'None' ? ['None', 'None'] : [address, undefined])
    },
  )

  it('have a test of helm each, which asks the tree for their first member', () => {
    const tests = all()
      .filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test')
      .map((pod) => [
        pod.metadata.name,
        (pod as Manifest & { spec: PodSpec }).spec.containers[0]?.args.at(-1),
      ])
    expect(Object.fromEntries(tests)).toEqual({
      'test-quorate-test': '/',
      ...Object.fromEntries(
        dependents.map((component) => {
          const name = `test-quorate-${component}`
          return [`${name}-test`, `/members/v1/services/${name}/${name}-0`]
        }),
      ),
    })
  })

  it('have an exporter beside the engine, where it is asked for, which scrapers find', () => {
    const on = Object.fromEntries(
      ['kafka', 'mongodb', 'postgresql'].flatMap((name) => [
        [`${name}.metrics.exporter.enabled`, true],
        [`${name}.metrics.serviceMonitor.enabled`, true],
      ]),
    )
    const manifests = all(on)
    for (const [component, port] of [
      ['kafka', 9308],
      ['mongodb', 9216],
      ['postgresql', 9187],
    ] as const) {
      const without = setOf(all(), component).spec.template.spec.containers
      expect(without.map(({ name }) => name)).toEqual([component])
      const [engine, exporter] = setOf(manifests, component).spec.template.spec.containers
      expect(engine?.ports?.map(({ name }) => name)).not.toContain('exporter')
      expect(exporter).toMatchObject({
        name: 'exporter',
        ports: [{ name: 'exporter', containerPort: port }],
        securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      })
      expect(exporter?.args).toContain(`--web.listen-address=:${port}`)
      const service = pick<Service>(manifests, 'Service', `test-quorate-${component}-metrics`)
      expect(service.spec.ports).toContainEqual(
        expect.objectContaining({ name: 'exporter', port, targetPort: port }),
      )
      const policy = pick<NetworkPolicy>(manifests, 'NetworkPolicy', `test-quorate-${component}`)
      const open = policy.spec.ingress.flatMap(({ ports = [] }) => ports.map(({ port: n }) => n))
      expect(open).toContain(port)
      const monitor = pick<Manifest & { spec: { endpoints: { port: string }[] } }>(
        manifests,
        'ServiceMonitor',
        `test-quorate-${component}`,
      )
      expect(monitor.spec.endpoints.map((endpoint) => endpoint.port)).toContain('exporter')
    }
    // The exporter of MongoDB has a user, made by the agent, with a password made by the Job.
    const { mongodbUsers } = settingsOf(setOf(manifests, 'mongodb'))
    expect(mongodbUsers.map((user) => parseUser(user).name)).toEqual(['quorate-metrics', 'root'])
    const jobs = manifests.filter(({ kind }) => kind === 'Job')
    expect(JSON.stringify(jobs)).toContain('quorate-metrics-password')
  })

  it('have a mongod stop in less than the drain leaves of the grace period, unless told otherwise', () => {
    const parameters = (set = {}) => {
      const { data } = pick<ConfigMap>(all(set), 'ConfigMap', 'test-quorate-mongodb-config')
      return parse(data['mongod.conf'] ?? '').setParameter
    }
    const name = 'shutdownTimeoutMillisForSignaledShutdown'
    expect(parameters()).toEqual({ [name]: 5_000 })
    const own = { setParameter: { [name]: 9_000, ttlMonitorEnabled: false } }
    expect(parameters({ 'mongodb.config': own })).toEqual(own.setParameter)
  })

  it('have a Service for each broker, at the port that the agent advertises', () => {
    const manifests = all({ 'kafka.external': { enabled: true }, 'kafka.replicaCount': 4 })
    const services = manifests.filter(
      ({ metadata }) => metadata.labels['quorate/service'] === 'member',
    ) as Service[]
    expect(services.map(({ metadata }) => metadata.name)).toEqual(
      [0, 1, 2, 3].map((ordinal) => `test-quorate-kafka-${ordinal}`),
    )
    const ports = services.map(({ spec }) => spec.ports[0])
    expect(ports).toMatchObject([0, 1, 2, 3].map((ordinal) => ({ nodePort: 31_090 + ordinal })))
    expect(settingsOf(setOf(manifests, 'kafka')).kafkaAdvertisedListeners).toBe(
      'CLIENT://{host}:9092,EXTERNAL://$(NODE_ADDRESS):{31090+ordinal}',
    )
    // Kubernetes fills in what stands before it in the list.
    const names = Object.keys(environmentOf(setOf(manifests, 'kafka')))
    expect(names.indexOf('NODE_ADDRESS')).toBeLessThan(
      names.indexOf('QUORATE_AGENT_KAFKA_ADVERTISED_LISTENERS'),
    )
  })

  it('write the properties of Kafka as they were given, large numbers too', () => {
    const config = { 'log.retention.bytes': 1_073_741_824, 'delete.topic.enable': false, x: 'y' }
    const { data } = pick<ConfigMap>(
      all({ 'kafka.config': config }),
      'ConfigMap',
      'test-quorate-kafka-config',
    )
    const lines = (data['server.properties'] ?? '').split('\n')
    expect(lines).toContain('log.retention.bytes=1073741824')
    expect(lines).toContain('delete.topic.enable=false')
    expect(lines).toContain('x=y')
  })

  it('tell Patroni and the agent of PostgreSQL of one place in the tree', () => {
    const set = {
      'server.enabled': false,
      'externalServer.hosts': ['zk:2181'],
      'externalServer.chroot': '/a',
    }
    const manifests = all(set)
    const { data } = pick<ConfigMap>(manifests, 'ConfigMap', 'test-quorate-postgresql-config')
    const patroni = parse(data['spilo.yaml'] ?? '') as { namespace: string }
    const settings = settingsOf(setOf(manifests, 'postgresql'))
    expect(patroni.namespace).toBe(`${settings.patroniNamespace}/`)
    expect(settings.treeRoot).toBe('/a/members/v1')
    const [engine] = setOf(manifests, 'postgresql').spec.template.spec.containers
    expect(engine?.env).toContainEqual({ name: 'SCOPE', value: settings.patroniScope })
    const kafka = all({ ...set, 'kafka.mode': 'zookeeper' })
    const { kafkaRoot } = settingsOf(setOf(kafka, 'kafka'))
    const properties = pick<ConfigMap>(kafka, 'ConfigMap', 'test-quorate-kafka-config').data
    expect(properties['server.properties']).toContain(`zookeeper.connect=zk:2181${kafkaRoot}\n`)
  })

  it.each(['synchronous', 'strict', 'asynchronous'])(
    'have the agent of PostgreSQL keep Patroni to what a change of the values says: %s',
    (replication) => {
      const { data } = pick<ConfigMap>(
        all({ 'postgresql.replication': replication }),
        'ConfigMap',
        'test-quorate-postgresql-config',
      )
      const { bootstrap } = parse(data['spilo.yaml'] ?? '') as { bootstrap: { dcs: object } }
      expect(bootstrap.dcs).toMatchObject({
        synchronous_mode: replication !== 'asynchronous',
        synchronous_mode_strict: replication === 'strict',
      })
      const set = setOf(all({ 'postgresql.replication': replication }), 'postgresql')
      expect(settingsOf(set).patroniReplication).toBe(replication)
    },
  )

  it('let nobody stay without enough time: Patroni’s own limits fit each other', () => {
    const { data } = pick<ConfigMap>(all(), 'ConfigMap', 'test-quorate-postgresql-config')
    const { bootstrap } = parse(data['spilo.yaml'] ?? '') as {
      bootstrap: { dcs: { ttl: number; loop_wait: number; retry_timeout: number } }
    }
    const { ttl, loop_wait: loop, retry_timeout: retry } = bootstrap.dcs
    expect(loop + 2 * retry).toBeLessThanOrEqual(ttl)
    expect(ttl).toBeLessThan(30)
  })

  it('have the settings of MariaDB, with those of the values, and TLS for all that leaves a pod', () => {
    const settings = (set = {}) => {
      const { data } = pick<ConfigMap>(all(set), 'ConfigMap', 'test-quorate-galera-config')
      return (data['my.cnf'] ?? '').split('\n')
    }
    const options = (lines: readonly string[]) =>
      /"(.*)"/.exec(lines.find((line) => line.startsWith('wsrep-provider-options')) ?? '')?.[1]
    const plain = settings({
      'galera.config': { 'wsrep-provider-options': 'gcache.size=1G', x: 1 },
    })
    expect(plain).toContain('x = 1')
    expect(options(plain)?.split(';')).toContain('gcache.size=1G')
    expect(plain.join('\n')).not.toMatch(/ssl|encrypt/)
    // A server that had these in a file would begin a cluster at each start.
    expect(plain.join('\n')).not.toMatch(/new-cluster|cluster-address/)
    const secure = settings({ 'galera.tls.existingSecret': 'certificates' })
    expect(options(secure)).toContain('socket.ssl_key=/etc/quorate-tls/tls.key')
    for (const line of [
      'ssl-cert = /etc/quorate-tls/tls.crt',
      'require-secure-transport = ON',
      'encrypt = 4',
      'tkey = /etc/quorate-tls/tls.key',
    ]) {
      expect(secure).toContain(line)
    }
    const galera = settingsOf(setOf(all({ 'galera.copyMethod': 'rsync' }), 'galera'))
    expect(galera.galeraDonorServes).toBe('no')
    expect(settingsOf(setOf(all(), 'galera')).galeraDonorServes).toBe('yes')
  })

  it('begin a cluster of MariaDB with the databases and users of the values', () => {
    const set = {
      'galera.auth.databases': ['app'],
      'galera.auth.users': { app: { grants: ['ALL ON app.*'] }, 'read-er': { grants: [] } },
    }
    const manifests = all(set)
    const { data } = pick<ConfigMap>(manifests, 'ConfigMap', 'test-quorate-galera-config')
    expect(data['databases.sql']?.trim().split('\n').slice(1)).toEqual([
      'CREATE DATABASE `app`;',
      "CREATE USER 'app'@'%';",
      "GRANT ALL ON app.* TO 'app'@'%';",
      "CREATE USER 'read-er'@'%';",
    ])
    const { volumes } = setOf(manifests, 'galera').spec.template.spec
    expect(volumes?.find(({ name }) => name === 'secrets')?.secret).toMatchObject({
      items: expect.arrayContaining([{ key: 'read-er-password', path: 'user-read-er' }]),
    })
    const jobs = manifests.filter(({ kind }) => kind === 'Job')
    const uri = 'uri-app=mariadb://app:{app-password}@test-quorate-galera-cs.default.svc'
    expect(JSON.stringify(jobs)).toContain(uri)
  })

  it('are clients of a server that lets in labelled pods alone', () => {
    const set = { 'server.networkPolicy.allowExternal': false }
    const { ingress } = pick<NetworkPolicy>(all(set), 'NetworkPolicy', 'test-quorate').spec
    expect(JSON.stringify(ingress)).toContain('"test-quorate-client":"true"')
    for (const component of dependents) {
      const { labels } = setOf(all(set), component).spec.template.metadata
      expect(labels['test-quorate-client']).toBe('true')
    }
  })

  it.each(dependents)('reach the tree with TLS where that has no other port: %s', (component) => {
    const set = { 'server.tls.existingSecret': 'certificates', 'server.tls.plainClients': false }
    const manifests = all({ ...set, 'kafka.mode': 'zookeeper' })
    const { tree, treeCaFile, treeKeyFile } = settingsOf(setOf(manifests, component))
    expect(tree).toEqual(['test-quorate-cs.default.svc.cluster.local:2281'])
    const { initContainers, volumes } = setOf(manifests, component).spec.template.spec
    const mounted = initContainers?.at(-1)?.volumeMounts?.find(({ name }) => name === 'tree-tls')
    expect(treeCaFile).toBe(`${mounted?.mountPath}/ca.crt`)
    expect(treeKeyFile).toBe(`${mounted?.mountPath}/tls.key`)
    expect(volumes?.find(({ name }) => name === 'tree-tls')?.secret?.secretName).toBe(
      'certificates',
    )
  })

  it('keep replicas out of what pods are made of: a scaled set restarts nobody', () => {
    const checksums = (options: RenderOptions['set']) =>
      dependents.map(
        (name) => setOf(all(options), name).spec.template.metadata.annotations['checksum/config'],
      )
    const more = Object.fromEntries(dependents.map((name) => [`${name}.replicaCount`, 5]))
    expect(checksums({ ...more, 'server.replicaCount': 5 })).toEqual(checksums({}))
  })

  it('leave replicas out where null stands and no set is there to ask', () => {
    const none = Object.fromEntries(dependents.map((name) => [`${name}.replicaCount`, null]))
    for (const name of dependents)
      expect(setOf(all(none), name).spec).not.toHaveProperty('replicas')
  })

  it('have controllers of Kafka apart, by which brokers and their agents find the cluster', () => {
    const set = { 'kafkaControllers.enabled': true }
    const manifests = all(set)
    const controllers = setOf(manifests, 'kafka-controllers')
    const told = [settingsOf(setOf(manifests, 'kafka')), settingsOf(controllers)]
    expect(told).toMatchObject([
      { kafkaRole: 'broker', kafkaControllersCluster: told[1]?.cluster, kafkaFirstId: 0 },
      { kafkaRole: 'controller', kafkaFirstId: 1000, kafkaControllerPort: 9093 },
    ])
    const propertiesOf = (options: Record<string, unknown>, component: string) => {
      const { data } = pick<ConfigMap>(
        all({ ...set, ...options }),
        'ConfigMap',
        `test-quorate-${component}-config`,
      )
      return data['server.properties'] ?? ''
    }
    const name = 'test-quorate-kafka-controllers'
    const places = [0, 1, 2].map((i) => `${name}-${i}.${name}-hs.default.svc.cluster.local:9093`)
    const line = `controller.quorum.bootstrap.servers=${places.join()}\n`
    for (const component of ['kafka', 'kafka-controllers']) {
      expect(propertiesOf({}, component)).toContain(line)
      // More of them restart nobody.
      const more = propertiesOf({ 'kafkaControllers.replicaCount': 5 }, component)
      expect(more).toBe(propertiesOf({}, component))
      const one = propertiesOf({ 'kafkaControllers.replicaCount': 1 }, component)
      expect(one).toContain(`bootstrap.servers=${places[0]}\n`)
    }
    const [engine] = controllers.spec.template.spec.containers
    expect(engine?.image).toBe('docker.io/apache/kafka:4.2.0')
    const ports = (component: string) =>
      setOf(manifests, component).spec.template.spec.containers[0]?.ports?.map(({ name: n }) => n)
    expect([ports('kafka'), ports('kafka-controllers')]).toEqual([['client'], ['controller']])
  })

  it('let brokers alone to their controllers, and out to them', () => {
    const set = { 'kafkaControllers.enabled': true, 'kafka.networkPolicy.egress.enabled': true }
    const policyOf = (component: string) =>
      pick<NetworkPolicy>(all(set), 'NetworkPolicy', `test-quorate-${component}`).spec
    const labels = (component: string) => ({
      podSelector: { matchLabels: setOf(all(set), component).spec.selector.matchLabels },
    })
    const open = policyOf('kafka-controllers').ingress.filter(({ ports }) =>
      ports.some(({ port }) => port === 9093),
    )
    expect(open.flatMap(({ from }) => from ?? ['anybody'])).toEqual([
      labels('kafka-controllers'),
      { podSelector: { matchLabels: { 'test-quorate-kafka-controllers-client': 'true' } } },
      labels('kafka'),
    ])
    expect(policyOf('kafka').egress).toContainEqual({
      to: [labels('kafka-controllers')],
      ports: [{ port: 9093, protocol: 'TCP' }],
    })
  })

  it('have names that Kubernetes takes, also behind a long release', () => {
    const set = { ...enabled, 'kafka.external.enabled': true, 'kafkaControllers.enabled': true }
    for (const { metadata } of render({ release: 'a'.repeat(53), set })) {
      expect(metadata.name.length).toBeLessThanOrEqual(63)
    }
  })

  it('take none of the image of the server, nor its digest', () => {
    const digest = `sha256:${'0'.repeat(64)}`
    const images = dependents.map(
      (name) =>
        setOf(all({ 'image.digest': digest }), name).spec.template.spec.containers[0]?.image,
    )
    expect(images).toEqual([
      'docker.io/apache/kafka:4.2.0',
      'docker.io/library/mongo:8.0.13',
      'ghcr.io/zalando/spilo-18:4.1-p2',
      'docker.io/library/mariadb:10.11.19',
    ])
  })
})
