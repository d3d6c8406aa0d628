import type { PeerId } from '../brand.ts'
import { becomeFollower, hasLease } from './election.ts'
import { rejectAppend } from './following.ts'
import type { Message } from './message.ts'
import { answerRead } from './reads.ts'
import type { RaftState } from './state.ts'

/** A message of an older term: its sender learns the present one, and steps down if it led. */
export function receiveStale(state: RaftState, from: PeerId, message: Message): void {
  if (message.kind === 'append' || message.kind === 'heartbeat') {
    const previousIndex = message.kind === 'append' ? message.previousIndex : 0
    rejectAppend(state, from, previousIndex, 0, 0)
  }
  if (message.kind === 'preVote') {
    state.sendAfterPersist(from, { kind: 'preVoteReply', term: state.term, granted: false })
  }
  if (message.kind === 'readIndex') answerRead(state, from, message.context, -1)
}

/** Takes over a newer term, where the message is a reason to; false: the message is ignored. */
export function adoptTerm(state: RaftState, from: PeerId, message: Message): boolean {
  switch (message.kind) {
    case 'preVote':
      return true
    case 'preVoteReply':
      // A grant names the term that was sought; a refusal names the term that is.
      if (!message.granted) becomeFollower(state, message.term, null)
      return message.granted
    case 'vote':
      if (!message.transfer && hasLease(state)) return false
      becomeFollower(state, message.term, null)
      return true
    case 'append':
    case 'heartbeat':
      becomeFollower(state, message.term, from)
      return true
    case 'timeoutNow':
      becomeFollower(state, message.term, from)
      return true
    default:
      becomeFollower(state, message.term, null)
      return true
  }
}
