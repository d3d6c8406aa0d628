import type { PeerId } from '../core/brand.ts'
import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Entry, Envelope, HardState } from '../core/raft/message.ts'
import type { Raft } from '../core/raft/raft.ts'
import type { RaftInput } from '../core/raft/step.ts'
import { WatchTable } from '../core/watch/watch-table.ts'
import type { Transport } from '../transport/transport.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'
import { Applier } from './applier.ts'
import { Barriers } from './barriers.ts'
import { ClusterIdentity } from './cluster-identity.ts'
import { type Counters, noMeasures, zeroCounters } from './counters.ts'
import { Durability } from './durability.ts'
import type { Ensemble, EnsembleHooks, Measures } from './ensemble.ts'
import { LeaderDuties } from './leader-duties.ts'
import { Membership } from './membership.ts'
import { Proposals } from './proposals.ts'
import { QuotaWarnings } from './quota-warnings.ts'
import { Readiness } from './readiness.ts'
import { ReconfigRequests } from './reconfig-requests.ts'
import { Reconfiguration } from './reconfiguration.ts'
import { CLUSTER_VERSION_MAX, type ReplicaOptions } from './replica-options.ts'
import { Retirement } from './retirement.ts'
import { SessionDuty } from './session-duty.ts'
import { restoredMachine, SnapshotDuty } from './snapshot-duty.ts'
import { Submissions } from './submissions.ts'

/** The loop as its rooms see it: what they ask of it, and what they tell it. */
export interface Loop {
  readonly raft: () => Raft
  readonly hooks: () => EnsembleHooks
  /** An input for the next step of Raft. */
  readonly step: (input: RaftInput) => void
  readonly scheduleTurn: () => void
  /** The next token for a Raft proposal. */
  readonly token: () => number
  readonly submit: Ensemble['submit']
  readonly frame: (from: PeerId, frame: PeerFrame) => void
  readonly linkUp: () => void
  readonly linkDown: (peer: PeerId) => void
  /** A cluster was founded: Raft begins anew with this. */
  readonly founded: (hardState: HardState, entry: Entry) => void
  /** A received snapshot begins to replace the log: Raft is not stepped until `installed`. */
  readonly installing: () => void
  readonly installed: () => void
}

/** The parts of a replica, each with its own job, made known to each other. */
export class Rooms {
  readonly watches = new WatchTable()
  readonly counters: Counters = zeroCounters()
  readonly measures: Measures = noMeasures()
  readonly transport: Transport
  readonly identity: ClusterIdentity
  readonly barriers: Barriers
  readonly submissions: Submissions
  readonly durability: Durability
  readonly sessions: SessionDuty
  readonly applier: Applier
  readonly membership: Membership
  readonly proposals: Proposals
  readonly snapshots: SnapshotDuty
  readonly reconfiguration: Reconfiguration
  readonly reconfigRequests: ReconfigRequests
  readonly duties: LeaderDuties
  readonly readiness: Readiness
  readonly #options: ReplicaOptions
  readonly #loop: Loop

  constructor(options: ReplicaOptions, origin: number, loop: Loop) {
    const { environment, storage, limits } = options
    this.#options = options
    this.#loop = loop
    this.barriers = new Barriers(1 + Math.floor(environment.random() * 2 ** 48))
    this.submissions = new Submissions(origin, {
      batchBytesMax: limits.appendBytesMax,
      pendingRequestsMax: limits.pendingRequestsMax,
      pendingBytesMax: limits.pendingBytesMax,
    })
    const machine = restoredMachine(storage)
    const hello: Hello = {
      name: storage.identity.name,
      id: storage.identity.id,
      clusterId: storage.identity.clusterId,
      ...options.addresses,
      versionMax: CLUSTER_VERSION_MAX,
    }
    this.transport = options.transport(loop, hello)
    this.durability = this.#openDurability()
    this.identity = new ClusterIdentity({
      environment,
      storage,
      transport: this.transport,
      durability: this.durability,
      hello,
      onFault: options.onFault,
      onFounded: loop.founded,
    })
    this.sessions = this.#openSessions()
    this.applier = this.#openApplier(machine)
    this.membership = this.#openMembership()
    this.proposals = this.#openProposals()
    this.snapshots = this.#openSnapshots()
    this.reconfiguration = this.#openReconfiguration()
    this.reconfigRequests = this.#openReconfigRequests(origin)
    this.duties = new LeaderDuties({
      environment,
      limits,
      transport: this.transport,
      sessions: this.sessions,
      membership: this.membership,
      machine: () => this.applier.machine,
      members: () => this.applier.position.members,
      reconfiguration: this.reconfiguration,
      submit: loop.submit,
    })
    this.readiness = new Readiness(limits.promotionLagEntries)
  }

  sendAll(envelopes: readonly Envelope[]): void {
    for (const { to, message } of envelopes) this.transport.send(to, { kind: 'raft', message })
  }

  #openDurability(): Durability {
    const { log, restored } = this.#options.storage
    return new Durability(log, restored.hardState, {
      send: (messages) => this.sendAll(messages),
      durable: (last) => {
        this.counters.fsyncs += 1
        if (last === null) return
        this.#loop.step({ kind: 'persisted', index: last.index, term: last.term })
      },
    })
  }

  #openSessions(): SessionDuty {
    const { environment, limits } = this.#options
    return new SessionDuty({
      environment,
      transport: this.transport,
      machine: () => this.applier.machine,
      leading: this.#loop.raft,
      tickMs: limits.tickMs,
      electionMs: limits.electionTicks * limits.tickMs,
    })
  }

  #openApplier(machine: StateMachine): Applier {
    const { storage, onApplied } = this.#options
    const warnings = new QuotaWarnings(this.#options.environment)
    return new Applier({
      machine,
      snapshot: storage.restored.snapshot,
      watches: this.watches,
      counters: this.counters,
      watchesFired: this.measures.watchesFired,
      submissions: this.submissions,
      sessions: this.sessions,
      hooks: this.#loop.hooks,
      leads: () => this.#loop.raft().isLeader,
      events: {
        batchApplied: (bytes, timeMs, requests) => {
          this.proposals.applied(bytes, timeMs)
          const { environment } = this.#options
          this.measures.propagationMs.note(Math.max(0, environment.wallClockMs() - timeMs))
          this.snapshots.applied(bytes, requests)
        },
        entryApplied: (entry, results) => {
          this.membership.applied(entry)
          if (this.#loop.raft().isLeader) warnings.applied(results)
          onApplied?.(entry, results)
        },
      },
    })
  }

  #openMembership(): Membership {
    const { environment, forming, limits, reconfigEnabled } = this.#options
    const { raft, step, token } = this.#loop
    return new Membership({
      environment,
      forming,
      listBinds: forming.kind === 'static' && reconfigEnabled !== true,
      transport: this.transport,
      retirement: new Retirement({
        machine: () => this.applier.machine,
        submit: this.#loop.submit,
        serversMax: limits.retiredServersMax,
      }),
      electionTicks: limits.electionTicks,
      promotionLagEntries: limits.promotionLagEntries,
      outcomeMsMax: 4 * limits.electionTicks * limits.tickMs,
      versionNeeded: () => this.duties.versionNeeded,
      status: () => raft().status(),
      step,
      token,
      bootstrap: () => this.identity.found(),
      adopt: (clusterId) => this.identity.adopt(clusterId),
    })
  }

  #openReconfiguration(): Reconfiguration {
    const { environment, limits, reconfigEnabled } = this.#options
    const { raft, submit } = this.#loop
    return new Reconfiguration({
      environment,
      enabled: reconfigEnabled === true,
      machine: () => this.applier.machine,
      members: () => this.applier.position.members,
      status: () => raft().status(),
      links: () => this.transport.links(),
      membership: this.membership,
      submit: (operation, done) =>
        submit({ session: 0, connection: 0, identities: [], operation }, done),
      electionTicks: limits.electionTicks,
      withinMs: limits.reconfigMsMax,
    })
  }

  #openReconfigRequests(origin: number): ReconfigRequests {
    const { environment, limits } = this.#options
    const { raft } = this.#loop
    return new ReconfigRequests({
      environment,
      transport: this.transport,
      reconfiguration: this.reconfiguration,
      leader: () => raft().leader,
      isLeader: () => raft().isLeader,
      clusterVersion: () => this.applier.machine.clusterVersion,
      origin,
      withinMs: 2 * limits.reconfigMsMax,
    })
  }

  #openProposals(): Proposals {
    const { environment, limits, enforcesQuotas } = this.#options
    const { raft, token, scheduleTurn } = this.#loop
    return new Proposals({
      environment,
      transport: this.transport,
      submissions: this.submissions,
      counters: this.counters,
      proposalBytes: this.measures.proposalBytes,
      uncommittedBytesMax: limits.uncommittedBytesMax,
      enforcesQuotas: () =>
        enforcesQuotas === true && this.applier.machine.clusterVersion >= SINCE_VERSION.quotas,
      raft,
      token,
      scheduleTurn,
    })
  }

  #openSnapshots(): SnapshotDuty {
    const { environment, storage, limits, onFault } = this.#options
    const { raft, step, installing, installed } = this.#loop
    return new SnapshotDuty({
      environment,
      storage,
      transport: this.transport,
      limits,
      counters: this.counters,
      snapshotMs: this.measures.snapshotMs,
      applier: this.applier,
      durability: this.durability,
      raft,
      step,
      onInstalling: installing,
      onInstalled: installed,
      onFault,
    })
  }
}
