import type { PeerId } from '../../server/core/brand.ts'
import type { Transport, TransportEvents } from '../../server/transport/transport.ts'
import { JuteWriter } from '../../server/wire/jute.ts'
import { decodePeerFrame, encodePeerFrame } from '../../server/wire/peer-codec.ts'
import type { Hello, PeerFrame } from '../../server/wire/peer-frame.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export interface NetworkFaults {
  readonly latencyMsMin: number
  readonly latencyMsMax: number
  /** Of frames between servers. */
  readonly loss: number
  readonly duplication: number
  readonly spike: number
  /** Frames overtake each other. */
  readonly reorder: boolean
}

/** A process as the network sees it. */
export interface Endpoint {
  readonly address: string
  readonly alive: boolean
  /** Runs when the process does: later, when it is paused; never, when it is gone. */
  run(call: () => void): void
}

interface Link {
  readonly from: SimulatedTransport
  readonly to: SimulatedTransport
  up: boolean
  lastArrivalMs: number
}

const DIAL_MS = 120
/** A link that carries nothing for so long is given up by TCP. */
const DEAD_LINK_MS = 1500

/** Frames between simulated servers: encoded, delayed, lost, repeated, cut. */
export class Network {
  readonly scheduler: Scheduler
  readonly random: Random
  faults: NetworkFaults
  readonly #blocked = new Set<string>()
  readonly #byAddress = new Map<string, SimulatedTransport>()

  constructor(scheduler: Scheduler, random: Random, faults: NetworkFaults) {
    this.scheduler = scheduler
    this.random = random
    this.faults = faults
  }

  attach(transport: SimulatedTransport): void {
    this.#byAddress.set(transport.endpoint.address, transport)
  }

  find(address: string): SimulatedTransport | undefined {
    const transport = this.#byAddress.get(address)
    return transport?.endpoint.alive ? transport : undefined
  }

  /** One direction. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from} ${to}`)
  }

  healAll(): void {
    this.#blocked.clear()
  }

  blocked(from: string, to: string): boolean {
    return this.#blocked.has(`${from} ${to}`)
  }

  latencyMs(): number {
    const { latencyMsMin, latencyMsMax, spike } = this.faults
    const base = this.random.between(latencyMsMin, latencyMsMax)
    return this.random.chance(spike) ? base + this.random.between(50, 700) : base
  }
}

export class SimulatedTransport implements Transport {
  readonly endpoint: Endpoint
  readonly #network: Network
  readonly #events: TransportEvents
  #hello: Hello
  #targets: readonly string[] = []
  readonly #links = new Map<string, Link>()
  readonly #writer = new JuteWriter()
  #closed = false

  constructor(network: Network, endpoint: Endpoint, events: TransportEvents, hello: Hello) {
    this.#network = network
    this.endpoint = endpoint
    this.#events = events
    this.#hello = hello
    network.attach(this)
  }

  get hello(): Hello {
    return this.#hello
  }

  setTargets(addresses: readonly string[]): void {
    this.#targets = addresses
    for (const [address, link] of this.#links) if (!addresses.includes(address)) this.#drop(link)
    for (const address of addresses) this.#dial(address)
  }

  #dial(address: string): void {
    if (this.#closed || !this.endpoint.alive || !this.#targets.includes(address)) return
    const { scheduler } = this.#network
    const again = () => scheduler.after(DIAL_MS, () => this.endpoint.run(() => this.#dial(address)))
    if (this.#links.get(address)?.up) return
    const to = this.#network.find(address)
    const own = this.endpoint.address
    const cut = this.#network.blocked(own, address) || this.#network.blocked(address, own)
    if (to === undefined || cut) return again()
    const link: Link = { from: this, to, up: true, lastArrivalMs: scheduler.nowMs }
    this.#links.set(address, link)
    scheduler.after(this.#network.latencyMs(), () =>
      this.endpoint.run(() => {
        if (!link.up) return
        this.#events.linkUp(to.hello)
      }),
    )
    this.#watch(link, address)
  }

  /** Notices, as TCP does, that the other side is gone or unreachable. */
  #watch(link: Link, address: string): void {
    let deadSinceMs = -1
    const { scheduler } = this.#network
    const look = () => {
      if (!link.up) return
      const own = this.endpoint.address
      const cut = this.#network.blocked(own, address) || this.#network.blocked(address, own)
      if (!link.to.endpoint.alive || this.#network.find(address) !== link.to) {
        return this.endpoint.run(() => this.#drop(link))
      }
      deadSinceMs = cut ? (deadSinceMs < 0 ? scheduler.nowMs : deadSinceMs) : -1
      const dead = deadSinceMs >= 0 && scheduler.nowMs - deadSinceMs > DEAD_LINK_MS
      if (dead) return this.endpoint.run(() => this.#drop(link))
      scheduler.after(DIAL_MS, look)
    }
    scheduler.after(DIAL_MS, look)
  }

  #drop(link: Link): void {
    if (!link.up) return
    link.up = false
    const { address } = link.to.endpoint
    if (this.#links.get(address) === link) this.#links.delete(address)
    this.#events.linkDown(link.to.hello.id)
    this.#dial(address)
  }

  /** Breaks this side's link to an address, as a reset does. */
  reset(address: string): void {
    const link = this.#links.get(address)
    if (link !== undefined) this.#drop(link)
  }

  send(to: PeerId, frame: PeerFrame): void {
    const link = [...this.#links.values()].find((other) => other.up && other.to.hello.id === to)
    if (link === undefined || this.#closed) return
    this.#writer.reset()
    encodePeerFrame(this.#writer, frame)
    const bytes = this.#writer.copy()
    const { random, faults } = this.#network
    if (random.chance(faults.loss)) return
    this.#deliver(link, bytes)
    if (random.chance(faults.duplication)) this.#deliver(link, bytes)
  }

  #deliver(link: Link, bytes: Uint8Array): void {
    const { scheduler, faults } = this.#network
    let atMs = scheduler.nowMs + this.#network.latencyMs()
    if (!faults.reorder) atMs = Math.max(atMs, link.lastArrivalMs)
    link.lastArrivalMs = Math.max(link.lastArrivalMs, atMs)
    scheduler.after(atMs - scheduler.nowMs, () => {
      const cut = this.#network.blocked(this.endpoint.address, link.to.endpoint.address)
      if (!link.up || cut || !link.to.endpoint.alive) return
      link.to.endpoint.run(() => link.to.#receive(this.#hello.id, bytes))
    })
  }

  #receive(from: PeerId, bytes: Uint8Array): void {
    if (this.#closed) return
    const frame = decodePeerFrame(bytes.slice())
    if (frame === null) throw new Error('a peer frame does not decode')
    this.#events.frame(from, frame)
  }

  queuedBytes(): number {
    return 0
  }

  links(): readonly Hello[] {
    return [...this.#links.values()].filter((link) => link.up).map((link) => link.to.hello)
  }

  setHello(hello: Hello): void {
    this.#hello = hello
    for (const link of [...this.#links.values()]) this.#drop(link)
  }

  /** Those who dialled this server under its old hello learn the new one. */
  get closed(): boolean {
    return this.#closed
  }

  close(done: () => void): void {
    this.#closed = true
    done()
  }
}
