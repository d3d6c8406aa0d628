import { randomBytes } from 'node:crypto'
import type { Initialized, LockName } from '../core/cluster/facts.ts'
import type { TreeAction } from '../core/state.ts'
import { AgentError } from '../errors.ts'
import { encodeClusterDocument, readInitialized, readTombstone } from './cluster-documents.ts'
import type { Coordination, TreeOperation, TreeZnode } from './coordination.ts'

const NONCE_BYTES = 16
const BURIALS: ReadonlySet<string> = new Set(['bury', 'confirm', 'unbury'])

export interface ChangeContext {
  readonly coordination: Coordination
  readonly root: string
  readonly pod: string
  readonly incarnation: number
  readonly wallMs: number
  /** Of the bootstrap lock; '' when it is not held. */
  readonly token: string
}

/** The lock that a change needs: positions are the elected agent's to write; members change under `reconfig`. */
export function lockOf(action: TreeAction): LockName {
  const { kind } = action
  if (kind === 'expect') return action.lock
  if (kind === 'notePosition') return 'election'
  return BURIALS.has(kind) ? 'reconfig' : 'bootstrap'
}

/**
 * The operation that makes a change; null where the tree is as it should be. Rejects with CLUSTER_MISMATCH when
 * the cluster on record is another.
 */
export async function changeOf(
  action: TreeAction,
  context: ChangeContext,
): Promise<TreeOperation | null> {
  const { coordination, root, pod, incarnation, wallMs, token } = context
  switch (action.kind) {
    case 'writeIntent': {
      const nonce = randomBytes(NONCE_BYTES).toString('base64url')
      const { chosenFrom } = action
      const data = encodeClusterDocument({ by: pod, incarnation, token, nonce, chosenFrom })
      return { kind: 'create', path: `${root}/bootstrap/intent`, data }
    }
    case 'clearIntent':
      return await deletion(coordination, `${root}/bootstrap/intent`)
    case 'initialize': {
      const { engineClusterId, expected } = action
      const path = `${root}/initialized`
      const before = await coordination.read(path)
      if (before !== null) return sameCluster(before, engineClusterId)
      const initialized = { engineClusterId, by: pod, at: wallMs, position: null, expected }
      return { kind: 'create', path, data: encodeClusterDocument(initialized) }
    }
    case 'forget':
      return await deletion(coordination, `${root}/initialized`)
    case 'notePosition':
      return await amendment(context, { position: action.position })
    case 'expect':
      return await amendment(context, { expected: action.count })
    case 'bury': {
      const path = `${root}/departed/${action.pod}`
      const { identity, reason } = action
      const data = encodeClusterDocument({ identity, done: false, at: wallMs, reason })
      const before = await coordination.read(path)
      if (before === null) return { kind: 'create', path, data }
      return { kind: 'set', path, data, version: before.version }
    }
    case 'confirm': {
      const path = `${root}/departed/${action.pod}`
      const before = await coordination.read(path)
      if (before === null) return null
      const data = encodeClusterDocument({ ...readTombstone(before.data), done: true })
      return { kind: 'set', path, data, version: before.version }
    }
    case 'unbury':
      return await deletion(coordination, `${root}/departed/${action.pod}`)
  }
}

async function deletion(coordination: Coordination, path: string): Promise<TreeOperation | null> {
  const before = await coordination.read(path)
  return before === null ? null : { kind: 'delete', path, version: before.version }
}

/** What is on record of the cluster, with another word about it; its id stays for good. */
async function amendment(
  { coordination, root }: ChangeContext,
  change: Partial<Initialized>,
): Promise<TreeOperation | null> {
  const path = `${root}/initialized`
  const before = await coordination.read(path)
  const initialized = before === null ? null : readInitialized(before.data)
  if (before === null || initialized === null) return null
  const data = encodeClusterDocument({ ...initialized, ...change })
  return { kind: 'set', path, data, version: before.version }
}

function sameCluster(znode: TreeZnode, engineClusterId: string): null {
  const before = readInitialized(znode.data)
  if (before?.engineClusterId === engineClusterId) return null
  const other = before?.engineClusterId ?? 'what cannot be read'
  throw new AgentError('CLUSTER_MISMATCH', `the tree names ${other}, the engine ${engineClusterId}`)
}
