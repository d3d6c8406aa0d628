import {
  type CreateMode,
  type Operation,
  type OperationResult,
  plainCreate,
  type Request,
  type RequestResult,
} from '../../../server/core/machine/operation.ts'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import type { Acl, Identity } from '../../../server/core/tree/acl.ts'
import type { Stat } from '../../../server/core/tree/stat.ts'

/** Who sends a request: a session through its connection. */
export interface Sender {
  readonly session: number
  readonly origin: number
  readonly connection: number
  readonly identities: readonly Identity[]
}

export const SYSTEM: Sender = { session: 0, origin: 1, connection: 0, identities: [] }
export const SUPER: Sender = { ...SYSTEM, identities: [{ scheme: 'super', id: '' }] }
/** Batches are a second apart, from here. */
export const START_MS = 1_700_000_000_000

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export interface CreateOptions {
  readonly data?: Uint8Array | null
  readonly acl?: Acl
  readonly mode?: CreateMode
  readonly sequential?: boolean
  readonly ttlMs?: number
  readonly withStat?: boolean
}

/** The operation that most clients would send, with what a test is about changed. */
export function create(path: string, options: CreateOptions = {}): Operation {
  return { ...plainCreate(path, bytes('')), ...options }
}

export const remove = (path: string, version = -1): Operation => ({ kind: 'delete', path, version })
export const check = (path: string, version = -1): Operation => ({ kind: 'check', path, version })
export const setData = (path: string, data: string | null, version = -1): Operation => ({
  kind: 'setData',
  path,
  data: data === null ? null : bytes(data),
  version,
})
export const setAcl = (path: string, acl: Acl, version = -1): Operation => ({
  kind: 'setAcl',
  path,
  acl,
  version,
})
export const multi = (...operations: Operation[]): Operation => ({ kind: 'multi', operations })

/** Feeds one machine entry after entry, each with one request and a second after the last. */
export class Driver {
  readonly machine: StateMachine
  term = 1
  timeMs = START_MS
  #connections = 0

  constructor(machine: StateMachine = new StateMachine()) {
    this.machine = machine
  }

  apply(operation: Operation, sender: Sender = SYSTEM): RequestResult {
    const [result] = this.applyAll([requestOf(operation, sender)])
    if (result === undefined) throw new Error('a request has a result')
    return result
  }

  applyAll(requests: readonly Request[]): RequestResult[] {
    this.timeMs += 1000
    const entry = { index: this.machine.appliedIndex + 1, term: this.term }
    return this.machine.apply(entry, { timeMs: this.timeMs, requests })
  }

  /** Applies what has to succeed, and gives its result. */
  ok(operation: Operation, sender: Sender = SYSTEM): OperationResult {
    const { error, result } = this.apply(operation, sender)
    if (error !== 0) throw new Error(`${operation.kind} failed: ${error}`)
    return result
  }

  error(operation: Operation, sender: Sender = SYSTEM): number {
    return this.apply(operation, sender).error
  }

  /** Creates, and gives the final path. */
  create(path: string, options: CreateOptions = {}, sender: Sender = SYSTEM): string {
    const result = this.ok(create(path, options), sender)
    if (result.kind !== 'create') throw new Error('a create was answered')
    return result.path
  }

  /** A new session with a connection of its own. */
  open(identities: readonly Identity[] = []): Sender {
    this.#connections += 1
    const sender = { session: 0, origin: 7, connection: this.#connections, identities }
    const password = new Uint8Array(16).fill(this.#connections)
    const result = this.ok({ kind: 'createSession', timeoutMs: 4000, password }, sender)
    if (result.kind !== 'session') throw new Error('a session was answered')
    return { ...sender, session: result.session }
  }

  close(sender: Sender): RequestResult {
    return this.apply({ kind: 'closeSession' }, sender)
  }

  stat(path: string): Stat {
    const stat = this.machine.tree.stat(path)
    if (stat === undefined) throw new Error(`no ${path}`)
    return stat
  }

  data(path: string): string | null {
    const data = this.machine.tree.data(path)
    if (data === undefined) throw new Error(`no ${path}`)
    return data === null ? null : new TextDecoder().decode(data)
  }
}

export function requestOf(operation: Operation, sender: Sender = SYSTEM): Request {
  return { ...sender, ticket: 1, operation }
}
