import type { LoadOperation } from './load.ts'
import type { RequestSource } from './load-session.ts'
import { createRequests, getRequests, type RequestStream, setRequests } from './request-stream.ts'

export const KEYS = '/bench/keys'
export const MADE = '/bench/made'
export const FILLED = '/bench/filled'
export const PARENTS: readonly string[] = ['/bench', KEYS, MADE, FILLED]
/** Set, get and mixed spread over so many znodes. */
export const KEY_COUNT = 1_000
const GET_SHARE_OF_MIXED = 0.7

/** Keys from 0 to below `count`, once each. */
export class Counting implements RequestSource {
  readonly streams: readonly RequestStream[]
  readonly stream = 0
  readonly #count: number
  key = -1

  constructor(streams: readonly RequestStream[], count: number) {
    this.streams = streams
    this.#count = count
  }

  advance(): boolean {
    this.key += 1
    return this.key < this.#count
  }
}

/** Each stream once. */
export class Once implements RequestSource {
  readonly streams: readonly RequestStream[]
  readonly key = 0
  stream = -1

  constructor(streams: readonly RequestStream[]) {
    this.streams = streams
  }

  advance(): boolean {
    this.stream += 1
    return this.stream < this.streams.length
  }
}

/** Requests until it is stopped. */
export class Endless implements RequestSource {
  readonly streams: readonly RequestStream[]
  readonly #keys: number
  readonly #firstShare: number
  #stopped = false
  #random: number
  stream = 0
  key = -1
  asked = 0

  /** Keys below `keys`, drawn anew each time; 0: each key once, upwards. */
  constructor(streams: readonly RequestStream[], keys: number, firstShare: number, seed: number) {
    this.streams = streams
    this.#keys = keys
    this.#firstShare = firstShare * 0x8000_0000
    this.#random = (seed * 2_654_435_761) >>> 1
  }

  stop(): void {
    this.#stopped = true
  }

  advance(): boolean {
    if (this.#stopped) return false
    this.asked += 1
    if (this.#keys === 0) {
      this.key += 1
      return true
    }
    this.key = this.#draw() % this.#keys
    if (this.streams.length > 1) this.stream = this.#draw() < this.#firstShare ? 0 : 1
    return true
  }

  /** The upper bits of a linear congruence. */
  #draw(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return this.#random ^ (this.#random >>> 15)
  }
}

/** What one session asks in a window. */
export function sourceOf(operation: LoadOperation, session: number): Endless {
  const seed = session + 1
  switch (operation) {
    case 'create':
      return new Endless([createRequests(MADE, prefixOf(session))], 0, 1, seed)
    case 'set':
      return new Endless([setRequests(KEYS)], KEY_COUNT, 1, seed)
    case 'get':
      return new Endless([getRequests(KEYS)], KEY_COUNT, 1, seed)
    case 'mixed': {
      const streams = [getRequests(KEYS), setRequests(KEYS)]
      return new Endless(streams, KEY_COUNT, GET_SHARE_OF_MIXED, seed)
    }
  }
}

/** What a session's creates begin with, so that no two meet. */
export function prefixOf(session: number): string {
  return `s${session}-`
}
