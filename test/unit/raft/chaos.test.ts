import { describe, expect, it } from 'vitest'
import type { Entry, Envelope } from '../../../server/core/raft/message.ts'
import { member, seeded, TestCluster } from '../../support/raft-cluster.ts'

const SEEDS = 100
const STEPS = 2000

/** Cheap, because it is asked for every entry that any peer applies. */
function sameEntry(left: Entry, right: Entry): boolean {
  const both = left.kind === 'requests' && right.kind === 'requests'
  const samePayload = !both || String(left.payload) === String(right.payload)
  return left.kind === right.kind && left.term === right.term && samePayload
}

/** A cluster of 3 to 5 under loss, reordering, duplicates, crashes, slow disks and changes. */
function run(seed: number): number {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const ids = ['a', 'b', 'c', 'd', 'e'].slice(0, 3 + Math.floor(random() * 3))
  const founding = ids.slice(0, random() < 0.5 ? ids.length : 3)
  const cluster = new TestCluster(
    founding.map((id) => member(id)),
    random,
    ids.filter((id) => !founding.includes(id)),
  )
  const network: Envelope[] = []
  /** The whole history as applied by whoever came first. */
  const history = new Map<number, Entry>()
  const acknowledged: number[] = []
  let token = 0
  const record = (entries: readonly Entry[]) => {
    for (const entry of entries) {
      const known = history.get(entry.index)
      if (known === undefined) history.set(entry.index, entry)
      else if (!sameEntry(known, entry)) expect(entry).toEqual(known)
    }
  }
  const gather = () => {
    for (const peer of cluster.peers.values()) {
      for (const envelope of peer.outbox.splice(0)) {
        if (random() < 0.03) continue
        network.push(envelope)
        if (random() < 0.03) network.push(envelope)
      }
      const applied = peer.applied.splice(0)
      record(applied)
      if (peer.raft.isLeader) acknowledged.push(...applied.map((entry) => entry.index))
    }
  }
  const act = () => {
    const peer = cluster.peer(pick(ids) ?? 'a')
    const dice = random()
    if (dice < 0.08) peer.step({ kind: 'tick' })
    else if (dice < 0.3) peer.persistOne()
    else if (dice < 0.84 && network.length > 0) {
      const position = random() < 0.9 ? 0 : Math.floor(random() * network.length)
      const [envelope] = network.splice(position, 1)
      if (envelope !== undefined) cluster.deliver(envelope)
    } else if (dice < 0.95) {
      token += 1
      const payload = new Uint8Array([seed & 255, token & 255, token >> 8])
      peer.step({ kind: 'propose', payload, token })
    } else if (dice < 0.954) peer.restart()
    else if (dice < 0.957) peer.step({ kind: 'paused' })
    else if (dice < 0.965 && peer.raft.isLeader) {
      const target = pick(peer.raft.members.filter((other) => other.role === 'voter'))
      if (target !== undefined) peer.step({ kind: 'transferLeadership', to: target.id })
    } else if (dice < 0.975 && peer.raft.isLeader) {
      token += 1
      const { members } = peer.raft
      const changed = pick(ids) ?? 'a'
      const present = members.find((other) => other.id === changed)
      const next =
        present === undefined
          ? [...members, member(changed, random() < 0.5 ? 'learner' : 'voter')]
          : present.role === 'learner'
            ? members.map((other) => (other.id === changed ? member(changed) : other))
            : members.filter((other) => other.id !== changed)
      peer.step({ kind: 'changeMembership', members: next, token })
    } else if (dice < 0.985) {
      if (peer.raft.status().applied > peer.durable.snapshot.index && peer.writes.length === 0) {
        peer.compact()
      }
    } else {
      for (const { to } of peer.snapshotsWanted.splice(0)) {
        const target = cluster.peers.get(to)
        if (target === undefined || target.writes.length > 0) continue
        target.install(peer.id, peer.durable.snapshot)
      }
    }
  }
  for (let step = 0; step < STEPS; step += 1) {
    act()
    gather()
    if (step % 10 === 0) cluster.check()
  }
  cluster.check()
  // Whatever a leader has applied is in the log of every later leader.
  for (const index of acknowledged) expect(history.has(index)).toBe(true)
  heal()
  return history.size

  /** With the faults gone a leader is found, a proposal commits, and every voter applies it. */
  function heal(): void {
    network.length = 0
    for (const peer of cluster.peers.values()) peer.outbox.length = 0
    const serveSnapshots = () => {
      for (const peer of cluster.peers.values()) {
        for (const { to } of peer.snapshotsWanted.splice(0)) {
          const target = cluster.peers.get(to)
          if (target === undefined) continue
          target.persistAll()
          target.install(peer.id, peer.durable.snapshot)
        }
      }
    }
    cluster.tickUntil('a leader that commits', () => {
      serveSnapshots()
      return cluster.leader?.raft.status().committedInTerm ?? false
    })
    token += 1
    const payload = new Uint8Array([255, 255, 255])
    cluster.leader?.step({ kind: 'propose', payload, token })
    cluster.settle()
    cluster.tickUntil('every voter has the whole log', () => {
      serveSnapshots()
      const leader = cluster.leader
      if (leader === undefined) return false
      const voters = leader.raft.members.filter((other) => other.role === 'voter')
      const { lastIndex } = leader.raft.status()
      return voters.every(({ id }) => cluster.peer(id).raft.status().applied === lastIndex)
    })
  }
}

describe('Raft under chaos', () => {
  let entries = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    it(`keeps its invariants with seed ${seed}`, () => {
      entries += run(seed)
    })
  }

  it('got work done all the while', () => {
    expect(entries / SEEDS).toBeGreaterThan(10)
  })
})
