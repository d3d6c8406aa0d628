import type { Observation } from './observations.ts'
import type { Step } from './steps.ts'

/** A difference that is meant: docs/compatibility.md says of each why, under the same name. */
export interface Wanted {
  readonly name: string
  /** Whether what Apache ZooKeeper and Quorate showed of a step differs in this and nothing else. */
  allows(step: Step, zookeeper: readonly Observation[], quorate: readonly Observation[]): boolean
}

const saying = ({ tokens }: Observation) => tokens[0]

export const wanted: readonly Wanted[] = [
  {
    name: 'wrong-password-is-harmless',
    allows: (step, zookeeper, quorate) =>
      step.kind === 'open' &&
      step.take?.wrongPassword === true &&
      zookeeper.map(saying).at(-1) === 'closed' &&
      quorate.map(saying).at(-1) === 'reply -2' &&
      zookeeper.length === quorate.length,
  },
]

/** All of them: the others are taken for equal where what was shown is read and matched. */
export const wantedNames: readonly string[] = [
  ...wanted.map(({ name }) => name),
  // correspondence.ts
  'return-takes-a-zxid',
  // observations.ts
  'refusal-without-body',
  'surrogates',
]
