import type { Term } from '../core/brand.ts'
import type { RequestResult } from '../core/machine/operation.ts'
import { JuteWriter } from '../wire/jute.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import { encodeBatch, writeRequest } from '../wire/request-codec.ts'
import type { Outcome, Submission, SubmitRefusal } from './ensemble.ts'

/** Encoded requests on their way into one log entry, and the tickets among them that are ours. */
export interface SealedBatch {
  readonly bytes: Uint8Array
  readonly count: number
  /** Our own tickets from `firstTicket` to `lastTicket`; none when first > last. */
  readonly firstTicket: number
  readonly lastTicket: number
}

interface Forward {
  readonly sequence: number
  readonly batch: SealedBatch
}

/** Streams of forwards that a leader remembers; each follower has one at a time. */
const STREAMS_MAX = 1024

export interface SubmissionLimits {
  readonly batchBytesMax: number
  readonly pendingRequestsMax: number
  readonly pendingBytesMax: number
}

/**
 * The requests of this server's clients between hand-in and outcome, and the reliable, ordered
 * stream of forwards between a follower and its leader.
 *
 * A request is in exactly one place: `open` (this turn's), `sealed` (waiting for a leader that can
 * take it: surely not applied yet), or underway (proposed or forwarded: only the log can tell).
 */
export class Submissions {
  readonly #origin: number
  readonly #limits: SubmissionLimits
  readonly #pending = new Map<number, (outcome: Outcome) => void>()
  #open = new JuteWriter()
  #openCount = 0
  #openFirstTicket = 1
  #lastTicket = 0
  #sealed: SealedBatch[] = []
  #waitingBytes = 0
  /** Forwards to the leader of the present term that it has not taken yet, oldest first. */
  #forwards: Forward[] = []
  #nextSequence = 1
  #stream: number
  /**
   * As leader: the next forward expected of each stream, those heard last at the end. By stream, not
   * by peer: a peer that restarts within the term, or loses this leader for a while and finds it
   * again, counts anew.
   */
  readonly #expected = new Map<number, number>()

  constructor(origin: number, limits: SubmissionLimits) {
    this.#origin = origin
    this.#stream = origin
    this.#limits = limits
  }

  get pendingCount(): number {
    return this.#pending.size
  }

  /** True when requests wait to be proposed or forwarded. */
  get waiting(): boolean {
    return this.#openCount > 0 || this.#sealed.length > 0
  }

  get unacknowledgedForwards(): number {
    return this.#forwards.length
  }

  /** Takes a request, or says that there is no room for it. */
  add(submission: Submission, done: (outcome: Outcome) => void): boolean {
    const full =
      this.#pending.size >= this.#limits.pendingRequestsMax ||
      this.#waitingBytes + this.#open.length >= this.#limits.pendingBytesMax
    if (full) return false
    this.#lastTicket += 1
    writeRequest(this.#open, {
      session: submission.session,
      origin: this.#origin,
      connection: submission.connection,
      ticket: this.#lastTicket,
      identities: submission.identities,
      operation: submission.operation,
    })
    this.#openCount += 1
    this.#pending.set(this.#lastTicket, done)
    this.#sealWhenLarge()
    return true
  }

  /** As leader: takes the requests of a follower's forward into the present batch. */
  addForwarded(requests: Uint8Array, count: number): void {
    this.#open.raw(requests)
    this.#openCount += count
    this.#sealWhenLarge()
  }

  #sealWhenLarge(): void {
    if (this.#open.length >= this.#limits.batchBytesMax) this.#seal()
  }

  #seal(): void {
    if (this.#openCount === 0) return
    const bytes = this.#open.copy()
    this.#sealed.push({
      bytes,
      count: this.#openCount,
      firstTicket: this.#openFirstTicket,
      lastTicket: this.#lastTicket,
    })
    this.#waitingBytes += bytes.length
    this.#open.reset()
    this.#openCount = 0
    this.#openFirstTicket = this.#lastTicket + 1
  }

  /** The next batch for the log, in order of arrival; null when nothing waits. */
  takeBatch(): SealedBatch | null {
    if (this.#sealed.length === 0) this.#seal()
    const batch = this.#sealed.shift()
    if (batch === undefined) return null
    this.#waitingBytes -= batch.bytes.length
    return batch
  }

  /** Puts batches that Raft refused back to the front, in their order. */
  putBack(batches: readonly SealedBatch[]): void {
    this.#sealed.unshift(...batches)
    for (const batch of batches) this.#waitingBytes += batch.bytes.length
  }

  /** Turns all that waits into forwards; the frames to send to the leader of `term`. */
  forwardAll(term: Term): PeerFrame[] {
    const frames: PeerFrame[] = []
    for (let batch = this.takeBatch(); batch !== null; batch = this.takeBatch()) {
      const forward = { sequence: this.#nextSequence, batch }
      this.#nextSequence += 1
      this.#forwards.push(forward)
      frames.push(this.#frameOf(term, forward))
    }
    return frames
  }

  /** All forwards that the leader has not acknowledged, again (a link may have lost them). */
  repeatForwards(term: Term): PeerFrame[] {
    return this.#forwards.map((forward) => this.#frameOf(term, forward))
  }

  #frameOf(term: Term, { sequence, batch }: Forward): PeerFrame {
    const { count, bytes: requests } = batch
    return { kind: 'forward', term, stream: this.#stream, sequence, count, requests }
  }

  /** The leader has taken all forwards of `stream` below `expected`. */
  forwardsTaken(stream: number, expected: number): void {
    if (stream !== this.#stream) return
    let taken = 0
    for (const forward of this.#forwards) {
      if (forward.sequence >= expected) break
      taken += 1
    }
    if (taken > 0) this.#forwards.splice(0, taken)
  }

  /**
   * As leader: whether this forward is the next of its stream. Duplicates and gaps are answered
   * with what is expected, so that the stream's order is the log's order.
   */
  acceptForward(stream: number, sequence: number): boolean {
    if (sequence !== this.expectedOf(stream)) return false
    this.#expected.delete(stream)
    this.#expected.set(stream, sequence + 1)
    for (const oldest of this.#expected.keys()) {
      if (this.#expected.size <= STREAMS_MAX) break
      this.#expected.delete(oldest)
    }
    return true
  }

  expectedOf(stream: number): number {
    return this.#expected.get(stream) ?? 1
  }

  /** A result of the log: answers the caller if the request was ours and is still waiting. */
  settle(result: RequestResult): void {
    if (result.request.origin !== this.#origin) return
    const done = this.#pending.get(result.request.ticket)
    if (done === undefined) return
    this.#pending.delete(result.request.ticket)
    done({ kind: 'applied', result })
  }

  /**
   * The leader or term changed: what was under way is lost to us (it may still be applied), what
   * waits here stays for the next leader. Returns how many were lost.
   */
  leadershipChanged(): number {
    const waitingFrom = this.#sealed[0]?.firstTicket ?? this.#openFirstTicket
    const lost = this.#failWhere((ticket) => ticket < waitingFrom, { kind: 'lost' })
    // A deposed leader's batches may hold requests that it took over from followers; those are
    // answered by their own servers, which see the same change.
    this.#forwards = []
    this.#nextSequence = 1
    this.#stream = (this.#stream + 1) % Number.MAX_SAFE_INTEGER
    this.#expected.clear()
    return lost
  }

  /** Refuses everything that waits here and was not sent to anyone. */
  refuseWaiting(reason: SubmitRefusal): number {
    this.#seal()
    const first = this.#sealed[0]?.firstTicket ?? this.#openFirstTicket
    this.#sealed = []
    this.#waitingBytes = 0
    return this.#failWhere((ticket) => ticket >= first, { kind: 'refused', reason })
  }

  #failWhere(matches: (ticket: number) => boolean, outcome: Outcome): number {
    const failed: ((outcome: Outcome) => void)[] = []
    for (const [ticket, done] of this.#pending) {
      if (!matches(ticket)) continue
      this.#pending.delete(ticket)
      failed.push(done)
    }
    for (const done of failed) done(outcome)
    return failed.length
  }
}

/** The payload of a `requests` entry. */
export function payloadOf(batch: SealedBatch, timeMs: number, enforcesQuotas: boolean): Uint8Array {
  return encodeBatch(timeMs, batch.count, batch.bytes, enforcesQuotas)
}
