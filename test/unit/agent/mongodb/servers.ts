import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Mongod } from '../../../../agent/engines/mongodb/mongod.ts'
import {
  type DoubleOptions,
  type Fault,
  MongodDouble,
} from '../../../doubles/mongodb/mongod-double.ts'
import { reservePorts } from '../../../support/ports.ts'
import { waitFor } from '../../../support/wait-for.ts'

/** A real mongod, where there is one. */
const BINARY = process.env['MONGODB_BIN'] ?? ''
export const isDouble = BINARY === ''
export const what = isDouble ? 'a double of mongod' : BINARY
export const SET = 'rs0'
export const agentCredentials = { user: 'quorate-agent', password: 'agent-secret' }
const KEY = 'a2V5LW9mLXRoZS1zZXQ='
const START_MS = 30_000

/** Servers of one replica set on this machine: doubles, or real ones of MONGODB_BIN. */
export class Servers {
  readonly root = mkdtempSync(join(tmpdir(), 'quorate-mongodb-'))
  readonly ports: readonly number[]
  readonly keyFile: string
  readonly #running = new Map<number, MongodDouble | ChildProcess>()
  readonly #clients: Mongod[] = []

  private constructor(ports: readonly number[]) {
    this.ports = ports
    this.keyFile = join(this.root, 'key')
    writeFileSync(this.keyFile, KEY, { mode: 0o400 })
  }

  static async create(count: number): Promise<Servers> {
    return new Servers(await reservePorts(count))
  }

  place(index: number): string {
    return `127.0.0.1:${this.ports[index]}`
  }

  get places(): readonly string[] {
    return this.ports.map((_, index) => this.place(index))
  }

  /** `initialSyncMs`: how long a double takes to copy the data at least. */
  async start(
    index: number,
    dbPath = join(this.root, `db-${index}`),
    changes: Pick<DoubleOptions, 'initialSyncMs' | 'shutdown'> = {},
  ): Promise<void> {
    mkdirSync(dbPath, { recursive: true })
    const port = this.ports[index] ?? 0
    if (isDouble) {
      const shutdown = () => void this.kill(index)
      const options = { replSet: SET, port, dbPath, key: KEY, shutdown, ...changes }
      const double = new MongodDouble(options)
      await double.start()
      this.#running.set(index, double)
      return
    }
    const address = ['--bind_ip', '127.0.0.1', '--port', String(port)]
    const data = ['--replSet', SET, '--dbpath', dbPath, '--keyFile', this.keyFile]
    this.#running.set(index, spawn(BINARY, [...address, ...data], { stdio: 'ignore' }))
    const client = this.client(index)
    await waitFor(
      'mongod answers',
      async () => (await client.plain({ ping: 1 }))['ok'] === 1,
      START_MS,
    )
  }

  async kill(index: number): Promise<void> {
    const server = this.#running.get(index)
    this.#running.delete(index)
    if (server instanceof MongodDouble) await server.kill()
    else if (server !== undefined) {
      if (server.exitCode !== null) return
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await ended
    }
  }

  double(index: number): MongodDouble {
    const server = this.#running.get(index)
    if (!(server instanceof MongodDouble)) throw new Error(`${index} is no double that runs`)
    return server
  }

  fail(index: number, fault: Fault): void {
    this.double(index).faults.push(fault)
  }

  client(index: number, credentials = agentCredentials): Mongod {
    const port = this.ports[index] ?? 0
    const client = new Mongod({
      host: '127.0.0.1',
      port,
      tls: null,
      credentials: () => credentials,
    })
    this.#clients.push(client)
    return client
  }

  /** The index of the one server that says it is primary. */
  async primary(timeoutMs = START_MS): Promise<number> {
    return await waitFor(
      'a primary',
      async () => {
        for (const index of this.#running.keys()) {
          const client = this.client(index)
          const hello = await client.plain({ hello: 1 }).catch(() => null)
          client.close()
          if (hello?.['isWritablePrimary'] === true) return index + 1
        }
        return null
      },
      timeoutMs,
    ).then((found) => found - 1)
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    await Promise.all([...this.#running.keys()].map((index) => this.kill(index)))
    rmSync(this.root, { recursive: true, force: true })
  }
}
