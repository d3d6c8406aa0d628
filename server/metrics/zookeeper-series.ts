import type { EnsembleStatus, Measures } from '../ensemble/ensemble.ts'
import { fileDescriptors } from '../listener/file-descriptors.ts'
import type { ServerStats } from '../listener/server-stats.ts'
import type { Distribution, SizeRange } from '../measure.ts'

/** What the listener counts, in the units of ZooKeeper's own metrics. */
export interface ListenerFigures {
  readonly connections: number
  readonly outstanding: number
  readonly stats: ServerStats
}

/** What takes time, in ms, and what else comes as a distribution; read at each scrape. */
export interface Durations extends Omit<Measures, 'proposalBytes'> {
  readonly syncMs: Distribution
  readonly readLatencyMs: Distribution
  readonly updateLatencyMs: Distribution
  /** Tokens that were missing for sessions to be asked for. */
  readonly tokenDeficit: Distribution
  /** Opening the data directory: the newest snapshot and the log behind it. */
  readonly openingMs: Distribution
}

/** One line of `mntr`, without its prefix. */
export interface MonitoredValue {
  readonly name: string
  readonly value: number | string
  /** Printed with a fraction even when it has none, as ZooKeeper prints it. */
  readonly fraction?: boolean
}

export interface SeriesDefinition {
  readonly name: string
  readonly help: string
  /** Where ZooKeeper's `mntr` has it: on the leader of an ensemble, on each of its servers, on all. */
  readonly on?: 'leader' | 'ensemble'
  readonly fraction?: boolean
  readonly value: (status: EnsembleStatus, listener: ListenerFigures) => number
}

/** The names that ZooKeeper's published dashboards query (Prometheus provider, no prefix). */
export const ZOOKEEPER_GAUGES: readonly SeriesDefinition[] = [
  {
    name: 'avg_latency',
    help: 'Mean request latency, ms',
    fraction: true,
    value: (_, l) => l.stats.latencyAverageMs,
  },
  { name: 'max_latency', help: 'Greatest latency, ms', value: (_, l) => l.stats.latencyMaxMs },
  { name: 'min_latency', help: 'Least latency, ms', value: (_, l) => l.stats.latencyMinMs },
  { name: 'packets_received', help: 'From clients', value: (_, l) => l.stats.packetsReceived },
  { name: 'packets_sent', help: 'Frames to clients', value: (_, l) => l.stats.packetsSent },
  { name: 'num_alive_connections', help: 'Client connections', value: (_, l) => l.connections },
  { name: 'outstanding_requests', help: 'Requests in work', value: (_, l) => l.outstanding },
  { name: 'auth_failed_count', help: 'Bad credentials', value: (_, l) => l.stats.authFailures },
  { name: 'znode_count', help: 'Znodes', value: (s) => s.znodes },
  { name: 'watch_count', help: 'Watches of this server', value: (s) => s.watches },
  { name: 'ephemerals_count', help: 'Ephemeral znodes', value: (s) => s.ephemerals },
  { name: 'approximate_data_size', help: 'Paths and data, bytes', value: (s) => s.dataBytes },
  { name: 'global_sessions', help: 'Sessions', value: (s) => s.sessions },
  { name: 'local_sessions', help: 'Always 0: all sessions are replicated', value: () => 0 },
  {
    name: 'connection_drop_probability',
    help: 'Of the clients that ask for a session, the share that is refused by chance',
    fraction: true,
    value: (_, l) => l.stats.dropProbability,
  },
  { name: 'quorum_size', help: 'Voters', on: 'ensemble', value: (s) => voterIds(s).size },
  {
    name: 'learners',
    help: 'Servers that follow this leader',
    on: 'leader',
    value: (s) => (s.raft.role === 'leader' ? s.raft.progress.length : 0),
  },
  {
    name: 'synced_followers',
    help: 'Followers that keep up',
    on: 'leader',
    value: (s) => synced(s).filter((peer) => voterIds(s).has(peer)).length,
  },
  {
    name: 'synced_non_voting_followers',
    help: 'Learners that keep up and may become voters',
    on: 'leader',
    value: (s) => synced(s).filter((id) => !voterIds(s).has(id) && !observerIds(s).has(id)).length,
  },
  {
    name: 'synced_observers',
    help: 'Observers that keep up',
    on: 'leader',
    value: (s) => synced(s).filter((peer) => observerIds(s).has(peer)).length,
  },
  {
    name: 'pending_syncs',
    help: 'Syncs and reads that wait',
    on: 'leader',
    value: (s) => s.pendingSyncs,
  },
  {
    name: 'leader_uptime',
    help: 'Time as leader, ms',
    on: 'leader',
    value: (s) => s.leaderUptimeMs,
  },
  ...sizes('proposal_size', 'batch proposed, bytes', 'leader', (s) => s.measures.proposalBytes),
  ...sizes('client_response_size', 'frame to a client, bytes', undefined, (_, l) => {
    return l.stats.responseBytes
  }),
]

/** ZooKeeper's counters have no suffix; dashboards take their rate. */
export const ZOOKEEPER_COUNTERS: readonly SeriesDefinition[] = [
  {
    name: 'connection_rejected',
    help: 'Client connections refused because there were too many, or too many at once',
    value: (_, l) => l.stats.connectionsRejected,
  },
  {
    name: 'connection_drop_count',
    help: 'Client connections cut off: too many watches, or replies that were not read',
    value: (_, l) => l.stats.connectionsDropped,
  },
  {
    name: 'connection_request_count',
    help: 'Handshakes of clients',
    value: (_, l) => l.stats.handshakes,
  },
  {
    name: 'connection_revalidate_count',
    help: 'Handshakes with a session that the client had',
    value: (_, l) => l.stats.revalidations,
  },
  {
    name: 'sessionless_connections_expired',
    help: 'Connections closed because they came to no session in time',
    value: (_, l) => l.stats.handshakesLate,
  },
  {
    name: 'cnxn_closed_without_zk_server_running',
    help: 'Connections closed because this server served nobody',
    value: (_, l) => l.stats.closedNotServing,
  },
  {
    name: 'request_throttle_wait_count',
    help: 'Times that a client was not read because too many of its requests were in work',
    value: (_, l) => l.stats.throttles,
  },
  {
    name: 'bytes_received_count',
    help: 'Bytes from clients',
    value: (_, l) => l.stats.bytesReceived,
  },
  { name: 'response_bytes', help: 'Bytes to clients', value: (_, l) => l.stats.bytesSent },
  { name: 'watch_bytes', help: 'Bytes of watch events', value: (_, l) => l.stats.watchBytes },
  {
    name: 'stale_sessions_expired',
    help: 'Sessions ended by silence',
    value: ({ counters }) => counters.sessionsExpired,
  },
  {
    name: 'proposal_count',
    help: 'Batches proposed by this leader',
    value: ({ counters }) => counters.proposals,
  },
  { name: 'commit_count', help: 'Log entries applied', value: ({ counters }) => counters.commits },
  {
    name: 'snap_count',
    help: 'Snapshots sent to followers',
    value: ({ counters }) => counters.snapshotsSent,
  },
  { name: 'looking_count', help: 'Changes of term', value: ({ counters }) => counters.elections },
  {
    name: 'unrecoverable_error_count',
    help: 'Always 0: such an error ends the process',
    value: () => 0,
  },
]

export interface SummaryOf {
  readonly name: string
  readonly help: string
  /** ZooKeeper's `mntr` has the percentiles of this one. */
  readonly percentiles: boolean
  readonly of: (durations: Durations) => Distribution
}

/** What takes time, under ZooKeeper's names. */
export const ZOOKEEPER_SUMMARIES: readonly SummaryOf[] = [
  summary('fsynctime', 'Syncs of the write-ahead log, ms', (d) => d.syncMs),
  summary('snapshottime', 'Snapshots written, ms', (d) => d.snapshotMs),
  summary('dbinittime', 'Opening the data directory, ms', (d) => d.openingMs),
  summary('election_time', 'Without a leader until one was known, ms', (d) => d.electionMs),
  summary('unavailable_time', 'Without a leader to serve under, ms', (d) => d.unavailableMs),
  summary('leader_unavailable_time', 'The same, until this server led', (d) => d.leaderElectionMs),
  advanced('readlatency', 'Requests answered by this server alone, ms', (d) => d.readLatencyMs),
  advanced('updatelatency', 'Requests answered by way of the log, ms', (d) => d.updateLatencyMs),
  advanced('propagation_latency', 'Stamped by the leader until applied here, ms', (d) => {
    return d.propagationMs
  }),
  advanced('quorum_ack_latency', 'Proposed until a majority had it on disk, ms', (d) => {
    return d.quorumAckMs
  }),
  summary('connection_token_deficit', 'Tokens missing for sessions to be asked for', (d) => {
    return d.tokenDeficit
  }),
  summary('node_created_watch_count', 'Watches that one creation fired', (d) => {
    return d.watchesFired.created
  }),
  summary('node_deleted_watch_count', 'Watches that one deletion fired', (d) => {
    return d.watchesFired.deleted
  }),
  summary('node_changed_watch_count', 'Watches that one change of data fired', (d) => {
    return d.watchesFired.dataChanged
  }),
  summary('node_children_watch_count', 'Watches that one change of children fired', (d) => {
    return d.watchesFired.childrenChanged
  }),
]

/** The lines of `mntr` in the form of ZooKeeper's own provider, which has no labels. */
export function monitoredValues(
  identity: { readonly fullVersion: string; readonly mode: string; readonly uptimeMs: number },
  status: EnsembleStatus,
  listener: ListenerFigures,
  durations: Durations,
): readonly MonitoredValue[] {
  const { fullVersion, mode, uptimeMs } = identity
  const inQuorum = mode !== 'standalone' && mode !== 'read-only'
  const shown = ({ on }: SeriesDefinition) =>
    on === undefined || mode === 'leader' || (on === 'ensemble' && inQuorum)
  const descriptors = fileDescriptors()
  return [
    { name: 'version', value: fullVersion },
    { name: 'server_state', value: mode },
    ...(inQuorum ? [{ name: 'peer_state', value: peerState(mode) }] : []),
    ...ZOOKEEPER_GAUGES.filter(shown).map(({ name, value, fraction }) => {
      const figure = value(status, listener)
      return fraction === true
        ? { name, value: figure, fraction }
        : { name, value: Math.floor(figure) }
    }),
    ...(mode === 'leader' ? [{ name: 'followers', value: followers(status) }] : []),
    { name: 'uptime', value: Math.round(uptimeMs) },
    ...(descriptors === null
      ? []
      : [
          { name: 'open_file_descriptor_count', value: descriptors.open },
          { name: 'max_file_descriptor_count', value: descriptors.limit },
        ]),
    ...ZOOKEEPER_COUNTERS.map(({ name, value }) => ({ name, value: value(status, listener) })),
    ...ZOOKEEPER_SUMMARIES.flatMap(({ name, percentiles, of }) =>
      summaryValues(name, percentiles, of(durations)),
    ),
  ]
}

function peerState(mode: string): string {
  const state = { leader: 'leading', observer: 'observing' }[mode] ?? 'following'
  return `${state} - broadcast`
}

function summaryValues(name: string, percentiles: boolean, values: Distribution): MonitoredValue[] {
  const { count, sum, min, max } = values
  const at = (q: number) => {
    const value = values.quantile(q)
    return Number.isNaN(value) ? 0 : Math.round(value)
  }
  return [
    { name: `avg_${name}`, value: count === 0 ? 0 : sum / count, fraction: true },
    { name: `min_${name}`, value: Math.floor(min) },
    { name: `max_${name}`, value: Math.floor(max) },
    { name: `cnt_${name}`, value: count },
    { name: `sum_${name}`, value: Math.floor(sum) },
    ...(percentiles
      ? [
          { name: `p50_${name}`, value: at(0.5) },
          { name: `p95_${name}`, value: at(0.95) },
          { name: `p99_${name}`, value: at(0.99) },
          { name: `p999_${name}`, value: at(0.999) },
        ]
      : []),
  ]
}

function summary(name: string, help: string, of: SummaryOf['of']): SummaryOf {
  return { name, help, percentiles: false, of }
}

function advanced(name: string, help: string, of: SummaryOf['of']): SummaryOf {
  return { name, help, percentiles: true, of }
}

function sizes(
  name: string,
  help: string,
  on: 'leader' | undefined,
  range: (status: EnsembleStatus, listener: ListenerFigures) => SizeRange,
): SeriesDefinition[] {
  const where = on === undefined ? {} : { on }
  return [
    { name: `last_${name}`, help: `Last ${help}`, ...where, value: (s, l) => range(s, l).last },
    { name: `max_${name}`, help: `Largest ${help}`, ...where, value: (s, l) => range(s, l).max },
    { name: `min_${name}`, help: `Smallest ${help}`, ...where, value: (s, l) => range(s, l).min },
  ]
}

function voterIds({ raft }: EnsembleStatus): ReadonlySet<string> {
  return new Set(raft.members.filter(({ role }) => role === 'voter').map(({ id }) => id))
}

function observerIds({ raft }: EnsembleStatus): ReadonlySet<string> {
  return new Set(raft.members.filter(({ observer }) => observer).map(({ id }) => id))
}

/** Other servers whose log keeps up with this leader's. */
function synced({ raft, id }: EnsembleStatus): readonly string[] {
  if (raft.role !== 'leader') return []
  return raft.progress
    .filter(({ peer, state }) => peer !== id && state === 'replicate')
    .map(({ peer }) => peer)
}

function followers(status: EnsembleStatus): number {
  const voters = voterIds(status)
  return status.raft.progress.filter(({ peer }) => voters.has(peer)).length
}
