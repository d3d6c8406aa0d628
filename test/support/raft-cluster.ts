import type { LogIndex, PeerId } from '../../server/core/brand.ts'
import { EnsembleInvariants, RaftInvariants } from '../../server/core/raft/invariants.ts'
import type {
  Entry,
  Envelope,
  HardState,
  Member,
  SnapshotMeta,
} from '../../server/core/raft/message.ts'
import { Raft } from '../../server/core/raft/raft.ts'
import type { RaftInput, RaftOutput } from '../../server/core/raft/step.ts'

const ELECTION_TICKS = 10

export function member(id: PeerId, role: Member['role'] = 'voter'): Member {
  return {
    id,
    name: `name-${id}`,
    role,
    observer: false,
    peerAddress: `${id}:1`,
    clientAddress: `${id}:2`,
    httpAddress: '',
  }
}

interface Write {
  readonly hardState: HardState | null
  readonly entries: readonly Entry[]
  readonly after: readonly Envelope[]
}

/** One peer with a disk whose writes complete when the test says so. */
export class TestPeer {
  readonly id: PeerId
  raft: Raft
  invariants = new RaftInvariants()
  /** What survives a crash. */
  durable: { hardState: HardState; snapshot: SnapshotMeta; entries: Entry[] }
  /** Issued and not durable yet, in order. */
  writes: Write[] = []
  readonly applied: Entry[] = []
  readonly reads = new Map<number, LogIndex>()
  readonly refused: string[] = []
  readonly accepted: LogIndex[] = []
  readonly snapshotsWanted: { to: PeerId; index: LogIndex }[] = []
  outbox: Envelope[] = []
  readonly #random: () => number

  constructor(id: PeerId, snapshot: SnapshotMeta, random: () => number) {
    this.id = id
    this.#random = random
    this.durable = { hardState: { term: 0, votedFor: null, commit: 0 }, snapshot, entries: [] }
    this.raft = this.#recover()
  }

  #recover(abstain = false): Raft {
    return new Raft(
      {
        id: this.id,
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: 2,
        appendBytesMax: 4096,
        inflightAppendsMax: 4,
        inflightBytesMax: 65_536,
        uncommittedBytesMax: 1_000_000,
        random: this.#random,
        abstain,
      },
      { ...this.durable, entries: [...this.durable.entries] },
    )
  }

  /** Loses what was not durable. */
  restart(abstain = false): void {
    this.writes = []
    this.outbox = []
    this.applied.length = 0
    this.reads.clear()
    this.invariants = new RaftInvariants()
    this.raft = this.#recover(abstain)
  }

  step(...inputs: RaftInput[]): RaftOutput {
    const output = this.raft.step(inputs)
    this.invariants.check(this.raft)
    this.outbox.push(...output.messages)
    const { hardState, entries, messagesAfterPersist } = output
    if (hardState !== null || entries.length > 0 || this.writes.length > 0) {
      this.writes.push({ hardState, entries, after: messagesAfterPersist })
    } else {
      this.outbox.push(...messagesAfterPersist)
    }
    for (const { context, index } of output.reads) this.reads.set(context, index)
    for (const { reason } of output.refused) this.refused.push(reason)
    for (const { index } of output.accepted) this.accepted.push(index)
    this.snapshotsWanted.push(...output.snapshotsWanted)
    this.applied.push(...output.committed)
    const last = output.committed.at(-1)
    if (last !== undefined) this.step({ kind: 'applied', index: last.index })
    return output
  }

  /** Completes the oldest write. */
  persistOne(): void {
    const write = this.writes.shift()
    if (write === undefined) return
    if (write.hardState !== null) this.durable.hardState = write.hardState
    const [first] = write.entries
    if (first !== undefined) {
      const kept = this.durable.entries.filter((entry) => entry.index < first.index)
      this.durable.entries = [...kept, ...write.entries]
    }
    this.outbox.push(...write.after)
    const last = write.entries.at(-1)
    if (last !== undefined) this.step({ kind: 'persisted', index: last.index, term: last.term })
  }

  persistAll(): void {
    while (this.writes.length > 0) this.persistOne()
  }

  /** As the shell does when a streamed snapshot is durable and loaded. */
  install(from: PeerId, meta: SnapshotMeta): void {
    if (meta.index > this.raft.commitIndex) {
      this.writes = []
      this.durable = { ...this.durable, snapshot: meta, entries: [] }
      this.applied.length = 0
    }
    this.step({ kind: 'snapshotInstalled', from, meta })
  }

  /** As the shell does when a snapshot of the applied state is durable. */
  compact(): SnapshotMeta {
    const status = this.raft.status()
    const term = this.raft.inspect().termAt(status.applied) ?? 0
    const meta = { index: status.applied, term, members: status.members }
    this.durable = {
      ...this.durable,
      snapshot: meta,
      entries: this.durable.entries.filter((entry) => entry.index > meta.index),
    }
    this.step({ kind: 'compact', keepFrom: status.applied + 1 })
    return meta
  }
}

/** Peers joined by a network that the test controls message by message. */
export class TestCluster {
  readonly peers = new Map<PeerId, TestPeer>()
  readonly invariants = new EnsembleInvariants()
  readonly cut = new Set<PeerId>()
  readonly random: () => number

  constructor(members: readonly Member[], random: () => number, empty: readonly PeerId[] = []) {
    this.random = random
    const snapshot = { index: 0, term: 0, members }
    for (const { id } of members) this.peers.set(id, new TestPeer(id, snapshot, random))
    for (const id of empty) {
      this.peers.set(id, new TestPeer(id, { ...snapshot, members: [] }, random))
    }
  }

  peer(id: PeerId): TestPeer {
    const peer = this.peers.get(id)
    if (peer === undefined) throw new Error(`no peer ${id}`)
    return peer
  }

  get leader(): TestPeer | undefined {
    const leaders = [...this.peers.values()].filter(
      (peer) => peer.raft.isLeader && !this.cut.has(peer.id),
    )
    return leaders.sort((left, right) => right.raft.term - left.raft.term)[0]
  }

  check(): void {
    this.invariants.check([...this.peers.values()].map((peer) => peer.raft))
  }

  /** Persists and delivers everything until nothing is under way. */
  settle(): void {
    for (let rounds = 0; rounds < 1000; rounds += 1) {
      for (const peer of this.peers.values()) peer.persistAll()
      const envelopes = [...this.peers.values()].flatMap((peer) => peer.outbox.splice(0))
      if (envelopes.length === 0) return
      for (const envelope of envelopes) this.deliver(envelope)
      this.check()
    }
    throw new Error('the cluster does not come to rest')
  }

  deliver({ from, to, message }: Envelope): void {
    if (this.cut.has(from) || this.cut.has(to)) return
    this.peers.get(to)?.step({ kind: 'message', from, message })
  }

  tick(count = 1): void {
    for (let i = 0; i < count; i += 1) {
      for (const peer of this.peers.values()) peer.step({ kind: 'tick' })
      this.settle()
    }
  }

  /** Makes `id` the leader by an ordinary campaign. */
  elect(id: PeerId): void {
    this.peer(id).step({ kind: 'campaign' })
    this.settle()
  }

  tickUntil(what: string, condition: () => boolean, ticksMax = 500): void {
    for (let ticks = 0; ticks < ticksMax; ticks += 1) {
      if (condition()) return
      this.tick()
    }
    throw new Error(`${what}: not in ${ticksMax} ticks`)
  }
}

/** mulberry32: small, seeded, good enough for tests. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
