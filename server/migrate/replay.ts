import {
  CONTAINER_OWNER,
  type SourceTree,
  type SourceZnode,
  TTL_MS_MAX,
  ttlOwner,
} from './source-tree.ts'
import type { Change, Transaction } from './transaction.ts'

type CreateChange = Extract<Change, { kind: 'create' }>

/** Does what a transaction says; what the tree already holds, or no longer has, is passed over. */
export function replay(tree: SourceTree, transaction: Transaction): void {
  apply(tree, transaction, transaction.change)
}

function apply(tree: SourceTree, transaction: Transaction, change: Change): void {
  const { session, zxid, timeMs } = transaction
  switch (change.kind) {
    case 'create':
      return create(tree, transaction, change)
    case 'delete':
      return tree.remove(change.path, zxid)
    case 'setData':
      return tree.setData(change.path, change.data, change.version, zxid, timeMs)
    case 'setAcl':
      return tree.setAcl(change.path, change.acl, change.version)
    case 'createSession':
      tree.sessions.set(session, change.timeoutMs)
      return
    case 'closeSession':
      tree.closeSession(session, change.paths, zxid)
      return
    case 'multi':
      for (const inner of change.changes) apply(tree, transaction, inner)
      return
    case 'nothing':
      return
  }
}

function create(tree: SourceTree, transaction: Transaction, change: CreateChange): void {
  const owner = ownerOf(transaction, change)
  if (owner === null) return
  const { zxid, timeMs } = transaction
  const znode: SourceZnode = {
    data: change.data,
    acl: change.acl,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: timeMs,
    mtimeMs: timeMs,
    version: 0,
    creations: 0,
    aversion: 0,
    owner,
  }
  tree.create(change.path, znode, change.parentCreations)
}

/**
 * Null: nothing is created. ZooKeeper logs a time to live that it cannot write down and ends when it
 * comes to apply that, at this start and every other (reference B5.17).
 */
function ownerOf({ session }: Transaction, { life, ttlMs }: CreateChange): bigint | null {
  switch (life) {
    case 'persistent':
      return 0n
    case 'ephemeral':
      return session
    case 'container':
      return CONTAINER_OWNER
    case 'ttl':
      return ttlMs > 0 && ttlMs <= TTL_MS_MAX ? ttlOwner(ttlMs) : null
  }
}
