import { setTimeout as pause } from 'node:timers/promises'
import { Binary, type Document } from 'bson'
import type { ReplicaMember } from './replica-member.ts'
import { keysOf } from './scram-server.ts'
import { Refusal } from './set-commands.ts'
import type { OplogEntry, SetStore } from './set-store.ts'

const WAIT_MS = 10_000
/** Of a first answer to a find, where it asks for no other number. */
const BATCH = 101

/** Users, and documents that are inserted and read back. */
export class DataCommands {
  readonly #member: ReplicaMember
  readonly #store: SetStore
  /** What cursors have yet to give. */
  readonly #cursors = new Map<bigint, { readonly ns: string; readonly rest: Document[] }>()
  #lastCursor = 0n

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

  async updateUser({ updateUser: user, pwd }: Document): Promise<Document> {
    this.#mustLead()
    const known = this.users().find((entry) => entry.user === user)
    if (known === undefined) {
      throw new Refusal(11, 'UserNotFound', `Could not find user "${user}" for db "admin"`)
    }
    const index = this.#member.write({ ...known, keys: keysOf(pwd) })
    await this.#committed(index, WAIT_MS)
    return { ok: 1 }
  }

  usersInfo(asked: unknown): Document {
    const names = (Array.isArray(asked) ? asked : [asked]).map((item) => item?.user ?? item)
    const users = this.users().filter(({ user }) => asked === 1 || names.includes(user))
    return { ok: 1, users: users.map(({ user, roles }) => ({ user, db: 'admin', roles })) }
  }

  /** Without a write concern: a majority's, MongoDB's default since 5.0. */
  async insert(command: Document): Promise<Document> {
    const { insert, documents, writeConcern, $db } = command
    this.#mustLead()
    const namespace = `${$db}.${insert}`
    const write = writeOf(command)
    const writeErrors: Document[] = []
    let index = 0
    for (const [at, document] of documents.entries()) {
      const there = this.#store.inserted(namespace, document['_id'])
      if (there === null) {
        index = this.#member.write({ kind: 'insert', namespace, document, write })
      } else if (this.#isWrite(there, write)) index = Math.max(index, there)
      else {
        const errmsg = `E11000 duplicate key error collection: ${namespace}`
        writeErrors.push({ index: at, code: 11_000, errmsg })
        break
      }
    }
    const failed = writeErrors.length === 0 ? {} : { writeErrors }
    const answer = { ok: 1, n: writeErrors[0]?.['index'] ?? documents.length, ...failed }
    if ((writeConcern?.w ?? 'majority') !== 'majority') return answer
    if (await this.#committed(index, writeConcern.wtimeout ?? WAIT_MS)) return answer
    const error = { code: 64, codeName: 'WriteConcernFailed', errmsg: 'waiting timed out' }
    return { ...answer, writeConcernError: error }
  }

  find({ find, filter, batchSize = BATCH, $db }: Document): Document {
    if (!['primary', 'secondary'].includes(this.#member.role)) {
      throw new Refusal(13_436, 'NotPrimaryOrSecondary', `in the state ${this.#member.role}`)
    }
    const ns = `${$db}.${find}`
    const wanted = Object.entries(filter ?? {})
    const rest = this.#operations('insert')
      .filter((op) => op.namespace === ns)
      .map(({ document }) => document)
      .filter((document) => wanted.every(([key, value]) => document[key] === value))
    const firstBatch = rest.splice(0, batchSize)
    if (rest.length === 0) return { ok: 1, cursor: { id: 0n, ns, firstBatch } }
    this.#lastCursor += 1n
    this.#cursors.set(this.#lastCursor, { ns, rest })
    return { ok: 1, cursor: { id: this.#lastCursor, ns, firstBatch } }
  }

  getMore({ getMore, batchSize }: Document): Document {
    const id = BigInt(getMore)
    const cursor = this.#cursors.get(id)
    if (cursor === undefined) throw new Refusal(43, 'CursorNotFound', `cursor id ${id} not found`)
    const { ns, rest } = cursor
    const nextBatch = rest.splice(0, batchSize ?? rest.length)
    if (rest.length === 0) this.#cursors.delete(id)
    return { ok: 1, cursor: { id: rest.length === 0 ? 0n : id, ns, nextBatch } }
  }

  killCursors({ cursors }: Document): Document {
    for (const id of cursors) this.#cursors.delete(BigInt(id))
    return { ok: 1, cursorsKilled: cursors, cursorsNotFound: [], cursorsAlive: [] }
  }

  #mustLead(): void {
    if (this.#member.role === 'primary' && !this.#member.steppingDown) return
    throw new Refusal(10_107, 'NotWritablePrimary', 'not primary')
  }

  /** The entry is the same write, whose client did not hear what became of it. */
  #isWrite(index: number, write: string): boolean {
    const op = this.#store.log[index - 1]?.op
    return write !== '' && op?.kind === 'insert' && op.write === write
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

  /** Each as it was changed last. A member that has yet to copy the data knows none. */
  users() {
    if (this.#member.role === 'startup') return []
    return [...new Map(this.#operations('user').map((op) => [op.user, op])).values()]
  }

  #operations<Kind extends OplogEntry['op']['kind']>(kind: Kind) {
    return this.#store.log
      .map(({ op }) => op)
      .filter((op): op is Extract<OplogEntry['op'], { kind: Kind }> => op.kind === kind)
  }
}

/** Names a write that its client repeats under the same number: '' for one that it would not repeat. */
function writeOf({ lsid, txnNumber }: Document): string {
  if (txnNumber === undefined) return ''
  const id: unknown = lsid?.['id']
  return id instanceof Binary ? `${id.toString('hex')}/${txnNumber}` : ''
}
