import type { RequestResult } from '../../server/core/machine/operation.ts'
import { EnsembleInvariants } from '../../server/core/raft/invariants.ts'
import type { Entry } from '../../server/core/raft/message.ts'
import type { RaftInspection } from '../../server/core/raft/raft.ts'
import { statsPathOf } from '../../server/core/tree/quota.ts'
import type { Tree } from '../../server/core/tree/tree.ts'
import type { Forming } from '../../server/ensemble/joining.ts'
import type { ReplicaLimits } from '../../server/ensemble/replica.ts'
import { History, Violation } from './history.ts'
import { KvUser } from './kv-user.ts'
import { Nemesis } from './nemesis.ts'
import { Network } from './network.ts'
import { CALM, type Profile, profileOf } from './profile.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { type ProcessWorld, ServerProcess } from './server-process.ts'
import { type UserWorld, ZkUser } from './zk-user.ts'

/** Virtual milliseconds of faults, and the least of a whole run. */
const FAULTS_UNTIL_MS = 50_000
const RUN_MS_MIN = 60_000
const OPERATIONS_MIN = 200
/** With the faults gone everything must be well again in this time. */
const HEALING_MS_MAX = 40_000
/** Of silence, after which every session must have ended: its timeout, an election, and a margin. */
const SILENCE_MS_MAX = 4_000 + 2_500
const STEP_MS = 100

export interface RunResult {
  readonly seed: number
  readonly virtualMs: number
  readonly operations: number
  readonly entries: number
  /** Of everything that was applied and traced: equal for equal seeds. */
  readonly fingerprint: string
  readonly violation: { readonly checker: string; readonly message: string } | null
}

/** One run: servers, users and faults on a virtual clock, all chance from the seed. */
export class Simulation implements ProcessWorld, UserWorld {
  readonly scheduler = new Scheduler()
  readonly profile: Profile
  readonly network: Network
  readonly history: History
  readonly servers: readonly ServerProcess[]
  readonly forming: Forming
  readonly #random: Random
  readonly #invariants = new EnsembleInvariants()
  readonly #lastAnsweredMs = new Map<number, number>()
  readonly #print: ((line: string) => void) | null
  readonly #nemesis: Nemesis
  #zkUsers: ZkUser[] = []
  #kvUsers: KvUser[] = []
  #usersMade = 0
  #acknowledgedZxid = 0
  #newestTerm = 0
  #uncommittedFrom = Number.POSITIVE_INFINITY
  operations = 0
  #fingerprint = 0x811c9dc5

  constructor(seed: number, print: ((line: string) => void) | null) {
    this.profile = profileOf(seed)
    this.#random = new Random(seed)
    this.#print = print
    this.history = new History((session, timeoutMs, expired) => {
      if (expired) this.#expired(session, timeoutMs)
    })
    this.network = new Network(this.scheduler, this.#random.fork(), this.profile.network)
    const { voters, observers } = this.profile
    const names = ['1', '2', '3', '4', '5'].slice(0, voters + observers)
    const isObserver = (name: string) => Number(name) > voters
    this.forming = {
      kind: 'static',
      servers: names.map((name) => ({
        name,
        peerAddress: `host-${name}:2888`,
        observer: isObserver(name),
      })),
    }
    this.servers = names.map(
      (name) => new ServerProcess(this, name, isObserver(name), this.#random.fork()),
    )
    for (const server of this.servers) server.start()
    for (let i = 0; i < this.profile.zkUsers; i += 1) this.#addZkUser()
    for (let i = 0; i < this.profile.kvUsers; i += 1) {
      this.#kvUsers.push(new KvUser(this, `k${i}`, this.#random.fork()))
    }
    this.#nemesis = new Nemesis(this, this.#random.fork())
  }

  // --- What the servers and users see ---------------------------------------------------------

  get limits(): ReplicaLimits {
    return this.profile.limits
  }

  get segmentBytes(): number {
    return this.profile.segmentBytes
  }

  get diskMsMax(): number {
    return this.profile.diskMsMax
  }

  applied(server: ServerProcess, entry: Entry, results: readonly RequestResult[]): void {
    const digest = server.replica?.machine.digest ?? ''
    this.history.applied(entry.index, entry, results, digest)
    this.#mix(`${server.name} ${entry.index} ${digest}`)
  }

  stepped(server: ServerProcess, now: RaftInspection): void {
    this.#invariants.checkOne(now)
    if (now.role !== 'leader' || now.term < this.#newestTerm) return
    if (now.term > this.#newestTerm) {
      this.#newestTerm = now.term
      this.#uncommittedFrom = now.commit
      this.#nemesis.elected(server)
    } else if (now.commit > this.#uncommittedFrom) {
      this.#uncommittedFrom = Number.POSITIVE_INFINITY
      this.#nemesis.committed(server)
    }
  }

  fault(server: ServerProcess, text: string): void {
    if (text.startsWith('DISK_FULL')) return this.trace(`${server.name} ${text}`)
    throw new Violation('disk', `server ${server.name} gave up: ${text}`)
  }

  answered(session: number): void {
    this.#lastAnsweredMs.set(session, this.scheduler.nowMs)
  }

  acknowledgedZxid(): number {
    return this.#acknowledgedZxid
  }

  acknowledge(zxid: number): void {
    this.#acknowledgedZxid = Math.max(this.#acknowledgedZxid, zxid)
  }

  countOperation(): void {
    this.operations += 1
  }

  trace(text: string): void {
    this.#mix(text)
    this.#print?.(`${this.scheduler.nowMs.toFixed(1).padStart(9)}  ${text}`)
  }

  /** FNV-1a over everything that matters, with its time. */
  #mix(text: string): void {
    const line = `${this.scheduler.nowMs} ${text}`
    for (let i = 0; i < line.length; i += 1) {
      this.#fingerprint = Math.imul(this.#fingerprint ^ line.charCodeAt(i), 0x01000193) >>> 0
    }
  }

  /**
   * A client that was answered at time t knows its session alive until t and two thirds of the
   * timeout: real clients give up their connection then. No server may expire it before.
   */
  #expired(session: number, timeoutMs: number): void {
    const answeredMs = this.#lastAnsweredMs.get(session)
    if (answeredMs === undefined) return
    const silentMs = this.scheduler.nowMs - answeredMs
    if (silentMs < (2 / 3) * timeoutMs) {
      throw new Violation(
        'session',
        `${session} of ${timeoutMs} ms was expired ${silentMs.toFixed(0)} ms after an answer`,
      )
    }
  }

  // --- What the nemesis sees --------------------------------------------------------------------

  /** The leader of the greatest term, whoever believes in it. */
  leader(): ServerProcess | null {
    let best: ServerProcess | null = null
    for (const server of this.servers) {
      const raft = server.replica?.raft
      if (!raft?.isLeader) continue
      if (best === null || raft.term > (best.replica?.raft.term ?? 0)) best = server
    }
    return best
  }

  /** The leader's configuration has the server as it is now, voting unless it is an observer. */
  belongs(server: ServerProcess): boolean {
    const leader = this.leader()?.replica
    const own = server.replica
    if (leader === undefined || leader === null || own === null) return false
    const member = leader.raft.members.find((each) => each.id === own.raft.status().id)
    return member !== undefined && member.role === (server.observer ? 'learner' : 'voter')
  }

  /** Nobody is gone, cut off or behind. */
  allBelong(): boolean {
    return this.servers.every(
      (server) => server.alive && !server.paused && this.belongs(server) && this.#isReady(server),
    )
  }

  replaceUser(random: Random): void {
    const user = random.pick(this.#zkUsers)
    user.crash()
    this.#zkUsers = this.#zkUsers.filter((other) => other !== user)
    this.#addZkUser()
  }

  #addZkUser(): void {
    this.#usersMade += 1
    this.#zkUsers.push(new ZkUser(this, `z${this.#usersMade}`, this.#random.fork()))
  }

  // --- The run ------------------------------------------------------------------------------------

  run(): void {
    this.scheduler.runUntil(FAULTS_UNTIL_MS)
    this.trace('faults end')
    this.#nemesis.stop()
    this.network.faults = CALM
    this.#await('the ensemble is whole again', HEALING_MS_MAX, () => this.allBelong())
    const entries = this.history.lastZxid
    this.#await('writes go on', 5_000, () => this.history.lastZxid > entries + 5)
    this.#writeThroughAll()
    this.#await('enough operations', 60_000, () => {
      return this.scheduler.nowMs >= RUN_MS_MIN && this.operations >= OPERATIONS_MIN
    })
    for (const user of this.#zkUsers) user.rest()
    for (const user of this.#kvUsers) user.rest()
    this.#await('all is applied everywhere', 5_000, () => this.#settled())
    this.#checkStates()
    for (const user of this.#zkUsers) user.crash()
    this.#await('silent sessions end', SILENCE_MS_MAX, () => this.history.sessions.size === 0)
    this.#await('all is applied everywhere', 5_000, () => this.#settled())
    this.#checkStates()
  }

  result(seed: number, violation: RunResult['violation']): RunResult {
    return {
      seed,
      virtualMs: this.scheduler.nowMs,
      operations: this.operations,
      entries: this.history.lastIndex,
      fingerprint: this.#fingerprint.toString(16).padStart(8, '0'),
      violation,
    }
  }

  #await(what: string, msMax: number, holds: () => boolean): void {
    const untilMs = this.scheduler.nowMs + msMax
    while (!holds()) {
      if (this.scheduler.nowMs >= untilMs) {
        for (const server of this.servers) this.trace(this.#stateOf(server))
        throw new Violation('liveness', `not in time: ${what}`)
      }
      this.scheduler.runUntil(this.scheduler.nowMs + STEP_MS)
    }
  }

  /** A server that nobody hears is not whole, however well the others do. */
  #writeThroughAll(): void {
    const waiting = new Set(this.servers)
    const ask = (server: ServerProcess) =>
      server.run(() =>
        server.replica?.submit(
          {
            session: 0,
            connection: 0,
            identities: [],
            operation: { kind: 'delete', path: '/none', version: -1 },
          },
          ({ kind }) => {
            if (kind === 'applied') waiting.delete(server)
            else this.scheduler.after(STEP_MS, () => ask(server))
          },
        ),
      )
    for (const server of this.servers) ask(server)
    this.#await('a write through each server', 5_000, () => waiting.size === 0)
  }

  #stateOf({ name, replica }: ServerProcess): string {
    if (replica === null) return `${name} is down`
    const { notReadyReason, contact, raft, zxid, links } = replica.status()
    const { id, role, term, leader, commit, applied, lastIndex } = raft
    const members = raft.members.map((member) => `${member.name}=${member.id} ${member.role}`)
    return `${name}: ${JSON.stringify({ notReadyReason, contact, id, role, term, leader, commit, applied, lastIndex, zxid, members, links })}`
  }

  #isReady(server: ServerProcess): boolean {
    return server.replica?.ready === true
  }

  #settled(): boolean {
    return this.servers.every(
      (server) => server.replica?.machine.appliedIndex === this.history.lastIndex,
    )
  }

  /** Every server holds exactly what the model says. */
  #checkStates(): void {
    const expected = [...this.history.livePaths()]
      .filter((path) => !path.startsWith('/zookeeper/'))
      .sort()
      .join(' ')
    for (const { name, replica } of this.servers) {
      if (replica === null) continue
      const { tree } = replica.machine
      const paths = [...tree.entries()]
        .map(([path]) => path)
        .filter((path) => path !== '/' && !/^\/zookeeper(\/|$)/.test(path))
      if (paths.sort().join(' ') !== expected) {
        throw new Violation('model', `server ${name} holds ${paths}, should hold ${expected}`)
      }
      for (const path of paths) {
        const data = tree.data(path)
        const shown = data === null || data === undefined ? '' : Buffer.from(data).toString()
        const state = this.history.state(path, this.history.lastZxid)
        if (shown !== state?.data) {
          throw new Violation('model', `server ${name}: ${path} is ${shown}, not ${state?.data}`)
        }
      }
      checkQuotas(name, tree)
    }
  }
}

/** What was counted change by change is what is there. */
function checkQuotas(name: string, tree: Tree): void {
  for (const subtree of tree.quotas()) {
    const paths = [...tree.entries()]
      .map(([path]) => path)
      .filter((path) => path === subtree || path.startsWith(`${subtree}/`))
    const bytes = paths.reduce((sum, path) => sum + (tree.data(path)?.length ?? 0), 0)
    const use = tree.data(statsPathOf(subtree))
    if (use === undefined || use === null) continue
    const shown = Buffer.from(use).toString()
    if (shown !== `count=${paths.length},bytes=${bytes}`) {
      throw new Violation('quota', `server ${name}: ${subtree} has ${paths}, counted ${shown}`)
    }
  }
}

/** Runs a seed; whatever is thrown on the way is its violation. */
export function runSeed(seed: number, print: ((line: string) => void) | null = null): RunResult {
  const simulation = new Simulation(seed, print)
  try {
    simulation.run()
    return simulation.result(seed, null)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const checker = error instanceof Violation ? error.checker : 'exception'
    print?.(`${simulation.scheduler.nowMs.toFixed(1).padStart(9)}  ${error.stack}`)
    return simulation.result(seed, { checker, message: error.message })
  }
}
