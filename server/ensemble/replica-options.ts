import type { RequestResult } from '../core/machine/operation.ts'
import type { Entry } from '../core/raft/message.ts'
import type { Raft } from '../core/raft/raft.ts'
import type { OpenedStorage, StorageFault } from '../storage/storage.ts'
import type { Transport, TransportEvents } from '../transport/transport.ts'
import type { Hello } from '../wire/peer-frame.ts'
import type { ContainerLimits } from './container-duty.ts'
import type { Environment } from './environment.ts'
import type { Forming } from './joining.ts'

/** The newest clusterVersion this build can apply (design 3, Log). */
export const CLUSTER_VERSION_MAX = 3

/** The bounds of limits.ts that the ensemble uses; the simulation makes some of them tiny. */
export interface ReplicaLimits extends ContainerLimits {
  readonly tickMs: number
  readonly electionTicks: number
  readonly heartbeatTicks: number
  readonly appendBytesMax: number
  readonly inflightAppendsMax: number
  readonly inflightBytesMax: number
  readonly uncommittedBytesMax: number
  readonly pendingRequestsMax: number
  readonly pendingBytesMax: number
  readonly snapshotLogBytes: number
  readonly snapshotRequests: number
  readonly logRetainedEntries: number
  readonly snapshotSliceRecords: number
  readonly snapshotChunkBytes: number
  readonly snapshotWindowBytes: number
  readonly touchReportTicks: number
  readonly joinRetryTicks: number
  readonly promotionLagEntries: number
  readonly retiredServersMax: number
  readonly reconfigMsMax: number
}

export interface ReplicaOptions {
  readonly environment: Environment
  readonly storage: OpenedStorage
  /** Builds the transport; its events go to the replica. */
  readonly transport: (events: TransportEvents, hello: Hello) => Transport
  /** How this server introduces itself, but for the identity, which the disk holds. */
  readonly addresses: {
    readonly peerAddress: string
    readonly clientAddress: string
    readonly httpAddress: string
    readonly observer: boolean
  }
  readonly forming: Forming
  /** Voters before sessions may begin, without a static list; 1 when not given. */
  readonly expectedVoters?: number
  readonly limits: ReplicaLimits
  /** As leader: hard limits of quotas hold, and writes above any limit are logged. */
  readonly enforcesQuotas?: boolean
  /** As leader: clients of ZooKeeper may change the members. */
  readonly reconfigEnabled?: boolean
  /**
   * So long without a leader, and clients that asked for it may read here; undefined: never. Less than
   * an ordinary election takes would send them to and fro.
   */
  readonly readOnlyAfterMs?: number
  /** The disk failed, or holds what cannot be read: the process must end. */
  readonly onFault: (fault: StorageFault) => void
  /** Sees every applied entry with its results, after they were dealt out (tests, audit). */
  readonly onApplied?: (entry: Entry, results: readonly RequestResult[]) => void
  /** Sees Raft after each step (invariants in tests). */
  readonly onStep?: (raft: Raft) => void
}
