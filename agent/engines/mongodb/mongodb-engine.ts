import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Document } from 'bson'
import { clusterPolicy } from '../../core/cluster/cluster-policy.ts'
import {
  type ConfigStep,
  firstConfig,
  type SetConfig,
  sameConfig,
  withMember,
  withoutMember,
  withoutVote,
  withVote,
} from '../../core/cluster/mongodb-config.ts'
import { type MongodbView, mongodbPlan } from '../../core/cluster/mongodb-plan.ts'
import type { DiskReport, Observation } from '../../core/observation.ts'
import { AgentError, messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { ClientPorts, Engine, EngineCall } from '../engine.ts'
import type { MemberDisk } from '../member-disk.ts'
import type { MongodFiles } from './files.ts'
import { Membership } from './membership.ts'
import { isRefusal, type Mongod, refusals } from './mongod.ts'
import { Observer } from './observer.ts'
import type { Places } from './places.ts'
import { createUser, missingUsers, type WantedUser } from './users.ts'

export interface MongodbOptions {
  readonly disk: MemberDisk
  readonly dataDirectory: string
  readonly files: MongodFiles
  readonly local: Mongod
  /** A server elsewhere, to be closed after use. */
  readonly at: (place: string) => Mongod
  readonly places: Places
  readonly pod: string
  readonly ordinal: number
  readonly replicaSet: string
  readonly tls: boolean
  readonly port: number
  readonly agent: WantedUser
  /** Beside the agent's own. */
  readonly users: readonly WantedUser[]
  readonly nowMs: () => number
  readonly warn: (message: string) => void
}

/** What the shell of the container would not take as it stands. */
const SAFE_LINE = /^[\w.,:/=@ -]*$/

/** A member of a replica set. */
export class MongodbEngine implements Engine<MongodbView> {
  readonly kind = 'mongodb'
  readonly policy = clusterPolicy(mongodbPlan)
  readonly clientPorts: ClientPorts
  readonly ports: Readonly<Record<string, number>> = {}
  readonly #options: MongodbOptions
  readonly #observer: Observer
  readonly #membership: Membership
  readonly #place: string
  readonly #dbPath: string
  #voteless = false
  /** Removing much takes its time, and nobody waits for it: one after the other, and so many to come. */
  #tidied: Promise<void> = Promise.resolve()
  #tidying = 0
  #asideAgainMs = -Infinity

  constructor(options: MongodbOptions) {
    this.#options = options
    const { disk, places, ordinal, port, tls } = options
    this.#dbPath = join(options.dataDirectory, 'db')
    this.clientPorts = tls ? { port: null, sslPort: port } : { port, sslPort: null }
    this.#place = places.of(ordinal)
    this.#observer = new Observer({
      ...options,
      place: this.#place,
      known: () => disk.cluster ?? '',
      learn: (clusterId) => {
        if (clusterId !== '' && disk.cluster !== clusterId) disk.writeCluster(clusterId)
      },
    })
    this.#membership = new Membership(options)
  }

  /**
   * Whether there was ever a configuration on the disk only the server can tell, so the agent notes the id of
   * the set when it learns it. A server that was never initiated writes files as well: they are nothing. And
   * where the files were deleted, as one does to have a member copy all data anew, the note is nothing.
   */
  discover(): DiskReport {
    const { disk } = this.#options
    try {
      if (disk.isMoving) disk.finishMove()
      if (disk.cluster !== null && !hasFiles(this.#dbPath)) disk.clearCluster()
      const clusterId = disk.cluster
      if (clusterId === null) return { kind: 'empty', founding: null }
      return { kind: 'member', clusterId, incarnation: '', departed: disk.departed !== null }
    } catch (error) {
      return { kind: 'unreadable', reason: messageOf(error) }
    }
  }

  /** None: the members elect by their oplogs. */
  async position(): Promise<null> {
    return null
  }

  async observe(): Promise<MongodbView> {
    const { disk, nowMs } = this.#options
    const spent = disk.isSpent
    const aside = this.#tidying === 0 && nowMs() >= this.#asideAgainMs && disk.hasAside
    return { ...(await this.#observer.observe()), voteless: this.#voteless, spent, aside }
  }

  liveness({ silentMs }: MongodbView): boolean {
    return silentMs < limits.mongodbSilentMs
  }

  async version(): Promise<string> {
    const { version } = await this.#options.local.asAllowed({ buildInfo: 1 })
    return typeof version === 'string' ? version : ''
  }

  /** Always the same: a replica set is formed and joined by commands, never by how a server starts. */
  permitLine(): string {
    const { files, replicaSet, port, disk } = this.#options
    mkdirSync(this.#dbPath, { recursive: true })
    const set = `--replSet ${replicaSet} --port ${port} --dbpath ${this.#dbPath}`
    const line = `${set} ${files.prepare()}`
    files.certificates.started()
    if (!SAFE_LINE.test(line)) throw new AgentError('AGENT_CONFIG_INVALID', `unsafe: ${line}`)
    // With data it gets its vote back; and whatever it starts with is what it has.
    this.#voteless = false
    if (disk.isSpent) disk.clearSpent()
    return line
  }

  /** Initiates with this member alone, makes the agent's user by the localhost exception, then the others. */
  async bootstrap(call: EngineCall<MongodbView>): Promise<void> {
    const { local, replicaSet, ordinal, agent } = this.#options
    const { setName } = await local.plain({ hello: 1 })
    if (setName === undefined) {
      await this.#refuseBeside(call.observation)
      const config = firstConfig(replicaSet, this.#place, ordinal)
      call.fence.check()
      try {
        await local.asAllowed({ replSetInitiate: config }, limits.mongodbChangeMs)
      } catch (error) {
        if (!isRefusal(error, refusals.alreadyInitialized)) throw error
      }
    }
    await this.#becomesPrimary()
    if (!(await this.#canLogIn())) {
      const send = (command: object, timeoutMs: number) => local.plain(command, timeoutMs)
      await createUser(agent, send, call.fence)
    }
    await this.#createUsers(call)
  }

  async join({ observation, fence }: EngineCall<MongodbView>): Promise<boolean> {
    const { ordinal } = this.#options
    const step = (config: SetConfig) => withMember(config, this.#place, ordinal)
    const taken = await this.#change(step, observation, fence)
    if (!observation.engine.retired || (await this.#isInside()) || taken) return taken
    // It is listed and does not find itself, as when its name did not resolve: a member looks once for each
    // configuration, so it gets the same one under a new version.
    let renewed = false
    const renewal = (config: SetConfig) => {
      const next = renewed ? null : sameConfig(config)
      renewed = true
      return next
    }
    return await this.#change(renewal, observation, fence)
  }

  async drain(): Promise<void> {
    const command = {
      replSetStepDown: limits.mongodbStepDownSeconds,
      secondaryCatchUpPeriodSecs: limits.mongodbCatchUpSeconds,
    }
    try {
      await this.#options.local.asAgent(command, 1_500 * limits.mongodbCatchUpSeconds)
    } catch (error) {
      if (!isRefusal(error, refusals.notWritablePrimary)) throw error
    }
  }

  async leave(name: string, { observation, fence }: EngineCall<MongodbView>): Promise<void> {
    // A name that is no pod is that of a host which somebody else added.
    const place = this.#options.places.ofPod(name) ?? name
    const step = (config: SetConfig, primary: string) => {
      const next = withoutMember(config, place)
      if (next === null || primary !== place) return next
      throw new AgentError('ENGINE_REFUSED', `${name} is primary: it cannot be removed`)
    }
    await this.#change(step, observation, fence)
  }

  async perform(
    name: string,
    _args: Readonly<Record<string, string>>,
    call: EngineCall<MongodbView>,
  ): Promise<void> {
    const { disk } = this.#options
    switch (name) {
      case 'certificates':
        return await this.#observer.attempt(name, () => this.#renewCertificates())
      case 'users':
        return await this.#observer.attempt(name, () => this.#createUsers(call))
      case 'promote':
        return await this.#promote(call)
      case 'yieldVote':
        await this.#yieldVote(call)
        this.#voteless = true
        return
      case 'resync':
        return await this.#observer.attempt(name, () => this.#resync(call))
      case 'setAside':
        return this.#setAside()
      case 'keep':
        return disk.clearSpent()
      case 'dropAside':
        return this.#tidy(null)
      default:
        throw new Error(`no duty of MongoDB: ${name}`)
    }
  }

  async #promote({ observation, fence }: EngineCall<MongodbView>): Promise<void> {
    await this.#change((config) => withVote(config, this.#place), observation, fence)
  }

  async #yieldVote({ observation, fence }: EngineCall<MongodbView>): Promise<void> {
    await this.#change((config) => withoutVote(config, this.#place), observation, fence)
  }

  /** Renamed at once; what there is no room for goes while the member copies. */
  #setAside(): void {
    this.#tidy(this.#options.disk.moveAside())
  }

  #tidy(kept: string | null): void {
    const { disk, warn, nowMs } = this.#options
    this.#tidying += 1
    this.#tidied = this.#tidied
      .then(() => disk.removeAside(kept))
      .catch((error: unknown) => {
        this.#asideAgainMs = nowMs() + limits.mongodbDutyRetryMs
        warn(`what was moved aside: ${messageOf(error)}`)
      })
      .finally(() => {
        this.#tidying -= 1
      })
  }

  /** Ends with the end of the server, which starts again by a permit alone: its disk is looked at first. */
  async #resync(call: EngineCall<MongodbView>): Promise<void> {
    const { disk, local } = this.#options
    await this.#yieldVote(call)
    disk.markSpent(new Date().toISOString())
    try {
      // By force: not even an index that it builds, and can never finish, is to hold it up.
      await local.asAgent({ shutdown: 1, force: true, timeoutSecs: 0 }, limits.mongodbChangeMs)
    } catch (error) {
      // It ends without an answer, now or later.
      if (error instanceof AgentError && error.code === 'ENGINE_UNREACHABLE') return
      if (isRefusal(error, refusals.shutdownInProgress, refusals.interruptedAtShutdown)) return
      disk.clearSpent()
      throw error
    }
  }

  /** Connections that are open keep the certificate under which they were made. */
  async #renewCertificates(): Promise<void> {
    const { files, local } = this.#options
    await files.certificates.tell(async () => {
      files.prepare()
      await local.asAgent({ rotateCertificates: 1 })
    })
  }

  async #change(
    step: (config: SetConfig, primary: string) => ConfigStep,
    { engine, statefulSet, self }: Observation<MongodbView>,
    fence: EngineCall['fence'],
  ): Promise<boolean> {
    const { places, pod } = this.#options
    const { firstOrdinal, replicas } =
      statefulSet.kind === 'ok' ? statefulSet.value : { firstOrdinal: 0, replicas: self.ordinal }
    const expected = Array.from({ length: replicas }, (_, i) => places.of(firstOrdinal + i))
    const members = engine.members.flatMap(({ name }) => places.ofPod(name) ?? [])
    const others = new Set([...expected, ...members])
    others.delete(places.ofPod(pod) ?? '')
    return await this.#membership.change(step, [...others], fence)
  }

  /** No other process that can be reached may run in a replica set: that one is to be joined. */
  async #refuseBeside({ statefulSet, self }: Observation<MongodbView>): Promise<void> {
    const { places, at } = this.#options
    if (statefulSet.kind !== 'ok') return
    const { firstOrdinal, replicas } = statefulSet.value
    const ordinals = Array.from({ length: replicas }, (_, i) => firstOrdinal + i)
    const others = ordinals.filter((ordinal) => ordinal !== self.ordinal)
    const found = await Promise.all(
      others.map(async (ordinal) => {
        const mongod = at(places.of(ordinal))
        const hello = await mongod.plain({ hello: 1 }).catch(() => null)
        mongod.close()
        return hello?.['setName'] === undefined ? null : places.of(ordinal)
      }),
    )
    const running = found.find((place) => place !== null)
    if (running == null) return
    throw new AgentError('ENGINE_REFUSED', `${running} runs in a replica set: none is initiated`)
  }

  async #becomesPrimary(): Promise<void> {
    if (await this.#says(({ isWritablePrimary }) => isWritablePrimary === true)) return
    throw new AgentError('ENGINE_REFUSED', 'the member that was initiated is not primary yet')
  }

  /** A configuration that lists this member has come to it. */
  async #isInside(): Promise<boolean> {
    return await this.#says(({ setName }) => setName !== undefined)
  }

  /** True as soon as the member's `hello` is as expected, false when that takes too long. */
  async #says(expected: (hello: Document) => boolean): Promise<boolean> {
    const { local, nowMs } = this.#options
    const deadlineMs = nowMs() + limits.mongodbChangeMs
    while (nowMs() < deadlineMs) {
      if (expected(await local.plain({ hello: 1 }))) return true
      await pause(limits.mongodbPauseMs)
    }
    return false
  }

  async #canLogIn(): Promise<boolean> {
    try {
      await this.#options.local.asAgent({ ping: 1 })
      return true
    } catch (error) {
      if (isRefusal(error, refusals.authenticationFailed)) return false
      throw error
    }
  }

  async #createUsers({ fence }: EngineCall<MongodbView>): Promise<void> {
    const { local, users } = this.#options
    const missing = await missingUsers(local, users)
    const send = (command: object, timeoutMs: number) => local.asAgent(command, timeoutMs)
    for (const user of users.filter(({ name }) => missing.includes(name))) {
      await createUser(user, send, fence)
    }
  }
}

function hasFiles(path: string): boolean {
  return existsSync(path) && readdirSync(path).length > 0
}
