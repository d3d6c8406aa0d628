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
    | { readonly kind: 'insert'; readonly namespace: string; readonly document: Document }
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
  term = 0
  votedFor = ''
  /** As this member is listed. */
  me = ''
  config: SetConfig | null = null
  readonly log: OplogEntry[] = []

  constructor(dbPath: string) {
    mkdirSync(dbPath, { recursive: true })
    this.#state = join(dbPath, 'double.json')
    this.#oplog = join(dbPath, 'double-oplog.jsonl')
    if (existsSync(this.#state)) {
      const { term, votedFor, me, config } = EJSON.parse(readFileSync(this.#state, 'utf8'))
      Object.assign(this, { term, votedFor, me, config })
    }
    if (existsSync(this.#oplog)) {
      const lines = readFileSync(this.#oplog, 'utf8').split('\n').slice(0, -1)
      this.log.push(...lines.map((line): OplogEntry => EJSON.parse(line)))
    }
  }

  save(): void {
    const { term, votedFor, me, config } = this
    writeFileSync(`${this.#state}.tmp`, EJSON.stringify({ term, votedFor, me, config }))
    renameSync(`${this.#state}.tmp`, this.#state)
  }

  append(entries: readonly OplogEntry[]): void {
    this.log.push(...entries)
    const lines = entries.map((entry) => `${EJSON.stringify(entry)}\n`)
    appendFileSync(this.#oplog, lines.join(''))
  }

  /** Keeps the first `length` entries. */
  truncate(length: number): void {
    this.log.length = length
    writeFileSync(this.#oplog, '')
    const kept = this.log.splice(0)
    this.append(kept)
  }
}
