import {
  currentRecord,
  type DiskReport,
  type FormingRecord,
  isExpected,
  isFresh,
  type Ms,
  type Observation,
  type PeerReport,
  type Rules,
  type StatefulSetView,
} from './observation.ts'

export type StartMode = 'resume' | 'bootstrap' | 'join'

/** What an engine that asks to start gets now. */
export type StartVerdict =
  | { readonly kind: 'permit'; readonly mode: StartMode; readonly reason: string }
  | { readonly kind: 'wait'; readonly reason: string }
  /** Does not change by waiting: a person has to look. */
  | { readonly kind: 'refuse'; readonly reason: string }
  | { readonly kind: 'moveAside'; readonly reason: string }
  | { readonly kind: 'writeFounding'; readonly reason: string }
  | { readonly kind: 'writeRecord'; readonly record: FormingRecord; readonly reason: string }

const wait = (reason: string): StartVerdict => ({ kind: 'wait', reason })
const refuse = (reason: string): StartVerdict => ({ kind: 'refuse', reason })
const permit = (mode: StartMode, reason: string): StartVerdict => ({ kind: 'permit', mode, reason })

/**
 * How a server of the ensemble may start. A disk with an identity needs nobody's permission; an empty
 * one joins, unless the record names the very mark on it as the founder's. `sinceMs`: when the agent
 * began to decide.
 */
export function serverStartRule(observation: Observation, rules: Rules, sinceMs: Ms): StartVerdict {
  const { disk } = observation
  if (disk.kind === 'unreadable') return refuse(`the disk cannot be read: ${disk.reason}`)
  if (disk.kind === 'member') return startOfMember(observation, disk, rules, sinceMs)
  return startOfEmptyDisk(observation, disk.founding, rules, sinceMs)
}

function startOfMember(
  observation: Observation,
  disk: Extract<DiskReport, { kind: 'member' }>,
  rules: Rules,
  sinceMs: Ms,
): StartVerdict {
  const { statefulSet, record, nowMs, self } = observation
  if (disk.departed) {
    if (statefulSet.kind !== 'ok' || !isFresh(statefulSet, nowMs, rules.startFreshMs)) {
      return wait('this member was removed; whether it may come back is not known')
    }
    if (statefulSet.value.deleting || !isExpected(self.ordinal, statefulSet.value)) {
      return wait('this member was removed by a scale-down')
    }
    return { kind: 'moveAside', reason: 'this member was removed; it joins as a new one' }
  }
  const current = currentRecord(observation)
  if (current?.clusterId && current.clusterId !== disk.clusterId) {
    return {
      kind: 'moveAside',
      reason: `the disk holds cluster ${disk.clusterId}, the record names ${current.clusterId}`,
    }
  }
  const unanswered = statefulSet.kind === 'never' || record.kind === 'never'
  if (unanswered && nowMs - sinceMs < rules.apiGraceMs) {
    return wait('the Kubernetes API has a moment to name another cluster')
  }
  return permit('resume', `the disk holds cluster ${disk.clusterId}`)
}

function startOfEmptyDisk(
  observation: Observation,
  founding: string | null,
  rules: Rules,
  sinceMs: Ms,
): StartVerdict {
  const { statefulSet, record, nowMs, self } = observation
  if (statefulSet.kind !== 'ok' || !isFresh(statefulSet, nowMs, rules.startFreshMs)) {
    return wait('the disk is empty and the StatefulSet cannot be read')
  }
  const set = statefulSet.value
  if (set.deleting) return wait('the StatefulSet is being deleted')
  if (!isExpected(self.ordinal, set)) return wait('the ordinal is beyond the replicas')
  if (record.kind === 'never' || record.kind === 'failed') {
    return wait('the disk is empty and the record cannot be read')
  }
  if (!isFresh(record, nowMs, rules.startFreshMs)) return wait('the record was read too long ago')
  const current = currentRecord(observation)
  const count = current?.phase === 'forming' ? current.expected : 0
  const asked = { ...set, replicas: Math.max(set.replicas, count) }
  const survey = surveyOf(observation, asked, Math.max(sinceMs, nowMs - rules.startFreshMs))
  if (survey.clusters.length > 1) {
    return refuse(`disks hold different clusters: ${survey.clusters.join(', ')}`)
  }
  if (current === null) return withoutRecord(observation, set, founding, survey)
  if (current.phase === 'formed') {
    const lost = survey.missing.length === 0 && survey.clusters.length === 0
    if (lost && rules.volatile) return withoutRecord(observation, set, founding, survey)
    return underFormedRecord(current, lost)
  }
  return underFormingRecord(observation, set, founding, current, survey)
}

function withoutRecord(
  observation: Observation,
  set: StatefulSetView,
  founding: string | null,
  survey: Survey,
): StartVerdict {
  // Data that is found decides even before all have reported: a lone old disk is the cluster's.
  if (survey.missing.length > 0) return wait(`no report yet of ${survey.missing.join(', ')}`)
  const [found] = survey.clusters
  if (found !== undefined) return permit('join', `other disks hold cluster ${found}`)
  if (observation.self.ordinal !== set.firstOrdinal) {
    return wait(`ordinal ${set.firstOrdinal} founds the cluster`)
  }
  return foundingStep(set, founding, 'all expected disks are empty')
}

function underFormedRecord(current: FormingRecord, lost: boolean): StartVerdict {
  if (lost) {
    return refuse(
      `all disks of the formed cluster ${current.clusterId} are empty: bring a volume back, or delete the forming record to found a new cluster`,
    )
  }
  return permit('join', `cluster ${current.clusterId} is formed`)
}

function underFormingRecord(
  observation: Observation,
  set: StatefulSetView,
  founding: string | null,
  current: FormingRecord,
  survey: Survey,
): StartVerdict {
  if (observation.self.ordinal >= set.firstOrdinal + current.expected) {
    return wait('the cluster is founded by fewer members; others join when it is formed')
  }
  const [found] = survey.clusters
  if (found !== undefined) return permit('join', `other disks hold cluster ${found}`)
  if (founding !== null && founding === current.bootstrapper) {
    return permit('bootstrap', 'the record names this disk as the founder')
  }
  if (observation.self.ordinal !== set.firstOrdinal) {
    return permit('join', 'another disk founds the cluster')
  }
  if (survey.missing.length > 0) return wait(`no report yet of ${survey.missing.join(', ')}`)
  if (survey.foundings.includes(current.bootstrapper)) {
    return permit('join', 'another disk founds the cluster')
  }
  return foundingStep(set, founding, 'the disk of the founder is lost before it had followers')
}

/** First the mark on the disk, durable; then the record that names it. */
function foundingStep(set: StatefulSetView, founding: string | null, why: string): StartVerdict {
  if (founding === null) return { kind: 'writeFounding', reason: why }
  const record: FormingRecord = {
    statefulSetUid: set.uid,
    clusterId: null,
    bootstrapper: founding,
    expected: set.replicas,
    phase: 'forming',
  }
  return { kind: 'writeRecord', record, reason: why }
}

interface Survey {
  /** Pods that are expected and have not reported lately, or cannot read their disk. */
  readonly missing: readonly string[]
  /** Ids of the clusters found, each once, in order. */
  readonly clusters: readonly string[]
  readonly foundings: readonly string[]
}

/**
 * Only reports that were asked for since this agent began: a disk is lost together with its pod, so
 * what followed the former disk shows in them.
 */
function surveyOf({ self, peers }: Observation, set: StatefulSetView, notBeforeMs: Ms): Survey {
  const fresh = new Map<number, PeerReport>()
  for (const report of peers) {
    if (report.atMs >= notBeforeMs) fresh.set(report.ordinal, report)
  }
  const missing: string[] = []
  const clusters = new Set<string>()
  const foundings: string[] = []
  for (let i = 0; i < set.replicas; i += 1) {
    const ordinal = set.firstOrdinal + i
    if (ordinal === self.ordinal) continue
    const disk = fresh.get(ordinal)?.disk
    if (disk === undefined || disk.kind === 'unreadable') missing.push(`${self.set}-${ordinal}`)
    else if (disk.kind === 'empty' && disk.founding !== null) foundings.push(disk.founding)
    else if (disk.kind === 'member' && !disk.departed) clusters.add(disk.clusterId)
  }
  return { missing, clusters: [...clusters].sort(), foundings }
}
