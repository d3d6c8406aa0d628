import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { type FactOf, substitute } from '../../core/substitution.ts'
import { messageOf } from '../../errors.ts'
import { writeWhole } from '../../whole-file.ts'
import type { WatchedZnode } from './watched-znode.ts'

/** The engine runs as the same user, or in the same group. */
const MODE = 0o640
/** What nobody but agents reads. */
const OWN_MODE = 0o600

export interface RenderedFileOptions {
  readonly name: string
  /** Where the engine reads it. */
  readonly path: string
  readonly znode: WatchedZnode
  /** Path of the znode, for people. */
  readonly znodePath: string
  /** What it is while there is no znode; null: a start waits for the znode. */
  readonly content: string | null
  readonly once: boolean
  /** The last template of the tree, for starts without it. */
  readonly copyPath: string
  readonly bytesMax: number
  readonly factOf: FactOf
}

/** The text that the file is to be, or why there is none. */
type Wanted =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'none'; readonly reason: string }

/** One file of an engine, made of a znode: the template, and the facts that it names. */
export class RenderedFile {
  readonly #options: RenderedFileOptions
  readonly name: string
  #onDisk: string | null

  constructor(options: RenderedFileOptions) {
    this.#options = options
    this.name = options.name
    this.#onDisk = textOf(options.path)
  }

  refresh(): void {
    this.#options.znode.refresh()
  }

  /** Why there is nothing to start with; null: there is. What was rendered before will do. */
  get obstacle(): string | null {
    if (this.#onDisk !== null) return null
    const wanted = this.#wanted()
    return wanted.kind === 'text' ? null : `${this.name}: ${wanted.reason}`
  }

  /** What is wrong with the text that the tree has now; null: nothing, or nothing is known. */
  get trouble(): string | null {
    if (this.#options.once && this.#onDisk !== null) return null
    const wanted = this.#wanted()
    return wanted.kind === 'text' ? null : `${this.name}: ${wanted.reason}`
  }

  /** The text to have; null where there is none, or the file is the engine's own by now. */
  get text(): string | null {
    if (this.#options.once && this.#onDisk !== null) return null
    const wanted = this.#wanted()
    return wanted.kind === 'text' ? wanted.text : null
  }

  get isWritten(): boolean {
    const { text } = this
    return text === null || text === this.#onDisk
  }

  /** Of the text to have, else of the one that is there; '' for neither. */
  get digest(): string {
    const text = this.text ?? this.#onDisk ?? ''
    return createHash('sha256').update(text).digest('hex')
  }

  /** For a start: what is on the disk may have been removed with its data. */
  look(): void {
    this.#onDisk = textOf(this.#options.path)
  }

  /** Replaces the file where it is another text. */
  write(): void {
    const { path, znode, copyPath } = this.#options
    const { text } = this
    if (text === null) return
    if (znode.content.kind === 'data') writeWhole(copyPath, znode.content.data, OWN_MODE)
    if (text === this.#onDisk) return
    writeWhole(path, Buffer.from(text), MODE)
    this.#onDisk = text
  }

  #wanted(): Wanted {
    const { znodePath, factOf, bytesMax } = this.#options
    const template = this.#template()
    if (template === null) return { kind: 'none', reason: `there is no znode ${znodePath}` }
    if (Buffer.byteLength(template) > bytesMax) return tooLong(bytesMax)
    let result: ReturnType<typeof substitute>
    try {
      result = substitute(template, factOf)
    } catch (error) {
      return { kind: 'none', reason: messageOf(error) }
    }
    if (result.kind === 'invalid') return { kind: 'none', reason: result.reason }
    if (result.kind === 'unknown') {
      return { kind: 'none', reason: `the fact ${result.name} is not known now` }
    }
    return Buffer.byteLength(result.text) > bytesMax ? tooLong(bytesMax) : result
  }

  #template(): string | null {
    const { znode, content, copyPath } = this.#options
    if (znode.content.kind === 'data') return Buffer.from(znode.content.data).toString()
    return znode.content.kind === 'absent' ? content : (textOf(copyPath) ?? content)
  }
}

function tooLong(bytesMax: number): Wanted {
  return { kind: 'none', reason: `it is longer than ${bytesMax} bytes` }
}

function textOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}
