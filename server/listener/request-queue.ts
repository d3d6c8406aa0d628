import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { Outcome, ReconfigDone } from '../ensemble/ensemble.ts'
import type { ClientRequest, DecodeFailure } from '../wire/client-request.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'

/** What is answered in order. Pings, auth and sasl are answered out of band and never wait. */
export type Answerable =
  | Exclude<ClientRequest, { kind: 'ping' } | { kind: 'auth' } | { kind: 'sasl' }>
  | Extract<DecodeFailure, { kind: 'malformed' }>

/** A request in the connection's order: answered when it is at the head and settled. */
export interface Pending {
  readonly request: Answerable
  readonly receivedAtMs: number
  /** What the log said; null: not yet, or a request that is answered here. */
  outcome: Outcome | null
  /** For sync, reconfig and linearizable reads: what the barrier said. */
  barrier: 'none' | 'waiting' | 'passed' | 'failed'
  answered: boolean
}

/** The connection whose requests these are. */
export interface QueueOwner {
  readonly open: boolean
  submit(operation: Operation, done: (outcome: Outcome) => void): void
  barrier(done: (ok: boolean) => void): void
  reconfigure(request: Reconfig, done: ReconfigDone): void
  /** Answers the request at the head, or ends the connection: true; or it must wait: false. */
  answer(pending: Pending): boolean
  /** Some were answered: there may be room for more. */
  drained(): void
  /** A write was applied before a read ahead of it could be answered. */
  overtaken(): void
}

/**
 * The requests of one connection, first in, first out (B5.1): writes are handed in at once, replies
 * go out in the order of the requests, and a read shows all writes before it and none behind it.
 */
export class RequestQueue {
  readonly #owner: QueueOwner
  readonly #linearizableReads: boolean
  #queue: Pending[] = []
  #head = 0
  /** How many of the queue have been handed in: written, or asked a barrier for. */
  #handedIn = 0
  #barriersWaiting = 0
  #draining = false

  constructor(owner: QueueOwner, linearizableReads: boolean) {
    this.#owner = owner
    this.#linearizableReads = linearizableReads
  }

  /** Requests in work. */
  get outstanding(): number {
    return this.#queue.length - this.#head
  }

  push(request: Answerable, receivedAtMs: number): void {
    const barrier = request.kind === 'reconfig' ? 'waiting' : 'none'
    this.#queue.push({ request, receivedAtMs, outcome: null, barrier, answered: false })
    this.#handInAll()
    this.drain()
  }

  /** Answers from the head of the queue, as far as it goes. */
  drain(): void {
    if (this.#draining) return
    this.#draining = true
    while (this.#owner.open && this.#head < this.#queue.length) {
      const pending = this.#queue[this.#head]
      if (pending === undefined || !this.#owner.answer(pending)) break
      pending.answered = true
      this.#head += 1
    }
    if (this.#head > 0 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#handedIn -= this.#head
      this.#head = 0
    }
    this.#draining = false
    this.#owner.drained()
  }

  /** The connection has ended: nothing is answered any more. */
  clear(): void {
    this.#queue = []
    this.#head = 0
    this.#handedIn = 0
  }

  /**
   * Hands in what has arrived, up to a write behind a barrier that has not passed: applied before the
   * barrier's request is answered, it would show there.
   */
  #handInAll(): void {
    while (this.#handedIn < this.#queue.length) {
      const pending = this.#queue[this.#handedIn]
      if (pending === undefined) return
      const { request } = pending
      const reads = !['write', 'closeSession', 'reconfig'].includes(request.kind)
      if (!reads && this.#barriersWaiting > 0) return
      this.#handedIn += 1
      if (request.kind === 'write') this.#handIn(pending, request.operation)
      else if (request.kind === 'closeSession') this.#handIn(pending, { kind: 'closeSession' })
      else if (request.kind === 'reconfig') this.#reconfigure(pending, request)
      else if (request.kind === 'sync' || this.#linearizableReads) this.#askBarrier(pending)
    }
  }

  #handIn(pending: Pending, operation: Operation): void {
    this.#owner.submit(operation, (outcome) => {
      pending.outcome = outcome
      this.drain()
      const overtook = outcome.kind === 'applied' && !this.#draining && !pending.answered
      if (overtook) this.#owner.overtaken()
    })
  }

  /** The members change first; then it is a read behind a barrier, or a write that failed. */
  #reconfigure(pending: Pending, request: Reconfig): void {
    pending.barrier = 'waiting'
    this.#barriersWaiting += 1
    this.#owner.reconfigure(request, (code) => {
      if (code === ErrorCode.ok) this.#owner.barrier((ok) => this.#passed(pending, ok))
      else if (code === null) this.#passed(pending, false)
      else {
        this.#owner.submit({ kind: 'error', code }, (outcome) => {
          pending.outcome = outcome
          this.#passed(pending, true)
        })
      }
    })
  }

  #askBarrier(pending: Pending): void {
    pending.barrier = 'waiting'
    this.#barriersWaiting += 1
    this.#owner.barrier((ok) => this.#passed(pending, ok))
  }

  #passed(pending: Pending, ok: boolean): void {
    pending.barrier = ok ? 'passed' : 'failed'
    this.#barriersWaiting -= 1
    this.drain()
    if (this.#owner.open) this.#handInAll()
  }
}
