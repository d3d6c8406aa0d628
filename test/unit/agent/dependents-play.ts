import fc from 'fast-check'
import { isExpected } from '../../../agent/core/observation.ts'
import { AllegrographModel } from './allegrograph-model.ts'
import { DependentsWorld, type EngineModel, type Fate, PODS, type Pod } from './dependents-world.ts'
import { PermitModel } from './engine-models.ts'
import { GaleraModel } from './galera-model.ts'
import { GenericModel } from './generic-model.ts'
import { ControllersModel, KafkaModel, KraftModel } from './kafka-models.ts'
import { MongodbModel } from './mongodb-model.ts'
import { PostgresqlModel } from './postgresql-model.ts'
import { api, later, of, scale, type WorldEvent } from './world-events.ts'

type World = DependentsWorld
type Event = WorldEvent<World>

// The first three most of all: they are what a set of three runs.
const ordinal = fc.constantFrom(0, 0, 1, 1, 2, 2, 3, PODS - 1)
const fate = fc.constantFrom<Fate>(
  'done',
  'done',
  'done',
  'failedBefore',
  'lostReply',
  'crashedBefore',
  'crashedAfter',
)

/** Of the cluster that is there at the beginning. */
const sizes = fc.constantFrom(0, 3, PODS)

const event: fc.Arbitrary<Event> = fc.oneof(
  of(8, fc.tuple(ordinal, fc.integer({ min: 1, max: 4 }), fate).map(turns)),
  of(3, on('look', look)),
  of(
    2,
    on('start engine', (world, pod) => world.startEngine(pod)),
  ),
  of(3, fc.constant<Event>(['round', (world) => round(world)])),
  of(8, fc.array(fate, { minLength: PODS, maxLength: PODS }).map(fatefulRound)),
  of(2, fc.constant<Event>(['half a minute', halfAMinute])),
  of(2, fc.integer({ min: 1, max: PODS }).map(shrink)),
  of(1, fc.constant<Event>(['settle', (world) => world.model.settle()])),
  of(3, fc.constant<Event>(['write', (world) => world.model.write()])),
  of(2, fc.constantFrom(100, 700, 2_500, 7_000, 12_000, 70_000).map(later)),
  of(2, on('restart engine', restart)),
  of(
    1,
    on('kill engine', (world, pod) => world.killEngine(pod)),
  ),
  of(1, fc.constant<Event>(['kill all engines', killAll])),
  of(1, fc.constant<Event>(['power cut', powerCut])),
  of(
    1,
    on('crash agent', (world, pod) => world.crashAgent(pod)),
  ),
  of(
    2,
    on('cut off', (_world, pod) => {
      pod.connected = false
    }),
  ),
  of(
    2,
    on('reconnect', (_world, pod) => {
      pod.connected = true
    }),
  ),
  of(
    1,
    on('drop session', (world, pod) => {
      if (pod.tree.session !== null) world.tree.close(pod.tree.session)
    }),
  ),
  of(
    2,
    on('prestop', (world, pod) => {
      pod.prestopAtMs = world.nowMs
    }),
  ),
  of(1, on('sigterm', sigterm)),
  of(
    1,
    on('replace pod', (world, pod) => world.replacePod(pod, true)),
  ),
  of(2, fc.integer({ min: 0, max: PODS }).map(scale)),
  of(
    2,
    on('trouble', (world, pod) => world.model.trouble?.(pod)),
  ),
  of(1, fc.boolean().map(api)),
  of(1, fc.boolean().map(tree)),
  of(1, fc.constantFrom(0, 10_000).map(late)),
)

function on(name: string, run: (world: World, pod: Pod) => void): fc.Arbitrary<Event> {
  return ordinal.map((i): Event => [`${name} ${i}`, (world) => run(world, world.pod(i))])
}

function turns([i, count, last]: [number, number, Fate]): Event {
  const run = (world: World) => {
    const pod = world.pod(i)
    for (let n = 1; n < count; n += 1) step(world, pod)
    world.turn(pod, last)
  }
  return [`${count} turns ${i} ${last}`, run]
}

function step(world: World, pod: Pod): void {
  world.look(pod)
  world.turn(pod, 'done')
}

function look(world: World, pod: Pod): void {
  world.refresh(pod)
  world.look(pod)
}

/** Everyone who should run makes one step, which ends as its fate is. */
function round(world: World, fates: readonly Fate[] = []): void {
  world.nowMs += 1_000
  for (const pod of world.pods) {
    if (isExpected(pod.ordinal, world.set)) world.startEngine(pod)
    world.refresh(pod)
    world.look(pod)
    world.turn(pod, fates[pod.ordinal] ?? 'done')
    world.model.settle()
  }
}

function fatefulRound(fates: Fate[]): Event {
  return [`round ${fates.join('/')}`, (world) => round(world, fates)]
}

/** Long enough for the agent of the set to remove whoever is gone. */
function halfAMinute(world: World): void {
  for (let second = 0; second < 30; second += 1) round(world)
}

/** As Kubernetes does: those beyond are told to stop. */
function shrink(replicas: number): Event {
  const run = (world: World) => {
    world.scale(replicas)
    for (const pod of world.pods.slice(replicas)) pod.prestopAtMs = world.nowMs
  }
  return [`shrink ${replicas}`, run]
}

function restart(world: World, pod: Pod): void {
  world.killEngine(pod)
  world.startEngine(pod)
}

function killAll(world: World): void {
  for (const pod of world.pods) world.killEngine(pod)
}

/** All processes end at once, and all sessions with them. */
function powerCut(world: World): void {
  for (const pod of world.pods) world.replacePod(pod, true)
  world.nowMs += 25_000
  world.tree.expire(world.nowMs)
}

function sigterm(world: World, pod: Pod): void {
  world.killEngine(pod)
  pod.sigtermAtMs = world.nowMs
}

function tree(up: boolean): Event {
  return [
    `tree ${up}`,
    (world) => {
      world.tree.up = up
    },
  ]
}

function late(ms: number): Event {
  return [
    `sessions late ${ms}`,
    (world) => {
      world.tree.lateMs = ms
    },
  ]
}

const loss: fc.Arbitrary<Event> = on('lose disk', (world, pod) => world.replacePod(pod, false))

const treeLoss: fc.Arbitrary<Event> = fc.constant<Event>([
  'lose the tree',
  (world) => {
    const { tree: lost } = world
    world.treeLost = true
    lost.initialized = null
    lost.intent = null
    lost.tombstones.clear()
    world.model.loseTree()
  },
])

const treeChange = of(1, fc.constant<Event>(['replace the tree', (world) => world.replaceTree()]))

/** Runs events; what must never be throws in the world, with the events so far in the message. */
function play(modelOf: (world: World) => EngineModel, size: number, events: readonly Event[]) {
  const world = new DependentsWorld(modelOf)
  const unformed = size > 0 ? heal(world, size) : null
  if (unformed !== null) throw new Error(`a cluster of ${size} is not formed: ${unformed}`)
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

/** From now on all is well: what is then still missing after some minutes, or null. */
function heal(world: World, replicas: number): string | null {
  world.apiUp = true
  world.tree.up = true
  world.tree.lateMs = 0
  world.model.cure?.()
  if (world.set.replicas !== replicas) world.scale(replicas)
  for (const pod of world.pods) {
    pod.prestopAtMs = null
    pod.connected = true
    if (pod.sigtermAtMs !== null) world.replacePod(pod, true)
    // What is beyond the replicas is gone, without a word.
    if (!isExpected(pod.ordinal, world.set)) {
      world.replacePod(pod, true)
      pod.connected = false
    }
  }
  for (let second = 0; second < 300; second += 1) {
    world.nowMs += 1_000
    for (const pod of world.pods.slice(0, replicas)) {
      world.startEngine(pod)
      world.refresh(pod)
      step(world, pod)
      world.model.settle()
    }
    if (missing(world, replicas) === null) return null
  }
  return missing(world, replicas)
}

function missing(world: World, replicas: number): string | null {
  const pods = world.pods.slice(0, replicas)
  const unready = pods.filter(({ last }) => last?.publication?.enabled !== true)
  if (unready.length > 0) return unready.map(({ name, last }) => `${name}: ${last?.reason}`).join()
  const lacking = world.model.lacks(pods.map((pod) => pod.ordinal))
  if (lacking !== null) return lacking
  if (world.tree.intent !== null) return 'an intent is left'
  const buried = pods.filter(({ name }) => world.tree.tombstones.has(name))
  return buried.length === 0 ? null : `buried: ${buried.map(({ name }) => name).join()}`
}

/** A kind of engine whose agents are played. */
export interface Kind {
  readonly name: string
  readonly modelOf: (world: World) => EngineModel
  /** So many pods are all of them in the end. */
  readonly whole: number
  /** It goes on by itself in a tree that has nothing of it. */
  readonly outlivesTree?: boolean
}

export const kinds: readonly Kind[] = [
  {
    name: 'formed by a permit, members with data just start',
    modelOf: (world) => new PermitModel(world),
    whole: 3,
  },
  // All come back here: the most advanced disk may be one beyond the replicas, which is for people to decide.
  {
    name: 'Galera',
    modelOf: (world) => new GaleraModel(world),
    whole: PODS,
  },
  { name: 'Kafka with KRaft', modelOf: (world) => new KraftModel(world), whole: 3 },
  {
    name: 'controllers of Kafka',
    modelOf: (world) => new ControllersModel(world),
    whole: 3,
  },
  { name: 'Kafka on the tree', modelOf: (world) => new KafkaModel(world), whole: 3 },
  { name: 'MongoDB', modelOf: (world) => new MongodbModel(world), whole: 3 },
  {
    name: 'PostgreSQL',
    modelOf: (world) => new PostgresqlModel(world),
    whole: 3,
    outlivesTree: true,
  },
  { name: 'any engine, as Redis', modelOf: (world) => new GenericModel(world), whole: 3 },
  { name: 'AllegroGraph', modelOf: (world) => new AllegrographModel(world), whole: 3 },
]

/** Whatever happens on the way, no second cluster is formed, and when all is well again one is whole. */
export function formsOne({ modelOf, whole, outlivesTree }: Kind) {
  const some = outlivesTree ? fc.oneof(of(20, event), treeChange) : event
  const sequence = fc.array(some, { minLength: 30, maxLength: 90, size: 'max' })
  return fc.property(sizes, sequence, (size, events) => {
    const world = play(modelOf, size, events)
    const ordinals = Array.from({ length: whole }, (_, i) => i)
    if (!world.model.isCurable(ordinals)) return
    const left = heal(world, whole)
    if (left !== null) {
      const names = events.map(([name]) => name).join(', ')
      throw new Error(`stuck: ${left} after ${names}`)
    }
  })
}

/** ... nor where disks are lost, and the tree; then people may have to help. */
export function formsNoSecond({ modelOf, outlivesTree }: Kind) {
  const losses = outlivesTree ? [of(1, treeLoss), treeChange] : [of(1, treeLoss)]
  const some = fc.oneof(of(20, event), of(1, loss), ...losses)
  const sequence = fc.array(some, { minLength: 30, maxLength: 90, size: 'max' })
  return fc.property(sizes, sequence, (size, events) => {
    play(modelOf, size, events)
  })
}
