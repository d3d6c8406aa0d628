import type { FaultKind } from './profile.ts'
import type { Random } from './random.ts'
import type { ServerProcess } from './server-process.ts'
import type { Simulation } from './simulation.ts'

/** Does to the ensemble what its seed says, and undoes it after a while. */
export class Nemesis {
  readonly #simulation: Simulation
  readonly #random: Random
  #stopped = false
  #churnUntilMs = -1
  /** A server that lost its disk: nobody else loses theirs before it is back. */
  #healing: ServerProcess | null = null

  constructor(simulation: Simulation, random: Random) {
    this.#simulation = simulation
    this.#random = random
    if (simulation.profile.faults.length > 0) this.#later()
  }

  #later(): void {
    const { scheduler, profile } = this.#simulation
    scheduler.after(this.#random.between(200, profile.faultGapMsMax), () => {
      if (this.#stopped) return
      this.#strike(this.#random.pick(profile.faults))
      this.#later()
    })
  }

  /** Ends all faults: links whole, processes up and running. */
  stop(): void {
    this.#stopped = true
    this.#simulation.network.healAll()
    for (const server of this.#simulation.servers) {
      server.resume()
      server.freeDisk()
      if (!server.alive) server.start()
    }
  }

  #undoAfter(msMin: number, msMax: number, undo: () => void): void {
    this.#simulation.scheduler.after(this.#random.between(msMin, msMax), () => {
      if (!this.#stopped) undo()
    })
  }

  #strike(kind: FaultKind): void {
    const { servers, network } = this.#simulation
    const server = this.#random.pick(servers)
    switch (kind) {
      case 'partition':
        return this.#partition()
      case 'oneWay':
        return this.#oneWay(server)
      case 'reset':
        server.transport?.reset(this.#random.pick(servers).address)
        return
      case 'kill':
        return this.#kill(server, false)
      case 'powerCut':
        return this.#kill(server, true)
      case 'blackout':
        for (const each of servers) this.#kill(each, true)
        return
      case 'churn':
        return this.#churn()
      case 'pause':
        return this.#pause(server)
      case 'wipe':
        return this.#wipe(server)
      case 'rot':
        return this.#rot(server)
      case 'fullDisk':
        server.fillDisk()
        return this.#undoAfter(500, 8_000, () => server.freeDisk())
      case 'remove':
        return this.#remove(server)
      case 'transfer':
        this.#simulation.leader()?.replica?.transferLeadership(null)
        return
      case 'snapshot':
        if (!server.paused) server.replica?.takeSnapshot(() => {})
        return
      case 'clockJump':
        server.skewClock(this.#random.between(-10_000, 10_000))
        return
      case 'userCrash':
        return this.#simulation.replaceUser(this.#random)
      default:
        throw new Error(`no fault ${kind satisfies never} on ${network}`)
    }
  }

  #partition(): void {
    const { network, servers } = this.#simulation
    const alone = this.#random.chance(0.4) ? this.#simulation.leader() : null
    const inside = servers.filter((server) =>
      alone === null ? this.#random.chance(0.5) : server === alone,
    )
    for (const one of inside) {
      for (const other of servers) {
        if (inside.includes(other)) continue
        network.block(one.address, other.address)
        network.block(other.address, one.address)
      }
    }
    this.#simulation.trace(`partition ${inside.map((server) => server.name)} from the rest`)
    this.#undoAfter(500, 7_000, () => network.healAll())
  }

  #oneWay(server: ServerProcess): void {
    const { network, servers } = this.#simulation
    const outwards = this.#random.chance(0.5)
    const all = this.#random.chance(0.5)
    const victim = this.#random.pick(servers)
    for (const other of servers) {
      if (other === server || (!all && other !== victim)) continue
      if (outwards) network.block(server.address, other.address)
      else network.block(other.address, server.address)
    }
    this.#simulation.trace(`${server.name} ${outwards ? 'is not heard' : 'does not hear'}`)
    this.#undoAfter(500, 7_000, () => network.healAll())
  }

  #kill(server: ServerProcess, powerCut: boolean): void {
    if (!server.alive) return
    server.kill(powerCut)
    this.#undoAfter(50, 5_000, () => {
      if (!server.alive) server.start()
    })
  }

  /** For a while leaders die young: what Raft's figure 8 warns of. */
  #churn(): void {
    this.#churnUntilMs = this.#simulation.scheduler.nowMs + 20_000
    this.#simulation.trace('leaders die young')
    const leader = this.#simulation.leader()
    if (leader !== null) this.elected(leader)
    this.#undoAfter(20_000, 21_000, () => {
      for (const server of this.#simulation.servers) if (!server.alive) server.start()
    })
  }

  /** In a churn a new leader is heard by few, and dies; who died before it comes back. */
  elected(leader: ServerProcess): void {
    const { scheduler, servers } = this.#simulation
    if (this.#stopped || scheduler.nowMs > this.#churnUntilMs) return
    this.#silence(leader, this.#random.chance(0.6) ? this.#random.pick(servers) : null)
    this.#undoAfter(1, this.#random.chance(0.5) ? 10 : 300, () => this.#replace(leader))
  }

  /** In a churn a leader often dies as soon as it has committed anything, and nobody hears of it. */
  committed(leader: ServerProcess): void {
    if (this.#stopped || this.#simulation.scheduler.nowMs > this.#churnUntilMs) return
    if (!this.#random.chance(0.7)) return
    this.#silence(leader, null)
    this.#undoAfter(0, 1, () => this.#replace(leader))
  }

  #silence(leader: ServerProcess, heard: ServerProcess | null): void {
    const { servers, network } = this.#simulation
    for (const other of servers) {
      if (other !== leader && other !== heard) network.block(leader.address, other.address)
    }
  }

  #replace(leader: ServerProcess): void {
    if (!leader.alive) return
    const { servers, network } = this.#simulation
    leader.kill(this.#random.chance(0.5))
    // What it sent last is lost with it.
    this.#undoAfter(60, 120, () => network.healAll())
    const down = servers.filter((server) => server !== leader && !server.alive)
    if (down.length > 0) this.#random.pick(down).start()
  }

  #pause(server: ServerProcess): void {
    if (!server.alive || server.paused) return
    server.pause()
    this.#undoAfter(50, this.#random.chance(0.3) ? 9_000 : 2_500, () => server.resume())
  }

  /** The operator's rule: one lost disk at a time, and only while all the others are whole. */
  #wipe(server: ServerProcess): void {
    if (!this.#mayLoseDisk()) return
    this.#healing = server
    server.kill(false)
    server.wipe()
    this.#undoAfter(50, 3_000, () => {
      if (!server.alive) server.start()
    })
  }

  #rot(server: ServerProcess): void {
    if (!this.#mayLoseDisk()) return
    this.#healing = server
    server.kill(true)
    server.rot()
    this.#undoAfter(50, 3_000, () => {
      if (!server.alive) server.start()
    })
  }

  #mayLoseDisk(): boolean {
    const healing = this.#healing
    if (healing !== null && !this.#simulation.belongs(healing)) return false
    return healing?.replica?.raft.abstains !== true && this.#simulation.allBelong()
  }

  #remove(server: ServerProcess): void {
    if (!this.#simulation.allBelong()) return
    this.#simulation.trace(`remove ${server.name}`)
    this.#simulation.leader()?.replica?.removeMember(server.name, () => {})
  }
}
