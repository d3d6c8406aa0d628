import type { PeerId } from '../core/brand.ts'
import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { Transport } from '../transport/transport.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import type { ReconfigDone } from './ensemble.ts'
import type { Environment } from './environment.ts'
import type { Reconfiguration } from './reconfiguration.ts'

export interface ReconfigRequestsOptions {
  readonly environment: Environment
  readonly transport: Transport
  readonly reconfiguration: Reconfiguration
  readonly leader: () => PeerId | null
  readonly isLeader: () => boolean
  readonly clusterVersion: () => number
  /** Random per process: no late answer to a former process is taken for one to this. */
  readonly origin: number
  /** After this long without an answer it is lost. */
  readonly withinMs: number
}

/** Brings reconfigurations of this server's clients to the leader, and its answers back. */
export class ReconfigRequests {
  readonly #options: ReconfigRequestsOptions
  readonly #asked = new Map<number, ReconfigDone>()
  #ticket: number

  constructor(options: ReconfigRequestsOptions) {
    this.#options = options
    this.#ticket = options.origin
  }

  ask(request: Reconfig, identities: readonly Identity[], done: ReconfigDone): void {
    const { reconfiguration, leader, isLeader, clusterVersion, transport } = this.#options
    if (isLeader()) return reconfiguration.begin(request, identities, done)
    const to = leader()
    if (to === null) return done(null)
    // A leader of an older build would not know the frame.
    if (clusterVersion() < SINCE_VERSION.quotas) return done(ErrorCode.unimplemented)
    this.#ticket = (this.#ticket + 1) % Number.MAX_SAFE_INTEGER
    const ticket = this.#ticket
    this.#asked.set(ticket, done)
    transport.send(to, { kind: 'reconfig', ticket, request, identities })
    this.#options.environment.after(this.#options.withinMs, () => this.#settle(ticket, null))
  }

  received(from: PeerId, frame: Extract<PeerFrame, { kind: 'reconfig' }>): void {
    const { reconfiguration, transport } = this.#options
    const { ticket, request, identities } = frame
    reconfiguration.begin(request, identities, (code) =>
      transport.send(from, { kind: 'reconfigReply', ticket, code }),
    )
  }

  answered(frame: Extract<PeerFrame, { kind: 'reconfigReply' }>): void {
    this.#settle(frame.ticket, frame.code)
  }

  /** What the former leader was asked is lost. */
  leadershipChanged(): void {
    for (const ticket of [...this.#asked.keys()]) this.#settle(ticket, null)
  }

  #settle(ticket: number, code: ErrorCode | null): void {
    const done = this.#asked.get(ticket)
    this.#asked.delete(ticket)
    done?.(code)
  }
}
