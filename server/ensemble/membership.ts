import type { LogIndex, PeerId, Term } from '../core/brand.ts'
import type { Entry, Member } from '../core/raft/message.ts'
import type { RaftInput, RaftStatus } from '../core/raft/step.ts'
import type { Transport } from '../transport/transport.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'
import type { Environment } from './environment.ts'
import {
  decideForming,
  type Forming,
  foreignCluster,
  foreignRefusal,
  isListed,
  joinReply,
  judgeJoin,
  promotion,
  targetsOf,
} from './joining.ts'
import type { Retirement } from './retirement.ts'

type ChangeDone = (refusal: string | null) => void

/** A change that is in the log: the entry applied at its index tells what became of it. */
interface Appended {
  readonly index: LogIndex
  readonly term: Term
  readonly done: ChangeDone
}

export interface MembershipOptions {
  readonly environment: Environment
  readonly forming: Forming
  /**
   * Who stands in the static list belongs to the ensemble and nobody else does, whoever is removed:
   * always so, unless clients of ZooKeeper may reconfigure it.
   */
  readonly listBinds: boolean
  readonly transport: Transport
  readonly retirement: Retirement
  readonly electionTicks: number
  readonly promotionLagEntries: number
  /** How long a change is waited for after the end of the leadership in which it was proposed. */
  readonly outcomeMsMax: number
  /** The cluster version that whoever is taken in must be able to apply. */
  readonly versionNeeded: () => number
  readonly status: () => RaftStatus
  readonly step: (input: RaftInput) => void
  /** The next token for a Raft proposal. */
  readonly token: () => number
  /** Founds a cluster of this server alone. */
  readonly bootstrap: () => void
  /** Writes the id of the cluster that took this server in. */
  readonly adopt: (clusterId: string) => void
}

/** Joining, changing and promoting: the ensemble's configuration as one server drives it. */
export class Membership {
  readonly #options: MembershipOptions
  #members: readonly Member[] = []
  /** Servers that are not in the configuration yet and must be reached, or reach us. */
  readonly #joiners = new Map<PeerId, string>()
  #targets = ''
  #changeUnderWay = false
  /** Why the ensemble does not take this server in, as its leader says. */
  #refusal: string | null = null
  readonly #proposed = new Map<number, ChangeDone>()
  #appended: Appended[] = []

  constructor(options: MembershipOptions) {
    this.#options = options
  }

  get members(): readonly Member[] {
    return this.#members
  }

  /** Why the ensemble does not take this server in; null while it does, or nothing was heard. */
  get refusal(): string | null {
    return this.#refusal
  }

  /** A change is proposed, and not applied yet. */
  get changing(): boolean {
    return this.#changeUnderWay
  }

  /** Dials whoever should be dialled now; called at the start and when that may have changed. */
  retarget(hello: Hello): void {
    const targets = targetsOf(this.#options.forming, this.#members, hello, this.#joiners)
    const key = targets.join(' ')
    if (key === this.#targets) return
    this.#targets = key
    this.#options.transport.setTargets(targets)
  }

  /** The newest configuration of the log, committed or not. */
  notice(members: readonly Member[], hello: Hello): void {
    if (members === this.#members) return
    this.#members = members
    for (const member of members) this.#joiners.delete(member.id)
    this.retarget(hello)
  }

  /**
   * Asks to be taken in, or founds a cluster, as long as the configuration does not list us. It asks
   * too while no leader is known: a server that was removed while it was away does not hear of it
   * from anyone, since leaders speak to members only (simulation seed 76 as of 2fa8dc3).
   */
  seek(hello: Hello): void {
    const { forming, transport } = this.#options
    const links = transport.links()
    if (hello.clusterId === '') {
      const step = decideForming(forming, hello, links)
      if (step === 'bootstrap') return this.#options.bootstrap()
      if (step === 'wait') return
    }
    const foreign = foreignCluster(forming, hello, links)
    if (foreign !== null) return this.#refused(foreignRefusal(hello, foreign))
    const led = this.#options.status().leader !== null
    if (led && isListed(this.#members, hello)) {
      this.#refusal = null
      return
    }
    for (const link of links) {
      if (link.clusterId !== '') transport.send(link.id, { kind: 'join', hello })
    }
  }

  joinReceived(from: PeerId, joiner: Hello, own: Hello): void {
    if (joiner.id !== from || own.clusterId === '') return
    const status = this.#options.status()
    const refusal = this.#judge(joiner, own, status)
    if (status.role === 'leader') {
      // Links have a direction: the answer reaches only whom we dial, also one that is refused.
      this.#joiners.set(from, joiner.peerAddress)
      this.retarget(own)
    }
    this.#options.transport.send(from, joinReply(own.clusterId, status, refusal))
  }

  #judge(joiner: Hello, own: Hello, status: RaftStatus): string | null {
    if (joiner.clusterId !== '' && joiner.clusterId !== own.clusterId) {
      return foreignRefusal(joiner, own.clusterId)
    }
    if (status.role !== 'leader') return null
    const { forming, listBinds, electionTicks, retirement, versionNeeded } = this.#options
    if (joiner.versionMax < versionNeeded()) return outdatedRefusal(joiner, versionNeeded())
    if (this.#changeUnderWay) return null
    if (this.#mayBeRetired(joiner)) {
      // A new leader has removals to apply yet: the joiner asks again.
      if (!status.committedInTerm || !retirement.knowsUpTo(status.commit)) return null
      if (retirement.has(joiner.id)) return retiredRefusal(joiner.name)
    }
    const binding = listBinds && forming.kind === 'static' ? forming.servers : null
    const listed = binding?.map(({ name }) => name) ?? null
    const verdict = judgeJoin(joiner, status, electionTicks, listed)
    if (verdict.kind === 'refuse') return verdict.reason
    if (verdict.kind === 'change') this.change(verdict.members, () => {})
    return null
  }

  /** A server of a static list belongs there, whoever removed it: it is taken back. */
  #mayBeRetired(joiner: Hello): boolean {
    if (this.#options.listBinds) return false
    return !this.#members.some((member) => member.id === joiner.id)
  }

  joinAnswered(frame: Extract<PeerFrame, { kind: 'joinReply' }>, own: Hello): void {
    if (frame.refusal !== null) return this.#refused(frame.refusal)
    for (const member of frame.members) {
      if (member.id !== own.id) this.#joiners.set(member.id, member.peerAddress)
    }
    this.retarget(own)
    if (own.clusterId === '' && frame.leader !== null) this.#options.adopt(frame.clusterId)
  }

  /** It asks again and again, and is told the same: once is enough for the log. */
  #refused(reason: string): void {
    if (reason === this.#refusal) return
    this.#refusal = reason
    this.#options.environment.log('warn', 'the ensemble refuses this server', { reason })
  }

  /** As leader: promotes one learner that has caught up. */
  promote(status: RaftStatus): void {
    if (this.#changeUnderWay) return
    const { promotionLagEntries, electionTicks } = this.#options
    const promoted = promotion(status, promotionLagEntries, electionTicks)
    if (promoted !== null) this.change(promoted, () => {})
  }

  /**
   * Proposes one change; `done(null)` when it has been applied, else why not. 'leaderChanged': the
   * log ruled it out, or this server, that leads no more, does not hear what became of it.
   */
  change(members: readonly Member[], done: ChangeDone): void {
    if (this.#options.status().role !== 'leader') return done('notLeader')
    if (this.#changeUnderWay) return done('changeInProgress')
    this.#changeUnderWay = true
    const token = this.#options.token()
    this.#proposed.set(token, done)
    this.#options.step({ kind: 'changeMembership', members, token })
  }

  /**
   * Removes a server. Unless it stands in a static list, that it was removed is committed first: from
   * then on nobody takes the same incarnation back. A removal that fails after that is repeated by
   * whoever wants it; for a server that is in the configuration the note means nothing.
   */
  remove(name: string, done: ChangeDone): void {
    const { listBinds, retirement, status } = this.#options
    const { role: own, membersIndex, commit } = status()
    if (own !== 'leader') return done('notLeader')
    if (this.#changeUnderWay) return done('changeInProgress')
    const leaving = this.#members.find((member) => member.name === name)
    if (leaving === undefined) {
      // Until the newest configuration has committed, whom it leaves out may yet be a member.
      return done(membersIndex > commit ? 'changeInProgress' : 'unknownMember')
    }
    if (!this.#members.some(({ role, id }) => role === 'voter' && id !== leaving.id)) {
      return done('lastVoter')
    }
    if (listBinds) return this.#drop(leaving, done)
    retirement.retire(leaving, (refusal) => {
      // Before the ensemble has formed nothing is written; there is nothing to protect yet either.
      if (refusal === null || refusal === 'notFormed') this.#drop(leaving, done)
      else done(refusal)
    })
  }

  /** Lets a removed server come back with the disk that it has: it asks by itself. */
  readmit(name: string, done: ChangeDone): void {
    if (this.#options.status().role !== 'leader') return done('notLeader')
    if (this.#members.some((member) => member.name === name)) return done('alreadyMember')
    this.#options.retirement.readmit(name, done)
  }

  #drop(leaving: Member, done: ChangeDone): void {
    this.change(
      this.#members.filter((member) => member.id !== leaving.id),
      done,
    )
  }

  /** Raft took the change into the log. */
  accepted(token: number, index: LogIndex, term: Term): void {
    const done = this.#proposed.get(token)
    if (done === undefined) return
    this.#proposed.delete(token)
    this.#appended = [...this.#appended, { index, term, done }]
  }

  /** Raft refused it; false when the token is not a change of ours. */
  refused(token: number, reason: string): boolean {
    const done = this.#proposed.get(token)
    if (done === undefined) return false
    this.#proposed.delete(token)
    this.#changeUnderWay = false
    done(reason)
    return true
  }

  /** An entry has been applied: whoever waits for it, or for one that it rules out, is answered. */
  applied({ index, term, kind }: Pick<Entry, 'index' | 'term' | 'kind'>): void {
    if (kind === 'membership') this.#changeUnderWay = false
    if (this.#appended.length === 0) return
    // Terms never fall along a log: behind an entry of a later term there is none of this one's.
    const decided = (change: Appended): boolean => index >= change.index || term > change.term
    this.#settle(decided, (change) =>
      index === change.index && term === change.term ? null : 'leaderChanged',
    )
  }

  /**
   * What is in the log stays there: a leader that is removed is none any more by the time that its
   * removal is applied, and the next leader commits what a majority has. Callers wait for it no
   * longer than `outcomeMsMax`: it may be that no leader is heard any more.
   */
  leadershipChanged(): void {
    this.#changeUnderWay = false
    const left = this.#appended
    if (left.length > 0) {
      const giveUp = () => this.#settle((change) => left.includes(change), leaderChanged)
      this.#options.environment.after(this.#options.outcomeMsMax, giveUp)
    }
    const waiting = [...this.#proposed.values()]
    this.#proposed.clear()
    for (const done of waiting) done('leaderChanged')
  }

  /** A snapshot took the place of all entries up to its own: none of them is applied here. */
  snapshotInstalled(): void {
    this.#settle(() => true, leaderChanged)
  }

  #settle(decided: (change: Appended) => boolean, outcome: (change: Appended) => string | null) {
    const settled = this.#appended.filter(decided)
    this.#appended = this.#appended.filter((change) => !decided(change))
    for (const change of settled) change.done(outcome(change))
  }
}

const leaderChanged = () => 'leaderChanged'

/** Begins with its code in docs/errors.md. */
function retiredRefusal(name: string): string {
  return `SERVER_RETIRED: server ${name} was removed from the ensemble`
}

/** Begins with its code in docs/errors.md. */
function outdatedRefusal({ name, versionMax }: Hello, needed: number): string {
  const known = `server ${name} knows cluster version ${versionMax} at most`
  return `SERVER_OUTDATED: ${known}, and the ensemble is at ${needed}`
}

/**
 * The voter other than this server that is heard and has the most of the log, or the one that is
 * wanted, if it is heard; null when there is none.
 */
export function bestSuccessor(
  status: RaftStatus,
  silentTicksMax: number,
  wanted: PeerId | null = null,
): PeerId | null {
  const voters = new Set(
    status.members.filter((member) => member.role === 'voter').map((member) => member.id),
  )
  let best: PeerId | null = null
  let bestMatch = -1
  for (const { peer, match, silentTicks } of status.progress) {
    if (peer === status.id || !voters.has(peer)) continue
    if (wanted !== null && peer !== wanted) continue
    if (silentTicks > silentTicksMax || match <= bestMatch) continue
    best = peer
    bestMatch = match
  }
  return best
}

/** The newest version that every member's build can apply; 0 while one of them was not heard. */
export function commonVersion(
  members: readonly Member[],
  links: readonly Hello[],
  own: { readonly id: PeerId; readonly versionMax: number },
): number {
  const versions = new Map(links.map((link) => [link.id, link.versionMax]))
  versions.set(own.id, own.versionMax)
  return Math.min(...members.map((member) => versions.get(member.id) ?? 0))
}
