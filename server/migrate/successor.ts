import { recount } from '../core/machine/quotas.ts'
import { StateMachine } from '../core/machine/state-machine.ts'
import { SessionTable } from '../core/session/session-table.ts'
import { Tree, type Znode, ZnodeMode } from '../core/tree/tree.ts'
import { CLUSTER_VERSION_MAX } from '../ensemble/replica-options.ts'
import { CodedError } from '../errors.ts'
import type { Source } from './source.ts'
import type { SourceTree, SourceZnode } from './source-tree.ts'

const EPOCH = 2 ** 32
/** Zxids are safe integers here: 21 bits of the epoch's 32. */
const EPOCH_MAX = 2 ** 21 - 1

/** The machine that goes on where ZooKeeper ended, and what it has. */
export interface Successor {
  readonly machine: StateMachine
  readonly endedSessions: number
  readonly removedEphemerals: number
  readonly znodes: {
    readonly all: number
    readonly containers: number
    readonly ttls: number
    readonly quotas: number
  }
}

/**
 * ZooKeeper's tree as the state behind entry `index`. All sessions end, one zxid each, and take their
 * ephemerals with them, as if they had expired: ids of ZooKeeper's sessions have the server's number
 * in their highest byte, and are no safe integers. The zxids begin a new epoch, as under a new leader
 * of ZooKeeper: so none is given twice, whatever the other servers had logged.
 */
export function succeed(source: Source, index: number): Successor {
  const { tree } = source
  const epoch = source.epoch + 1
  if (epoch > EPOCH_MAX) {
    throw new CodedError(
      'MIGRATION_SOURCE_UNSUPPORTED',
      `the ensemble is in epoch ${source.epoch}, and the last that can be brought over is ${EPOCH_MAX - 1}`,
    )
  }
  const sessions = new Set([...tree.sessions.keys(), ...tree.owners()])
  let zxid = epoch * EPOCH
  let removedEphemerals = 0
  for (const session of [...sessions].sort(byUnsignedId)) {
    zxid += 1
    removedEphemerals += tree.closeSession(session, [], zxid)
  }
  const { target, timeMs, containers, ttls } = treeOf(tree, source.timeMs)
  for (const subtree of target.quotas()) recount(target, subtree)
  const position = { index, zxid, timeMs, clusterVersion: CLUSTER_VERSION_MAX }
  const quotas = [...target.quotas()].length
  return {
    machine: new StateMachine({ tree: target, sessions: new SessionTable(), position }),
    endedSessions: sessions.size,
    removedEphemerals,
    znodes: { all: target.nodeCount, containers, ttls, quotas },
  }
}

function byUnsignedId(left: bigint, right: bigint): number {
  return BigInt.asUintN(64, left) < BigInt.asUintN(64, right) ? -1 : 1
}

/** Each znode is forgotten in one tree when it is in the other. */
function treeOf(source: SourceTree, loggedMs: number) {
  const target = new Tree()
  let timeMs = loggedMs
  let containers = 0
  let ttls = 0
  for (const [path, znode] of source.znodes) {
    const restored = znodeOf(source, path, znode)
    if (restored.mode === ZnodeMode.container) containers += 1
    if (restored.mode === ZnodeMode.ttl) ttls += 1
    timeMs = Math.max(timeMs, restored.ctimeMs, restored.mtimeMs)
    target.restore(restored)
    source.znodes.delete(path)
  }
  if (!target.relink()) {
    throw new CodedError(
      'MIGRATION_SOURCE_DAMAGED',
      'a znode has no parent behind the end of the log',
    )
  }
  return { target, timeMs, containers, ttls }
}

function znodeOf(source: SourceTree, path: string, znode: SourceZnode): Znode {
  const { owner: _, acl, ...fields } = znode
  const life = source.lifeOf(znode)
  const mode = life.kind === 'ttl' ? ZnodeMode.ttl : modeOf(life.kind === 'container')
  const ttlMs = life.kind === 'ttl' ? life.ttlMs : 0
  return { path, ...fields, acl: acl ?? [], mode, ttlMs, owner: 0 }
}

function modeOf(container: boolean): ZnodeMode {
  return container ? ZnodeMode.container : ZnodeMode.persistent
}
