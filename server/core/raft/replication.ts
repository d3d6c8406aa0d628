import type { LogIndex, PeerId } from '../brand.ts'
import { entryBytes } from './log.ts'
import type { MessageOf } from './message.ts'
import { Progress } from './progress.ts'
import { quorumValue } from './quorum.ts'
import type { RaftState } from './state.ts'

/** Sends each follower what it lacks, as far as its pipeline has room. */
export function replicateAll(state: RaftState): void {
  if (state.mustBeSilent()) return
  for (const [peer, progress] of state.progress) replicate(state, peer, progress)
}

function replicate(state: RaftState, peer: PeerId, progress: Progress): void {
  const { inflightAppendsMax, inflightBytesMax, appendBytesMax } = state.options
  while (progress.hasRoom(inflightAppendsMax, inflightBytesMax)) {
    const previousIndex = progress.next - 1
    const previousTerm = state.log.termAt(previousIndex)
    if (previousTerm === null) return wantSnapshot(state, peer, progress)
    const upToDate = progress.next > state.log.lastIndex
    const commitNews = progress.commitTold < Math.min(state.commit, state.log.lastIndex)
    if (upToDate && progress.state === 'replicate' && !commitNews) return
    const entries = upToDate
      ? []
      : state.log.slice(progress.next, state.log.lastIndex, appendBytesMax)
    state.send(peer, {
      kind: 'append',
      term: state.term,
      previousIndex,
      previousTerm,
      entries,
      commit: state.commit,
    })
    const last = previousIndex + entries.length
    progress.commitTold = Math.min(state.commit, last)
    if (entries.length > 0 || progress.state === 'probe') {
      progress.sent(
        last,
        entries.reduce((bytes, entry) => bytes + entryBytes(entry), 0),
      )
    } else {
      return
    }
  }
}

/** A follower has entries durably, or says where its log may agree (5.3). */
export function receiveAppendReply(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'appendReply'>,
): void {
  const progress = state.progress.get(from)
  if (state.role !== 'leader' || progress === undefined) return
  progress.silentTicks = 0
  if (message.success) {
    if (message.index > state.log.lastIndex) return
    // Its snapshot is in, although the reply that says so was lost.
    const installed = Math.min(state.log.baseIndex, progress.delivered ?? state.log.baseIndex)
    if (progress.state === 'snapshot' && message.index >= installed) {
      state.snapshotTicks.delete(from)
      progress.becomeProbe()
    }
    progress.acknowledged(message.index)
    return
  }
  // Skip the whole of a term that the follower's hint rules out.
  let agree = message.index
  while (agree > state.log.baseIndex && (state.log.termAt(agree) ?? 0) > message.hintTerm) {
    agree -= 1
  }
  progress.rejected(message.previousIndex, agree)
}

/**
 * 5.3, 5.4.2: a majority has it durably, and it is of the leader's own term. True when the commit
 * index rose.
 */
export function advanceCommit(state: RaftState): boolean {
  const { id } = state.options
  const index = quorumValue(state.voters(), (voter) =>
    voter === id ? state.log.persisted : (state.progress.get(voter)?.match ?? 0),
  )
  if (index <= state.commit || state.log.termAt(index) !== state.term) return false
  for (const entry of state.log.slice(state.commit + 1, index, Number.POSITIVE_INFINITY)) {
    if (entry.kind === 'requests') state.uncommittedBytes -= entry.payload.length
  }
  state.uncommittedBytes = Math.max(0, state.uncommittedBytes)
  state.commitTo(index)
  return true
}

function wantSnapshot(state: RaftState, peer: PeerId, progress: Progress): void {
  // Nobody takes a snapshot for a peer that does not answer.
  if (progress.silentTicks >= state.options.electionTicks) return
  progress.becomeSnapshot()
  state.snapshotTicks.set(peer, 0)
  state.output.snapshotsWanted.push({ to: peer, index: state.log.baseIndex })
}

/** A follower has a snapshot up to an index, or could not take it: it is probed from there. */
export function receiveSnapshotReply(
  state: RaftState,
  from: PeerId,
  message: MessageOf<'snapshotReply'>,
): void {
  const progress = state.progress.get(from)
  if (state.role !== 'leader' || progress === undefined) return
  progress.silentTicks = 0
  if (progress.state !== 'snapshot') return
  state.snapshotTicks.delete(from)
  progress.becomeProbe()
  if (message.success && message.index <= state.log.lastIndex) {
    progress.acknowledged(message.index)
    progress.becomeProbe()
  }
}

/**
 * The reply that a snapshot is in may be lost: an append that any log takes makes the follower say
 * how far it is (simulation seed 1391).
 */
export function askForSnapshot(state: RaftState, peer: PeerId): void {
  if (state.progress.get(peer)?.state !== 'snapshot') return
  state.send(peer, {
    kind: 'append',
    term: state.term,
    previousIndex: 0,
    previousTerm: 0,
    entries: [],
    commit: 0,
  })
}

export function snapshotDelivered(state: RaftState, peer: PeerId, index: LogIndex): void {
  const progress = state.progress.get(peer)
  if (progress?.state === 'snapshot') progress.delivered = index
}

/** No snapshot arrived: the follower is probed, and asks for another if it still needs one. */
export function snapshotFailed(state: RaftState, peer: PeerId): void {
  state.snapshotTicks.delete(peer)
  const progress = state.progress.get(peer)
  if (progress?.state === 'snapshot') progress.becomeProbe()
}

/** The link to a peer broke: what was under way is taken for lost. */
export function linkBroke(state: RaftState, peer: PeerId): void {
  state.snapshotTicks.delete(peer)
  state.progress.get(peer)?.becomeProbe()
}

/** One Progress for each other member; those removed stay until they know. */
export function syncProgress(state: RaftState): void {
  const ids = new Set(state.log.members.map((member) => member.id))
  ids.delete(state.options.id)
  for (const id of ids) {
    const progress = state.progress.get(id) ?? new Progress(state.log.lastIndex + 1)
    progress.departsAt = null
    state.progress.set(id, progress)
  }
  for (const [id, progress] of state.progress) {
    if (!ids.has(id)) progress.departsAt ??= state.log.membersIndex
  }
}

/** A removed peer is let go when it has been told, or when it does not answer. */
export function dropDeparted(state: RaftState): void {
  for (const [peer, { departsAt, match, commitTold, silentTicks }] of state.progress) {
    if (departsAt === null || departsAt > state.commit) continue
    const told = match >= departsAt && commitTold >= departsAt
    if (told || silentTicks >= state.options.electionTicks) state.progress.delete(peer)
  }
}
