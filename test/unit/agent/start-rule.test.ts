import { describe, expect, it } from 'vitest'
import type { Observation } from '../../../agent/core/observation.ts'
import { serverStartRule } from '../../../agent/core/start-rule.ts'
import {
  empty,
  found,
  holding,
  marked,
  NOW,
  observation,
  report,
  rules,
  set,
} from './observations.ts'

const allEmpty = [report(1, empty), report(2, empty)]
const marked2 = { kind: 'empty' as const, founding: 'mark-2' }
const second = { self: { set: 'q', pod: 'q-1', ordinal: 1 } }

type Row = readonly [name: string, changes: Partial<Observation>, expected: RegExp]

function verdictOf(changes: Partial<Observation>, sinceMs = NOW - 60_000): string {
  const verdict = serverStartRule(observation(changes), rules, sinceMs)
  const detail = verdict.kind === 'permit' ? ` ${verdict.mode}` : ''
  return `${verdict.kind}${detail}: ${verdict.reason}`
}

describe('a disk with data', () => {
  const rows: Row[] = [
    ['resumes', { disk: holding('c1') }, /^permit resume/],
    [
      'resumes without the API',
      { disk: holding('c1'), statefulSet: failed(), record: failed() },
      /^permit resume/,
    ],
    [
      'resumes beyond the replicas: condemned members vote',
      { disk: holding('c1'), statefulSet: set({ replicas: 0 }) },
      /^permit resume/,
    ],
    [
      'resumes in the cluster of the record',
      { disk: holding('c1'), record: found({ clusterId: 'c1', phase: 'formed' }) },
      /^permit resume/,
    ],
    [
      'is moved aside for the cluster of the record',
      { disk: holding('old'), record: found({ clusterId: 'c1', phase: 'formed' }) },
      /^moveAside: .*old.*c1/,
    ],
    [
      'ignores the record of another set',
      { disk: holding('old'), record: found({ statefulSetUid: 'gone', clusterId: 'c1' }) },
      /^permit resume/,
    ],
    [
      'stays out after its removal',
      { disk: holding('c1', true), statefulSet: set({ replicas: 0 }) },
      /^wait: .*removed/,
    ],
    [
      'stays out after its removal while nothing is known',
      { disk: holding('c1', true), statefulSet: failed() },
      /^wait: .*removed/,
    ],
    [
      'comes back as another after its removal',
      { disk: holding('c1', true) },
      /^moveAside: .*removed/,
    ],
    [
      'that cannot be read is for people',
      { disk: { kind: 'unreadable', reason: 'EIO' } },
      /^refuse: .*EIO/,
    ],
  ]
  it.each(rows)('%s', (_name, changes, expected) => {
    expect(verdictOf(changes)).toMatch(expected)
  })

  it('gives the API a moment, and no more', () => {
    const changes = { disk: holding('c1'), statefulSet: { kind: 'never' as const } }
    expect(verdictOf(changes, NOW - 2_999)).toMatch(/^wait/)
    expect(verdictOf(changes, NOW - 3_000)).toMatch(/^permit resume/)
  })
})

describe('an empty disk', () => {
  const rows: Row[] = [
    ['waits for the API', { statefulSet: failed() }, /^wait: .*StatefulSet/],
    ['waits for the record', { record: failed() }, /^wait: .*record/],
    ['does not start for a set that is deleted', { statefulSet: set({ deleting: true }) }, /^wait/],
    ['does not start beyond the replicas', { statefulSet: set({ replicas: 0 }) }, /^wait/],
    [
      'does not trust an old answer',
      { statefulSet: set({}, NOW - 5_001), peers: allEmpty },
      /^wait/,
    ],
    ['waits for every report', { peers: [report(1, empty)] }, /^wait: .*q-2/],
    [
      'does not count an old report',
      { peers: [report(1, empty), report(2, empty, NOW - 5_001)] },
      /^wait: .*q-2/,
    ],
    [
      'does not count a disk that cannot be read',
      { peers: [report(1, empty), report(2, { kind: 'unreadable', reason: 'EIO' })] },
      /^wait: .*q-2/,
    ],
    ['marks itself when all are empty', { peers: allEmpty }, /^writeFounding/],
    ['names its mark in the record', { peers: allEmpty, disk: marked }, /^writeRecord/],
    [
      'of a later ordinal founds nothing',
      { ...second, peers: [report(0, empty), report(2, empty)] },
      /^wait: ordinal 0 founds/,
    ],
    [
      'joins the data that is found',
      { peers: [report(1, holding('c1')), report(2, empty)] },
      /^permit join: .*c1/,
    ],
    [
      'refuses the data of two clusters',
      { peers: [report(1, holding('c1')), report(2, holding('c2'))] },
      /^refuse: .*c1, c2/,
    ],
    [
      'bootstraps when the record names its mark',
      { disk: marked, record: found() },
      /^permit bootstrap/,
    ],
    [
      'joins rather than bootstraps where there is data',
      { disk: marked, record: found(), peers: [report(1, holding('c1'))] },
      /^permit join/,
    ],
    [
      'joins when the record names another mark',
      { ...second, record: found(), disk: { kind: 'empty', founding: 'other' } },
      /^permit join/,
    ],
    [
      'of ordinal 0 replaces a founder whose disk is lost',
      { record: found(), peers: allEmpty },
      /^writeFounding/,
    ],
    [
      'of ordinal 0 does not replace a founder that may live',
      { record: found(), peers: [report(1, empty)] },
      /^wait: .*q-2/,
    ],
    [
      'of ordinal 0 joins a founder that lives',
      { record: found(), peers: [report(1, marked), report(2, empty)] },
      /^permit join/,
    ],
    [
      'joins a formed cluster, even with the mark',
      { disk: marked, record: found({ phase: 'formed', clusterId: 'c1' }) },
      /^permit join/,
    ],
    [
      'does not refound a formed cluster that lost every disk',
      { record: found({ phase: 'formed', clusterId: 'c1' }), peers: allEmpty },
      /^refuse: .*delete the forming record/,
    ],
    [
      'founds anew under a record of another set',
      { disk: marked, peers: allEmpty, record: found({ statefulSetUid: 'gone', phase: 'formed' }) },
      /^writeRecord/,
    ],
    [
      'does not count a member that was removed as data',
      { disk: marked, peers: [report(1, holding('c1', true)), report(2, empty)] },
      /^writeRecord/,
    ],
  ]
  it.each(rows)('%s', (_name, changes, expected) => {
    expect(verdictOf(changes)).toMatch(expected)
  })

  it('asks all that the founder counted on, also after a scale-down', () => {
    const changes = { record: found(), disk: marked2, statefulSet: set({ replicas: 1 }) }
    expect(verdictOf(changes)).toMatch(/^wait: .*q-1, q-2/)
    const peers = [report(1, holding('c1')), report(2, empty)]
    expect(verdictOf({ ...changes, peers })).toMatch(/^permit join/)
    expect(verdictOf({ ...changes, peers: allEmpty })).toMatch(/^writeRecord/)
  })

  it('does not join before the cluster is formed when the founder did not count on it', () => {
    const self = { set: 'q', pod: 'q-3', ordinal: 3 }
    const statefulSet = set({ replicas: 5 })
    expect(verdictOf({ self, statefulSet, record: found() })).toMatch(/^wait: .*fewer/)
    const formed = found({ phase: 'formed', clusterId: 'c1' })
    expect(verdictOf({ self, statefulSet, record: formed })).toMatch(/^permit join/)
  })

  it('trusts no report from before its agent', () => {
    const changes = { disk: marked, peers: [report(1, empty, NOW - 200), report(2, empty)] }
    expect(verdictOf(changes, NOW - 200)).toMatch(/^writeRecord/)
    expect(verdictOf(changes, NOW - 100)).toMatch(/^wait: .*q-1/)
  })

  it('of a single replica needs no report', () => {
    expect(verdictOf({ statefulSet: set({ replicas: 1 }), disk: marked })).toMatch(/^writeRecord/)
  })

  it('counts from the first ordinal', () => {
    const statefulSet = set({ replicas: 2, firstOrdinal: 5 })
    const self = { set: 'q', pod: 'q-5', ordinal: 5 }
    expect(verdictOf({ statefulSet, self, peers: [report(6, empty)] })).toMatch(/^writeFounding/)
    expect(verdictOf({ statefulSet, peers: [report(6, empty)] })).toMatch(/^wait: .*beyond/)
  })
})

function failed() {
  return { kind: 'failed' as const, atMs: NOW, reason: 'timeout', refused: false }
}

describe('a set without volumes', () => {
  const lost = { record: found({ phase: 'formed', clusterId: 'c1' }), peers: allEmpty }
  const verdict = (changes: Partial<Observation>) =>
    serverStartRule(
      observation({ ...lost, ...changes }),
      { ...rules, volatile: true },
      NOW - 60_000,
    )

  it('founds anew when no disk holds anything any more', () => {
    expect(verdict({}).kind).toBe('writeFounding')
    const again = verdict({ disk: marked })
    expect(again).toMatchObject({
      kind: 'writeRecord',
      record: { phase: 'forming', clusterId: null },
    })
    const others = [report(0, empty), report(2, empty)]
    expect(verdict({ ...second, peers: others }).kind).toBe('wait')
  })

  it('joins as long as one does', () => {
    const peers = [report(1, holding('c1')), report(2, empty)]
    expect(verdict({ peers })).toMatchObject({ kind: 'permit', mode: 'join' })
  })
})
