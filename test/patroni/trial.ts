import assert from 'node:assert/strict'
import { fourLetterWord, leaderOf, type ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { indexOf, type MemberState, PatroniMembers, TTL_SECONDS } from './members.ts'
import { Writer } from './writer.ts'

const BOOTSTRAP_WITHIN_MS = 90_000
const SETTLED_WITHIN_MS = 60_000
const FAILOVER_WITHIN_MS = 30_000
const OUTAGE_MS = 20_000
/** Some turns of Patroni's loop of two seconds: what it does not do in them, it does not do. */
const LOOPS_MS = 10_000
const WRITES = 50

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Patroni and PostgreSQL on three servers of Quorate, under writes, and what may happen to them. */
export class PatroniTrial {
  readonly #servers: ServerEnsemble
  readonly #members: PatroniMembers
  #writer: Writer | null = null

  private constructor(servers: ServerEnsemble, members: PatroniMembers) {
    this.#servers = servers
    this.#members = members
  }

  static async start(): Promise<PatroniTrial> {
    const servers = await quorateEnsemble({ servers: 3 })
    await servers.start()
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    return new PatroniTrial(servers, await PatroniMembers.at(hosts))
  }

  async stop(): Promise<void> {
    this.#writer?.stop()
    this.#members.stop()
    await this.#servers.stop()
  }

  logs(): string {
    return `${this.#servers.logs()}\n${this.#members.logs()}`
  }

  /** Three empty members become one primary with two replicas that stream from it. */
  async bootstraps() {
    const startedAt = Date.now()
    this.#members.startAll()
    await this.#members.settled(BOOTSTRAP_WITHIN_MS)
    const seconds = (Date.now() - startedAt) / 1_000
    this.#writer = new Writer(this.#members)
    await this.#writer.goesOn(WRITES, SETTLED_WITHIN_MS)
    return { seconds }
  }

  /** The leader of the servers is killed: the primary stays, and is written to. */
  async keepsItsPrimaryWithoutTheLeader() {
    const before = await this.#members.settled(SETTLED_WITHIN_MS)
    const startedAt = Date.now()
    const leader = await leaderOf(this.#servers)
    await this.#servers.kill(leader)
    await pause(LOOPS_MS)
    await this.#servers.restart(leader)
    const gapMs = await this.#stayed(before, startedAt)
    return { gapMs }
  }

  /** The primary's Patroni and PostgreSQL are killed: another takes over, with all that was acknowledged. */
  async failsOver() {
    const before = await this.#members.settled(SETTLED_WITHIN_MS)
    const killedAt = Date.now()
    this.#members.kill(indexOf(before.name))
    await this.#members.promoted(before.name, FAILOVER_WITHIN_MS)
    const promotedMs = Date.now() - killedAt
    await this.#written().goesOn(WRITES, SETTLED_WITHIN_MS)
    const gapMs = Math.round(this.#written().longestGapMs(killedAt))
    this.#members.start(indexOf(before.name))
    await this.#members.settled(SETTLED_WITHIN_MS)
    await this.#nothingLost()
    return { promotedMs, gapMs, acknowledged: this.#written().acknowledged.length }
  }

  /** `patronictl switchover` hands over to the synchronous replica. */
  async switchesOver() {
    const before = await this.#members.settled(SETTLED_WITHIN_MS)
    const states = (await this.#members.states()) ?? []
    const candidate = states.find(({ role }) => role === 'sync_standby')?.name ?? ''
    const startedAt = Date.now()
    const names = ['--leader', before.name, '--candidate', candidate]
    const ended = await this.#members.control('switchover', 'tests', ...names, '--force')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    const after = await this.#members.promoted(before.name, FAILOVER_WITHIN_MS)
    assert.equal(after.name, candidate)
    await this.#written().goesOn(WRITES, SETTLED_WITHIN_MS)
    const gapMs = Math.round(this.#written().longestGapMs(startedAt))
    await this.#members.settled(SETTLED_WITHIN_MS)
    await this.#nothingLost()
    return { gapMs }
  }

  /** All servers are away for 20 s: with failsafe_mode the primary goes on. */
  async outlivesAnOutage() {
    const before = await this.#members.settled(SETTLED_WITHIN_MS)
    const startedAt = Date.now()
    const all = this.#servers.clientPorts.map((_, index) => index)
    await Promise.all(all.map((index) => this.#servers.kill(index)))
    await pause(OUTAGE_MS)
    const duringOutage = this.#written().acknowledged.filter(({ atMs }) => atMs > startedAt).length
    await Promise.all(all.map((index) => this.#servers.restart(index)))
    await pause(LOOPS_MS)
    const gapMs = await this.#stayed(before, startedAt)
    assert.ok(duringOutage > 0, 'nothing was written during the outage')
    return { duringOutage, gapMs }
  }

  /** Patroni opens its sessions anew with another time to live, and nothing else happens. */
  async takesAnotherTtl() {
    const before = await this.#members.settled(SETTLED_WITHIN_MS)
    const startedAt = Date.now()
    const timeouts = [TTL_SECONDS + 5, TTL_SECONDS]
    for (const ttl of timeouts) {
      await this.#members.configure({ ttl })
      const wanted = Array.from({ length: 3 }, () => 1_000 * ttl)
      const agree = async () => String(await this.#sessionTimeoutsMs()) === String(wanted)
      await waitFor(`all sessions have ${ttl} s`, agree, SETTLED_WITHIN_MS)
    }
    const gapMs = await this.#stayed(before, startedAt)
    return { gapMs }
  }

  /** Of the members' sessions, as `cons` tells; its own connection has none. */
  async #sessionTimeoutsMs(): Promise<number[]> {
    const answers = await Promise.all(
      this.#servers.clientPorts.map((port) => fourLetterWord(port, 'cons')),
    )
    return answers.flatMap((answer) =>
      [...answer.matchAll(/,to=(\d+),/g)].map(([, to]) => Number(to)),
    )
  }

  /** The same primary on the same timeline, with both replicas, and writes that went on. */
  async #stayed(before: MemberState, fromMs: number): Promise<number> {
    const after = await this.#members.settled(SETTLED_WITHIN_MS)
    assert.deepEqual([after.name, after.timeline], [before.name, before.timeline])
    await this.#written().goesOn(WRITES, SETTLED_WITHIN_MS)
    await this.#nothingLost()
    return Math.round(this.#written().longestGapMs(fromMs))
  }

  async #nothingLost(): Promise<void> {
    assert.deepEqual(await this.#written().lost(), [], 'acknowledged writes are lost')
  }

  #written(): Writer {
    assert.ok(this.#writer !== null, 'nothing is written before it bootstraps')
    return this.#writer
  }
}
