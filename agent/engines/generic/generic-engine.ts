import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import {
  ENLIST,
  type GenericRules,
  type GenericView,
  genericPlan,
  RENEW,
} from '../../core/cluster/generic-plan.ts'
import { type DiskReport, type Observation, ordinalOf } from '../../core/observation.ts'
import type { Policy } from '../../core/policy.ts'
import type { StartMode } from '../../core/start-rule.ts'
import { substitute } from '../../core/substitution.ts'
import { AgentError, messageOf } from '../../errors.ts'
import type { RoleLabel } from '../../kubernetes/role-label.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import { safeLine } from '../safe-line.ts'
import type { EngineQuestions } from './engine-questions.ts'
import { clientPortOf, type GenericDocument, type GenericRequest } from './generic-document.ts'
import type { GenericFacts } from './generic-facts.ts'
import { lookAtHealth } from './health-look.ts'
import type { MemberDirectory } from './member-directory.ts'
import type { MemberRoster } from './member-roster.ts'
import type { RenderedFiles } from './rendered-files.ts'

export interface GenericOptions {
  readonly document: GenericDocument
  readonly rules: GenericRules
  readonly disk: MemberDisk
  readonly set: string
  readonly pod: string
  /** Name of the cluster in the tree: the id of a cluster that nobody founds. */
  readonly cluster: string
  readonly questions: EngineQuestions
  /** The DNS name of a pod. */
  readonly hostOf: (ordinal: number) => string
  readonly facts: GenericFacts
  /** Of its own cluster. */
  readonly directory: MemberDirectory
  readonly files: RenderedFiles
  readonly roster: MemberRoster
  /** Null: pods are not labelled. */
  readonly label: RoleLabel | null
  readonly nowMs: () => number
}

/** An engine that is known by what it answers over HTTP or TCP, and by what its document says. */
export class GenericEngine implements Engine<GenericView> {
  readonly kind = 'generic'
  readonly policy: Policy<GenericView>
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>>
  readonly #options: GenericOptions
  #drainedAtMs: number | null = null
  /** Who else said that it leads when the drain hook was answered. */
  #claimant: string | null = null
  /** The process does not answer, since then. */
  #silentSinceMs: number | null = null
  /** It was told to leave service, and not since that it is a member. */
  #isOut = false

  constructor(options: GenericOptions) {
    this.#options = options
    this.policy = clusterPolicy(genericPlan(options.rules))
    this.clientPorts = { port: clientPortOf(options.document), sslPort: null }
    this.ports = options.document.ports ?? {}
  }

  /** Whether a disk has data only the engine knows: so the agent notes that it has once served with it. */
  discover(): DiskReport {
    const { disk, rules, cluster } = this.#options
    try {
      if (disk.isMoving) disk.finishMove()
      const departed = disk.departed !== null
      if (rules.bootstrap === 'none' && !isOrdered(rules)) {
        return { kind: 'member', clusterId: cluster, incarnation: '', departed }
      }
      const { cluster: clusterId, founding } = disk
      if (clusterId === null) return { kind: 'empty', founding }
      return { kind: 'member', clusterId, incarnation: '', departed }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  /** Nothing is known of it. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<GenericView> {
    const { document, questions, facts, files, roster, rules, label } = this.#options
    const { directory, pod, nowMs } = this.#options
    facts.refresh()
    directory.refresh()
    files.refresh()
    if (rules.enlists) roster.refresh()
    const asker = (request: GenericRequest, patterns: readonly RegExp[] = []) =>
      questions.ask(request, { timeoutMs: limits.genericHealthMs, patterns })
    const look = await lookAtHealth(document, asker)
    const { answers, alive, ready, reason, role } = look
    if (ready) this.#served()
    const leads = answers && role === document.role?.leader
    this.#silentSinceMs = answers ? null : (this.#silentSinceMs ?? nowMs())
    const otherLeader = this.#otherLeader()
    if (document.role !== undefined) label?.want(answers && role !== 'unknown' ? role : null)
    return {
      answers,
      retired: false,
      ready,
      reason: [reason, ...files.troubles].filter((text) => text !== '').join('; '),
      clusterId: answers ? this.#clusterId() : '',
      leads,
      leader: leads ? pod : otherLeader,
      role,
      members: this.#members(),
      alive,
      obstacle: files.obstacle ?? this.#argumentObstacle(),
      stale: answers ? files.stale : [],
      enlisted: !this.#isOut && (roster.names?.includes(pod) ?? true),
      drainedAtMs: this.#drainedAtMs,
      otherLeader,
      takenOverBy: otherLeader === this.#claimant ? null : otherLeader,
      silentMs: this.#silentSinceMs === null ? 0 : nowMs() - this.#silentSinceMs,
    }
  }

  liveness({ alive }: GenericView): boolean {
    return alive !== false
  }

  async version(): Promise<string> {
    return this.#options.document.version ?? ''
  }

  permitLine(mode: StartMode, { engine }: Observation<GenericView>): string {
    const { document } = this.#options
    const { args = '', found = '', follow = '' } = document.start ?? {}
    const follows = mode !== 'bootstrap' && engine.otherLeader !== null
    const words = [args, mode === 'bootstrap' ? found : '', follows ? follow : '']
    this.#drainedAtMs = null
    this.#isOut = false
    const given = words.filter((text) => text !== '')
    return safeLine(given.map((text) => this.#filled(text)).join(' '))
  }

  async prepare(mode: StartMode, { cluster }: Observation<GenericView>): Promise<void> {
    const { files, rules } = this.#options
    if (rules.bootstrap === 'start' && mode !== 'resume') {
      const known = cluster?.initialized?.engineClusterId
      const id = mode === 'bootstrap' ? cluster?.intent?.nonce : known
      if (id === undefined) throw new AgentError('TREE_UNREACHABLE', 'which cluster it is to be')
      this.#begin(mode, id)
    }
    files.prepare()
  }

  /**
   * What a founder that died on its way left behind is no data, and is moved aside. Data that nobody here has begun
   * is somebody's, who wants the cluster to be founded on it.
   */
  #begin(mode: StartMode, id: string): void {
    const { disk } = this.#options
    const isOurs = disk.founding !== null
    if (mode === 'bootstrap' && disk.hasData) {
      if (!isOurs) return disk.writeCluster(id)
      disk.moveAside()
    }
    disk.writeFounding(id)
  }

  /** By the hook; that it was done is noted before anything rests on it. */
  async bootstrap({ observation, fence }: EngineCall<GenericView>): Promise<void> {
    const { document, disk, pod, rules, roster } = this.#options
    const id = observation.cluster?.intent?.nonce
    if (id === undefined) throw new AgentError('TREE_UNREACHABLE', 'the intent is not known')
    fence.check()
    await this.#call(document.hooks?.bootstrap, pod)
    disk.writeCluster(id)
    if (rules.enlists) await roster.add(pod)
  }

  /** Tells the member that it is one; false when it was told before. */
  async join({ observation, fence }: EngineCall<GenericView>): Promise<boolean> {
    const { document, disk, pod, rules, roster } = this.#options
    const before = roster.names?.includes(pod) === true && !this.#isOut
    fence.check()
    await this.#call(document.hooks?.join, pod)
    const id = observation.cluster?.initialized?.engineClusterId
    if (rules.bootstrap === 'hook' && disk.cluster === null && id !== undefined) {
      disk.writeCluster(id)
    }
    if (rules.enlists) await roster.add(pod)
    this.#isOut = false
    return !before
  }

  async drain(): Promise<void> {
    const { document, pod, nowMs } = this.#options
    const claimant = this.#otherLeader()
    await this.#call(document.hooks?.drain, pod)
    this.#claimant = claimant
    this.#drainedAtMs = nowMs()
    this.#isOut = true
  }

  /** By whoever does it: the member itself may be gone. */
  async leave(name: string, { fence }: EngineCall<GenericView>): Promise<void> {
    const { document, roster } = this.#options
    fence.check()
    await this.#call(document.hooks?.leave, name)
    fence.check()
    await roster.remove(name)
  }

  async perform(
    name: string,
    args: Readonly<Record<string, string>>,
    call: EngineCall<GenericView>,
  ): Promise<void> {
    if (name === ENLIST) await this.join(call)
    else if (name === RENEW) await this.#options.files.renew(args['file'] ?? '')
    else throw new AgentError('ENGINE_REFUSED', `no duty ${name}`)
  }

  /** A hook that is about a member; none is done at once. */
  async #call(hook: GenericRequest | undefined, member: string): Promise<void> {
    if (hook === undefined) return
    const { questions, facts, hostOf, set } = this.#options
    const ordinal = ordinalOf(member, set) ?? 0
    const about = { pod: member, ordinal: String(ordinal), host: hostOf(ordinal) }
    await questions.ask(hook, { timeoutMs: limits.genericHookMs, factOf: facts.about(about) })
  }

  /** The disk is a member's from the first moment at which clients may write to it. */
  #served(): void {
    const { disk, rules, cluster } = this.#options
    const isNoted = rules.bootstrap === 'start' || isOrdered(rules)
    if (disk.cluster !== null || !isNoted) return
    const id = rules.bootstrap === 'start' ? disk.founding : cluster
    // A process that was started without this agent: its cluster is not known.
    if (id !== null) disk.writeCluster(id)
  }

  #clusterId(): string {
    const { disk, rules, cluster } = this.#options
    if (rules.bootstrap === 'none') return cluster
    return disk.cluster ?? (rules.bootstrap === 'start' ? disk.founding : null) ?? ''
  }

  #otherLeader(): string | null {
    const { document, directory, pod } = this.#options
    const { leader } = document.role ?? {}
    const member = leader === undefined ? null : directory.leader(leader)
    return member === null || member.pod === pod ? null : member.pod
  }

  #members() {
    const { roster, rules, directory, document, pod: own } = this.#options
    if (!rules.enlists) return []
    const heard = new Set(directory.members?.map(({ pod }) => pod))
    const names = (roster.names ?? []).filter((name) => {
      // This one is a member for as long as it runs: it is taken out when it is gone.
      return name !== own || document.leaves !== 'afterwards'
    })
    return names.map((name) => ({ name, voter: true, heard: heard.has(name) }))
  }

  #argumentObstacle(): string | null {
    const { document, facts } = this.#options
    const result = substitute(document.start?.args ?? '', facts.of)
    if (result.kind === 'text') return null
    const why = result.kind === 'unknown' ? `${result.name} is not known now` : result.reason
    return `arguments of the start: ${why}`
  }

  #filled(template: string): string {
    const result = substitute(template, this.#options.facts.of)
    if (result.kind === 'text') return result.text
    const why = result.kind === 'unknown' ? `${result.name} is not known now` : result.reason
    throw new AgentError('AGENT_CONFIG_INVALID', `arguments of the start: ${why}`)
  }
}

/** Whether a disk has data matters, though nothing is founded. */
function isOrdered({ bootstrap, order }: GenericRules): boolean {
  return bootstrap === 'none' && order === 'ordinals'
}
