import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaCluster } from '../../agent/engines/kafka/kafka-cluster.ts'
import { waitFor } from '../support/wait-for.ts'
import { createTopic } from './topics.ts'

const WITHIN_MS = 60_000
const PAUSE_MS = 50
const EXISTS = /: 36 /

/** Topics are created, one after the other: what the controllers, and they alone, have to keep. */
export class TopicWrites {
  readonly #cluster: KafkaCluster
  readonly #acknowledged: string[] = []
  #stopped = false
  readonly #running: Promise<void>

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
    this.#running = this.#run()
  }

  /** Resolves when so many more are acknowledged. */
  async goesOn(count: number): Promise<void> {
    const before = this.#acknowledged.length
    const more = () => this.#acknowledged.length >= before + count
    await waitFor(`${count} more topics are acknowledged`, more, WITHIN_MS)
  }

  /** Ends the writing: which of the acknowledged topics are not there. */
  async lost(): Promise<string[]> {
    this.#stopped = true
    await this.#running
    return await waitFor('the topics are listed', async () => {
      const { partitions } = await this.#cluster.metadata(null)
      const present = new Set(partitions.map(({ topic }) => topic))
      // A broker follows the controllers, a moment behind.
      const last = this.#acknowledged.at(-1) ?? ''
      if (!present.has(last)) throw new Error(`${last} is not there yet`)
      return this.#acknowledged.filter((name) => !present.has(name))
    })
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      const name = `written-${n}`
      while (!this.#stopped && !(await this.#create(name))) await sleep(PAUSE_MS)
      await sleep(PAUSE_MS)
    }
  }

  /** False: nobody knows what became of it, and it is tried again. */
  async #create(name: string): Promise<boolean> {
    try {
      await this.#cluster.askController(createTopic({ name, minInSync: 1, copies: [[0, 1]] }))
    } catch (error) {
      if (!EXISTS.test(String(error))) return false
    }
    this.#acknowledged.push(name)
    return true
  }
}
