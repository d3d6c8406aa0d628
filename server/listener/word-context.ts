import { numbersOf, parseConfig } from '../ensemble/dynamic-config.ts'
import type { Ensemble, EnsembleStatus } from '../ensemble/ensemble.ts'
import {
  type Durations,
  type ListenerFigures,
  type MonitoredValue,
  monitoredValues,
} from '../metrics/zookeeper-series.ts'
import type { ClientRegistry } from './client-registry.ts'
import type { ServerStats } from './server-stats.ts'

/** What the four-letter words and the commands of the AdminServer report on. */
export interface WordContext {
  readonly ensemble: Ensemble
  readonly registry: ClientRegistry
  readonly stats: ServerStats
  /** "1.2.3" and MM/DD/YYYY HH:MM UTC: the form that clients' parsers expect. */
  readonly version: string
  readonly builtOn: string
  readonly startedAtMs: number
  readonly nowMs: () => number
  readonly wallClockMs: () => number
  readonly configuration: ServedConfiguration
  /** Bytes of the files of snapshots and of the log. */
  readonly directories: () => { readonly dataBytes: number; readonly logBytes: number }
  readonly measured: Pick<Durations, 'syncMs' | 'openingMs'>
  /** ZooKeeper's trace mask: kept for who asks for it again; nothing is traced by it. */
  readonly trace: { mask: bigint }
  /** Lines and entries that a word or command lists before it stops and says so. */
  readonly listedMax: number
}

/** What `conf` and the command `configuration` tell. */
export interface ServedConfiguration {
  readonly clientPort: number
  /** -1: none. */
  readonly secureClientPort: number
  readonly dataDirectory: string
  readonly logDirectory: string
  /** -1: that of the server. */
  readonly listenBacklog: number
  readonly tickMs: number
  readonly connectionsPerAddressMax: number
  readonly sessionTimeoutMsMin: number
  readonly sessionTimeoutMsMax: number
  readonly electionTimeoutMs: number
  readonly peerPort: number
}

/** The mask of a ZooKeeper that nobody has told another one. */
export const TRACE_MASK = 306n

type Mode = 'standalone' | 'leader' | 'observer' | 'follower' | 'read-only'

/** ZooKeeper's words for what a server is. */
export function modeOf({ raft, readOnly }: EnsembleStatus): Mode {
  if (readOnly) return 'read-only'
  if (raft.members.length === 1 && raft.role === 'leader') return 'standalone'
  if (raft.role === 'leader') return 'leader'
  return raft.role === 'learner' ? 'observer' : 'follower'
}

/** The listener's own figures, as metrics take them. */
export function figuresOf({ registry, stats }: Pick<WordContext, 'registry' | 'stats'>) {
  return {
    connections: registry.count,
    outstanding: registry.outstanding(),
    stats,
  } satisfies ListenerFigures
}

export function durationsOf({
  ensemble,
  stats,
  measured,
}: Pick<WordContext, 'ensemble' | 'stats' | 'measured'>): Durations {
  const { readLatencyMs, updateLatencyMs, tokenDeficit } = stats
  const listener = { readLatencyMs, updateLatencyMs, tokenDeficit }
  return { ...ensemble.status().measures, ...listener, ...measured }
}

/** All metrics under ZooKeeper's names, as `mntr` and the command `monitor` list them. */
export function monitoredOf(context: WordContext): readonly MonitoredValue[] {
  const status = context.ensemble.status()
  const identity = {
    fullVersion: fullVersion(context),
    mode: modeOf(status),
    uptimeMs: context.nowMs() - context.startedAtMs,
  }
  return monitoredValues(identity, status, figuresOf(context), durationsOf(context))
}

export function fullVersion({ version, builtOn }: WordContext): string {
  return `${version}, built on ${builtOn}`
}

/** ZooKeeper's numbers of the servers, by name: those of /zookeeper/config. */
export function serverNumbers({ ensemble }: WordContext): ReadonlyMap<string, number> {
  return numbersOf(ensemble.status().raft.members, parseConfig(presentConfig(ensemble)))
}

/** What /zookeeper/config holds: the members, then the version; before it is written, no members. */
export function membershipText({ ensemble }: WordContext): string {
  const present = presentConfig(ensemble)
  return present === '' ? 'version=0' : present
}

function presentConfig({ machine }: Ensemble): string {
  return new TextDecoder().decode(machine.tree.data('/zookeeper/config') ?? new Uint8Array())
}

/** One figure for all znodes; equal on servers that have applied the same requests. */
export function treeDigest({ machine }: Ensemble): number {
  const [a, b] = machine.tree.digest
  return a * 2 ** 21 + Math.floor(b / 2 ** 11)
}
