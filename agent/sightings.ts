import type { Logger } from 'pino'
import type {
  DiskReport,
  EngineView,
  Fetched,
  Observation,
  PeerReport,
  Self,
  StatefulSetView,
  StoredRecord,
} from './core/observation.ts'
import type { Engine } from './engines/engine.ts'
import { messageOf } from './errors.ts'
import type { ClusterApi } from './kubernetes/cluster-api.ts'
import type { limits as AgentLimits } from './limits.ts'

export interface SightingsOptions {
  readonly self: Self
  readonly engine: Engine
  readonly cluster: ClusterApi
  readonly askPeers: (ordinals: readonly number[]) => Promise<PeerReport[]>
  readonly limits: Readonly<Record<keyof typeof AgentLimits, number>>
  readonly logger: Pick<Logger, 'warn'>
  readonly nowMs: () => number
}

/** What an agent can see beside its own signals. */
export type Seen = Pick<
  Observation,
  'ownerUid' | 'statefulSet' | 'record' | 'disk' | 'peers' | 'engine' | 'position'
>

/** What the answers are needed for now: it says how new they must be. */
export interface Need {
  readonly asking: boolean
  readonly draining: boolean
  /** Nothing but a change of replicas can matter. */
  readonly settled: boolean
}

/** The newest answers of disk, engine, Kubernetes and peers, each asked as often as it is needed. */
export class Sightings {
  readonly #options: SightingsOptions
  #ownerUid: string | null = null
  #statefulSet: Fetched<StatefulSetView> = { kind: 'never' }
  #record: Fetched<StoredRecord> = { kind: 'never' }
  #disk: DiskReport | null = null
  #peers: readonly PeerReport[] = []
  #engine: EngineView | null = null
  #engineAtMs = Number.NEGATIVE_INFINITY
  #kubernetesAtMs = Number.NEGATIVE_INFINITY
  #peersAtMs = Number.NEGATIVE_INFINITY
  #askingKubernetes = false
  #askingPeers = false
  #position: string | null = null
  #askingPosition: Promise<void> | null = null

  constructor(options: SightingsOptions) {
    this.#options = options
  }

  async look(need: Need): Promise<Seen> {
    const { engine, limits, nowMs } = this.#options
    const isServer = engine.policy.memory === 'record'
    // The disk of a member that stays one does not change under a running engine.
    const known = this.#disk?.kind === 'member' && !this.#disk.departed ? this.#disk : null
    const disk = need.asking || need.draining || known === null ? engine.discover() : known
    this.#disk = disk
    const engineMs = need.settled ? limits.engineEveryMsIdle : limits.engineEveryMs
    if (this.#engine === null || need.draining || this.#isDue(this.#engineAtMs, engineMs)) {
      this.#engineAtMs = nowMs()
      this.#engine = await engine.observe(need.asking)
    }
    const everyMs = need.settled ? limits.kubernetesEveryMsIdle : limits.kubernetesEveryMsBusy
    if (this.#isDue(this.#kubernetesAtMs, everyMs)) void this.#askKubernetes()
    const empty = need.asking && disk.kind === 'empty'
    if (isServer && empty && this.#isDue(this.#peersAtMs, limits.peerEveryMs)) void this.#askPeers()
    if (!isServer) this.#lookAtPosition(need.asking && disk.kind === 'member')
    return {
      ownerUid: this.#ownerUid,
      statefulSet: this.#statefulSet,
      record: this.#record,
      disk,
      peers: this.#peers,
      engine: this.#engine,
      position: this.#position,
    }
  }

  /** What was seen of the engine is no longer so: the next look asks anew. */
  engineChanged(): void {
    this.#engineAtMs = Number.NEGATIVE_INFINITY
  }

  async readStatefulSet(): Promise<void> {
    this.#statefulSet = newer(this.#statefulSet, await this.#options.cluster.statefulSet())
    // A set that was deleted with its pods left (--cascade=orphan) and made again has adopted this one.
    const set = this.#statefulSet
    if (set.kind === 'ok' && set.value.uid !== this.#ownerUid) await this.#readOwner()
  }

  async readRecord(): Promise<void> {
    this.#record = newer(this.#record, await this.#options.cluster.record())
  }

  #isDue(atMs: number, everyMs: number): boolean {
    return this.#options.nowMs() - atMs >= everyMs
  }

  async #askKubernetes(): Promise<void> {
    if (this.#askingKubernetes) return
    this.#askingKubernetes = true
    this.#kubernetesAtMs = this.#options.nowMs()
    const isServer = this.#options.engine.policy.memory === 'record'
    await Promise.all([this.readStatefulSet(), ...(isServer ? [this.readRecord()] : [])])
    this.#askingKubernetes = false
  }

  /** Of a stopped engine, once per start: it does not change before the engine runs. */
  #lookAtPosition(stopped: boolean): void {
    if (!stopped) {
      this.#position = null
      this.#askingPosition = null
    } else if (this.#askingPosition === null) {
      this.#askingPosition = this.#askPosition()
    }
  }

  async #askPosition(): Promise<void> {
    const { engine, logger } = this.#options
    await Promise.resolve()
    const asked = this.#askingPosition
    try {
      const position = await engine.position()
      // The engine may have run meanwhile.
      if (this.#askingPosition === asked) this.#position = position
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'the position of the engine cannot be told')
      if (this.#askingPosition === asked) this.#askingPosition = null
    }
  }

  async #readOwner(): Promise<void> {
    const pod = await this.#options.cluster.pod()
    if (pod.kind === 'ok') this.#ownerUid = pod.value.ownerUid
  }

  async #askPeers(): Promise<void> {
    const set = this.#statefulSet
    if (this.#askingPeers || set.kind !== 'ok') return
    this.#askingPeers = true
    this.#peersAtMs = this.#options.nowMs()
    const { firstOrdinal, replicas } = set.value
    const record = this.#record.kind === 'ok' ? this.#record.value.record : null
    const count = record?.phase === 'forming' ? Math.max(replicas, record.expected) : replicas
    const all = Array.from({ length: count }, (_, i) => firstOrdinal + i)
    const others = all.filter((ordinal) => ordinal !== this.#options.self.ordinal)
    this.#peers = await this.#options.askPeers(others)
    this.#askingPeers = false
  }
}

/** Answers may overtake each other; a question that was asked later counts. */
function newer<T>(before: Fetched<T>, after: Fetched<T>): Fetched<T> {
  if (before.kind === 'never' || after.kind === 'never') return after
  return after.atMs >= before.atMs ? after : before
}
