import type { PeerId } from '../../server/core/brand.ts'
import type { Envelope, Member } from '../../server/core/raft/message.ts'
import type { RaftInput } from '../../server/core/raft/step.ts'
import { member, TestCluster, TestPeer } from '../support/raft-cluster.ts'
import { Observer } from './observer.ts'
import { wordsOf } from './wording.ts'

/** A command that quiets the network longer than this has found a livelock. */
const DELIVERIES_MAX = 2_000

type Command = (words: readonly string[]) => void

/**
 * Runs commands against a cluster whose network and disks do only what the script says; README.md
 * has the language. `run` returns what happened, in lines.
 */
export class Script {
  #cluster = new TestCluster([], () => 0)
  readonly #observers = new Map<PeerId, Observer>()
  readonly #patience = new Map<PeerId, number>()
  readonly #down = new Set<PeerId>()
  readonly #slow = new Set<PeerId>()
  readonly #cuts = new Set<string>()
  #network: Envelope[] = []
  #lines: string[] = []
  #showSends = true
  #nextToken = 1
  #nextRead = 1
  readonly #commands: Readonly<Record<string, Command>> = {
    cluster: (words) => this.#start(words),
    patience: ([id, ticks]) => void this.#patience.set(this.#peer(id).id, count(ticks)),
    elect: ([id]) => this.#elect(this.#peer(id)),
    tick: ([who, ticks]) => this.#tick(who, count(ticks ?? '1')),
    run: ([ticks]) => this.#run(count(ticks)),
    deliver: (words) => this.#deliver(words),
    drop: ([link]) => this.#drop(link ?? '*->*'),
    cut: (words) => this.#cut(words),
    heal: () => this.#cuts.clear(),
    propose: ([id, ...texts]) => this.#propose(this.#peer(id), texts),
    read: ([id]) => this.#read(this.#peer(id)),
    transfer: ([id, to]) =>
      this.#step(this.#peer(id), { kind: 'transferLeadership', to: this.#peer(to).id }),
    'add-learner': ([id, at]) =>
      this.#change(at, (members) => [...members, member(id ?? '', 'learner')]),
    promote: ([id, at]) =>
      this.#change(at, (members) => members.map((old) => (old.id === id ? member(id) : old))),
    remove: ([id, at]) => this.#change(at, (members) => members.filter((old) => old.id !== id)),
    swap: ([id, next, at]) =>
      this.#change(at, (members) =>
        members.map((old) => (old.id === id ? member(next ?? '') : old)),
      ),
    disk: ([id, speed]) => this.#disk(this.#peer(id), speed),
    persist: ([id]) => this.#persist(this.#peer(id)),
    crash: ([id]) => this.#crash(this.#peer(id)),
    restart: ([id, ...how]) => this.#restart(this.#peer(id), how),
    pause: ([id]) => this.#step(this.#peer(id), { kind: 'paused' }),
    compact: ([id]) => this.#compact(this.#peer(id)),
    snapshot: ([link, outcome]) => this.#snapshot(link, outcome),
    status: () => this.#status(),
    log: ([id]) => this.#log(this.#peer(id)),
  }

  run(line: string): readonly string[] {
    const [name = '', ...words] = line.split(/\s+/)
    const command = this.#commands[name]
    if (command === undefined) throw new Error(`no command ${name}`)
    this.#lines = []
    this.#showSends = true
    command(words)
    this.#cluster.check()
    return this.#lines
  }

  // --- Servers -----------------------------------------------------------------------------------

  #start([founders, spares = '0']: readonly string[]): void {
    const voters = Array.from({ length: count(founders) }, (_, i) => member(String(i + 1)))
    const spare = Array.from({ length: count(spares) }, (_, i) => String(voters.length + i + 1))
    this.#cluster = new TestCluster([], () => 0)
    this.#network = []
    for (const memory of [this.#down, this.#slow, this.#cuts]) memory.clear()
    for (const { id } of voters) this.#addServer(id, voters)
    for (const id of spare) this.#addServer(id, [])
  }

  #addServer(id: PeerId, members: readonly Member[]): void {
    this.#patience.set(id, 9 + Number(id))
    const peer = new TestPeer(id, { index: 0, term: 0, members }, () => this.#chance(id))
    this.#cluster.peers.set(id, peer)
    this.#observers.set(id, new Observer(peer))
  }

  /** Makes Raft draw the election timeout that the server is meant to have. */
  #chance(id: PeerId): number {
    return ((this.#patience.get(id) ?? 10) - 10) / 10 + 0.01
  }

  #peer(id: string | undefined): TestPeer {
    return this.#cluster.peer(id ?? '')
  }

  #step(peer: TestPeer, ...inputs: RaftInput[]): void {
    if (this.#down.has(peer.id)) throw new Error(`server ${peer.id} is down`)
    peer.step(...inputs)
    this.#settle(peer)
  }

  /** After whatever a server did: its disk, its messages, and what is to be said about it. */
  #settle(peer: TestPeer): void {
    if (!this.#slow.has(peer.id)) peer.persistAll()
    const sent = peer.outbox.splice(0)
    this.#network.push(...sent)
    this.#lines.push(...(this.#observers.get(peer.id)?.news() ?? []))
    if (this.#showSends) this.#lines.push(...sendLines(peer.id, sent))
  }

  /** Gets an election over with, where it is not what the scenario is about. */
  #elect(peer: TestPeer): void {
    this.#showSends = false
    this.#step(peer, { kind: 'campaign' })
    this.#deliverAll(false)
    for (const { id } of this.#up()) this.#observers.get(id)?.news()
    this.#lines = this.#up().map((up) => this.#statusLine(up))
  }

  #tick(who: string | undefined, ticks: number): void {
    const peers = who === 'all' ? this.#up() : [this.#peer(who)]
    for (let i = 0; i < ticks; i += 1) {
      for (const peer of peers) this.#step(peer, { kind: 'tick' })
    }
  }

  /** Ticks with a quiet network after each; only what servers become and do is said. */
  #run(ticks: number): void {
    this.#showSends = false
    for (let i = 0; i < ticks; i += 1) {
      for (const peer of this.#up()) this.#step(peer, { kind: 'tick' })
      this.#deliverAll(false)
    }
  }

  #up(): TestPeer[] {
    return [...this.#cluster.peers.values()].filter(({ id }) => !this.#down.has(id))
  }

  // --- Network -----------------------------------------------------------------------------------

  #deliver([what]: readonly string[]): void {
    if (what === undefined) {
      this.#showSends = false
      return this.#deliverAll(true)
    }
    const { matching, rest } = this.#split(what === 'once' ? '*->*' : what)
    this.#network = rest
    for (const envelope of matching) this.#deliverOne(envelope, true)
  }

  #deliverAll(show: boolean): void {
    for (let i = 0; i < DELIVERIES_MAX; i += 1) {
      const envelope = this.#network.shift()
      if (envelope === undefined) return
      this.#deliverOne(envelope, show)
    }
    throw new Error('the network does not come to rest')
  }

  #deliverOne({ from, to, message }: Envelope, show: boolean): void {
    const link = `${from}->${to}`
    const lost = this.#cuts.has(link) || this.#down.has(to) || !this.#cluster.peers.has(to)
    if (show) this.#lines.push(`${link} ${wordsOf(message)}${lost ? ' (lost)' : ''}`)
    if (!lost) this.#step(this.#peer(to), { kind: 'message', from, message })
    this.#cluster.check()
  }

  #split(pattern: string): { matching: Envelope[]; rest: Envelope[] } {
    const [from = '*', to = '*'] = pattern.split('->')
    const matches = (envelope: Envelope) =>
      (from === '*' || envelope.from === from) && (to === '*' || envelope.to === to)
    return {
      matching: this.#network.filter(matches),
      rest: this.#network.filter((envelope) => !matches(envelope)),
    }
  }

  #drop(pattern: string): void {
    const { matching, rest } = this.#split(pattern)
    this.#network = rest
    for (const { from, to, message } of matching) {
      this.#lines.push(`${from}->${to} ${wordsOf(message)} (lost)`)
    }
  }

  /** Servers are cut off from all others, links in their one direction. */
  #cut(words: readonly string[]): void {
    for (const word of words) {
      if (word.includes('->')) this.#cuts.add(word)
      else {
        for (const other of this.#cluster.peers.keys()) {
          if (words.includes(other)) continue
          this.#cuts.add(`${word}->${other}`).add(`${other}->${word}`)
        }
      }
    }
  }

  // --- Clients and operators ---------------------------------------------------------------------

  #propose(peer: TestPeer, texts: readonly string[]): void {
    const inputs = texts.map((text): RaftInput => {
      const [word = '', times = '1'] = text.split('*')
      return {
        kind: 'propose',
        payload: new TextEncoder().encode(word.repeat(count(times))),
        token: this.#token(),
      }
    })
    this.#step(peer, ...inputs)
  }

  #read(peer: TestPeer): void {
    this.#step(peer, { kind: 'readIndex', context: this.#nextRead })
    this.#nextRead += 1
  }

  #change(at: string | undefined, next: (members: readonly Member[]) => readonly Member[]): void {
    const peer = at === undefined ? this.#cluster.leader : this.#peer(at)
    if (peer === undefined) throw new Error('nobody leads')
    const members = next(peer.raft.members)
    this.#step(peer, { kind: 'changeMembership', members, token: this.#token() })
  }

  #token(): number {
    const token = this.#nextToken
    this.#nextToken += 1
    return token
  }

  // --- Disks -------------------------------------------------------------------------------------

  #disk(peer: TestPeer, speed: string | undefined): void {
    if (speed === 'slow') this.#slow.add(peer.id)
    else {
      this.#slow.delete(peer.id)
      this.#settle(peer)
    }
  }

  #persist(peer: TestPeer): void {
    peer.persistAll()
    this.#settle(peer)
  }

  #crash(peer: TestPeer): void {
    this.#down.add(peer.id)
    peer.writes = []
    peer.outbox = []
  }

  /** `restart 2 cut 5`: recovery found that synced records were damaged from entry 5 on. */
  #restart(peer: TestPeer, [how, from]: readonly string[]): void {
    this.#down.delete(peer.id)
    const abstain = how === 'cut'
    if (abstain) {
      const entries = peer.durable.entries.filter((entry) => entry.index < count(from))
      peer.durable = { ...peer.durable, entries }
    }
    peer.restart(abstain)
    this.#observers.get(peer.id)?.restart()
    this.#lines.push(this.#statusLine(peer))
  }

  #compact(peer: TestPeer): void {
    const { index, term } = peer.compact()
    this.#lines.push(`  ${peer.id} has a snapshot of ${index}@${term}`)
    this.#settle(peer)
  }

  /** The shell's part: the newest snapshot goes over whole, or the stream breaks. */
  #snapshot(link: string | undefined, outcome: string | undefined): void {
    const [from, to] = (link ?? '').split('->')
    const sender = this.#peer(from)
    const receiver = this.#peer(to)
    if (outcome === 'fails') {
      return this.#step(sender, { kind: 'snapshotFailed', peer: receiver.id })
    }
    receiver.install(sender.id, sender.durable.snapshot)
    this.#settle(receiver)
  }

  // --- Looking -----------------------------------------------------------------------------------

  #status(): void {
    for (const peer of this.#cluster.peers.values()) this.#lines.push(this.#statusLine(peer))
  }

  #statusLine({ id, raft }: TestPeer): string {
    if (this.#down.has(id)) return `  ${id} is down`
    const { role, term, leader, commit, lastIndex, lastTerm } = raft.status()
    const of = role === 'leader' || leader === null ? '' : ` of ${leader}`
    const abstains = raft.abstains ? ', abstains' : ''
    return `  ${id} is ${role}${of}, term ${term}, log ${lastIndex}@${lastTerm}, commit ${commit}${abstains}`
  }

  #log({ id, raft }: TestPeer): void {
    const { baseIndex, lastIndex, termAt } = raft.inspect()
    const positions: string[] = []
    for (let index = baseIndex + 1; index <= lastIndex; index += 1) {
      positions.push(`${index}@${termAt(index)}`)
    }
    this.#lines.push(`  ${id} has ${positions.join(' ')}`)
  }
}

/** The same message to several servers is one line. */
function sendLines(from: PeerId, envelopes: readonly Envelope[]): string[] {
  const receivers = new Map<string, PeerId[]>()
  for (const { to, message } of envelopes) {
    const words = wordsOf(message)
    receivers.set(words, [...(receivers.get(words) ?? []), to])
  }
  return [...receivers].map(([words, to]) => `  ${from} sends ${to.join(' ')}: ${words}`)
}

function count(word: string | undefined): number {
  const value = Number(word)
  if (!Number.isInteger(value) || value < 0) throw new Error(`not a number: ${word}`)
  return value
}
