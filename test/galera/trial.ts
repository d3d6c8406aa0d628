import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ServerEnsemble } from '../support/processes.ts'
import { quorateEnsemble } from '../support/quorate-process.ts'
import { waitFor } from '../support/wait-for.ts'
import type { GaleraMember } from './member.ts'
import { GaleraPods, kindOf } from './pods.ts'
import { rootSession, Writer } from './writer.ts'

const COUNT = 5
const THREE = [0, 1, 2]
const ALL = [0, 1, 2, 3, 4]
const FORMED_WITHIN_MS = 180_000
const WRITES = 50
const ISOLATED_MS = 20_000

/** Real members of Galera on three servers of Quorate, under writes, and what may happen to them. */
export class GaleraTrial {
  readonly pods: GaleraPods
  readonly #servers: ServerEnsemble
  #writer: Writer | null = null

  private constructor(servers: ServerEnsemble, pods: GaleraPods) {
    this.#servers = servers
    this.pods = pods
  }

  static async start(): Promise<GaleraTrial> {
    const servers = await quorateEnsemble({ servers: 3 })
    await servers.start()
    const hosts = servers.clientPorts.map((port) => `127.0.0.1:${port}`)
    const options = { hosts, count: COUNT, replicas: 3, method: 'rsync', tls: null } as const
    return new GaleraTrial(servers, await GaleraPods.at(options))
  }

  async stop(): Promise<void> {
    await this.#writer?.stop()
    await this.pods.close()
    await this.#servers.stop()
  }

  logs(): string {
    return `${this.#servers.logs()}\n${this.pods.logs()}`
  }

  /** Three empty members become a cluster; one begins it, and joins do not overlap. */
  async forms() {
    const startedAt = Date.now()
    await this.pods.startAll(THREE)
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    const seconds = secondsSince(startedAt)
    assert.deepEqual(this.pods.permits().map(kindOf), ['found', 'join', 'join'])
    assert.deepEqual(this.pods.overlappingJoins(), [])
    this.#writer = await Writer.start(THREE.map((i) => this.pods.member(i)))
    await this.#writes()
    return { seconds }
  }

  /**
   * All are killed, at once or one ahead of the others, and start again: seconds until the first write that was
   * acknowledged, and until all serve.
   */
  async outlivesAllKilled(oneAhead: number | null) {
    const uuid = this.#uuid()
    if (oneAhead !== null) {
      await this.pods.kill([oneAhead])
      await this.#writes()
    }
    const killedAt = Date.now()
    await this.pods.kill(THREE)
    const deadAt = Date.now()
    await this.pods.startAll(THREE)
    await this.#writes()
    const firstWrite = (this.#acknowledgedAfter(deadAt) - deadAt) / 1_000
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    const allReady = secondsSince(deadAt)
    const permits = this.pods.permits(killedAt)
    const starts = permits.filter((permit) => kindOf(permit) !== 'join')
    assert.equal(starts.length, 1, `starts of a cluster: ${JSON.stringify(permits)}`)
    const positions = THREE.map((i) => positionOf(this.pods.member(i)))
    assert.equal(positions[starts[0]?.pod ?? -1], Math.max(...positions))
    assert.deepEqual(this.pods.overlappingJoins(killedAt), [])
    assert.equal(this.#uuid(), uuid)
    await this.#nothingIsLost(THREE)
    return { positions, firstWrite, allReady }
  }

  /** All stop in order and come back, with what is in the tree as it is. */
  async stopsAndComesBack() {
    const uuid = this.#uuid()
    this.pods.kubernetes.replicas = 0
    const startedAt = Date.now()
    await Promise.all(THREE.map((i) => this.pods.stop(i)))
    this.pods.kubernetes.replicas = 3
    await this.pods.startAll(THREE)
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    assert.equal(this.#uuid(), uuid)
    await this.#writes()
    await this.#nothingIsLost(THREE)
    return { seconds: secondsSince(startedAt) }
  }

  /** The server that began the cluster is killed alone: it joins, and begins nothing. */
  async joinsAfterItBegan() {
    const starter = this.pods.permits().findLast((permit) => kindOf(permit) !== 'join')?.pod ?? 0
    const killedAt = Date.now()
    await this.pods.member(starter).kill()
    await waitFor('it starts again', () => this.pods.permits(killedAt).length > 0, FORMED_WITHIN_MS)
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    const kinds = this.pods.permits(killedAt).map((permit) => [permit.pod, kindOf(permit)])
    assert.deepEqual(kinds, [[starter, 'join']])
    await this.#nothingIsLost(THREE)
    return { seconds: secondsSince(killedAt) }
  }

  /** Three to five and back by the number alone; the longest time without an acknowledged write. */
  async scales() {
    const startedAt = Date.now()
    this.pods.kubernetes.replicas = 5
    await this.pods.startAll([3, 4])
    await this.pods.ready(ALL, FORMED_WITHIN_MS)
    assert.deepEqual(this.pods.overlappingJoins(startedAt), [])
    await this.#expects(5)
    await this.#nothingIsLost(ALL)
    const more = secondsSince(startedAt)
    this.pods.kubernetes.replicas = 3
    await Promise.all([3, 4].map((i) => this.pods.stop(i)))
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    await this.#expects(3)
    await this.#writes()
    await this.#nothingIsLost(THREE)
    const longestGapMs = this.#writer?.longestGapMs(startedAt)
    return { threeToFive: more, seconds: secondsSince(startedAt), longestGapMs }
  }

  /** The last member hears nobody for a while (gmcast.isolate): it serves nobody, and is back by itself. */
  async healsAPartition() {
    const member = this.pods.member(2)
    const session = rootSession(member)
    const isolate = (on: number) =>
      session.query(`SET GLOBAL wsrep_provider_options = 'gmcast.isolate=${on}'`)
    const startedAt = Date.now()
    const { pid } = member.process
    await isolate(1)
    await waitFor(
      'it serves nobody',
      async () => (await this.pods.probe(2, '/engine/readyz')) === 503,
      FORMED_WITHIN_MS,
    )
    while (Date.now() - startedAt < ISOLATED_MS) {
      assert.equal(await this.pods.probe(2, '/engine/livez'), 200)
      await pause(500)
    }
    await this.#writes()
    const healedAt = Date.now()
    await isolate(0)
    session.close()
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    assert.equal(member.process.pid, pid)
    assert.deepEqual(this.pods.permits(startedAt), [])
    await this.#nothingIsLost(THREE)
    return { isolatedSeconds: (healedAt - startedAt) / 1_000, healed: secondsSince(healedAt) }
  }

  /** An empty member is filled by a copy that takes so long; nobody takes it for dead meanwhile. */
  async waitsForASlowCopy(seconds: number) {
    await this.pods.kill([2])
    const member = this.pods.member(2)
    for (const name of ['data', 'agent']) {
      rmSync(join(member.volume, name), { recursive: true, force: true })
    }
    const startedAt = Date.now()
    await this.pods.start(2)
    await waitFor('it starts', () => this.pods.permits(startedAt).length > 0, FORMED_WITHIN_MS)
    const { pid } = member.process
    // Whoever sends stands still in the middle of it.
    const sending = await waitFor('a copy is sent', () => sendersOfCopies(), FORMED_WITHIN_MS)
    const stoppedAt = Date.now()
    for (const sender of sending) process.kill(sender, 'SIGSTOP')
    const answers = new Set<number>()
    while (Date.now() - stoppedAt < 1_000 * seconds) {
      answers.add(await this.pods.probe(2, '/engine/livez'))
      await pause(1_000)
    }
    for (const sender of sending) process.kill(sender, 'SIGCONT')
    while (!(await this.#isReady(2))) {
      answers.add(await this.pods.probe(2, '/engine/livez'))
      assert(Date.now() - startedAt < 1_000 * seconds + FORMED_WITHIN_MS, 'it is never filled')
      await pause(1_000)
    }
    assert.deepEqual([...answers], [200])
    assert.equal(member.process.pid, pid)
    assert.equal(this.pods.permits(startedAt).length, 1)
    const took = secondsSince(startedAt)
    assert(took >= seconds, `the copy took ${took} s`)
    await this.pods.ready(THREE, FORMED_WITHIN_MS)
    await this.#nothingIsLost(THREE)
    return { slowedBySeconds: seconds, seconds: took }
  }

  async #isReady(index: number): Promise<boolean> {
    return (await this.pods.probe(index, '/engine/readyz')) === 200
  }

  async #expects(count: number): Promise<void> {
    await waitFor(
      `${count} ordinals may hold data`,
      async () => (await this.pods.status(0)).observation.cluster?.initialized?.expected === count,
      FORMED_WITHIN_MS,
    )
  }

  async #writes(): Promise<void> {
    await this.#writer?.goesOn(WRITES, FORMED_WITHIN_MS)
  }

  #acknowledgedAfter(atMs: number): number {
    return this.#writer?.acknowledged.find((write) => write.atMs > atMs)?.atMs ?? Number.NaN
  }

  async #nothingIsLost(indexes: readonly number[]): Promise<void> {
    for (const index of indexes) {
      assert.deepEqual(await this.#writer?.lostOn(this.pods.member(index)), [])
    }
  }

  #uuid(): string {
    const uuids = new Set(THREE.map((index) => this.pods.member(index).uuid()))
    assert.equal(uuids.size, 1)
    return [...uuids][0] ?? ''
  }
}

/** Where the data ended when the server was killed, as its container told the agent. */
export function positionOf({ runDirectory }: GaleraMember): number {
  return Number(readFileSync(join(runDirectory, 'galera-position'), 'utf8').split(':')[1])
}

/** The programs that send a copy from any member now; null while there is none. */
function sendersOfCopies(): number[] | null {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const senders = pids.map(Number).filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return /wsrep_sst_rsync .*--role '?donor/.test(line) && line.includes('quorate-galera-')
    } catch {
      // It has just ended.
      return false
    }
  })
  return senders.length === 0 ? null : senders
}

function secondsSince(atMs: number): number {
  return Math.round((Date.now() - atMs) / 10) / 100
}
