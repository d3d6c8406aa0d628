import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fetched, StatefulSetView } from '../../../agent/core/observation.ts'
import { stopVerdict } from '../../../agent/core/stop-verdict.ts'
import { NOW, set, UID } from './observations.ts'

const FRESH_MS = 2_000

type Row = readonly [
  name: string,
  answer: Fetched<StatefulSetView>,
  owner: string | null,
  kind: string,
]

const rows: Row[] = [
  ['beyond the replicas', set({ replicas: 2 }), UID, 'scaledDown'],
  ['below the first ordinal', set({ firstOrdinal: 3, replicas: 3 }), UID, 'scaledDown'],
  ['within the replicas', set(), UID, 'temporary'],
  ['scaled to zero', set({ replicas: 0 }), UID, 'temporary'],
  ['the set is being deleted', set({ replicas: 2, deleting: true }), UID, 'temporary'],
  ['another set of the name', set({ replicas: 2, uid: 'uid-2' }), UID, 'temporary'],
  ['an owner that is not known', set({ replicas: 2 }), null, 'temporary'],
  ['an old answer', set({ replicas: 2 }, NOW - FRESH_MS - 1), UID, 'temporary'],
  ['404', { kind: 'notFound', atMs: NOW }, UID, 'temporary'],
  [
    '401, 403, timeout',
    { kind: 'failed', atMs: NOW, reason: '403', refused: true },
    UID,
    'temporary',
  ],
  ['never asked', { kind: 'never' }, UID, 'temporary'],
]

describe('why a pod stops', () => {
  it.each(rows)('%s', (_name, answer, owner, kind) => {
    expect(stopVerdict(2, owner, answer, NOW, FRESH_MS).kind).toBe(kind)
  })

  it('removes only on an answer that says so in every part', () => {
    const answers = fc.record({
      uid: fc.constantFrom('a', 'b'),
      replicas: fc.integer({ min: 0, max: 4 }),
      firstOrdinal: fc.integer({ min: 0, max: 4 }),
      deleting: fc.boolean(),
    })
    const cases = fc.tuple(
      answers,
      fc.integer({ min: 0, max: 8 }),
      fc.integer({ min: 0, max: 4_000 }),
    )
    fc.assert(
      fc.property(cases, ([view, ordinal, ageMs]) => {
        const answer = { kind: 'ok' as const, atMs: NOW - ageMs, value: view }
        const removed = stopVerdict(ordinal, 'a', answer, NOW, FRESH_MS).kind === 'scaledDown'
        const inside = ordinal >= view.firstOrdinal && ordinal < view.firstOrdinal + view.replicas
        const evidence =
          view.uid === 'a' && view.replicas > 0 && !view.deleting && !inside && ageMs <= FRESH_MS
        expect(removed).toBe(evidence)
      }),
    )
  })
})
