import type { PeerId } from '../core/brand.ts'
import type { Raft } from '../core/raft/raft.ts'
import type { RaftInput, RaftOutput } from '../core/raft/step.ts'
import type { SizeRange } from '../measure.ts'
import type { Transport } from '../transport/transport.ts'
import type { PeerFrame } from '../wire/peer-frame.ts'
import { holdsRequests } from '../wire/request-codec.ts'
import type { Counters } from './counters.ts'
import type { Environment } from './environment.ts'
import { payloadOf, type SealedBatch, type Submissions } from './submissions.ts'

export interface ProposalsOptions {
  readonly environment: Environment
  readonly transport: Transport
  readonly submissions: Submissions
  readonly counters: Counters
  readonly proposalBytes: SizeRange
  /** Proposed here and not applied yet: above it, what comes in waits. */
  readonly uncommittedBytesMax: number
  /** Whether batches say that hard limits of quotas hold. */
  readonly enforcesQuotas: () => boolean
  readonly raft: () => Raft
  /** The next token for a Raft proposal. */
  readonly token: () => number
  readonly scheduleTurn: () => void
}

/**
 * Brings what was submitted into the log: as leader by proposing it, else by forwarding it to the
 * leader. Also the leader's end of the forwards.
 */
export class Proposals {
  readonly #options: ProposalsOptions
  readonly #proposed = new Map<number, SealedBatch>()
  /** To forwards of this turn: one for each peer, on its way together with the appends. */
  readonly #answers = new Map<PeerId, PeerFrame>()
  #uncommittedBytes = 0
  #lastBatchTimeMs = 0

  constructor(options: ProposalsOptions) {
    this.#options = options
  }

  /** Hands on all that waits, once a turn; proposals go to `inputs`. */
  handOn(inputs: RaftInput[]): void {
    const { submissions, transport, counters } = this.#options
    for (const [peer, answer] of this.#answers) transport.send(peer, answer)
    this.#answers.clear()
    if (!submissions.waiting) return
    const { isLeader, leader, term } = this.#options.raft()
    if (isLeader) return this.#propose(inputs)
    if (leader === null) {
      counters.refusedRequests += submissions.refuseWaiting('noLeader')
      return
    }
    const frames = submissions.forwardAll(term)
    counters.forwards += frames.length
    for (const frame of frames) transport.send(leader, frame)
  }

  #propose(inputs: RaftInput[]): void {
    const { environment, submissions, counters, uncommittedBytesMax } = this.#options
    while (this.#uncommittedBytes < uncommittedBytesMax && submissions.waiting) {
      const batch = submissions.takeBatch()
      if (batch === null) return
      const timeMs = Math.max(this.#lastBatchTimeMs, Math.floor(environment.wallClockMs()))
      this.#lastBatchTimeMs = timeMs
      const token = this.#options.token()
      this.#proposed.set(token, batch)
      this.#uncommittedBytes += batch.bytes.length
      counters.proposals += 1
      const payload = payloadOf(batch, timeMs, this.#options.enforcesQuotas())
      this.#options.proposalBytes.note(payload.length)
      inputs.push({ kind: 'propose', payload, token })
    }
  }

  /** Raft took the proposal into the log; false when the token is not one of these. */
  accepted(token: number): boolean {
    return this.#proposed.delete(token)
  }

  /** Batches surely not in the log wait for the end of a transfer, or for the next leader. */
  refused(refused: RaftOutput['refused']): void {
    const batches: SealedBatch[] = []
    for (const { token } of refused) {
      const batch = this.#proposed.get(token)
      if (batch === undefined) continue
      this.#proposed.delete(token)
      this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - batch.bytes.length)
      batches.push(batch)
    }
    if (batches.length > 0) this.#options.submissions.putBack(batches)
  }

  /** A batch was applied; the next one's time is not before its. */
  applied(bytes: number, timeMs: number): void {
    this.#lastBatchTimeMs = Math.max(this.#lastBatchTimeMs, timeMs)
    this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - bytes)
  }

  leadershipChanged(): void {
    this.#uncommittedBytes = 0
  }

  /**
   * As leader: takes a follower's forward, if it is the next of its stream and there is room, and
   * says what is expected. One that does not hold what it says is not taken: it is sent again.
   */
  forwardReceived(from: PeerId, frame: Extract<PeerFrame, { kind: 'forward' }>): void {
    const { submissions, uncommittedBytesMax, scheduleTurn } = this.#options
    const { isLeader, term } = this.#options.raft()
    const leads = isLeader && frame.term === term
    const room = this.#uncommittedBytes < uncommittedBytesMax
    const isNext = frame.sequence === submissions.expectedOf(frame.stream)
    if (leads && room && isNext && this.#isWhole(from, frame)) {
      submissions.acceptForward(frame.stream, frame.sequence)
      submissions.addForwarded(frame.requests, frame.count)
    }
    this.#answers.set(from, {
      kind: 'forwardReply',
      term: frame.term,
      stream: frame.stream,
      expected: leads ? submissions.expectedOf(frame.stream) : 0,
      accepted: leads,
    })
    scheduleTurn()
  }

  /** One bad forward in a batch would make the requests behind it unreadable to all servers. */
  #isWhole(from: PeerId, frame: Extract<PeerFrame, { kind: 'forward' }>): boolean {
    if (holdsRequests(frame.requests, frame.count)) return true
    this.#options.counters.malformedForwards += 1
    this.#options.environment.log('error', 'a malformed forward was refused', {
      from,
      sequence: frame.sequence,
    })
    return false
  }

  forwardAnswered(from: PeerId, frame: Extract<PeerFrame, { kind: 'forwardReply' }>): void {
    const { leader, term } = this.#options.raft()
    if (from !== leader || frame.term !== term) return
    if (frame.accepted) this.#options.submissions.forwardsTaken(frame.stream, frame.expected)
  }

  /** A link may have lost forwards: those not acknowledged are sent again. */
  repeatForwards(): void {
    const { submissions, transport } = this.#options
    const { isLeader, leader, term } = this.#options.raft()
    if (leader === null || isLeader) return
    for (const frame of submissions.repeatForwards(term)) transport.send(leader, frame)
  }
}
