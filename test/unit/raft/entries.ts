import type { Entry, Member, Message } from '../../../server/core/raft/message.ts'
import type { RaftOptions, RaftRestored } from '../../../server/core/raft/step.ts'
import { member } from '../../support/raft-cluster.ts'

export function noop(index: number, term: number): Entry {
  return { kind: 'noop', index, term }
}

export function request(index: number, term: number, bytes = 1): Entry {
  return { kind: 'requests', index, term, payload: new Uint8Array(bytes) }
}

export function membership(index: number, term: number, members: readonly Member[]): Entry {
  return { kind: 'membership', index, term, members }
}

export const THREE = ['a', 'b', 'c'].map((id) => member(id))

export const OPTIONS: RaftOptions = {
  id: 'a',
  electionTicks: 10,
  heartbeatTicks: 2,
  appendBytesMax: 4096,
  inflightAppendsMax: 4,
  inflightBytesMax: 65_536,
  uncommittedBytesMax: 1_000,
  random: () => 0,
  abstain: false,
}

/** A disk with these entries behind an empty beginning, in `term`. */
export function restored(term: number, ...entries: readonly Entry[]): RaftRestored {
  return {
    hardState: { term, votedFor: null, commit: 0 },
    snapshot: { index: 0, term: 0, members: THREE },
    entries,
  }
}

export function append(
  term: number,
  previous: readonly [index: number, term: number],
  entries: readonly Entry[],
  commit = 0,
): Message {
  const [previousIndex, previousTerm] = previous
  return { kind: 'append', term, previousIndex, previousTerm, entries, commit }
}
