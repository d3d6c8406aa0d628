import type { PeerId } from '../core/brand.ts'
import type { Member } from '../core/raft/message.ts'
import type { Contact } from './ensemble.ts'

/** What decides whether a server may serve clients. */
export interface ReadinessView {
  readonly running: boolean
  readonly belongs: boolean
  readonly id: PeerId
  readonly members: readonly Member[]
  /** Why the ensemble does not take this server in, with a code; null when it does. */
  readonly refused: string | null
  readonly leader: PeerId | null
  readonly formed: boolean
  readonly contact: Contact
  readonly installing: boolean
  /** Committed entries that are not applied here yet. */
  readonly lag: number
}

/**
 * Whether the state here may be shown to clients that asked for no more than that: a member's that has
 * lost its leader, as far as it is known to be committed. A server that hears a leader and is not heard
 * is none, nor one that was never promoted.
 */
export function mayServeReadOnly(view: ReadinessView): boolean {
  const self = view.members.find((member) => member.id === view.id)
  return (
    view.running &&
    view.belongs &&
    view.refused === null &&
    (self?.role === 'voter' || self?.observer === true) &&
    view.leader === null &&
    view.formed &&
    view.contact === 'lost' &&
    !view.installing &&
    view.lag === 0
  )
}

/** Whether this server may be given clients; it remembers whether it ever was up to date. */
export class Readiness {
  readonly #lagMax: number
  #caughtUpOnce = false

  /** With `lagMax` entries behind a server counts as caught up; with ten times as many no longer. */
  constructor(lagMax: number) {
    this.#lagMax = lagMax
  }

  /** Why clients should go elsewhere, in words; '' when they are welcome. */
  refusal(view: ReadinessView): string {
    if (!view.running) return 'stopping'
    if (view.refused !== null) return view.refused
    if (!view.belongs) return 'belongs to no cluster yet'
    const self = view.members.find((member) => member.id === view.id)
    if (self === undefined) return 'not in the configuration'
    if (self.role === 'learner' && !self.observer) return 'catching up before promotion'
    if (view.leader === null) return 'no leader'
    if (!view.formed) return 'too few of the expected voters are in'
    if (view.contact !== 'fresh') return `contact with the leader is ${view.contact}`
    if (view.installing) return 'installing a snapshot'
    if (!this.#isCaughtUp(view.lag)) return 'catching up with the log'
    return ''
  }

  #isCaughtUp(lag: number): boolean {
    if (lag <= this.#lagMax) this.#caughtUpOnce = true
    return this.#caughtUpOnce && lag < 10 * this.#lagMax
  }
}
