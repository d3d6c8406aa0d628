import { endDrain, judge, waitDrained } from '../drain.ts'
import { type EngineView, isFresh } from '../observation.ts'
import type { Step } from '../policy.ts'
import type { Action, Drain } from '../state.ts'
import { stopVerdict } from '../stop-verdict.ts'
import {
  commandMove,
  type Move,
  pause,
  reportOf,
  type Situation,
  stepOf,
  underLock,
} from './gate.ts'
import { removalMove } from './reconcile.ts'

/**
 * The way out of service of a member whose cluster lives in the tree: why, then what the engine's plan asks for,
 * then, after a scale-down and never else, the tombstone and the removal.
 */
export function drainStep<View extends EngineView>(situation: Situation<View>, drain: Drain): Step {
  const { observation, state, rules } = situation
  const { nowMs } = observation
  if (state.phase === 'drained') return reporting(situation, waitDrained(state, drain))
  if (drain.removed) {
    const done = drain.marked || observation.disk.kind !== 'member'
    if (done) return reporting(situation, endDrain(state, drain, nowMs))
    const reason = 'the removal has committed'
    return stepOf(situation, { action: { kind: 'markDeparted' }, reason, locks: [] }, true)
  }
  if (nowMs >= drain.deadlineMs) return reporting(situation, endDrain(state, drain, nowMs))
  if (drain.verdict === null) return reporting(situation, judge(observation, state, drain, rules))
  const move = planMove(situation, drain) ?? leaveMove(situation, drain, drain.verdict.kind)
  if (move !== null) return stepOf(situation, move, true)
  return reporting(situation, endDrain(state, drain, nowMs))
}

/** The engine may run until the pod ends, and that is what the others are told. */
function reporting<View extends EngineView>(situation: Situation<View>, step: Step): Step {
  return { ...step, wants: { locks: [], report: reportOf(situation, true) } }
}

/**
 * Null: nothing of the engine holds up the stop. One answer that is late says nothing of an engine: what held the
 * stop up before it holds it up still. A process that has ended asks for a permit, or answers nothing for longer.
 */
function planMove<View extends EngineView>(
  { observation, plan, rules, facts }: Situation<View>,
  drain: Drain,
): Move | null {
  if (!observation.engine.answers) {
    const { heardAtMs } = drain
    const silent = heardAtMs === null || observation.nowMs - heardAtMs >= rules.drainSilenceMs
    return silent ? null : pause('does not answer: waits for it')
  }
  const next = plan.drain(observation, drain, rules)
  switch (next.kind) {
    case 'ready':
      return null
    case 'wait':
      return pause(next.reason)
    case 'handOver':
      return { action: { kind: 'handOver', to: next.to }, reason: next.reason, locks: [] }
    case 'command':
      if (facts !== null) return commandMove(facts, next.duty)
      if (next.duty.lock !== null) return pause(`${next.duty.reason}: the tree cannot be read`)
      return {
        action: { kind: 'command', name: next.duty.name, args: next.duty.args, lock: null },
        reason: next.duty.reason,
        locks: [],
      }
  }
}

/** Null: the member may go as it is, and stays a member unless it was none. */
function leaveMove<View extends EngineView>(
  situation: Situation<View>,
  drain: Drain,
  verdict: 'scaledDown' | 'temporary',
): Move | null {
  const { observation, state, rules, facts } = situation
  const { statefulSet, nowMs, self, ownerUid, engine } = observation
  const member = engine.members.find(({ name }) => name === self.pod)
  if (verdict === 'temporary' || member === undefined) return null
  if (facts === null) return pause('leaves the cluster once the tree can be read')
  const verify: Action = { kind: 'verify' }
  if (facts.locks.reconfig?.mine !== true) {
    return underLock(facts, 'reconfig', verify, 'leaves the cluster')
  }
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    return { action: verify, reason: 'is this pod still scaled down?', locks: ['reconfig'] }
  }
  const now = stopVerdict(self.ordinal, ownerUid, statefulSet, nowMs, rules.verdictFreshMs)
  if (now.kind === 'temporary') {
    const judged = { ...state, drain: { ...drain, verdict: now } }
    return { ...pause(now.reason, ['reconfig']), state: judged }
  }
  return removalMove(facts, self.pod, self.pod, member.identity ?? '', now.reason)
}
