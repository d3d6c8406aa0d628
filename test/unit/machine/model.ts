import type {
  Batch,
  Operation,
  OperationResult,
  Request,
  Trigger,
} from '../../../server/core/machine/operation.ts'
import { type Acl, type Identity, Permission } from '../../../server/core/tree/acl.ts'
import { validatePath } from '../../../server/core/tree/path.ts'
import type { Stat } from '../../../server/core/tree/stat.ts'

/**
 * What the state machine should do, as simply as it can be said: a map of plain objects, copied
 * whole before each multi. Codes are the bare numbers of the protocol.
 */
interface Node {
  data: Uint8Array | null
  acl: Acl
  readonly mode: 'persistent' | 'ephemeral' | 'container' | 'ttl'
  readonly ttlMs: number
  readonly owner: number
  readonly czxid: number
  readonly ctimeMs: number
  mzxid: number
  mtimeMs: number
  pzxid: number
  version: number
  aversion: number
  creations: number
}

interface Lease {
  readonly id: number
  readonly timeoutMs: number
  readonly password: Uint8Array
  readonly owner: string
}

export interface Outcome {
  readonly zxid: number
  readonly error: number
  readonly result: OperationResult
  readonly triggers: readonly Trigger[]
  readonly endedSessions: readonly number[]
}

type Answer = OperationResult | number

const NONE: OperationResult = { kind: 'none' }
const SYSTEM_PATHS = ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config']
const up = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

export class Model {
  nodes = new Map<string, Node>()
  readonly leases = new Map<number, Lease>()
  zxid = 0
  timeMs = 0
  #triggers: Trigger[] = []

  constructor() {
    for (const path of SYSTEM_PATHS) {
      const config = path === '/zookeeper/config'
      this.nodes.set(path, {
        data: new Uint8Array(0),
        acl: [{ permissions: config ? 1 : 31, scheme: 'world', id: 'anyone' }],
        mode: 'persistent',
        ttlMs: 0,
        owner: 0,
        czxid: 0,
        ctimeMs: 0,
        mzxid: 0,
        mtimeMs: 0,
        pzxid: 0,
        version: 0,
        aversion: config ? -1 : 0,
        creations: 0,
      })
    }
  }

  apply(batch: Batch, term: number): Outcome[] {
    this.timeMs = Math.max(this.timeMs, batch.timeMs)
    return batch.requests.map((request) => this.#request(request, term))
  }

  childrenOf(path: string): string[] {
    return [...this.nodes.keys()].filter((other) => other !== '/' && up(other) === path)
  }

  ephemeralsOf(session: number): string[] {
    const own = [...this.nodes].filter(
      ([, { mode, owner }]) => mode === 'ephemeral' && owner === session,
    )
    return own.map(([path]) => path).sort()
  }

  stat(path: string): Stat {
    const node = this.#node(path)
    const numChildren = this.childrenOf(path).length
    return {
      czxid: node.czxid,
      mzxid: node.mzxid,
      ctimeMs: node.ctimeMs,
      mtimeMs: node.mtimeMs,
      version: node.version,
      cversion: 2 * node.creations - numChildren,
      aversion: node.aversion,
      ephemeralOwner: node.mode === 'ephemeral' ? node.owner : 0,
      dataLength: node.data?.length ?? 0,
      numChildren,
      pzxid: node.pzxid,
    }
  }

  #node(path: string): Node {
    const node = this.nodes.get(path)
    if (node === undefined) throw new Error(`no ${path}`)
    return node
  }

  #request(request: Request, term: number): Outcome {
    this.zxid += 1
    this.#triggers = []
    const ended: number[] = []
    const answer = this.#refusal(request) || this.#answer(request, term, ended)
    const failed = typeof answer === 'number'
    return {
      zxid: this.zxid,
      error: failed ? answer : 0,
      result: failed ? NONE : answer,
      triggers: failed ? [] : this.#triggers,
      endedSessions: ended,
    }
  }

  #refusal({ session, operation, origin, connection }: Request): number {
    if (session === 0 || operation.kind === 'attachSession') return 0
    const lease = this.leases.get(session)
    if (lease === undefined) return -112
    return lease.owner === `${origin}/${connection}` ? 0 : -118
  }

  #answer(request: Request, term: number, ended: number[]): Answer {
    const { operation, origin, connection, session } = request
    const owner = `${origin}/${connection}`
    switch (operation.kind) {
      case 'createSession':
        return this.#lease({ ...operation, id: this.zxid, owner })
      case 'attachSession': {
        const lease = this.leases.get(session)
        if (lease === undefined || `${lease.password}` !== `${operation.password}`) return -112
        return this.#lease({ ...lease, timeoutMs: operation.timeoutMs, owner })
      }
      case 'closeSession':
        return this.#end(session, ended)
      case 'expireSession': {
        const lease = this.leases.get(operation.target)
        const named = `${operation.ownerOrigin}/${operation.ownerConnection}`
        if (operation.decidedTerm !== term || lease?.owner !== named) return -1
        return this.#end(operation.target, ended)
      }
      case 'multi':
        return this.#multi(request, operation.operations)
      case 'setClusterVersion':
        return NONE
      default:
        return this.#change(request, operation)
    }
  }

  #lease({ id, timeoutMs, password, owner }: Lease): OperationResult {
    this.leases.set(id, { id, timeoutMs, password, owner })
    return { kind: 'session', session: id, timeoutMs, password }
  }

  #end(session: number, ended: number[]): OperationResult {
    if (!this.leases.delete(session)) return NONE
    ended.push(session)
    for (const path of this.ephemeralsOf(session)) this.#delete(path)
    return NONE
  }

  #multi(request: Request, operations: readonly Operation[]): OperationResult {
    const before = new Map([...this.nodes].map(([path, node]) => [path, { ...node }]))
    const results: OperationResult[] = []
    for (const operation of operations) {
      const fits = ['create', 'delete', 'setData', 'check', 'error'].includes(operation.kind)
      const answer = fits ? this.#change(request, operation) : -8
      if (typeof answer === 'number') {
        this.nodes = before
        this.#triggers = []
        const codes: number[] = operations.map((_, i) => (i < results.length ? 0 : -2))
        codes[results.length] = answer
        const failed = codes.map((code) => ({ kind: 'error', code }) as OperationResult)
        return { kind: 'multi', results: failed }
      }
      results.push(answer)
    }
    return { kind: 'multi', results }
  }

  #change(request: Request, operation: Operation): Answer {
    switch (operation.kind) {
      case 'create':
        return this.#create(request, operation)
      case 'delete': {
        const { path, version } = operation
        if (!path.includes('/') || SYSTEM_PATHS.includes(path)) return -8
        const parent = this.nodes.get(up(path))
        if (parent === undefined) return -101
        if (!may(request.identities, parent, Permission.delete)) return -102
        const node = this.nodes.get(path)
        if (node === undefined) return -101
        if (version !== -1 && version !== node.version) return -103
        if (this.childrenOf(path).length > 0) return -111
        this.#delete(path)
        return { kind: 'delete' }
      }
      case 'setData': {
        const node = this.#found(request, operation, Permission.write)
        if (typeof node === 'number') return node
        if (operation.version !== -1 && operation.version !== node.version) return -103
        Object.assign(node, { data: operation.data, mzxid: this.zxid, mtimeMs: this.timeMs })
        node.version += 1
        this.#trigger('dataChanged', operation.path, node)
        return { kind: 'setData', stat: this.stat(operation.path) }
      }
      case 'setAcl': {
        if (!validatePath(operation.path)) return -8
        const acl = stored(operation.acl, request.identities)
        if (acl.length === 0) return -114
        const node = this.#found(request, operation, Permission.admin)
        if (typeof node === 'number') return node
        if (operation.version !== -1 && operation.version !== node.aversion) return -103
        node.acl = acl
        node.aversion += 1
        return { kind: 'setAcl', stat: this.stat(operation.path) }
      }
      case 'check': {
        const node = this.#found(request, operation, Permission.read)
        if (typeof node === 'number') return node
        if (operation.version !== -1 && operation.version !== node.version) return -103
        return { kind: 'check' }
      }
      case 'deleteContainer': {
        const node = this.nodes.get(operation.path)
        if (node === undefined) return -101
        if (this.childrenOf(operation.path).length > 0) return -111
        const empty = node.mode === 'container' && node.creations > 0
        const old = node.mode === 'ttl' && this.timeMs - node.mtimeMs > node.ttlMs
        if (!empty && !old) return -103
        this.#delete(operation.path)
        return { kind: 'delete' }
      }
      case 'error':
        return operation.code
      default:
        throw new Error(`${operation.kind} is no change`)
    }
  }

  #found(request: Request, { path }: { path: string }, permission: number): Node | number {
    if (!validatePath(path)) return -8
    const node = this.nodes.get(path)
    if (node === undefined) return -101
    return may(request.identities, node, permission) ? node : -102
  }

  #create(request: Request, operation: Extract<Operation, { kind: 'create' }>): Answer {
    const { mode, ttlMs, data, sequential, withStat } = operation
    if (mode === 'ttl' && ttlMs < 1) return -8
    if (!operation.path.includes('/')) return -8
    if (mode === 'ephemeral' && request.session === 0) return -8
    const acl = stored(operation.acl, request.identities)
    if (acl.length === 0) return -114
    const parentPath = up(operation.path)
    const parent = this.nodes.get(parentPath)
    if (parent === undefined) return -101
    if (!may(request.identities, parent, Permission.create)) return -102
    const suffix = sequential ? String(parent.creations).padStart(10, '0') : ''
    const path = operation.path + suffix
    if (!validatePath(path)) return -8
    if (this.nodes.has(path)) return -110
    if (parent.mode === 'ephemeral') return -108
    const node: Node = {
      data,
      acl,
      mode,
      ttlMs,
      owner: mode === 'ephemeral' ? request.session : 0,
      czxid: this.zxid,
      ctimeMs: this.timeMs,
      mzxid: this.zxid,
      mtimeMs: this.timeMs,
      pzxid: this.zxid,
      version: 0,
      aversion: 0,
      creations: 0,
    }
    this.nodes.set(path, node)
    parent.creations += 1
    parent.pzxid = this.zxid
    this.#trigger('created', path, node)
    this.#trigger('childrenChanged', parentPath, parent)
    return { kind: 'create', path, stat: withStat ? this.stat(path) : null }
  }

  #delete(path: string): void {
    const node = this.#node(path)
    const parent = this.#node(up(path))
    this.nodes.delete(path)
    parent.pzxid = this.zxid
    this.#trigger('deleted', path, node)
    this.#trigger('childrenChanged', up(path), parent)
  }

  #trigger(event: Trigger['event'], path: string, { acl }: Node): void {
    this.#triggers.push({ event, path, zxid: this.zxid, acl })
  }
}

function may(identities: readonly Identity[], { acl }: Node, permission: number): boolean {
  if (identities.some(({ scheme }) => scheme === 'super')) return true
  return acl.some(
    (entry) =>
      (entry.permissions & permission) !== 0 &&
      (entry.scheme === 'world' ||
        identities.some(({ scheme, id }) => scheme === entry.scheme && id === entry.id)),
  )
}

/** Knows world and digest entries, and auth for one who is known by digests; [] is a refusal. */
function stored(acl: Acl, identities: readonly Identity[]): Acl {
  const known = identities.filter(({ scheme }) => scheme === 'digest')
  if (acl.some(({ scheme }) => scheme === 'auth') && known.length === 0) return []
  return acl.flatMap((entry) =>
    entry.scheme === 'auth'
      ? known.map((identity) => ({ ...identity, permissions: entry.permissions }))
      : [entry],
  )
}
