import { assert } from '../assert.ts'
import type { LogIndex, SessionId, Term, Zxid } from '../brand.ts'
import { type Session, SessionTable, samePassword } from '../session/session-table.ts'
import { mix } from '../tree/hash.ts'
import { Tree } from '../tree/tree.ts'
import { SINCE_VERSION } from './cluster-version.ts'
import { ErrorCode } from './error-code.ts'
import type {
  Batch,
  Operation,
  OperationResult,
  Request,
  RequestResult,
  Trigger,
} from './operation.ts'
import { QuotaBook, recount } from './quotas.ts'
import { SnapshotCursor } from './snapshot.ts'
import {
  type ChangeContext,
  checkZnode,
  createZnode,
  deleteContainer,
  deleteUnusedContainer,
  deleteZnode,
  removeZnode,
  setConfig,
  setZnodeAcl,
  setZnodeData,
} from './tree-operations.ts'

type OperationOf<K extends Operation['kind']> = Extract<Operation, { kind: K }>

const NO_TRIGGERS: readonly Trigger[] = []
const NO_SESSIONS: readonly SessionId[] = []
const NONE: OperationResult = { kind: 'none' }

/** The replicated positions of the machine, beside its tree and sessions. */
export interface MachinePosition {
  readonly index: LogIndex
  readonly zxid: Zxid
  readonly timeMs: number
  readonly clusterVersion: number
}

/**
 * The replicated state machine: the same entries in the same order give the same state and the same
 * results on every server. Apply is total: no request can make it throw (reference B5.17: ZooKeeper
 * can be killed for good by one logged request).
 */
export class StateMachine {
  readonly tree: Tree
  readonly sessions: SessionTable
  #appliedIndex: LogIndex
  #lastZxid: Zxid
  #lastTimeMs: number
  #clusterVersion: number
  /** Of the batch that is being applied. */
  #enforcesQuotas = false

  constructor(restored?: {
    readonly tree: Tree
    readonly sessions: SessionTable
    readonly position: MachinePosition
  }) {
    this.tree = restored?.tree ?? new Tree()
    this.sessions = restored?.sessions ?? new SessionTable()
    this.#appliedIndex = restored?.position.index ?? 0
    this.#lastZxid = restored?.position.zxid ?? 0
    this.#lastTimeMs = restored?.position.timeMs ?? 0
    this.#clusterVersion = restored?.position.clusterVersion ?? 0
  }

  get appliedIndex(): LogIndex {
    return this.#appliedIndex
  }

  get lastZxid(): Zxid {
    return this.#lastZxid
  }

  /** The newest stamp of the log: times in the tree never run backwards. */
  get lastTimeMs(): number {
    return this.#lastTimeMs
  }

  get clusterVersion(): number {
    return this.#clusterVersion
  }

  /** Equal on all servers at the same index: 32 hex digits over tree, sessions and position. */
  get digest(): string {
    const [a, b] = this.tree.digest
    const position = mix(mix(mix(0, this.#lastZxid), this.#lastTimeMs), this.#clusterVersion)
    const parts = [a, b, this.sessions.digest, position >>> 0]
    return parts.map((part) => part.toString(16).padStart(8, '0')).join('')
  }

  /**
   * Applies one `requests` entry. Each request takes one zxid, refused ones too (B5.2). `each` is
   * called with a result before the next request is applied: what it reads is the state that the
   * request left behind, not that of its successors in the batch.
   */
  apply(
    entry: { readonly index: LogIndex; readonly term: Term },
    batch: Batch,
    each: (result: RequestResult) => void = () => {},
  ): RequestResult[] {
    this.#advanceTo(entry.index)
    this.#lastTimeMs = Math.max(this.#lastTimeMs, batch.timeMs)
    this.#enforcesQuotas = batch.enforcesQuotas === true
    const results: RequestResult[] = []
    for (const request of batch.requests) {
      this.#lastZxid += 1
      const result = this.#applyRequest(request, entry.term)
      results.push(result)
      each(result)
    }
    return results
  }

  /** An entry without requests. */
  skip(index: LogIndex): void {
    this.#advanceTo(index)
  }

  /** A snapshot of this very moment; what is applied from now on does not show in it. */
  openSnapshot(index: LogIndex, term: Term): SnapshotCursor {
    assert(index === this.#appliedIndex, 'a snapshot stands for what is applied')
    return new SnapshotCursor(this, term)
  }

  /** Every entry is applied once, in order. */
  #advanceTo(index: LogIndex): void {
    assert(index === this.#appliedIndex + 1, 'each entry is applied once, in order')
    this.#appliedIndex = index
  }

  #applyRequest(request: Request, term: Term): RequestResult {
    const refusal = this.#sessionRefusal(request)
    if (refusal !== ErrorCode.ok) return this.#resultOf(request, refusal, NONE)
    const { operation } = request
    switch (operation.kind) {
      case 'createSession':
        return this.#createSession(request, operation)
      case 'attachSession':
        return this.#attachSession(request, operation)
      case 'renewSession':
        return this.#renewSession(request, operation.timeoutMs)
      case 'closeSession':
        return this.#endSession(request, request.session)
      case 'expireSession':
        return this.#expireSession(request, operation, term)
      case 'setClusterVersion':
        return this.#raiseClusterVersion(request, operation.version)
      case 'error':
        return this.#resultOf(request, operation.code, NONE)
      case 'multi':
        return this.#multi(request, operation.operations)
      default:
        return this.#single(request, operation)
    }
  }

  /** Only the present owner speaks for a session; session 0 is the system itself. */
  #sessionRefusal(request: Request): ErrorCode {
    if (request.session === 0 || takesUp(request.operation)) return ErrorCode.ok
    const session = this.sessions.get(request.session)
    if (session === undefined) return ErrorCode.sessionExpired
    const owned = session.origin === request.origin && session.connection === request.connection
    return owned ? ErrorCode.ok : ErrorCode.sessionMoved
  }

  /** Znodes of quotas that were written before there were quotas begin to count now. */
  #raiseClusterVersion(request: Request, version: number): RequestResult {
    const before = this.#clusterVersion
    this.#clusterVersion = Math.max(before, version)
    if (before < SINCE_VERSION.quotas && version >= SINCE_VERSION.quotas) {
      for (const subtree of this.tree.quotas()) recount(this.tree, subtree)
    }
    return this.#resultOf(request, ErrorCode.ok, NONE)
  }

  #contextOf(request: Request): ChangeContext {
    const counts = this.#clusterVersion >= SINCE_VERSION.quotas
    return {
      tree: this.tree,
      session: request.session,
      identities: request.identities,
      zxid: this.#lastZxid,
      timeMs: this.#lastTimeMs,
      triggers: [],
      quotas: counts ? new QuotaBook(this.tree, this.#enforcesQuotas) : null,
    }
  }

  #single(request: Request, operation: Operation): RequestResult {
    const context = this.#contextOf(request)
    const result = change(context, operation)
    const applied =
      typeof result === 'number'
        ? this.#resultOf(request, result, NONE)
        : this.#resultOf(request, ErrorCode.ok, result, context.triggers)
    return withExcesses(applied, context)
  }

  /** All or nothing, one zxid; a failure is in the results, not in the error (B4, failed multi). */
  #multi(request: Request, operations: readonly Operation[]): RequestResult {
    const context = this.#contextOf(request)
    const results: OperationResult[] = []
    this.tree.begin()
    for (const operation of operations) {
      const result = changeInMulti(context, operation)
      if (typeof result !== 'number') {
        results.push(result)
        continue
      }
      this.tree.rollback()
      // What cannot be read ends all of it: a quota that a client made illegible.
      if (result === ErrorCode.marshallingError && operation.kind !== 'error') {
        return this.#resultOf(request, result, NONE)
      }
      const failed = failedMulti(operations.length, results.length, result)
      const refused = this.#resultOf(request, ErrorCode.ok, { kind: 'multi', results: failed })
      return withExcesses(refused, context)
    }
    this.tree.commit()
    const done: OperationResult = { kind: 'multi', results }
    return withExcesses(this.#resultOf(request, ErrorCode.ok, done, context.triggers), context)
  }

  #createSession(request: Request, operation: OperationOf<'createSession'>): RequestResult {
    const { timeoutMs, password } = operation
    const { origin, connection } = request
    const session = {
      id: this.#lastZxid,
      timeoutMs,
      password: password.slice(),
      origin,
      connection,
    }
    return this.#ownSession(request, session)
  }

  #attachSession(request: Request, operation: OperationOf<'attachSession'>): RequestResult {
    const present = this.sessions.get(request.session)
    if (present === undefined || !samePassword(present.password, operation.password)) {
      return this.#resultOf(request, ErrorCode.sessionExpired, NONE)
    }
    return this.#moveSession(request, present, operation.timeoutMs)
  }

  /** Its password was found right before it was proposed. */
  #renewSession(request: Request, timeoutMs: number): RequestResult {
    if (this.#clusterVersion < SINCE_VERSION.renewals) {
      return this.#resultOf(request, ErrorCode.marshallingError, NONE)
    }
    const present = this.sessions.get(request.session)
    if (present === undefined) return this.#resultOf(request, ErrorCode.sessionExpired, NONE)
    return this.#moveSession(request, present, timeoutMs)
  }

  #moveSession(request: Request, present: Session, timeoutMs: number): RequestResult {
    const { origin, connection } = request
    return this.#ownSession(request, { ...present, timeoutMs, origin, connection })
  }

  #ownSession(request: Request, session: Session): RequestResult {
    this.sessions.put(session)
    const { id, timeoutMs, password } = session
    const result: OperationResult = { kind: 'session', session: id, timeoutMs, password }
    return this.#resultOf(request, ErrorCode.ok, result)
  }

  #expireSession(
    request: Request,
    operation: OperationOf<'expireSession'>,
    term: Term,
  ): RequestResult {
    const session = this.sessions.get(operation.target)
    const sameOwner =
      session?.origin === operation.ownerOrigin && session.connection === operation.ownerConnection
    const valid = operation.decidedTerm === term
    if (!valid || !sameOwner) return this.#resultOf(request, ErrorCode.systemError, NONE)
    return this.#endSession(request, operation.target)
  }

  /** The session and all its ephemerals go in one transaction (B5.8). */
  #endSession(request: Request, id: SessionId): RequestResult {
    if (!this.sessions.remove(id)) return this.#resultOf(request, ErrorCode.ok, NONE)
    const context = this.#contextOf(request)
    // In an order that a snapshot does not change: every server tells the same events alike.
    for (const path of this.tree.ephemeralsOf(id).sort()) removeZnode(context, path)
    return this.#resultOf(request, ErrorCode.ok, NONE, context.triggers, [id])
  }

  #resultOf(
    request: Request,
    error: ErrorCode,
    result: OperationResult,
    triggers: readonly Trigger[] = NO_TRIGGERS,
    endedSessions: readonly SessionId[] = NO_SESSIONS,
  ): RequestResult {
    return { request, zxid: this.#lastZxid, error, result, triggers, endedSessions }
  }
}

/** By its own proof, whoever owns the session. */
function takesUp({ kind }: Operation): boolean {
  return kind === 'attachSession' || kind === 'renewSession'
}

function change(context: ChangeContext, operation: Operation): OperationResult | ErrorCode {
  switch (operation.kind) {
    case 'create':
      return createZnode(context, operation)
    case 'delete':
      return deleteZnode(context, operation)
    case 'setData':
      return setZnodeData(context, operation)
    case 'setAcl':
      return setZnodeAcl(context, operation)
    case 'check':
      return checkZnode(context, operation)
    case 'deleteContainer':
      return deleteContainer(context, operation.path)
    case 'deleteUnusedContainer':
      return deleteUnusedContainer(context, operation)
    case 'setConfig':
      return setConfig(context, operation)
    default:
      return ErrorCode.badArguments
  }
}

function changeInMulti(context: ChangeContext, operation: Operation): OperationResult | ErrorCode {
  const { kind } = operation
  if (kind === 'error') return operation.code
  const allowed = kind === 'create' || kind === 'delete' || kind === 'setData' || kind === 'check'
  return allowed ? change(context, operation) : ErrorCode.badArguments
}

/** Before the failing operation 0, then its code, then runtimeInconsistency. */
function failedMulti(count: number, failedAt: number, code: ErrorCode): OperationResult[] {
  return Array.from({ length: count }, (_, position) => {
    if (position < failedAt) return { kind: 'error', code: ErrorCode.ok }
    return { kind: 'error', code: position === failedAt ? code : ErrorCode.runtimeInconsistency }
  })
}

function withExcesses(result: RequestResult, { quotas }: ChangeContext): RequestResult {
  const excesses = quotas?.excesses ?? null
  return excesses === null ? result : { ...result, excesses }
}
