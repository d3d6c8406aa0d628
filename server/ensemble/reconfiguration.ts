import { SINCE_VERSION } from '../core/machine/cluster-version.ts'
import { ErrorCode } from '../core/machine/error-code.ts'
import type { Operation } from '../core/machine/operation.ts'
import type { StateMachine } from '../core/machine/state-machine.ts'
import type { Member } from '../core/raft/message.ts'
import type { RaftStatus } from '../core/raft/step.ts'
import { type Identity, Permission } from '../core/tree/acl.ts'
import { allows } from '../core/tree/acl-check.ts'
import { CONFIG_PATH } from '../core/tree/tree.ts'
import type { Reconfig } from '../wire/operations/reconfig.ts'
import type { Hello } from '../wire/peer-frame.ts'
import { type ConfigLine, configText, numbersOf, parseConfig, serversOf } from './dynamic-config.ts'
import type { Outcome, ReconfigDone } from './ensemble.ts'
import type { Environment } from './environment.ts'
import type { Membership } from './membership.ts'
import { type WantedServers, wantedServers } from './reconfig-plan.ts'

export interface ReconfigurationOptions {
  readonly environment: Environment
  /** ZooKeeper's reconfigEnabled. */
  readonly enabled: boolean
  readonly machine: () => StateMachine
  /** The configuration as of what is applied. */
  readonly members: () => readonly Member[]
  readonly status: () => RaftStatus
  readonly links: () => readonly Hello[]
  readonly membership: Pick<Membership, 'change' | 'remove' | 'readmit'>
  readonly submit: (operation: Operation, done: (outcome: Outcome) => void) => void
  /** A voter that is silent for longer is no part of a quorum. */
  readonly electionTicks: number
  /** How long servers that are to join may take to do so. */
  readonly withinMs: number
}

interface Work {
  readonly wanted: WantedServers
  readonly deadlineMs: number
  readonly done: ReconfigDone
  /** Names of servers that may come back. */
  readonly readmitted: Set<string>
  /** A change of the members, or the last write, is under way. */
  changing: boolean
}

/**
 * ZooKeeper's reconfig, as its leader carries it out on Raft's members: one change after the other,
 * servers that come before servers that go, this one last. A server joins by itself, with an identity
 * that nobody else knows: one that is to join must run and have a link to this leader.
 */
export class Reconfiguration {
  readonly #options: ReconfigurationOptions
  #work: Work | null = null

  constructor(options: ReconfigurationOptions) {
    this.#options = options
  }

  get underWay(): boolean {
    return this.#work !== null
  }

  begin(request: Reconfig, identities: readonly Identity[], done: ReconfigDone): void {
    const { enabled, environment, machine, members, status, withinMs } = this.#options
    if (status().role !== 'leader') return done(null)
    if (!enabled) return done(ErrorCode.reconfigDisabled)
    const { tree, clusterVersion } = machine()
    if (clusterVersion < SINCE_VERSION.quotas) return done(ErrorCode.unimplemented)
    const text = this.#text()
    const present = parseConfig(text)
    const settled = configText(members(), present) === serversOf(text)
    if (this.underWay || !settled) return done(ErrorCode.reconfigInProgress)
    const version = Number.parseInt(text.slice(text.lastIndexOf('=') + 1), 16)
    if (request.configId !== -1 && request.configId !== version) return done(ErrorCode.badVersion)
    const wanted = wantedServers(request, present)
    if (typeof wanted === 'number') return done(wanted)
    const refusal = this.#refusalOf([...wanted.values()], present)
    if (refusal !== null) return done(refusal)
    const acl = tree.acl(CONFIG_PATH) ?? []
    if (!allows(acl, identities, Permission.write)) return done(ErrorCode.noAuth)
    if (!this.#areThere([...wanted.values()])) return done(ErrorCode.newConfigNoQuorum)
    const deadlineMs = environment.nowMs() + withinMs
    this.#work = { wanted, deadlineMs, done, readmitted: new Set(), changing: false }
    this.tick()
  }

  #text(): string {
    return Buffer.from(this.#options.machine().tree.data(CONFIG_PATH) ?? []).toString('utf8')
  }

  /** What ZooKeeper does not ask for: it lists servers that nobody has seen. */
  #areThere(wanted: readonly ConfigLine[]): boolean {
    const { members, links } = this.#options
    const known = new Set([...members(), ...links()].map(({ peerAddress }) => peerAddress))
    return wanted.every(({ peerAddress }) => known.has(peerAddress))
  }

  /** What comes before the question who asks, as in ZooKeeper; null: nothing is in the way. */
  #refusalOf(wanted: readonly ConfigLine[], present: readonly ConfigLine[]): ErrorCode | null {
    const { members, links, status, electionTicks } = this.#options
    const numbers = numbersOf(members(), present)
    const { id, progress } = status()
    const silent = (member: Member): boolean => {
      const ticks = progress.find(({ peer }) => peer === member.id)?.silentTicks ?? 0
      return member.id !== id && ticks > electionTicks
    }
    let voters = 0
    let answering = 0
    for (const line of wanted) {
      const member = members().find((each) => each.peerAddress === line.peerAddress)
      const hello = links().find((each) => each.peerAddress === line.peerAddress)
      const server = member ?? hello
      const taken = present.some((each) => each.number === line.number && !isSame(each, line))
      if (taken || (server !== undefined && !fits(line, server, numbers))) {
        return ErrorCode.badArguments
      }
      if (line.role === 'observer') continue
      voters += 1
      const answers = member === undefined ? hello !== undefined : !silent(member)
      if (answers) answering += 1
    }
    return 2 * answering > voters ? null : ErrorCode.newConfigNoQuorum
  }

  /** At each tick of a leader in fresh contact with its quorum. */
  tick(): void {
    const work = this.#work
    if (work === null || work.changing) return
    if (this.#options.environment.nowMs() > work.deadlineMs) {
      return this.#finish(ErrorCode.newConfigNoQuorum)
    }
    if (this.#bringIn(work)) this.#sendAway(work)
  }

  /** This server leads no more: the next leader writes down what the members are. */
  rest(): void {
    if (this.#work !== null) this.#finish(null)
  }

  /** True when all that are wanted are members, in their roles. */
  #bringIn(work: Work): boolean {
    const { members, membership } = this.#options
    let complete = true
    for (const line of work.wanted.values()) {
      const observer = line.role === 'observer'
      const member = members().find((each) => each.peerAddress === line.peerAddress)
      if (member === undefined) {
        this.#readmit(work, line)
        complete = false
      } else if (member.observer !== observer) {
        const role = observer ? ('learner' as const) : member.role
        const changed = { ...member, observer, role }
        const next = members().map((each) => (each.id === member.id ? changed : each))
        membership.change(next, this.#changed(work))
        return false
      } else if (!observer && member.role !== 'voter') complete = false
    }
    return complete
  }

  /** Who was removed before asks by itself, and is heard from now on. */
  #readmit(work: Work, line: ConfigLine): void {
    const { links, membership } = this.#options
    const hello = links().find((each) => each.peerAddress === line.peerAddress)
    if (hello === undefined || work.readmitted.has(hello.name)) return
    work.readmitted.add(hello.name)
    membership.readmit(hello.name, (refusal) => {
      // Never removed, or in by now: nothing stands in its way. Else it is tried again.
      if (refusal !== null && !['unknownMember', 'alreadyMember'].includes(refusal)) {
        work.readmitted.delete(hello.name)
      }
    })
  }

  #sendAway(work: Work): void {
    const { members, membership, status } = this.#options
    const staying = new Set([...work.wanted.values()].map((line) => line.peerAddress))
    const leaving = members().filter(
      (member) => isListed(member) && !staying.has(member.peerAddress),
    )
    const next = leaving.find((member) => member.id !== status().id) ?? leaving[0]
    if (next === undefined) return this.#write(work)
    membership.remove(next.name, this.#changed(work))
  }

  #changed(work: Work): (refusal: string | null) => void {
    work.changing = true
    return (refusal) => {
      if (this.#work !== work) return
      work.changing = false
      if (refusal === 'leaderChanged' || refusal === 'notLeader') this.#finish(null)
      // What else stands in the way passes, or the deadline does.
    }
  }

  #write(work: Work): void {
    const { members, submit } = this.#options
    const servers = configText(members(), [...work.wanted.values()])
    work.changing = true
    submit({ kind: 'setConfig', servers: Buffer.from(servers, 'utf8') }, (outcome) => {
      if (this.#work === work) this.#finish(outcome.kind === 'applied' ? ErrorCode.ok : null)
    })
  }

  #finish(code: ErrorCode | null): void {
    const work = this.#work
    this.#work = null
    work?.done(code)
  }
}

function isListed(member: Member): boolean {
  return member.role === 'voter' || member.observer
}

function isSame(left: ConfigLine, right: ConfigLine): boolean {
  return left.peerAddress === right.peerAddress
}

/** A server says itself where it is, and its name may say its number. */
function fits(
  line: ConfigLine,
  server: { readonly name: string; readonly clientAddress: string },
  numbers: ReadonlyMap<string, number>,
): boolean {
  const number = /^\d+$/.test(server.name) ? Number(server.name) : numbers.get(server.name)
  if (number !== undefined && number !== line.number) return false
  if (line.clientAddress === '') return true
  const port = line.clientAddress.slice(line.clientAddress.lastIndexOf(':'))
  return line.clientAddress === `0.0.0.0${port}`
    ? server.clientAddress.endsWith(port)
    : server.clientAddress === line.clientAddress
}
