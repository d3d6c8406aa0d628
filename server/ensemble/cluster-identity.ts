import type { Entry, HardState, Member } from '../core/raft/message.ts'
import type { OpenedStorage, StorageFault } from '../storage/storage.ts'
import type { Transport } from '../transport/transport.ts'
import type { Hello } from '../wire/peer-frame.ts'
import type { Durability } from './durability.ts'
import type { Environment } from './environment.ts'
import { memberOf } from './joining.ts'

export interface ClusterIdentityOptions {
  readonly environment: Environment
  readonly storage: OpenedStorage
  readonly transport: Transport
  readonly durability: Durability
  readonly hello: Hello
  /** The founding entry is durable: Raft begins anew with it. */
  readonly onFault: (fault: StorageFault) => void
  readonly onFounded: (hardState: HardState, entry: Entry) => void
}

/** Who this server is and which cluster it belongs to; it founds one or takes over another's id. */
export class ClusterIdentity {
  readonly #options: ClusterIdentityOptions
  #hello: Hello
  #founding = false

  constructor(options: ClusterIdentityOptions) {
    this.#options = options
    this.#hello = options.hello
  }

  /** How this server introduces itself now. */
  get hello(): Hello {
    return this.#hello
  }

  /** A disk without a cluster takes entries from nobody: it joins first. */
  get belongs(): boolean {
    return this.#hello.clusterId !== ''
  }

  /** True while the founding entry is on its way to the disk. */
  get founding(): boolean {
    return this.#founding
  }

  /**
   * The cluster's id is its founder's incarnation. So a founder that died between taking the id and
   * writing the first entry knows itself again, and nobody else can take its place.
   */
  get hasUnfinishedFounding(): boolean {
    const { storage } = this.#options
    return storage.empty && storage.identity.clusterId === storage.identity.id
  }

  /** Founds a cluster of this server alone. */
  found(): void {
    const { storage, durability, environment } = this.#options
    const { id } = storage.identity
    if (!this.#take(id)) return
    this.#founding = true
    this.#introduce(id)
    const members: readonly Member[] = [memberOf(this.#hello, 'voter')]
    const hardState: HardState = { term: 1, votedFor: id, commit: 1 }
    const entry: Entry = { kind: 'membership', index: 1, term: 1, members }
    environment.log('info', 'founding a cluster', { clusterId: id })
    durability.found(hardState, entry, () => {
      this.#founding = false
      this.#options.onFounded(hardState, entry)
    })
  }

  /** Writes the id of the cluster that took this server in. */
  adopt(clusterId: string): void {
    if (!this.#take(clusterId)) return
    this.#introduce(clusterId)
    this.#options.environment.log('info', 'joining a cluster', { clusterId })
  }

  /** False when a full disk has no room for it: what led here is repeated, and so is this. */
  #take(clusterId: string): boolean {
    const { storage, environment, onFault } = this.#options
    const fault = storage.setClusterId(clusterId)
    if (fault === null) return true
    if (fault.code !== 'DISK_FULL') onFault(fault)
    else environment.log('warn', 'no space to note the cluster', { detail: fault.detail })
    return false
  }

  #introduce(clusterId: string): void {
    this.#hello = { ...this.#hello, clusterId }
    this.#options.transport.setHello(this.#hello)
  }
}
