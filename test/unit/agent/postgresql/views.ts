import {
  type PostgresqlView,
  postgresqlPlan,
} from '../../../../agent/core/cluster/postgresql-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { facts } from '../cluster-observations.ts'
import { NOW, observation } from '../observations.ts'

export const STANDBY_WAIT_MS = 30_000
export const bounds = { standbyWaitMs: STANDBY_WAIT_MS, replication: null, volatile: false }
export const plan = postgresqlPlan(bounds)

export const members = (...ordinals: number[]) =>
  ordinals.map((ordinal) => ({ name: `q-${ordinal}`, voter: true, heard: true }))
export const candidates = (...ordinals: number[]) =>
  ordinals.map((ordinal) => ({ name: `q-${ordinal}`, lagBytes: 0 }))

/** A replica that serves, of three with one synchronous standby. */
export function view(changes: Partial<PostgresqlView> = {}): PostgresqlView {
  return {
    answers: true,
    retired: false,
    ready: true,
    reason: '',
    clusterId: '7000000000000000001',
    leads: false,
    leader: 'q-1',
    role: 'replica',
    members: members(1, 2),
    state: 'running',
    loops: true,
    silentMs: 0,
    record: null,
    rosterAtMs: NOW,
    synchronous: true,
    replication: null,
    candidates: candidates(2),
    ledAtMs: null,
    idleSlots: [],
    ...changes,
  }
}

export const primary = (changes: Partial<PostgresqlView> = {}) =>
  view({ leads: true, leader: 'q-0', role: 'primary', ledAtMs: NOW, ...changes })

export function seen(
  engine: PostgresqlView,
  changes: Partial<Observation> = {},
): Observation<PostgresqlView> {
  return { ...observation({ cluster: facts(), ...changes }), engine }
}
