import type { ConnectionOptions } from 'node:tls'
import { AgentError } from '../../errors.ts'
import { KafkaConnection, type KafkaPlace } from './kafka-connection.ts'
import {
  type KafkaMetadata,
  type KafkaRequest,
  metadata,
  NOT_CONTROLLER,
} from './kafka-requests.ts'

/** Moves of the controller that one request follows. */
const CONTROLLERS_MAX = 5

/** All brokers of a cluster, found from those that are named; its calls reject with AgentErrors. */
export class KafkaCluster {
  readonly #places: readonly KafkaPlace[]
  readonly #tls: ((host: string) => ConnectionOptions) | null
  readonly #timeoutMs: number
  readonly #connections = new Map<string, KafkaConnection>()
  #last: KafkaMetadata = { clusterId: '', controllerId: -1, brokers: [], partitions: [] }

  constructor(
    places: readonly KafkaPlace[],
    tls: ((host: string) => ConnectionOptions) | null,
    timeoutMs: number,
  ) {
    this.#places = places
    this.#tls = tls
    this.#timeoutMs = timeoutMs
  }

  /** As whichever broker answers first knows it. */
  async metadata(topics: readonly string[] | null): Promise<KafkaMetadata> {
    let failure: unknown = new AgentError('ENGINE_UNREACHABLE', 'no broker is named')
    for (const place of [...this.#last.brokers, ...this.#places]) {
      try {
        this.#last = await this.#to(place).call(metadata(topics), this.#timeoutMs)
        return this.#last
      } catch (error) {
        // Another one may answer; the last failure is told.
        failure = error
      }
    }
    throw failure
  }

  /** Asks one broker, which the newest metadata has to list. */
  async ask<T>(broker: number, request: KafkaRequest<T>): Promise<T> {
    const place = this.#last.brokers.find(({ id }) => id === broker)
    if (place === undefined) {
      throw new AgentError('ENGINE_UNREACHABLE', `broker ${broker} is not there`)
    }
    return await this.#to(place).call(request, this.#timeoutMs)
  }

  async askAny<T>(request: KafkaRequest<T>): Promise<T> {
    const [first] = this.#last.brokers
    return await this.ask(first?.id ?? -1, request)
  }

  /** Asks the controller, wherever it moves meanwhile. */
  async askController<T>(request: KafkaRequest<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.ask(this.#last.controllerId, request)
      } catch (error) {
        const moved = error instanceof AgentError && error.detail === NOT_CONTROLLER
        const gone = error instanceof AgentError && error.code === 'ENGINE_UNREACHABLE'
        if (!(moved || gone) || tries === CONTROLLERS_MAX) throw error
        await new Promise((resolve) => setTimeout(resolve, this.#timeoutMs / CONTROLLERS_MAX))
        await this.metadata([])
      }
    }
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }

  #to({ host, port }: KafkaPlace): KafkaConnection {
    const name = `${host}:${port}`
    const tls = this.#tls
    const known = this.#connections.get(name)
    const connection = known ?? new KafkaConnection({ host, port }, tls && (() => tls(host)))
    this.#connections.set(name, connection)
    return connection
  }
}
