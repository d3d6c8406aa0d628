import {
  type Fetched,
  isExpected,
  isFresh,
  type Ms,
  type Observation,
  type StatefulSetView,
} from './observation.ts'

/** Why a pod stops: only `scaledDown` takes a member out of the configuration. */
export interface StopVerdict {
  readonly kind: 'scaledDown' | 'temporary'
  readonly reason: string
}

/**
 * Kubernetes does not tell a pod why it stops. Removal needs positive evidence: a successful answer
 * no older than `freshMs`, from the StatefulSet that made this pod, which is not being deleted, runs
 * at least one replica, and does not run this ordinal. All else is temporary: a member left over can
 * be removed later, one removed by mistake is gone.
 */
export function stopVerdict(
  ordinal: number,
  ownerUid: string | null,
  statefulSet: Fetched<StatefulSetView>,
  nowMs: Ms,
  freshMs: Ms,
): StopVerdict {
  const temporary = (reason: string): StopVerdict => ({ kind: 'temporary', reason })
  if (statefulSet.kind === 'never') return temporary('the StatefulSet was never read')
  if (statefulSet.kind === 'failed') {
    return temporary(`the StatefulSet cannot be read: ${statefulSet.reason}`)
  }
  if (statefulSet.kind === 'notFound') return temporary('the StatefulSet is gone')
  if (!isFresh(statefulSet, nowMs, freshMs))
    return temporary('the StatefulSet was read too long ago')
  const set = statefulSet.value
  if (ownerUid === null) return temporary('the owner of this pod is not known')
  if (set.uid !== ownerUid) return temporary('another StatefulSet of this name has taken its place')
  if (set.deleting) return temporary('the StatefulSet is being deleted')
  if (set.replicas === 0) return temporary('the StatefulSet is scaled to zero: all come back')
  if (isExpected(ordinal, set)) return temporary('the ordinal stays: a restart')
  return {
    kind: 'scaledDown',
    reason: `ordinal ${ordinal} is beyond ${set.replicas} replicas from ${set.firstOrdinal}`,
  }
}

/** True when the newest answer says that the set, which is not being deleted, runs this ordinal. */
export function isWanted({
  statefulSet,
  self,
}: Pick<Observation, 'statefulSet' | 'self'>): boolean {
  if (statefulSet.kind !== 'ok' || statefulSet.value.deleting) return false
  return isExpected(self.ordinal, statefulSet.value)
}
