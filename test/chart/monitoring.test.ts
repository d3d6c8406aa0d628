import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { buildAgentMetrics } from '../../agent/metrics.ts'
import { ServerStats } from '../../server/listener/server-stats.ts'
import { Distribution } from '../../server/measure.ts'
import { buildMetrics } from '../../server/metrics/metrics.ts'
import { metricsIn } from '../support/promql.ts'
import { prometheusTool, titleOf } from '../support/toolchain.ts'
import { ManualEnsemble } from '../unit/listener/manual-ensemble.ts'
import { ALERT_CASES, promtoolTests } from './alert-cases.ts'
import { type ConfigMap, containersOf, type Manifest, pick, podSpecs } from './objects.ts'
import { render } from './render.ts'
import { helmTool } from './tools.ts'

const helm = helmTool()
const prometheus = prometheusTool()
const promtool = helm.found === null ? helm : prometheus

interface PrometheusRule extends Manifest {
  readonly spec: {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string
        readonly expr: string
        readonly for?: string
      }[]
    }[]
  }
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets?: readonly { readonly expr: string }[]
  }[]
  readonly templating: { readonly list: readonly { readonly name: string }[] }
}

function alerts(set: Record<string, unknown> = {}) {
  const manifests = render({
    namespace: 'apps',
    set: { 'server.metrics.prometheusRule.enabled': true, ...set },
  })
  return pick<PrometheusRule>(manifests, 'PrometheusRule').spec
}

function dashboard(): Dashboard {
  const manifests = render({ set: { 'server.metrics.dashboards.enabled': true } })
  const { data } = pick<ConfigMap>(manifests, 'ConfigMap', 'test-quorate-dashboards')
  return JSON.parse(data['quorate-server.json'] ?? '') as Dashboard
}

/** The names at /metrics of server and agent, and what Prometheus adds for every target. */
function existing(): string[] {
  const ensemble = new ManualEnsemble()
  const none = new Distribution()
  const server = buildMetrics({
    ensemble,
    listener: () => ({ connections: 0, outstanding: 0, stats: new ServerStats() }),
    transport: () => ({ droppedFrames: 0, refusedLinks: 0, silentLinks: 0 }),
    durations: {
      ...ensemble.measures,
      syncMs: none,
      openingMs: none,
      readLatencyMs: none,
      updateLatencyMs: none,
      tokenDeficit: none,
    },
    startedAtMs: 0,
    nowMs: () => 0,
  })
  const agent = buildAgentMetrics({
    phase: () => 'waiting',
    lease: () => 'none',
    usable: () => false,
    published: () => false,
    kubernetesFailures: () => 0,
  })
  const names = [server, agent].flatMap(({ registry }) =>
    registry.getMetricsAsArray().map(({ name }) => name),
  )
  return ['up', ...names]
}

describe.skipIf(helm.found === null)(titleOf('monitoring', helm), () => {
  it('is off, with nothing to be seen of it, until it is asked for', () => {
    const kinds = render().map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(kinds.filter((name) => /Monitor|PrometheusRule|dashboard/.test(name))).toEqual([])
  })

  it('has alerts on metrics that exist, each on the series of this ensemble alone', () => {
    const names = existing()
    for (const { alert, expr } of alerts().groups.flatMap(({ rules }) => rules)) {
      const metrics = metricsIn(expr)
      expect(metrics, alert).not.toEqual([])
      expect(names, alert).toEqual(expect.arrayContaining(metrics))
      for (const [, labels] of expr.matchAll(/[\w:]+\{([^}]*)\}/g)) {
        expect(labels).toMatch(/^namespace="apps",\s+service="test-quorate-metrics"/)
      }
      expect(expr.replace(/[\w:]+\{[^}]*\}/g, '')).not.toMatch(/quorate|SERIES/)
    }
  })

  it('has alerts on the series that the values name', () => {
    const { groups } = alerts({ 'server.metrics.prometheusRule.series': 'cluster="a"' })
    expect(groups[0]?.rules[0]?.expr).toBe('max(quorate_has_leader{cluster="a"}) == 0')
  })

  it.each([
    [300, 142],
    [100, 42],
    [30, 7],
  ])(
    'tells of a drain when half of its time is over: of %i s of grace after %i',
    (grace, after) => {
      const set = { 'server.terminationGracePeriodSeconds': grace }
      const rules = alerts(set).groups.flatMap(({ rules }) => rules)
      expect(rules.find(({ alert }) => alert === 'QuorateDrainStuck')?.for).toBe(`${after}s`)
      const [agent] = podSpecs(render({ set })).flatMap(containersOf)
      const budget = agent?.env?.find(({ name }) => name === 'QUORATE_AGENT_DRAIN_BUDGET_MS')?.value
      expect(Number(budget)).toBe((grace - 15) * 1000)
    },
  )

  it.each(['kafka', 'mongodb', 'postgresql', 'galera'])(
    'has alerts on the agents of %s, and their metrics exist',
    (name) => {
      const set = { [`${name}.enabled`]: true, [`${name}.metrics.prometheusRule.enabled`]: true }
      const manifests = render({ namespace: 'apps', set })
      const { groups } = pick<PrometheusRule>(manifests, 'PrometheusRule').spec
      const rules = groups.flatMap(({ rules }) => rules)
      expect(rules.map(({ alert }) => alert)).toContain('QuorateAgentWithoutSession')
      for (const { alert, expr } of rules) {
        expect(existing(), alert).toEqual(expect.arrayContaining(metricsIn(expr)))
        expect(expr, alert).toContain(`namespace="apps", service="test-quorate-${name}-metrics"`)
      }
    },
  )

  it('has a dashboard of metrics that exist, on the series that are chosen in it', () => {
    const names = existing()
    const { panels, templating } = dashboard()
    expect(templating.list.map(({ name }) => name)).toEqual(['datasource', 'namespace', 'service'])
    const charts = panels.filter(({ targets }) => targets !== undefined)
    expect(charts.length).toBeGreaterThan(20)
    for (const { title, targets = [] } of charts) {
      expect(targets, title).not.toEqual([])
      for (const { expr } of targets) {
        expect(metricsIn(expr), title).not.toEqual([])
        expect(names, title).toEqual(expect.arrayContaining(metricsIn(expr)))
        for (const [, labels] of expr.matchAll(/[\w:]+\{([^}]*)\}/g)) {
          expect(labels).toMatch(/^namespace="\$namespace", service="\$service"/)
        }
      }
    }
  })
})

describe.skipIf(promtool.found === null)(titleOf('alerts', promtool), () => {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-alerts-'))
  afterAll(() => rmSync(directory, { recursive: true }))

  function check(...words: string[]) {
    const file = join(directory, 'rules.yaml')
    writeFileSync(file, stringify(alerts()))
    writeFileSync(join(directory, 'tests.yaml'), stringify(promtoolTests(file)))
    const command = prometheus.found?.promtool ?? ''
    const { status, stdout, stderr } = spawnSync(command, words, {
      cwd: directory,
      encoding: 'utf8',
    })
    return { status, output: `${stdout}${stderr}` }
  }

  it('are rules to Prometheus', () => {
    const { status, output } = check('check', 'rules', 'rules.yaml')
    expect(output).toMatch(/SUCCESS: \d+ rules found/)
    expect(status).toBe(0)
  })

  it('fire on what they are for, and on nothing else', () => {
    const { status, output } = check('test', 'rules', 'tests.yaml')
    expect(output).toContain('SUCCESS')
    expect(status).toBe(0)
  })

  it('have a case each', () => {
    const names = alerts().groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
    expect([...new Set(ALERT_CASES.flatMap(({ fire }) => fire))].sort()).toEqual(names.sort())
  })
})
