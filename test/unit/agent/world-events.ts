import type fc from 'fast-check'

/** A step of a play: what it is called where a play has failed, and what it does. */
export type WorldEvent<World> = readonly [name: string, run: (world: World) => void]

/** What these events change of any world. */
interface Surroundings {
  nowMs: number
  apiUp: boolean
  scale(replicas: number): void
}

/** An alternative of `fc.oneof`. */
export function of<T>(weight: number, arbitrary: fc.Arbitrary<T>) {
  return { weight, arbitrary }
}

export function later(ms: number): WorldEvent<Surroundings> {
  return [
    `+${ms}`,
    (world) => {
      world.nowMs += ms
    },
  ]
}

export function scale(replicas: number): WorldEvent<Surroundings> {
  return [`scale ${replicas}`, (world) => world.scale(replicas)]
}

export function api(up: boolean): WorldEvent<Surroundings> {
  return [
    `api ${up}`,
    (world) => {
      world.apiUp = up
    },
  ]
}
