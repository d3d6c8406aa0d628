import type { ConnectionOptions } from 'node:tls'
import { surveyReplicas } from '../../core/cluster/kafka-partitions.ts'
import type { DatedSurvey } from '../../core/cluster/kafka-stop.ts'
import { within } from '../../deadline.ts'
import { limits } from '../../limits.ts'
import { KafkaConnection, type KafkaPlace } from './kafka-connection.ts'
import { KafkaPulse } from './kafka-pulse.ts'
import {
  countLogs,
  describeConfigs,
  type KafkaMetadata,
  type KafkaRequest,
  metadata,
  TOPIC,
} from './kafka-requests.ts'

const NO_METADATA: KafkaMetadata = { clusterId: '', controllerId: -1, brokers: [], partitions: [] }
const MIN_IN_SYNC = 'min.insync.replicas'

export interface LocalBrokerOptions {
  readonly id: number
  readonly place: KafkaPlace
  /** Null: plain text. */
  readonly tls: (() => ConnectionOptions) | null
  readonly nowMs: () => number
}

/** The broker beside the agent, as it answers. */
export class LocalBroker {
  readonly #options: LocalBrokerOptions
  readonly #pulse: KafkaPulse<KafkaMetadata>
  readonly #asking: KafkaConnection
  /** Apart from that, since a broker answers the requests of a connection one after the other. */
  readonly #quick: KafkaConnection
  #survey: DatedSurvey | null = null
  #surveying: Promise<void> | null = null
  /** When the copies are looked at next, and for how long not when that fails. */
  #surveyDueAtMs = Number.NEGATIVE_INFINITY
  #pauseMs: number = limits.kafkaSurveyEveryMs
  /** When the process that got the last permit first answered. */
  #answeredAtMs: number | null = null
  #caughtUp = false

  constructor(options: LocalBrokerOptions) {
    this.#options = options
    const heart = new KafkaConnection(options.place, options.tls)
    this.#pulse = new KafkaPulse(heart, metadata([]), NO_METADATA)
    this.#asking = new KafkaConnection(options.place, options.tls)
    this.#quick = new KafkaConnection(options.place, options.tls)
  }

  get metadata(): KafkaMetadata {
    return this.#pulse.metadata
  }

  get survey(): DatedSurvey | null {
    return this.#survey
  }

  /** Its copies were seen in sync, or time was up: asked once for each process. */
  get isCaughtUp(): boolean {
    return this.#caughtUp
  }

  /** Why clients may not use it, as far as the brokers know; null: they may. */
  get obstacle(): string | null {
    if (!this.#isListed) return 'the brokers do not know this one yet'
    if (this.#caughtUp) return null
    const { behind } = this.#survey ?? { behind: null }
    return behind === null ? 'looks at its copies' : `${behind} of its copies are behind`
  }

  get #isListed(): boolean {
    return this.metadata.brokers.some(({ id }) => id === this.#options.id)
  }

  /** Another process is about to start: what was seen of the former one says nothing of it. */
  begin(): void {
    this.#answeredAtMs = null
    this.#caughtUp = false
    this.#survey = null
    this.#surveyDueAtMs = Number.NEGATIVE_INFINITY
    this.#pauseMs = limits.kafkaSurveyEveryMs
  }

  /** Whether it answers. Never rejects. */
  async look(): Promise<boolean> {
    return await this.#pulse.look()
  }

  /**
   * Until the start of a broker that answers is over: are its copies in sync? Time runs on where it may not be asked.
   * Never rejects.
   */
  async follow(mayAsk: boolean): Promise<void> {
    const { nowMs } = this.#options
    this.#answeredAtMs ??= nowMs()
    if (this.#caughtUp || !this.#isListed) return
    if (mayAsk && nowMs() >= this.#surveyDueAtMs) await this.#glance()
    const late = nowMs() - this.#answeredAtMs >= limits.kafkaBehindMs
    this.#caughtUp = late || this.#survey?.behind === 0
  }

  /** Asks what a turn of the loop waits for: no question that takes longer delays it, or is broken off with it. */
  async askQuickly<T>(request: KafkaRequest<T>): Promise<T> {
    return await this.#quick.call(request, limits.kafkaPatienceMs)
  }

  /** Asks the broker anything else. */
  async ask<T>(request: KafkaRequest<T>, timeoutMs: number = limits.kafkaSurveyMs): Promise<T> {
    return await this.#asking.call(request, timeoutMs)
  }

  /** Looks at the copies on the broker. */
  async lookAtCopies(): Promise<void> {
    const { id, nowMs } = this.#options
    const atMs = nowMs()
    const { partitions } = await this.ask(metadata(null))
    const own = partitions.filter(({ replicas }) => replicas.includes(id))
    const topics = [...new Set(own.map(({ topic }) => topic))]
    const configs = await this.ask(describeConfigs(TOPIC, topics, [MIN_IN_SYNC]))
    const minInSync = Object.fromEntries(
      topics.map((topic) => [topic, Number(configs.get(topic)?.[MIN_IN_SYNC] ?? 1)]),
    )
    const logs = await this.ask(countLogs)
    this.#survey = { ...surveyReplicas(own, minInSync, id), atMs, logs }
  }

  /** Waits a moment for a look at the copies; one that takes longer shows later. */
  async #glance(): Promise<void> {
    this.#surveying ??= this.#surveyCopies().finally(() => {
      this.#surveying = null
    })
    await within(this.#surveying, limits.kafkaPatienceMs, notYet).catch(() => {})
  }

  /** A question that got no answer may hold a thread of the broker for long: the next one comes later each time. */
  async #surveyCopies(): Promise<void> {
    const { nowMs } = this.#options
    const startedAtMs = nowMs()
    try {
      await this.lookAtCopies()
      this.#surveyDueAtMs = startedAtMs + limits.kafkaSurveyEveryMs
      this.#pauseMs = limits.kafkaSurveyEveryMs
    } catch {
      // The broker is not ready while nothing is known of its copies.
      this.#surveyDueAtMs = nowMs() + this.#pauseMs
      this.#pauseMs = Math.min(2 * this.#pauseMs, limits.kafkaSurveyPauseMsMax)
    }
  }
}

function notYet(): Error {
  return new Error('not yet')
}
