import type { PeerId, Term } from '../../server/core/brand.ts'
import type { TestPeer } from '../support/raft-cluster.ts'
import { entryWords, membersWords } from './wording.ts'

interface Look {
  readonly state: string
  readonly log: ReadonlyMap<number, Term>
  readonly commit: number
  readonly members: string
  readonly transfer: PeerId | null
  readonly abstains: boolean
}

/** Says in lines what a server did since it was last looked at. */
export class Observer {
  readonly #peer: TestPeer
  #last: Look

  constructor(peer: TestPeer) {
    this.#peer = peer
    this.#last = look(peer)
  }

  /** Starts over, because the process is another one. */
  restart(): void {
    this.#last = look(this.#peer)
  }

  news(): string[] {
    const before = this.#last
    const now = look(this.#peer)
    this.#last = now
    const lines = [...this.#answers(), ...logNews(before.log, now.log)]
    if (now.members !== before.members) lines.push(`configuration ${now.members}`)
    if (now.state !== before.state) lines.unshift(now.state)
    if (now.commit !== before.commit) lines.push(`commits up to ${now.commit}`)
    if (now.transfer !== before.transfer && now.transfer !== null) {
      lines.push(`gives leadership to ${now.transfer}`)
    }
    if (now.transfer === null && before.transfer !== null && now.state === before.state) {
      lines.push('gives up the transfer')
    }
    if (before.abstains && !now.abstains) lines.push('may vote again')
    for (const entry of this.#peer.applied.splice(0)) lines.push(`applies ${entryWords(entry)}`)
    return lines.map((line) => `  ${this.#peer.id} ${line}`)
  }

  /** What callers of this server were told. */
  #answers(): string[] {
    const { accepted, refused, reads, snapshotsWanted } = this.#peer
    const lines = accepted.splice(0).map((index) => `takes a proposal as ${index}`)
    lines.push(...refused.splice(0).map((reason) => `refuses: ${reason}`))
    for (const [context, index] of reads) {
      lines.push(index < 0 ? `read ${context} is refused` : `read ${context} is safe at ${index}`)
    }
    reads.clear()
    for (const { to, index } of snapshotsWanted) {
      lines.push(`wants a snapshot of ${index} or later for ${to}`)
    }
    snapshotsWanted.length = 0
    return lines
  }
}

function look({ raft }: TestPeer): Look {
  const now = raft.inspect()
  const log = new Map<number, Term>()
  for (let index = now.baseIndex + 1; index <= now.lastIndex; index += 1) {
    log.set(index, now.termAt(index) ?? 0)
  }
  const leader = now.role === 'leader' || now.leader === null ? '' : ` of ${now.leader}`
  return {
    state: `is ${now.role}${leader}, term ${now.term}`,
    log,
    commit: now.commit,
    members: membersWords(now.members),
    transfer: now.transferTarget,
    abstains: raft.abstains,
  }
}

function logNews(before: ReadonlyMap<number, Term>, now: ReadonlyMap<number, Term>): string[] {
  const first = Math.min(...now.keys(), Number.POSITIVE_INFINITY)
  const lost = [...before].filter(([index, term]) => index >= first && now.get(index) !== term)
  const added = [...now].filter(([index, term]) => before.get(index) !== term)
  const words = (positions: readonly [number, Term][]) =>
    positions.map(([index, term]) => `${index}@${term}`).join(' ')
  const lines: string[] = []
  if (now.size === 0 && before.size > 0) lines.push('has no entries in memory')
  if (lost.length > 0) lines.push(`drops ${words(lost)}`)
  if (added.length > 0) lines.push(`appends ${words(added)}`)
  return lines
}
