import type { PeerId } from '../brand.ts'
import type { Member } from './message.ts'

/** The ids of those who count: learners are in no quorum. */
export function votersOf(members: readonly Member[]): PeerId[] {
  return members.filter((member) => member.role === 'voter').map((member) => member.id)
}

/** The least number of votes that is a majority. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1
}

/**
 * The greatest value that a majority of the voters has reached: for match indexes the index that may
 * commit (Raft, 5.3), for rounds the round that is confirmed. Without voters, -1.
 */
export function quorumValue(voters: readonly PeerId[], reached: (voter: PeerId) => number): number {
  if (voters.length === 0) return -1
  const values = voters.map(reached).sort((left, right) => right - left)
  return values[majority(voters.length) - 1] ?? -1
}

/** How a vote stands. */
export function tally(
  voters: readonly PeerId[],
  votes: ReadonlyMap<PeerId, boolean>,
): 'won' | 'lost' | 'open' {
  let granted = 0
  let refused = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === true) granted += 1
    if (vote === false) refused += 1
  }
  const needed = majority(voters.length)
  if (voters.length > 0 && granted >= needed) return 'won'
  return refused > voters.length - needed ? 'lost' : 'open'
}
