/** The instance that creates the cluster, as the vendor's recipe names it. */
export const CONTROLLING_INSTANCE = 'controlling'

/** A copy as the cluster lists it: its name says which life of which pod it is. */
export interface CopyInstance {
  readonly name: string
  readonly pod: string
  /** The beginning of the pod's UID. */
  readonly podUid: string
  /** Counts the processes of that pod, from 1. */
  readonly start: number
}

const LIFE = /^(0|[1-9]\d*)-([0-9a-z]{1,8})-([1-9]\d*)$/

/** What of a pod's UID is in the names of its instances. */
export function shortUid(uid: string): string {
  return uid
    .replace(/[^0-9a-z]/gi, '')
    .slice(0, 8)
    .toLowerCase()
}

/**
 * A name that no other process ever has: an instance that was removed can never join again, so each process
 * of a copy is an instance of its own.
 */
export function copyInstanceName(pod: string, podUid: string, start: number): string {
  return `${pod}-${shortUid(podUid)}-${start}`
}

/** Null: not the name of a copy of this StatefulSet. */
export function copyInstanceOf(name: string, set: string): CopyInstance | null {
  const life = name.startsWith(`${set}-`) ? LIFE.exec(name.slice(set.length + 1)) : null
  if (life === null) return null
  const [, ordinal = '', podUid = '', start = ''] = life
  return { name, pod: `${set}-${ordinal}`, podUid, start: Number(start) }
}

/**
 * The copies that an answer of `repl/status` lists, each once. The vendor does not document the form of that answer,
 * so nothing is taken from it but the names, which agents have made up.
 */
export function copiesListed(status: string, set: string): readonly CopyInstance[] {
  const names = new Set(status.split(/[^0-9A-Za-z._-]+/))
  return [...names].flatMap((name) => copyInstanceOf(name, set) ?? [])
}
