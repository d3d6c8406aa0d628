import type { ConnectionOptions } from 'node:tls'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import { KafkaConnection, type KafkaPlace } from './kafka-connection.ts'
import { KafkaPulse } from './kafka-pulse.ts'
import { type ControllersMetadata, describeControllers } from './kafka-quorum-requests.ts'
import type { KafkaRequest } from './kafka-requests.ts'

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
  readonly #pulse: KafkaPulse<ControllersMetadata>
  readonly #asking: KafkaConnection
  #leader: { readonly place: KafkaPlace; readonly connection: KafkaConnection } | null = null

  constructor(options: LocalControllerOptions) {
    this.#options = options
    const { place, tls } = options
    const connect = () => new KafkaConnection(place, tls && (() => tls(null)))
    this.#pulse = new KafkaPulse(connect(), describeControllers, NOTHING_KNOWN)
    this.#asking = connect()
  }

  /** As this controller knows it. */
  get metadata(): ControllersMetadata {
    return this.#pulse.metadata
  }

  /** Whether it answers; while it does, what it knows is followed. Never rejects. */
  async look(): Promise<boolean> {
    return await this.#pulse.look()
  }

  /** Asks whoever leads: the others refuse whatever is about the quorum. Throws ENGINE_UNREACHABLE without one. */
  async askLeader<T>(
    request: KafkaRequest<T>,
    timeoutMs: number = limits.kafkaSurveyMs,
  ): Promise<T> {
    return await this.#toLeader().call(request, timeoutMs)
  }

  #toLeader(): KafkaConnection {
    const { leaderId, places } = this.metadata
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
