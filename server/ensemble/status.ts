import type { Raft } from '../core/raft/raft.ts'
import type { LogStorage } from '../storage/storage.ts'
import type { Contact, EnsembleStatus } from './ensemble.ts'
import type { ReadinessView } from './readiness.ts'
import type { Rooms } from './rooms.ts'

/** What the loop itself knows and the rooms do not. */
export interface LoopView {
  readonly running: boolean
  readonly tickMs: number
  readonly raft: Raft
  readonly log: LogStorage
  readonly contact: Contact
  readonly readOnly: boolean
  readonly formed: boolean
  readonly leaderUptimeMs: number
}

/** Why clients should go elsewhere, in words; '' when they are welcome. */
export function notReadyReason(rooms: Rooms, view: LoopView): string {
  return rooms.readiness.refusal(readinessView(rooms, view))
}

/** What decides whether clients are served, and which. */
export function readinessView(
  { identity, membership, applier, snapshots }: Rooms,
  view: LoopView,
): ReadinessView {
  return {
    running: view.running,
    belongs: identity.belongs,
    id: identity.hello.id,
    members: membership.members,
    refused: membership.refusal,
    leader: view.raft.leader,
    formed: view.formed,
    contact: view.contact,
    installing: snapshots.installing,
    lag: view.raft.commitIndex - applier.machine.appliedIndex,
  }
}

/** The server as operators, metrics and other surfaces see it. */
export function statusOf(rooms: Rooms, view: LoopView): EnsembleStatus {
  const { identity, applier, transport, submissions, watches, snapshots, counters, measures } =
    rooms
  const raft = view.raft.status()
  const { name, id, clusterId } = identity.hello
  const leader = raft.members.find((member) => member.id === raft.leader)
  const reason = notReadyReason(rooms, view)
  const { tree, sessions, lastZxid } = applier.machine
  return {
    name,
    id,
    clusterId,
    raft,
    tickMs: view.tickMs,
    leaderName: leader?.name ?? null,
    contact: view.contact,
    ready: reason === '',
    readOnly: view.readOnly,
    notReadyReason: reason,
    formed: view.formed,
    zxid: lastZxid,
    znodes: tree.nodeCount,
    sessions: sessions.count,
    ephemerals: tree.ephemeralCount,
    dataBytes: tree.approximateDataSize,
    watches: watches.count,
    pendingRequests: submissions.pendingCount,
    pendingSyncs: rooms.barriers.count,
    leaderUptimeMs: view.leaderUptimeMs,
    logBytes: view.log.bytes,
    logSegments: view.log.segments,
    firstTerm: view.raft.firstTerm,
    snapshotIndex: snapshots.index,
    snapshotZxid: snapshots.zxid,
    snapshotBytes: snapshots.bytes,
    snapshotTimeMs: snapshots.takenAtMs,
    diskFull: view.log.full,
    links: transport.links().map((link) => link.id),
    counters,
    measures,
  }
}
