import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { type Document, EJSON } from 'bson'
import type { ScramKeys } from './scram-server.ts'

export interface OplogEntry {
  readonly term: number
  readonly atMs: number
  readonly op:
    | { readonly kind: 'noop' }
    | {
        readonly kind: 'insert'
        readonly namespace: string
        readonly document: Document
        /** Session and number of a write that its client may repeat; '' for another. */
        readonly write: string
      }
    | {
        readonly kind: 'user'
        readonly user: string
        readonly keys: ScramKeys
        readonly roles: unknown
      }
}

export interface HostConfig {
  readonly _id: number
  readonly host: string
  readonly votes: number
  readonly priority: number
  readonly [other: string]: unknown
}

export interface SetConfig {
  readonly _id: string
  readonly version: number
  readonly term: number
  readonly members: readonly HostConfig[]
  readonly settings: Document
  readonly [other: string]: unknown
}

/** Names a configuration; a member says by it which one it has. */
export function configAt(config: SetConfig | null): string {
  return config === null ? '' : `${config.version}/${config.term}`
}

/** By term first: a configuration of an older primary never wins (MongoDB's reconfiguration protocol). */
export function isNewer(config: SetConfig | null, than: SetConfig | null): boolean {
  if (config === null) return false
  if (than === null) return true
  return config.term > than.term || (config.term === than.term && config.version > than.version)
}

/** What a double keeps through its death: configuration, vote and oplog. */
export class SetStore {
  readonly #state: string
  readonly #oplog: string
  #saved = ''
  term = 0
  votedFor = ''
  /** As this member is listed. */
  me = ''
  config: SetConfig | null = null
  /** An initial sync is not done before there are so many entries. */
  syncUntil = 0
  readonly log: OplogEntry[] = []
  /** The index of the entry that inserted it, by namespace and _id. */
  readonly #inserted = new Map<string, number>()

  constructor(dbPath: string) {
    mkdirSync(dbPath, { recursive: true })
    this.#state = join(dbPath, 'double.json')
    this.#oplog = join(dbPath, 'double-oplog.jsonl')
    if (existsSync(this.#state)) {
      const kept = EJSON.parse(readFileSync(this.#state, 'utf8'))
      const { term, votedFor, me, config, syncUntil } = kept
      Object.assign(this, { term, votedFor, me, config, syncUntil })
    }
    if (existsSync(this.#oplog)) {
      const text = readFileSync(this.#oplog, 'utf8')
      const lines = text.split('\n').slice(0, -1)
      this.#take(lines.map((line): OplogEntry => EJSON.parse(line)))
      // A death in the middle of a write leaves a piece of a line, which the next one must not go on.
      if (!text.endsWith('\n')) this.#write()
    }
  }

  save(): void {
    const { term, votedFor, me, config, syncUntil } = this
    const text = EJSON.stringify({ term, votedFor, me, config, syncUntil })
    if (text === this.#saved) return
    this.#saved = text
    writeFileSync(`${this.#state}.tmp`, text)
    renameSync(`${this.#state}.tmp`, this.#state)
  }

  append(entries: readonly OplogEntry[]): void {
    if (entries.length === 0) return
    this.#take(entries)
    appendFileSync(this.#oplog, linesOf(entries))
  }

  /** Keeps the first `length` entries. */
  truncate(length: number): void {
    const kept = this.log.slice(0, length)
    this.log.length = 0
    this.#inserted.clear()
    this.#take(kept)
    this.#write()
  }

  /** The index of the insert that is there, counted from one; null: there is none. */
  inserted(namespace: string, id: unknown): number | null {
    return this.#inserted.get(keyOf(namespace, id)) ?? null
  }

  #take(entries: readonly OplogEntry[]): void {
    for (const entry of entries) {
      const { op } = entry
      this.log.push(entry)
      if (op.kind !== 'insert') continue
      this.#inserted.set(keyOf(op.namespace, op.document['_id']), this.log.length)
    }
  }

  /** All or nothing of it: what was acknowledged outlives a death in the middle of a rollback. */
  #write(): void {
    writeFileSync(`${this.#oplog}.tmp`, linesOf(this.log))
    renameSync(`${this.#oplog}.tmp`, this.#oplog)
  }
}

function linesOf(entries: readonly OplogEntry[]): string {
  return entries.map((entry) => `${EJSON.stringify(entry)}\n`).join('')
}

function keyOf(namespace: string, id: unknown): string {
  return `${namespace} ${EJSON.stringify({ id })}`
}
