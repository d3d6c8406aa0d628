import type { LogIndex, PeerId } from '../brand.ts'
import type { MessageOf } from './message.ts'
import { confirmedRound } from './rounds.ts'
import type { RaftState } from './state.ts'

/** A read of this peer's own clients: queued at the leader, passed on to it by a follower. */
export function requestRead(state: RaftState, context: number): void {
  if (state.role === 'leader') state.reads.add(context, null)
  else if (state.leader === null) refuseRead(state, context)
  else {
    state.reads.forwarded(context)
    state.send(state.leader, { kind: 'readIndex', term: state.term, context })
  }
}

/** A follower asks on behalf of its clients. */
export function receiveRead(state: RaftState, from: PeerId, message: MessageOf<'readIndex'>): void {
  if (state.role === 'leader') state.reads.add(message.context, from)
  else answerRead(state, from, message.context, -1)
}

/** The leader's answer to a read that was passed on. */
export function receiveReadReply(state: RaftState, message: MessageOf<'readIndexReply'>): void {
  if (!state.reads.answered(message.context)) return
  const index = message.accepted ? message.index : -1
  state.output.reads.push({ context: message.context, index })
}

/** Answers the reads whose round a majority confirmed (thesis, 6.4). */
export function confirmReads(state: RaftState): void {
  for (const read of state.reads.takeConfirmed(confirmedRound(state))) {
    if (read.from === null) {
      state.output.reads.push({ context: read.context, index: read.index })
    } else {
      answerRead(state, read.from, read.context, read.index)
    }
  }
}

/** Tells a follower its read index; -1: refused. */
export function answerRead(state: RaftState, to: PeerId, context: number, index: LogIndex): void {
  const accepted = index >= 0
  state.send(to, { kind: 'readIndexReply', term: state.term, context, index, accepted })
}

/** Refuses a read of this peer's own clients. */
export function refuseRead(state: RaftState, context: number): void {
  state.output.reads.push({ context, index: -1 })
}

/** Refuses all that wait: whoever was to confirm them leads no more. */
export function refuseReads(state: RaftState): void {
  for (const context of state.reads.takeForwarded()) refuseRead(state, context)
  for (const read of state.reads.takeAll()) {
    if (read.from === null) refuseRead(state, read.context)
    else answerRead(state, read.from, read.context, -1)
  }
}
