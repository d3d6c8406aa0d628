import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StateMachine } from '../../../server/core/machine/state-machine.ts'
import { nameOf } from '../../../server/core/tree/path.ts'
import { history } from './history.ts'
import { Model } from './model.ts'

const outcomes = { refused: 0, applied: 0, multis: 0, ended: 0 }

describe('the state machine', () => {
  it('does what the model does, request by request', () => {
    const property = fc.property(history, (batches) => {
      const machine = new StateMachine()
      const model = new Model()
      batches.forEach((batch, i) => {
        const results = machine.apply({ index: i + 1, term: 1 }, batch)
        const expected = model.apply(batch, 1)
        results.forEach(({ request, ...outcome }, at) => {
          if (!isDeepStrictEqual(outcome, expected[at])) {
            expect(outcome, JSON.stringify(request.operation)).toEqual(expected[at])
          }
          outcomes[outcome.error === 0 ? 'applied' : 'refused'] += 1
          if (outcome.result.kind === 'multi' && outcome.triggers.length > 0) outcomes.multis += 1
          if (outcome.endedSessions.length > 0 && outcome.triggers.length > 0) outcomes.ended += 1
        })
        compareStates(machine, model)
      })
    })
    fc.assert(property, { numRuns: 100 })
    // Else the histories would not say much.
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(0)
  }, 60_000)
})

/** All that there is, as plain values in a fixed order: one comparison for each batch. */
function compareStates({ tree, sessions }: StateMachine, model: Model): void {
  const paths = [...tree.entries()].map(([path]) => path).sort()
  const leases = [...sessions.all()].map(({ origin, connection, ...lease }) => ({
    ...lease,
    owner: `${origin}/${connection}`,
  }))
  const byId = (one: { id: number }, other: { id: number }): number => one.id - other.id
  const actual = {
    znodes: paths.map((path) => ({
      path,
      stat: tree.stat(path),
      data: tree.data(path),
      acl: tree.acl(path),
      ttlMs: tree.ttlMs(path),
      children: tree.children(path).sort(),
    })),
    leases: leases.sort(byId),
    ephemerals: leases.map(({ id }) => tree.ephemeralsOf(id).sort()),
  }
  const expected = {
    znodes: [...model.nodes]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([path, node]) => ({
        path,
        stat: model.stat(path),
        data: node.data,
        acl: node.acl,
        ttlMs: node.ttlMs,
        children: model.childrenOf(path).map(nameOf).sort(),
      })),
    leases: [...model.leases.values()].sort(byId),
    ephemerals: leases.map(({ id }) => model.ephemeralsOf(id)),
  }
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected)
}
