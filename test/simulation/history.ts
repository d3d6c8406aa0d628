import type {
  Operation,
  OperationResult,
  Request,
  RequestResult,
  Trigger,
} from '../../server/core/machine/operation.ts'
import type { Entry } from '../../server/core/raft/message.ts'

/** One state of a path, valid from its zxid until the next. */
interface PathState {
  readonly zxid: number
  readonly exists: boolean
  readonly version: number
  readonly data: string
  readonly owner: number
}

export class Violation extends Error {
  readonly checker: string

  constructor(checker: string, message: string) {
    super(`${checker}: ${message}`)
    this.checker = checker
  }
}

const ownerOf = ({ origin, connection }: Request): string => `${origin}/${connection}`

const decoder = new TextDecoder()
const text = (data: Uint8Array | null): string => (data === null ? '' : decoder.decode(data))

/**
 * The one history that all servers must agree on, as first applied by any of them, replayed on a
 * naive model of its own: every result, read and event of the run is held against it.
 */
export class History {
  /** By index: what was applied there first. */
  readonly #entries = new Map<number, { readonly key: string; readonly digest: string }>()
  readonly #paths = new Map<string, PathState[]>()
  readonly #changes = new Map<
    string,
    { readonly zxid: number; readonly event: Trigger['event'] }[]
  >()
  readonly #children = new Map<string, Set<string>>([['/', new Set()]])
  readonly #childStates = new Map<string, { readonly zxid: number; readonly names: string }[]>()
  readonly sessions = new Map<
    number,
    {
      timeoutMs: number
      /** The connection that took it last: it alone speaks for the session. */
      owner: string
      readonly ephemerals: Set<string>
    }
  >()
  /** When a session ended, and how. */
  readonly ended = new Map<number, { readonly zxid: number; readonly expired: boolean }>()
  readonly results = new Map<number, RequestResult>()
  lastIndex = 0
  lastZxid = 0
  /** What clients wrote is unique: where each mark was applied. */
  readonly #marks = new Map<string, number>()
  /** Marks that a server surely will never apply, as it said. */
  readonly #never = new Set<string>()
  readonly #onEnd: (session: number, timeoutMs: number, expired: boolean) => void

  constructor(onEnd: (session: number, timeoutMs: number, expired: boolean) => void) {
    this.#onEnd = onEnd
  }

  /** Called for each entry that some server applied. */
  applied(index: number, entry: Entry, results: readonly RequestResult[], digest: string): void {
    const key = keyOf(entry)
    const known = this.#entries.get(index)
    if (known !== undefined) {
      if (known.key !== key)
        throw new Violation('log agreement', `index ${index} differs: ${known.key} / ${key}`)
      if (known.digest !== digest)
        throw new Violation('log agreement', `state after index ${index} differs`)
      return
    }
    if (index !== this.lastIndex + 1) {
      throw new Violation('applied in order', `index ${index} after ${this.lastIndex}`)
    }
    this.lastIndex = index
    this.#entries.set(index, { key, digest })
    for (const result of results) this.#replay(result)
  }

  #replay(applied: RequestResult): void {
    const { zxid, request, error, result } = applied
    if (zxid !== this.lastZxid + 1) {
      throw new Violation('applied once', `zxid ${zxid} after ${this.lastZxid}`)
    }
    this.lastZxid = zxid
    this.results.set(zxid, applied)
    for (const mark of marksOf(request.operation)) this.#appliedMark(mark, zxid)
    if (error !== 0) return
    this.#checkOwner(request, zxid)
    if (result.kind === 'multi') {
      const failed = result.results.some((each) => each.kind === 'error')
      if (failed || request.operation.kind !== 'multi') return
      request.operation.operations.forEach((operation, position) => {
        this.#change(request, operation, result.results[position], zxid)
      })
      return
    }
    this.#change(request, request.operation, result, zxid)
  }

  /** Of two connections that claim one session, nothing of the former is applied any more. */
  #checkOwner(request: Request, zxid: number): void {
    const { kind } = request.operation
    if (request.session === 0 || kind === 'attachSession' || kind === 'renewSession') return
    const owner = this.sessions.get(request.session)?.owner
    if (owner !== ownerOf(request)) {
      const said = `${ownerOf(request)} spoke at ${zxid} for ${request.session}, which ${owner} has`
      throw new Violation('session', said)
    }
  }

  #change(
    request: Request,
    operation: Operation,
    result: OperationResult | undefined,
    zxid: number,
  ): void {
    switch (operation.kind) {
      case 'create': {
        const path = result?.kind === 'create' ? result.path : operation.path
        if (this.state(path, zxid)?.exists)
          throw new Violation('model', `${path} was created twice`)
        const owner = operation.mode === 'ephemeral' ? request.session : 0
        this.#record(path, { zxid, exists: true, version: 0, data: text(operation.data), owner })
        this.#note(path, zxid, 'created')
        this.#relate(path, zxid, true)
        if (owner !== 0) {
          const session = this.sessions.get(owner)
          if (session === undefined)
            throw new Violation('session', `an ephemeral of ended ${owner}`)
          session.ephemerals.add(path)
        }
        return
      }
      case 'setData': {
        const before = this.state(operation.path, zxid)
        if (!before?.exists)
          throw new Violation('model', `${operation.path} was set and is not there`)
        const version = before.version + 1
        if (result?.kind === 'setData' && result.stat.version !== version) {
          throw new Violation(
            'applied once',
            `${operation.path} has version ${result.stat.version}, not ${version}`,
          )
        }
        this.#record(operation.path, { ...before, zxid, version, data: text(operation.data) })
        this.#note(operation.path, zxid, 'dataChanged')
        return
      }
      case 'delete':
      case 'deleteContainer':
      case 'deleteUnusedContainer':
        return this.#remove(operation.path, zxid)
      case 'createSession':
        if (this.sessions.has(zxid) || this.ended.has(zxid))
          throw new Violation('session', `${zxid} was given out twice`)
        this.sessions.set(zxid, {
          timeoutMs: operation.timeoutMs,
          owner: ownerOf(request),
          ephemerals: new Set(),
        })
        return
      case 'attachSession':
      case 'renewSession': {
        const session = this.sessions.get(request.session)
        if (session === undefined)
          throw new Violation('session', `attached to ended ${request.session}`)
        session.timeoutMs = operation.timeoutMs
        session.owner = ownerOf(request)
        return
      }
      case 'closeSession':
        return this.#end(request.session, zxid, false)
      case 'expireSession':
        return this.#end(operation.target, zxid, true)
      default:
        return
    }
  }

  #appliedMark(mark: string, zxid: number): void {
    const first = this.#marks.get(mark)
    if (first !== undefined) {
      throw new Violation('applied once', `${mark} was applied at ${first} and at ${zxid}`)
    }
    if (this.#never.has(mark)) {
      throw new Violation('refusal', `${mark} was refused for good and applied at ${zxid}`)
    }
    this.#marks.set(mark, zxid)
  }

  /** A client was told that its write is not applied, now or later. */
  promiseNever(mark: string): void {
    const zxid = this.#marks.get(mark)
    if (zxid !== undefined) {
      throw new Violation('refusal', `${mark} was refused for good and applied at ${zxid}`)
    }
    this.#never.add(mark)
  }

  #end(id: number, zxid: number, expired: boolean): void {
    const session = this.sessions.get(id)
    if (session === undefined) return
    this.#onEnd(id, session.timeoutMs, expired)
    this.sessions.delete(id)
    this.ended.set(id, { zxid, expired })
    for (const path of session.ephemerals) this.#remove(path, zxid)
  }

  #remove(path: string, zxid: number): void {
    const before = this.state(path, zxid)
    if (!before?.exists) throw new Violation('model', `${path} was removed and is not there`)
    this.sessions.get(before.owner)?.ephemerals.delete(path)
    this.#record(path, { zxid, exists: false, version: 0, data: '', owner: 0 })
    this.#note(path, zxid, 'deleted')
    this.#relate(path, zxid, false)
  }

  #record(path: string, state: PathState): void {
    const states = this.#paths.get(path)
    if (states === undefined) this.#paths.set(path, [state])
    else states.push(state)
  }

  #note(path: string, zxid: number, event: Trigger['event']): void {
    const changes = this.#changes.get(path)
    if (changes === undefined) this.#changes.set(path, [{ zxid, event }])
    else changes.push({ zxid, event })
  }

  #relate(path: string, zxid: number, there: boolean): void {
    const parent = path.slice(0, path.lastIndexOf('/')) || '/'
    const names = this.#children.get(parent) ?? new Set()
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (there) names.add(name)
    else names.delete(name)
    this.#children.set(parent, names)
    const states = this.#childStates.get(parent) ?? []
    states.push({ zxid, names: [...names].sort().join(',') })
    this.#childStates.set(parent, states)
    this.#note(parent, zxid, 'childrenChanged')
  }

  /** The path as it was once everything up to `zxid` had been applied. */
  state(path: string, zxid: number): PathState | undefined {
    return latest(this.#paths.get(path), zxid)
  }

  childrenAt(path: string, zxid: number): string {
    return latest(this.#childStates.get(path), zxid)?.names ?? ''
  }

  /** The first change after `after` that is of these kinds; null when there is none. */
  firstChange(path: string, after: number, events: readonly Trigger['event'][]): number | null {
    const change = this.#changes
      .get(path)
      ?.find((each) => each.zxid > after && events.includes(each.event))
    return change?.zxid ?? null
  }

  /** All paths that exist now. */
  livePaths(): Set<string> {
    const live = new Set<string>()
    for (const [path, states] of this.#paths) if (states.at(-1)?.exists) live.add(path)
    return live
  }
}

function latest<T extends { readonly zxid: number }>(
  states: readonly T[] | undefined,
  zxid: number,
): T | undefined {
  if (states === undefined) return undefined
  for (let i = states.length - 1; i >= 0; i -= 1) {
    const state = states[i]
    if (state !== undefined && state.zxid <= zxid) return state
  }
  return undefined
}

/** The unique texts that a request writes. */
function marksOf(operation: Operation): Set<string> {
  const parts = operation.kind === 'multi' ? operation.operations : [operation]
  const marks = new Set<string>()
  for (const part of parts) {
    if (part.kind === 'create' || part.kind === 'setData') marks.add(text(part.data))
  }
  return marks
}

function keyOf(entry: Entry): string {
  if (entry.kind !== 'requests') return `${entry.term} ${entry.kind}`
  return `${entry.term} ${Buffer.from(entry.payload).toString('latin1')}`
}
