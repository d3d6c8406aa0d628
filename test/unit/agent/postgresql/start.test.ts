import { describe, expect, it } from 'vitest'
import { clusterPolicy } from '../../../../agent/core/cluster/cluster-policy.ts'
import type { RecoveryReport } from '../../../../agent/core/cluster/facts.ts'
import {
  type PostgresqlView,
  postgresqlPlan,
} from '../../../../agent/core/cluster/postgresql-plan.ts'
import { decide } from '../../../../agent/core/decide.ts'
import type { DiskReport, Observation } from '../../../../agent/core/observation.ts'
import { initialState } from '../../../../agent/core/state.ts'
import { dataReport, emptyReport, facts, started } from '../cluster-observations.ts'
import { empty, holding, NOW, rules, set } from '../observations.ts'
import { bounds, plan, seen, view } from './views.ts'

describe('an empty disk', () => {
  const all = { 'q-1': emptyReport, 'q-2': emptyReport }
  const nobody = { systemId: null, leader: null, hasLed: false }
  const cases: [string, Partial<Observation>, PostgresqlView['record'], string | null][] = [
    ['waits for the tree', {}, null, 'the disk is empty and the tree cannot be read'],
    [
      'waits for the facts of the agents',
      { cluster: null },
      nobody,
      'the disk is empty and the tree cannot be read',
    ],
    ['copies from a leader', {}, { systemId: '7', leader: 'q-1', hasLed: true }, null],
    [
      'waits for all reports',
      { cluster: facts({ reports: { 'q-1': emptyReport } }) },
      nobody,
      'nobody leads, and there is no report yet of q-2',
    ],
    [
      'lets data go first that the tree does not know',
      { cluster: facts({ reports: { ...all, 'q-2': dataReport() } }) },
      nobody,
      'nobody leads yet: q-2, which holds data, goes first',
    ],
    [
      'waits for the leader of data that the tree knows',
      { cluster: facts({ reports: { ...all, 'q-1': dataReport() } }) },
      { systemId: '7', leader: null, hasLed: true },
      'nobody leads yet: q-1, which holds data, goes first',
    ],
    [
      'is never the beginning of another cluster',
      { cluster: facts({ reports: all }) },
      { systemId: '7', leader: null, hasLed: true },
      'refuses to start: all disks of cluster 7 are empty: bring a volume back, or delete the znode initialize to form a new cluster',
    ],
    [
      'does not count as the last one while another fills its own',
      { cluster: facts({ reports: { ...all, 'q-1': started(emptyReport) } }) },
      { systemId: '7', leader: null, hasLed: true },
      'nobody leads yet: q-1 runs, and had an empty disk',
    ],
    ['of the first ordinal founds', { cluster: facts({ reports: all }) }, nobody, null],
    [
      'of the first ordinal founds again, where it died on the way',
      { cluster: facts({ reports: all }) },
      { systemId: '', leader: null, hasLed: false },
      null,
    ],
    [
      'of another ordinal waits',
      {
        self: { set: 'q', pod: 'q-1', ordinal: 1 },
        cluster: facts({ reports: { 'q-0': emptyReport, 'q-2': emptyReport } }),
      },
      { systemId: '', leader: null, hasLed: false },
      'ordinal 0 forms the cluster',
    ],
    [
      'needs to know how many there are',
      { statefulSet: { kind: 'never' } },
      nobody,
      'the disk is empty and the StatefulSet cannot be read',
    ],
  ]
  it.each(cases)('%s', (_, changes, record, reason) => {
    expect(plan.startGate(seen(view({ record }), changes))).toBe(reason)
  })

  it('is the beginning of another cluster where there are no volumes', () => {
    const record = { systemId: '7', leader: null, hasLed: true }
    const at = seen(view({ record }), { cluster: facts({ reports: all }) })
    const volatile = postgresqlPlan({ ...bounds, volatile: true })
    expect(volatile.startGate(at)).toBeNull()
  })

  it('is none where there is data', () => {
    const disk: DiskReport = holding('7')
    expect(plan.startGate(seen(view(), { disk, cluster: null }))).toBeNull()
    expect(plan.startGate(seen(view(), { disk: empty, cluster: null }))).not.toBeNull()
  })
})

describe('data', () => {
  const nobody = { systemId: null, leader: null, hasLed: false }
  const known = { systemId: '7', leader: null, hasLed: true }
  const position = '2.0.500'
  const q1 = dataReport('2.0.400', '7')
  const q2 = dataReport('1.1.900', '7')
  const behind = { 'q-1': q1, 'q-2': q2 }
  const unknown = 'waits: nobody leads, and this tree has never known a leader of this data:'

  function starts(
    record: PostgresqlView['record'],
    reports: Readonly<Record<string, RecoveryReport>>,
    changes: Partial<Observation> = {},
  ): string {
    const told = { ...started(dataReport(position, '7')), incarnation: 1 }
    const at = seen(view({ answers: false, record }), {
      asking: true,
      disk: holding('7'),
      position,
      treeReadAtMs: NOW,
      cluster: facts({ reports: { 'q-0': told, ...reports } }),
      ...changes,
    })
    const { action, reason } = decide(at, initialState(NOW), rules, clusterPolicy(plan))
    return action.kind === 'permit' ? action.mode : reason
  }

  const cases: [string, string, Parameters<typeof starts>][] = [
    ['starts where the tree knows it, though nobody else is heard', 'resume', [known, {}]],
    ['starts where somebody leads', 'resume', [{ ...nobody, leader: 'q-1' }, {}]],
    [
      'waits for what Patroni has in the tree',
      'waits: what Patroni keeps in the tree cannot be read yet',
      [null, behind],
    ],
    [
      'waits for all reports in a tree that does not know it',
      `${unknown} no report yet of q-1, q-2`,
      [nobody, {}],
    ],
    [
      'waits also where another founder died in that tree',
      `${unknown} no report yet of q-2`,
      [{ ...nobody, systemId: '' }, { 'q-1': emptyReport }],
    ],
    [
      'waits also where the most advanced has begun, and does not lead yet',
      `${unknown} q-1 runs already`,
      [
        { ...known, hasLed: false },
        { ...behind, 'q-1': started(q1) },
      ],
    ],
    [
      'does not wait for one that waits for a leader to copy from',
      'resume',
      [
        { ...nobody, systemId: '7' },
        { 'q-1': q1, 'q-2': started(emptyReport) },
      ],
    ],
    [
      'waits where the znode of its cluster was deleted by hand',
      `${unknown} no report yet of q-2`,
      [{ ...known, systemId: null }, { 'q-1': q1 }],
    ],
    ['goes first when it is the most advanced', 'resume', [nobody, behind]],
    [
      'goes first when it is the only one',
      'resume',
      [nobody, { 'q-1': emptyReport, 'q-2': emptyReport }],
    ],
    ['goes first when it is alone', 'resume', [nobody, {}, { statefulSet: set({ replicas: 1 }) }]],
    [
      'does not wait for pods that the set was scaled away from',
      'resume',
      [
        nobody,
        { 'q-1': q1, 'q-2': dataReport('9.1.1', '7') },
        { statefulSet: set({ replicas: 2 }) },
      ],
    ],
    [
      'lets a later timeline go first',
      `${unknown} q-2 is more advanced and goes first`,
      [nobody, { ...behind, 'q-2': dataReport('3.0.1', '7') }],
    ],
    [
      'lets the one go first that led in the same timeline',
      `${unknown} q-2 is more advanced and goes first`,
      [nobody, { ...behind, 'q-2': dataReport('2.1.1', '7') }],
    ],
    [
      'lets the one go first whose data ends later',
      `${unknown} q-1 is more advanced and goes first`,
      [nobody, { ...behind, 'q-1': dataReport('2.0.1000', '7') }],
    ],
    [
      'lets the lowest ordinal go first of equal ones',
      'resume',
      [nobody, { ...behind, 'q-1': dataReport(position, '7') }],
    ],
    [
      'waits until all know how far they are',
      `${unknown} q-1 does not know yet how far its disk goes`,
      [nobody, { ...behind, 'q-1': dataReport(null, '7') }],
    ],
    [
      'waits until it knows so itself',
      `${unknown} q-0 does not know yet how far its disk goes`,
      [nobody, behind, { position: null }],
    ],
    [
      'of two clusters is for people to choose from',
      'refuses to start: disks hold the clusters 7, 8, and the tree names neither',
      [nobody, { ...behind, 'q-1': dataReport('1.0.1', '8') }],
    ],
    [
      'waits for the StatefulSet',
      `${unknown} the StatefulSet cannot be read`,
      [nobody, behind, { statefulSet: { kind: 'never' } }],
    ],
  ]
  it.each(cases)('%s', (_, expected, given) => {
    expect(starts(...given)).toBe(expected)
  })

  it('starts without the tree when that has been away for long', () => {
    const away = { cluster: null, treeReadAtMs: NOW - rules.treeGraceMs }
    expect(starts(null, {}, away)).toBe('resume')
    expect(starts(known, {}, away)).toBe('resume')
    expect(starts(nobody, {}, away)).toBe('waits: this tree has no reports of the pods yet')
  })
})
