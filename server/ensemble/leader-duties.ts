import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Member } from '../core/raft/message.ts'
import type { RaftStatus } from '../core/raft/step.ts'
import type { Transport } from '../transport/transport.ts'
import { ConfigDuty } from './config-duty.ts'
import { ContainerDuty, type ContainerLimits } from './container-duty.ts'
import type { Ensemble } from './ensemble.ts'
import type { Environment } from './environment.ts'
import { commonVersion, type Membership } from './membership.ts'
import type { Reconfiguration } from './reconfiguration.ts'
import { CLUSTER_VERSION_MAX } from './replica-options.ts'
import type { SessionDuty } from './session-duty.ts'

export interface LeaderDutiesOptions {
  readonly environment: Environment
  readonly limits: ContainerLimits
  readonly transport: Transport
  readonly sessions: SessionDuty
  readonly membership: Membership
  readonly machine: () => StateMachine
  /** The configuration as of what is applied. */
  readonly members: () => readonly Member[]
  readonly reconfiguration: Reconfiguration
  readonly submit: Ensemble['submit']
}

/** What a leader in fresh contact with its quorum does unasked. */
export class LeaderDuties {
  readonly #options: LeaderDutiesOptions
  readonly #containers: ContainerDuty
  readonly #config: ConfigDuty
  /** The cluster version that was asked for last, while its outcome is not known; else 0. */
  #raisingTo = 0

  constructor(options: LeaderDutiesOptions) {
    const { environment, machine, limits, members } = options
    this.#options = options
    this.#containers = new ContainerDuty({
      environment,
      machine,
      limits,
      // A removal that is lost is asked for again at the next look.
      remove: (operation, done) => options.submit(requestOf(operation), done),
    })
    this.#config = new ConfigDuty({
      machine,
      members,
      paused: () => options.reconfiguration.underWay,
      submit: (operation, done) => this.#options.submit(requestOf(operation), done),
    })
  }

  /** At each tick: what is due of the housekeeping. */
  tick(): void {
    this.#containers.tick()
    this.#options.reconfiguration.tick()
    this.#config.tick()
  }

  /** At each tick without the right to do so. */
  rest(): void {
    this.#containers.rest()
    this.#options.reconfiguration.rest()
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

  /** The cluster version that is, or is about to be: no server joins that cannot apply it. */
  get versionNeeded(): number {
    return Math.max(this.#options.machine().clusterVersion, this.#raisingTo)
  }

  /** Turns on what every member's build can apply by now; not while another may become a member. */
  raiseClusterVersion(status: RaftStatus): void {
    if (this.#options.membership.changing) return
    this.#raiseTo(this.#commonVersion(status))
  }

  /**
   * As leader of a new cluster, before anything is written: its first request turns on what the
   * members can apply, and the servers that are linked and have yet to join.
   */
  setFirstVersion(status: RaftStatus): void {
    const linked = this.#options.transport.links().map(({ versionMax }) => versionMax)
    this.#raiseTo(Math.min(this.#commonVersion(status), ...linked))
  }

  #commonVersion({ id, members }: RaftStatus): number {
    const own = { id, versionMax: CLUSTER_VERSION_MAX }
    return commonVersion(members, this.#options.transport.links(), own)
  }

  #raiseTo(version: number): void {
    if (version <= this.versionNeeded) return
    this.#raisingTo = version
    this.#options.submit(requestOf({ kind: 'setClusterVersion', version }), () => {
      this.#raisingTo = 0
    })
  }

  /** Makes one learner that has caught up a voter. */
  promote(status: RaftStatus): void {
    this.#options.membership.promote(status)
  }

  /** Hands in a request of the server itself; `failed` is called when it will surely not apply. */
  #submit(operation: Operation, failed: () => void): void {
    this.#options.submit(requestOf(operation), (outcome) => {
      if (outcome.kind === 'refused') failed()
    })
  }
}

/** Of the server itself. */
function requestOf(operation: Operation) {
  return { session: 0, connection: 0, identities: [], operation }
}
