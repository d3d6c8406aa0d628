import type { Ensemble, EnsembleStatus } from '../ensemble/ensemble.ts'
import type { SizeRange } from '../measure.ts'
import type { ClientRegistry } from './client-registry.ts'
import type { ClientConnection } from './connection.ts'
import { fileDescriptors } from './file-descriptors.ts'
import type { ServerStats } from './server-stats.ts'

/** What the words report on. */
export interface WordContext {
  readonly ensemble: Ensemble
  readonly registry: ClientRegistry
  readonly stats: ServerStats
  /** "1.2.3" and MM/DD/YYYY HH:MM UTC: the form that clients' parsers expect. */
  readonly version: string
  readonly builtOn: string
  readonly startedAtMs: number
  readonly nowMs: () => number
  /** Lines of `conf`, as key and value. */
  readonly configuration: readonly (readonly [key: string, value: string])[]
  readonly directories: () => { readonly dataBytes: number; readonly logBytes: number }
}

type Word = (context: WordContext) => string

const WORDS: Readonly<Record<string, Word>> = {
  ruok: () => 'imok',
  isro: () => 'rw',
  srvr: (context) => serverLines(context),
  stat: (context) => serverLines(context, connectionLines(context, brief)),
  cons: (context) => `${connectionLines(context, full)}\n`,
  conf: ({ configuration }) => configuration.map(([key, value]) => `${key}=${value}\n`).join(''),
  mntr: (context) =>
    monitored(context)
      .map(([key, value]) => `zk_${key}\t${value}\n`)
      .join(''),
  dirs: ({ directories }) => {
    const { dataBytes, logBytes } = directories()
    return `datadir_size: ${dataBytes}\nlogdir_size: ${logBytes}\n`
  },
  wchs: ({ ensemble: { watches } }) =>
    `${watches.connectionCount} connections watching ${watches.pathCount} paths\n` +
    `Total watches:${watches.count}\n`,
  srst: ({ stats }) => {
    stats.reset()
    return 'Server stats reset.\n'
  },
}

export function isWord(text: string): boolean {
  return /^[a-z]{4}$/.test(text)
}

/** The answer to a word; '' for one that is unknown. `allowed`: '*' is all. */
export function answerWord(word: string, allowed: readonly string[], context: WordContext): string {
  const answer = WORDS[word]
  if (answer === undefined) return ''
  if (!allowed.includes('*') && !allowed.includes(word)) {
    return `${word} is not executed because it is not in the whitelist.\n`
  }
  // ZooKeeper's own words for a server that cannot serve.
  const needsService = word !== 'ruok' && word !== 'conf' && word !== 'dirs' && word !== 'srst'
  if (needsService && !context.ensemble.ready) {
    return word === 'isro' ? 'null' : 'This ZooKeeper instance is not currently serving requests\n'
  }
  return answer(context)
}

function serverLines(context: WordContext, clients?: string): string {
  const { stats, registry, version, builtOn } = context
  const status = context.ensemble.status()
  const latencies = [
    Math.floor(stats.latencyMinMs),
    round(stats.latencyAverageMs),
    Math.floor(stats.latencyMaxMs),
  ]
  return [
    `Zookeeper version: ${version}, built on ${builtOn}`,
    ...(clients === undefined ? [] : ['Clients:', clients]),
    `Latency min/avg/max: ${latencies.join('/')}`,
    `Received: ${stats.packetsReceived}`,
    `Sent: ${stats.packetsSent}`,
    `Connections: ${registry.count}`,
    `Outstanding: ${registry.outstanding()}`,
    `Zxid: 0x${status.zxid.toString(16)}`,
    `Mode: ${modeOf(status)}`,
    `Node count: ${status.znodes}`,
    '',
  ].join('\n')
}

function connectionLines(
  { registry }: WordContext,
  counts: (connection: ClientConnection) => readonly string[],
): string {
  const lines = [...registry.all()].map(
    (connection) =>
      ` /${connection.address}:${connection.port}[1](${counts(connection).join(',')})\n`,
  )
  return lines.join('')
}

function brief(connection: ClientConnection): readonly string[] {
  return [
    `queued=${connection.outstanding}`,
    `recved=${connection.received}`,
    `sent=${connection.sent}`,
  ]
}

function full(connection: ClientConnection): readonly string[] {
  return [
    ...brief(connection),
    `sid=0x${connection.session.toString(16)}`,
    `est=${connection.establishedAtMs}`,
    `to=${connection.timeoutMs}`,
    `lzxid=0x${connection.lastZxid.toString(16)}`,
  ]
}

function modeOf(status: EnsembleStatus): string {
  const { raft } = status
  if (raft.members.length === 1 && raft.role === 'leader') return 'standalone'
  return raft.role === 'leader' ? 'leader' : raft.role === 'learner' ? 'observer' : 'follower'
}

/** The keys of mntr that monitoring agents read (reference B7). */
function monitored(context: WordContext): [string, string | number][] {
  const { stats, registry, ensemble } = context
  const status = ensemble.status()
  const mode = modeOf(status)
  const lines: [string, string | number][] = [
    ['version', `${context.version}, built on ${context.builtOn}`],
    ['server_state', mode],
    ['peer_state', mode === 'leader' ? 'leading - broadcast' : 'following - broadcast'],
    ['avg_latency', round(stats.latencyAverageMs)],
    ['max_latency', Math.floor(stats.latencyMaxMs)],
    ['min_latency', Math.floor(stats.latencyMinMs)],
    ['packets_received', stats.packetsReceived],
    ['packets_sent', stats.packetsSent],
    ['num_alive_connections', registry.count],
    ['outstanding_requests', registry.outstanding()],
    ['znode_count', status.znodes],
    ['watch_count', status.watches],
    ['ephemerals_count', status.ephemerals],
    ['approximate_data_size', status.dataBytes],
    ['global_sessions', status.sessions],
    ['local_sessions', 0],
    ['connection_rejected', stats.connectionsRejected],
    ['connection_drop_count', stats.connectionsDropped],
    ['auth_failed_count', stats.authFailures],
    ...sizes('client_response_size', stats.responseBytes),
    ['uptime', Math.round(context.nowMs() - context.startedAtMs)],
  ]
  const descriptors = fileDescriptors()
  if (descriptors !== null) {
    lines.push(
      ['open_file_descriptor_count', descriptors.open],
      ['max_file_descriptor_count', descriptors.limit],
    )
  }
  if (mode === 'leader') {
    const voters = new Set(
      status.raft.members.filter((member) => member.role === 'voter').map((member) => member.id),
    )
    const synced = status.raft.progress.filter((entry) => entry.state === 'replicate')
    lines.push(
      ['learners', status.raft.progress.length],
      ['followers', status.raft.progress.filter(({ peer }) => voters.has(peer)).length],
      ['synced_followers', synced.filter(({ peer }) => voters.has(peer)).length],
      ['synced_observers', synced.filter(({ peer }) => !voters.has(peer)).length],
      ['pending_syncs', status.pendingSyncs],
      ['leader_uptime', status.leaderUptimeMs],
      ...sizes('proposal_size', status.measures.proposalBytes),
    )
  }
  return lines
}

function sizes(name: string, { last, max, min }: SizeRange): [string, number][] {
  return [
    [`last_${name}`, last],
    [`max_${name}`, max],
    [`min_${name}`, min],
  ]
}

/** Whole numbers as such, others with at most four places, as ZooKeeper prints them. */
function round(value: number): string {
  return String(Math.round(value * 10_000) / 10_000)
}
