import type { LogIndex, Term } from '../core/brand.ts'
import type { Entry, Envelope, HardState } from '../core/raft/message.ts'
import type { RaftOutput } from '../core/raft/step.ts'
import type { LogStorage } from '../storage/storage.ts'
import { decodeBatch } from '../wire/request-codec.ts'

export interface DurabilityEvents {
  /** These messages may leave now. */
  send(messages: readonly Envelope[]): void
  /** A write is on disk; `last` is the last entry in it, if it had any. */
  durable(last: { readonly index: LogIndex; readonly term: Term } | null): void
}

interface HeldMessages {
  /** The write this waits for; messages leave in order once it is durable. */
  readonly write: number
  readonly messages: readonly Envelope[]
}

/**
 * What Raft wants on the disk, and the messages that may not leave before it is there: a vote or an
 * acknowledgement that a power cut takes back would let two majorities disagree (Raft, figure 2).
 */
export class Durability {
  readonly #log: LogStorage
  readonly #events: DurabilityEvents
  #hardState: HardState
  #issued = 0
  #durable = 0
  #held: HeldMessages[] = []
  #closed = false

  constructor(log: LogStorage, hardState: HardState, events: DurabilityEvents) {
    this.#log = log
    this.#hardState = hardState
    this.#events = events
  }

  /** The newest that was written or is being written. */
  get hardState(): HardState {
    return this.#hardState
  }

  /** True when nothing that was handed in is still on its way to the disk. */
  get settled(): boolean {
    return this.#durable === this.#issued
  }

  /** Writes what one step of Raft asks for, and holds its dependent messages until that is durable. */
  persist(output: RaftOutput): void {
    const { hardState, entries, messagesAfterPersist } = output
    if (hardState !== null) this.#hardState = hardState
    if (hardState !== null || entries.length > 0) this.#write(hardState, entries)
    if (messagesAfterPersist.length === 0) return
    if (this.settled) this.#events.send(messagesAfterPersist)
    else this.#held.push({ write: this.#issued, messages: messagesAfterPersist })
  }

  #write(hardState: HardState | null, entries: readonly Entry[]): void {
    this.#issued += 1
    const write = this.#issued
    const last = entries.at(-1) ?? null
    // Only on a full disk does it matter what the entries hold; looking costs a decoding.
    const reserved = this.#log.full && entries.some(closesSession)
    this.#log.append({ hardState, entries, reserved }, () => {
      if (this.#closed) return
      this.#durable = write
      this.#release()
      this.#events.durable(last)
    })
  }

  #release(): void {
    while (this.#held.length > 0) {
      const first = this.#held[0]
      if (first === undefined || first.write > this.#durable) break
      this.#held.shift()
      this.#events.send(first.messages)
    }
  }

  /** The first write of a cluster, before there is a Raft to ask for it. */
  found(hardState: HardState, entry: Entry, done: () => void): void {
    this.#log.append({ hardState, entries: [entry] }, () => {
      if (this.#closed) return
      this.#hardState = hardState
      done()
    })
  }

  /** A snapshot has replaced the log: what was held spoke of the former one. */
  dropHeld(): void {
    this.#held = []
  }

  /** Nothing is sent or reported any more; writes under way still reach the disk. */
  close(): void {
    this.#closed = true
  }
}

/** A close frees memory and disk, so it is served when the disk has room for nothing else. */
function closesSession(entry: Entry): boolean {
  if (entry.kind !== 'requests') return false
  return decodeBatch(entry.payload).requests.some(
    ({ operation }) => operation.kind === 'closeSession' || operation.kind === 'expireSession',
  )
}
