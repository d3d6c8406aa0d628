import { networkInterfaces } from 'node:os'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { AgentConfig } from './config.ts'
import type { ClusterStore } from './coordination/cluster-store.ts'
import type { Coordination } from './coordination/coordination.ts'
import { Publisher } from './coordination/publisher.ts'
import type { Rules, Self } from './core/observation.ts'
import { DocumentWriter } from './document.ts'
import { Driver } from './driver.ts'
import type { Engine } from './engines/engine.ts'
import { engineKinds } from './engines/kinds.ts'
import { MemberDisk } from './engines/member-disk.ts'
import { AgentError, messageOf } from './errors.ts'
import { buildAgentApp } from './http/app.ts'
import { KubernetesApi } from './kubernetes/kubernetes-api.ts'
import { askPeers } from './kubernetes/peer-agents.ts'
import { limits } from './limits.ts'
import { type AgentMetrics, buildAgentMetrics } from './metrics.ts'
import { PermitPipe } from './permit-pipe.ts'
import { podHost } from './pod-host.ts'
import { coordinationOf, storeOf } from './tree-access.ts'
import { VERSION } from './version.ts'

const nowMs = () => performance.now()

/** One agent, assembled; `run` is its life. */
export class Agent {
  readonly #config: AgentConfig
  readonly #logger: Logger
  readonly #engine: Engine
  readonly #coordination: Coordination
  readonly #publisher: Publisher
  readonly #store: ClusterStore | null
  readonly #document: DocumentWriter
  readonly #driver: Driver
  readonly #pipe: PermitPipe
  readonly #app: FastifyInstance

  private constructor(config: AgentConfig, logger: Logger, parts: Parts) {
    const { settings } = config
    const { disk, engine, coordination } = parts
    this.#config = config
    this.#logger = logger
    const incarnation = countedStart(disk, logger)
    this.#pipe = new PermitPipe(settings.permitPipe)
    this.#engine = engine
    this.#document = new DocumentWriter(config, engine, incarnation, Date.now())
    this.#coordination = coordination
    this.#publisher = new Publisher({
      coordination,
      path: `${settings.treeRoot}/services/${settings.cluster}/${settings.pod}`,
      self: { id: settings.pod, incarnation },
      everyMs: limits.publishEveryMs,
      log: (message, fields) => logger.debug(fields, message),
    })
    const isServer = engine.policy.memory === 'record'
    this.#store = isServer ? null : storeOf(config, coordination, incarnation, logger)
    const cluster = clusterOf(config, logger)
    const metrics = this.#metricsOf(cluster)
    this.#driver = new Driver({
      self: selfOf(config),
      engine,
      disk,
      pipe: this.#pipe,
      cluster,
      askPeers: (ordinals) => askPeers(ordinals, peersOf(config)),
      published: () => this.#publisher.members,
      incarnation,
      lease: () => coordination.status,
      store: this.#store,
      decided: (decision, observation) => {
        this.#publisher.want(this.#document.text(decision, observation, Date.now()))
        if (observation.engine.answers && this.#document.version === '') void this.#learnVersion()
      },
      acted: (action, ok) => metrics.acted(action.kind, ok),
      rules: rulesOf(config),
      limits,
      logger,
      nowMs,
    })
    this.#app = this.#appOf(metrics)
  }

  static async create(config: AgentConfig, logger: Logger): Promise<Agent> {
    const { logDirectory, dataDirectory, engine: kind } = config.settings
    const disk = new MemberDisk([dataDirectory, ...(logDirectory === '' ? [] : [logDirectory])])
    // The server's own tree is where its set is, as far as that is known by then.
    let ordinals = (): readonly number[] => []
    const coordination = coordinationOf(config, logger, () => ordinals())
    const engine = await engineKinds[kind]({ config, disk, coordination, logger, nowMs })
    const agent = new Agent(config, logger, { disk, engine, coordination })
    ordinals = () => agent.#ordinals()
    return agent
  }

  /** Opens the port, then decides until SIGTERM has been dealt with. */
  async run(): Promise<void> {
    // Probes before anything else: an agent that is slow to start must not count as dead.
    await this.#listen()
    await this.#driver.run()
    this.#publisher.stop()
    this.#store?.stop()
    await this.#coordination.close()
    this.#pipe.close()
    await this.#app.close()
  }

  sigterm(): void {
    this.#driver.sigterm()
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#config.settings
    try {
      await this.#app.listen({ host: host === '' ? everywhere() : host, port })
    } catch (error) {
      throw new AgentError('AGENT_PORT_UNAVAILABLE', `port ${port}: ${messageOf(error)}`)
    }
  }

  /** The ordinals that are known to be there, or the lowest three: where the tree may be. */
  #ordinals(): readonly number[] {
    const set = this.#driver.observation?.statefulSet
    const known = set?.kind === 'ok' ? set.value : null
    const count = known?.replicas ?? Math.max(3, this.#config.ordinal + 1)
    return Array.from({ length: count }, (_, i) => (known?.firstOrdinal ?? 0) + i)
  }

  async #learnVersion(): Promise<void> {
    try {
      this.#document.version = await this.#engine.version()
    } catch (error) {
      // The client port may open later than HTTP.
      this.#logger.debug({ reason: messageOf(error) }, 'the version of the engine is not known yet')
    }
  }

  #metricsOf(cluster: KubernetesApi): AgentMetrics {
    return buildAgentMetrics({
      phase: () => this.#driver.decision?.state.phase ?? 'waiting',
      lease: () => this.#coordination.status,
      usable: () => this.#driver.decision?.publication?.enabled ?? false,
      published: () => this.#publisher.published !== null,
      kubernetesFailures: () => cluster.failures,
    })
  }

  #appOf(metrics: AgentMetrics): FastifyInstance {
    const answers = () => this.#driver.observation?.engine.answers ?? false
    const reason = () => this.#driver.decision?.reason ?? 'nothing is decided yet'
    return buildAgentApp({
      logger: this.#logger,
      pod: this.#config.settings.pod,
      prestopToken: this.#config.settings.prestopToken,
      registry: metrics.registry,
      started: () => ({ ok: this.#driver.decision !== null, reason: reason() }),
      engineStarted: () => ({ ok: answers(), reason: reason() }),
      engineAlive: () => {
        const view = this.#driver.observation?.engine
        return { ok: view === undefined || this.#engine.liveness(view), reason: reason() }
      },
      engineReady: () => {
        const usable = this.#driver.decision?.publication?.enabled ?? false
        return { ok: usable, reason: reason() }
      },
      status: () => this.#status(),
      disk: () => this.#engine.discover(),
      prestop: () => this.#driver.prestop(),
    })
  }

  /** For people: the last decision with its reason, and all that it rested on. */
  #status(): object {
    const { decision, observation } = this.#driver
    const { publication } = decision ?? { publication: null }
    return {
      version: VERSION,
      pod: this.#config.settings.pod,
      engine: this.#engine.kind,
      phase: decision?.state.phase ?? null,
      reason: decision?.reason ?? null,
      action: decision?.action ?? null,
      drain: decision?.state.drain ?? null,
      publication,
      tree: {
        lease: this.#coordination.status,
        session: this.#coordination.session,
        server: this.#coordination.connectedTo,
        published: this.#publisher.published !== null,
        conflict: this.#publisher.conflict,
      },
      observation,
    }
  }
}

interface Parts {
  readonly disk: MemberDisk
  readonly engine: Engine
  readonly coordination: Coordination
}

/** All addresses; a node whose kernel has no IPv6 cannot listen on `::`. */
function everywhere(): string {
  const all = Object.values(networkInterfaces()).flat()
  return all.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0'
}

/** The number of this start; where the disk takes no note, the time in seconds, which no count reaches. */
function countedStart(disk: MemberDisk, logger: Logger): number {
  try {
    return disk.countStart()
  } catch (error) {
    // The engine may well run on such a disk; its agent must not be what keeps it down.
    logger.warn({ reason: messageOf(error) }, 'the start could not be counted on the disk')
    return Math.floor(Date.now() / 1_000)
  }
}

function selfOf({ settings, ordinal }: AgentConfig): Self {
  return { set: settings.set, pod: settings.pod, ordinal }
}

function rulesOf({ settings }: AgentConfig): Rules {
  const { verdictPatienceMs, drainBudgetMs, returnAfterMs, reconcileAfterMs } = settings
  const { treeGraceMs, volatile } = settings
  const patience = { verdictPatienceMs, drainBudgetMs, returnAfterMs, reconcileAfterMs }
  return { ...limits, ...patience, treeGraceMs, volatile }
}

function peersOf(config: AgentConfig) {
  const { settings } = config
  return {
    urlOf: (ordinal: number) =>
      settings.peerAgents[ordinal] ?? `http://${podHost(config, ordinal)}:${settings.port}`,
    podOf: (ordinal: number) => `${settings.set}-${ordinal}`,
    timeoutMs: limits.peerTimeoutMs,
    nowMs,
  }
}

function clusterOf({ settings }: AgentConfig, logger: Logger): KubernetesApi {
  return new KubernetesApi({
    url: settings.kubernetesUrl,
    namespace: settings.namespace,
    set: settings.set,
    pod: settings.pod,
    recordName: settings.record,
    timeoutMs: limits.kubernetesTimeoutMs,
    nowMs,
    log: (message, fields) => logger.warn(fields, message),
  })
}
