import type { PeerId, SessionId, Term } from '../core/brand.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import { ExpiryQueue } from '../core/session/expiry.ts'
import type { Transport } from '../transport/transport.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import type { Contact, SessionDeadline } from './ensemble.ts'
import type { Environment } from './environment.ts'
import { TouchReport } from './touch-report.ts'

export interface Leading {
  readonly isLeader: boolean
  readonly term: Term
  readonly leader: PeerId | null
}

/**
 * The lives of sessions on one server: as follower it reports who showed life, as leader it decides
 * who did not. Also how sure this server is of its leader, since the reports prove it.
 */
export class SessionDuty {
  readonly #environment: Environment
  readonly #transport: Transport
  readonly #machine: () => StateMachine
  readonly #leading: () => Leading
  readonly #expiry: ExpiryQueue
  readonly #touches = new TouchReport()
  readonly #electionMs: number
  /** The term in which this leader has begun to count silence; 0: it has not. */
  #expiringIn: Term = 0

  constructor(options: {
    readonly environment: Environment
    readonly transport: Transport
    readonly machine: () => StateMachine
    readonly leading: () => Leading
    readonly tickMs: number
    readonly electionMs: number
  }) {
    this.#environment = options.environment
    this.#transport = options.transport
    this.#machine = options.machine
    this.#leading = options.leading
    this.#expiry = new ExpiryQueue({ tickMs: options.tickMs })
    this.#electionMs = options.electionMs
  }

  touch(session: SessionId): void {
    if (this.#leading().isLeader) this.touchAsLeader(session)
    else this.#touches.touch(session)
  }

  touchAsLeader(id: SessionId): void {
    const session = this.#machine().sessions.get(id)
    if (session === undefined) return
    this.#expiry.touch(id, session.timeoutMs, this.#environment.nowMs())
  }

  ended(session: SessionId): void {
    this.#expiry.remove(session)
  }

  /** The follower's report to its leader. */
  report(): void {
    const { isLeader, leader, term } = this.#leading()
    if (leader === null || isLeader) return
    const report = this.#touches.next(this.#environment.nowMs())
    this.#transport.send(leader, { kind: 'touch', term, ...report })
  }

  reportReceived(from: PeerId, frame: Extract<PeerFrame, { kind: 'touch' }>): void {
    const { isLeader, term } = this.#leading()
    if (!isLeader || frame.term !== term) return
    for (const session of frame.sessions) this.touchAsLeader(session)
    this.#transport.send(from, { kind: 'touchReply', term, sequence: frame.sequence })
  }

  reportAnswered(from: PeerId, frame: Extract<PeerFrame, { kind: 'touchReply' }>): void {
    const { leader, term } = this.#leading()
    if (from === leader && frame.term === term) this.#touches.answered(frame.sequence)
  }

  /** `raftAgeMs`: since this server heard its leader, or the leader a quorum. */
  contact(raftAgeMs: number): Contact {
    const provenAgeMs = this.#leading().isLeader
      ? 0
      : this.#touches.ageMs(this.#environment.nowMs())
    const ageMs = Math.max(raftAgeMs, provenAgeMs)
    if (ageMs < this.#electionMs) return 'fresh'
    return ageMs < 2 * this.#electionMs ? 'stale' : 'lost'
  }

  /**
   * As a leader in fresh contact with its quorum: the sessions whose timeout has passed in silence.
   * A fresh leader, or one that stood still, first gives every session its full timeout.
   */
  expired(): SessionId[] {
    const { term } = this.#leading()
    const nowMs = this.#environment.nowMs()
    if (this.#expiringIn !== term) {
      this.#expiringIn = term
      this.#expiry.resetAll(nowMs, this.#machine().sessions.all())
    }
    return this.#expiry.expired(nowMs)
  }

  /** The deadlines that this leader keeps, soonest first; none on other servers. */
  deadlines(): readonly SessionDeadline[] {
    const { isLeader, term } = this.#leading()
    if (!isLeader || this.#expiringIn !== term) return []
    const nowMs = this.#environment.nowMs()
    return this.#expiry
      .deadlines()
      .map(({ atMs, sessions }) => ({ inMs: Math.round(atMs - nowMs), sessions }))
  }

  leaderChanged(): void {
    this.#expiringIn = 0
    this.#touches.forgetProofs()
  }

  /** Nothing that this process believed before it stood still is fresh. */
  paused(): void {
    this.#expiringIn = 0
    this.#touches.distrust()
  }
}
