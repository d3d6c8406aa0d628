import { randomBytes } from 'node:crypto'
import type { Logger } from 'pino'
import type { ClusterStore } from './coordination/cluster-store.ts'
import type { LockName } from './core/cluster/facts.ts'
import { type Decision, decide } from './core/decide.ts'
import type { LeaseStatus } from './core/lease.ts'
import type { Observation, PeerReport, Rules, Self } from './core/observation.ts'
import { refusalOf } from './core/refusal.ts'
import type { StartMode } from './core/start-rule.ts'
import {
  type Action,
  type AgentState,
  initialState,
  settle,
  type TreeAction,
} from './core/state.ts'
import { type Engine, type EngineCall, type Fence, UNFENCED } from './engines/engine.ts'
import type { MemberDisk } from './engines/member-disk.ts'
import { AgentError, messageOf } from './errors.ts'
import type { ClusterApi } from './kubernetes/cluster-api.ts'
import type { limits as AgentLimits } from './limits.ts'
import type { PermitPipe } from './permit-pipe.ts'
import { Sightings } from './sightings.ts'

export interface DriverOptions {
  readonly self: Self
  readonly engine: Engine
  readonly disk: MemberDisk
  readonly pipe: PermitPipe
  readonly cluster: ClusterApi
  readonly askPeers: (ordinals: readonly number[]) => Promise<PeerReport[]>
  /** Pods with a document in the tree; null while that is not known. */
  readonly published: () => readonly string[] | null
  readonly incarnation: number
  readonly lease: () => LeaseStatus
  /** The tree's side of the cluster; null for the server, which keeps nothing there. */
  readonly store: ClusterStore | null
  /** Called after every turn. */
  readonly decided: (decision: Decision, observation: Observation) => void
  readonly acted: (action: Action, ok: boolean) => void
  readonly rules: Rules
  readonly limits: Readonly<Record<keyof typeof AgentLimits, number>>
  readonly logger: Logger
  readonly nowMs: () => number
}

/**
 * The loop around `decide`: gathers what can be seen, decides, does the one thing that was decided,
 * and looks again. Slow answers come in beside it, so that no question holds up a decision.
 */
export class Driver {
  readonly #options: DriverOptions
  readonly #sightings: Sightings
  #state: AgentState
  #decision: Decision | null = null
  #observation: Observation | null = null
  #prestopAtMs: number | null = null
  #sigtermAtMs: number | null = null
  #waiting: (() => void)[] = []
  #wake: () => void = () => {}
  #stopped = false
  #lastReason = ''

  constructor(options: DriverOptions) {
    this.#options = options
    this.#state = initialState(options.nowMs())
    this.#sightings = new Sightings(options)
  }

  /** Of the last turn; null before the first. */
  get decision(): Decision | null {
    return this.#decision
  }

  get observation(): Observation | null {
    return this.#observation
  }

  /** Runs until the pod ends: resolves after SIGTERM, when nothing is left to do. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const decision = await this.#turn()
      if (decision.exit) break
      if (decision.action.kind === 'none') await this.#pause()
    }
    for (const done of this.#waiting.splice(0)) done()
  }

  /** The container is about to be stopped. Resolves when it may be, or when that was called off. */
  prestop(): Promise<void> {
    const before = this.#prestopAtMs
    // Calls of one stop are one: the kubelet repeats a hook whose connection broke.
    if (this.#waiting.length === 0 || before === null) this.#prestopAtMs = this.#options.nowMs()
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#wake()
    })
  }

  sigterm(): void {
    this.#sigtermAtMs ??= this.#options.nowMs()
    this.#wake()
  }

  /** Ends the loop without any goodbye, for tests. */
  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const { turnMs, turnMsIdle } = this.#options.limits
      const timer = setTimeout(resolve, this.#isSettled() ? turnMsIdle : turnMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #turn(): Promise<Decision> {
    const { rules, engine, decided } = this.#options
    const observation = await this.#observe()
    const decision = decide(observation, this.#state, rules, engine.policy)
    this.#state = decision.state
    this.#decision = decision
    this.#observation = observation
    this.#tell(decision)
    this.#options.store?.want(decision.wants, this.#isSettled())
    decided(decision, observation)
    if (decision.prestopDone) {
      this.#prestopAtMs = this.#state.drain === null ? null : this.#prestopAtMs
      for (const done of this.#waiting.splice(0)) done()
    }
    if (decision.action.kind !== 'none' && !decision.exit) await this.#act(decision, observation)
    return decision
  }

  async #observe(): Promise<Observation> {
    const { self, pipe, published, incarnation, lease, store, nowMs } = this.#options
    const asking = pipe.look()
    const seen = await this.#sightings.look({
      asking,
      draining: this.#state.drain !== null,
      settled: this.#isSettled(),
    })
    return {
      nowMs: nowMs(),
      self,
      ...seen,
      asking,
      prestopAtMs: this.#prestopAtMs,
      sigtermAtMs: this.#sigtermAtMs,
      published: published(),
      incarnation,
      lease: lease(),
      cluster: store?.facts ?? null,
      treeReadAtMs: store?.readAtMs ?? null,
    }
  }

  /** True while a member of a formed cluster serves: nothing is in the making. */
  #isSettled(): boolean {
    if (this.#state.drain !== null || this.#decision?.publication?.enabled !== true) return false
    if (this.#options.store !== null) {
      return this.#decision.wants.locks.every((lock) => lock === 'election')
    }
    const record = this.#observation?.record
    return record?.kind === 'ok' && record.value.record.phase === 'formed'
  }

  #tell({ reason, action, state }: Decision): void {
    if (reason === this.#lastReason) return
    this.#lastReason = reason
    const { logger, cluster } = this.#options
    logger.info({ phase: state.phase, action: action.kind }, reason)
    const refusal = refusalOf(reason)
    if (refusal !== null) void cluster.event('Warning', refusal, reason)
  }

  async #act({ action, reason }: Decision, observation: Observation): Promise<void> {
    const { logger, acted, nowMs, rules } = this.#options
    let ok = false
    try {
      ok = await this.#perform(action, observation, reason)
    } catch (error) {
      // Whatever failed shows in the next observation, and is decided upon again.
      logger.warn({ action: action.kind, reason: messageOf(error) }, 'an action failed')
    }
    acted(action, ok)
    this.#state = settle(this.#state, action, { ok, atMs: nowMs() }, rules.retryMs)
  }

  async #perform(action: Action, observation: Observation, reason: string): Promise<boolean> {
    const { disk, cluster, engine } = this.#options
    switch (action.kind) {
      case 'none':
        return true
      case 'permit':
        return await this.#permit(action.mode, observation, reason)
      case 'writeFounding':
        disk.writeFounding(randomBytes(8).toString('hex'))
        return true
      case 'moveAside':
        void cluster.event('Warning', 'DataMovedAside', reason)
        disk.moveAside()
        return true
      case 'writeRecord': {
        const written = await cluster.writeRecord(action.record, action.version)
        await this.#sightings.readRecord()
        return written
      }
      case 'verify':
        await this.#sightings.readStatefulSet()
        return true
      case 'markDeparted':
        if (observation.disk.kind === 'member') {
          disk.markDeparted(observation.disk.incarnation, new Date().toISOString())
        }
        return true
      case 'clearDeparted':
        disk.clearDeparted()
        return true
      case 'handOver':
        await engine.drain(action.to)
        return true
      case 'remove':
      case 'readmit':
      case 'bootstrap':
      case 'join':
      case 'rejoin':
      case 'command':
        await this.#operate(action, observation, reason)
        this.#sightings.engineChanged()
        return true
      default:
        await this.#change(action, reason)
        return true
    }
  }

  async #permit(mode: StartMode, observation: Observation, reason: string): Promise<boolean> {
    const { engine, pipe, cluster } = this.#options
    await engine.prepare?.(mode, observation)
    const line = engine.permitLine(mode, observation)
    if (mode === 'bootstrap') this.#fence('bootstrap').check()
    const given = pipe.grant(line)
    if (given) void cluster.event('Normal', 'StartPermitted', `${mode}: ${reason}`)
    return given
  }

  /** What the engine's own code does to the cluster. */
  async #operate(action: Operation, observation: Observation, reason: string): Promise<void> {
    const { engine, cluster } = this.#options
    const call = (fence: Fence): EngineCall => ({ observation, fence })
    switch (action.kind) {
      case 'remove':
        await engine.leave(action.name, call(this.#fence('reconfig')))
        void cluster.event('Normal', 'MemberRemoved', `${action.name}: ${reason}`)
        return
      case 'readmit':
      case 'join':
      case 'rejoin': {
        const taken = await engine.join?.(call(this.#fence('reconfig')))
        const told = action.kind === 'join' ? 'MemberJoined' : 'MemberReadmitted'
        if (taken) void cluster.event('Normal', told, reason)
        if (action.kind !== 'rejoin') return
        await this.#change({ kind: 'unbury', pod: observation.self.pod }, reason)
        return
      }
      case 'bootstrap':
        await engine.bootstrap?.(call(this.#fence('bootstrap')))
        void cluster.event('Normal', 'ClusterFormed', reason)
        return
      case 'command': {
        const fence = action.lock === null ? UNFENCED : this.#fence(action.lock)
        await engine.perform?.(action.name, action.args, call(fence))
        if (action.event !== undefined) void cluster.event('Warning', action.event, reason)
        return
      }
    }
  }

  /** A change of the tree; the next decision sees what came of it, also when its answer was lost. */
  async #change(action: TreeAction, reason: string): Promise<void> {
    const { store, cluster } = this.#options
    try {
      await store?.perform(action)
    } catch (error) {
      const fatal = error instanceof AgentError && error.code === 'CLUSTER_MISMATCH'
      if (fatal) void cluster.event('Warning', 'ClusterMismatch', error.message)
      throw error
    } finally {
      await store?.refresh()
    }
    if (action.kind === 'initialize') void cluster.event('Normal', 'ClusterInitialized', reason)
  }

  #fence(lock: LockName): Fence {
    return this.#options.store?.fence(lock) ?? UNFENCED
  }
}

type Operation = Extract<
  Action,
  { readonly kind: 'remove' | 'readmit' | 'bootstrap' | 'join' | 'rejoin' | 'command' }
>
