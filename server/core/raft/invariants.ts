import { assert } from '../assert.ts'
import type { LogIndex, PeerId, Term } from '../brand.ts'
import type { Raft, RaftInspection } from './raft.ts'

/**
 * Checks one peer's state, and its change since the last look, after every step in tests. Basic
 * rules hold in each state; delta rules between two looks of the same process.
 */
export class RaftInvariants {
  #last: RaftInspection | null = null

  /** Returns what it saw, for other checks of this moment. */
  check(raft: Raft): RaftInspection {
    const now = raft.inspect()
    checkBasic(now)
    if (this.#last !== null) checkDelta(this.#last, now)
    this.#last = now
    return now
  }
}

function checkBasic(now: RaftInspection): void {
  assert(now.baseIndex <= now.commit, 'what left memory is committed')
  assert(now.applied <= now.handedOut, 'only handed-out entries are applied')
  assert(now.handedOut <= now.commit, 'only committed entries are handed out')
  assert(now.handedOut <= now.persisted, 'only durable entries are handed out')
  assert(now.commit <= now.lastIndex, 'committed entries are in the log')
  assert(now.persisted <= now.lastIndex, 'durable entries are in the log')
  assert(now.lastTerm <= now.term, 'no entry is of a term to come')
  if (now.role === 'leader') {
    assert(now.leader === now.id, 'a leader knows itself')
    for (const { peer, match } of now.progress) {
      const next = now.nextOf(peer)
      assert(next !== null && match < next, 'match stays below next')
      assert(match <= now.lastIndex, 'nobody matches what is not there')
    }
  }
  if (now.role === 'candidate') assert(now.votedFor === now.id, 'a candidate votes for itself')
}

function checkDelta(before: RaftInspection, now: RaftInspection): void {
  assert(now.term >= before.term, 'the term never falls')
  assert(now.commit >= before.commit, 'the commit index never falls')
  assert(now.handedOut >= before.handedOut, 'nothing is handed out twice')
  if (now.term === before.term && before.votedFor !== null) {
    assert(now.votedFor === before.votedFor, 'a vote is given once in a term')
  }
  if (now.term === before.term && before.leader !== null && now.leader !== null) {
    assert(now.leader === before.leader, 'a term has one leader')
  }
  if (before.role === 'leader' && now.role === 'leader' && before.term === now.term) {
    assert(now.lastIndex >= before.lastIndex, 'a leader only appends')
  }
}

/** What the whole ensemble must keep; give it one of these for a test's life. */
export class EnsembleInvariants {
  readonly #leaders = new Map<Term, PeerId>()
  readonly #committed = new Map<LogIndex, Term>()
  readonly #checkedTo = new Map<PeerId, LogIndex>()

  /** One leader per term (5.2); what one peer has committed no other commits differently (5.4.3). */
  check(rafts: Iterable<Raft>): void {
    for (const raft of rafts) this.checkOne(raft.inspect())
  }

  checkOne(now: RaftInspection): void {
    if (now.role === 'leader') {
      const other = this.#leaders.get(now.term)
      assert(other === undefined || other === now.id, `term ${now.term} has one leader`)
      this.#leaders.set(now.term, now.id)
    }
    this.#checkCommitted(now)
  }

  #checkCommitted(now: RaftInspection): void {
    const from = Math.max(now.baseIndex, this.#checkedTo.get(now.id) ?? 0)
    for (let index = from + 1; index <= now.commit; index += 1) {
      const term = now.termAt(index)
      if (term === null) continue
      const known = this.#committed.get(index)
      assert(known === undefined || known === term, `index ${index} is committed once`)
      this.#committed.set(index, term)
    }
    this.#checkedTo.set(now.id, now.commit)
  }
}
