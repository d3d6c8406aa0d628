import { getAcl, getChildren, pathBody } from '../operations.ts'
import type { Acl, Stat } from '../raw-bytes.ts'
import { op, type RawClient } from '../raw-client.ts'

/** All that a client can see of a znode. */
export interface SeenZnode {
  /** In hex; null as it is. */
  readonly data: string | null
  readonly stat: Stat
  readonly acl: readonly Acl[]
}

/** The whole tree, but for what the servers of an ensemble write of themselves. */
export async function readTree(client: RawClient): Promise<Map<string, SeenZnode>> {
  const tree = new Map<string, SeenZnode>()
  const pending = ['/']
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (path === '/zookeeper/config') continue
    tree.set(path, await readZnode(client, path))
    const { children } = await getChildren(client, path)
    for (const name of children) pending.push(path === '/' ? `/${name}` : `${path}/${name}`)
  }
  return tree
}

async function readZnode(client: RawClient, path: string): Promise<SeenZnode> {
  const message = await client.request(op.getData, pathBody(path, false))
  if (message.err !== 0) throw new Error(`${path} cannot be read: ${message.err}`)
  const data = message.body.buffer()?.toString('hex') ?? null
  const stat = message.body.stat()
  const { acl } = await getAcl(client, path)
  return { data, stat, acl }
}

/** As it is when all ephemerals, whose znodes lie below /ephemerals, have gone with their sessions. */
export function withoutEphemerals(tree: ReadonlyMap<string, SeenZnode>): Map<string, SeenZnode> {
  const left = new Map<string, SeenZnode>()
  for (const [path, znode] of tree) {
    if (znode.stat.ephemeralOwner === 0n) left.set(path, znode)
  }
  const parent = left.get('/ephemerals')
  if (parent === undefined) throw new Error('/ephemerals is missing')
  const { cversion, numChildren } = parent.stat
  const stat = { ...parent.stat, cversion: cversion + numChildren, numChildren: 0 }
  left.set('/ephemerals', { ...parent, stat })
  return left
}
