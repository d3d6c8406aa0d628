/** Labels of the series of one ensemble, as its ServiceMonitor gives them. */
const SERIES = 'namespace="apps", service="test-quorate-metrics"'
const PODS = [0, 1, 2]
/** Scrapes and evaluations go on for 30 minutes; the values are in Prometheus' notation. */
const INTERVAL = '30s'
/** Which of the scrapes the verdict is made at: 28 minutes. */
const EVALUATED = 56
const steady = (value: number) => `${value}+0x60`
const growing = (from: number, by: number) => `${from}+${by}x60`

type Values = (pod: number) => string

/** Series -> its values on each server of an ensemble that is well; `|` goes before more labels. */
const HEALTHY: Readonly<Record<string, Values>> = {
  'up|endpoint="http"': () => steady(1),
  'up|endpoint="agent"': () => steady(1),
  quorate_has_leader: () => steady(1),
  quorate_is_leader: (pod) => steady(pod === 0 ? 1 : 0),
  quorate_ready: () => steady(1),
  quorate_raft_voters: () => steady(3),
  quorate_raft_learners: () => steady(0),
  quorate_leader_changes_total: () => steady(1),
  quorate_raft_commit_index: () => growing(5, 1000),
  quorate_raft_applied_index: () => growing(5, 1000),
  quorate_disk_full: () => steady(0),
  'fsynctime|quantile="0.99"': () => steady(4),
  quorate_process_pauses_total: () => steady(1),
  quorate_requests_refused_total: () => steady(3),
  quorate_peer_links_refused_total: () => steady(0),
  connection_rejected: () => steady(2),
  open_file_descriptor_count: () => steady(60),
  max_file_descriptor_count: () => steady(1024),
  'quorate_agent_lease|state="held"': () => steady(1),
  quorate_agent_member_published: () => steady(1),
  quorate_agent_kubernetes_failures_total: () => steady(1),
  'quorate_agent_phase|state="draining"': () => steady(0),
}

interface AlertCase {
  readonly name: string
  /** Series that differ from those of the healthy ensemble. */
  readonly changes: Readonly<Record<string, Values>>
  /** The alerts that fire at last, and no others. */
  readonly fire: readonly string[]
}

const onlyOn =
  (where: number, values: string, others: string): Values =>
  (pod) =>
    pod === where ? values : others

export const ALERT_CASES: readonly AlertCase[] = [
  { name: 'all is well', changes: {}, fire: [] },
  change('quorate_has_leader', () => steady(0), 'QuorateNoLeader'),
  change('quorate_has_leader', onlyOn(0, steady(1), steady(0))),
  change('quorate_is_leader', onlyOn(2, steady(0), steady(1)), 'QuorateLeaders'),
  change(
    'quorate_ready',
    onlyOn(2, steady(0), steady(1)),
    'QuorateOneLossFromStop',
    'QuorateServerNotReady',
  ),
  change('up|endpoint="agent"', onlyOn(2, steady(0), steady(1)), 'QuorateTargetDown'),
  change('quorate_raft_learners', () => steady(1), 'QuorateMembershipDiffers'),
  change('quorate_raft_voters', () => steady(2), 'QuorateMembershipDiffers'),
  change('quorate_leader_changes_total', () => growing(0, 1), 'QuorateLeaderChanges'),
  change(
    'quorate_raft_applied_index',
    onlyOn(1, growing(-20_000, 1000), growing(5, 1000)),
    'QuorateServerBehind',
  ),
  change('quorate_disk_full', onlyOn(1, steady(1), steady(0)), 'QuorateDiskFull'),
  change('fsynctime|quantile="0.99"', onlyOn(1, steady(250), steady(4)), 'QuorateSlowDisk'),
  change(
    'quorate_process_pauses_total',
    onlyOn(1, '1+0x40 2+0x20', steady(1)),
    'QuorateProcessPaused',
  ),
  change('quorate_requests_refused_total', () => growing(0, 5), 'QuorateRequestsRefused'),
  change(
    'quorate_peer_links_refused_total',
    onlyOn(1, '0+0x40 1+0x20', steady(0)),
    'QuoratePeersRefused',
  ),
  change('connection_rejected', () => growing(0, 5), 'QuorateConnectionsRefused'),
  change(
    'open_file_descriptor_count',
    onlyOn(1, steady(1000), steady(60)),
    'QuorateFileDescriptors',
  ),
  change(
    'quorate_agent_lease|state="held"',
    onlyOn(1, steady(0), steady(1)),
    'QuorateAgentWithoutSession',
  ),
  change(
    'quorate_agent_member_published',
    onlyOn(1, steady(0), steady(1)),
    'QuorateMemberUnpublished',
  ),
  change(
    'quorate_agent_kubernetes_failures_total',
    onlyOn(1, growing(0, 1), steady(0)),
    'QuorateAgentWithoutKubernetes',
  ),
  // The default grace period leaves a drain 285 s; then the phase is another one, and the pod goes.
  change(
    'quorate_agent_phase|state="draining"',
    onlyOn(1, `0+0x${EVALUATED - 9} 1+0x8 _x4`, steady(0)),
    'QuorateDrainStuck',
  ),
  change(
    'quorate_agent_phase|state="draining"',
    onlyOn(1, `0+0x${EVALUATED - 4} 1+0x3 _x9`, steady(0)),
  ),
]

function change(series: string, values: Values, ...fire: string[]): AlertCase {
  return {
    name: `${series} -> ${fire.join(', ') || 'nothing'}`,
    changes: { [series]: values },
    fire,
  }
}

/** The file that `promtool test rules` takes: the cases over a file of rules. */
export function promtoolTests(rulesFile: string): object {
  return {
    rule_files: [rulesFile],
    evaluation_interval: INTERVAL,
    tests: ALERT_CASES.map(({ name, changes, fire }) => ({
      name,
      interval: INTERVAL,
      input_series: Object.entries({ ...HEALTHY, ...changes }).flatMap(([series, values]) =>
        PODS.map((pod) => ({ series: seriesOf(series, pod), values: values(pod) })),
      ),
      promql_expr_test: [
        {
          expr: 'count by (alertname) (count by (alertname) (ALERTS{alertstate="firing"}))',
          eval_time: `${EVALUATED / 2}m`,
          exp_samples: fire.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
        },
      ],
    })),
  }
}

function seriesOf(text: string, pod: number): string {
  const [metric, labels] = text.split('|')
  return `${metric}{${SERIES}, pod="test-quorate-${pod}"${labels === undefined ? '' : `, ${labels}`}}`
}
