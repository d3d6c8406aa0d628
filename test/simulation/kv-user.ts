import { type Operation, plainCreate } from '../../server/core/machine/operation.ts'
import type { Outcome } from '../../server/ensemble/ensemble.ts'
import { Violation } from './history.ts'
import type { Random } from './random.ts'
import type { ServerProcess } from './server-process.ts'
import { PATHS, type UserWorld } from './zk-user.ts'

/**
 * A client of the key-value API: any server answers, writes as the system's session, reads behind a
 * barrier. Holds every answer against the history: both are linearizable.
 */
export class KvUser {
  readonly name: string
  readonly #world: UserWorld
  readonly #random: Random
  #count = 0
  #working = true

  constructor(world: UserWorld, name: string, random: Random) {
    this.#world = world
    this.name = name
    this.#random = random
    this.#workLater()
  }

  rest(): void {
    this.#working = false
  }

  #workLater(): void {
    this.#world.scheduler.after(this.#random.between(30, 900), () => {
      if (!this.#working) return
      this.#work()
      this.#workLater()
    })
  }

  #work(): void {
    const server = this.#random.pick(this.#world.servers)
    const path = this.#random.pick(PATHS)
    const dice = this.#random.unit()
    const after = this.#world.acknowledgedZxid()
    const ask = dice < 0.45 ? this.#write(path, after) : this.#read(path, after)
    this.#later(() => server.run(() => ask(server)))
  }

  #later(call: () => void): void {
    this.#world.scheduler.after(this.#random.between(0.1, 2), call)
  }

  #write(path: string, after: number): (server: ServerProcess) => void {
    this.#count += 1
    const mark = `${this.name}-${this.#count}`
    const data = Buffer.from(mark)
    const dice = this.#random.unit()
    const operation: Operation =
      dice < 0.5 ? { kind: 'setData', path, data, version: -1 } : plainCreate(path, data)
    return (server) => {
      let answers = 0
      server.replica?.submit(
        { session: 0, connection: 0, identities: [], operation },
        (outcome) => {
          answers += 1
          if (answers > 1) throw new Violation('answers', `${mark} was answered twice`)
          this.#later(() => this.#answered(mark, after, outcome))
        },
      )
    }
  }

  #answered(mark: string, after: number, outcome: Outcome): void {
    const { history } = this.#world
    if (outcome.kind === 'lost') return
    if (outcome.kind === 'refused') return history.promiseNever(mark)
    const { zxid, error } = outcome.result
    const known = history.results.get(zxid)
    if (known === undefined) throw new Violation('durability', `acknowledged ${zxid} is in no log`)
    if (known.error !== error) {
      throw new Violation(
        'durability',
        `zxid ${zxid} was answered ${error}, the log says ${known.error}`,
      )
    }
    if (zxid <= after) {
      throw new Violation('linearizable', `a write after ${after} was put at ${zxid}`)
    }
    this.#world.acknowledge(zxid)
    this.#world.countOperation()
  }

  #read(path: string, after: number): (server: ServerProcess) => void {
    return (server) => {
      const { replica } = server
      replica?.barrier((ok) => {
        if (!ok) return
        const { machine } = replica
        const zxid = machine.lastZxid
        const data = machine.tree.data(path)
        const shown = data === undefined ? null : data === null ? '' : Buffer.from(data).toString()
        this.#later(() => this.#shown(path, after, zxid, shown))
      })
    }
  }

  #shown(path: string, after: number, zxid: number, shown: string | null): void {
    if (zxid < after) {
      throw new Violation('linearizable', `a read after ${after} showed the state at ${zxid}`)
    }
    const state = this.#world.history.state(path, zxid)
    const expected = state?.exists ? state.data : null
    if (shown !== expected) {
      throw new Violation('read', `${path} at ${zxid} is ${expected}, was shown as ${shown}`)
    }
    this.#world.acknowledge(zxid)
    this.#world.countOperation()
  }
}
