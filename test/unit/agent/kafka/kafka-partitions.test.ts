import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type KafkaPartition,
  planMoves,
  surveyReplicas,
} from '../../../../agent/core/cluster/kafka-partitions.ts'

function partition(
  replicas: readonly number[],
  inSync: readonly number[] = replicas,
  topic = 't',
): KafkaPartition {
  return { topic, partition: 0, replicas, inSync }
}

describe('what the copies on a broker mean for its stop', () => {
  const cases: readonly [string, KafkaPartition, number, { atRisk: number; behind: number }][] = [
    ['one copy more in sync than needed', partition([0, 1, 2]), 2, { atRisk: 0, behind: 0 }],
    ['exactly as many as needed', partition([0, 1, 2], [0, 1]), 2, { atRisk: 1, behind: 0 }],
    ['fewer than needed already', partition([0, 1, 2], [0]), 2, { atRisk: 1, behind: 0 }],
    ['the copy here is the one behind', partition([0, 1, 2], [1, 2]), 2, { atRisk: 0, behind: 1 }],
    ['as many copies as needed: never', partition([0, 1]), 2, { atRisk: 0, behind: 0 }],
    ['more needed than there are', partition([0, 1]), 3, { atRisk: 0, behind: 0 }],
    ['a topic with one copy', partition([0]), 1, { atRisk: 0, behind: 0 }],
    ['the last copy in sync of two', partition([0, 1], [0]), 1, { atRisk: 1, behind: 0 }],
    ['no copy here', partition([1, 2, 3], [1]), 2, { atRisk: 0, behind: 0 }],
  ]
  it.each(cases)('%s', (_, one, least, expected) => {
    expect(surveyReplicas([one], { t: least }, 0)).toMatchObject(expected)
  })

  it('takes one copy in sync for enough where nothing is known of a topic', () => {
    expect(surveyReplicas([partition([0, 1])], {}, 0).atRisk).toBe(0)
    expect(surveyReplicas([partition([0, 1], [0])], {}, 0).atRisk).toBe(1)
  })

  it('names the first partition at risk, and counts its copies', () => {
    const all = [partition([0, 1, 2]), partition([0, 1, 2], [0, 1], 'u'), partition([1, 2])]
    expect(surveyReplicas(all, { t: 2, u: 2 }, 0)).toEqual({
      copies: 2,
      behind: 0,
      atRisk: 1,
      example: 'u-0 has 2 copies in sync and needs 2',
    })
  })
})

describe('moving partitions away from brokers', () => {
  const brokers = fc.integer({ min: 2, max: 8 })
  const cluster = brokers.chain((count) =>
    fc.record({
      count: fc.constant(count),
      leaving: fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { maxLength: count - 1 }),
      partitions: fc.array(
        fc
          .shuffledSubarray(
            Array.from({ length: count }, (_, i) => i),
            { minLength: 1, maxLength: count },
          )
          .map((replicas) => partition(replicas)),
        { maxLength: 30 },
      ),
    }),
  )

  it('leaves nothing there, changes nothing else, and never puts two copies on one broker', () => {
    fc.assert(
      fc.property(cluster, ({ count, leaving, partitions }) => {
        const named = partitions.map((each, index) => ({ ...each, partition: index }))
        const staying = Array.from({ length: count }, (_, i) => i).filter(
          (id) => !leaving.includes(id),
        )
        const affected = named.filter(({ replicas }) => replicas.some((id) => leaving.includes(id)))
        const plan = planMoves(named, leaving, staying)
        if (plan.kind === 'impossible') {
          expect(affected.some(({ replicas }) => replicas.length > staying.length)).toBe(true)
          return
        }
        expect(plan.moves.map((move) => move.partition)).toEqual(
          affected.map((each) => each.partition),
        )
        for (const [index, { replicas }] of plan.moves.entries()) {
          const before = affected[index]?.replicas ?? []
          expect(new Set(replicas).size).toBe(before.length)
          for (const [place, id] of before.entries()) {
            if (leaving.includes(id)) expect(staying).toContain(replicas[place])
            else expect(replicas[place]).toBe(id)
          }
        }
      }),
    )
  })

  it('asks for nothing more when all that moves has arrived', () => {
    fc.assert(
      fc.property(cluster, ({ count, leaving, partitions }) => {
        const staying = Array.from({ length: count }, (_, i) => i).filter(
          (id) => !leaving.includes(id),
        )
        const plan = planMoves(partitions, leaving, staying)
        if (plan.kind === 'impossible') return
        const arrived = plan.moves.map(({ replicas }) => partition(replicas))
        expect(planMoves(arrived, leaving, staying)).toEqual({ kind: 'moves', moves: [] })
      }),
    )
  })

  it('spreads copies and preferred leaders evenly', () => {
    const all = Array.from({ length: 12 }, (_, i) => ({ ...partition([3]), partition: i }))
    const plan = planMoves(all, [3], [0, 1, 2])
    const targets = plan.kind === 'moves' ? plan.moves.map(({ replicas }) => replicas[0]) : []
    expect([0, 1, 2].map((id) => targets.filter((to) => to === id).length)).toEqual([4, 4, 4])
    const pairs = [partition([3, 0]), partition([0, 3]), partition([1, 0]), partition([0, 1])]
    // Brokers 1 and 2 have as many copies, and 1 leads already.
    const uneven = [partition([1, 0]), partition([0, 2]), partition([3])]
    expect(planMoves(uneven, [3], [0, 1, 2])).toMatchObject({ moves: [{ replicas: [2] }] })
    expect(planMoves(pairs, [3], [0, 1, 2])).toMatchObject({
      moves: [{ replicas: [2, 0] }, { replicas: [0, 2] }],
    })
  })

  it('says which topic has more copies than brokers stay', () => {
    expect(planMoves([partition([0, 1, 2], [], 'orders')], [2], [0, 1])).toEqual({
      kind: 'impossible',
      reason:
        'orders has 3 copies, and 2 brokers stay: add brokers, or lower its replication factor first',
    })
  })
})
