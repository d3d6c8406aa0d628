import type { ConnectionOptions } from 'node:tls'
import { within } from '../../deadline.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { KafkaConnection, type KafkaPlace } from './kafka-connection.ts'
import { type ControllersMetadata, describeControllers } from './kafka-quorum-requests.ts'
import { apiVersions, type KafkaRequest } from './kafka-requests.ts'

const NOTHING_KNOWN: ControllersMetadata = { clusterId: '', leaderId: -1, places: [] }

interface LocalControllerOptions {
  readonly id: number
  readonly place: KafkaPlace
  /** By the host that is named, or the local controller's own for null; null: plain text. */
  readonly tls: ((host: string | null) => ConnectionOptions) | null
}

/** The controller beside the agent, which has no listener of brokers, and by way of it whoever leads. */
export class LocalController {
  readonly #options: LocalControllerOptions
  /** For signs of life alone: requests of a connection are answered one after the other. */
  readonly #heart: KafkaConnection
  readonly #asking: KafkaConnection
  #pulse: Promise<void> | null = null
  #answers = false
  #metadata = NOTHING_KNOWN
  #leader: { readonly place: KafkaPlace; readonly connection: KafkaConnection } | null = null

  constructor(options: LocalControllerOptions) {
    this.#options = options
    const { place, tls } = options
    this.#heart = new KafkaConnection(place, tls && (() => tls(null)))
    this.#asking = new KafkaConnection(place, tls && (() => tls(null)))
  }

  /** As this controller knows it. */
  get metadata(): ControllersMetadata {
    return this.#metadata
  }

  /** Whether it answers; while it does, what it knows is followed. Never rejects. */
  async look(): Promise<boolean> {
    this.#pulse ??= this.#beat().finally(() => {
      this.#pulse = null
    })
    // Until the sign of life comes, or its limit is over, the last one counts.
    await within(this.#pulse, limits.kafkaPatienceMs, () => new Error('not yet')).catch(() => {})
    return this.#answers
  }

  /** Asks whoever leads: the others refuse whatever is about the quorum. Throws ENGINE_UNREACHABLE without one. */
  async askLeader<T>(
    request: KafkaRequest<T>,
    timeoutMs: number = limits.kafkaSurveyMs,
  ): Promise<T> {
    return await this.#toLeader().call(request, timeoutMs)
  }

  async #beat(): Promise<void> {
    try {
      await this.#heart.call(apiVersions, limits.kafkaAnswerMs)
      this.#answers = true
    } catch {
      this.#answers = false
      return
    }
    try {
      this.#metadata = await this.#heart.call(describeControllers, limits.kafkaAnswerMs)
    } catch {
      // It lives; what it told of the others before stays.
    }
  }

  #toLeader(): KafkaConnection {
    const { leaderId, places } = this.#metadata
    if (leaderId === this.#options.id) return this.#asking
    const place = places.find(({ id }) => id === leaderId)
    if (place === undefined) {
      const who = leaderId < 0 ? 'no controller leads' : `nobody knows where ${leaderId} is`
      throw new AgentError('ENGINE_UNREACHABLE', who)
    }
    const { host, port } = place
    const known = this.#leader
    if (known?.place.host === host && known.place.port === port) return known.connection
    known?.connection.close()
    const { tls } = this.#options
    const connection = new KafkaConnection({ host, port }, tls && (() => tls(host)))
    this.#leader = { place: { host, port }, connection }
    return connection
  }
}
