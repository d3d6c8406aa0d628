import type { ReplicaLimits } from '../../server/ensemble/replica.ts'
import { limits } from '../../server/limits.ts'
import type { NetworkFaults } from './network.ts'
import { Random } from './random.ts'

/** What may happen in a run. */
export type FaultKind =
  | 'partition'
  | 'oneWay'
  | 'reset'
  | 'kill'
  | 'powerCut'
  | 'blackout'
  | 'churn'
  | 'pause'
  | 'wipe'
  | 'rot'
  | 'fullDisk'
  | 'remove'
  | 'transfer'
  | 'snapshot'
  | 'clockJump'
  | 'userCrash'

/** All that a seed decides before the run begins. */
export interface Profile {
  readonly voters: number
  readonly observers: number
  readonly zkUsers: number
  readonly kvUsers: number
  readonly network: NetworkFaults
  readonly faults: readonly FaultKind[]
  /** Milliseconds between two faults, at most. */
  readonly faultGapMsMax: number
  readonly diskMsMax: number
  readonly segmentBytes: number
  readonly limits: ReplicaLimits
}

const LIKELY: readonly (readonly [FaultKind, number])[] = [
  ['partition', 0.5],
  ['oneWay', 0.4],
  ['reset', 0.3],
  ['kill', 0.5],
  ['powerCut', 0.5],
  ['blackout', 0.25],
  ['churn', 0.3],
  ['pause', 0.4],
  ['wipe', 0.3],
  ['rot', 0.25],
  ['fullDisk', 0.2],
  ['remove', 0.25],
  ['transfer', 0.3],
  ['snapshot', 0.4],
  ['clockJump', 0.3],
  ['userCrash', 0.4],
]

export const CALM: NetworkFaults = {
  latencyMsMin: 0.1,
  latencyMsMax: 2,
  loss: 0,
  duplication: 0,
  spike: 0,
  reorder: false,
}

/** Voters and observers. */
const SIZES = [
  [3, 0],
  [3, 0],
  [3, 2],
  [5, 0],
] as const

/** One seed in ten is quiet, so that what only shows without faults shows too. */
export function profileOf(seed: number): Profile {
  const random = new Random(seed).fork()
  const quiet = seed % 10 === 0
  const rough = random.chance(0.5)
  const [voters, observers] = random.pick(SIZES)
  return {
    voters,
    observers,
    zkUsers: random.integer(2, 4),
    kvUsers: random.integer(2, 3),
    network:
      quiet || !rough
        ? CALM
        : {
            latencyMsMin: 0.1,
            latencyMsMax: random.between(1, 30),
            loss: random.chance(0.6) ? random.between(0, 0.06) : 0,
            duplication: random.chance(0.5) ? random.between(0, 0.05) : 0,
            spike: random.chance(0.5) ? random.between(0, 0.02) : 0,
            reorder: random.chance(0.5),
          },
    faults: quiet ? [] : LIKELY.flatMap(([kind, chance]) => (random.chance(chance) ? [kind] : [])),
    faultGapMsMax: random.pick([1_500, 4_000, 8_000]),
    diskMsMax: random.pick([1, 5, 60]),
    segmentBytes: random.pick([4_096, 8_192]),
    limits: {
      ...limits,
      appendBytesMax: random.pick([1, 600, 4_096, limits.appendBytesMax]),
      snapshotRequests: random.pick([30, 80, 400]),
      logRetainedEntries: random.pick([0, 10, 100]),
      snapshotSliceRecords: random.pick([3, 50]),
      snapshotChunkBytes: random.pick([100, 4_096]),
      snapshotWindowBytes: 8_192,
      containerCheckMs: 2_000,
      containerUnusedMs: 4_000,
      containersPerTick: 2,
    },
  }
}
