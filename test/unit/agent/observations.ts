import type {
  DiskReport,
  EngineView,
  FormingRecord,
  Observation,
  PeerReport,
  Rules,
  StatefulSetView,
} from '../../../agent/core/observation.ts'

/** Bounds that make the arithmetic of tests easy to follow. */
export const rules: Rules = {
  startFreshMs: 5_000,
  apiGraceMs: 3_000,
  verdictFreshMs: 2_000,
  verdictPatienceMs: 15_000,
  drainBudgetMs: 60_000,
  drainSilenceMs: 15_000,
  sigtermBudgetMs: 10_000,
  handOverMs: 10_000,
  returnAfterMs: 30_000,
  reconcileAfterMs: 20_000,
  retryMs: 500,
  treeFreshMs: 5_000,
  treeGraceMs: 60_000,
  preparingMs: 600_000,
  positionEveryMs: 30_000,
  volatile: false,
}

export const NOW = 1_000_000
export const UID = 'uid-1'

const theSet: StatefulSetView = {
  uid: UID,
  replicas: 3,
  firstOrdinal: 0,
  deleting: false,
}

export const idle: EngineView = {
  answers: false,
  retired: false,
  ready: false,
  reason: 'does not answer',
  clusterId: '',
  leads: false,
  leader: null,
  role: 'unknown',
  members: [],
}

const members = ['q-0', 'q-1', 'q-2'].map((name) => ({ name, voter: true, heard: true }))

/** A server that serves, leads or not, in a configuration of three. */
export function serving(leader: string, self = 'q-0'): EngineView {
  return {
    answers: true,
    retired: false,
    ready: true,
    reason: '',
    clusterId: 'c1',
    leads: leader === self,
    leader,
    role: leader === self ? 'leader' : 'follower',
    members,
  }
}

export const empty: DiskReport = { kind: 'empty', founding: null }
export const marked: DiskReport = { kind: 'empty', founding: 'mark-0' }

export function holding(clusterId: string, departed = false): DiskReport {
  return { kind: 'member', clusterId, incarnation: 'i1', departed }
}

export function report(ordinal: number, disk: DiskReport, atMs = NOW): PeerReport {
  return { ordinal, atMs, disk }
}

export function found(record: Partial<FormingRecord> = {}): Observation['record'] {
  const full = {
    statefulSetUid: UID,
    clusterId: null,
    bootstrapper: 'mark-0',
    expected: 3,
    phase: 'forming',
  }
  return {
    kind: 'ok',
    atMs: NOW,
    value: { version: '7', record: { ...full, ...record } as FormingRecord },
  }
}

export function set(view: Partial<StatefulSetView> = {}, atMs = NOW): Observation['statefulSet'] {
  return { kind: 'ok', atMs, value: { ...theSet, ...view } }
}

/** Pod q-0 of three, whose engine asks to start, with an empty disk and no record. */
export function observation(changes: Partial<Observation> = {}): Observation {
  return {
    nowMs: NOW,
    self: { set: 'q', pod: 'q-0', ordinal: 0 },
    ownerUid: UID,
    statefulSet: set(),
    record: { kind: 'notFound', atMs: NOW },
    disk: empty,
    peers: [],
    engine: idle,
    asking: false,
    prestopAtMs: null,
    sigtermAtMs: null,
    published: null,
    position: null,
    incarnation: 1,
    lease: 'held',
    cluster: null,
    treeReadAtMs: null,
    ...changes,
  }
}
