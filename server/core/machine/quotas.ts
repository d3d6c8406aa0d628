import { childOf } from '../tree/path.ts'
import {
  countedBy,
  formatQuota,
  limitsPathOf,
  parseQuota,
  type QuotaNumbers,
  quotaNumber,
  statsPathOf,
} from '../tree/quota.ts'
import type { Tree } from '../tree/tree.ts'
import { ErrorCode } from './error-code.ts'

/** A limit that a write went over, or would have. */
export interface QuotaExcess {
  readonly subtree: string
  readonly of: 'count' | 'bytes'
  readonly limit: number
  readonly value: number
  /** The write was refused. */
  readonly hard: boolean
}

/**
 * The quotas while one request is applied (ZooKeeperServer.checkQuota and DataTree of 3.9.5). Use is
 * kept at each change. It is checked, where the leader's setting says so, against what it was before
 * the request: the operations of a multi do not see each other, as in ZooKeeper.
 */
export class QuotaBook {
  readonly #tree: Tree
  readonly #enforced: boolean
  /** By subtree: its use before the request, once that has changed. */
  #before: Map<string, QuotaNumbers | null> | null = null
  #excesses: QuotaExcess[] | null = null

  constructor(tree: Tree, enforced: boolean) {
    this.#tree = tree
    this.#enforced = enforced
  }

  /** The limits that were gone over so far; null: none. */
  get excesses(): readonly QuotaExcess[] | null {
    return this.#excesses
  }

  /** Whether `bytes` more data and `count` more znodes may be at `path`; soft limits are only noted. */
  check(path: string, bytes: number, count: number): ErrorCode {
    if (!this.#enforced) return ErrorCode.ok
    const subtree = this.#tree.quotaOver(path)
    if (subtree === null) return ErrorCode.ok
    const limits = readQuota(this.#tree, limitsPathOf(subtree))
    // ZooKeeper stumbles over it when it answers; the client is told the same.
    if (limits === null) return ErrorCode.marshallingError
    const counts = count !== 0 && isLimited(limits, 'count', 'countHardLimit')
    const weighs = bytes !== 0 && isLimited(limits, 'bytes', 'byteHardLimit')
    if (!counts && !weighs) return ErrorCode.ok
    if (!this.#tree.has(statsPathOf(subtree))) return ErrorCode.ok
    const use = this.#before?.get(subtree) ?? readQuota(this.#tree, statsPathOf(subtree))
    if (use === null) return ErrorCode.marshallingError
    if (counts) {
      const value = quotaNumber(use, 'count') + count
      if (this.#exceeds(subtree, limits, 'count', value)) return ErrorCode.quotaExceeded
    }
    if (weighs) {
      const value = quotaNumber(use, 'bytes') + bytes
      if (this.#exceeds(subtree, limits, 'bytes', value)) return ErrorCode.quotaExceeded
    }
    return ErrorCode.ok
  }

  /** True when a hard limit, which stands in for the soft one, does not allow the value. */
  #exceeds(subtree: string, limits: QuotaNumbers, of: 'count' | 'bytes', value: number): boolean {
    const hardLimit = quotaNumber(limits, of === 'count' ? 'countHardLimit' : 'byteHardLimit')
    const hard = hardLimit > -1
    const limit = hard ? hardLimit : quotaNumber(limits, of)
    if (value <= limit) return false
    this.#excesses ??= []
    this.#excesses.push({ subtree, of, limit, value, hard })
    return hard
  }

  /** A znode was created: it is counted, or it is the one in which its subtree is counted. */
  created(path: string, bytes: number): void {
    const subtree = countedBy(path)
    if (subtree !== null) recount(this.#tree, subtree)
    this.changed(path, bytes, 1)
  }

  /** The data below `path` grew by `bytes` and the znodes by `count`. */
  changed(path: string, bytes: number, count: number): void {
    const subtree = this.#tree.quotaOver(path)
    if (subtree === null) return
    const statsPath = statsPathOf(subtree)
    const use = readQuota(this.#tree, statsPath)
    this.#before ??= new Map()
    if (!this.#before.has(subtree)) this.#before.set(subtree, use)
    // Not there yet, or no longer legible: it is counted anew when it is created again.
    if (use === null || !this.#tree.has(statsPath)) return
    const updated = new Map(use)
    updated.set('count', quotaNumber(use, 'count') + count)
    updated.set('bytes', quotaNumber(use, 'bytes') + bytes)
    this.#tree.rewriteData(statsPath, bytesOf(formatQuota(updated)))
  }
}

/** Counts a subtree whose quota was set when it had znodes; the one walk that quotas need. */
export function recount(tree: Tree, subtree: string): void {
  if (!tree.has(statsPathOf(subtree))) return
  let count = 0
  let bytes = 0
  const pending = tree.has(subtree) ? [subtree] : []
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    count += 1
    bytes += tree.data(path)?.length ?? 0
    for (const name of tree.children(path)) pending.push(childOf(path, name))
  }
  const use = new Map([
    ['count', count],
    ['bytes', bytes],
  ])
  tree.rewriteData(statsPathOf(subtree), bytesOf(formatQuota(use)))
}

function isLimited(limits: QuotaNumbers, soft: string, hard: string): boolean {
  return quotaNumber(limits, soft) > -1 || quotaNumber(limits, hard) > -1
}

/** Null where there is nothing that can be read. */
function readQuota(tree: Tree, path: string): QuotaNumbers | null {
  const data = tree.data(path)
  return data === undefined || data === null ? null : parseQuota(textOf(data))
}

/** Byte by byte: what is not ASCII is copied as it is and never looked at. */
function textOf(data: Uint8Array): string {
  let text = ''
  for (const byte of data) text += String.fromCharCode(byte)
  return text
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0))
}
