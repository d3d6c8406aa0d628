import { drainStep } from './drain.ts'
import {
  currentRecord,
  type FormingRecord,
  isExpected,
  isFresh,
  type Observation,
  ordinalOf,
  type Rules,
} from './observation.ts'
import { NO_ACTION, type Policy, type Step } from './policy.ts'
import { serverStartRule } from './start-rule.ts'
import type { Action, AgentState } from './state.ts'
import { isWanted } from './stop-verdict.ts'

/**
 * The rules of the coordination server itself. What it must remember is on the disk, in the forming
 * record and in the ensemble's own membership: nothing here needs the tree, which is what it makes.
 */
export const serverPolicy: Policy = {
  memory: 'record',
  start: startStep,
  wait: waitStep,
  serve: servingStep,
  drain: drainStep,
  isUsable: (observation) => observation.engine.ready && !isForming(observation),
  // Every server takes all requests.
  isNeeded: () => false,
}

function waitStep(_observation: Observation, state: AgentState): Step {
  const reason =
    state.phase === 'starting' ? 'the engine starts' : 'the engine neither runs nor asks to start'
  return { state, action: NO_ACTION, reason }
}

function startStep(observation: Observation, state: AgentState, rules: Rules): Step {
  const verdict = serverStartRule(observation, rules, state.startedAtMs)
  const { reason } = verdict
  switch (verdict.kind) {
    case 'permit':
      return { state, action: { kind: 'permit', mode: verdict.mode }, reason }
    case 'writeRecord':
      return { state, action: writeRecord(observation, verdict.record), reason }
    case 'writeFounding':
    case 'moveAside':
      return { state, action: { kind: verdict.kind }, reason }
    case 'wait':
      return { state, action: NO_ACTION, reason: `waits: ${reason}` }
    case 'refuse':
      return { state, action: NO_ACTION, reason: `refuses to start: ${reason}` }
  }
}

function writeRecord({ record }: Observation, next: FormingRecord): Action {
  const version = record.kind === 'ok' ? record.value.version : null
  return { kind: 'writeRecord', record: next, version }
}

function servingStep(observation: Observation, state: AgentState, rules: Rules): Step {
  const { engine } = observation
  if (engine.leads && engine.ready) {
    const record = recordStep(observation, state)
    if (record !== null) return record
    const removal = reconcileStep(observation, state, rules)
    if (removal !== null) return removal
  }
  if (engine.retired) return retiredStep(observation, state, rules)
  if (!engine.ready) return { state, action: NO_ACTION, reason: `not ready: ${engine.reason}` }
  if (isForming(observation)) {
    return {
      state,
      action: NO_ACTION,
      reason: 'serves once the record says that the cluster is formed',
    }
  }
  return { state, action: NO_ACTION, reason: `serves as ${engine.role}` }
}

/** The set grew again after this member was removed, and it never stopped: its data is as good as ever. */
function retiredStep(observation: Observation, state: AgentState, rules: Rules): Step {
  const { engine, statefulSet, nowMs, disk, ownerUid } = observation
  const reason = `not ready: ${engine.reason}`
  if (statefulSet.kind !== 'ok' || ownerUid !== statefulSet.value.uid) {
    return { state, action: NO_ACTION, reason }
  }
  const { value: set } = statefulSet
  if (!isWanted(observation)) return { state, action: NO_ACTION, reason }
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    return { state, action: { kind: 'verify' }, reason: `${reason}; is it within the replicas?` }
  }
  const within = `within ${set.replicas} replicas again`
  // First the note on the disk: a member that votes must not find itself condemned at its next start.
  if (disk.kind === 'member' && disk.departed) {
    return { state, action: { kind: 'clearDeparted' }, reason: within }
  }
  return { state, action: { kind: 'readmit' }, reason: within }
}

/** The leader's agent keeps the record: formed as soon as a majority of the expected votes. */
function recordStep(observation: Observation, state: AgentState): Step | null {
  const { engine, statefulSet, record } = observation
  if (statefulSet.kind !== 'ok' || statefulSet.value.deleting) return null
  if (record.kind !== 'ok' && record.kind !== 'notFound') return null
  const current = currentRecord(observation)
  if (current?.phase === 'formed') return null
  const voters = engine.members.filter((member) => member.voter).length
  if (current !== null && voters <= current.expected / 2) return null
  const formed: FormingRecord = {
    statefulSetUid: statefulSet.value.uid,
    clusterId: engine.clusterId,
    bootstrapper: current?.bootstrapper ?? '',
    expected: current?.expected ?? statefulSet.value.replicas,
    phase: 'formed',
  }
  const reason =
    current === null
      ? `the record of this StatefulSet takes up cluster ${engine.clusterId}`
      : `a majority votes: cluster ${engine.clusterId} is formed`
  return { state, action: writeRecord(observation, formed), reason }
}

/** The level beside the edge of preStop: what was killed without a word is removed as well. */
function reconcileStep(observation: Observation, state: AgentState, rules: Rules): Step | null {
  const { statefulSet, nowMs, self, ownerUid } = observation
  if (statefulSet.kind !== 'ok' || ownerUid !== statefulSet.value.uid) return null
  const { value: set } = statefulSet
  if (set.deleting || set.replicas === 0) return null
  const gone = Object.entries(state.missingSince).find(([name, sinceMs]) => {
    const ordinal = ordinalOf(name, self.set)
    const beyond = ordinal !== null && !isExpected(ordinal, set)
    return beyond && nowMs - sinceMs >= rules.reconcileAfterMs
  })
  if (gone === undefined) return null
  const [name] = gone
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    return { state, action: { kind: 'verify' }, reason: `is ${name} really scaled down?` }
  }
  const reason = `${name} is beyond ${set.replicas} replicas and its session is gone`
  return { state, action: { kind: 'remove', name }, reason }
}

/** True when the record is known to be current and the cluster not yet formed. */
function isForming(observation: Observation): boolean {
  return currentRecord(observation)?.phase === 'forming'
}
