import type { Coordination } from '../../coordination/coordination.ts'
import { AgentError } from '../../errors.ts'

const NODE_EXISTS = -110

export interface RosterOptions {
  readonly coordination: Coordination
  /** One znode for each member that was told that it is one. */
  readonly path: string
  readonly everyMs: number
  readonly nowMs: () => number
}

/**
 * Who is a member of an engine that cannot be asked: whoever was told that it is one, and was not told yet that it
 * is none. Read beside the loop.
 */
export class MemberRoster {
  readonly #options: RosterOptions
  #askedAtMs = Number.NEGATIVE_INFINITY
  #isAsking = false
  #changes = 0
  /** Null before it was read. */
  names: readonly string[] | null = null

  constructor(options: RosterOptions) {
    this.#options = options
  }

  /** Reads when it is time to; to be called again and again. */
  refresh(): void {
    const { everyMs, nowMs, coordination } = this.#options
    const due = nowMs() - this.#askedAtMs >= everyMs
    if (due && !this.#isAsking && coordination.session !== null) void this.#ask()
  }

  async add(name: string): Promise<void> {
    const { coordination, path } = this.#options
    this.#changes += 1
    try {
      await coordination.create(`${path}/${name}`, Buffer.alloc(0), 'persistent')
    } catch (error) {
      if (!(error instanceof AgentError && error.detail === NODE_EXISTS)) throw error
    }
    this.names = [...(this.names ?? []).filter((other) => other !== name), name]
  }

  async remove(name: string): Promise<void> {
    const { coordination, path } = this.#options
    this.#changes += 1
    await coordination.delete(`${path}/${name}`, -1)
    this.names = this.names?.filter((other) => other !== name) ?? null
  }

  async #ask(): Promise<void> {
    const { coordination, path, nowMs } = this.#options
    const before = this.#changes
    this.#isAsking = true
    this.#askedAtMs = nowMs()
    try {
      const names = (await coordination.children(path)) ?? []
      // What this agent changed meanwhile may not be in it.
      if (before === this.#changes) this.names = names
    } catch {
      // The tree is away: what was known stays.
    } finally {
      this.#isAsking = false
    }
  }
}
