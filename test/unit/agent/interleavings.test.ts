import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isExpected } from '../../../agent/core/observation.ts'
import { type Fate, PODS, World } from './world.ts'
import { api, later, of, scale, type WorldEvent } from './world-events.ts'

// The first three most of all: they are what a set of three runs.
const pod = fc.constantFrom(0, 0, 1, 1, 2, 2, 3, PODS - 1)
const fate = fc.constantFrom<Fate>(
  'done',
  'done',
  'done',
  'failedBefore',
  'crashedBefore',
  'crashedAfter',
)

/** In CI one seed, so that a failure is the change's; campaigns set both, and fast-check prints the path. */
const RUNS = Number(process.env['INTERLEAVINGS_RUNS'] ?? 1_000)
const SEED = Number(process.env['INTERLEAVINGS_SEED'] ?? 1)

type Event = WorldEvent<World>

/** What happens in and around a release, as single events; agents' turns are the most frequent. */
const event: fc.Arbitrary<Event> = fc.oneof(
  of(8, fc.tuple(pod, fc.integer({ min: 1, max: 5 }), fate).map(turns)),
  of(
    3,
    on('ask', (world, i) => ask(world, i)),
  ),
  of(
    2,
    on('startEngine', (world, i) => world.startEngine(i)),
  ),
  of(2, fc.constant<Event>(['round', round])),
  of(1, fc.constant<Event>(['join and elect', joinAndElect])),
  of(2, fc.constantFrom(100, 700, 2_500, 12_000, 40_000).map(later)),
  of(
    2,
    on('restartEngine', (world, i) => restart(world, i)),
  ),
  of(
    1,
    on('killEngine', (world, i) => world.killEngine(i)),
  ),
  of(
    1,
    on('crashAgent', (world, i) => world.crashAgent(i)),
  ),
  of(
    3,
    on('prestop', (world, i) => prestop(world, i)),
  ),
  of(
    1,
    on('sigterm', (world, i) => sigterm(world, i)),
  ),
  of(
    1,
    on('replacePod', (world, i) => world.replacePod(i, true)),
  ),
  of(2, fc.integer({ min: 0, max: PODS }).map(scale)),
  of(1, fc.boolean().map(api)),
)

function turns([i, count, last]: [number, number, Fate]): Event {
  const run = (world: World) => {
    for (let n = 1; n < count; n += 1) world.turn(i, 'done')
    world.turn(i, last)
  }
  return [`${count} turns ${i} ${last}`, run]
}

function ask(world: World, i: number): void {
  world.refresh({ ordinal: i })
  world.askPeers(i)
}

/** Everyone who should run makes one step. */
function round(world: World): void {
  world.nowMs += 1_000
  for (const { ordinal: i } of world.pods) {
    if (i < world.view.replicas) world.startEngine(i)
    ask(world, i)
    world.turn(i, 'done')
    joinAndElect(world)
  }
}

function joinAndElect(world: World): void {
  world.elect()
  world.join()
}

function restart(world: World, i: number): void {
  world.killEngine(i)
  world.startEngine(i)
}

function prestop(world: World, i: number): void {
  world.pod(i).prestopAtMs = world.nowMs
}

function sigterm(world: World, i: number): void {
  world.killEngine(i)
  world.pod(i).sigtermAtMs = world.nowMs
}

const loss: fc.Arbitrary<Event> = on('loseDisk', (w, i) => w.replacePod(i, false))

function on(name: string, run: (world: World, i: number) => void): fc.Arbitrary<Event> {
  return pod.map((i): Event => [`${name} ${i}`, (world) => run(world, i)])
}

function sequence(one: fc.Arbitrary<Event>): fc.Arbitrary<Event[]> {
  return fc.array(one, { minLength: 30, maxLength: 90, size: 'max' })
}

/** Runs events; what must never be throws in the world, with the events so far in the message. */
function play(formed: boolean, events: readonly Event[]): World {
  const world = new World()
  if (formed) heal(world)
  const told: string[] = []
  for (const [name, run] of events) {
    told.push(name)
    try {
      run(world)
    } catch (error) {
      throw new Error(`${String(error)} after ${told.join(', ')}`)
    }
  }
  return world
}

/** From now on all is well: what has to happen for the release to be whole again. */
function heal(world: World): void {
  world.apiUp = true
  if (world.view.replicas !== 3) world.scale(3)
  for (const pod of world.pods) {
    pod.prestopAtMs = null
    if (pod.sigtermAtMs !== null) world.replacePod(pod.ordinal, true)
    if (!isExpected(pod.ordinal, world.view)) world.killEngine(pod.ordinal)
  }
  for (let second = 0; second < 120; second += 1) {
    world.nowMs += 1_000
    for (const { ordinal: i } of world.pods.slice(0, 3)) {
      world.startEngine(i)
      ask(world, i)
      world.turn(i, 'done')
      joinAndElect(world)
    }
  }
}

describe('interleavings of API answers, signals, crashes and scaling', () => {
  it('found one cluster, ever, and it becomes whole again', () => {
    fc.assert(
      fc.property(fc.boolean(), sequence(event), (formed, events) => {
        const world = play(formed, events)
        expect(world.founded).toBeLessThanOrEqual(1)
        heal(world)
        expect(world.founded).toBe(1)
        const running = world.pods.slice(0, 3).map(({ engine }) => engine)
        expect(running).toEqual(['running', 'running', 'running'])
        expect(world.clustersOnDisks()).toHaveLength(1)
        // Pods beyond the replicas were killed without a word: with a majority of members among them
        // nobody can lead, whatever agents do.
        const members = [...([...world.clusters.values()][0]?.members.keys() ?? [])]
        const left = members.filter((ordinal) => ordinal < 3)
        if (2 * left.length > members.length) {
          expect(world.record?.record.phase).toBe('formed')
        }
      }),
      { numRuns: RUNS, seed: SEED },
    )
  }, 600_000)

  it('never hold two clusters, whatever disks are lost', () => {
    const some = fc.oneof({ weight: 12, arbitrary: event }, { weight: 1, arbitrary: loss })
    fc.assert(
      fc.property(fc.boolean(), sequence(some), (formed, events) => {
        const world = play(formed, events)
        expect(world.clustersOnDisks().length).toBeLessThanOrEqual(1)
      }),
      { numRuns: RUNS, seed: SEED },
    )
  }, 600_000)
})
