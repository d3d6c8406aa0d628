import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { prometheusTool } from '../../support/toolchain.ts'
import { waitFor } from '../../support/wait-for.ts'
import { CHART, type Namespace, type Release } from './cluster.ts'
import { Prometheus } from './prometheus.ts'
import { installedSuite } from './suite.ts'
import { Testbed } from './testbed.ts'

/** How soon a change of the members is seen by who watches their documents. */
const FOLLOWS_WITHIN_MS = 30_000

const tool = prometheusTool()
const testbed = Testbed.ofThisRun()
const reason =
  testbed === null
    ? 'it takes a testbed, to be beside the cluster'
    : tool.found
      ? null
      : tool.reason
const title = reason === null ? 'Prometheus' : `Prometheus (${reason})`

const MEMBERS = ['members-http', 'members-agent']

describe.skipIf(reason !== null).sequential(title, { timeout: 300_000 }, () => {
  const { namespace, release } = installedSuite('prometheus')
  let prometheus: Prometheus
  let monitored: readonly Job[] = []

  beforeAll(async () => {
    monitored = await monitoredJobs(namespace, release)
    prometheus = new Prometheus(
      tool.found?.prometheus ?? '',
      testbed?.reach ?? '',
      {
        global: { scrape_interval: '2s', scrape_timeout: '2s', evaluation_interval: '2s' },
        rule_files: ['rules.yml'],
        scrape_configs: [...monitored, ...memberJobs(namespace, release)],
      },
      (await rendered<PrometheusRule>(release, 'prometheusRule', 'prometheusrule')).spec,
    )
  })
  afterAll(() => prometheus.stop())
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => console.log(prometheus.log))
  })

  /** Resolves when exactly these are the targets of some jobs, all of them up. */
  async function areUp(
    jobs: readonly string[],
    urls: readonly string[],
    withinMs: number,
  ): Promise<void> {
    let seen: readonly string[] = []
    await waitFor(
      `${urls.length} targets up`,
      async () => {
        const targets = await prometheus.targets(...jobs)
        seen = targets.map(({ scrapeUrl, health, lastError }) =>
          health === 'up' ? scrapeUrl : `${scrapeUrl} ${health} ${lastError}`,
        )
        if (seen.join() !== [...urls].sort().join()) throw new Error(seen.join('\n'))
        return true
      },
      withinMs,
    )
  }

  /** The addresses that the documents of the members 0 to count - 1 give. */
  const documented = (count: number) =>
    release.names(count).flatMap((pod) => {
      const host = `${pod}.${release.name}-hs.${namespace.name}.svc.cluster.local`
      return [`http://${host}:8080/metrics`, `http://${host}:8090/metrics`]
    })

  it('scrapes server and agent of every pod by what the ServiceMonitor says', async () => {
    const jobs = monitored.map(({ job_name }) => job_name)
    const addresses = (await namespace.json<Pods>('pods', '-l', MEMBER_PODS)).items.flatMap(
      ({ status }) => [8080, 8090].map((port) => `http://${status.podIP}:${port}/metrics`),
    )
    expect(addresses).toHaveLength(6)
    await areUp(jobs, addresses, 60_000)
    const inAll = '{job=~"serviceMonitor/.+"}'
    await waitFor('figures of every server and agent', async () => {
      const [up] = await prometheus.query(`sum(up${inAll})`)
      const [ready] = await prometheus.query(`sum(quorate_ready${inAll})`)
      const [usable] = await prometheus.query(`sum(quorate_agent_member_usable${inAll})`)
      const [leaders] = await prometheus.query(`sum(quorate_is_leader${inAll})`)
      const values = [up, ready, usable, leaders].map((series) => series?.value)
      if (values.join() !== '6,3,3,1') throw new Error(values.join())
      return true
    })
    const pods = await prometheus.query(`count by (pod) (up${inAll})`)
    expect(pods.map(({ metric }) => metric['pod']).sort()).toEqual(release.names(3))
  })

  it('evaluates the alerts of the chart, on series that are there, and none fires', async () => {
    const rules = await waitFor('every alert evaluated', async () => {
      const all = await prometheus.alerts()
      return all.length > 0 && all.every(({ health }) => health !== 'unknown') ? all : null
    })
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([])
    const series = rules.flatMap(({ query }) => query.match(/[\w:]+\{[^}]*\}/g) ?? [])
    expect(series.length).toBeGreaterThanOrEqual(rules.length)
    for (const selected of new Set(series)) {
      expect(await prometheus.query(`count(${selected})`), selected).not.toEqual([])
    }
  })

  it('finds the members by their documents, and scrapes what these give as addresses', async () => {
    await areUp(MEMBERS, documented(3), 60_000)
    const targets = await prometheus.targets('members-http')
    expect(
      targets.map(({ discoveredLabels }) => ({
        path: discoveredLabels['__meta_serverset_path'],
        host: discoveredLabels['__meta_serverset_endpoint_host'],
        port: discoveredLabels['__meta_serverset_endpoint_port'],
        shard: discoveredLabels['__meta_serverset_shard'],
        status: discoveredLabels['__meta_serverset_status'],
      })),
    ).toEqual(
      release.names(3).map((pod, ordinal) => ({
        path: `${documentsOf(release)}/${pod}`,
        host: `${pod}.${release.name}-hs.${namespace.name}.svc.cluster.local`,
        port: '2181',
        shard: String(ordinal),
        status: 'ALIVE',
      })),
    )
  })

  it('follows the members when the set is scaled down and up again', async () => {
    await namespace.kubectl('scale', release.set, '--replicas=2')
    await waitFor('two pods', async () => (await release.pods()).length === 2, 120_000)
    await areUp(MEMBERS, documented(2), FOLLOWS_WITHIN_MS)
    await namespace.kubectl('scale', release.set, '--replicas=3')
    await release.rolledOut()
    await areUp(MEMBERS, documented(3), FOLLOWS_WITHIN_MS)
  })

  it('lets a member go whose pod was deleted by force', async () => {
    await namespace.kubectl('scale', release.set, '--replicas=2')
    await release.deletePod(2, '--grace-period=0', '--force')
    await waitFor('two pods', async () => (await release.pods()).length === 2, 120_000)
    await areUp(MEMBERS, documented(2), FOLLOWS_WITHIN_MS)
  })
})

const MEMBER_PODS = 'app.kubernetes.io/component=server'

interface Pods {
  readonly items: readonly { readonly status: { readonly podIP: string } }[]
}

interface Job {
  readonly job_name: string
}

interface ServiceMonitor {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> }
    readonly endpoints: readonly { readonly port: string; readonly path: string }[]
  }
}

interface PrometheusRule {
  readonly spec: object
}

interface EndpointSlices {
  readonly items: readonly {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> }
    readonly ports: readonly { readonly name: string; readonly port: number }[]
    readonly endpoints: readonly {
      readonly addresses: readonly string[]
      readonly targetRef: { readonly name: string }
    }[]
  }[]
}

/** The one object of a file of the chart's templates, with a kind of monitoring turned on. */
async function rendered<T>(release: Release, monitoring: string, file: string): Promise<T> {
  const flags = [`fullnameOverride=${release.name}`, `server.metrics.${monitoring}.enabled=true`]
  const set = flags.flatMap((flag) => ['--set', flag])
  const show = ['--show-only', `templates/${file}.yaml`]
  return parse(await release.helm('template', release.name, CHART, ...set, ...show)) as T
}

/**
 * One job per endpoint of the chart's ServiceMonitor, as the operator of Prometheus makes them.
 * Debian builds Prometheus without the discovery of Kubernetes, so what that would find, the
 * endpoints of the Services selected, is looked up here.
 */
async function monitoredJobs(namespace: Namespace, release: Release): Promise<readonly Job[]> {
  const { metadata, spec } = await rendered<ServiceMonitor>(release, 'serviceMonitor', 'monitors')
  // A slice has the labels of its Service.
  const selector = Object.entries(spec.selector.matchLabels).map((pair) => pair.join('='))
  const slices = await namespace.json<EndpointSlices>('endpointslices', '-l', selector.join())
  return spec.endpoints.map(({ port, path }, at) => ({
    job_name: `serviceMonitor/${metadata.namespace}/${metadata.name}/${at}`,
    metrics_path: path,
    static_configs: slices.items.flatMap(({ metadata: { labels }, ports, endpoints }) =>
      ports
        .filter(({ name }) => name === port)
        .flatMap((found) =>
          endpoints.map(({ addresses, targetRef }) => ({
            targets: addresses.map((address) => `${address}:${found.port}`),
            labels: {
              namespace: namespace.name,
              service: labels['kubernetes.io/service-name'],
              pod: targetRef.name,
              endpoint: port,
            },
          })),
        ),
    ),
  }))
}

const documentsOf = (release: Release) => `/members/v1/services/${release.name}`

/** Jobs that find the members in the tree, and scrape two of the addresses in their documents. */
function memberJobs(namespace: Namespace, release: Release): readonly Job[] {
  return ['http', 'agent'].map((endpoint) => ({
    job_name: `members-${endpoint}`,
    metrics_path: '/metrics',
    serverset_sd_configs: [
      {
        servers: [`${release.name}-cs.${namespace.name}.svc.cluster.local:2181`],
        paths: [documentsOf(release)],
      },
    ],
    relabel_configs: [
      {
        source_labels: ['host', 'port'].map(
          (part) => `__meta_serverset_endpoint_${part}_${endpoint}`,
        ),
        separator: ':',
        target_label: '__address__',
      },
    ],
  }))
}
