import type { PeerId } from '../core/brand.ts'
import type { Member } from '../core/raft/message.ts'
import type { RaftStatus } from '../core/raft/step.ts'
import type { Hello, PeerFrame } from '../wire/peer-frame.ts'

/** How an ensemble comes to be, for a disk that belongs to none yet. */
export type Forming =
  /** The list of a zoo.cfg: the lowest name bootstraps when all answer and all are empty. */
  | { readonly kind: 'static'; readonly servers: readonly ListedServer[] }
  /** This server forms a cluster of one; others join it. */
  | { readonly kind: 'bootstrap' }
  /** This server joins the ensemble that answers at these peer addresses. */
  | { readonly kind: 'join'; readonly seeds: readonly string[] }

export interface ListedServer {
  readonly name: string
  readonly peerAddress: string
  readonly observer: boolean
}

/** What an empty disk should do now. */
export type FormingStep = 'bootstrap' | 'join' | 'wait'

/**
 * Decides for a server whose disk holds no cluster. With a static list exactly one server may
 * bootstrap: the one with the lowest name, and only when every listed server answers and none holds
 * a cluster's data, so that a wiped disk never founds a second cluster beside the first.
 */
export function decideForming(forming: Forming, self: Hello, links: readonly Hello[]): FormingStep {
  if (links.some((link) => link.clusterId !== '')) return 'join'
  if (forming.kind === 'bootstrap') return 'bootstrap'
  if (forming.kind === 'join') return 'wait'
  const participants = forming.servers.filter((server) => !server.observer)
  const lowest = participants.map((server) => server.name).sort(compareNames)[0]
  if (lowest !== self.name) return 'wait'
  const answering = new Set(links.map((link) => link.name))
  const allAnswer = forming.servers.every(
    (server) => server.name === self.name || answering.has(server.name),
  )
  return allAnswer ? 'bootstrap' : 'wait'
}

/**
 * Whether so many of the expected voters are in that sessions may begin (design 3, Forming): of a
 * static list a majority, else as many as the setting says.
 */
export function hasFormed(
  forming: Forming,
  members: readonly Member[],
  expectedVoters: number,
): boolean {
  const voters = members.filter((member) => member.role === 'voter').length
  if (forming.kind !== 'static') return voters >= expectedVoters
  const listed = forming.servers.filter((server) => !server.observer).length
  return voters > listed / 2
}

/** Numbers by value (myid), other names by code unit. */
export function compareNames(left: string, right: string): number {
  const byNumber = Number(left) - Number(right)
  if (!Number.isNaN(byNumber) && byNumber !== 0) return byNumber
  return left < right ? -1 : left > right ? 1 : 0
}

export function memberOf(hello: Hello, role: Member['role']): Member {
  return {
    id: hello.id,
    name: hello.name,
    role,
    observer: hello.observer,
    peerAddress: hello.peerAddress,
    clientAddress: hello.clientAddress,
    httpAddress: hello.httpAddress,
  }
}

/** True when the configuration names this server as it is now. */
export function isListed(members: readonly Member[], hello: Hello): boolean {
  return members.some((member) => member.id === hello.id && sameAddresses(member, hello))
}

function sameAddresses(member: Member, hello: Hello): boolean {
  return (
    member.peerAddress === hello.peerAddress &&
    member.clientAddress === hello.clientAddress &&
    member.httpAddress === hello.httpAddress
  )
}

/** The leader's answer to a join: one configuration change, nothing to do, or no. */
export type JoinVerdict =
  | { readonly kind: 'change'; readonly members: readonly Member[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'refuse'; readonly reason: string }

/**
 * What the leader does about a join. A new incarnation replaces an old one of its name in two
 * changes, never one swap: the silent old one is removed now, the new one is added at the next
 * (repeated) join, and promoted when it has caught up.
 */
export function judgeJoin(
  hello: Hello,
  status: RaftStatus,
  silentTicksMin: number,
  listedNames: readonly string[] | null,
): JoinVerdict {
  const { members } = status
  const present = members.find((member) => member.id === hello.id)
  if (present !== undefined) {
    if (sameAddresses(present, hello)) return { kind: 'done' }
    const moved = { ...memberOf(hello, present.role), observer: present.observer }
    return {
      kind: 'change',
      members: members.map((member) => (member.id === hello.id ? moved : member)),
    }
  }
  if (listedNames !== null && !listedNames.includes(hello.name)) {
    return { kind: 'refuse', reason: `server ${hello.name} is not in the list of servers` }
  }
  const former = members.find((member) => member.name === hello.name)
  if (former === undefined) {
    return { kind: 'change', members: [...members, memberOf(hello, 'learner')] }
  }
  const silentTicks = silenceOf(former.id, status)
  if (silentTicks < silentTicksMin) {
    return { kind: 'refuse', reason: `server ${hello.name} is alive with another disk` }
  }
  return { kind: 'change', members: members.filter((member) => member.id !== former.id) }
}

function silenceOf(peer: PeerId, status: RaftStatus): number {
  if (peer === status.id) return 0
  const progress = status.progress.find((entry) => entry.peer === peer)
  return progress?.silentTicks ?? 0
}

/** A learner that may become a voter now, in the configuration with its new role; null: none. */
export function promotion(
  status: RaftStatus,
  lagEntriesMax: number,
  silentTicksMax: number,
): readonly Member[] | null {
  for (const member of status.members) {
    if (member.role !== 'learner' || member.observer) continue
    const progress = status.progress.find((entry) => entry.peer === member.id)
    if (progress === undefined || progress.state !== 'replicate') continue
    if (progress.match + lagEntriesMax < status.lastIndex) continue
    if (progress.silentTicks > silentTicksMax) continue
    return status.members.map((other) =>
      other.id === member.id ? { ...other, role: 'voter' as const } : other,
    )
  }
  return null
}

/** The reply to a join, for a server that leads or knows who does. */
export function joinReply(
  clusterId: string,
  status: RaftStatus,
  refusal: string | null,
): PeerFrame {
  return { kind: 'joinReply', clusterId, leader: status.leader, members: status.members, refusal }
}

/**
 * The cluster whose data more of the listed servers have than have this server's; null when there is none,
 * or no list. A directory that was put in the wrong place is outvoted, and does not outvote the others.
 */
export function foreignCluster(
  forming: Forming,
  self: Hello,
  links: readonly Hello[],
): string | null {
  if (forming.kind !== 'static' || self.clusterId === '') return null
  const listed = new Set(forming.servers.map(({ name }) => name))
  const servers = new Map<string, number>([[self.clusterId, 1]])
  for (const { name, clusterId } of links) {
    if (name === self.name || clusterId === '' || !listed.has(name)) continue
    servers.set(clusterId, (servers.get(clusterId) ?? 0) + 1)
  }
  const own = servers.get(self.clusterId) ?? 0
  for (const [clusterId, count] of servers) if (count > own) return clusterId
  return null
}

/** Begins with its code in docs/errors.md. */
export function foreignRefusal({ name, clusterId }: Hello, other: string): string {
  const data = `the data directory of server ${name} is of cluster ${clusterId} (its identity.json)`
  return `DATA_FOREIGN_CLUSTER: ${data}, and the other servers are of cluster ${other}`
}

/** Every address that this server should hold a link to. */
export function targetsOf(
  forming: Forming,
  members: readonly Member[],
  self: Hello,
  joiners: ReadonlyMap<PeerId, string>,
): string[] {
  const targets = new Set<string>()
  if (forming.kind === 'static') {
    for (const server of forming.servers) targets.add(server.peerAddress)
  }
  if (forming.kind === 'join') for (const seed of forming.seeds) targets.add(seed)
  for (const member of members) targets.add(member.peerAddress)
  for (const address of joiners.values()) targets.add(address)
  targets.delete(self.peerAddress)
  return [...targets]
}
