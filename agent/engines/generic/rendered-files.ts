import { existsSync, readFileSync } from 'node:fs'
import type { Coordination } from '../../coordination/coordination.ts'
import { AgentError } from '../../errors.ts'
import { writeWhole } from '../../whole-file.ts'
import type { GenericRequest } from './generic-document.ts'
import type { RenderedFile } from './rendered-file.ts'

export interface FileOfEngine {
  readonly file: RenderedFile
  /** Tells the process that it is another text; null: it looks by itself, or at its next start. */
  readonly reload: GenericRequest | null
}

export interface RenderedFilesOptions {
  readonly files: readonly FileOfEngine[]
  readonly coordination: Coordination
  /** Of the znodes that no other place was given for: whoever writes one finds it there. */
  readonly folder: string
  /** Which texts the process was told of: it outlives the agent, and goes with the pod. */
  readonly toldPath: string
  /** A text that was refused is not told again before this. */
  readonly retryMs: number
  readonly nowMs: () => number
  /** Asks the engine. */
  readonly ask: (request: GenericRequest) => Promise<unknown>
}

const OWN_MODE = 0o600
const NODE_EXISTS = -110

/** The files of an engine: made before each start, replaced while it runs, and the process told. */
export class RenderedFiles {
  readonly #options: RenderedFilesOptions
  readonly #told: Map<string, string>
  /** The session in which the folder was last made. */
  #madeIn: string | null = null
  /** By name, when a text is told again that was refused. */
  readonly #heldUntilMs = new Map<string, number>()

  constructor(options: RenderedFilesOptions) {
    this.#options = options
    this.#told = new Map(Object.entries(readTold(options.toldPath)))
  }

  refresh(): void {
    for (const { file } of this.#options.files) file.refresh()
    const { session } = this.#options.coordination
    if (session !== null && session !== this.#madeIn) void this.#makeFolder(session)
  }

  /** Why nothing can be started now; null: it can. */
  get obstacle(): string | null {
    return this.#options.files.map(({ file }) => file.obstacle).find((one) => one !== null) ?? null
  }

  /** What people have to look at. */
  get troubles(): readonly string[] {
    return this.#options.files.flatMap(({ file }) => file.trouble ?? [])
  }

  /** Names of files that are to be renewed now. */
  get stale(): readonly string[] {
    const nowMs = this.#options.nowMs()
    return this.#options.files
      .filter(({ file, reload }) => {
        if (nowMs < (this.#heldUntilMs.get(file.name) ?? nowMs)) return false
        return !file.isWritten || (reload !== null && this.#told.get(file.name) !== file.digest)
      })
      .map(({ file }) => file.name)
  }

  /** Makes all of them, for a process that is about to start and reads them. Rejects when one cannot be made. */
  prepare(): void {
    for (const { file, reload } of this.#options.files) {
      file.look()
      if (file.obstacle !== null) throw new Error(file.obstacle)
      file.write()
      if (reload !== null) this.#told.set(file.name, file.digest)
    }
    this.#heldUntilMs.clear()
    this.#note()
  }

  /** Replaces one, then tells the process; what the process refuses stays in its place and is told again. */
  async renew(name: string): Promise<void> {
    const { files, retryMs, nowMs, ask } = this.#options
    const found = files.find(({ file }) => file.name === name)
    if (found === undefined) throw new Error(`no file ${name}`)
    const { file, reload } = found
    const { digest } = file
    this.#heldUntilMs.set(name, nowMs() + retryMs)
    file.write()
    if (reload !== null) {
      await ask(reload)
      this.#told.set(name, digest)
      this.#note()
    }
    this.#heldUntilMs.delete(name)
  }

  async #makeFolder(session: string): Promise<void> {
    const { files, coordination, folder } = this.#options
    this.#madeIn = session
    if (files.length === 0) return
    try {
      await coordination.create(folder, Buffer.alloc(0), 'persistent')
    } catch (error) {
      const isThere = error instanceof AgentError && error.detail === NODE_EXISTS
      // The tree is away: the next look makes it.
      if (!isThere) this.#madeIn = null
    }
  }

  #note(): void {
    if (this.#options.files.length === 0) return
    const text = JSON.stringify(Object.fromEntries(this.#told))
    writeWhole(this.#options.toldPath, Buffer.from(text), OWN_MODE)
  }
}

function readTold(path: string): Readonly<Record<string, string>> {
  if (!existsSync(path)) return {}
  const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
