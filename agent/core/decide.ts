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
import type { StartRule } from './start-rule.ts'
import { type Action, type AgentState, missingMembers } from './state.ts'

/** What the agent says of the member, in the tree and to the readiness probe. */
export interface Publication {
  readonly status: 'STARTING' | 'ALIVE' | 'WARNING' | 'STOPPING'
  /** Clients may use the member now. */
  readonly enabled: boolean
}

export interface Decision {
  readonly state: AgentState
  readonly action: Action
  /** In one sentence, for people: /status, the log and events show it. */
  readonly reason: string
  /** Null: the member has no document. */
  readonly publication: Publication | null
  /** All waiting preStop calls are answered. */
  readonly prestopDone: boolean
  readonly exit: boolean
}

/**
 * What to do now. Pure: the same observation and state give the same decision. Called at every turn
 * of the agent's loop, it trusts nothing but what it is shown, so an agent that crashed goes on from
 * the disk, the record and the engine.
 */
export function decide(
  observation: Observation,
  before: AgentState,
  rules: Rules,
  startRule: StartRule,
): Decision {
  const state = missingMembers(nextPhase(observation, before, rules), observation)
  const step = stepOf(observation, state, rules, startRule)
  const held = step.action.kind !== 'none' && observation.nowMs < step.state.retryAtMs
  const drained = step.state.phase === 'drained'
  return {
    ...step,
    action: held ? NONE : step.action,
    publication: publicationOf(observation, step.state),
    prestopDone: drained || isPrestopOver(observation, step.state),
    exit: drained && observation.sigtermAtMs !== null,
  }
}

const NONE: Action = { kind: 'none' }

/** A decision without what follows from it. */
export interface Step {
  readonly state: AgentState
  readonly action: Action
  readonly reason: string
}

function stepOf(
  observation: Observation,
  state: AgentState,
  rules: Rules,
  startRule: StartRule,
): Step {
  if (state.drain !== null) return drainStep(observation, state, state.drain, rules)
  if (observation.asking) return startStep(observation, state, rules, startRule)
  if (state.phase !== 'serving') {
    const reason =
      state.phase === 'starting' ? 'the engine starts' : 'the engine neither runs nor asks to start'
    return { state, action: NONE, reason }
  }
  return servingStep(observation, state, rules)
}

/** What happened since: the engine came, went or asks again; the pod is being stopped, or is not. */
function nextPhase(observation: Observation, state: AgentState, rules: Rules): AgentState {
  const { asking, engine, nowMs, sigtermAtMs } = observation
  const { drain } = state
  const back = { ...state, drain: null, prestopDoneAtMs: nowMs }
  if (sigtermAtMs !== null) {
    const budgetEndMs = sigtermAtMs + rules.sigtermBudgetMs
    if (drain === null) return beginDrain(state, 'sigterm', nowMs, budgetEndMs)
    return { ...state, drain: { ...drain, deadlineMs: Math.min(drain.deadlineMs, budgetEndMs) } }
  }
  // A process that waits for a permit was started again: its pod lives on, and so does the member.
  // A preStop of a process that only waits is answered at once: there is nothing to take out of service.
  if (asking) {
    const called = drain !== null || isCalled(observation, state)
    return called ? { ...back, phase: 'waiting' } : { ...state, phase: 'waiting' }
  }
  if (drain !== null) {
    const { endedAtMs, removed } = drain
    const over = endedAtMs !== null && nowMs - endedAtMs > rules.returnAfterMs
    const wanted = !removed || isWanted(observation)
    return over && engine.answers && wanted ? { ...back, phase: 'serving' } : state
  }
  if (isCalled(observation, state)) {
    return beginDrain(state, 'prestop', nowMs, nowMs + rules.drainBudgetMs)
  }
  if (engine.answers) return { ...state, phase: 'serving' }
  return state.phase === 'serving' ? { ...state, phase: 'waiting' } : state
}

/** A preStop call waits that no drain has answered yet. */
function isCalled({ prestopAtMs }: Observation, { prestopDoneAtMs }: AgentState): boolean {
  return prestopAtMs !== null && (prestopDoneAtMs === null || prestopAtMs > prestopDoneAtMs)
}

function beginDrain(
  state: AgentState,
  cause: 'prestop' | 'sigterm',
  nowMs: number,
  deadlineMs: number,
): AgentState {
  return {
    ...state,
    phase: 'draining',
    retryAtMs: nowMs,
    drain: {
      cause,
      startedAtMs: nowMs,
      deadlineMs,
      verdict: null,
      removed: false,
      marked: false,
      endedAtMs: null,
    },
  }
}

function startStep(
  observation: Observation,
  state: AgentState,
  rules: Rules,
  startRule: StartRule,
): Step {
  const verdict = startRule(observation, rules, state.startedAtMs)
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
      return { state, action: NONE, reason: `waits: ${reason}` }
    case 'refuse':
      return { state, action: NONE, reason: `refuses to start: ${reason}` }
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
  if (!engine.ready) return { state, action: NONE, reason: `not ready: ${engine.reason}` }
  if (isForming(observation)) {
    return { state, action: NONE, reason: 'serves once the record says that the cluster is formed' }
  }
  return { state, action: NONE, reason: `serves as ${engine.role}` }
}

/** The set grew again after this member was removed, and it never stopped: its data is as good as ever. */
function retiredStep(observation: Observation, state: AgentState, rules: Rules): Step {
  const { engine, statefulSet, nowMs, disk, ownerUid } = observation
  const reason = `not ready: ${engine.reason}`
  if (statefulSet.kind !== 'ok' || ownerUid !== statefulSet.value.uid) {
    return { state, action: NONE, reason }
  }
  const { value: set } = statefulSet
  if (!isWanted(observation)) return { state, action: NONE, reason }
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

/** True when the newest answer says that the set, which is not being deleted, runs this ordinal. */
function isWanted({ statefulSet, self }: Observation): boolean {
  if (statefulSet.kind !== 'ok' || statefulSet.value.deleting) return false
  return isExpected(self.ordinal, statefulSet.value)
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

/** The drain was called off: whoever waits for its end waits for nothing. */
function isPrestopOver({ prestopAtMs }: Observation, state: AgentState): boolean {
  const { drain, prestopDoneAtMs } = state
  if (drain !== null || prestopAtMs === null || prestopDoneAtMs === null) return false
  return prestopDoneAtMs >= prestopAtMs
}

/** True when the record is known to be current and the cluster not yet formed. */
function isForming(observation: Observation): boolean {
  return currentRecord(observation)?.phase === 'forming'
}

function publicationOf(observation: Observation, state: AgentState): Publication | null {
  const { engine } = observation
  if (state.drain !== null) {
    const gone = state.drain.removed && state.phase === 'drained'
    return gone ? null : { status: 'STOPPING', enabled: false }
  }
  if (state.phase !== 'serving') return { status: 'STARTING', enabled: false }
  const usable = engine.ready && !isForming(observation)
  return usable ? { status: 'ALIVE', enabled: true } : { status: 'WARNING', enabled: false }
}
