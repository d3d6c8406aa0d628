import { describe, expect, it } from 'vitest'
import { CLUSTER_VERSION_MAX } from '../../server/ensemble/replica-options.ts'
import type { ServerProcess } from './server-process.ts'
import { Simulation } from './simulation.ts'

const FORMED_WITHIN_MS = 10_000

/** Asks each server for a write at every millisecond: one comes as early as it can be taken. */
function askEarly({ scheduler, history, servers }: Simulation): void {
  const submission = {
    session: 0,
    connection: 0,
    identities: [],
    operation: { kind: 'delete', path: '/none', version: -1 },
  } as const
  const ask = ({ replica }: ServerProcess) => replica?.submit(submission, () => {})
  const asked = () => [...history.results.values()].some((each) => isDelete(each.request))
  while (!asked() && scheduler.nowMs < FORMED_WITHIN_MS) {
    for (const server of servers) server.run(() => ask(server))
    scheduler.runUntil(scheduler.nowMs + 1)
  }
  expect(asked()).toBe(true)
}

const isDelete = ({ operation }: { readonly operation: { readonly kind: string } }) =>
  operation.kind === 'delete'

describe('a new cluster', () => {
  // One seed in ten is without faults.
  it.each([10, 20, 30, 40, 50, 60])('has the newest version before all else: seed %i', (seed) => {
    const simulation = new Simulation(seed, null)
    askEarly(simulation)
    const first = simulation.history.results.get(1)?.request.operation
    expect(first).toEqual({ kind: 'setClusterVersion', version: CLUSTER_VERSION_MAX })
  })
})
