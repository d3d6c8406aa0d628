import type { Entry, HardState, Member } from '../../../server/core/raft/message.ts'
import type { FileSystem } from '../../../server/storage/file-system.ts'
import { openStorage, type StorageOptions } from '../../../server/storage/open-storage.ts'
import type {
  OpenedStorage,
  OpenRefusal,
  StorageFault,
  WriteBatch,
} from '../../../server/storage/storage.ts'

/** Uniform in [0, 1), the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** A virtual clock: what is scheduled runs in order of time when the test says so. */
export class Clock {
  nowMs = 0
  #sequence = 0
  #queue: { at: number; sequence: number; call: () => void }[] = []

  readonly schedule = (delayMs: number, call: () => void): void => {
    this.#sequence += 1
    this.#queue.push({ at: this.nowMs + delayMs, sequence: this.#sequence, call })
    this.#queue.sort((a, b) => a.at - b.at || a.sequence - b.sequence)
  }

  readonly endOfTurn = (call: () => void): void => this.schedule(0, call)

  /** Runs one call; false when none is left. */
  step(): boolean {
    const next = this.#queue.shift()
    if (next === undefined) return false
    this.nowMs = Math.max(this.nowMs, next.at)
    next.call()
    return true
  }

  /** Runs all that is due within `ms`. */
  run(ms = 0): void {
    const until = this.nowMs + ms
    for (;;) {
      const next = this.#queue[0]
      if (next === undefined || next.at > until) break
      this.step()
    }
    this.nowMs = until
  }

  /** The process died: nothing it had scheduled happens. */
  clear(): void {
    this.#queue = []
  }
}

export function member(name: string): Member {
  return {
    id: name.padStart(16, '0'),
    name,
    role: 'voter',
    observer: false,
    peerAddress: `host-${name}:2888`,
    clientAddress: `host-${name}:2181`,
    httpAddress: '',
  }
}

export function entry(index: number, term: number, payload: string | Uint8Array): Entry {
  const bytes = typeof payload === 'string' ? Uint8Array.from(Buffer.from(payload)) : payload
  return { kind: 'requests', index, term, payload: bytes }
}

export function entries(first: number, last: number, term: number, size = 10): Entry[] {
  const made: Entry[] = []
  for (let index = first; index <= last; index += 1) {
    made.push(entry(index, term, `${term}.${index}:`.padEnd(size, 'x')))
  }
  return made
}

export function state(term: number, commit: number, votedFor: string | null = null): HardState {
  return { term, votedFor, commit }
}

/** What an entry says, short enough to compare by eye. */
export function text(found: Entry): string {
  if (found.kind !== 'requests') return `${found.index}/${found.term} ${found.kind}`
  return `${found.index}/${found.term} ${Buffer.from(found.payload).toString()}`
}

export interface Opened {
  readonly storage: OpenedStorage
  readonly faults: StorageFault[]
}

export function optionsFor(
  fileSystem: FileSystem,
  clock: Pick<Clock, 'schedule' | 'endOfTurn'>,
  more: Partial<StorageOptions> = {},
): StorageOptions {
  return {
    fileSystem,
    directory: '/data',
    name: '1',
    newId: () => '00000000000000a1',
    random: seeded(7),
    schedule: clock.schedule,
    endOfTurn: clock.endOfTurn,
    segmentBytes: 4096,
    snapshotsKept: 3,
    retryMs: 100,
    onFault: () => {},
    ...more,
  }
}

export function isRefusal(opened: OpenedStorage | OpenRefusal): opened is OpenRefusal {
  return 'code' in opened
}

/** Opens; a refusal fails the test. */
export function mustOpen(options: StorageOptions): Opened {
  const faults: StorageFault[] = []
  const opened = openStorage({ ...options, onFault: (fault) => faults.push(fault) })
  if (isRefusal(opened)) {
    throw new Error(`${opened.code} ${opened.file}@${opened.offset}: ${opened.detail}`)
  }
  return { storage: opened, faults }
}

/** Appends and counts what became durable. */
export function append(storage: OpenedStorage, batch: Partial<WriteBatch>): { durable: boolean } {
  const result = { durable: false }
  storage.log.append({ hardState: null, entries: [], ...batch }, () => {
    result.durable = true
  })
  return result
}
