import type { DiskReport, EngineView } from '../observation.ts'
import type { Step } from '../policy.ts'
import type { StartMode } from '../start-rule.ts'
import type { Action } from '../state.ts'
import type { ClusterFacts, LockName } from './facts.ts'
import { foundingMove, lostMove } from './founding.ts'
import {
  commandMove,
  type Move,
  pause,
  reportOf,
  type Situation,
  stepOf,
  underLock,
} from './gate.ts'
import { lostTreeMove } from './lost-tree.ts'
import type { Duty } from './plan.ts'
import { countUpTo, expectedSet, mostAdvanced, readyMember, surveyOf } from './survey.ts'

type MemberDisk = Extract<DiskReport, { kind: 'member' }>

/**
 * What an engine that asks to start gets. Before a permit the others are told, by the report, that the
 * engine may run from now on: a report that says otherwise is then proof that it does not.
 */
export function startStep<View extends EngineView>(given: Situation<View>): Step {
  const situation = timed(given)
  const move = startMove(situation)
  const { facts, observation } = situation
  const waits = move.action.kind === 'none' && !move.reason.startsWith('refuses')
  if (waits) return stepOf(situation, { ...move, reason: `waits: ${move.reason}` }, false)
  if (move.action.kind !== 'permit') return stepOf(situation, move, false)
  const told = facts?.reports[observation.self.pod]
  const same = told?.incarnation === observation.incarnation && told.started
  const isTold = facts === null || same || reportOf(situation, true) === null
  const held = isTold ? move : pause(`${move.reason}: tells the others first`, move.locks)
  return stepOf(situation, held, true)
}

/**
 * With the time since when something is due, which counts only while all else would let the engine start. What is
 * waited for and what is done then have a time each.
 */
function timed<View extends EngineView>(situation: Situation<View>): Situation<View> {
  const { observation, state } = situation
  const found = dueOf(situation)
  if (found === null) return { ...situation, state: { ...state, preparing: null } }
  const due = typeof found === 'string' ? 'wait' : found.name
  if (state.preparing?.due === due) return situation
  return { ...situation, state: { ...state, preparing: { due, sinceMs: observation.nowMs } } }
}

function dueOf<View extends EngineView>({
  facts,
  plan,
  observation,
}: Situation<View>): Duty | string | null {
  if (facts === null || plan.startGate(observation) !== null) return null
  return plan.beforeStart?.(observation) ?? null
}

function startMove<View extends EngineView>(situation: Situation<View>): Move {
  const { observation, facts, plan } = situation
  const { disk } = observation
  if (disk.kind === 'unreadable') return pause(`refuses to start: ${disk.reason}`)
  const removed = disk.kind === 'member' ? removedMove(situation, disk) : freshMove(situation)
  if (removed !== null) return removed
  const gate = plan.startGate(observation)
  if (gate !== null) return pause(`${gate}`)
  if (facts === null) return treelessMove(situation)
  if (disk.kind === 'member') return memberMove(situation, facts, disk)
  return emptyMove(situation, facts)
}

/** A member that was removed for good: its data is moved aside, or the engine catches up from it. */
function removedMove<View extends EngineView>(
  situation: Situation<View>,
  disk: MemberDisk,
): Move | null {
  const { observation, facts, plan } = situation
  const tombstone = facts?.tombstones[observation.self.pod]
  const buried = tombstone?.done === true && ['', disk.incarnation].includes(tombstone.identity)
  if (!disk.departed && !buried) return null
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`this member was removed, and ${set}`)
  if (plan.removedReturns === 'asIs') return null
  const reason = 'this member was removed; it joins as a new one'
  return { action: { kind: 'moveAside' }, reason, locks: [] }
}

/** An empty disk has nothing of the member that was buried: the tombstone goes before it fills. */
function freshMove<View extends EngineView>(situation: Situation<View>): Move | null {
  const { observation, facts } = situation
  const { pod } = observation.self
  if (facts?.tombstones[pod] === undefined) return null
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`this pod was removed, and ${set}`)
  return underLock(
    facts,
    'reconfig',
    { kind: 'unbury', pod },
    'the pod is back, with an empty disk',
  )
}

/** Never as a founder, and only with data: what the engine itself guards against forming alone. */
function treelessMove<View extends EngineView>(situation: Situation<View>): Move {
  const { observation, state, rules, plan } = situation
  if (observation.disk.kind === 'empty') {
    return pause('the disk is empty and the tree cannot be read')
  }
  const seenAtMs = observation.treeReadAtMs ?? state.startedAtMs
  if (observation.nowMs - seenAtMs < rules.treeGraceMs) {
    return pause('the tree cannot be read yet')
  }
  const mode = plan.restart === 'elected' ? 'join' : 'resume'
  return permit(mode, 'there is data, and the tree has been away for long')
}

function memberMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
  disk: MemberDisk,
): Move {
  const { plan, observation } = situation
  const lost = plan.isTreeLost?.(observation) ? lostTreeMove(situation, facts) : null
  if (lost !== null) return lost
  if (plan.forming === 'itself') return permit('resume', 'the disk holds data')
  const known = facts.initialized?.engineClusterId ?? ''
  if (known !== '' && disk.clusterId !== '' && known !== disk.clusterId) {
    return pause(
      `refuses to start: the disk holds cluster ${disk.clusterId}, the tree names ${known}`,
    )
  }
  const reports = Object.entries(facts.reports).filter(([pod]) => pod !== observation.self.pod)
  const other = reports
    .map(([, report]) => report.engineClusterId)
    .find((id) => id !== '' && disk.clusterId !== '' && id !== disk.clusterId)
  if (known === '' && other !== undefined) {
    return pause(`refuses to start: disks hold the clusters ${disk.clusterId} and ${other}`)
  }
  const preparing = preparingMove(situation, facts)
  if (preparing !== null) return preparing
  if (plan.restart === 'elected') return electedMove(situation, facts)
  // The lock of a founder that comes back is wanted again: it has yet to say what it formed.
  const locks: readonly LockName[] = facts.intent?.by === observation.self.pod ? ['bootstrap'] : []
  return permit('resume', 'the disk holds data', locks)
}

/** Nothing runs, or somebody does: join it, or be the most advanced of all, or wait for that one. */
function electedMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move {
  const { observation, plan } = situation
  const { self } = observation
  const { intent } = facts
  const mine = intent?.by === self.pod
  const clear = (reason: string) => underLock(facts, 'bootstrap', { kind: 'clearIntent' }, reason)
  const ready = readyMember(situation, facts)
  if (ready !== null) return mine ? clear(`${ready} serves`) : joinMove(situation, facts, ready)
  if (intent !== null && !mine) return pause(`${intent.by} is about to start the cluster`)
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`${set}`)
  const survey = surveyOf(situation, facts, set)
  const { missing, started, positions } = survey
  if (missing.length > 0) return pause(`no report yet of ${missing.join(', ')}`)
  if (started.length > 0) return pause(`${started.join(', ')} may be running`)
  const compare = (left: string, right: string) => plan.comparePositions(left, right)
  const best = mostAdvanced(positions, compare, self.set)
  if (best === null) return pause('the position of this disk is not known yet')
  const seen = facts.initialized?.position ?? null
  if (seen !== null && compare(positions[best] ?? '', seen) < 0) {
    return pause(
      `refuses to start: ${best} is the most advanced, at ${positions[best]}, and the cluster had reached ${seen}`,
    )
  }
  if (best !== self.pod) {
    return mine ? clear(`${best} is more advanced`) : pause(`${best} is more advanced`)
  }
  const reason = 'all have reported, and this disk is the most advanced'
  const act: Action = mine
    ? { kind: 'permit', mode: 'bootstrap' }
    : { kind: 'writeIntent', chosenFrom: positions }
  return underLock(facts, 'bootstrap', act, reason)
}

function emptyMove<View extends EngineView>(situation: Situation<View>, facts: ClusterFacts): Move {
  const { plan, observation } = situation
  // Founding is not decided at the start of these.
  if (plan.forming !== 'atStart') {
    const filling = fillingMove(situation, facts)
    return filling ?? permit('join', `the disk is empty${undone(situation)}`)
  }
  const set = expectedSet(situation)
  if (typeof set === 'string') return pause(`the disk is empty and ${set}`)
  const { initialized } = facts
  if (initialized === null) {
    return foundingMove(situation, facts, set, { kind: 'permit', mode: 'bootstrap' })
  }
  if (facts.intent?.by === observation.self.pod) {
    return underLock(facts, 'bootstrap', { kind: 'clearIntent' }, 'the disk is empty by now')
  }
  const { engineClusterId: clusterId } = initialized
  const lost = lostMove(situation, { facts, set, clusterId, refusal: 'refuses to start' })
  if (lost !== null) return lost
  const ready = readyMember(situation, facts)
  if (plan.restart === 'elected' && ready === null) return pause('no member serves yet')
  return joinMove(situation, facts, ready ?? `cluster ${initialized.engineClusterId}`)
}

/** Null: nothing has to be done before, or nobody is left whose data it could copy. */
function fillingMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const set = expectedSet(situation)
  if (typeof set !== 'string') {
    const { missing, holders } = surveyOf(situation, facts, set)
    if (missing.length === 0 && holders.length === 0) return null
  }
  return preparingMove(situation, facts)
}

/** Null: nothing is due, or it was for long, and the engine starts all the same. */
function preparingMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
): Move | null {
  const due = dueOf(situation)
  const { observation, state, rules } = situation
  const sinceMs = state.preparing?.sinceMs ?? observation.nowMs
  if (due === null || observation.nowMs - sinceMs >= rules.preparingMs) return null
  return typeof due === 'string' ? pause(due) : commandMove(facts, due)
}

/** What should have been done before a start, for its reason. */
function undone<View extends EngineView>(situation: Situation<View>): string {
  const due = dueOf(situation)
  if (due === null) return ''
  return ` (not done before: ${typeof due === 'string' ? due : due.reason})`
}

/** Before one more disk holds data it is among those that an election has to hear. */
function joinMove<View extends EngineView>(
  situation: Situation<View>,
  facts: ClusterFacts,
  whom: string,
): Move {
  const { plan, observation } = situation
  const set = expectedSet(situation)
  if (plan.restart === 'elected' && typeof set !== 'string' && facts.initialized !== null) {
    const count = countUpTo([observation.self.pod], set, observation.self.set)
    if (count > facts.initialized.expected) {
      const expect = { kind: 'expect', count, lock: 'bootstrap' } as const
      return underLock(facts, 'bootstrap', expect, `joins ${whom}`)
    }
  }
  if (plan.joins === 'freely') return permit('join', `joins ${whom}`)
  return underLock(facts, 'bootstrap', { kind: 'permit', mode: 'join' }, `joins ${whom}`)
}

function permit(mode: StartMode, reason: string, locks: readonly LockName[] = []): Move {
  return { action: { kind: 'permit', mode }, reason, locks }
}
