import type { ClusterFacts } from './cluster/facts.ts'
import type { LeaseStatus } from './lease.ts'

/** Milliseconds of a clock that never runs backwards; it enters as an input. */
export type Ms = number

/**
 * The newest answer to a question that may fail. `atMs` is when the question was asked, not when the
 * answer came: an answer can only be trusted to be as new as its question.
 */
export type Fetched<T> =
  | { readonly kind: 'ok'; readonly atMs: Ms; readonly value: T }
  | { readonly kind: 'notFound'; readonly atMs: Ms }
  /** Nothing is known: refused (401, 403), which will not change by asking, or no answer in time. */
  | {
      readonly kind: 'failed'
      readonly atMs: Ms
      readonly reason: string
      readonly refused: boolean
    }
  | { readonly kind: 'never' }

/** The StatefulSet that owns the pod. Ordinals from `firstOrdinal`, `replicas` of them. */
export interface StatefulSetView {
  readonly uid: string
  readonly replicas: number
  readonly firstOrdinal: number
  readonly deleting: boolean
}

/** The permission to found a cluster: created once, current only for the StatefulSet it names. */
export interface FormingRecord {
  readonly statefulSetUid: string
  /** Null until the founded cluster is known. */
  readonly clusterId: string | null
  /** The founding mark of the one disk that may bootstrap; '' in a record made for old data. */
  readonly bootstrapper: string
  /**
   * Replicas that the founder counted on. Until the cluster is formed only these may hold its data, so
   * that asking them is asking all, also after the set was scaled meanwhile.
   */
  readonly expected: number
  /** From `formed` on an empty disk only joins. */
  readonly phase: 'forming' | 'formed'
}

export interface StoredRecord {
  readonly record: FormingRecord
  /** Opaque: a replacement names it, so that it replaces only what was read. */
  readonly version: string
}

/** What a data volume holds. */
export type DiskReport =
  | {
      readonly kind: 'member'
      readonly clusterId: string
      readonly incarnation: string
      /** The member was removed for good; its data must not come back under the old incarnation. */
      readonly departed: boolean
    }
  | {
      readonly kind: 'empty'
      /** The founding mark: random, durable, written before the record names it. */
      readonly founding: string | null
    }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** What the agent of another pod says of its disk. */
export interface PeerReport {
  readonly ordinal: number
  readonly atMs: Ms
  readonly disk: DiskReport
}

export interface EngineMember {
  readonly name: string
  /** DiskReport.incarnation, of engines whose members have one; a tombstone names it. */
  readonly identity?: string
  readonly voter: boolean
  /** It answered its leader lately, as far as this server can know. */
  readonly heard: boolean
}

/** The engine of this pod as it answers now. An engine may add fields for its own policy. */
export interface EngineView {
  /** False: nothing listens; the other fields are then what was last known. */
  readonly answers: boolean
  /** The ensemble removed this member and does not take it back by itself. */
  readonly retired: boolean
  readonly ready: boolean
  readonly reason: string
  /** '' while it runs and belongs to no cluster. */
  readonly clusterId: string
  readonly leads: boolean
  readonly leader: string | null
  readonly role: string
  /** The engine's own count of its leaders: term, epoch, timeline; for the member document. */
  readonly generation?: number
  /** Progress of a running engine, of those that have comparable positions. */
  readonly position?: string
  /** How clients reach the cluster as a whole, without secrets, of engines that say so in one line. */
  readonly connection?: string
  readonly members: readonly EngineMember[]
}

export interface Self {
  readonly set: string
  readonly pod: string
  readonly ordinal: number
}

/** All that a decision may depend on. */
export interface Observation<View extends EngineView = EngineView> {
  readonly nowMs: Ms
  readonly self: Self
  /** The UID of the StatefulSet that made this pod; null while the pod could not be read. */
  readonly ownerUid: string | null
  readonly statefulSet: Fetched<StatefulSetView>
  readonly record: Fetched<StoredRecord>
  readonly disk: DiskReport
  readonly peers: readonly PeerReport[]
  readonly engine: View
  /** The progress of a stopped engine; null while it is not known, and for engines without positions. */
  readonly position: string | null
  /** The engine's process blocks on the permit pipe; then it surely does not run. */
  readonly asking: boolean
  readonly prestopAtMs: Ms | null
  readonly sigtermAtMs: Ms | null
  /** Pods with a member document in the tree; null while the tree cannot be read. */
  readonly published: readonly string[] | null
  /** Counts the starts of this member's agent. */
  readonly incarnation: number
  /** Of the agent's session, by its own clock: nothing critical is begun unless it is `held`. */
  readonly lease: LeaseStatus
  /** The tree's side of the cluster; null while it cannot be read, and for the server itself. */
  readonly cluster: ClusterFacts | null
  /** When the tree was last read; null before the first time. */
  readonly treeReadAtMs: Ms | null
}

/** Bounds that decisions use; agent/limits.ts has their values. */
export interface Rules {
  /** Answers older than this do not found or join a cluster. */
  readonly startFreshMs: Ms
  /** A disk with data waits this long for a first answer of the Kubernetes API, then starts. */
  readonly apiGraceMs: Ms
  /** No removal without a GET of the StatefulSet as new as this. */
  readonly verdictFreshMs: Ms
  /** A stop asks on for the reason for so long while the API does not answer. */
  readonly verdictPatienceMs: Ms
  readonly drainBudgetMs: Ms
  /** An engine that was heard is waited for so long in a drain, when it answers no more. */
  readonly drainSilenceMs: Ms
  /** What is left of a drain when SIGTERM comes: the engine has ended by then. */
  readonly sigtermBudgetMs: Ms
  readonly handOverMs: Ms
  readonly returnAfterMs: Ms
  /** A member whose ordinal and session are gone is removed after this. */
  readonly reconcileAfterMs: Ms
  readonly retryMs: Ms
  /** Facts of the tree older than this begin nothing. */
  readonly treeFreshMs: Ms
  /** A disk with data waits this long for the tree, then starts without it, and never as a founder. */
  readonly treeGraceMs: Ms
  /** What should be done before a member starts is done without after this: a pod whose node is gone is there by then. */
  readonly preparingMs: Ms
  /** Between notes of the furthest position in the tree. */
  readonly positionEveryMs: Ms
  /** The set has no volumes: empty disks are nobody's loss, and a set of none but those founds anew. */
  readonly volatile: boolean
}

/** True when the ordinal is one that the set runs. */
export function isExpected(ordinal: number, set: StatefulSetView): boolean {
  return ordinal >= set.firstOrdinal && ordinal < set.firstOrdinal + set.replicas
}

/** The ordinal in the name of a pod of `set`, or null for another name. */
export function ordinalOf(name: string, set: string): number | null {
  if (!name.startsWith(`${set}-`)) return null
  const digits = name.slice(set.length + 1)
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : null
}

/** The record, when there is one and it speaks of the set that is live now. */
export function currentRecord(observation: Observation): FormingRecord | null {
  const { record, statefulSet } = observation
  if (record.kind !== 'ok' || statefulSet.kind !== 'ok') return null
  const { value } = record
  return value.record.statefulSetUid === statefulSet.value.uid ? value.record : null
}

/** True when the answer was asked for no longer than `withinMs` ago. */
export function isFresh(fetched: Fetched<unknown>, nowMs: Ms, withinMs: Ms): boolean {
  return fetched.kind !== 'never' && nowMs - fetched.atMs <= withinMs
}
