import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Ensemble, EnsembleCounter, EnsembleStatus } from '../ensemble/ensemble.ts'
import { fileDescriptors } from '../listener/file-descriptors.ts'
import { DistributionSummary } from './summary.ts'
import { addTlsSeries, type TlsFigures } from './tls-series.ts'
import {
  type Durations,
  type ListenerFigures,
  type SeriesDefinition,
  ZOOKEEPER_COUNTERS,
  ZOOKEEPER_GAUGES,
  ZOOKEEPER_SUMMARIES,
} from './zookeeper-series.ts'

export interface TransportFigures {
  readonly droppedFrames: number
  readonly refusedLinks: number
  readonly silentLinks: number
}

export interface MetricsSources {
  readonly ensemble: Ensemble
  readonly listener: () => ListenerFigures
  readonly transport: () => TransportFigures
  readonly durations: Durations
  /** By kind of connection (`client`, `peer`); those without TLS are not there. */
  readonly tls?: ReadonlyMap<string, TlsFigures>
  readonly startedAtMs: number
  readonly nowMs: () => number
}

export interface Metrics {
  readonly registry: Registry
}

const QUORATE_GAUGES: readonly SeriesDefinition[] = [
  {
    name: 'quorate_ready',
    help: '1 when a client may use this server now',
    value: (s) => Number(s.ready),
  },
  {
    name: 'quorate_is_leader',
    help: '1 on the leader',
    value: (s) => Number(s.raft.role === 'leader'),
  },
  {
    name: 'quorate_has_leader',
    help: '1 when a leader is known',
    value: (s) => Number(s.raft.leader !== null),
  },
  { name: 'quorate_raft_term', help: 'Raft term', value: (s) => s.raft.term },
  {
    name: 'quorate_raft_last_index',
    help: 'Last entry of the log',
    value: (s) => s.raft.lastIndex,
  },
  { name: 'quorate_raft_commit_index', help: 'Committed up to here', value: (s) => s.raft.commit },
  { name: 'quorate_raft_applied_index', help: 'Applied up to here', value: (s) => s.raft.applied },
  {
    name: 'quorate_raft_voters',
    help: 'Voters in the configuration',
    value: (s) => membersOf(s, 'voter'),
  },
  {
    name: 'quorate_raft_learners',
    help: 'Learners in the configuration',
    value: (s) => membersOf(s, 'learner'),
  },
  { name: 'quorate_last_zxid', help: 'Number of the last applied request', value: (s) => s.zxid },
  {
    name: 'quorate_pending_requests',
    help: 'Writes that wait for their result',
    value: (s) => s.pendingRequests,
  },
  { name: 'quorate_log_bytes', help: 'Size of the write-ahead log', value: (s) => s.logBytes },
  {
    name: 'quorate_log_segments',
    help: 'Segments of the write-ahead log',
    value: (s) => s.logSegments,
  },
  {
    name: 'quorate_snapshot_index',
    help: 'Log index of the newest snapshot',
    value: (s) => s.snapshotIndex,
  },
  {
    name: 'quorate_disk_full',
    help: '1 while writes are refused for lack of space',
    value: (s) => Number(s.diskFull),
  },
  {
    name: 'quorate_connections_arriving',
    help: 'Client connections that are accepted and wait for their turn',
    value: (_, l) => l.stats.connectionsArriving,
  },
  { name: 'quorate_peer_links', help: 'Open links to other servers', value: (s) => s.links.length },
]

/** Name and help of every counter of the ensemble. */
export const COUNTERS: Readonly<Record<EnsembleCounter, readonly [name: string, help: string]>> = {
  elections: ['quorate_terms_seen_total', 'Changes of term'],
  leaderChanges: ['quorate_leader_changes_total', 'Times that a leader was learned'],
  proposals: ['quorate_proposals_total', 'Batches proposed by this leader'],
  commits: ['quorate_entries_applied_total', 'Log entries applied'],
  appliedRequests: ['quorate_requests_applied_total', 'Requests applied'],
  appliedBytes: ['quorate_request_bytes_applied_total', 'Bytes of the requests applied'],
  fsyncs: ['quorate_log_writes_durable_total', 'Log writes made durable'],
  snapshotsTaken: ['quorate_snapshots_taken_total', 'Snapshots taken'],
  snapshotsSent: ['quorate_snapshots_sent_total', 'Snapshots sent to followers'],
  snapshotsInstalled: ['quorate_snapshots_installed_total', 'Snapshots received and installed'],
  forwards: ['quorate_forwards_total', 'Batches forwarded to the leader'],
  malformedForwards: ['quorate_forwards_malformed_total', 'Forwards refused as unreadable'],
  lostRequests: ['quorate_requests_lost_total', 'Requests whose outcome a leader change hid'],
  refusedRequests: ['quorate_requests_refused_total', 'Requests refused before the log'],
  sessionsExpired: ['quorate_sessions_expired_total', 'Sessions ended by silence'],
  pauses: ['quorate_process_pauses_total', 'Times that this process stood still too long'],
}

/** Builds this server's own registry; every series is read from its source when it is scraped. */
export function buildMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const read = once(() => ({ status: sources.ensemble.status(), listener: sources.listener() }))
  for (const { name, help, value } of [...ZOOKEEPER_GAUGES, ...QUORATE_GAUGES]) {
    gauge(registry, name, help, () => {
      const { status, listener } = read()
      return value(status, listener)
    })
  }
  gauge(registry, 'uptime', 'Time since the start, ms', () =>
    Math.round(sources.nowMs() - sources.startedAtMs),
  )
  const descriptors = fileDescriptors()
  if (descriptors !== null) {
    gauge(registry, 'open_file_descriptor_count', 'Open files and sockets', () => {
      return fileDescriptors()?.open ?? 0
    })
    gauge(registry, 'max_file_descriptor_count', 'Files and sockets that may be open', () => {
      return descriptors.limit
    })
  }
  for (const { name, help, value } of ZOOKEEPER_COUNTERS) {
    total(registry, name, help, () => {
      const { status, listener } = read()
      return value(status, listener)
    })
  }
  for (const { name, help, of } of ZOOKEEPER_SUMMARIES) {
    new DistributionSummary(registry, { name, help, values: of(sources.durations) }, sources.nowMs)
  }
  for (const [key, [name, help]] of Object.entries(COUNTERS)) {
    total(registry, name, help, () => read().status.counters[key as EnsembleCounter])
  }
  const { transport } = sources
  total(
    registry,
    'quorate_peer_frames_dropped_total',
    'Frames to peers dropped',
    () => transport().droppedFrames,
  )
  total(
    registry,
    'quorate_peer_links_refused_total',
    'Peers refused',
    () => transport().refusedLinks,
  )
  total(
    registry,
    'quorate_peer_links_silent_total',
    'Links to and from peers given up because nothing was heard',
    () => transport().silentLinks,
  )
  if (sources.tls !== undefined) addTlsSeries(registry, sources.tls)
  return { registry }
}

/** A gauge whose value is kept elsewhere. */
function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value())
    },
  })
}

/** A counter whose value is kept elsewhere. */
function total(registry: Registry, name: string, help: string, value: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset()
      this.inc(value())
    },
  })
}

/** All series of one scrape see one status: it is made once per turn of the loop. */
function once<T>(make: () => T): () => T {
  let made: T | null = null
  return () => {
    if (made === null) {
      made = make()
      queueMicrotask(() => {
        made = null
      })
    }
    return made
  }
}

function membersOf(status: EnsembleStatus, role: 'voter' | 'learner'): number {
  return status.raft.members.filter((member) => member.role === role).length
}
