import type { Audit } from '../audit/audit.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation, RequestResult } from '../core/machine/operation.ts'
import type { Identity } from '../core/tree/acl.ts'
import type { Ensemble, Outcome } from '../ensemble/ensemble.ts'
import { CodedError } from '../errors.ts'

/** Calls of HTTP routes into the ensemble, as promises with a deadline. */
export class EnsembleCall {
  readonly #ensemble: Ensemble
  readonly #apiTimeoutMs: number
  readonly #forwardTimeoutMs: number
  readonly #audit: Audit

  constructor(
    ensemble: Ensemble,
    options: {
      readonly apiTimeoutMs: number
      readonly forwardTimeoutMs: number
      readonly audit: Audit
    },
  ) {
    this.#ensemble = ensemble
    this.#apiTimeoutMs = options.apiTimeoutMs
    this.#forwardTimeoutMs = options.forwardTimeoutMs
    this.#audit = options.audit
  }

  /** A follower must pass the call on, which has a limit of its own. */
  get #timeoutMs(): number {
    const forwarded = !this.#ensemble.isLeader
    return forwarded ? Math.min(this.#apiTimeoutMs, this.#forwardTimeoutMs) : this.#apiTimeoutMs
  }

  /** Applies one operation; ZooKeeper's refusals are in `error`, all others are thrown. */
  async write(operation: Operation, identities: readonly Identity[]): Promise<RequestResult> {
    const outcome = await this.#within<Outcome>((done) =>
      this.#ensemble.submit({ session: 0, connection: 0, identities, operation }, (outcome) => {
        this.#tell(operation, identities, outcome)
        done(outcome)
      }),
    )
    if (outcome.kind === 'applied') return outcome.result
    if (outcome.kind === 'lost') {
      throw new CodedError('OUTCOME_UNKNOWN', 'the leader changed; the write may yet be applied')
    }
    switch (outcome.reason) {
      case 'noLeader':
        throw new CodedError('NO_LEADER', 'there is no leader now')
      case 'overloaded':
        throw new CodedError('SERVER_BUSY', 'too many requests are waiting')
      case 'diskFull':
        throw new CodedError('DISK_FULL', 'the disk of this server has no space')
      case 'notFormed':
        throw new CodedError('NOT_FORMED', 'too few of the expected servers have joined yet')
      case 'stopping':
        throw new CodedError('STOPPING', 'this server is stopping')
    }
  }

  #tell(operation: Operation, identities: readonly Identity[], outcome: Outcome): void {
    if (!this.#audit.tells(operation)) return
    const address = identities.find(({ scheme }) => scheme === 'ip')?.id ?? ''
    this.#audit.write({ session: 0, identities, address }, operation, outcome)
  }

  /** Returns when local reads see all that was committed before the call (ReadIndex). */
  async barrier(): Promise<void> {
    const ok = await this.#within<boolean>((done) => this.#ensemble.barrier(done))
    if (!ok) throw new CodedError('NO_LEADER', 'no leader confirmed the read')
  }

  #within<T>(call: (done: (value: T) => void) => void): Promise<T> {
    const timeoutMs = this.#timeoutMs
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CodedError('REQUEST_TIMEOUT', `no result in ${timeoutMs} ms`)),
        timeoutMs,
      )
      call((value) => {
        clearTimeout(timer)
        resolve(value)
      })
    })
  }
}

/** A refusal of the tree: by an ACL, or one that a route did not expect, with ZooKeeper's code in words. */
export function refused(error: ErrorCode): CodedError {
  if (error === ErrorCode.noAuth) {
    return new CodedError('ZNODE_FORBIDDEN', 'the ACL of the znode does not let you')
  }
  const name = Object.entries(ErrorCode).find(([, code]) => code === error)?.[0] ?? String(error)
  return new CodedError('TREE_REFUSED', name, { zookeeperCode: error })
}
