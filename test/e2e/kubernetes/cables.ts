import { afterEach } from 'vitest'
import { run } from './cluster.ts'
import { Testbed } from './testbed.ts'

const testbed = Testbed.ofThisRun()

/** Whether the cluster is a testbed's, whose nodes hang on cables that can be cut. */
export const hasCables = testbed !== null

/** A title that says why it is skipped, where it is. */
export const titleWithCables = (title: string) =>
  hasCables ? title : `${title} (it takes a testbed, whose cables can be cut)`

/** The cables of the nodes, `cp` being the one with the API server. */
export class Cables {
  readonly #cut = new Set<string>()

  cut(node: string): void {
    this.#cut.add(node)
    testbed?.node('cut', node)
  }

  /** Mends all that are cut; resolves when every node is Ready again. */
  async heal(): Promise<void> {
    for (const node of this.#cut) testbed?.node('heal', node)
    this.#cut.clear()
    await run('kubectl', ['wait', '--for=condition=Ready', 'node', '--all', '--timeout=120s'])
  }
}

/** Cables for the tests of one file, healed after each; hooks of the file that come before it run after that. */
export function cablesHealed(): Cables {
  const cables = new Cables()
  afterEach(() => cables.heal(), 180_000)
  return cables
}
