import type { Document } from 'bson'
import { Link, type LinkTls } from './wire.ts'

export type Role = 'uninitiated' | 'startup' | 'recovering' | 'secondary' | 'primary' | 'removed'

/** What a primary knows of another member. */
export interface Peer {
  matched: number
  next: number
  configAt: string
  heardAtMs: number
  role: Role
  optimeMs: number
}

export interface PeersOptions {
  readonly store: { readonly log: readonly unknown[] }
  readonly key: string
  readonly tls: LinkTls
  readonly electionMs: number
}

/** The other members of a double's set, and a connection to each. */
export class Peers {
  readonly #options: PeersOptions
  readonly #links = new Map<string, Link>()
  readonly #peers = new Map<string, Peer>()
  isolated = false

  constructor(options: PeersOptions) {
    this.#options = options
  }

  of(host: string): Peer {
    const known = this.#peers.get(host)
    if (known !== undefined) return known
    const fresh: Peer = {
      matched: 0,
      next: this.#options.store.log.length,
      configAt: '',
      heardAtMs: -Infinity,
      role: 'secondary',
      optimeMs: 0,
    }
    this.#peers.set(host, fresh)
    return fresh
  }

  /** Nothing is known of anybody: a primary begins anew. */
  clear(): void {
    this.#peers.clear()
  }

  isBusy(host: string): boolean {
    return this.#link(host).isBusy
  }

  /** Null: no answer. */
  ask(host: string, message: Document): Promise<Document | null> {
    if (this.isolated) return Promise.resolve(null)
    return this.#link(host).ask({ ...message, key: this.#options.key }, this.#options.electionMs)
  }

  close(): void {
    for (const link of this.#links.values()) link.close()
  }

  #link(host: string): Link {
    const known = this.#links.get(host)
    if (known !== undefined) return known
    const link = new Link(host, this.#options.tls)
    this.#links.set(host, link)
    return link
  }
}
