import { electionPortOf } from '../ensemble/dynamic-config.ts'
import type { EnsembleStatus } from '../ensemble/ensemble.ts'
import { processEnvironment } from './process-environment.ts'
import {
  fullVersion,
  membershipText,
  modeOf,
  monitoredOf,
  serverNumbers,
  treeDigest,
  type WordContext,
} from './word-context.ts'
import {
  type Asker,
  connectionList,
  dump,
  watchCounts,
  watchedPaths,
  watchingSessions,
} from './word-lists.ts'

interface Asked extends WordContext {
  readonly asker: Asker | null
  /** The 8 bytes that follow `stmk`. */
  readonly argument: bigint
}

type Word = (asked: Asked) => string

const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests'

/** The words that a server which serves no clients answers all the same. */
const ALWAYS: Readonly<Record<string, Word>> = {
  ruok: () => 'imok',
  envi: (asked) =>
    `Environment:\n${properties(processEnvironment(fullVersion(asked)), (key, value) => `${key}=${value}`)}`,
  gtmk: ({ trace }) => String(trace.mask),
  stmk: ({ trace, argument }) => {
    trace.mask = argument
    return String(argument)
  },
  uptm: ({ nowMs, startedAtMs }) => String(Math.floor((nowMs() - startedAtMs) / 1_000)),
}

const WHILE_SERVING: Readonly<Record<string, Word>> = {
  isro: ({ ensemble }) => (ensemble.readOnly ? 'ro' : 'rw'),
  srvr: (asked) => serverText(asked),
  stat: (asked) => serverText(asked, connectionList(asked, asked.asker, true)),
  cons: (asked) => `${connectionList(asked, asked.asker, false)}\n`,
  crst: ({ registry }) => {
    for (const connection of registry.all()) connection.requests.reset()
    return 'Connection stats reset.\n'
  },
  conf: configurationText,
  mntr: (asked) => properties(monitoredLines(asked), (key, value) => `zk_${key}\t${value}`),
  dirs: ({ directories }) => {
    const { dataBytes, logBytes } = directories()
    return `datadir_size: ${dataBytes}\nlogdir_size: ${logBytes}\n`
  },
  dump: (asked) => dump(asked, asked.asker),
  hash: ({ ensemble }) => `${ensemble.machine.lastZxid.toString(16)}: ${treeDigest(ensemble)}\n`,
  wchs: watchCounts,
  wchc: watchedPaths,
  wchp: watchingSessions,
  srst: ({ stats, ensemble }) => {
    stats.reset()
    ensemble.status().measures.proposalBytes.reset()
    return 'Server stats reset.\n'
  },
  // RaftKeeper's, from here on.
  lgif: ({ ensemble }) => logText(ensemble.status()),
  csnp: ({ ensemble }) => {
    let refusal: string | null = null
    ensemble.takeSnapshot((reason) => {
      refusal = reason
    })
    if (refusal !== null) return 'Failed to schedule snapshot creation task.'
    return String(ensemble.machine.appliedIndex)
  },
  rqld: ({ ensemble }) =>
    ensemble.isLeader || ensemble.requestLeadership()
      ? 'Sent leadership request to leader.'
      : 'Failed to send leadership request to leader.',
  ydld: ({ ensemble }) => {
    ensemble.transferLeadership(null)
    return 'Sent yield leadership request.'
  },
}

export function isWord(text: string): boolean {
  return /^[a-z]{4}$/.test(text)
}

/** How many bytes the word takes; a mask follows `stmk`, unless that is refused. */
export function wordBytes(word: string, allowed: readonly string[]): number {
  return word === 'stmk' && isAllowed(word, allowed) ? 12 : 4
}

function isAllowed(word: string, allowed: readonly string[]): boolean {
  return word === 'srvr' || allowed.includes('*') || allowed.includes(word)
}

/**
 * The answer to what came on a connection that begins with a word; '' for one that is unknown.
 * `allowed`: '*' is all; `srvr` is always, since ZooKeeper's own scripts need it.
 */
export function answerWord(
  bytes: Uint8Array,
  allowed: readonly string[],
  context: WordContext,
  asker: Asker | null,
): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const word = view.toString('latin1', 0, 4)
  const always = ALWAYS[word]
  const answer = always ?? WHILE_SERVING[word]
  if (answer === undefined) return ''
  context.stats.packetsReceived += 1
  context.stats.packetsSent += 1
  if (!isAllowed(word, allowed)) {
    return `${word} is not executed because it is not in the whitelist.\n`
  }
  const { ready, readOnly } = context.ensemble
  if (always === undefined && !ready && !readOnly) return notServing(word)
  const argument = view.length < 12 ? 0n : view.readBigInt64BE(4)
  return answer({ ...context, asker, argument })
}

function notServing(word: string): string {
  if (word === 'isro') return 'null'
  return word === 'hash' ? NOT_SERVING : `${NOT_SERVING}\n`
}

function properties(
  entries: readonly (readonly [string, string | number])[],
  line: (key: string, value: string | number) => string,
): string {
  return entries.map(([key, value]) => `${line(key, value)}\n`).join('')
}

/** The asker's own connection counts among those that are open. */
function connectionsOf({ registry, asker }: Asked): number {
  return registry.count + (asker === null ? 0 : 1)
}

function serverText(asked: Asked, clients?: string): string {
  const { stats, registry, ensemble } = asked
  const status = ensemble.status()
  const mode = modeOf(status)
  const latencies = [
    Math.floor(stats.latencyMinMs),
    javaDouble(stats.latencyAverageMs),
    Math.floor(stats.latencyMaxMs),
  ]
  const { last, min, max } = status.measures.proposalBytes
  return [
    `Zookeeper version: ${fullVersion(asked)}`,
    ...(mode === 'read-only' ? ['READ-ONLY mode; serving only read-only clients'] : []),
    ...(clients === undefined ? [] : ['Clients:', clients]),
    `Latency min/avg/max: ${latencies.join('/')}`,
    `Received: ${stats.packetsReceived}`,
    `Sent: ${stats.packetsSent}`,
    `Connections: ${connectionsOf(asked)}`,
    `Outstanding: ${registry.outstanding()}`,
    `Zxid: 0x${status.zxid.toString(16)}`,
    `Mode: ${mode}`,
    `Node count: ${status.znodes}`,
    ...(mode === 'leader' ? [`Proposal sizes last/min/max: ${last}/${min}/${max}`] : []),
    '',
  ].join('\n')
}

/** As ZooKeeper prints a double: at most four places, and always one. */
function javaDouble(value: number): string {
  const rounded = Math.round(value * 10_000) / 10_000
  return Number.isInteger(rounded) ? `${rounded}.0` : String(rounded)
}

function monitoredLines(asked: Asked): readonly (readonly [string, string | number])[] {
  return monitoredOf(asked).map(({ name, value, fraction }) => {
    if (name === 'num_alive_connections') return [name, connectionsOf(asked)]
    return [name, fraction ? javaDouble(Number(value)) : value]
  })
}

function configurationText(asked: Asked): string {
  const { configuration, ensemble, directories } = asked
  const status = ensemble.status()
  const { dataBytes, logBytes } = directories()
  const lines: (readonly [string, string | number])[] = [
    ['clientPort', configuration.clientPort],
    ['secureClientPort', configuration.secureClientPort],
    ['dataDir', configuration.dataDirectory],
    ['dataDirSize', dataBytes],
    ['dataLogDir', configuration.logDirectory],
    ['dataLogSize', logBytes],
    ['tickTime', configuration.tickMs],
    ['maxClientCnxns', configuration.connectionsPerAddressMax],
    ['minSessionTimeout', configuration.sessionTimeoutMsMin],
    ['maxSessionTimeout', configuration.sessionTimeoutMsMax],
    ['clientPortListenBacklog', configuration.listenBacklog],
    ['serverId', serverNumbers(asked).get(status.name) ?? 0],
  ]
  const text = properties(lines, (key, value) => `${key}=${value}`)
  return modeOf(status) === 'standalone' ? text : text + ensembleText(asked, status)
}

/** What a server of an ensemble adds; ticks of silence that it bears, as Raft's timeout has it. */
function ensembleText(asked: Asked, status: EnsembleStatus): string {
  const { electionTimeoutMs, tickMs, peerPort } = asked.configuration
  const limit = Math.max(1, Math.ceil((2 * electionTimeoutMs) / tickMs))
  const self = status.raft.members.find((member) => member.id === status.id)
  const lines: (readonly [string, string | number])[] = [
    ['initLimit', limit],
    ['syncLimit', limit],
    ['electionAlg', 3],
    ['electionPort', electionPortOf(peerPort)],
    ['quorumPort', peerPort],
    ['peerType', self?.observer === true ? 1 : 0],
  ]
  const text = properties(lines, (key, value) => `${key}=${value}`)
  return status.readOnly ? text : `${text}membership: \n${membershipText(asked)}`
}

function logText({ raft, firstTerm, snapshotIndex }: EnsembleStatus): string {
  return properties(
    [
      ['first_log_idx', raft.firstIndex],
      ['first_log_term', firstTerm],
      ['last_log_idx', raft.lastIndex],
      ['last_log_term', raft.lastTerm],
      ['last_committed_log_idx', raft.commit],
      ['leader_committed_log_idx', raft.commit],
      ['target_committed_log_idx', raft.commit],
      ['last_snapshot_idx', snapshotIndex],
    ],
    (key, value) => `${key}\t${value}`,
  )
}
