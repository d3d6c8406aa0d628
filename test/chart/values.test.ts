import { describe, expect, it } from 'vitest'
import { settingNames } from '../../server/config/schema.ts'
import { titleOf } from '../support/toolchain.ts'
import { type ConfigMap, type PodDisruptionBudget, pick, type Service } from './objects.ts'
import { render, template } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()

const refusalOf = (set: Record<string, unknown>) => template({ set }).refusal ?? ''

describe.skipIf(helm.found === null)(titleOf('values', helm), () => {
  describe('that the schema refuses', () => {
    it.each<[string, Record<string, unknown>, RegExp]>([
      ['an unknown top-level value', { sever: {} }, /sever/],
      ['an unknown value of a component', { 'server.replicas': 3 }, /replicas/],
      ['an unknown value deep in a component', { 'server.persistence.log.sizes': '1Gi' }, /sizes/],
      ['an unknown port', { 'server.ports.admin': 1234 }, /admin/],
      ['an unknown value of the agent', { 'agent.ports': 1 }, /ports/],
      ['replicas in words', { 'server.replicaCount': 'three' }, /replicaCount/],
      ['a negative number of replicas', { 'server.replicaCount': -1 }, /replicaCount/],
      ['a port beyond the last', { 'server.ports.client': 70_000 }, /ports\/client|ports\.client/],
      [
        'an unknown kind of anti-affinity',
        { 'server.podAntiAffinity': 'maybe' },
        /podAntiAffinity/,
      ],
      ['servers that start in order', { 'server.podManagementPolicy': 'OrderedReady' }, /podManag/],
      ['a size without meaning', { 'server.persistence.size': '8 gigs' }, /size/],
      ['a label that is no text', { 'commonLabels.app': 3 }, /commonLabels/],
      ['closed HTTP, which locks the agent out', { 'server.auth.http': 'closed' }, /auth/],
      ['an external host without a port', { 'externalServer.hosts': ['zookeeper'] }, /hosts/],
      ['a digest that is none', { 'image.digest': 'latest' }, /digest/],
      ['an unknown value of a dependent', { 'kafka.replicas': 3 }, /replicas/],
      ['a value of another component', { 'mongodb.controllers': 3 }, /mongodb\/controllers/],
      ["a dependent's value at the server", { 'server.mode': 'kraft' }, /server\/mode/],
      ['a mode that Kafka does not have', { 'kafka.mode': 'raft' }, /kafka\/mode/],
      ['a second volume of a dependent', { 'kafka.persistence.log.enabled': true }, /log/],
      ['a port that a dependent does not have', { 'postgresql.ports.client': 1 }, /client/],
      ['a Service of MongoDB, which has none', { 'mongodb.service.type': 'NodePort' }, /service/],
      ['an image without a tag', { 'mongodb.image.tag': '' }, /tag/],
      ['a role without a database', { 'mongodb.auth.users.a.roles': ['root'] }, /roles/],
      [
        'a user whose name is no name',
        { 'mongodb.auth.users': { 'a b': { roles: ['root@admin'] } } },
        /mongodb\/auth\/users.*a b/,
      ],
      ['a way to copy that there is not', { 'galera.copyMethod': 'clone' }, /copyMethod/],
      ['a setting with underscores', { 'galera.config.max_connections': 1 }, /max_connections/],
      ['a grant to anybody', { 'galera.auth.users.a.grants': ['ALL'] }, /grants/],
      ['a replication that there is not', { 'postgresql.replication': 'quick' }, /replication/],
      [
        'brokers’ controllers of the controllers',
        { 'kafkaControllers.controllers': 3 },
        /controllers/,
      ],
      ['a Service of controllers', { 'kafkaControllers.service.type': 'NodePort' }, /service/],
      ['a dashboard of a dependent', { 'kafka.metrics.dashboards.enabled': true }, /dashboards/],
    ])('%s', (_title, set, message) => {
      expect(refusalOf(set)).toMatch(/don't meet the specifications of the schema/)
      expect(refusalOf(set)).toMatch(message)
    })
  })

  describe('that do not go together', () => {
    it.each<[Record<string, unknown>, string]>([
      [
        { 'server.enabled': false },
        'server.enabled is false and externalServer.hosts is empty: name the ensemble to use, as host:port',
      ],
      [
        { 'externalServer.hosts': ['zookeeper:2181'] },
        'externalServer.hosts is for server.enabled=false: this release would have two ensembles',
      ],
      [{ 'externalServer.chroot': '/apps' }, 'externalServer.chroot is for server.enabled=false'],
      [
        { 'server.replicaCount': 0 },
        'server.replicaCount is 0: an ensemble has at least 1; to pause it use `kubectl scale --replicas=0` with server.replicaCount=null',
      ],
      [
        { 'server.ports.http': 2181 },
        'server.ports.client and server.ports.http are both 2181: the containers of a pod share its ports',
      ],
      [
        { 'server.ports.secureClient': 2888, 'server.tls.existingSecret': 'certificates' },
        'server.ports.peer and server.ports.secureClient are both 2888: the containers of a pod share its ports',
      ],
      [
        { 'server.tls.plainClients': false },
        'server.tls.plainClients is false: server.tls.existingSecret must name the certificates',
      ],
      [
        { 'server.tls.peers': 'prefer' },
        'server.tls.peers is prefer: server.tls.existingSecret must name the certificates',
      ],
      [
        { 'server.tls.existingSecret': 'certificates', 'server.config.tlsClientAuth': 'none' },
        'server.config.tlsClientAuth follows from server.tls.clientAuth and cannot be set beside it',
      ],
      [
        { 'agent.port': 2888 },
        'agent.port and server.ports.peer are both 2888: the containers of a pod share its ports',
      ],
      [
        { 'server.persistence.enabled': false, 'server.persistence.log.enabled': true },
        'server.persistence.log.enabled needs server.persistence.enabled',
      ],
      [
        { 'server.persistence.log.enabled': true, 'server.persistence.log.name': 'data' },
        'server.persistence.name and server.persistence.log.name are both data: they are two volumes',
      ],
      [
        { 'server.persistence.name': 'run' },
        "run is a volume of the chart's own: choose another server.persistence.name",
      ],
      [
        { 'server.config.clientPort': 2182 },
        'server.config.clientPort follows from server.ports.client and cannot be set beside it',
      ],
      [
        { 'server.config.sessionTimeoutMsMin': 20_000 },
        'agent.sessionTimeoutMs is 10000, below server.config.sessionTimeoutMsMin of 20000',
      ],
      [
        { 'server.config.sessionTimeoutMsMax': 8_000 },
        'agent.sessionTimeoutMs is 10000, above server.config.sessionTimeoutMsMax of 8000',
      ],
      [{ 'server.auth.joinKey': 'k' }, 'server.auth.joinKey and server.auth.httpToken go together'],
      [
        {
          'server.auth.joinKey': 'k',
          'server.auth.httpToken': 't',
          'server.auth.existingSecret': 'mine',
        },
        'server.auth.existingSecret and server.auth.joinKey are two sources of one secret',
      ],
      [
        { 'secretsJob.enabled': false },
        'secretsJob.enabled is false: server.auth.existingSecret must name a secret with join-key and http-token',
      ],
      [
        { 'server.auth.existingSecretKeys.joinKey': 'http-token' },
        'server.auth.existingSecretKeys: joinKey and httpToken must be two keys',
      ],
      [
        {
          'server.podDisruptionBudget.minAvailable': 2,
          'server.podDisruptionBudget.maxUnavailable': 2,
        },
        'server.podDisruptionBudget: minAvailable goes over maxUnavailable; leave maxUnavailable at 1',
      ],
      ...['name', 'instance', 'component'].map((key): [Record<string, unknown>, string] => [
        { commonLabels: { [`app.kubernetes.io/${key}`]: 'x' } },
        `commonLabels: app.kubernetes.io/${key} is a label of selectors; nameOverride, the release's name and the component decide these`,
      ]),
      [
        { 'server.service.nodePorts': { client: 30_181 } },
        'server.service.nodePorts needs server.service.type NodePort or LoadBalancer',
      ],
      [
        { 'server.service.externalTrafficPolicy': 'Local' },
        'server.service.externalTrafficPolicy needs server.service.type NodePort or LoadBalancer',
      ],
      [
        {
          'server.service.type': 'NodePort',
          'server.service.loadBalancerSourceRanges': ['10.0.0.0/8'],
        },
        'server.service.loadBalancerSourceRanges needs server.service.type LoadBalancer',
      ],
      [
        { 'server.service.loadBalancerClass': 'example.com/own' },
        'server.service.loadBalancerClass needs server.service.type LoadBalancer',
      ],
      [
        { 'server.serviceAccount.create': false },
        "server.serviceAccount.create is false: name the account, or every pod of the namespace gets the agent's rights",
      ],
      [
        { 'server.metrics.enabled': false, 'server.metrics.serviceMonitor.enabled': true },
        'server.metrics.serviceMonitor.enabled needs server.metrics.enabled',
      ],
      [
        { 'server.metrics.enabled': false, 'server.metrics.prometheusRule.enabled': true },
        'server.metrics.prometheusRule.enabled needs server.metrics.enabled',
      ],
      [
        { 'server.metrics.enabled': false, 'server.metrics.dashboards.enabled': true },
        'server.metrics.dashboards.enabled needs server.metrics.enabled',
      ],
      [
        { 'externalServer.tls.existingSecret': 'certificates' },
        'externalServer.tls is for server.enabled=false: server.tls has the certificates of this ensemble',
      ],
      [
        { 'kafka.enabled': true, 'kafka.mode': 'zookeeper', 'kafka.image.tag': '4.2.0' },
        'kafka.image.tag is 4.2.0: from 4 on Kafka has no mode zookeeper; take kafka.mode=kraft for a new cluster, a tag of 3.9 for this one',
      ],
      [
        { 'kafka.enabled': true, 'kafka.image.tag': '3.8.1' },
        'kafka.image.tag is 3.8.1: kafka.mode=kraft needs 3.9 or newer, whose controllers can change',
      ],
      [
        { 'kafka.enabled': true, 'kafka.controllers': 5 },
        'kafka.controllers is 5 and kafka.replicaCount is 3: controllers are the first of the brokers',
      ],
      [
        { 'kafka.enabled': true, 'kafka.config': { 'default.replication.factor': 4 } },
        'kafka.config: default.replication.factor is 4 and kafka.replicaCount is 3: every copy needs a broker of its own',
      ],
      [
        { 'kafka.enabled': true, 'kafka.config': { 'node.id': 7 } },
        'kafka.config.node.id follows from kafka.firstId and cannot be set beside it',
      ],
      [
        { 'kafka.enabled': true, 'kafka.external': { enabled: true, type: 'LoadBalancer' } },
        'kafka.external.host is empty: with LoadBalancer name what clients are told, as kafka-{ordinal}.example.com',
      ],
      [
        {
          'kafka.enabled': true,
          'kafka.external': { enabled: true, type: 'LoadBalancer', host: 'kafka.example.com' },
        },
        'kafka.external.host is kafka.example.com: with LoadBalancer every broker has an address of its own, told apart by {ordinal} or {pod}',
      ],
      [
        { 'kafka.enabled': true, 'kafka.external': { enabled: true, loadBalancerClass: 'own' } },
        'kafka.external: loadBalancerClass and loadBalancerSourceRanges need kafka.external.type LoadBalancer',
      ],
      [
        { 'kafka.enabled': true, 'kafka.ports.controller': 9092 },
        'kafka.ports.client and kafka.ports.controller are both 9092: the containers of a pod share its ports',
      ],
      [
        { 'kafkaControllers.enabled': true },
        'kafkaControllers.enabled needs kafka.enabled and kafka.mode=kraft: they are the controllers of its brokers',
      ],
      [
        { 'kafkaControllers.enabled': true, 'kafka.enabled': true, 'kafka.mode': 'zookeeper' },
        'kafkaControllers.enabled needs kafka.enabled and kafka.mode=kraft: they are the controllers of its brokers',
      ],
      [
        { 'kafkaControllers.enabled': true, 'kafka.enabled': true, 'kafka.firstId': 901 },
        'kafkaControllers.firstId is 1000 and kafka.firstId is 901: leave 100 ids between them, and more than there are nodes; no two may have one id',
      ],
      [
        { 'kafkaControllers.enabled': true, 'kafka.enabled': true, 'kafka.firstId': 1_099 },
        'kafkaControllers.firstId is 1000 and kafka.firstId is 1099: leave 100 ids between them, and more than there are nodes; no two may have one id',
      ],
      [
        {
          'kafkaControllers.enabled': true,
          'kafkaControllers.firstId': 200,
          'kafka.enabled': true,
          'kafka.replicaCount': 201,
        },
        'kafkaControllers.firstId is 200 and kafka.firstId is 0: leave 100 ids between them, and more than there are nodes; no two may have one id',
      ],
      [
        {
          'kafkaControllers.enabled': true,
          'kafka.enabled': true,
          'kafka.tls.existingSecret': 'certificates',
        },
        'kafkaControllers.tls.existingSecret and kafka.tls.existingSecret go together: brokers and controllers speak to each other',
      ],
      [
        {
          'kafkaControllers.enabled': true,
          'kafkaControllers.image.tag': '3.8.1',
          'kafka.enabled': true,
        },
        'kafkaControllers.image.tag is 3.8.1: controllers that can change need 3.9 or newer',
      ],
      [
        {
          'kafkaControllers.enabled': true,
          'kafkaControllers.config': { 'node.id': 7 },
          'kafka.enabled': true,
        },
        'kafkaControllers.config.node.id follows from kafkaControllers.firstId and cannot be set beside it',
      ],
      [
        { 'mongodb.enabled': true, 'mongodb.auth.users.agent.roles': ['root@admin'] },
        'mongodb.auth.users.agent: the chart has that name for itself, choose another',
      ],
      [
        { 'mongodb.enabled': true, 'mongodb.config.net.tls': { mode: 'disabled' } },
        'mongodb.config.net.tls follows from mongodb.tls and cannot be set beside it',
      ],
      [
        { 'mongodb.enabled': true, 'mongodb.persistence.name': 'tree-tls' },
        "tree-tls is a volume of the chart's own: choose another mongodb.persistence.name",
      ],
      [
        {
          'mongodb.enabled': true,
          'server.auth.existingSecret': 'mine',
          'secretsJob.enabled': false,
        },
        'secretsJob.enabled is false: mongodb.auth.existingSecret must name a secret with key, agent-password, root-password',
      ],
      [
        { 'galera.enabled': true, 'galera.auth.users.root.grants': ['ALL ON *.*'] },
        'galera.auth.users.root: the chart or MariaDB has that name for itself, choose another',
      ],
      [
        {
          'galera.enabled': true,
          'galera.copyMethod': 'rsync',
          'galera.tls.existingSecret': 'certificates',
        },
        'galera.copyMethod is rsync, which copies without TLS: take mariabackup where galera.tls.existingSecret is set',
      ],
      [
        { 'galera.enabled': true, 'galera.config.wsrep-new-cluster': true },
        'galera.config.wsrep-new-cluster follows from the agent and cannot be set beside it',
      ],
      [
        { 'postgresql.enabled': true, 'postgresql.config.scope': 'mine' },
        "postgresql.config.scope follows from the component's name and cannot be set beside it",
      ],
      [
        {
          'postgresql.enabled': true,
          'postgresql.config.bootstrap.dcs.synchronous_mode': true,
        },
        'postgresql.config.bootstrap.dcs.synchronous_mode follows from postgresql.replication and cannot be set beside it',
      ],
      [
        {
          'postgresql.enabled': true,
          'postgresql.config.postgresql.authentication.superuser.password': 'x',
        },
        'postgresql.config.postgresql.authentication.superuser.password follows from postgresql.auth and cannot be set beside it',
      ],
      [
        {
          'postgresql.enabled': true,
          'postgresql.replication': 'strict',
          'postgresql.replicaCount': 1,
        },
        'postgresql.replication is strict and postgresql.replicaCount is 1: nothing could ever be written',
      ],
      [
        {
          'postgresql.enabled': true,
          'postgresql.auth.existingSecretKeys.patroniPassword': 'superuser-password',
        },
        'postgresql.auth.existingSecretKeys: superuserPassword, replicationPassword and patroniPassword must be three keys',
      ],
    ])('%j', (set, message) => {
      expect(faultsOf(set)).toEqual([message])
    })

    it('are all named at once', () => {
      const faults = faultsOf({ 'server.replicaCount': 0, 'externalServer.hosts': ['zk:2181'] })
      expect(faults).toHaveLength(2)
    })
  })

  it.each(['NodePort', 'LoadBalancer'])('go together: ports and policy of a %s', (type) => {
    const { spec } = pick<Service>(
      render({
        set: {
          'server.service.type': type,
          'server.service.externalTrafficPolicy': 'Local',
          'server.service.nodePorts': { client: 30_181 },
        },
      }),
      'Service',
      'test-quorate-cs',
    )
    expect(spec).toMatchObject({ type, externalTrafficPolicy: 'Local' })
    expect(spec.ports[0]).toMatchObject({ name: 'client', nodePort: 30_181 })
  })

  it.each<[Record<string, unknown>, Record<string, unknown>]>([
    [{}, { maxUnavailable: 1 }],
    [{ minAvailable: null }, { maxUnavailable: 1 }],
    [{ minAvailable: null, maxUnavailable: 2 }, { maxUnavailable: 2 }],
    [{ maxUnavailable: null }, { maxUnavailable: 1 }],
    [{ maxUnavailable: '' }, { maxUnavailable: 1 }],
    [{ maxUnavailable: 0 }, { maxUnavailable: 0 }],
    [{ minAvailable: 2 }, { minAvailable: 2 }],
    [{ minAvailable: '51%', maxUnavailable: null }, { minAvailable: '51%' }],
    [{ minAvailable: 0 }, { minAvailable: 0 }],
  ])('make one bound of a disruption budget: %j', (budget, bound) => {
    const set = Object.fromEntries(
      Object.entries(budget).map(([name, value]) => [`server.podDisruptionBudget.${name}`, value]),
    )
    const { spec } = pick<PodDisruptionBudget>(render({ set }), 'PodDisruptionBudget')
    const { minAvailable, maxUnavailable } = spec
    expect(JSON.parse(JSON.stringify({ minAvailable, maxUnavailable }))).toEqual(bound)
  })

  it('cannot hold a setting that the chart sets by itself, and every such setting exists', () => {
    const { data } = pick<ConfigMap>(render(), 'ConfigMap')
    const all = Object.fromEntries(settingNames.map((name) => [name, 'x']))
    const faults = faultsOf({ 'server.config': all })
    const fixed = settingNames.filter((name) =>
      faults.some((fault) => fault.startsWith(`server.config.${name} follows from `)),
    )
    const rendered = [...(data['server.yaml'] ?? '').matchAll(/^(\w+):/gm)].map(([, name]) => name)
    expect(rendered.filter((name) => !fixed.some((setting) => setting === name))).toEqual([])
    expect(fixed).toHaveLength(17)
  })

  it('name an ensemble elsewhere, with its chroot', () => {
    const manifests = render({
      set: {
        'server.enabled': false,
        'externalServer.hosts': ['a:2181', 'b:2181'],
        'externalServer.chroot': '/apps',
      },
    })
    expect(manifests.map(({ kind }) => kind).sort()).toEqual(['ConfigMap', 'Pod'])
    expect(pick<ConfigMap>(manifests, 'ConfigMap').data).toEqual({
      ZOOKEEPER_CONNECT: 'a:2181,b:2181/apps',
    })
  })
})

/** The lines that the chart's own validation adds to helm's error. */
function faultsOf(set: Record<string, unknown>): string[] {
  return refusalOf(set)
    .split('\n')
    .filter((line) => line.startsWith('  - '))
    .map((line) => line.slice(4))
}
