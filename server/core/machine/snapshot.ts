import type { LogIndex, Term, Zxid } from '../brand.ts'
import { type Session, SessionTable } from '../session/session-table.ts'
import { Tree, type TreeObserver, type Znode } from '../tree/tree.ts'
import { StateMachine } from './state-machine.ts'

/** The form of the records below; a newer one is refused. */
export const SNAPSHOT_FORMAT_VERSION = 1

/** A snapshot is one header, the sessions, the znodes in any order, and one footer. */
export type SnapshotRecord =
  | {
      readonly kind: 'header'
      readonly formatVersion: number
      readonly index: LogIndex
      readonly term: Term
      readonly zxid: Zxid
      readonly timeMs: number
      readonly clusterVersion: number
    }
  | { readonly kind: 'session'; readonly session: Session }
  | { readonly kind: 'znode'; readonly znode: Znode }
  | {
      readonly kind: 'footer'
      readonly sessions: number
      readonly znodes: number
      /** StateMachine.digest at the snapshot's index. */
      readonly digest: string
    }

/**
 * Reads the state at the moment of its creation in slices, while the machine goes on: a znode that
 * is changed before its turn is kept with its old value first, and new ones are passed over.
 */
export class SnapshotCursor implements TreeObserver {
  readonly #tree: Tree
  readonly #zxid: Zxid
  readonly #head: SnapshotRecord[]
  readonly #footer: SnapshotRecord
  readonly #entries: Iterator<[string, number]>
  #saved: Znode[] = []
  #visited = new Uint8Array(1024)
  #state: 'znodes' | 'footer' | 'done' = 'znodes'

  constructor(machine: StateMachine, term: Term) {
    this.#tree = machine.tree
    this.#zxid = machine.lastZxid
    const sessions = [...machine.sessions.all()]
    this.#head = sessions.map((session) => ({ kind: 'session', session }))
    this.#head.unshift({
      kind: 'header',
      formatVersion: SNAPSHOT_FORMAT_VERSION,
      index: machine.appliedIndex,
      term,
      zxid: machine.lastZxid,
      timeMs: machine.lastTimeMs,
      clusterVersion: machine.clusterVersion,
    })
    this.#footer = {
      kind: 'footer',
      sessions: sessions.length,
      znodes: machine.tree.nodeCount,
      digest: machine.digest,
    }
    this.#entries = machine.tree.entries()
    this.#tree.observe(this)
  }

  /** Up to `recordsMax` records, more when many znodes changed meanwhile; null after the last. */
  next(recordsMax: number): SnapshotRecord[] | null {
    if (this.#state === 'done') return null
    const records = this.#head.splice(0, recordsMax)
    for (const znode of this.#saved) records.push({ kind: 'znode', znode })
    this.#saved = []
    while (this.#state === 'znodes' && records.length < recordsMax) {
      const { done, value } = this.#entries.next()
      if (done === true) {
        this.#state = 'footer'
        break
      }
      const [path, slot] = value
      if (this.#take(slot)) records.push({ kind: 'znode', znode: this.#tree.znodeAt(slot, path) })
    }
    if (this.#state === 'footer' && this.#head.length === 0 && records.length < recordsMax) {
      records.push(this.#footer)
      this.close()
    }
    return records
  }

  beforeChange(slot: number, path: string): void {
    if (this.#take(slot)) this.#saved.push(this.#tree.znodeAt(slot, path))
  }

  /** Ends the watching of the tree; also when the snapshot is given up. */
  close(): void {
    this.#state = 'done'
    this.#saved = []
    this.#tree.unobserve(this)
  }

  /** True once for each slot that holds a znode of the snapshot's time. */
  #take(slot: number): boolean {
    if (this.#tree.czxidAt(slot) > this.#zxid) return false
    if (slot >= this.#visited.length) {
      const grown = new Uint8Array(2 * Math.max(slot, this.#visited.length))
      grown.set(this.#visited)
      this.#visited = grown
    }
    if (this.#visited[slot] === 1) return false
    this.#visited[slot] = 1
    return true
  }
}

/** Builds a machine from a snapshot's records; what does not add up is refused in words. */
export class SnapshotLoader {
  readonly #tree = new Tree()
  readonly #sessions = new SessionTable()
  #header: Extract<SnapshotRecord, { kind: 'header' }> | null = null
  #footer: Extract<SnapshotRecord, { kind: 'footer' }> | null = null
  #sessionCount = 0
  #znodeCount = 0

  add(record: SnapshotRecord): void {
    switch (record.kind) {
      case 'header':
        this.#header = record
        return
      case 'session':
        this.#sessionCount += 1
        this.#sessions.put({ ...record.session, password: record.session.password.slice() })
        return
      case 'znode':
        this.#znodeCount += 1
        this.#tree.restore(record.znode)
        return
      case 'footer':
        this.#footer = record
        return
    }
  }

  finish(): { readonly machine: StateMachine } | { readonly refusal: string } {
    const header = this.#header
    const footer = this.#footer
    if (header === null) return { refusal: 'it has no header' }
    if (header.formatVersion !== SNAPSHOT_FORMAT_VERSION) {
      return { refusal: `its format ${header.formatVersion} is unknown to this build` }
    }
    if (footer === null) return { refusal: 'it has no end' }
    if (footer.sessions !== this.#sessionCount || footer.znodes !== this.#znodeCount) {
      return { refusal: 'its counts are wrong' }
    }
    if (!this.#tree.relink()) return { refusal: 'a znode has no parent' }
    const machine = new StateMachine({
      tree: this.#tree,
      sessions: this.#sessions,
      position: header,
    })
    if (machine.digest !== footer.digest) return { refusal: 'its digest is wrong' }
    return { machine }
  }
}
