import fc from 'fast-check'
import { isExpected } from '../../../agent/core/observation.ts'
import { type Event, event, loss, of, sizes, step, treeLoss } from './dependents-events.ts'
import { DependentsWorld, type EngineModel, PODS } from './dependents-world.ts'
import { GaleraModel } from './engine-models.ts'
import { KafkaModel, KraftModel } from './kafka-models.ts'
import { MongodbModel } from './mongodb-model.ts'
import { PatroniModel } from './patroni-model.ts'

type World = DependentsWorld
type ModelOf = (world: World) => EngineModel

/** Engines under their real plans, each with the size of the set that has to become whole. */
export const engines: readonly (readonly [name: string, modelOf: ModelOf, whole: number])[] = [
  ['Kafka in KRaft mode', (world) => new KraftModel(world), 3],
  ['Kafka in ZooKeeper mode', (world) => new KafkaModel(world), 3],
  ['MongoDB', (world) => new MongodbModel(world), 3],
  ['PostgreSQL under Patroni', (world) => new PatroniModel(world), 3],
  // All come back here: the most advanced disk may be one beyond the replicas, which is for people to decide.
  ['engines of which the most advanced starts again', (world) => new GaleraModel(world), PODS],
]

/** What runs came to. */
export interface Tally {
  runs: number
  /** The others nobody could have made whole: what a majority needs was scaled away without a word. */
  healed: number
}

/** One cluster, ever, which becomes whole again as soon as all is well. */
export function becomesWhole(modelOf: ModelOf, whole: number, tally: Tally) {
  const sequence = fc.array(event, { minLength: 30, maxLength: 90, size: 'max' })
  return fc.property(sizes, sequence, (size, events) => {
    const world = play(modelOf, size, events)
    tally.runs += 1
    const ordinals = Array.from({ length: whole }, (_, i) => i)
    if (!world.model.isCurable(ordinals)) return
    const left = heal(world, whole)
    if (left !== null) {
      const names = events.map(([name]) => name).join(', ')
      throw new Error(`stuck: ${left} after ${names}`)
    }
    tally.healed += 1
  })
}

/** No second cluster, whatever disks are lost, and the tree. */
export function formsNoSecond(modelOf: ModelOf, tally: Tally) {
  const some = fc.oneof(of(20, event), of(1, loss), of(1, treeLoss))
  const sequence = fc.array(some, { minLength: 30, maxLength: 90, size: 'max' })
  return fc.property(sizes, sequence, (size, events) => {
    play(modelOf, size, events)
    tally.runs += 1
  })
}

/** Runs events; what must never be throws in the world, with the events so far in the message. */
function play(modelOf: ModelOf, size: number, events: readonly Event[]) {
  const world = new DependentsWorld(modelOf)
  const left = size > 0 ? heal(world, size) : null
  if (left !== null) throw new Error(`no cluster of ${size} to begin with: ${left}`)
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
  world.model.cure()
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
