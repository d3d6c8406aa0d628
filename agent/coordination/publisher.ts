import { type KnownDocument, readMemberDocument } from '../core/member-document.ts'
import { type ExistingZnode, publicationStep } from '../core/publication.ts'
import { messageOf } from '../errors.ts'
import type { Coordination } from './coordination.ts'

export interface PublisherOptions {
  readonly coordination: Coordination
  /** Of the member's document; its parent lists all members. */
  readonly path: string
  readonly self: KnownDocument
  readonly everyMs: number
  readonly log: (message: string, fields: object) => void
}

/**
 * Keeps one ephemeral document in the tree as it should be, through lost sessions and leftovers. It
 * looks again and again instead of trusting a watch, since a document that its session does not own
 * goes without a word.
 */
export class Publisher {
  readonly #options: PublisherOptions
  readonly #timer: NodeJS.Timeout
  #wanted: string | null = null
  #busy = false
  /** What the tree was last seen to say; null while it does not say what it should. */
  published: string | null = null
  /** Names of all members with a document; null while the tree cannot be read. */
  members: readonly string[] | null = null
  conflict = ''

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#sync(), options.everyMs)
  }

  /** The text to publish from now on; null withdraws the document. */
  want(text: string | null): void {
    if (text === this.#wanted) return
    this.#wanted = text
    void this.#sync()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #sync(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      if (this.#options.coordination.session === null) {
        this.members = null
        this.published = null
        return
      }
      const wanted = this.#wanted
      if (wanted === null) await this.#withdraw()
      else await this.#publish(wanted)
      this.members = (await this.#options.coordination.children(this.#parent())) ?? []
      if (wanted !== this.#wanted) queueMicrotask(() => void this.#sync())
    } catch (error) {
      // The tree is away or the session over: the next look begins from what is there then.
      this.members = null
      this.published = null
      this.#options.log('the member document could not be looked after', {
        reason: messageOf(error),
      })
    } finally {
      this.#busy = false
    }
  }

  async #publish(text: string): Promise<void> {
    const { coordination, path, self } = this.#options
    const session = coordination.session ?? ''
    const step = publicationStep(await this.#existing(), session, self, text)
    this.conflict = step.kind === 'conflict' ? step.reason : ''
    if (step.kind === 'conflict') {
      this.published = null
      return
    }
    const data = Buffer.from(text)
    if (step.kind === 'set') await coordination.set(path, data, step.version)
    if (step.kind === 'replace') await coordination.delete(path, step.version)
    if (step.kind === 'replace' || step.kind === 'create') {
      await coordination.create(path, data, 'ephemeral')
    }
    this.published = text
  }

  async #withdraw(): Promise<void> {
    const existing = await this.#existing()
    const { coordination, path } = this.#options
    if (existing !== null && existing.owner === coordination.session) {
      await coordination.delete(path, existing.version)
    }
    this.published = null
  }

  async #existing(): Promise<ExistingZnode | null> {
    const znode = await this.#options.coordination.read(this.#options.path)
    if (znode === null) return null
    const text = Buffer.from(znode.data).toString()
    const { owner, version } = znode
    return { owner, version, text, document: readMemberDocument(text) }
  }

  #parent(): string {
    const { path } = this.#options
    return path.slice(0, path.lastIndexOf('/'))
  }
}
