import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { AgentError, messageOf } from './errors.ts'

/**
 * The FIFO that a container's command reads before it starts its engine, each time. A reader is a
 * process that asks, and proof that the engine does not run; a line in the pipe is one permit. Each
 * permit uses its pipe up: another takes its place first, so that a reader that has its line, and has
 * not closed the pipe yet, is never taken for one that asks again.
 */
export class PermitPipe {
  readonly #path: string
  #file: number | null = null

  constructor(path: string) {
    this.#path = path
    make(path)
  }

  /** True while a process waits for its permit. */
  get asking(): boolean {
    return this.#file !== null
  }

  /**
   * Looks for a reader. Opening without one fails at once. The end is kept open until a permit is
   * given, since a reader whose last writer leaves reads the end of the file.
   */
  look(): boolean {
    if (this.#file !== null) return true
    try {
      this.#file = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (error) {
      if (codeOf(error) !== 'ENXIO') throw unusable(this.#path, error)
    }
    return this.#file !== null
  }

  /** Writes one line to the reader. False when it is gone; then the next look finds the next one. */
  grant(line: string): boolean {
    const file = this.#file
    if (file === null) return false
    this.#file = null
    try {
      replace(this.#path)
      writeSync(file, `${line}\n`)
      return true
    } catch (error) {
      if (codeOf(error) === 'EPIPE') return false
      throw unusable(this.#path, error)
    } finally {
      closeSync(file)
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }
}

function make(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    if (statSync(path, { throwIfNoEntry: false }) === undefined) replace(path)
    if (!statSync(path).isFIFO()) throw new Error('it is no pipe')
  } catch (error) {
    throw unusable(path, error)
  }
}

/** Node has no mkfifo of its own; the command is in every base image with a shell. */
function replace(path: string): void {
  const next = `${path}.next`
  rmSync(next, { force: true })
  execFileSync('mkfifo', ['-m', '660', next])
  renameSync(next, path)
}

function unusable(path: string, error: unknown): AgentError {
  return new AgentError('AGENT_PIPE_UNUSABLE', `${path}: ${messageOf(error)}`)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null
}
