import { within } from '../../deadline.ts'
import { limits } from '../../limits.ts'
import type { KafkaConnection } from './kafka-connection.ts'
import { apiVersions, type KafkaRequest } from './kafka-requests.ts'

/** Signs of life of the node beside the agent, and what it tells of its cluster while it has any. */
export class KafkaPulse<T> {
  /** For these alone: a node answers the requests of a connection one after the other. */
  readonly #connection: KafkaConnection
  readonly #request: KafkaRequest<T>
  #beating: Promise<void> | null = null
  #answers = false
  #metadata: T

  constructor(connection: KafkaConnection, request: KafkaRequest<T>, nothingKnown: T) {
    this.#connection = connection
    this.#request = request
    this.#metadata = nothingKnown
  }

  /** As the node knew it last. */
  get metadata(): T {
    return this.#metadata
  }

  /** Whether it answers. Never rejects. */
  async look(): Promise<boolean> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = null
    })
    // Until the sign of life comes, or its limit is over, the last one counts.
    await within(this.#beating, limits.kafkaPatienceMs, () => new Error('not yet')).catch(() => {})
    return this.#answers
  }

  async #beat(): Promise<void> {
    try {
      await this.#connection.call(apiVersions, limits.kafkaAnswerMs)
      this.#answers = true
    } catch {
      this.#answers = false
      return
    }
    try {
      this.#metadata = await this.#connection.call(this.#request, limits.kafkaAnswerMs)
    } catch {
      // It lives; what it told of the cluster before stays.
    }
  }
}
