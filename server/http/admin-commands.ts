import { electionPortOf } from '../ensemble/dynamic-config.ts'
import type { EnsembleStatus } from '../ensemble/ensemble.ts'
import type { ClientConnection } from '../listener/connection.ts'
import { processEnvironment } from '../listener/process-environment.ts'
import { watchesByPath, watchesBySession, watchSummary } from '../listener/watch-lists.ts'
import {
  fullVersion,
  modeOf,
  monitoredOf,
  serverNumbers,
  treeDigest,
  type WordContext,
} from '../listener/word-context.ts'
import type { SizeRange } from '../measure.ts'

export type CommandBody = Readonly<Record<string, unknown>>

/** A command of ZooKeeper's AdminServer that answers with JSON. */
export interface AdminCommand {
  /** The name it goes by, then its other names. */
  readonly names: readonly [string, ...string[]]
  /** Answered also by a server that serves no clients now. */
  readonly always?: true
  /** It changes something: the caller must be let in first. */
  readonly changes?: true
  readonly run: (context: WordContext, query: Readonly<Record<string, string>>) => CommandBody
}

export const ADMIN_COMMANDS: readonly AdminCommand[] = [
  { names: ['configuration', 'conf', 'config'], run: configuration },
  {
    names: ['connection_stat_reset', 'crst'],
    changes: true,
    run: ({ registry }) => {
      for (const connection of registry.all()) connection.requests.reset()
      return {}
    },
  },
  { names: ['connections', 'cons'], run: (context) => connections(context, allFields) },
  {
    names: ['dirs'],
    run: ({ directories }) => {
      const { dataBytes, logBytes } = directories()
      return { datadir_size: dataBytes, logdir_size: logBytes }
    },
  },
  { names: ['dump'], run: dump },
  {
    names: ['environment', 'env', 'envi'],
    always: true,
    run: (context) => Object.fromEntries(processEnvironment(fullVersion(context))),
  },
  {
    names: ['get_trace_mask', 'gtmk'],
    always: true,
    run: ({ trace }) => ({ tracemask: Number(trace.mask) }),
  },
  {
    names: ['hash'],
    run: ({ ensemble }) => ({
      digests: [{ zxid: ensemble.machine.lastZxid, digest: treeDigest(ensemble) }],
    }),
  },
  // The configuration file of a start is not kept.
  { names: ['initial_configuration', 'icfg'], run: () => ({ initial_configuration: null }) },
  { names: ['is_read_only', 'isro'], run: ({ ensemble }) => ({ read_only: ensemble.readOnly }) },
  { names: ['last_snapshot', 'lsnp'], run: lastSnapshot },
  { names: ['leader', 'lead'], run: leader },
  {
    names: ['monitor', 'mntr'],
    run: (context) =>
      Object.fromEntries(monitoredOf(context).map(({ name, value }) => [name, value])),
  },
  // What a leader counts of its observers is not kept apart from the link: there is nothing to reset.
  { names: ['observer_connection_stat_reset', 'orst'], changes: true, run: () => ({}) },
  { names: ['observers', 'obsr'], run: observers },
  { names: ['ruok'], run: () => ({}) },
  { names: ['server_stats', 'srvr'], run: serverStats },
  { names: ['set_trace_mask', 'stmk'], always: true, changes: true, run: setTraceMask },
  {
    names: ['stat_reset', 'srst'],
    changes: true,
    run: ({ stats }) => {
      stats.reset()
      return {}
    },
  },
  {
    names: ['stats', 'stat'],
    run: (context) => ({ ...serverStats(context), ...connections(context, briefFields) }),
  },
  { names: ['system_properties', 'sysp'], always: true, run: systemProperties },
  { names: ['voting_view'], run: votingView },
  {
    names: ['watch_summary', 'wchs'],
    run: (context) => {
      const { connections: watching, paths, watches } = watchSummary(context, context.listedMax)
      return { num_connections: watching, num_paths: paths, num_total_watches: watches }
    },
  },
  {
    names: ['watches', 'wchc'],
    run: (context) => {
      const { entries, complete } = watchesBySession(context, context.listedMax)
      return { session_id_to_watched_paths: listsOf(entries), ...cut(complete) }
    },
  },
  {
    names: ['watches_by_path', 'wchp'],
    run: (context) => {
      const { entries, complete } = watchesByPath(context, context.listedMax)
      return { path_to_session_ids: listsOf(entries), ...cut(complete) }
    },
  },
  { names: ['zabstate'], run: zabState },
]

/** What stands in an answer that is not the whole of it. */
function cut(complete: boolean): CommandBody {
  return complete ? {} : { truncated: true }
}

function listsOf<V>(map: ReadonlyMap<string | number, ReadonlySet<V>>): Record<string, V[]> {
  return Object.fromEntries([...map].map(([key, values]) => [key, [...values]]))
}

function configuration(context: WordContext): CommandBody {
  const { configuration: served } = context
  return {
    client_port: served.clientPort,
    data_dir: served.dataDirectory,
    data_log_dir: served.logDirectory,
    tick_time: served.tickMs,
    max_client_cnxns: served.connectionsPerAddressMax,
    min_session_timeout: served.sessionTimeoutMsMin,
    max_session_timeout: served.sessionTimeoutMsMax,
    server_id: ownNumber(context),
    client_port_listen_backlog: served.listenBacklog,
  }
}

function ownNumber(context: WordContext): number {
  return serverNumbers(context).get(context.ensemble.status().name) ?? 0
}

function connections(
  { registry, listedMax }: WordContext,
  fields: (connection: ClientConnection) => CommandBody,
): CommandBody {
  const listed: CommandBody[] = []
  for (const connection of registry.all()) {
    if (listed.length === listedMax) break
    listed.push(fields(connection))
  }
  return {
    connections: listed,
    secure_connections: [],
    ...cut(listed.length === registry.count),
  }
}

function briefFields(connection: ClientConnection): CommandBody {
  const { address, port, requests } = connection
  return {
    remote_socket_address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    interest_ops: connection.interestOps,
    outstanding_requests: connection.outstanding,
    packets_received: requests.received,
    packets_sent: requests.sent,
  }
}

function allFields(connection: ClientConnection): CommandBody {
  const { requests } = connection
  return {
    ...briefFields(connection),
    session_id: connection.session,
    last_operation: requests.lastOperation,
    established: connection.establishedAtMs,
    session_timeout: connection.timeoutMs,
    last_cxid: requests.lastCxid,
    last_zxid: requests.lastZxid,
    last_response_time: Math.floor(requests.lastResponseMs),
    last_latency: Math.floor(requests.lastLatencyMs),
    min_latency: Math.floor(requests.minLatencyMs),
    avg_latency: Math.floor(requests.averageLatencyMs),
    max_latency: Math.floor(requests.maxLatencyMs),
  }
}

function dump({ ensemble, nowMs, listedMax }: WordContext): CommandBody {
  const now = Math.floor(nowMs())
  const expiry: Record<string, number[]> = {}
  const paths: Record<string, string[]> = {}
  let left = listedMax
  let complete = true
  const take = <T>(values: ReadonlySet<T>): T[] => {
    const taken = [...values].slice(0, left)
    left -= taken.length
    if (taken.length < values.size) complete = false
    return taken
  }
  for (const { inMs, sessions } of ensemble.sessionDeadlines()) {
    if (!complete) break
    expiry[now + inMs] = take(sessions)
  }
  for (const [session, owned] of ensemble.machine.tree.ephemerals) {
    if (!complete) break
    paths[session] = take(owned)
  }
  return {
    expiry_time_to_session_ids: expiry,
    session_id_to_ephemeral_paths: paths,
    ...cut(complete),
  }
}

function lastSnapshot({ ensemble }: WordContext): CommandBody {
  const { snapshotIndex, snapshotZxid, snapshotTimeMs } = ensemble.status()
  return {
    zxid: snapshotIndex === 0 ? 'ffffffffffffffff' : snapshotZxid.toString(16),
    timestamp: snapshotTimeMs < 0 ? -1 : Math.floor(snapshotTimeMs / 1_000),
  }
}

function leader(context: WordContext): CommandBody {
  const { ensemble } = context
  const status = ensemble.status()
  if (modeOf(status) === 'standalone') return { error: 'server is not initialized' }
  const known = status.raft.members.find(({ id }) => id === status.raft.leader)
  return {
    is_leader: ensemble.isLeader,
    leader_id: serverNumbers(context).get(known?.name ?? '') ?? -1,
    leader_ip: known === undefined ? '' : hostOf(known.peerAddress),
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1))
}

/** As in the lines of /zookeeper/config. */
function electionAddressOf(peerAddress: string): string {
  const host = peerAddress.slice(0, peerAddress.lastIndexOf(':'))
  return `${host}:${electionPortOf(portOf(peerAddress))}`
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

/** What the leader's link to an observer carried is not counted by ZooKeeper's measures. */
function observers(context: WordContext): CommandBody {
  const { ensemble } = context
  const numbers = serverNumbers(context)
  const { raft } = ensemble.status()
  const observing = raft.progress.flatMap(({ peer, state }) => {
    const member = raft.members.find(({ id, observer }) => id === peer && observer)
    return member === undefined ? [] : [{ member, synced: state === 'replicate' }]
  })
  return {
    synced_observers: observing.filter(({ synced }) => synced).length,
    observers: observing.map(({ member: { name, peerAddress } }) => ({
      remote_socket_address: `/${peerAddress}`,
      sid: numbers.get(name) ?? 0,
    })),
  }
}

function serverStats(context: WordContext): CommandBody {
  const { stats, registry, ensemble, directories, nowMs, startedAtMs } = context
  const status = ensemble.status()
  const { dataBytes, logBytes } = directories()
  const responses = sizes(stats.responseBytes)
  const mode = modeOf(status)
  return {
    version: fullVersion(context),
    read_only: ensemble.readOnly,
    server_stats: {
      packets_sent: stats.packetsSent,
      packets_received: stats.packetsReceived,
      fsync_threshold_exceed_count: -1,
      client_response_stats: responses,
      provider_null: false,
      server_state: mode,
      uptime: Math.round(nowMs() - startedAtMs),
      outstanding_requests: registry.outstanding(),
      min_latency: Math.floor(stats.latencyMinMs),
      avg_latency: Math.round(stats.latencyAverageMs * 10_000) / 10_000,
      max_latency: Math.floor(stats.latencyMaxMs),
      data_dir_size: dataBytes,
      log_dir_size: logBytes,
      last_processed_zxid: status.zxid,
      num_alive_client_connections: registry.count,
      auth_failed_count: stats.authFailures,
      non_mtlsremote_conn_count: -1,
      non_mtlslocal_conn_count: -1,
    },
    client_response: responses,
    ...(mode === 'leader' ? { proposal_stats: sizes(status.measures.proposalBytes) } : {}),
    node_count: status.znodes,
  }
}

function sizes({ last, min, max }: SizeRange): CommandBody {
  return { last_buffer_size: last, min_buffer_size: min, max_buffer_size: max }
}

function setTraceMask(
  { trace }: WordContext,
  { traceMask }: Readonly<Record<string, string>>,
): CommandBody {
  const needs = 'setTraceMask requires long traceMask argument'
  if (traceMask === undefined) return { error: needs }
  if (!/^[+-]?\d{1,19}$/.test(traceMask)) return { error: `${needs}, got ${traceMask}` }
  trace.mask = BigInt(traceMask.replace('+', ''))
  return { tracemask: Number(trace.mask) }
}

/** Of Java's properties those that mean something here; its own settings a server logs at its start. */
function systemProperties(context: WordContext): CommandBody {
  const entries = processEnvironment(fullVersion(context)).filter(([key]) =>
    /^(java|os\.(name|arch|version)|user)/.test(key),
  )
  const separators = { 'file.separator': '/', 'line.separator': '\n', 'path.separator': ':' }
  const all = { 'file.encoding': 'UTF-8', ...separators, ...Object.fromEntries(entries) }
  return Object.fromEntries(Object.entries(all).sort(([left], [right]) => (left < right ? -1 : 1)))
}

function votingView(context: WordContext): CommandBody {
  const { ensemble } = context
  const numbers = serverNumbers(context)
  const status = ensemble.status()
  const voters =
    modeOf(status) === 'standalone'
      ? []
      : status.raft.members.filter(({ role, observer }) => role === 'voter' && !observer)
  const view = voters.map((member) => [
    numbers.get(member.name) ?? 0,
    {
      server_addresses: [member.peerAddress],
      election_addresses: [electionAddressOf(member.peerAddress)],
      client_address: member.clientAddress,
      learner_type: 'participant',
    },
  ])
  return { current_config: Object.fromEntries(view) }
}

function zabState(context: WordContext): CommandBody {
  const { ensemble } = context
  const status = ensemble.status()
  if (modeOf(status) === 'standalone') return { voting: false, zabstate: '' }
  const self = status.raft.members.find(({ id }) => id === status.id)
  const peerAddress = self?.peerAddress ?? ''
  return {
    myid: ownNumber(context),
    is_leader: ensemble.isLeader,
    quorum_address: addressesOf(peerAddress),
    election_address: addressesOf(peerAddress === '' ? '' : electionAddressOf(peerAddress)),
    client_address: self?.clientAddress ?? '',
    voting: self?.role === 'voter',
    last_zxid: `0x${status.zxid.toString(16)}`,
    zab_epoch: Math.floor(status.zxid / 2 ** 32),
    zab_counter: status.zxid % 2 ** 32,
    zabstate: stateOf(status),
  }
}

function stateOf({ raft }: EnsembleStatus): string {
  return raft.leader === null ? 'election' : 'broadcast'
}

/** ZooKeeper's view of a server that may have several addresses; here each has one. */
function addressesOf(address: string): CommandBody {
  const port = portOf(address)
  return {
    empty: address === '',
    all_addresses: [address],
    wildcard_addresses: [`0.0.0.0:${port}`],
    all_ports: [port],
    all_host_strings: [hostOf(address)],
    reachable_address: address,
    all_reachable_addresses: [address],
    all_reachable_addresses_or_all: [address],
    reachable_or_one: address,
    one: address,
  }
}
