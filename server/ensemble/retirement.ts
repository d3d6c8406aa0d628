import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Member } from '../core/raft/message.ts'
import { type Identity, READ_ACL } from '../core/tree/acl.ts'
import type { Ensemble } from './ensemble.ts'

/**
 * Where the ensemble remembers who was removed: below a znode that the super identity alone may
 * change. It is there as soon as one server was removed, and travels with log and snapshots like any
 * other.
 */
export const RETIRED_PATH = '/zookeeper/config/retired'

const SYSTEM: readonly Identity[] = [{ scheme: 'super', id: '' }]

type Done = (refusal: string | null) => void

/** An incarnation that was removed for good. */
interface Retired {
  readonly id: string
  readonly name: string
}

export interface RetirementOptions {
  readonly machine: () => StateMachine
  readonly submit: Ensemble['submit']
  /** Servers remembered; the one removed first is forgotten beyond. */
  readonly serversMax: number
}

/**
 * The tombstones of removed servers. A server that was removed while it ran, or was away, knows
 * nothing of it and asks to be taken in again; its incarnation is refused until it is readmitted by
 * name. Another incarnation, with an empty disk, is another server.
 */
export class Retirement {
  readonly #options: RetirementOptions

  constructor(options: RetirementOptions) {
    this.#options = options
  }

  /** Whether the incarnation was removed, as far as this server has applied the log. */
  has(id: string): boolean {
    return this.#list().some((retired) => retired.id === id)
  }

  /** True once everything that was committed up to `index` is known here. */
  knowsUpTo(index: number): boolean {
    return this.#options.machine().appliedIndex >= index
  }

  /** Remembers a member as removed; `done(null)` when that is committed, or was before. */
  retire({ id, name }: Member, done: Done): void {
    const list = this.#list()
    if (list.some((retired) => retired.id === id)) return done(null)
    this.#write([...list, { id, name }].slice(-this.#options.serversMax), done)
  }

  /** Forgets all removed servers of a name; `done('unknownMember')` when there is none. */
  readmit(name: string, done: Done): void {
    const list = this.#list()
    const rest = list.filter((retired) => retired.name !== name)
    if (rest.length === list.length) return done('unknownMember')
    this.#write(rest, done)
  }

  #list(): readonly Retired[] {
    const data = this.#options.machine().tree.data(RETIRED_PATH)
    if (data === undefined || data === null) return []
    return JSON.parse(Buffer.from(data).toString('utf8'))
  }

  #write(list: readonly Retired[], done: Done): void {
    const data = Buffer.from(JSON.stringify(list), 'utf8')
    const version = this.#options.machine().tree.version(RETIRED_PATH)
    const operation: Operation =
      version === undefined
        ? { ...CREATION, data }
        : { kind: 'setData', path: RETIRED_PATH, data, version }
    const submission = { session: 0, connection: 0, identities: SYSTEM, operation }
    this.#options.submit(submission, (outcome) => {
      if (outcome.kind === 'refused') return done(outcome.reason)
      if (outcome.kind === 'lost') return done('leaderChanged')
      // Written meanwhile by another removal: theirs stands, ours is asked for again.
      done(outcome.result.error === ErrorCode.ok ? null : 'changeInProgress')
    })
  }
}

const CREATION = {
  kind: 'create',
  path: RETIRED_PATH,
  acl: READ_ACL,
  mode: 'persistent',
  sequential: false,
  ttlMs: 0,
  withStat: false,
} as const
