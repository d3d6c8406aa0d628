import type { SessionId } from '../core/brand.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation, OperationResult } from '../core/machine/operation.ts'
import type { Acl, Identity } from '../core/tree/acl.ts'
import { CONFIG_PATH } from '../core/tree/tree.ts'
import type { Outcome } from '../ensemble/ensemble.ts'

/** `invoked`: begun, and nothing more will be told; `unknown`: it may or may not be done. */
export type AuditResult = 'success' | 'failure' | 'invoked' | 'unknown'

/** One line: ZooKeeper's fields, in its order, and `member` for what is done to a server. */
export interface AuditEntry {
  /** In hex; missing for what no session did. */
  readonly session?: string
  /** Names that were proved, with commas between them. */
  readonly user: string
  readonly ip?: string
  readonly operation: string
  readonly znode?: string
  readonly znode_type?: string
  readonly acl?: string
  readonly member?: string
  readonly result: AuditResult
}

/** Who asks for a change. */
export interface Requester {
  /** 0 over HTTP. */
  readonly session: SessionId
  readonly identities: readonly Identity[]
  readonly address: string
}

/** What a request over HTTP is for: `znode` is written, or a server (`member`) is administered. */
export type Change =
  | { readonly operation: 'setData' | 'delete'; readonly znode: string }
  | {
      readonly operation: AdministrativeOperation
      readonly znode?: never
      readonly member?: string | undefined
    }

export type AdministrativeOperation =
  | 'transferLeadership'
  | 'removeMember'
  | 'readmitMember'
  | 'takeSnapshot'

export interface AuditOptions {
  /** False: changes of ACLs and administration alone. */
  readonly everything: boolean
  /** The user that the server runs as. */
  readonly serverUser: string
  readonly write: (entry: AuditEntry) => void
  /** Whether one more denied request is told of: anybody can make them. */
  readonly tellsDenial: () => boolean
}

type Told = Pick<AuditEntry, 'operation' | 'znode' | 'znode_type' | 'acl'>

/** Tells of changes, as ZooKeeper's `audit.enable` does. */
export class Audit {
  readonly #options: AuditOptions

  constructor(options: AuditOptions) {
    this.#options = options
  }

  /** Whether a write of this kind is told of. */
  tells({ kind }: Operation): boolean {
    return kind === 'setAcl' || (this.#options.everything && kind !== 'closeSession')
  }

  /** A client's write that `tells` is true of, with what became of it. */
  write(requester: Requester, operation: Operation, outcome: Outcome): void {
    const common = commonOf(requester)
    const { write } = this.#options
    if (outcome.kind !== 'applied') {
      const told = toldOf(operation, null)
      const result = outcome.kind === 'lost' ? 'unknown' : 'failure'
      if (told !== null) write({ ...common, ...told, result })
      return
    }
    const { error, result } = outcome.result
    if (operation.kind === 'multi' && result.kind === 'multi') {
      this.#multi(common, operation.operations, result.results)
      return
    }
    const told = toldOf(operation, result)
    if (told === null) return
    write({ ...common, ...told, result: error === ErrorCode.ok ? 'success' : 'failure' })
  }

  /** Each operation of one that was done, or one line for all of one that was not. */
  #multi(
    common: ReturnType<typeof commonOf>,
    operations: readonly Operation[],
    results: readonly OperationResult[],
  ): void {
    const { write } = this.#options
    if (results.some(({ kind }) => kind === 'error')) {
      write({ ...common, operation: 'multiOperation', result: 'failure' })
      return
    }
    for (const [index, operation] of operations.entries()) {
      const told = toldOf(operation, results[index] ?? null)
      if (told !== null) write({ ...common, ...told, result: 'success' })
    }
  }

  /** A client's reconfig; null: nobody here knows what became of it. */
  reconfig(requester: Requester, code: ErrorCode | null): void {
    const result = code === null ? 'unknown' : code === ErrorCode.ok ? 'success' : 'failure'
    const znode = result === 'success' ? { znode: CONFIG_PATH } : {}
    this.#options.write({ ...commonOf(requester), operation: 'reconfig', ...znode, result })
  }

  /** The session was closed or has expired, and its znodes with it. */
  sessionEnded(session: SessionId, znodes: readonly string[]): void {
    const { everything, serverUser, write } = this.#options
    if (!everything) return
    const operation = 'ephemeralZNodeDeletionOnSessionCloseOrExpire'
    for (const znode of znodes) {
      write({ session: hex(session), user: serverUser, operation, znode, result: 'success' })
    }
  }

  server(operation: 'serverStart' | 'serverStop', result: AuditResult): void {
    const { everything, serverUser, write } = this.#options
    if (everything) write({ user: serverUser, operation, result })
  }

  /** An administrator's request over HTTP; `member` is the server that it is about. */
  administration(
    who: { readonly user: string; readonly ip: string },
    operation: AdministrativeOperation,
    result: AuditResult,
    member?: string,
  ): void {
    this.#options.write({ ...who, operation, ...(member === undefined ? {} : { member }), result })
  }

  /** A change asked for over HTTP by somebody who may not; the tree and the ensemble never saw it. */
  denied(identities: readonly Identity[], address: string, change: Change): void {
    const { everything, write, tellsDenial } = this.#options
    const isWrite = change.znode !== undefined
    if ((isWrite && !everything) || !tellsDenial()) return
    if (isWrite) {
      const common = commonOf({ session: 0, identities, address })
      write({ ...common, ...change, result: 'failure' })
      return
    }
    const who = { user: userOf(identities), ip: address }
    this.administration(who, change.operation, 'failure', change.member)
  }
}

/** What is said of an operation; null for one that is not audited. */
function toldOf(operation: Operation, result: OperationResult | null): Told | null {
  switch (operation.kind) {
    case 'create': {
      // A sequential znode has its name from its creation.
      const znode = result?.kind === 'create' ? result.path : operation.path
      return { operation: 'create', znode, znode_type: typeOf(operation) }
    }
    case 'delete':
    case 'setData':
      return { operation: operation.kind, znode: operation.path }
    case 'setAcl':
      return { operation: 'setAcl', znode: operation.path, acl: aclText(operation.acl) }
    case 'multi':
      return { operation: 'multiOperation' }
    default:
      return null
  }
}

/** ZooKeeper's CreateMode in small letters. */
function typeOf({ mode, sequential }: Extract<Operation, { kind: 'create' }>): string {
  if (mode === 'container') return 'container'
  const base = mode === 'ephemeral' ? 'ephemeral' : 'persistent'
  return `${base}${sequential ? '_sequential' : ''}${mode === 'ttl' ? '_with_ttl' : ''}`
}

const LETTERS = [
  [4, 'c'],
  [8, 'd'],
  [1, 'r'],
  [2, 'w'],
  [16, 'a'],
] as const

/** As zkCli takes it, with the hashes of passwords left out. */
function aclText(acl: Acl): string {
  const entry = ({ scheme, id, permissions }: Acl[number]) => {
    const letters = LETTERS.filter(([bit]) => (permissions & bit) !== 0).map(([, letter]) => letter)
    return `${scheme}:${scheme === 'digest' ? `${nameOf(id)}:x` : id}:${letters.join('')}`
  }
  return acl.map(entry).join(',')
}

function commonOf({ session, identities, address }: Requester) {
  return { session: hex(session), user: userOf(identities), ip: address }
}

/** The names that were proved: of a digest the user's, and the superuser as super. */
export function userOf(identities: readonly Identity[]): string {
  const names = identities.map(({ scheme, id }) => {
    if (scheme === 'digest') return nameOf(id)
    return scheme === 'super' ? 'super' : id
  })
  return [...new Set(names)].join(',')
}

function nameOf(digest: string): string {
  return digest.split(':', 1)[0] ?? ''
}

function hex(session: SessionId): string {
  return `0x${session.toString(16)}`
}
