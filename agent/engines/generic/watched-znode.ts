import type { Coordination } from '../../coordination/coordination.ts'

export interface WatchedZnodeOptions {
  readonly coordination: Coordination
  readonly path: string
  readonly everyMs: number
  readonly nowMs: () => number
}

/** What a znode held when it was last read. */
export type ZnodeContent =
  /** The tree has not been read yet. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'data'; readonly data: Uint8Array }

/**
 * A znode that is read when it changes. A watch goes with its session, so the znode is read again when the session
 * is another, and from time to time. While the tree is away it is what it was.
 */
export class WatchedZnode {
  readonly #options: WatchedZnodeOptions
  readonly #changed = () => this.#read()
  #session: string | null = null
  #readAtMs = Number.NEGATIVE_INFINITY
  #reading = false
  #again = false
  content: ZnodeContent = { kind: 'unknown' }

  constructor(options: WatchedZnodeOptions) {
    this.#options = options
  }

  /** Reads it when it is time to; to be called again and again. */
  refresh(): void {
    const { coordination, everyMs, nowMs } = this.#options
    const { session } = coordination
    if (session === null) return
    if (session !== this.#session || nowMs() - this.#readAtMs >= everyMs) this.#read()
  }

  #read(): void {
    this.#again = true
    if (!this.#reading) void this.#look()
  }

  async #look(): Promise<void> {
    const { coordination, path, nowMs } = this.#options
    this.#reading = true
    while (this.#again) {
      this.#again = false
      this.#readAtMs = nowMs()
      const { session } = coordination
      try {
        const znode = await coordination.watch(path, this.#changed)
        this.content = znode === null ? { kind: 'absent' } : { kind: 'data', data: znode.data }
        this.#session = session
      } catch {
        // The tree is away: the next call of `refresh` with a session reads it.
        this.#session = null
      }
    }
    this.#reading = false
  }
}
