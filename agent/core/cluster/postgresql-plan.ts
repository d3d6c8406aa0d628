import {
  type EngineView,
  isExpected,
  type Ms,
  type Observation,
  ordinalOf,
} from '../observation.ts'
import type { Drain } from '../state.ts'
import type { ClusterPlan, DrainStep, Duty } from './plan.ts'
import { comparePositions } from './postgresql-position.ts'

/** What Patroni keeps of its cluster in the tree; null: the tree could not be read. */
export interface PatroniRecord {
  /** The znode `initialize`; null: there is none, '': somebody has begun to form a cluster. */
  readonly systemId: string | null
  /** Who leads, by the znode `leader`; null: nobody. */
  readonly leader: string | null
  /** Somebody has led in this tree, by the znode `status`, which leaders keep: Patroni guards what they committed. */
  readonly hasLed: boolean
}

/** A member that may take over, as its own Patroni says. */
export interface Candidate {
  readonly name: string
  readonly lagBytes: number
}

/** What a commit waits for: nobody, a standby while there is one, a standby in any case. */
export type Replication = 'asynchronous' | 'synchronous' | 'strict'

/** A PostgreSQL server under Patroni, as its agent sees it. */
export interface PostgresqlView extends EngineView {
  /** Patroni's word for what PostgreSQL does: running, starting, creating replica, stopped… */
  readonly state: string
  /** Whether Patroni's own loop goes round; null: it did not say. */
  readonly loops: boolean | null
  /** For how long Patroni has not answered; 0: it does, or it has not yet since its last permit. */
  readonly silentMs: Ms
  readonly record: PatroniRecord | null
  /** When the following was asked for; null: never. */
  readonly rosterAtMs: Ms | null
  /** Commits wait for a standby, and nobody but such a standby may take over. */
  readonly synchronous: boolean
  /** By Patroni's dynamic configuration; `other`: what only people set, as a quorum. Null: not known. */
  readonly replication: Replication | 'other' | null
  /** Who may take over, also this one, the most advanced first; in synchronous mode synchronous standbys alone. */
  readonly candidates: readonly Candidate[]
  /** When this server was last seen as the primary; null: not by this agent. */
  readonly ledAtMs: Ms | null
  /** Pods of the set for which this server keeps WAL in a slot that nobody reads. */
  readonly idleSlots: readonly string[]
}

export interface PostgresqlBounds {
  /** A restart waits so long for a synchronous standby before it hands over, and again after it has. */
  readonly standbyWaitMs: Ms
  /** As Patroni is told to do it; null: whatever it was told by others. */
  readonly replication: Replication | null
  /** There are no volumes: when all disks are empty a new cluster is formed. */
  readonly volatile: boolean
}

/**
 * PostgreSQL under Patroni, which forms, elects and repairs by itself, through the same tree. What is left to
 * the agent: nobody but the first ordinal founds, and only over empty disks; in a tree that was lost nobody goes on
 * with data that is behind another's; nobody stops in the moment in which a primary has no synchronous standby,
 * since then nobody could take over from it.
 */
export function postgresqlPlan(bounds: PostgresqlBounds): ClusterPlan<PostgresqlView> {
  return {
    forming: 'itself',
    restart: 'itself',
    joins: 'freely',
    // pg_rewind or a new copy: Patroni decides by the timelines.
    removedReturns: 'asIs',
    comparePositions,
    startGate: (observation) =>
      observation.disk.kind === 'empty' ? emptyGate(observation, bounds) : dataGate(observation),
    isTreeLost: ({ engine }) => engine.record !== null && isNewTo(engine.record),
    duty,
    setDuty: ({ engine }) => replicationDuty(engine, bounds),
    drain: (observation, drain) => drainStep(observation, drain, bounds),
    // Nobody else takes writes as long as it leads.
    isNeeded: ({ engine }) => engine.leads && engine.ready,
  }
}

/**
 * An empty disk is filled by a copy of the leader's, or by the first cluster. Patroni would let any empty
 * member form that while there is no `initialize`: also beside disks with data whose tree was lost, and with
 * a founder that died on the way nobody could tell whose `initialize` is left over.
 */
function emptyGate(
  { engine, cluster, self, statefulSet }: Observation<PostgresqlView>,
  { volatile }: PostgresqlBounds,
): string | null {
  const { record } = engine
  if (record === null || cluster === null) return 'the disk is empty and the tree cannot be read'
  if (record.leader !== null) return null
  if (statefulSet.kind !== 'ok') return 'the disk is empty and the StatefulSet cannot be read'
  const { replicas, firstOrdinal } = statefulSet.value
  const pods = Array.from({ length: replicas }, (_, i) => `${self.set}-${firstOrdinal + i}`)
  const others = pods.filter((pod) => pod !== self.pod)
  const missing = others.filter((pod) => cluster.reports[pod] === undefined)
  if (missing.length > 0) return `nobody leads, and there is no report yet of ${missing.join(', ')}`
  const holder = others.find((pod) => cluster.reports[pod]?.empty === false)
  if (holder !== undefined) return `nobody leads yet: ${holder}, which holds data, goes first`
  if (!volatile && record.systemId !== null && record.systemId !== '') {
    // Its founder perhaps, whose agent has not seen yet that its data is whole.
    const begun = others.find((pod) => cluster.reports[pod]?.started)
    if (begun !== undefined) return `nobody leads yet: ${begun} runs, and had an empty disk`
    return `refuses to start: all disks of cluster ${record.systemId} are empty: bring a volume back, or delete the znode initialize to form a new cluster`
  }
  if (self.ordinal === firstOrdinal) return null
  return `ordinal ${firstOrdinal} forms the cluster`
}

/**
 * Data starts, and waits inside Patroni while there is no tree. Where there is one, it has to be seen first whether
 * the tree knows the cluster.
 */
function dataGate({ engine, cluster }: Observation<PostgresqlView>): string | null {
  const { record } = engine
  if (record === null) {
    return cluster === null ? null : 'what Patroni keeps in the tree cannot be read yet'
  }
  return cluster === null && isNewTo(record) ? 'this tree has no reports of the pods yet' : null
}

/**
 * Patroni puts `initialize` back over data before it has started PostgreSQL, and compares WAL only with who is in the
 * tree by then: so the next one must not follow on its word, but on a leader's.
 */
function isNewTo({ systemId, leader, hasLed }: PatroniRecord): boolean {
  return leader === null && (!systemId || !hasLed)
}

/**
 * A removed pod's slot would hold WAL back for as long as Patroni remembers the member (member_slots_ttl). The
 * agent that removed it dropped its own server's slot; each server has one. Not before the removal is done: until
 * then the pod may come back, and needs the WAL.
 */
function duty({ engine, cluster, statefulSet, self }: Observation<PostgresqlView>): Duty | null {
  if (cluster === null || statefulSet.kind !== 'ok') return null
  const { value: set } = statefulSet
  const gone = engine.idleSlots.find((pod) => {
    const ordinal = ordinalOf(pod, self.set)
    const removed = cluster.tombstones[pod]?.done === true
    return removed && ordinal !== null && !isExpected(ordinal, set)
  })
  if (gone === undefined) return null
  const reason = `${gone} was removed, and its slot still holds WAL`
  return { name: 'dropSlot', args: { pod: gone }, lock: null, reason }
}

/** Patroni reads what it was started with only for a first cluster: later it is told in the tree, for all at once. */
function replicationDuty(
  { replication: given }: PostgresqlView,
  { replication: wanted }: PostgresqlBounds,
): Duty | null {
  if (wanted === null || given === null || given === wanted) return null
  const reason = `replication is ${given}, and is to be ${wanted}`
  return { name: 'setReplication', args: {}, lock: 'election', reason }
}

function drainStep(
  observation: Observation<PostgresqlView>,
  drain: Drain,
  bounds: PostgresqlBounds,
): DrainStep {
  const { engine, statefulSet } = observation
  // All of them stop; the one that leads last is the one that leads first.
  if (statefulSet.kind === 'ok' && statefulSet.value.replicas === 0) return { kind: 'ready' }
  if (isMissedWithoutTree(observation)) {
    return { kind: 'wait', reason: 'the tree is away, and a primary without it needs every member' }
  }
  if (engine.leads) return primaryStep(observation, drain, bounds)
  return standbyStep(observation, drain, bounds)
}

/**
 * Without the tree a primary takes writes for as long as every member that was on record answers it, and no
 * longer (Patroni's failsafe_mode). So nobody else stops then, for as long as the drain may last; but where the
 * set itself goes, tree and all.
 */
function isMissedWithoutTree({
  engine,
  cluster,
  lease,
  statefulSet,
}: Observation<PostgresqlView>): boolean {
  const isAway = cluster === null || lease !== 'held'
  const goesOn = statefulSet.kind === 'ok' && !statefulSet.value.deleting
  return isAway && goesOn && engine.members.length > 0
}

/**
 * Leadership moves to whoever may take it and stays. After a scale-down there is no limit but the drain's own: a
 * primary that left with a synchronous standby which leaves as well would leave nobody behind who may lead.
 */
function primaryStep(
  observation: Observation<PostgresqlView>,
  drain: Drain,
  { standbyWaitMs }: PostgresqlBounds,
): DrainStep {
  const { engine, nowMs } = observation
  const removing = drain.verdict?.kind === 'scaledDown'
  const others = engine.members.filter(({ name }) => remains(observation, drain, name))
  if (others.length === 0 && engine.rosterAtMs !== null && !removing) return { kind: 'ready' }
  const isNew = engine.rosterAtMs !== null && engine.rosterAtMs >= drain.startedAtMs
  const next = engine.candidates.find(({ name }) => remains(observation, drain, name))
  if (isNew && next !== undefined) {
    return { kind: 'handOver', to: next.name, reason: `${next.name} takes over` }
  }
  if (removing || nowMs - drain.startedAtMs < standbyWaitMs) {
    const who = engine.synchronous ? 'synchronous standby' : 'streaming standby'
    return { kind: 'wait', reason: `no ${who} yet that could take over and stays` }
  }
  return { kind: 'ready' }
}

/**
 * A standby may go once another stop would do no harm. One that led until now waits first until it follows, so
 * that it comes back without a rewind.
 */
function standbyStep(
  { engine, nowMs }: Observation<PostgresqlView>,
  drain: Drain,
  { standbyWaitMs }: PostgresqlBounds,
): DrainStep {
  const led = engine.ledAtMs !== null && engine.ledAtMs >= drain.startedAtMs ? engine.ledAtMs : null
  if (nowMs - (led ?? drain.startedAtMs) >= standbyWaitMs) return { kind: 'ready' }
  if (!engine.ready) {
    if (led === null) return { kind: 'ready' }
    return { kind: 'wait', reason: `led until now, and does not follow yet: ${engine.reason}` }
  }
  const isNew = engine.rosterAtMs !== null && engine.rosterAtMs >= (led ?? drain.startedAtMs)
  if (!isNew) return { kind: 'wait', reason: 'are there synchronous standbys?' }
  if (!engine.synchronous || engine.candidates.length > 0) return { kind: 'ready' }
  return { kind: 'wait', reason: 'the primary has no synchronous standby now' }
}

/** Another member that is not about to stop, nor, when this one leaves for good, about to leave as well. */
function remains(
  { cluster, statefulSet, self }: Observation<PostgresqlView>,
  drain: Drain,
  name: string,
): boolean {
  const ordinal = ordinalOf(name, self.set)
  if (ordinal === null || name === self.pod) return false
  if (cluster?.members[name]?.status === 'STOPPING') return false
  if (drain.verdict?.kind !== 'scaledDown') return true
  return statefulSet.kind === 'ok' && isExpected(ordinal, statefulSet.value)
}
