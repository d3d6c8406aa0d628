import type { Dependent } from './dependent.ts'

/** How a server started last, in the words of its own log. */
export interface GaleraStart {
  readonly ordinal: number
  readonly kind: 'new cluster' | 'join'
  /** By the clock of its node. */
  readonly startedAtMs: number
  readonly syncedAtMs: number
}

const STARTED = 'WSREP: Start replication'
const SYNCED = 'WSREP: Server status change joined -> synced'
/** Said by a server that was started with --wsrep-new-cluster, and by no other. */
const NEW_CLUSTER = 'WSREP: gcomm: bootstrapping new group'

/** Of the pods 0 to `count` - 1, in the order in which they started. */
export async function galeraStarts(dependent: Dependent, count: number): Promise<GaleraStart[]> {
  const starts: GaleraStart[] = []
  for (let ordinal = 0; ordinal < count; ordinal += 1) {
    const log = await galeraLog(dependent, ordinal)
    const timeOf = (words: string) => {
      const line = log.split('\n').find((each) => each.includes(words)) ?? ''
      const atMs = Date.parse(line.split(' ')[0] ?? '')
      if (Number.isNaN(atMs)) throw new Error(`${dependent.name}-${ordinal} never said: ${words}`)
      return atMs
    }
    const kind = log.includes(NEW_CLUSTER) ? 'new cluster' : 'join'
    starts.push({ ordinal, kind, startedAtMs: timeOf(STARTED), syncedAtMs: timeOf(SYNCED) })
  }
  return starts.sort((one, other) => one.startedAtMs - other.startedAtMs)
}

/** What the server of a pod has said since its container started, each line behind its time. */
export function galeraLog({ namespace, name, component }: Dependent, ordinal: number) {
  return namespace.kubectl('logs', `${name}-${ordinal}`, '-c', component, '--timestamps')
}
