import { isExpected, isFresh, type Observation, ordinalOf, type Rules } from './observation.ts'
import { NO_ACTION, type Step } from './policy.ts'
import type { AgentState, Drain } from './state.ts'
import { stopVerdict } from './stop-verdict.ts'

/**
 * The next step out of service: ask why, hand leadership over, leave the configuration when (and only
 * when) the set was scaled down. At the deadline the member is let go as it is: a member left over can
 * be removed by the leader's agent, a pod killed in the middle of its stop serves nobody.
 */
export function drainStep(
  observation: Observation,
  state: AgentState,
  drain: Drain,
  rules: Rules,
): Step {
  const { nowMs } = observation
  if (state.phase === 'drained') return waitDrained(state, drain)
  if (drain.removed) {
    if (drain.marked) return endDrain(state, drain, nowMs)
    return { state, action: { kind: 'markDeparted' }, reason: 'the removal has committed' }
  }
  if (nowMs >= drain.deadlineMs) return endDrain(state, drain, nowMs)
  if (drain.verdict === null) return judge(observation, state, drain, rules)
  const handOver = handOverStep(observation, state, drain, rules)
  if (handOver !== null) return handOver
  if (drain.verdict.kind === 'temporary') return endDrain(state, drain, nowMs)
  return leaveStep(observation, state, drain, rules)
}

/**
 * Waits for one answer that was asked for after the drain began. Without one in time the stop counts as
 * a restart; that is a member too many after a scale-down, so it is not taken from one lost request.
 */
export function judge(
  observation: Observation,
  state: AgentState,
  drain: Drain,
  rules: Rules,
): Step {
  const { statefulSet, self, ownerUid, nowMs } = observation
  if (statefulSet.kind === 'never' || statefulSet.atMs < drain.startedAtMs) {
    return { state, action: { kind: 'verify' }, reason: 'why does this pod stop?' }
  }
  const patient = nowMs - drain.startedAtMs < rules.verdictPatienceMs
  if (statefulSet.kind === 'failed' && !statefulSet.refused && patient) {
    return { state, action: { kind: 'verify' }, reason: `why? ${statefulSet.reason}` }
  }
  const verdict = stopVerdict(self.ordinal, ownerUid, statefulSet, nowMs, rules.verdictFreshMs)
  const judged = { ...state, drain: { ...drain, verdict } }
  return { state: judged, action: NO_ACTION, reason: `${verdict.kind}: ${verdict.reason}` }
}

/** A leader steps back first, to one that stays; null when there is nothing to hand over. */
function handOverStep(
  observation: Observation,
  state: AgentState,
  drain: Drain,
  rules: Rules,
): Step | null {
  const { engine, nowMs } = observation
  if (!engine.answers || !engine.leads) return null
  const others = engine.members.filter(({ name, voter }) => voter && name !== observation.self.pod)
  if (others.length === 0) return null
  const removing = drain.verdict?.kind === 'scaledDown'
  // A removal waits for it; a restart does not cost its budget for a leader that will not move.
  if (!removing && nowMs - drain.startedAtMs > rules.handOverMs) return null
  // Towards a member that does not answer nothing would move; without one, any that answers will do.
  const staying = others.find(({ name, heard }) => heard && stays(observation, name))
  const to = removing ? (staying?.name ?? null) : null
  return { state, action: { kind: 'handOver', to }, reason: 'leadership goes to another member' }
}

function leaveStep(observation: Observation, state: AgentState, drain: Drain, rules: Rules): Step {
  const { engine, statefulSet, nowMs, self, ownerUid } = observation
  if (engine.leader !== null && engine.leader !== self.pod && !stays(observation, engine.leader)) {
    return { state, action: NO_ACTION, reason: `${engine.leader} leads and must hand over first` }
  }
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    return { state, action: { kind: 'verify' }, reason: 'is this pod still scaled down?' }
  }
  const verdict = stopVerdict(self.ordinal, ownerUid, statefulSet, nowMs, rules.verdictFreshMs)
  if (verdict.kind === 'temporary') {
    return endDrain({ ...state, drain: { ...drain, verdict } }, { ...drain, verdict }, nowMs)
  }
  return { state, action: { kind: 'remove', name: self.pod }, reason: verdict.reason }
}

function stays({ statefulSet, self }: Observation, name: string): boolean {
  const ordinal = ordinalOf(name, self.set)
  return ordinal !== null && statefulSet.kind === 'ok' && isExpected(ordinal, statefulSet.value)
}

export function endDrain(state: AgentState, drain: Drain, nowMs: number): Step {
  const ended = { ...drain, endedAtMs: nowMs }
  return {
    state: { ...state, phase: 'drained', drain: ended },
    action: NO_ACTION,
    reason: drainedReason(ended),
  }
}

/** The stop may come, or be taken back. */
export function waitDrained(state: AgentState, drain: Drain): Step {
  return { state, action: NO_ACTION, reason: drainedReason(drain) }
}

function drainedReason(drain: Drain): string {
  if (drain.removed) return 'drained: out of the configuration'
  if (drain.verdict === null) return 'drained: the budget ended before the reason was known'
  if (drain.verdict.kind === 'scaledDown') return 'drained: the budget ended before the removal'
  return `drained, membership kept: ${drain.verdict.reason}`
}
