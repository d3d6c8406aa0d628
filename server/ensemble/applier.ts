import type { Term } from '../core/brand.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { RequestResult } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Entry, Member, SnapshotMeta } from '../core/raft/message.ts'
import type { WatchTable } from '../core/watch/watch-table.ts'
import { decodeBatch } from '../wire/request-codec.ts'
import type { Counters } from './counters.ts'
import type { EnsembleHooks, Measures } from './ensemble.ts'
import type { SessionDuty } from './session-duty.ts'
import type { Submissions } from './submissions.ts'

export interface ApplierOptions {
  readonly machine: StateMachine
  /** What the machine was loaded from. */
  readonly snapshot: SnapshotMeta
  readonly watches: WatchTable
  readonly counters: Counters
  readonly watchesFired: Measures['watchesFired']
  readonly submissions: Submissions
  readonly sessions: SessionDuty
  readonly hooks: () => EnsembleHooks
  readonly leads: () => boolean
  readonly events: ApplierEvents
}

export interface ApplierEvents {
  /** A batch of `bytes`, stamped `timeMs` by its leader, is about to change the machine. */
  batchApplied(bytes: number, timeMs: number, requests: number): void
  /** The entry is applied and its results are dealt out. */
  entryApplied(entry: Entry, results: readonly RequestResult[]): void
}

/** Applies committed entries to the state machine, once each, and deals out what they caused. */
export class Applier {
  readonly #options: ApplierOptions
  #machine: StateMachine
  /** The configuration and term as of the last applied entry, for snapshots. */
  #members: readonly Member[]
  #term: Term

  constructor(options: ApplierOptions) {
    this.#options = options
    this.#machine = options.machine
    this.#members = options.snapshot.members
    this.#term = options.snapshot.term
  }

  get machine(): StateMachine {
    return this.#machine
  }

  /** What a snapshot of the machine as it is now stands for. */
  get position(): SnapshotMeta {
    return { index: this.#machine.appliedIndex, term: this.#term, members: this.#members }
  }

  /** A received snapshot takes the place of all that was applied. */
  replace(machine: StateMachine, meta: SnapshotMeta): void {
    this.#machine = machine
    this.#members = meta.members
    this.#term = meta.term
  }

  /** Takes a committed entry; entries come in the order of the log, without gaps. */
  apply(entry: Entry): void {
    const { counters, events } = this.#options
    this.#term = entry.term
    let results: readonly RequestResult[] = []
    if (entry.kind === 'requests') {
      const batch = decodeBatch(entry.payload)
      counters.appliedRequests += batch.requests.length
      counters.appliedBytes += entry.payload.length
      events.batchApplied(entry.payload.length, batch.timeMs, batch.requests.length)
      // One by one: a read between two writes of a batch sees the first and not the second, and no
      // client sees a change of another before the event that tells of it.
      results = this.#machine.apply(entry, batch, (result) => this.#dealOut(result))
    } else {
      this.#machine.skip(entry.index)
      if (entry.kind === 'membership') this.#members = entry.members
    }
    events.entryApplied(entry, results)
  }

  /** Watch events first, then the reply that reveals the change, then the end of sessions. */
  #dealOut(applied: RequestResult): void {
    const { watches, watchesFired, counters, submissions, sessions, leads } = this.#options
    const hooks = this.#options.hooks()
    for (const trigger of applied.triggers) {
      const deliveries = watches.trigger(trigger)
      if (deliveries.length > 0) watchesFired[trigger.event].note(deliveries.length)
      for (const { watcher, event } of deliveries) hooks.deliver(watcher.connection, event)
    }
    const { request, result } = applied
    if (result.kind === 'session' && applied.error === ErrorCode.ok) {
      if (leads()) sessions.touchAsLeader(result.session)
      hooks.sessionAttached(result.session, request.origin, request.connection)
    }
    submissions.settle(applied)
    for (const session of applied.endedSessions) {
      sessions.ended(session)
      if (request.operation.kind === 'expireSession') counters.sessionsExpired += 1
      const deleted = applied.triggers.filter(({ event }) => event === 'deleted')
      hooks.sessionEnded(
        session,
        deleted.map(({ path }) => path),
      )
    }
  }
}
