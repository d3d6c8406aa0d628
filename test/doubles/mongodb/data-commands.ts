import { setTimeout as pause } from 'node:timers/promises'
import type { Document } from 'bson'
import type { ReplicaMember } from './replica-member.ts'
import { keysOf } from './scram-server.ts'
import { Refusal } from './set-commands.ts'
import type { OplogEntry, SetStore } from './set-store.ts'

const WAIT_MS = 10_000

/** Users, and documents that are inserted and read back. */
export class DataCommands {
  readonly #member: ReplicaMember
  readonly #store: SetStore

  constructor(member: ReplicaMember, store: SetStore) {
    this.#member = member
    this.#store = store
  }

  async createUser({ createUser: user, pwd, roles }: Document): Promise<Document> {
    this.#mustLead()
    if (this.users().some((entry) => entry.user === user)) {
      throw new Refusal(51_003, 'Location51003', `User "${user}@admin" already exists`)
    }
    const index = this.#member.write({ kind: 'user', user, keys: keysOf(pwd), roles })
    await this.#committed(index, WAIT_MS)
    return { ok: 1 }
  }

  usersInfo(asked: unknown): Document {
    const names = (Array.isArray(asked) ? asked : [asked]).map((item) => item?.user ?? item)
    const users = this.users().filter(({ user }) => asked === 1 || names.includes(user))
    return { ok: 1, users: users.map(({ user, roles }) => ({ user, db: 'admin', roles })) }
  }

  async insert({ insert, documents, writeConcern, $db }: Document): Promise<Document> {
    this.#mustLead()
    const namespace = `${$db}.${insert}`
    let index = 0
    for (const document of documents) {
      index = this.#member.write({ kind: 'insert', namespace, document })
    }
    const answer = { ok: 1, n: documents.length }
    if (writeConcern?.w !== 'majority') return answer
    if (await this.#committed(index, writeConcern.wtimeout ?? WAIT_MS)) return answer
    const error = { code: 64, codeName: 'WriteConcernFailed', errmsg: 'waiting timed out' }
    return { ...answer, writeConcernError: error }
  }

  find({ find, filter, $db }: Document): Document {
    if (!['primary', 'secondary'].includes(this.#member.role)) {
      throw new Refusal(13_436, 'NotPrimaryOrSecondary', `in the state ${this.#member.role}`)
    }
    const namespace = `${$db}.${find}`
    const wanted = Object.entries(filter ?? {})
    const firstBatch = this.#operations('insert')
      .filter((op) => op.namespace === namespace)
      .map(({ document }) => document)
      .filter((document) => wanted.every(([key, value]) => document[key] === value))
    return { ok: 1, cursor: { id: 0n, ns: namespace, firstBatch } }
  }

  #mustLead(): void {
    if (this.#member.role !== 'primary')
      throw new Refusal(10_107, 'NotWritablePrimary', 'not primary')
  }

  /** False when a majority does not have it in time; a primary that was deposed refuses. */
  async #committed(index: number, timeoutMs: number): Promise<boolean> {
    const { term } = this.#store
    const deadlineMs = performance.now() + timeoutMs
    while (this.#member.committed < index) {
      if (this.#member.role !== 'primary' || this.#store.term !== term) {
        throw new Refusal(11_602, 'InterruptedDueToReplStateChange', 'no longer primary')
      }
      if (performance.now() > deadlineMs) return false
      await pause(5)
    }
    return true
  }

  /** A member that has yet to copy the data knows no user. */
  users() {
    return this.#member.role === 'startup' ? [] : this.#operations('user')
  }

  #operations<Kind extends OplogEntry['op']['kind']>(kind: Kind) {
    return this.#store.log
      .map(({ op }) => op)
      .filter((op): op is Extract<OplogEntry['op'], { kind: Kind }> => op.kind === kind)
  }
}
