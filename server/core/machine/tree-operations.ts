import type { SessionId, Zxid } from '../brand.ts'
import { type Identity, Permission } from '../tree/acl.ts'
import { allows, fixAcl } from '../tree/acl-check.ts'
import { parentOf, validatePath } from '../tree/path.ts'
import type { Stat } from '../tree/stat.ts'
import { CONFIG_PATH, RESERVED_PATHS, type Tree, ZnodeMode } from '../tree/tree.ts'
import { ErrorCode } from './error-code.ts'
import type { Operation, OperationResult, Trigger } from './operation.ts'
import type { QuotaBook } from './quotas.ts'

type OperationOf<K extends Operation['kind']> = Extract<Operation, { kind: K }>

/** What one change of the tree is done with. */
export interface ChangeContext {
  readonly tree: Tree
  readonly session: SessionId
  readonly identities: readonly Identity[]
  readonly zxid: Zxid
  readonly timeMs: number
  /** Changes are noted here, in their order. */
  readonly triggers: Trigger[]
  /** Null while a member's build does not know quotas. */
  readonly quotas: QuotaBook | null
}

const DELETED: OperationResult = { kind: 'delete' }
const CHECKED: OperationResult = { kind: 'check' }
const SEQUENCE_DIGITS = 10
/** The longest ttl: ZooKeeper keeps it in 40 bits (reference B6). */
const TTL_MS_MAX = 2 ** 40 - 1
const RESERVED: ReadonlySet<string> = new Set(RESERVED_PATHS)

/**
 * Creates a znode, with the order of checks of ZooKeeper's PrepRequestProcessor (reference B5.12):
 * a slash, the ACL, the parent, its ACL, the whole path, existence, an ephemeral parent.
 */
export function createZnode(
  context: ChangeContext,
  operation: OperationOf<'create'>,
): OperationResult | ErrorCode {
  const { tree, identities, zxid, timeMs, session } = context
  if (operation.path.lastIndexOf('/') < 0 || operation.path.includes('\0')) {
    return ErrorCode.badArguments
  }
  const mode = ZnodeMode[operation.mode]
  if (mode === ZnodeMode.ephemeral && session === 0) return ErrorCode.badArguments
  if (mode === ZnodeMode.ttl && !isTtl(operation.ttlMs)) return ErrorCode.badArguments
  const acl = fixAcl(operation.acl, identities)
  if (acl === null) return ErrorCode.invalidAcl
  const parent = parentOf(operation.path)
  const parentAcl = tree.acl(parent)
  if (parentAcl === undefined) return ErrorCode.noNode
  if (!allows(parentAcl, identities, Permission.create)) return ErrorCode.noAuth
  const path = operation.sequential
    ? operation.path + sequenceSuffix(tree.creations(parent))
    : operation.path
  if (!validatePath(path)) return ErrorCode.badArguments
  if (tree.has(path)) return ErrorCode.nodeExists
  if (tree.mode(parent) === ZnodeMode.ephemeral) return ErrorCode.noChildrenForEphemerals
  const bytes = operation.data?.length ?? 0
  const excess = context.quotas?.check(path, bytes, 1) ?? ErrorCode.ok
  if (excess !== ErrorCode.ok) return excess
  tree.create({
    path,
    data: operation.data,
    acl,
    mode,
    ttlMs: mode === ZnodeMode.ttl ? operation.ttlMs : 0,
    owner: mode === ZnodeMode.ephemeral ? session : 0,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: timeMs,
    mtimeMs: timeMs,
    version: 0,
    aversion: 0,
    creations: 0,
  })
  context.triggers.push(
    { event: 'created', path, zxid, acl },
    { event: 'childrenChanged', path: parent, zxid, acl: parentAcl },
  )
  const stat = operation.withStat ? statOf(tree, path) : null
  context.quotas?.created(path, bytes)
  return { kind: 'create', path, stat }
}

/** Checked at the wire too; here for every way into the log, since a ttl of 0 would never hold. */
function isTtl(ttlMs: number): boolean {
  return Number.isInteger(ttlMs) && ttlMs >= 1 && ttlMs <= TTL_MS_MAX
}

/** `%010d` of a 32-bit count: the sign takes one of the ten places. */
function sequenceSuffix(count: number): string {
  if (count >= 0) return String(count).padStart(SEQUENCE_DIGITS, '0')
  return `-${String(-count).padStart(SEQUENCE_DIGITS - 1, '0')}`
}

export function deleteZnode(
  context: ChangeContext,
  operation: OperationOf<'delete'>,
): OperationResult | ErrorCode {
  const { tree, identities } = context
  const { path, version } = operation
  if (path.lastIndexOf('/') < 0 || path.includes('\0') || RESERVED.has(path)) {
    return ErrorCode.badArguments
  }
  const parentAcl = tree.acl(parentOf(path))
  if (parentAcl === undefined) return ErrorCode.noNode
  // Before the znode is looked for: who may not delete here learns nothing of what is here.
  if (!allows(parentAcl, identities, Permission.delete)) return ErrorCode.noAuth
  const presentVersion = tree.version(path)
  if (presentVersion === undefined) return ErrorCode.noNode
  if (version !== -1 && version !== presentVersion) return ErrorCode.badVersion
  if (tree.childCount(path) > 0) return ErrorCode.notEmpty
  removeZnode(context, path)
  return DELETED
}

/** Removes a childless znode without asking, and notes what watches may wait for. */
export function removeZnode(context: ChangeContext, path: string): void {
  const { tree, zxid } = context
  const parent = parentOf(path)
  const acl = tree.acl(path) ?? []
  const parentAcl = tree.acl(parent) ?? []
  const bytes = tree.data(path)?.length ?? 0
  tree.remove(path, zxid)
  context.quotas?.changed(path, -bytes, -1)
  context.triggers.push(
    { event: 'deleted', path, zxid, acl },
    { event: 'childrenChanged', path: parent, zxid, acl: parentAcl },
  )
}

export function setZnodeData(
  context: ChangeContext,
  operation: OperationOf<'setData'>,
): OperationResult | ErrorCode {
  const { tree, identities, zxid, timeMs } = context
  const { path, version } = operation
  const acl = tree.acl(path)
  if (acl === undefined) return validatePath(path) ? ErrorCode.noNode : ErrorCode.badArguments
  if (!allows(acl, identities, Permission.write)) return ErrorCode.noAuth
  const bytes = (operation.data?.length ?? 0) - (tree.data(path)?.length ?? 0)
  const excess = context.quotas?.check(path, bytes, 0) ?? ErrorCode.ok
  if (excess !== ErrorCode.ok) return excess
  if (version !== -1 && version !== tree.version(path)) return ErrorCode.badVersion
  tree.setData(path, operation.data, zxid, timeMs)
  const stat = statOf(tree, path)
  context.quotas?.changed(path, bytes, 0)
  context.triggers.push({ event: 'dataChanged', path, zxid, acl })
  return { kind: 'setData', stat }
}

export function setZnodeAcl(
  context: ChangeContext,
  operation: OperationOf<'setAcl'>,
): OperationResult | ErrorCode {
  const { tree, identities } = context
  const { path, version } = operation
  if (!validatePath(path)) return ErrorCode.badArguments
  const acl = fixAcl(operation.acl, identities)
  if (acl === null) return ErrorCode.invalidAcl
  const present = tree.acl(path)
  if (present === undefined) return ErrorCode.noNode
  if (!allows(present, identities, Permission.admin)) return ErrorCode.noAuth
  if (version !== -1 && version !== tree.aversion(path)) return ErrorCode.badVersion
  tree.setAcl(path, acl)
  return { kind: 'setAcl', stat: statOf(tree, path) }
}

export function checkZnode(
  context: ChangeContext,
  operation: OperationOf<'check'>,
): OperationResult | ErrorCode {
  const { tree, identities } = context
  const acl = tree.acl(operation.path)
  if (acl === undefined) {
    return validatePath(operation.path) ? ErrorCode.noNode : ErrorCode.badArguments
  }
  if (!allows(acl, identities, Permission.read)) return ErrorCode.noAuth
  if (operation.version !== -1 && operation.version !== tree.version(operation.path)) {
    return ErrorCode.badVersion
  }
  return CHECKED
}

/** The leader's housekeeping, checked again here: an empty container, or a TTL that has passed. */
export function deleteContainer(context: ChangeContext, path: string): OperationResult | ErrorCode {
  const { tree, timeMs } = context
  const mode = tree.mode(path)
  const stat = tree.stat(path)
  if (mode === undefined || stat === undefined) return ErrorCode.noNode
  if (stat.numChildren > 0) return ErrorCode.notEmpty
  const everHadChild = mode === ZnodeMode.container && tree.creations(path) !== 0
  const outlived = mode === ZnodeMode.ttl && timeMs - stat.mtimeMs > tree.ttlMs(path)
  if (!everHadChild && !outlived) return ErrorCode.badVersion
  removeZnode(context, path)
  return DELETED
}

/**
 * The ensemble's members as clients of ZooKeeper read them. The znode's version stays -1, as a
 * reconfiguration of ZooKeeper leaves it.
 */
export function setConfig(
  context: ChangeContext,
  { servers }: OperationOf<'setConfig'>,
): OperationResult | ErrorCode {
  const { tree, zxid, timeMs } = context
  const version = `version=${zxid.toString(16)}`
  const data = new Uint8Array(servers.length + version.length)
  data.set(servers)
  for (let i = 0; i < version.length; i += 1) data[servers.length + i] = version.charCodeAt(i)
  tree.setData(CONFIG_PATH, data, zxid, timeMs, -1)
  const acl = tree.acl(CONFIG_PATH) ?? []
  context.triggers.push({ event: 'dataChanged', path: CONFIG_PATH, zxid, acl })
  return { kind: 'setData', stat: statOf(tree, CONFIG_PATH) }
}

/** A container that nobody used for as long as the leader's setting allows. */
export function deleteUnusedContainer(
  context: ChangeContext,
  { path, unusedMs }: OperationOf<'deleteUnusedContainer'>,
): OperationResult | ErrorCode {
  const { tree, timeMs } = context
  const stat = tree.stat(path)
  if (stat === undefined) return ErrorCode.noNode
  if (stat.numChildren > 0) return ErrorCode.notEmpty
  const unused = tree.mode(path) === ZnodeMode.container && tree.creations(path) === 0
  if (!unused || timeMs - stat.mtimeMs <= unusedMs) return ErrorCode.badVersion
  removeZnode(context, path)
  return DELETED
}

function statOf(tree: Tree, path: string): Stat {
  const stat = tree.stat(path)
  if (stat === undefined) throw new Error('the znode was just written')
  return stat
}
