import { type EngineView, isExpected, isFresh, ordinalOf } from '../observation.ts'
import type { ClusterFacts } from './facts.ts'
import { type Move, type Situation, underLock } from './gate.ts'

/**
 * The level beside the edge of preStop: a member whose ordinal is gone and whose session is dead is removed, by
 * the agent that holds the election, one at a time, on an answer of the StatefulSet that is new. Its tombstone
 * comes first: a removal that was begun is never taken for a member that may come back as it was.
 */
export function reconcileMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const { observation, rules } = situation
  const { statefulSet, nowMs, self, ownerUid, engine } = observation
  if (statefulSet.kind !== 'ok' || ownerUid !== statefulSet.value.uid) return null
  const { value: set } = statefulSet
  if (set.deleting || set.replicas === 0) return null
  const name = goneMember(situation, facts, (ordinal) => !isExpected(ordinal, set))
  if (name === null) return null
  const reason = `${name} is beyond ${set.replicas} replicas and its session is gone`
  if (facts.locks.reconfig?.mine !== true) {
    return underLock(facts, 'reconfig', { kind: 'remove', name }, reason)
  }
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    const why = `is ${name} really scaled down?`
    return { action: { kind: 'verify' }, reason: why, locks: ['reconfig'] }
  }
  const identity = engine.members.find((member) => member.name === name)?.identity ?? ''
  return removalMove(facts, self.pod, name, identity, reason)
}

/** A removal whose agent ended before it could say that it was done: the cluster is without the member. */
export function confirmMove<View extends EngineView>(
  { observation }: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const { members } = observation.engine
  const open = Object.entries(facts.tombstones).find(
    ([pod, { done }]) => !done && !members.some(({ name }) => name === pod),
  )
  if (open === undefined) return null
  const [pod] = open
  return underLock(facts, 'reconfig', { kind: 'confirm', pod }, `${pod} is removed`)
}

/** The tombstone, then the removal. The caller holds `reconfig` and has its evidence. */
export function removalMove(
  facts: ClusterFacts,
  by: string,
  name: string,
  identity: string,
  reason: string,
): Move {
  if (facts.tombstones[name]?.identity !== identity) {
    const action = { kind: 'bury', pod: name, identity, reason: `${reason}; by ${by}` } as const
    return underLock(facts, 'reconfig', action, reason)
  }
  return underLock(facts, 'reconfig', { kind: 'remove', name }, reason)
}

function goneMember<View extends EngineView>(
  { observation, state, rules }: Situation<View>,
  facts: ClusterFacts,
  isGone: (ordinal: number) => boolean,
): string | null {
  const { nowMs, self } = observation
  const found = Object.entries(state.missingSince).find(([name, sinceMs]) => {
    const ordinal = ordinalOf(name, self.set)
    const silent = facts.reports[name] === undefined && facts.members[name] === undefined
    return (
      ordinal !== null && isGone(ordinal) && silent && nowMs - sinceMs >= rules.reconcileAfterMs
    )
  })
  return found?.[0] ?? null
}
