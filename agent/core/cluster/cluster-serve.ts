import { type EngineView, isFresh } from '../observation.ts'
import type { Step } from '../policy.ts'
import type { Action } from '../state.ts'
import { isWanted } from '../stop-verdict.ts'
import type { ClusterFacts, LockName } from './facts.ts'
import { foundingMove, lostMove } from './founding.ts'
import { commandMove, type Move, pause, type Situation, stepOf, underLock } from './gate.ts'
import { confirmMove, reconcileMove } from './reconcile.ts'
import { countUpTo, expectedSet, readyMember, surveyOf } from './survey.ts'

/**
 * The process answers. First that it belongs to the cluster of the tree, then that the tree knows of it, then
 * its own duties, then, on the agent that holds the election, those of the set.
 */
export function serveStep<View extends EngineView>(situation: Situation<View>): Step {
  const move = serveMove(situation)
  // Whoever cannot do the duties of the set leaves them to another.
  const able = situation.observation.engine.ready && isOfTheTree(situation)
  const election: LockName[] = able ? ['election'] : []
  const locks = new Set<LockName>([...election, ...move.locks, ...heldOn(situation)])
  return stepOf(situation, { ...move, locks: [...locks] }, true)
}

/** The process does not answer: its start goes on, or it is not known what it does. */
export function waitStep<View extends EngineView>(situation: Situation<View>): Step {
  const { state } = situation
  const reason =
    state.phase === 'starting' ? 'the engine starts' : 'the engine neither runs nor asks to start'
  return stepOf(situation, pause(reason, heldOn(situation)), true)
}

/** The bootstrap lock outlasts the step that needed it: until the founder is known, or the joiner serves. */
function heldOn<View extends EngineView>({
  observation,
  plan,
  facts,
}: Situation<View>): LockName[] {
  if (facts === null) return []
  if (facts.intent?.by === observation.self.pod) return ['bootstrap']
  const joining = plan.joins === 'oneAtATime' && facts.locks.bootstrap?.mine === true
  return joining && !observation.engine.ready ? ['bootstrap'] : []
}

/** True unless the tree is known to belong to another cluster. */
export function isOfTheTree<View extends EngineView>({
  observation,
  plan,
}: Pick<Situation<View>, 'observation' | 'plan'>): boolean {
  const known = observation.cluster?.initialized?.engineClusterId ?? ''
  const { clusterId } = observation.engine
  return plan.forming === 'itself' || known === '' || clusterId === '' || known === clusterId
}

function serveMove<View extends EngineView>(situation: Situation<View>): Move {
  const { observation, facts, plan } = situation
  const { engine } = observation
  if (!isOfTheTree(situation)) {
    const known = observation.cluster?.initialized?.engineClusterId
    return pause(`refuses service: it runs cluster ${engine.clusterId}, the tree names ${known}`)
  }
  if (facts !== null) {
    const move =
      (plan.forming === 'itself' ? null : formingMove(situation, facts)) ??
      returnMove(situation, facts) ??
      dutiesMove(situation, facts)
    if (move !== null) return move
  }
  if (!engine.ready) return pause(`not ready: ${engine.reason}`)
  return pause(`serves as ${engine.role}`)
}

/** Null: the process runs in the cluster of the tree, and the tree knows it. */
function formingMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const { observation, plan } = situation
  const { engine, self } = observation
  const { initialized, intent } = facts
  if (engine.clusterId === '') {
    if (plan.forming === 'whileRunning') return unformedMove(situation, facts)
    return pause(`not ready: ${engine.reason}`)
  }
  if (initialized === null) return recordMove(situation, facts)
  if (intent?.by === self.pod) {
    return underLock(facts, 'bootstrap', { kind: 'clearIntent' }, 'the cluster is on record')
  }
  return null
}

/** A process that runs in no cluster: it is taken into the one there is, or forms it. */
function unformedMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move {
  const { observation } = situation
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`in no cluster, and ${set}`)
  if (observation.disk.kind === 'member' && observation.disk.clusterId !== '') {
    return pause(
      `the disk holds cluster ${observation.disk.clusterId}: ${observation.engine.reason}`,
    )
  }
  const { initialized } = facts
  if (initialized === null) return foundingMove(situation, facts, set, { kind: 'bootstrap' })
  if (facts.intent?.by === observation.self.pod) {
    return underLock(facts, 'bootstrap', { kind: 'clearIntent' }, 'the disk is empty by now')
  }
  const { engineClusterId: clusterId } = initialized
  const lost = lostMove(situation, { facts, set, clusterId, refusal: 'refuses to form a cluster' })
  if (lost !== null) return lost
  const ready = readyMember(situation, facts)
  if (ready === null) return pause('in no cluster, and no member serves yet that could take it in')
  return joinMove(situation, facts, `${ready} serves: this pod joins`)
}

/**
 * The others are told first that this disk may hold data from now on. They would found another cluster if theirs were
 * lost, and the tree, and this pod were cut off from the tree before it could say so.
 */
function joinMove<View extends EngineView>(
  { observation }: Situation<View>,
  facts: ClusterFacts,
  reason: string,
): Move {
  const { self, incarnation } = observation
  const told = facts.reports[self.pod]
  const isTold = told?.incarnation === incarnation && !told.empty
  const move = underLock(facts, 'reconfig', { kind: 'join' }, reason)
  const held = isTold ? move : pause(`${reason}: tells the others first`, move.locks)
  return { ...held, fills: true }
}

/**
 * The tree does not know the cluster that runs here: it was just formed by this pod, or the tree was lost.
 * Then all must agree on it first: what is on record now is the only cluster for good.
 */
function recordMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move {
  const { engine, self } = situation.observation
  const { intent } = facts
  if (!engine.ready) return pause(`not ready: ${engine.reason}`)
  if (intent !== null && intent.by !== self.pod) {
    return pause(`${intent.by} has set out to form a cluster; this one is ${engine.clusterId}`)
  }
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`serves, not on record: ${set}`)
  const { missing, clusters, holders } = surveyOf(situation, facts, set)
  const expected = countUpTo([self.pod, ...holders], set, self.set)
  const initialize: Action = { kind: 'initialize', engineClusterId: engine.clusterId, expected }
  if (intent !== null) return underLock(facts, 'bootstrap', initialize, 'the cluster is formed')
  if (missing.length > 0) return pause(`serves, not on record: no report of ${missing.join(', ')}`)
  if (clusters.some((id) => id !== engine.clusterId)) {
    return pause(`serves, not on record: disks hold different clusters: ${clusters.join(', ')}`)
  }
  return underLock(facts, 'bootstrap', initialize, 'the tree takes up the cluster that runs')
}

/**
 * The set runs the ordinal again of a member that was removed, or was about to be. Whether the removal was done
 * only the engine's leader can say, never the view of a member: so it is asked to take the member in, whatever
 * that view is, before the tombstone goes. The process never stopped, so its data is as good as ever.
 */
function returnMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const { observation, rules } = situation
  const { self, engine, statefulSet, nowMs, disk } = observation
  const buried = facts.tombstones[self.pod] !== undefined
  const departed = disk.kind === 'member' && disk.departed
  if ((!buried && !departed && !engine.retired) || !isWanted(observation)) return null
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    const reason = 'is this pod within the replicas again?'
    return { action: { kind: 'verify' }, reason, locks: [] }
  }
  // First the note on the disk: a member must not find itself condemned at its next start.
  if (departed) {
    const reason = 'within the replicas again'
    return { action: { kind: 'clearDeparted' }, reason, locks: [] }
  }
  // Without a leader the lock would only keep others from what brings one back.
  if (!engine.ready && readyMember(situation, facts) === null) return null
  return underLock(facts, 'reconfig', { kind: 'rejoin' }, 'within the replicas again')
}

/**
 * Its own duty comes first, unless it failed when it was last tried, or waits: one that fails again and again,
 * say for a full disk, must not keep this agent from what it does for the set.
 */
function dutiesMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const own = dutyMove(situation, facts)
  const ofTheSet = setMove(situation, facts)
  if (own === null || ofTheSet === null) return own ?? ofTheSet
  const { action } = own
  const failed = action.kind === 'command' && action.name === situation.state.failedCommand
  const [first, second] = failed ? [ofTheSet, own] : [own, ofTheSet]
  const move = first.action.kind === 'none' ? second : first
  return { ...move, locks: [...first.locks, ...second.locks] }
}

function dutyMove<View extends EngineView>(
  { observation, plan }: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const duty = plan.duty(observation)
  return duty === null ? null : commandMove(facts, duty)
}

/** What one agent does for all of them. */
function setMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  if (facts.locks.election?.mine !== true || !situation.observation.engine.ready) return null
  const removal = reconcileMove(situation, facts) ?? confirmMove(situation, facts)
  if (removal !== null) return removal
  const duty = situation.plan.setDuty(situation.observation)
  if (duty !== null) return commandMove(facts, duty)
  return situation.plan.restart === 'elected'
    ? (expectMove(situation, facts) ?? positionMove(situation, facts))
    : null
}

/** The cluster serves without those beyond the replicas: what they may hold is not ahead of it. */
function expectMove<View extends EngineView>(
  { observation, rules }: Situation<View>,
  { initialized, reports }: ClusterFacts,
): Move | null {
  const { statefulSet, self, ownerUid, engine, nowMs } = observation
  if (statefulSet.kind !== 'ok' || ownerUid !== statefulSet.value.uid) return null
  const { value: set } = statefulSet
  if (set.deleting || set.replicas === 0 || initialized === null) return null
  const pods = [self.pod, ...engine.members.map(({ name }) => name), ...Object.keys(reports)]
  const count = Math.max(set.replicas, countUpTo(pods, set, self.set))
  if (count >= initialized.expected) return null
  if (!isFresh(statefulSet, nowMs, rules.verdictFreshMs)) {
    return { action: { kind: 'verify' }, reason: 'is the set really smaller?', locks: [] }
  }
  const reason = `no ordinal beyond ${count} takes part`
  return { action: { kind: 'expect', count, lock: 'election' }, reason, locks: [] }
}

/** The furthest position is kept, so that no start from an older one goes unnoticed. */
function positionMove<View extends EngineView>(
  { observation, state, rules, plan }: Situation<View>,
  { initialized }: ClusterFacts,
): Move | null {
  const { position } = observation.engine
  if (position === undefined || initialized === null) return null
  const { positionAtMs } = state
  const due = positionAtMs === null || observation.nowMs - positionAtMs >= rules.positionEveryMs
  const seen = initialized.position
  if (!due || (seen !== null && plan.comparePositions(position, seen) <= 0)) return null
  return { action: { kind: 'notePosition', position }, reason: `at ${position}`, locks: [] }
}
