import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { waitFor } from './wait-for.ts'

const STOP_WITHIN_MS = 30_000
const LOG_TAIL_BYTES = 8 * 1024

/** An ensemble of real server processes, of whichever kind, that a suite drives. */
export interface ServerEnsemble {
  readonly name: string
  /** One per server, in the order of their ids. */
  readonly clientPorts: readonly number[]
  /** One per server; empty where the servers speak no HTTP. */
  readonly httpPorts: readonly number[]
  /** Where `/metrics` is: one per server; empty where there is none. */
  readonly metricsPorts: readonly number[]
  readonly tickMs: number
  /** Starts all servers and resolves when each serves clients. */
  start(): Promise<void>
  /** Asks every server to stop, waits for it, and removes the data. */
  stop(): Promise<void>
  /** SIGKILL for one server; resolves when the process is gone. */
  kill(index: number): Promise<void>
  /** SIGTERM for one server; resolves with its exit code. */
  terminate(index: number): Promise<number | null>
  /** Starts a killed server again on its data; resolves when it serves clients. */
  restart(index: number): Promise<void>
  /** The servers' process ids, undefined for one that is down. */
  pids(): (number | undefined)[]
  /** The end of every server's output, to print when a test failed. */
  logs(): string
}

/** One server's process: its output goes to a file, so that a full pipe never stops it. */
export class ServerProcess {
  readonly #name: string
  readonly #command: string
  readonly #args: readonly string[]
  readonly #logFile: string
  readonly #cwd: string | undefined
  #child: ChildProcess | null = null

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    logFile: string,
    cwd?: string,
  ) {
    this.#name = name
    this.#command = command
    this.#args = args
    this.#logFile = logFile
    this.#cwd = cwd
  }

  get pid(): number | undefined {
    return this.isRunning ? this.#child?.pid : undefined
  }

  get isRunning(): boolean {
    const child = this.#child
    return child !== null && child.exitCode === null && child.signalCode === null
  }

  start(): void {
    if (this.isRunning) throw new Error(`${this.#name} is running`)
    const log = openSync(this.#logFile, 'a')
    const child = spawn(this.#command, this.#args, {
      stdio: ['ignore', log, log],
      cwd: this.#cwd,
    })
    closeSync(log)
    child.on('error', (error) => {
      if (child.pid === undefined) throw new Error(`${this.#name}: ${error.message}`)
    })
    this.#child = child
    running.add(this)
  }

  /** Sends a signal and resolves with the exit code when the process is gone. */
  async signal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === null) return null
    if (this.isRunning) {
      child.kill(signal)
      await waitFor(`${this.#name} stops at ${signal}`, () => !this.isRunning, STOP_WITHIN_MS)
    }
    running.delete(this)
    return child.exitCode
  }

  /** SIGTERM, and SIGKILL for one that does not heed it in time. */
  async stop(): Promise<number | null> {
    try {
      return await this.signal('SIGTERM')
    } catch {
      return await this.signal('SIGKILL')
    }
  }

  /** Resolves when the server serves; fails at once, with its output, when it has exited. */
  async ready(isServing: () => Promise<boolean>, withinMs: number): Promise<void> {
    let gone = false
    try {
      await waitFor(
        `${this.#name} serves`,
        async () => {
          gone = !this.isRunning
          return gone || (await isServing())
        },
        withinMs,
      )
    } catch (error) {
      throw new Error(`${String(error)}\n${this.logTail()}`)
    }
    if (gone) {
      throw new Error(`${this.#name} exited (${this.#child?.exitCode})\n${this.logTail()}`)
    }
  }

  logTail(): string {
    if (!existsSync(this.#logFile)) return ''
    const text = readFileSync(this.#logFile, 'utf8')
    return `--- ${this.#name}\n${text.slice(-LOG_TAIL_BYTES)}`
  }
}

const running = new Set<ServerProcess>()
/** A test run that is cut short leaves no server behind. */
process.once('exit', () => {
  for (const server of running) if (server.pid !== undefined) process.kill(server.pid, 'SIGKILL')
})

/** Sends a four-letter word, or what else a connection may begin with; the whole answer. */
export function fourLetterWord(
  port: number,
  word: string | Uint8Array,
  timeoutMs = 10_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(word))
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${String(word)}: no answer`)))
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(answer))
  })
}

/** Whether a server serves clients: it is up and knows its place in the ensemble. */
export async function serves(port: number): Promise<boolean> {
  try {
    if ((await fourLetterWord(port, 'ruok')) !== 'imok') return false
    return modeOf(await fourLetterWord(port, 'srvr')) !== null
  } catch {
    return false
  }
}

/** `leader`, `follower`, `read-only`..., from the answer to `srvr`; null while it has none. */
export function modeOf(srvr: string): string | null {
  return /^Mode: ([\w-]+)$/m.exec(srvr)?.[1] ?? null
}

/** The index of the leader of an ensemble, found by asking. */
export async function leaderOf(ensemble: ServerEnsemble): Promise<number> {
  return await waitFor(
    `${ensemble.name} has a leader`,
    async () => {
      for (const [index, port] of ensemble.clientPorts.entries()) {
        const mode = modeOf(await fourLetterWord(port, 'srvr').catch(() => ''))
        if (mode === 'leader' || mode === 'standalone') return { index }
      }
      return null
    },
    60_000,
  ).then(({ index }) => index)
}
