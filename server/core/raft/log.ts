import { assert } from '../assert.ts'
import type { LogIndex, Term } from '../brand.ts'
import type { Entry, Member, SnapshotMeta } from './message.ts'

interface Configuration {
  readonly index: LogIndex
  readonly members: readonly Member[]
}

interface PendingWrite {
  readonly index: LogIndex
  readonly term: Term
  /** What this write still proves durable; a later truncation lowers it. */
  upTo: LogIndex
}

/**
 * The log as Raft sees it: the entries in memory above a base, which a snapshot or compaction left.
 *
 * Invariants: baseIndex <= persisted <= lastIndex; entries are consecutive; terms never fall.
 */
export class RaftLog {
  #entries: Entry[]
  #baseIndex: LogIndex
  #baseTerm: Term
  #persisted: LogIndex
  /** Handed to the shell for writing up to here. */
  #written: LogIndex
  /** Writes whose durability has not been reported, oldest first. */
  #writes: PendingWrite[] = []
  /** The configuration at the base, then one for each membership entry above it. */
  #configurations: Configuration[]

  constructor(snapshot: SnapshotMeta, entries: readonly Entry[]) {
    this.#baseIndex = snapshot.index
    this.#baseTerm = snapshot.term
    this.#entries = entries.filter((entry) => entry.index > snapshot.index)
    const first = this.#entries[0]
    assert(
      first === undefined || first.index === snapshot.index + 1,
      'recovered entries continue the snapshot',
    )
    this.#configurations = [{ index: snapshot.index, members: snapshot.members }]
    for (const entry of this.#entries) this.#noteConfiguration(entry)
    this.#persisted = this.lastIndex
    this.#written = this.lastIndex
  }

  get baseIndex(): LogIndex {
    return this.#baseIndex
  }

  get firstIndex(): LogIndex {
    return this.#baseIndex + 1
  }

  get lastIndex(): LogIndex {
    return this.#baseIndex + this.#entries.length
  }

  get lastTerm(): Term {
    return this.#entries.at(-1)?.term ?? this.#baseTerm
  }

  get persisted(): LogIndex {
    return this.#persisted
  }

  /** The newest configuration, committed or not (Ongaro's thesis, 4.1: it holds once appended). */
  get members(): readonly Member[] {
    return this.#configurations.at(-1)?.members ?? []
  }

  /** Where the newest configuration was appended. */
  get membersIndex(): LogIndex {
    return this.#configurations.at(-1)?.index ?? 0
  }

  /** The term of an entry; null below the base and above the end. */
  termAt(index: LogIndex): Term | null {
    if (index === this.#baseIndex) return this.#baseTerm
    return this.#entries[index - this.#baseIndex - 1]?.term ?? null
  }

  /** Entries from `from` on, at least one if there is one, up to `bytesMax` of payload. */
  slice(from: LogIndex, to: LogIndex, bytesMax: number): Entry[] {
    assert(from > this.#baseIndex, 'only entries in memory can be read')
    const result: Entry[] = []
    let bytes = 0
    for (let index = from; index <= to; index += 1) {
      const entry = this.#entries[index - this.#baseIndex - 1]
      if (entry === undefined) break
      bytes += entryBytes(entry)
      if (bytes > bytesMax && result.length > 0) break
      result.push(entry)
    }
    return result
  }

  append(entry: Entry): void {
    assert(entry.index === this.lastIndex + 1, 'an entry continues the log')
    assert(entry.term >= this.lastTerm, 'terms in the log never fall')
    this.#entries.push(entry)
    this.#noteConfiguration(entry)
  }

  /** Removes `from` and all after it, and what unfinished writes would have proved of it. */
  truncate(from: LogIndex): void {
    assert(from > this.#baseIndex, 'only entries in memory can be removed')
    this.#entries.length = Math.min(this.#entries.length, from - this.#baseIndex - 1)
    this.#persisted = Math.min(this.#persisted, from - 1)
    this.#written = Math.min(this.#written, from - 1)
    for (const write of this.#writes) write.upTo = Math.min(write.upTo, from - 1)
    while (this.#configurations.length > 1 && this.membersIndex >= from) this.#configurations.pop()
  }

  /** The entries to write now; each is handed out once. */
  takeUnwritten(): Entry[] {
    if (this.#written === this.lastIndex) return []
    const entries = this.#entries.slice(this.#written - this.#baseIndex)
    this.#written = this.lastIndex
    this.#writes.push({ index: this.lastIndex, term: this.lastTerm, upTo: this.lastIndex })
    return entries
  }

  /**
   * A write is durable. Reports come in the order of the writes; what was truncated since the write
   * was issued is not proved by it, even if the same entry was appended again (an ABA).
   */
  writeDurable(index: LogIndex, term: Term): void {
    const position = this.#writes.findIndex((write) => write.index === index && write.term === term)
    const write = this.#writes[position]
    if (write === undefined) return
    this.#writes.splice(0, position + 1)
    this.#persisted = Math.max(this.#persisted, write.upTo)
  }

  /** Lets entries below `keepFrom` go. */
  compact(keepFrom: LogIndex): void {
    const newBase = Math.min(keepFrom - 1, this.#persisted)
    if (newBase <= this.#baseIndex) return
    const term = this.termAt(newBase)
    assert(term !== null, 'the new base is in the log')
    this.#entries = this.#entries.slice(newBase - this.#baseIndex)
    this.#baseIndex = newBase
    this.#baseTerm = term
    while ((this.#configurations[1]?.index ?? Number.POSITIVE_INFINITY) <= newBase) {
      this.#configurations.shift()
    }
  }

  /** A snapshot replaces everything. */
  reset(snapshot: SnapshotMeta): void {
    this.#entries = []
    this.#baseIndex = snapshot.index
    this.#baseTerm = snapshot.term
    this.#persisted = snapshot.index
    this.#written = snapshot.index
    this.#writes = []
    this.#configurations = [{ index: snapshot.index, members: snapshot.members }]
  }

  #noteConfiguration(entry: Entry): void {
    if (entry.kind !== 'membership') return
    this.#configurations.push({ index: entry.index, members: entry.members })
  }
}

/** What an entry weighs in messages and limits, about. */
export function entryBytes(entry: Entry): number {
  return 32 + (entry.kind === 'requests' ? entry.payload.length : 0)
}
