import type { Permit } from './pods.ts'

/** How a start was permitted. */
export function kindOf({ line }: Permit): 'found' | 'bootstrap' | 'join' {
  if (line.startsWith('found ')) return 'found'
  return line.includes('--wsrep-new-cluster') ? 'bootstrap' : 'join'
}

/**
 * Pairs of members of which one was let in before the other served. A join lasts from its permit until the member
 * is ready; of several tries of a member the last one counts.
 */
export function overlappingJoins(
  permits: readonly Permit[],
  readySince: ReadonlyMap<number, number>,
): string[] {
  const joins = permits
    .filter((permit) => kindOf(permit) === 'join')
    .map(({ pod, atMs }) => ({ pod, fromMs: atMs, toMs: readySince.get(pod) ?? atMs }))
  return joins.flatMap((join, at) => {
    const next = joins.slice(at + 1).find(({ pod }) => pod !== join.pod)
    if (next === undefined || next.fromMs >= join.toMs) return []
    return [`${next.pod} joined ${join.toMs - next.fromMs} ms before ${join.pod} was ready`]
  })
}
