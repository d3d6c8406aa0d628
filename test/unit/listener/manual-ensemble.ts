import type { Batch, Operation, Request } from '../../../server/core/machine/operation.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import type { Member } from '../../../server/core/raft/message.ts'
import type { RaftStatus, Role } from '../../../server/core/raft/step.ts'
import type { Identity } from '../../../server/core/tree/acl.ts'
import { WatchTable } from '../../../server/core/watch/watch-table.ts'
import { noMeasures } from '../../../server/ensemble/counters.ts'
import type {
  Contact,
  Ensemble,
  EnsembleCounter,
  EnsembleHooks,
  EnsembleStatus,
  Outcome,
  ReconfigDone,
  SessionDeadline,
  Submission,
} from '../../../server/ensemble/ensemble.ts'
import { COUNTERS } from '../../../server/metrics/metrics.ts'
import type { Reconfig } from '../../../server/wire/operations/reconfig.ts'

interface Waiting {
  readonly request: Request
  readonly done: (outcome: Outcome) => void
}

export const MEMBER: Member = {
  id: 'id-1',
  name: '1',
  role: 'voter',
  observer: false,
  peerAddress: '127.0.0.1:2888',
  clientAddress: '127.0.0.1:2181',
  httpAddress: '127.0.0.1:8080',
}

const TIME_MS = 1_700_000_000_000

/**
 * An ensemble that does nothing by itself: the test says when what was handed in commits, when a
 * barrier passes and when a turn ends. The tree, sessions and watches are the real ones.
 */
export class ManualEnsemble implements Ensemble {
  readonly origin = 77
  readonly machine = new StateMachine()
  readonly watches = new WatchTable()
  contact: Contact = 'fresh'
  isLeader = true
  ready = true
  readOnly = false
  /** What a hand-in is answered at once instead of waiting. */
  refusal: Extract<Outcome, { kind: 'refused' }>['reason'] | null = null
  /** Commit at hand-in, let barriers pass at once: for tests of what is not about order. */
  immediate = false
  role: Role = 'leader'
  leader: string | null = 'id-1'
  members: readonly Member[] = [MEMBER]
  progress: RaftStatus['progress'] = []
  notReadyReason = 'no leader'
  transferAnswer: ReturnType<Ensemble['transferLeadership']> = 'started'
  removalRefusal: string | null = null
  readmissionRefusal: string | null = null
  snapshotRefusal: string | null = null
  deadlines: readonly SessionDeadline[] = []
  leadershipRequests = 0
  readonly transfers: (string | null)[] = []
  readonly removals: string[] = []
  readonly reconfigurations: {
    readonly request: Reconfig
    readonly identities: readonly Identity[]
    readonly done: ReconfigDone
  }[] = []
  readonly readmissions: string[] = []
  readonly touched: number[] = []
  readonly submitted: Submission[] = []
  readonly counters = Object.fromEntries(Object.keys(COUNTERS).map((name) => [name, 0])) as Record<
    EnsembleCounter,
    number
  >
  readonly measures = noMeasures()
  #waiting: Waiting[] = []
  #barriers: ((ok: boolean) => void)[] = []
  #hooks: EnsembleHooks | null = null

  setHooks(hooks: EnsembleHooks): void {
    this.#hooks = hooks
  }

  submit(submission: Submission, done: (outcome: Outcome) => void): void {
    if (this.refusal !== null) return done({ kind: 'refused', reason: this.refusal })
    this.submitted.push(submission)
    const request = { ...submission, origin: this.origin, ticket: this.submitted.length }
    this.#waiting.push({ request, done })
    if (this.immediate) this.commitAll()
  }

  barrier(done: (ok: boolean) => void): void {
    if (this.immediate) done(this.leader !== null)
    else this.#barriers.push(done)
  }

  touch(session: number): void {
    this.touched.push(session)
  }

  scheduleTurn(): void {
    if (this.immediate) queueMicrotask(() => this.endTurn())
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get barriers(): number {
    return this.#barriers.length
  }

  /** Commits what was handed in, oldest first, and ends the turn. */
  commitAll(): void {
    while (this.#waiting.length > 0) this.commit(0)
    this.endTurn()
  }

  /** Commits the `position`-th of what waits, so that others may be overtaken. */
  commit(position: number): void {
    const [waiting] = this.#waiting.splice(position, 1)
    if (waiting === undefined) throw new Error('nothing waits there')
    this.#apply(waiting.request, waiting.done)
  }

  /** What waits is lost, as at a change of leader. */
  loseAll(): void {
    const lost = this.#waiting
    this.#waiting = []
    for (const { done } of lost) done({ kind: 'lost' })
  }

  /** A write of someone else: another server's client, or the system. */
  applyForeign(operation: Operation, sender: { session?: number; origin?: number } = {}): void {
    const { session = 0, origin = 1234 } = sender
    this.#apply({ session, origin, connection: 0, ticket: 0, identities: [], operation }, () => {})
    this.endTurn()
  }

  #apply(request: Request, done: (outcome: Outcome) => void): void {
    const batch: Batch = { timeMs: TIME_MS, requests: [request] }
    const index = this.machine.appliedIndex + 1
    const [result] = this.machine.apply({ index, term: 1 }, batch)
    if (result === undefined) throw new Error('a request has a result')
    // As the real one does it: events, ends, moves, then the reply.
    for (const trigger of result.triggers) {
      for (const { watcher, event } of this.watches.trigger(trigger)) {
        this.#hooks?.deliver(watcher.connection, event)
      }
    }
    if (result.result.kind === 'session') {
      this.#hooks?.sessionAttached(result.result.session, request.origin, request.connection)
    }
    done({ kind: 'applied', result })
    for (const session of result.endedSessions) this.#hooks?.sessionEnded(session, [])
  }

  passBarriers(ok = true): void {
    const barriers = this.#barriers
    this.#barriers = []
    for (const done of barriers) done(ok)
    this.endTurn()
  }

  changeContact(contact: Contact): void {
    this.contact = contact
    this.#hooks?.contactChanged(contact)
    this.endTurn()
  }

  /** The quorum is gone, for long enough. */
  beginReadOnly(): void {
    this.ready = false
    this.readOnly = true
    this.leader = null
    this.refusal = 'noLeader'
    this.changeContact('lost')
  }

  /** A leader is found; contact with it is not proved yet. */
  endReadOnly(): void {
    this.readOnly = false
    this.#hooks?.readOnlyEnded()
    this.endTurn()
  }

  endTurn(): void {
    this.#hooks?.turnEnd()
  }

  transferLeadership(to: string | null): ReturnType<Ensemble['transferLeadership']> {
    this.transfers.push(to)
    return this.transferAnswer
  }

  readmitMember(name: string, done: (refusal: string | null) => void): void {
    this.readmissions.push(name)
    done(this.readmissionRefusal)
  }

  reconfigure(request: Reconfig, identities: readonly Identity[], done: ReconfigDone): void {
    this.reconfigurations.push({ request, identities, done })
  }

  removeMember(name: string, done: (refusal: string | null) => void): void {
    this.removals.push(name)
    done(this.removalRefusal)
  }

  requestLeadership(): boolean {
    this.leadershipRequests += 1
    return this.leader !== null && !this.isLeader
  }

  sessionDeadlines(): readonly SessionDeadline[] {
    return this.isLeader ? this.deadlines : []
  }

  takeSnapshot(done: (refusal: string | null, index: number) => void): void {
    done(this.snapshotRefusal, this.machine.appliedIndex)
  }

  status(): EnsembleStatus {
    const { machine } = this
    return {
      name: '1',
      id: 'id-1',
      clusterId: 'cluster',
      raft: this.#raftStatus(),
      tickMs: 50,
      leaderName: this.members.find((member) => member.id === this.leader)?.name ?? null,
      contact: this.contact,
      ready: this.ready,
      readOnly: this.readOnly,
      notReadyReason: this.ready ? '' : this.notReadyReason,
      formed: true,
      zxid: machine.lastZxid,
      znodes: machine.tree.nodeCount,
      sessions: machine.sessions.count,
      ephemerals: machine.tree.ephemeralCount,
      dataBytes: machine.tree.approximateDataSize,
      watches: this.watches.count,
      pendingRequests: this.#waiting.length,
      pendingSyncs: this.#barriers.length,
      leaderUptimeMs: this.role === 'leader' ? 60_000 : 0,
      logBytes: 16_777_216,
      logSegments: 1,
      firstTerm: 2,
      snapshotIndex: 0,
      snapshotZxid: 0,
      snapshotBytes: 0,
      snapshotTimeMs: -1,
      diskFull: false,
      links: [],
      counters: this.counters,
      measures: this.measures,
    }
  }

  #raftStatus(): RaftStatus {
    const { appliedIndex } = this.machine
    return {
      id: 'id-1',
      role: this.role,
      term: 3,
      leader: this.leader,
      commit: appliedIndex,
      applied: appliedIndex,
      persisted: appliedIndex,
      firstIndex: 1,
      lastIndex: appliedIndex,
      lastTerm: 3,
      members: this.members,
      membersIndex: 0,
      contactAgeTicks: 0,
      committedInTerm: true,
      transferTarget: null,
      progress: this.progress,
    }
  }
}
