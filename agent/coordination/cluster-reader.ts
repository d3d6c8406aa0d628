import type { ClusterFacts } from '../core/cluster/facts.ts'
import { AgentError } from '../errors.ts'
import {
  readInitialized,
  readIntent,
  readPublished,
  readReport,
  readTombstone,
} from './cluster-documents.ts'
import type { Coordination } from './coordination.ts'

export interface ClusterPlace {
  /** Of the cluster's facts and locks. */
  readonly root: string
  /** Of the member documents. */
  readonly services: string
}

/** All facts beside the locks, which were read before. */
export async function readFacts(
  coordination: Coordination,
  { root, services }: ClusterPlace,
  atMs: number,
  locks: ClusterFacts['locks'],
): Promise<ClusterFacts> {
  const [initialized, intent, reports, tombstones, members] = await Promise.all([
    coordination.read(`${root}/initialized`),
    coordination.read(`${root}/bootstrap/intent`),
    readAll(coordination, `${root}/recovery`, readReport),
    readAll(coordination, `${root}/departed`, readTombstone),
    readAll(coordination, services, readPublished),
  ])
  return {
    atMs,
    initialized: initialized && demanded(readInitialized(initialized.data), 'initialized'),
    intent: intent && demanded(readIntent(intent.data), 'bootstrap/intent'),
    reports,
    tombstones,
    members,
    locks,
  }
}

async function readAll<T>(
  coordination: Coordination,
  folder: string,
  decode: (data: Uint8Array) => T | null,
): Promise<Record<string, T>> {
  const names = (await coordination.children(folder)) ?? []
  const znodes = await Promise.all(names.map((name) => coordination.read(`${folder}/${name}`)))
  const values = names.map((name, i): [string, T | null] => {
    const znode = znodes[i]
    return [name, znode ? decode(znode.data) : null]
  })
  return Object.fromEntries(values.filter((entry): entry is [string, T] => entry[1] !== null))
}

/** What decides about bootstraps is never taken for absent because it cannot be read. */
function demanded<T>(value: T | null, name: string): T {
  if (value !== null) return value
  throw new AgentError('TREE_UNREADABLE', `${name} holds what no agent writes`)
}
