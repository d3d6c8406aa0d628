import type { LogIndex, PeerId, Zxid } from '../core/brand.ts'
import { StateMachine } from '../core/machine/state-machine.ts'
import type { SnapshotMeta } from '../core/raft/message.ts'
import type { Raft } from '../core/raft/raft.ts'
import type { RaftInput } from '../core/raft/step.ts'
import type { Distribution } from '../measure.ts'
import type { OpenedStorage, SnapshotFile, StorageFault } from '../storage/storage.ts'
import type { Transport } from '../transport/transport.ts'
import type { Applier } from './applier.ts'
import type { Counters } from './counters.ts'
import type { Durability } from './durability.ts'
import type { Environment } from './environment.ts'
import type { ReplicaLimits } from './replica-options.ts'
import { loadSnapshot, Snapshots } from './snapshots.ts'

type SnapshotDone = (refusal: string | null, index: number) => void

export interface SnapshotDutyOptions {
  readonly environment: Environment
  readonly storage: OpenedStorage
  readonly transport: Transport
  readonly limits: ReplicaLimits
  readonly counters: Counters
  readonly snapshotMs: Distribution
  readonly applier: Applier
  readonly durability: Durability
  readonly raft: () => Raft
  readonly step: (input: RaftInput) => void
  /** A received snapshot begins to replace the log: Raft is not stepped from here on. */
  readonly onInstalling: () => void
  /** It has replaced the log and the machine; Raft is told next. */
  readonly onInstalled: () => void
  readonly onFault: (fault: StorageFault) => void
}

/** When a snapshot is taken and what goes with it; who is sent one; and installing a leader's. */
export class SnapshotDuty {
  readonly files: Snapshots
  readonly #options: SnapshotDutyOptions
  /** Covered by the newest snapshot of this server. */
  #index: LogIndex
  /** Of the newest snapshot, and of the one that is being written. */
  #zxid: Zxid
  #beganZxid: Zxid = 0
  /** By the wall clock; -1: by a process before this one. */
  #takenAtMs = -1
  #requestsSince = 0
  #bytesSince = 0
  #callers: SnapshotDone[] = []
  #installing = false
  #beganMs = 0
  #closed = false

  constructor(options: SnapshotDutyOptions) {
    const { environment, storage, transport, limits } = options
    this.#options = options
    this.#index = storage.restored.snapshot.index
    this.#zxid = options.applier.machine.lastZxid
    this.files = new Snapshots({
      environment,
      storage,
      transport,
      limits: {
        snapshotSliceRecords: limits.snapshotSliceRecords,
        snapshotChunkBytes: limits.snapshotChunkBytes,
        snapshotWindowBytes: limits.snapshotWindowBytes,
        streamTimeoutMs: 4 * limits.electionTicks * limits.tickMs,
      },
      events: {
        taken: (file) => this.#taken(file),
        received: (from, file) => this.#received(from, file),
        delivered: (peer, index) => options.step({ kind: 'snapshotDelivered', peer, index }),
        streamFailed: (to) => options.step({ kind: 'snapshotFailed', peer: to }),
        fault: (fault) => this.#fault(fault),
      },
    })
  }

  /** While an installed snapshot replaces the log on disk, Raft is not stepped. */
  get installing(): boolean {
    return this.#installing
  }

  get index(): LogIndex {
    return this.#index
  }

  get zxid(): Zxid {
    return this.#zxid
  }

  get takenAtMs(): number {
    return this.#takenAtMs
  }

  get bytes(): number {
    return this.#options.storage.snapshots.newest?.bytes ?? 0
  }

  /** What the next snapshot will spare a restart to replay. */
  applied(bytes: number, requests: number): void {
    this.#bytesSince += bytes
    this.#requestsSince += requests
  }

  /** Takes a snapshot when enough was applied since the last one. */
  consider(): void {
    const { snapshotRequests, snapshotLogBytes } = this.#options.limits
    const due = this.#requestsSince >= snapshotRequests || this.#bytesSince >= snapshotLogBytes
    if (due) this.#begin()
  }

  #begin(): void {
    if (this.files.taking || this.#installing) return
    const { applier } = this.#options
    const { position } = applier
    if (position.index === 0 || position.index === this.#index) return
    this.#requestsSince = 0
    this.#bytesSince = 0
    this.#beganMs = this.#options.environment.nowMs()
    this.#beganZxid = applier.machine.lastZxid
    this.files.take(applier.machine, position)
  }

  /** An operator's wish; `done` gets null and the index when a snapshot reaches the present. */
  take(done: SnapshotDone): void {
    const { appliedIndex } = this.#options.applier.machine
    if (appliedIndex === 0) return done('empty', 0)
    if (appliedIndex === this.#index) return done(null, this.#index)
    this.#callers.push(done)
    this.#begin()
  }

  #taken(file: SnapshotFile): void {
    const { counters, environment, snapshotMs, storage, limits, step } = this.#options
    counters.snapshotsTaken += 1
    snapshotMs.note(environment.nowMs() - this.#beganMs)
    this.#index = file.meta.index
    this.#zxid = this.#beganZxid
    this.#takenAtMs = environment.wallClockMs()
    storage.log.release(file.meta.index)
    const keepFrom = file.meta.index + 1 - limits.logRetainedEntries
    if (keepFrom > 1) step({ kind: 'compact', keepFrom })
    for (const done of this.#takeCallers()) done(null, file.meta.index)
  }

  #fault(fault: StorageFault): void {
    for (const done of this.#takeCallers()) done(fault.code, 0)
    if (fault.code !== 'DISK_FULL') return this.#options.onFault(fault)
    this.#options.environment.log('error', 'no space for a snapshot', { ...fault })
  }

  #takeCallers(): readonly SnapshotDone[] {
    const callers = this.#callers
    this.#callers = []
    return callers
  }

  /** Raft's wish that a follower gets a snapshot from `index` on. */
  send(to: PeerId, index: LogIndex): void {
    const { counters, raft } = this.#options
    counters.snapshotsSent += 1
    if (!this.files.send(to, index, raft().term)) this.#begin()
  }

  /** A leader's snapshot lies verified in the store: it becomes this server's state and log. */
  #received(from: PeerId, file: SnapshotFile): void {
    const { storage, environment, raft, step } = this.#options
    const { meta } = file
    if (this.#closed || this.#installing) return
    if (meta.index <= raft().commitIndex) {
      step({ kind: 'snapshotInstalled', from, meta })
      return
    }
    const loaded = loadSnapshot(storage.snapshots, file)
    if ('refusal' in loaded) {
      environment.log('error', 'a received snapshot does not load', {
        index: meta.index,
        refusal: loaded.refusal,
      })
      return
    }
    this.#install(from, meta, loaded.machine)
  }

  #install(from: PeerId, meta: SnapshotMeta, machine: StateMachine): void {
    const { storage, durability, applier, counters, environment, step } = this.#options
    this.#installing = true
    this.#options.onInstalling()
    storage.log.resetTo(meta, durability.hardState, () => {
      if (this.#closed) return
      this.#installing = false
      durability.dropHeld()
      counters.snapshotsInstalled += 1
      applier.replace(machine, meta)
      this.#requestsSince = 0
      this.#bytesSince = 0
      this.#options.onInstalled()
      this.#index = meta.index
      this.#zxid = machine.lastZxid
      this.#takenAtMs = environment.wallClockMs()
      step({ kind: 'snapshotInstalled', from, meta })
    })
  }

  close(): void {
    this.#closed = true
    this.files.close()
  }
}

/** The state machine as the newest snapshot on disk has it; an unreadable one is a programmer error. */
export function restoredMachine(storage: OpenedStorage): StateMachine {
  const file = storage.snapshotFile
  if (file === null) return new StateMachine()
  const loaded = loadSnapshot(storage.snapshots, file)
  if ('machine' in loaded) return loaded.machine
  throw new Error(`snapshot ${file.meta.index}: ${loaded.refusal}`)
}
