import { isOneChange } from './membership.ts'
import type { Member } from './message.ts'
import { syncProgress } from './replication.ts'
import type { RaftState } from './state.ts'
import type { RefusalReason } from './step.ts'

/** Appends a batch of requests to the leader's log, or says why not. */
export function propose(state: RaftState, payload: Uint8Array, token: number): void {
  const reason = proposalRefusal(state)
  if (reason !== null) {
    state.output.refused.push({ token, reason })
    return
  }
  const index = state.log.lastIndex + 1
  state.log.append({ kind: 'requests', index, term: state.term, payload })
  state.uncommittedBytes += payload.length
  state.output.accepted.push({ token, index, term: state.term })
}

/** Appends a configuration, which holds from now on (thesis, 4.1), or says why not. */
export function changeMembership(
  state: RaftState,
  members: readonly Member[],
  token: number,
): void {
  const reason = changeRefusal(state, members)
  if (reason !== null) {
    state.output.refused.push({ token, reason })
    return
  }
  const index = state.log.lastIndex + 1
  state.log.append({ kind: 'membership', index, term: state.term, members })
  syncProgress(state)
  state.output.accepted.push({ token, index, term: state.term })
}

function proposalRefusal(state: RaftState): RefusalReason | null {
  if (state.role !== 'leader') return 'notLeader'
  if (state.transferTarget !== null) return 'transferring'
  if (state.uncommittedBytes > state.options.uncommittedBytesMax) return 'queueFull'
  return null
}

function changeRefusal(state: RaftState, members: readonly Member[]): RefusalReason | null {
  const reason = proposalRefusal(state)
  if (reason !== null) return reason
  // Ongaro, raft-dev 2015: a change before the first commit of the term could lose entries.
  if (!state.committedInTerm()) return 'noCommitInTerm'
  if (state.log.membersIndex > state.commit) return 'changeInProgress'
  return isOneChange(state.log.members, members) ? null : 'notOneChange'
}
