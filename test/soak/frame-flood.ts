import { connect, type Socket } from 'node:net'
import { Random } from '../simulation/random.ts'
import {
  type Burst,
  CLOSE,
  greetingsOf,
  HELLO,
  LASTING_HELLO,
  largeReads,
  type Material,
  materialOf,
  PLACES,
  watcherBursts,
} from './frame-pool.ts'

/*
 * The flood: a process of its own, so that what it costs is not the clients' that are measured. All
 * bytes are made beforehand; it writes them, and throws away what comes back.
 */

export type FloodOrder =
  | {
      readonly kind: 'start'
      readonly port: number
      readonly framesPerSecond: number
      readonly seed: number
    }
  /** Opens so many connections that say nothing, or half of a handshake. */
  | { readonly kind: 'halfOpen'; readonly connections: number }
  | { readonly kind: 'stop' }

export interface FloodFigures {
  /** Handed to the kernel; the server does not read those behind one that ends the connection. */
  readonly framesSent: number
  readonly connections: number
  /** Times that the flood was ahead of the server on every connection. */
  readonly stalls: number
}

const TICK_MS = 5
const FUZZERS = 64
const SILENT = 200
const HALF_OPEN_PER_TICK = 10
const WATCHERS = 8
const WATCHER_LIFE_MS = 8_000
const DEAF = 4
const DEAF_LIFE_MS = 5_000
const GREETINGS_PER_SECOND = 50
/** A connection that has so much before it is left alone until the server has read. */
const AHEAD_BYTES_MAX = 256 * 1024

/** All connections read into the same bytes, and nobody looks at them. */
const drain = { buffer: Buffer.allocUnsafeSlow(256 * 1024), callback: () => true }

class Flood {
  readonly #port: number
  readonly #framesPerSecond: number
  readonly #random: Random
  readonly #materials: readonly Material[]
  readonly #greetings: readonly Buffer[]
  readonly #watching = watcherBursts(10, 1_000)
  readonly #reading = largeReads(40)
  readonly #sockets = new Set<Socket>()
  readonly #fuzzers: Fuzzer[] = []
  readonly #timer: NodeJS.Timeout
  #begunAtMs = performance.now()
  #owedFrom = 0
  #greeted = 0
  #halfOpenLeft = 0
  #turn = 0
  #stopped = false
  framesSent = 0
  connections = 0
  stalls = 0

  constructor({ port, framesPerSecond, seed }: Extract<FloodOrder, { kind: 'start' }>) {
    this.#port = port
    this.#framesPerSecond = framesPerSecond
    this.#random = new Random(seed)
    this.#materials = PLACES.map((place) => materialOf(place, this.#random))
    this.#greetings = greetingsOf(this.#random, 500)
    this.#begunAtMs = performance.now()
    for (let i = 0; i < FUZZERS; i += 1) this.#fuzzers.push(this.#fuzzer(i))
    for (let i = 0; i < SILENT; i += 1) this.#halfOpen(() => this.#stopped)
    for (let i = 0; i < WATCHERS; i += 1) this.#watcher()
    for (let i = 0; i < DEAF; i += 1) this.#deaf()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Opens so many connections that say nothing, or half of a handshake, and leaves them alone. */
  leaveHalfOpen(connections: number): void {
    this.#halfOpenLeft += connections
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    for (const socket of this.#sockets) socket.destroy()
  }

  #tick(): void {
    const elapsed = (performance.now() - this.#begunAtMs) / 1_000
    const owed = elapsed * this.#framesPerSecond
    let idle = 0
    while (this.#owedFrom < owed && idle < FUZZERS) {
      this.#turn = (this.#turn + 1) % FUZZERS
      const frames = this.#fuzzers[this.#turn]?.send() ?? 0
      this.framesSent += frames
      this.#owedFrom += frames
      idle = frames === 0 ? idle + 1 : 0
    }
    if (idle > 0) {
      // What the server could not take is not sent in one heap later.
      this.stalls += 1
      this.#owedFrom = Math.max(this.#owedFrom, owed)
    }
    for (let i = 0; i < HALF_OPEN_PER_TICK && this.#halfOpenLeft > 0; i += 1) {
      this.#halfOpenLeft -= 1
      this.#halfOpen(() => true)
    }
    for (; this.#greeted < elapsed * GREETINGS_PER_SECOND; this.#greeted += 1) this.#greet()
  }

  #open(opened: (socket: Socket) => void, closed: () => void): Socket {
    this.connections += 1
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true, onread: drain })
    this.#sockets.add(socket)
    socket.once('connect', () => opened(socket))
    // The server may cut it at any time; 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (!this.#stopped) closed()
    })
    return socket
  }

  #fuzzer(place: number): Fuzzer {
    const material = this.#materials[place % this.#materials.length]
    if (material === undefined) throw new Error('there is material for every place')
    return new Fuzzer(this.#random, material, (opened, closed) => this.#open(opened, closed))
  }

  #greet(): void {
    const bytes = this.#random.pick(this.#greetings)
    const lifeMs = this.#random.pick([0, 100, 1_000])
    const socket = this.#open(
      () => socket.write(bytes),
      () => clearTimeout(end),
    )
    const end = setTimeout(() => socket.destroy(), lifeMs)
    this.framesSent += 1
  }

  /** A connection that says nothing, or half a handshake, until the server ends it. */
  #halfOpen(over: () => boolean): void {
    const part = HELLO.subarray(0, this.#random.pick([0, 0, 2, 4, 30]))
    this.#open(
      (socket) => {
        if (part.length > 0) socket.write(part)
      },
      () => {
        if (!over()) this.#halfOpen(over)
      },
    )
  }

  /** Sets thousands of watches and goes on living for a while. */
  #watcher(): void {
    const socket = this.#open(
      () => {
        socket.write(LASTING_HELLO)
        for (const burst of this.#watching) this.#send(socket, burst)
      },
      () => {
        clearTimeout(end)
        this.#watcher()
      },
    )
    const end = setTimeout(() => socket.destroy(), WATCHER_LIFE_MS)
  }

  /** Asks for more than the server keeps for one client, and reads nothing. */
  #deaf(): void {
    const socket = this.#open(
      () => {
        socket.pause()
        socket.write(LASTING_HELLO)
        this.#send(socket, this.#reading)
      },
      () => clearTimeout(end),
    )
    const end = setTimeout(() => {
      socket.destroy()
      if (!this.#stopped) this.#deaf()
    }, DEAF_LIFE_MS)
  }

  #send(socket: Socket, burst: Burst): void {
    socket.write(burst.bytes)
    this.framesSent += burst.frames
  }
}

/** One connection after another at one place: bursts, then something that may end it. */
class Fuzzer {
  readonly #random: Random
  readonly #material: Material
  readonly #open: (opened: (socket: Socket) => void, closed: () => void) => Socket
  #socket: Socket | null = null
  #left = 0

  constructor(
    random: Random,
    material: Material,
    open: (opened: (socket: Socket) => void, closed: () => void) => Socket,
  ) {
    this.#random = random
    this.#material = material
    this.#open = open
    this.#begin()
  }

  #begin(): void {
    this.#left = this.#random.integer(5, 60)
    this.#open(
      (socket) => {
        socket.write(HELLO)
        this.#socket = socket
      },
      () => {
        this.#socket = null
        this.#begin()
      },
    )
  }

  /** One burst; the number of its frames, 0 when the connection takes none now. */
  send(): number {
    const socket = this.#socket
    if (socket === null || socket.writableLength > AHEAD_BYTES_MAX) return 0
    this.#left -= 1
    if (this.#left > 0) return this.#write(socket, this.#random.pick(this.#material.gentle))
    return this.#finish(socket)
  }

  /** In one of the ways in which connections end. */
  #finish(socket: Socket): number {
    this.#socket = null
    const chance = this.#random.unit()
    const frames = chance < 0.7 ? this.#write(socket, this.#random.pick(this.#material.rough)) : 1
    if (chance >= 0.7 && chance < 0.8) socket.write(CLOSE)
    if (chance < 0.9) socket.end()
    else socket.destroy()
    return frames
  }

  #write(socket: Socket, burst: Burst): number {
    socket.write(burst.bytes)
    return burst.frames
  }
}

let flood: Flood | null = null

process.on('message', (order: FloodOrder) => {
  if (order.kind === 'start') flood = new Flood(order)
  else if (order.kind === 'halfOpen') flood?.leaveHalfOpen(order.connections)
  else if (flood !== null) {
    flood.stop()
    const { framesSent, connections, stalls } = flood
    process.send?.({ framesSent, connections, stalls } satisfies FloodFigures)
    flood = null
  }
})
process.on('disconnect', () => process.exit())
