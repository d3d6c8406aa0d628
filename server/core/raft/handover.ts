import type { PeerId } from '../brand.ts'
import { becomeFollower } from './election.ts'
import { replicateAll } from './replication.ts'
import type { RaftState } from './state.ts'

/** Hands leadership to a voter: proposals wait until it has the whole log (thesis, 3.10). */
export function transferLeadership(state: RaftState, to: PeerId): void {
  if (state.role !== 'leader' || to === state.options.id) return
  if (!state.voters().includes(to)) return
  // Asked again, it is not given more time: proposals have waited for it long enough.
  if (state.transferTarget === to) return
  state.transferTarget = to
  state.transferElapsed = 0
  state.timeoutNowSent = false
}

/** Thesis, 3.10: when the target has the whole log, it may campaign at once. */
export function continueTransfer(state: RaftState): void {
  const target = state.transferTarget
  if (target === null || state.timeoutNowSent) return
  if (state.progress.get(target)?.match !== state.log.lastIndex) return
  state.timeoutNowSent = true
  state.send(target, { kind: 'timeoutNow', term: state.term })
}

/** A leader that its committed configuration does not name as a voter steps down (thesis, 4.2.2). */
export function resignIfRemoved(state: RaftState): void {
  if (state.log.membersIndex > state.commit) return
  if (state.isVoter()) return
  // The leader removed itself: everyone learns of the commit, and the best follower goes on.
  replicateAll(state)
  const successor = bestVoter(state)
  if (successor !== null) state.send(successor, { kind: 'timeoutNow', term: state.term })
  becomeFollower(state, state.term, null)
}

function bestVoter(state: RaftState): PeerId | null {
  let best: PeerId | null = null
  let bestMatch = -1
  for (const voter of state.voters()) {
    const match = state.progress.get(voter)?.match ?? -1
    if (match > bestMatch) {
      best = voter
      bestMatch = match
    }
  }
  return best
}
