import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { RaftStatus } from '../core/raft/step.ts'
import type { Transport } from '../transport/transport.ts'
import type { Ensemble } from './ensemble.ts'
import { commonVersion, type Membership } from './membership.ts'
import { CLUSTER_VERSION_MAX } from './replica-options.ts'
import type { SessionDuty } from './session-duty.ts'

export interface LeaderDutiesOptions {
  readonly transport: Transport
  readonly sessions: SessionDuty
  readonly membership: Membership
  readonly machine: () => StateMachine
  readonly submit: Ensemble['submit']
}

/** What a leader in fresh contact with its quorum does unasked. */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions

  constructor(options: LeaderDutiesOptions) {
    this.#options = options
  }

  /** Ends the sessions that were silent for too long. */
  expireSessions({ term }: RaftStatus): void {
    const { sessions, machine } = this.#options
    for (const target of sessions.expired()) {
      const session = machine().sessions.get(target)
      if (session === undefined) continue
      const { origin: ownerOrigin, connection: ownerConnection } = session
      this.#submit(
        { kind: 'expireSession', target, decidedTerm: term, ownerOrigin, ownerConnection },
        () => sessions.touchAsLeader(target),
      )
    }
  }

  /** Turns on what every member's build can apply by now. */
  raiseClusterVersion(status: RaftStatus): void {
    const { transport, machine } = this.#options
    const own = { id: status.id, versionMax: CLUSTER_VERSION_MAX }
    const version = commonVersion(status.members, transport.links(), own)
    if (version <= machine().clusterVersion) return
    this.#submit({ kind: 'setClusterVersion', version }, () => {})
  }

  /** Makes one learner that has caught up a voter. */
  promote(status: RaftStatus): void {
    this.#options.membership.promote(status)
  }

  /** Hands in a request of the server itself; `failed` is called when it will surely not apply. */
  #submit(operation: Operation, failed: () => void): void {
    const submission = { session: 0, connection: 0, identities: [], operation }
    this.#options.submit(submission, (outcome) => {
      if (outcome.kind === 'refused') failed()
    })
  }
}
