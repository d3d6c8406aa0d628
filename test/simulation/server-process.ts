import type { RequestResult } from '../../server/core/machine/operation.ts'
import { RaftInvariants } from '../../server/core/raft/invariants.ts'
import type { Entry } from '../../server/core/raft/message.ts'
import type { RaftInspection } from '../../server/core/raft/raft.ts'
import type { Environment } from '../../server/ensemble/environment.ts'
import type { Forming } from '../../server/ensemble/joining.ts'
import { Replica, type ReplicaLimits } from '../../server/ensemble/replica.ts'
import { DIGEST_ALONE } from '../../server/listener/authentication.ts'
import { ClientRegistry } from '../../server/listener/client-registry.ts'
import { ClientConnection } from '../../server/listener/connection.ts'
import { ServerStats } from '../../server/listener/server-stats.ts'
import { SessionThrottle, UNTHROTTLED } from '../../server/listener/session-throttle.ts'
import { openStorage } from '../../server/storage/open-storage.ts'
import { SimulatedFileSystem } from '../support/simulated-file-system.ts'
import { type Endpoint, type Network, SimulatedTransport } from './network.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

const SESSION_MS_MIN = 2_000
const SESSION_MS_MAX = 6_000

export interface ProcessWorld {
  readonly scheduler: Scheduler
  readonly network: Network
  readonly limits: ReplicaLimits
  readonly forming: Forming
  readonly segmentBytes: number
  /** Slowness of the disks, ms at most. */
  readonly diskMsMax: number
  applied(server: ServerProcess, entry: Entry, results: readonly RequestResult[]): void
  stepped(server: ServerProcess, now: RaftInspection): void
  fault(server: ServerProcess, text: string): void
  trace(text: string): void
}

/** One server: its disk, which lasts, and its process, which comes and goes. */
export class ServerProcess implements Endpoint {
  readonly name: string
  readonly address: string
  readonly observer: boolean
  readonly #world: ProcessWorld
  readonly #random: Random
  #disk: SimulatedFileSystem
  #generation = 0
  #alive = false
  #paused = false
  #deferred: (() => void)[] = []
  #clockSkewMs = 0
  #invariants = new RaftInvariants()
  replica: Replica | null = null
  registry: ClientRegistry | null = null
  transport: SimulatedTransport | null = null
  #stats = new ServerStats()
  /** The disk was damaged since the last start: it may be refused then. */
  #rotten = false

  constructor(world: ProcessWorld, name: string, observer: boolean, random: Random) {
    this.#world = world
    this.name = name
    this.observer = observer
    this.address = `host-${name}:2888`
    this.#random = random
    this.#disk = this.#newDisk()
  }

  #newDisk(): SimulatedFileSystem {
    return new SimulatedFileSystem({
      schedule: (delayMs, call) => {
        const generation = this.#generation
        this.#world.scheduler.after(delayMs, () => {
          if (generation === this.#generation) this.run(call)
        })
      },
      latencyMs: (operation) =>
        operation === 'sync'
          ? this.#random.between(0.2, this.#world.diskMsMax)
          : this.#random.between(0.01, 0.1),
    })
  }

  get alive(): boolean {
    return this.#alive
  }

  get paused(): boolean {
    return this.#paused
  }

  run(call: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#deferred.push(call)
    else call()
  }

  #environment(generation: number): Environment {
    const { scheduler } = this.#world
    const guarded = (call: () => void) => () => {
      if (generation === this.#generation) this.run(call)
    }
    return {
      nowMs: () => scheduler.nowMs,
      wallClockMs: () => 1_700_000_000_000 + scheduler.nowMs + this.#clockSkewMs,
      random: this.#random.unit,
      randomBytes: (count) =>
        Uint8Array.from({ length: count }, () => Math.floor(this.#random.unit() * 256)),
      after: (ms, call) => {
        let cancelled = false
        scheduler.after(
          ms,
          guarded(() => {
            if (!cancelled) call()
          }),
        )
        return () => {
          cancelled = true
        }
      },
      endOfTurn: (call) => scheduler.after(0.02, guarded(call)),
      log: (level, message, fields) => {
        if (level === 'debug') return
        this.#world.trace(`${this.name} ${message} ${JSON.stringify(fields ?? {})}`)
      },
    }
  }

  start(): void {
    this.#generation += 1
    this.#alive = true
    this.#paused = false
    this.#deferred = []
    this.#invariants = new RaftInvariants()
    const generation = this.#generation
    const environment = this.#environment(generation)
    const storage = openStorage({
      fileSystem: this.#disk,
      directory: `/data-${this.name}`,
      name: this.name,
      newId: () =>
        Array.from({ length: 16 }, () => this.#random.integer(0, 15).toString(16)).join(''),
      random: this.#random.unit,
      schedule: (delayMs, call) => void environment.after(delayMs, call),
      endOfTurn: (call) => environment.after(0, call),
      segmentBytes: this.#world.segmentBytes,
      snapshotsKept: 3,
      onFault: (fault) => this.#world.fault(this, `${fault.code} ${fault.detail}`),
    })
    if ('code' in storage) {
      if (this.#disk.capacityBytes === 0) return this.#startLater(storage.detail)
      if (this.#rotten) return this.#replaceDisk(`${storage.code} ${storage.detail}`)
      throw new Error(`server ${this.name} cannot open its disk: ${storage.code} ${storage.detail}`)
    }
    this.#rotten = false
    for (const note of storage.notes) this.#world.trace(`${this.name} disk: ${note}`)
    this.replica = new Replica({
      environment,
      storage,
      transport: (events, hello) => {
        this.transport = new SimulatedTransport(
          this.#world.network,
          this.#lifeOf(generation),
          events,
          hello,
        )
        return this.transport
      },
      addresses: {
        peerAddress: this.address,
        clientAddress: `host-${this.name}:2181`,
        httpAddress: '',
        observer: this.observer,
      },
      forming: this.#world.forming,
      enforcesQuotas: true,
      limits: this.#world.limits,
      onFault: (fault) => this.#world.fault(this, fault.code),
      onApplied: (entry, results) => this.#world.applied(this, entry, results),
      onStep: (raft) => {
        this.#world.stepped(this, this.#invariants.check(raft))
      },
    })
    this.registry = new ClientRegistry(this.replica)
    this.replica.setHooks(this.registry)
    this.#stats = new ServerStats()
    this.replica.start()
    this.#world.trace(`${this.name} started`)
  }

  /** This life of the process: what is sent to it does not reach the next. */
  #lifeOf(generation: number): Endpoint {
    const isCurrent = () => this.#alive && generation === this.#generation
    return {
      address: this.address,
      get alive() {
        return isCurrent()
      },
      run: (call) => {
        if (isCurrent()) this.run(call)
      },
    }
  }

  /** kill -9, and what a power cut does to the disk when `powerCut`. */
  kill(powerCut: boolean): void {
    if (!this.#alive) return
    this.#alive = false
    this.#generation += 1
    this.#deferred = []
    this.replica = null
    this.registry = null
    if (powerCut) this.#disk.crash(this.#random.unit)
    else this.#disk.kill()
    this.#world.trace(`${this.name} killed${powerCut ? ', power cut' : ''}`)
  }

  /** A new, empty disk: the server comes back as another incarnation. */
  wipe(): void {
    this.#disk = this.#newDisk()
    this.#rotten = false
    this.#world.trace(`${this.name} wiped`)
  }

  /** Flips one bit somewhere on the disk of a process that is down. */
  rot(): void {
    const directory = `/data-${this.name}`
    const paths = this.#disk.list(directory).map((name) => `${directory}/${name}`)
    const path = this.#random.pick(paths)
    const size = this.#disk.size(path)
    if (size === 0) return
    const offset = this.#random.integer(0, size - 1)
    this.#disk.flip(path, offset, 1 << this.#random.integer(0, 7))
    this.#rotten = true
    this.#world.trace(`${this.name} has rot in ${path} at ${offset}`)
  }

  /** A supervisor starts again what ended at once. */
  #startLater(why: string): void {
    this.#world.trace(`${this.name} cannot start: ${why}`)
    this.#alive = false
    this.#world.scheduler.after(500, () => {
      if (!this.#alive) this.start()
    })
  }

  /** What an operator does when a server refuses its damaged disk. */
  #replaceDisk(why: string): void {
    this.#world.trace(`${this.name} refuses its disk: ${why}`)
    this.#alive = false
    this.wipe()
    this.start()
  }

  /** No file can grow any more. */
  fillDisk(): void {
    this.#disk.capacityBytes = 0
    this.#world.trace(`${this.name} has a full disk`)
  }

  freeDisk(): void {
    this.#disk.capacityBytes = Number.POSITIVE_INFINITY
  }

  pause(): void {
    this.#paused = true
    this.#world.trace(`${this.name} paused`)
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#world.trace(`${this.name} resumed`)
    const deferred = this.#deferred
    this.#deferred = []
    for (const call of deferred) this.run(call)
  }

  skewClock(ms: number): void {
    this.#clockSkewMs += ms
  }

  /** A client's connection; `toClient` gets what the server writes, and null at its end. */
  accept(address: string, toClient: (bytes: Uint8Array | null) => void): ClientConnection | null {
    const { replica, registry } = this
    if (!this.#alive || replica === null || registry === null) return null
    const connection: ClientConnection = new ClientConnection({
      ensemble: replica,
      registry,
      environment: this.#environment(this.#generation),
      stats: this.#stats,
      address,
      throttle: new SessionThrottle(UNTHROTTLED, this.#environment(this.#generation), this.#stats),
      authenticator: DIGEST_ALONE,
      sessionTimeoutMsMin: SESSION_MS_MIN,
      sessionTimeoutMsMax: SESSION_MS_MAX,
      frameBytesMax: 1_048_575,
      outputBytesMax: 16 * 1024 * 1024,
      replyWindowBytes: 1024 * 1024,
      requestsPerTurnMax: 64,
      outstandingMax: 1000,
      watchesMax: 100_000,
      linearizableReads: false,
      output: {
        write: (bytes) => {
          connection.written(bytes.length)
          toClient(bytes)
        },
        close: () => toClient(null),
        setReading: () => {},
      },
    })
    return connection
  }
}
