import type {
  Coordination,
  TreeOperation,
  TreeZnode,
} from '../../../../agent/coordination/coordination.ts'
import type { LeaseStatus } from '../../../../agent/core/lease.ts'
import { AgentError } from '../../../../agent/errors.ts'

const NODE_EXISTS = -110

/** A double of the tree: znodes in memory, with watches; `session` null is a tree that is away. */
export class MemoryTree implements Coordination {
  session: string | null = 's1'
  readonly znodes = new Map<string, Buffer>()
  readonly #watches = new Map<string, (() => void)[]>()

  get status(): LeaseStatus {
    return this.session === null ? 'lost' : 'held'
  }

  get connectedTo(): string | null {
    return this.session === null ? null : 'memory:1'
  }

  /** As somebody else writes it. */
  put(path: string, text: string | null): void {
    if (text === null) this.znodes.delete(path)
    else this.znodes.set(path, Buffer.from(text))
    const watches = this.#watches.get(path) ?? []
    this.#watches.delete(path)
    for (const changed of watches) changed()
  }

  async read(path: string): Promise<TreeZnode | null> {
    this.#demandSession()
    const data = this.znodes.get(path)
    return data === undefined ? null : { data, version: 0, owner: '0', czxid: '1' }
  }

  async watch(path: string, changed: () => void): Promise<TreeZnode | null> {
    const znode = await this.read(path)
    this.#watches.set(path, [...(this.#watches.get(path) ?? []), changed])
    return znode
  }

  async children(path: string): Promise<readonly string[] | null> {
    this.#demandSession()
    const paths = [...this.znodes.keys()].filter((each) => each.startsWith(`${path}/`))
    return paths.map((each) => each.slice(path.length + 1))
  }

  async create(path: string, data: Uint8Array): Promise<void> {
    this.#demandSession()
    if (this.znodes.has(path)) throw new AgentError('TREE_REFUSED', 'it is there', NODE_EXISTS)
    this.znodes.set(path, Buffer.from(data))
  }

  async delete(path: string): Promise<boolean> {
    this.#demandSession()
    return this.znodes.delete(path)
  }

  async createNumbered(): Promise<string> {
    throw new Error('no lock is taken here')
  }

  async set(): Promise<void> {
    throw new Error('nothing is set here')
  }

  async commit(_operations: readonly TreeOperation[]): Promise<void> {
    throw new Error('nothing is changed under a lock here')
  }

  async barrier(): Promise<void> {}

  async close(): Promise<void> {}

  #demandSession(): void {
    if (this.session === null) throw new AgentError('TREE_UNREACHABLE', 'there is no session')
  }
}
