import { Namespace } from '../e2e/kubernetes/cluster.ts'
import { NEEDS, prepare } from '../e2e/kubernetes/prepare.ts'

/** Namespaces of a long run: one for the release, and one for programs among a node's processes. */
export interface Rooms {
  readonly namespace: Namespace
  readonly host: Namespace
}

/** Runs on a cluster, which is brought up if need be; says what was there when the run fails. */
export async function onCluster<T>(name: string, run: (rooms: Rooms) => Promise<T>): Promise<T> {
  const cluster = prepare()
  if (cluster === null) throw new Error(NEEDS)
  const namespace = new Namespace(name)
  const host = new Namespace(`${name}-host`)
  try {
    await namespace.create()
    await host.create('privileged')
    return await run({ namespace, host })
  } catch (error) {
    console.log(await namespace.report())
    throw error
  } finally {
    await Promise.all([namespace.remove(), host.remove()])
    cluster.end()
  }
}
