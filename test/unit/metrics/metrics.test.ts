import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ServerStats } from '../../../server/listener/server-stats.ts'
import { Distribution } from '../../../server/measure.ts'
import { buildMetrics, COUNTERS } from '../../../server/metrics/metrics.ts'
import type { ListenerFigures } from '../../../server/metrics/zookeeper-series.ts'
import { ManualEnsemble, MEMBER } from '../listener/manual-ensemble.ts'

/** Names and types that ZooKeeper's published dashboards query; times are in ms. */
const ZOOKEEPER_SERIES: Readonly<Record<string, 'gauge' | 'counter' | 'summary'>> = {
  avg_latency: 'gauge',
  max_latency: 'gauge',
  min_latency: 'gauge',
  packets_received: 'gauge',
  packets_sent: 'gauge',
  num_alive_connections: 'gauge',
  outstanding_requests: 'gauge',
  uptime: 'gauge',
  znode_count: 'gauge',
  watch_count: 'gauge',
  ephemerals_count: 'gauge',
  approximate_data_size: 'gauge',
  global_sessions: 'gauge',
  local_sessions: 'gauge',
  auth_failed_count: 'gauge',
  learners: 'gauge',
  synced_followers: 'gauge',
  synced_observers: 'gauge',
  pending_syncs: 'gauge',
  leader_uptime: 'gauge',
  last_proposal_size: 'gauge',
  max_proposal_size: 'gauge',
  min_proposal_size: 'gauge',
  last_client_response_size: 'gauge',
  max_client_response_size: 'gauge',
  min_client_response_size: 'gauge',
  fsynctime: 'summary',
  snapshottime: 'summary',
  election_time: 'summary',
  readlatency: 'summary',
  updatelatency: 'summary',
  connection_rejected: 'counter',
  connection_drop_count: 'counter',
  stale_sessions_expired: 'counter',
  proposal_count: 'counter',
  commit_count: 'counter',
  snap_count: 'counter',
  looking_count: 'counter',
  quorum_size: 'gauge',
  connection_drop_probability: 'gauge',
  synced_non_voting_followers: 'gauge',
  connection_request_count: 'counter',
  connection_revalidate_count: 'counter',
  sessionless_connections_expired: 'counter',
  cnxn_closed_without_zk_server_running: 'counter',
  request_throttle_wait_count: 'counter',
  bytes_received_count: 'counter',
  response_bytes: 'counter',
  watch_bytes: 'counter',
  unrecoverable_error_count: 'counter',
  dbinittime: 'summary',
  unavailable_time: 'summary',
  leader_unavailable_time: 'summary',
  propagation_latency: 'summary',
  connection_token_deficit: 'summary',
  quorum_ack_latency: 'summary',
  node_created_watch_count: 'summary',
  node_deleted_watch_count: 'summary',
  node_changed_watch_count: 'summary',
  node_children_watch_count: 'summary',
  ...(process.platform === 'linux'
    ? { open_file_descriptor_count: 'gauge', max_file_descriptor_count: 'gauge' }
    : {}),
}

/** A listener that has seen this much. */
function listenerOf(counts: Partial<ServerStats> = {}, connections = 3): ListenerFigures {
  const stats = new ServerStats()
  stats.answered(0.5, false)
  stats.answered(2, false)
  Object.assign(stats, { packetsReceived: 11, connectionsRejected: 4, ...counts })
  return { connections, outstanding: 2, stats }
}

function build() {
  const ensemble = new ManualEnsemble()
  let listener = listenerOf()
  const stats = new ServerStats()
  const syncMs = new Distribution()
  let nowMs = 5_000
  const { registry } = buildMetrics({
    ensemble,
    listener: () => listener,
    transport: () => ({ droppedFrames: 7, refusedLinks: 8, silentLinks: 9 }),
    durations: {
      ...ensemble.measures,
      readLatencyMs: stats.readLatencyMs,
      updateLatencyMs: stats.updateLatencyMs,
      tokenDeficit: stats.tokenDeficit,
      syncMs,
      openingMs: new Distribution(),
    },
    startedAtMs: 1_000,
    nowMs: () => nowMs,
  })
  return {
    ensemble,
    registry,
    stats,
    syncMs,
    change: (figures: ListenerFigures, at: number) => {
      listener = figures
      nowMs = at
    },
  }
}

interface Series {
  readonly types: Map<string, string>
  readonly helps: Map<string, string>
  /** Of series without labels. */
  readonly values: Map<string, number>
  readonly all: readonly string[]
}

function parse(text: string): Series {
  const lines = text.split('\n')
  const pick = (pattern: RegExp) =>
    new Map(
      lines.flatMap((line) => {
        const [, name, value] = pattern.exec(line) ?? []
        return name === undefined || value === undefined ? [] : [[name, value] as const]
      }),
    )
  const values = [...pick(/^([a-z_0-9]+) (\S+)$/)].map(([name, value]) => [name, Number(value)])
  return {
    types: pick(/^# TYPE (\S+) (\S+)$/),
    helps: pick(/^# HELP (\S+) (.+)$/),
    values: new Map(values as [string, number][]),
    all: lines.filter((line) => line !== '' && !line.startsWith('#')),
  }
}

describe('metrics', () => {
  it('have the names and types that dashboards of ZooKeeper query', async () => {
    const { types } = parse(await build().registry.metrics())
    const found = Object.keys(ZOOKEEPER_SERIES).map((name) => [name, types.get(name)])
    expect(Object.fromEntries(found)).toEqual(ZOOKEEPER_SERIES)
  })

  it('are each there once, with a sentence of help', async () => {
    const text = await build().registry.metrics()
    const { all, types, helps } = parse(text)
    const names = all.map((line) => line.slice(0, line.lastIndexOf(' ')))
    expect(names).toContain('fsynctime{quantile="0.99"}')
    expect(new Set(names).size).toBe(names.length)
    expect(text.match(/^# TYPE (\S+)/gm)).toHaveLength(types.size)
    for (const name of types.keys()) expect(helps.get(name), name).toMatch(/\w+/)
  })

  it('of our own end in total exactly when they are counters', async () => {
    const { types } = parse(await build().registry.metrics())
    const own = [...types].filter(([name]) => name.startsWith('quorate_'))
    expect(own.length).toBeGreaterThan(20)
    for (const [name, type] of own) expect(name.endsWith('_total'), name).toBe(type === 'counter')
    for (const [name] of Object.values(COUNTERS)) expect(types.get(name)).toBe('counter')
  })

  it('are read anew at each scrape', async () => {
    const { ensemble, registry, change } = build()
    const first = parse(await registry.metrics()).values
    expect(first.get('num_alive_connections')).toBe(3)
    expect(first.get('connection_rejected')).toBe(4)
    expect(first.get('avg_latency')).toBe(1.25)
    expect(first.get('uptime')).toBe(4_000)
    expect(first.get('quorate_peer_frames_dropped_total')).toBe(7)
    ensemble.counters.sessionsExpired = 2
    ensemble.ready = false
    change(listenerOf({ connectionsRejected: 6 }, 9), 6_500)
    const second = parse(await registry.metrics()).values
    expect(second.get('num_alive_connections')).toBe(9)
    expect(second.get('connection_rejected')).toBe(6)
    expect(second.get('uptime')).toBe(5_500)
    expect(second.get('stale_sessions_expired')).toBe(2)
    expect(second.get('quorate_sessions_expired_total')).toBe(2)
    expect([first.get('quorate_ready'), second.get('quorate_ready')]).toEqual([1, 0])
  })

  it('tell how long things took, each under its name', async () => {
    const { ensemble, registry, stats, syncMs } = build()
    syncMs.note(4)
    ensemble.measures.snapshotMs.note(250)
    ensemble.measures.electionMs.note(1_300)
    stats.answered(0.5, false)
    for (const ms of [2, 2, 2, 2, 2, 2, 2, 2, 2, 40]) stats.answered(ms, true)
    const { all, values } = parse(await registry.metrics())
    const names = ['fsynctime', 'snapshottime', 'election_time', 'readlatency', 'updatelatency']
    expect(names.map((name) => values.get(`${name}_sum`))).toEqual([4, 250, 1_300, 0.5, 58])
    expect(names.map((name) => values.get(`${name}_count`))).toEqual([1, 1, 1, 1, 10])
    const quantile = (name: string, q: number) =>
      Number(all.find((line) => line.startsWith(`${name}{quantile="${q}"}`))?.split(' ')[1])
    expect(quantile('fsynctime', 0.5) / 4).toBeCloseTo(1, 1)
    expect(quantile('updatelatency', 0.5) / 2).toBeCloseTo(1, 1)
    expect(quantile('updatelatency', 0.99) / 40).toBeCloseTo(1, 1)
  })

  it('forget in their quantiles, not in their sums, what is two windows old', async () => {
    const { registry, syncMs, change } = build()
    const median = async (atMs: number) => {
      change(listenerOf(), atMs)
      const text = await registry.metrics()
      expect(parse(text).values.get('fsynctime_count')).toBe(1)
      return Number(/^fsynctime\{quantile="0.5"\} (\S+)$/m.exec(text)?.[1])
    }
    syncMs.note(8)
    const seen = [await median(10_000), await median(306_000), await median(607_000)]
    expect(seen).toEqual([expect.closeTo(8, 0), expect.closeTo(8, 0), Number.NaN])
  })

  it('tell sizes: the last, the largest, the smallest', async () => {
    const { ensemble, registry } = build()
    const names = ['last', 'max', 'min'].map((which) => `${which}_proposal_size`)
    const before = parse(await registry.metrics()).values
    expect(names.map((name) => before.get(name))).toEqual([-1, -1, -1])
    for (const bytes of [70, 900, 50, 60]) ensemble.measures.proposalBytes.note(bytes)
    const after = parse(await registry.metrics()).values
    expect(names.map((name) => after.get(name))).toEqual([60, 900, 50])
    expect([after.get('leader_uptime'), after.get('last_client_response_size')]).toEqual([
      60_000, -1,
    ])
  })

  it('count followers and observers on the leader alone', async () => {
    const { ensemble, registry } = build()
    ensemble.members = [
      MEMBER,
      { ...MEMBER, id: 'id-2', name: '2' },
      { ...MEMBER, id: 'id-3', name: '3' },
      { ...MEMBER, id: 'id-4', name: '4', role: 'learner', observer: true },
    ]
    const progress = { match: 1, silentTicks: 0 }
    ensemble.progress = [
      { peer: 'id-2', state: 'replicate', ...progress },
      { peer: 'id-3', state: 'probe', ...progress },
      { peer: 'id-4', state: 'replicate', ...progress },
    ]
    const names = ['learners', 'synced_followers', 'synced_observers', 'quorum_size']
    const leading = parse(await registry.metrics()).values
    expect(names.map((name) => leading.get(name))).toEqual([3, 1, 1, 3])
    expect(leading.get('synced_non_voting_followers')).toBe(0)
    ensemble.role = 'follower'
    const following = parse(await registry.metrics()).values
    expect(names.map((name) => following.get(name))).toEqual([0, 0, 0, 3])
  })

  it('that the operations page alerts on are there', async () => {
    const { types } = parse(await build().registry.metrics())
    const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
    const section = page.slice(page.indexOf('## Metrics'), page.indexOf('## Upgrade'))
    const expressions = [...section.matchAll(/^\| `([^|]+)`/gm)].map(([, text]) => text ?? '')
    const names = expressions.flatMap(
      (text) => text.match(/\b[a-z]+_[a-z_]+\b|\b[a-z]+(?=\{)/g) ?? [],
    )
    const used = names.filter((name) => name !== 'group_right')
    expect(used.length).toBeGreaterThan(12)
    for (const name of used) expect([...types.keys()]).toContain(name)
  })
})
