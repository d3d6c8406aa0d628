import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import { type GaleraBounds, type GaleraView, galeraPlan } from '../../core/cluster/galera-plan.ts'
import type { DiskReport, Observation } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { AgentError } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { CertificateFiles } from '../certificate-files.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import { GaleraDisk, type GaleraDiskOptions } from './galera-disk.ts'
import { GaleraObserver } from './galera-observer.ts'
import { someListens } from './listening.ts'
import type { MariadbSession } from './mariadb-session.ts'

export interface GaleraOptions extends GaleraDiskOptions, GaleraBounds {
  readonly session: MariadbSession
  readonly certificates: CertificateFiles
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  /** Where the member of an ordinal is for the others: host:port. */
  readonly placeOf: (ordinal: number) => string
  readonly set: string
  readonly donorServes: boolean
  /** Between tries of a duty that failed. */
  readonly dutyRetryMs: number
  readonly nowMs: () => number
}

/** What the shell of the container would not take as it stands. */
const SAFE_LINE = /^[\w.,:/=@ -]*$/

/** What each duty of the plan says to the server. */
const STATEMENTS: Readonly<Record<string, readonly string[]>> = {
  reject: ["SET GLOBAL wsrep_reject_queries = 'ALL'"],
  accept: ["SET GLOBAL wsrep_reject_queries = 'NONE'"],
  // Connections that are open keep the certificate under which they were made.
  certificates: ['FLUSH SSL', "SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1'"],
}

/**
 * A server of MariaDB with Galera. It is formed, joined and elected by how it starts; while it runs the agent looks,
 * and takes it out of service before a stop.
 */
export class GaleraEngine implements Engine<GaleraView> {
  readonly kind = 'galera'
  readonly policy: Policy<GaleraView>
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: GaleraOptions
  readonly #disk: GaleraDisk
  readonly #observer: GaleraObserver
  #certificatesTriedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: GaleraOptions) {
    this.#options = options
    this.policy = clusterPolicy(galeraPlan(options))
    this.clientPorts = options.clientPorts
    this.ports = options.ports
    this.#disk = new GaleraDisk(options)
    this.#observer = new GaleraObserver({
      ...options,
      certificatesRenewed: () => this.#areCertificatesDue(),
    })
  }

  discover(): DiskReport {
    return this.#disk.discover()
  }

  async position(): Promise<string | null> {
    const position = this.#disk.position()
    if (position !== null) return position.seqno.toString()
    throw new AgentError('ENGINE_REFUSED', 'the container could not tell where its data ends')
  }

  async observe(): Promise<GaleraView> {
    const view = await this.#observer.observe()
    // Before anybody hears that it serves: its data is then more than the beginning of a founder.
    if (view.ready) this.#disk.finish()
    return view
  }

  /** Never a matter of majority, peers or tree; and never of a copy that takes long. */
  liveness({ silentMs }: GaleraView): boolean {
    return silentMs < limits.galeraSilentMs
  }

  async version(): Promise<string> {
    return this.#options.session.version
  }

  async prepare(mode: StartMode, observation: Observation<GaleraView>): Promise<void> {
    // A server that starts reads them by itself.
    await this.#options.certificates.tell(async () => {})
    if (mode !== 'bootstrap') {
      await this.#refuseAlone(observation)
      this.#disk.prepareJoin()
    } else if (observation.disk.kind === 'empty') this.#disk.prepareFounding()
    else this.#disk.prepareBootstrap()
  }

  /**
   * A join needs somebody. The document of a member that was killed stays until its session ends, and without the
   * tree there are none: a server that joins nobody keeps all others waiting for it.
   */
  async #refuseAlone(observation: Observation<GaleraView>): Promise<void> {
    const own = this.#options.placeOf(observation.self.ordinal)
    const others = this.#serving(observation).filter((place) => place !== own)
    if (await someListens(others, limits.galeraAnswerMs)) return
    throw new AgentError('ENGINE_UNREACHABLE', `nobody listens at ${others.join(', ')}`)
  }

  /**
   * `found` makes the data directory first. Nobody gets an empty list of members: a server that had one in a file
   * would begin a cluster at each start.
   */
  permitLine(mode: StartMode, observation: Observation<GaleraView>): string {
    const position = this.#disk.position()
    const founds = mode === 'bootstrap' && observation.disk.kind === 'empty'
    const places = mode === 'bootstrap' ? this.#expected(observation) : this.#serving(observation)
    const line = [
      founds ? 'found' : 'start',
      ...(mode === 'bootstrap' ? ['--wsrep-new-cluster'] : []),
      `--wsrep-cluster-address=gcomm://${places.join(',')}`,
      // Without it a server that was killed would begin a cluster of another name, or copy all anew.
      ...(position === null ? [] : [`--wsrep-start-position=${position.uuid}:${position.seqno}`]),
    ].join(' ')
    if (!SAFE_LINE.test(line)) throw new AgentError('AGENT_CONFIG_INVALID', `unsafe: ${line}`)
    return line
  }

  /** Nobody leads. */
  async drain(): Promise<void> {}

  /** The others count without a member as soon as it stops, in order or not: there is nothing to take it out of. */
  async leave(name: string, _call: EngineCall<GaleraView>): Promise<void> {
    const { members } = await this.#observer.observe()
    if (!members.some((member) => member.name === name)) return
    throw new AgentError('ENGINE_REFUSED', `${name} still runs: it leaves when its pod ends`)
  }

  async perform(name: string): Promise<void> {
    const { session, certificates, nowMs } = this.#options
    if (name === 'standDown') return await session.shutDown()
    const statements = STATEMENTS[name]
    if (statements === undefined) throw new AgentError('ENGINE_REFUSED', `no duty ${name}`)
    const say = async () => {
      for (const statement of statements) await session.query(statement)
    }
    if (name !== 'certificates') return await say()
    this.#certificatesTriedAtMs = nowMs()
    await certificates.tell(say)
  }

  #areCertificatesDue(): boolean {
    const { certificates, dutyRetryMs, nowMs } = this.#options
    return nowMs() - this.#certificatesTriedAtMs >= dutyRetryMs && certificates.isRenewed
  }

  /** Of those that are in, as far as the tree tells; else of all. */
  #serving(observation: Observation<GaleraView>): string[] {
    const { self, cluster } = observation
    const prefix = `${this.#options.set}-`
    const ready = Object.entries(cluster?.members ?? {})
      .filter(([pod, member]) => member.ready && pod !== self.pod)
      .map(([pod]) => Number(pod.slice(prefix.length)))
    return ready.length === 0 ? this.#expected(observation) : ready.map(this.#options.placeOf)
  }

  #expected({ statefulSet, self }: Observation<GaleraView>): string[] {
    const { firstOrdinal, replicas } =
      statefulSet.kind === 'ok' ? statefulSet.value : { firstOrdinal: 0, replicas: 0 }
    const count = Math.max(replicas, self.ordinal - firstOrdinal + 1)
    return Array.from({ length: count }, (_, i) => this.#options.placeOf(firstOrdinal + i))
  }
}
