import { spawn } from 'node:child_process'
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Ended, run } from '../conformance/clients/command.ts'
import { reservePorts } from '../support/ports.ts'
import { NOBODY, patroniTool } from '../support/toolchain.ts'
import { waitFor } from '../support/wait-for.ts'

const COUNT = 3
const WRITER = fileURLToPath(new URL('writer.py', import.meta.url))
/** The least that Patroni takes. */
export const TTL_SECONDS = 20

/** One line of Patroni's `/cluster`. */
export interface MemberState {
  readonly name: string
  readonly role: string
  readonly state: string
  readonly timeline?: number
}

export interface MemberOptions {
  /** `<prefix><first>` and so on. */
  readonly prefix: string
  readonly first: number
  /** A start waits for a line in the member's permit pipe, as the command of a pod does. */
  readonly gated: boolean
}

const PLAIN: MemberOptions = { prefix: 'p', first: 1, gated: false }

/** Three Patroni members, each with a PostgreSQL of its own, whose tree is the servers at `hosts`. */
export class PatroniMembers {
  readonly #tool
  readonly #options: MemberOptions
  readonly #directory = mkdtempSync(join(tmpdir(), 'quorate-patroni-'))
  readonly #postgresPorts: readonly number[]
  readonly #restPorts: readonly number[]
  readonly #pids = new Map<number, number>()

  private constructor(ports: readonly number[], hosts: readonly string[], options: MemberOptions) {
    this.#options = options
    const tool = patroniTool()
    if (tool.found === null) throw new Error(tool.reason)
    this.#tool = tool.found
    this.#postgresPorts = ports.slice(0, COUNT)
    this.#restPorts = ports.slice(COUNT)
    this.#own(this.#directory)
    for (let i = 0; i < COUNT; i++) this.#prepare(i, hosts)
  }

  static async at(hosts: readonly string[], options = PLAIN): Promise<PatroniMembers> {
    return new PatroniMembers(await reservePorts(2 * COUNT), hosts, options)
  }

  /** Of one member: its name, its files, and the ports of PostgreSQL and of Patroni. */
  place(index: number) {
    return {
      name: this.#name(index),
      volume: this.#file(index, 'volume'),
      permitPipe: this.#file(index, 'permit'),
      postgresPort: this.#postgresPorts[index] ?? 0,
      restPort: this.#restPorts[index] ?? 0,
    }
  }

  /** Of all members, for a connection to whichever takes writes. */
  get dsn(): string {
    const hosts = this.#postgresPorts.map(() => '127.0.0.1').join(',')
    const ports = this.#postgresPorts.join(',')
    return `host=${hosts} port=${ports} user=postgres dbname=postgres target_session_attrs=read-write`
  }

  /** The command and the arguments of the script that writes and reads. */
  writer(what: string): [string, string[]] {
    return this.#asUser([this.#tool.python, WRITER, this.dsn, what])
  }

  startAll(): void {
    for (let i = 0; i < COUNT; i++) this.start(i)
  }

  start(index: number): void {
    const log = openSync(this.#file(index, 'output.log'), 'a')
    const patroni = [this.#tool.python, '-m', 'patroni', this.#yml(index)]
    const waiting = ['sh', '-ec', 'read -r line < "$0" && exec "$@"', this.place(index).permitPipe]
    const line = this.#options.gated ? [...waiting, ...patroni] : patroni
    const [command, args] = this.#asUser(line)
    const child = spawn(command, args, { stdio: ['ignore', log, log], cwd: this.#directory })
    closeSync(log)
    if (child.pid !== undefined) this.#pids.set(index, child.pid)
  }

  /** SIGKILL for a member's Patroni, its PostgreSQL and all that they have started, at once. */
  kill(index: number): void {
    const first = [this.#pids.get(index) ?? 0, this.#postmaster(index)].filter((pid) => pid > 0)
    const pids = new Set([...first, ...first.flatMap(descendantsOf)])
    for (const pid of pids) signal(pid, 'SIGKILL')
    this.#pids.delete(index)
  }

  /** SIGTERM for a member's Patroni, which stops its PostgreSQL; resolves when it is gone. */
  async terminate(index: number): Promise<void> {
    const pid = this.#pids.get(index) ?? 0
    signal(pid, 'SIGTERM')
    await waitFor(`${this.#name(index)} stops`, () => parentOf(String(pid)) !== process.pid)
    this.#pids.delete(index)
  }

  stop(): void {
    for (let i = 0; i < COUNT; i++) this.kill(i)
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }

  /** What a member that answers says of the cluster; null where none does. */
  async states(): Promise<readonly MemberState[] | null> {
    for (const port of this.#restPorts) {
      try {
        const signal = AbortSignal.timeout(2_000)
        const answer = await fetch(`http://127.0.0.1:${port}/cluster`, { signal })
        const { members } = (await answer.json()) as { members: MemberState[] }
        return members
      } catch {
        // It is down, or too busy with the loss of another: the next one may know.
      }
    }
    return null
  }

  /** The leader once all members run and both others stream from it, one of them synchronously. */
  async settled(withinMs: number): Promise<MemberState> {
    return await waitFor(
      'one primary with two streaming replicas, one of them synchronous',
      async () => {
        const states = (await this.states()) ?? []
        const leader = states.find(({ role, state }) => role === 'leader' && state === 'running')
        const others = states.filter(({ state }) => state === 'streaming')
        const synchronous = others.some(({ role }) => role === 'sync_standby')
        return leader !== undefined && others.length === COUNT - 1 && synchronous ? leader : null
      },
      withinMs,
    )
  }

  /** Whichever takes the role of the leader, other than `former`. */
  async promoted(former: string, withinMs: number): Promise<MemberState> {
    return await waitFor(
      `another leader than ${former}`,
      async () =>
        (await this.states())?.find(
          ({ name, role, state }) => role === 'leader' && state === 'running' && name !== former,
        ) ?? null,
      withinMs,
    )
  }

  /** Changes Patroni's dynamic configuration. */
  async configure(change: Readonly<Record<string, unknown>>): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.#restPorts[0]}/config`, {
      method: 'PATCH',
      body: JSON.stringify(change),
    })
    if (!answer.ok) throw new Error(`PATCH /config: ${answer.status}`)
  }

  /** Patroni's dynamic configuration, as one of the members has it. */
  async configuration(): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(`http://127.0.0.1:${this.#restPorts[0]}/config`)
    return (await answer.json()) as Record<string, unknown>
  }

  async control(...args: string[]): Promise<Ended> {
    const [command, all] = this.#asUser([
      this.#tool.python,
      join(dirname(this.#tool.python), 'patronictl'),
      '-c',
      this.#yml(0),
      ...args,
    ])
    return await run(command, all, { cwd: this.#directory })
  }

  logs(): string {
    const tail = (index: number) => {
      const file = this.#file(index, 'output.log')
      return existsSync(file) ? readFileSync(file, 'utf8').slice(-8_192) : ''
    }
    return this.#restPorts.map((_, i) => `--- ${this.#name(i)}\n${tail(i)}`).join('\n')
  }

  #asUser(line: readonly string[]): [string, string[]] {
    const settings = [
      'LC_ALL=C',
      `LD_LIBRARY_PATH=${this.#tool.libraries}`,
      `HOME=${this.#directory}`,
    ]
    const [command = '', ...args] = [...this.#tool.asUser, 'env', ...settings, ...line]
    return [command, args]
  }

  #file(index: number, name: string): string {
    return join(this.#directory, this.#name(index), name)
  }

  #name(index: number): string {
    return `${this.#options.prefix}${this.#options.first + index}`
  }

  #yml(index: number): string {
    return this.#file(index, 'patroni.yml')
  }

  #own(path: string): void {
    if (process.getuid?.() === 0) chownSync(path, NOBODY, NOBODY)
  }

  #postmaster(index: number): number {
    const file = this.#file(index, join('volume', 'data', 'postmaster.pid'))
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0
  }

  #prepare(index: number, hosts: readonly string[]): void {
    const home = join(this.#directory, this.#name(index))
    for (const path of [home, join(home, 'volume')]) {
      mkdirSync(path)
      this.#own(path)
    }
    const rest = `127.0.0.1:${this.#restPorts[index]}`
    const postgres = `127.0.0.1:${this.#postgresPorts[index]}`
    // JSON is YAML.
    const configuration = {
      scope: 'tests',
      name: this.#name(index),
      restapi: { listen: rest, connect_address: rest },
      zookeeper: { hosts },
      bootstrap: {
        dcs: {
          ttl: TTL_SECONDS,
          loop_wait: 2,
          retry_timeout: 3,
          synchronous_mode: true,
          failsafe_mode: true,
          postgresql: { use_pg_rewind: true, parameters: { wal_log_hints: 'on' } },
        },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'data-checksums'],
      },
      postgresql: {
        listen: postgres,
        connect_address: postgres,
        data_dir: join(home, 'volume', 'data'),
        bin_dir: this.#tool.binaries,
        pgpass: join(home, 'pgpass'),
        authentication: {
          superuser: { username: 'postgres', password: 'p' },
          replication: { username: 'replicator', password: 'r' },
          rewind: { username: 'rewinder', password: 'w' },
        },
        parameters: { unix_socket_directories: home, shared_buffers: '16MB', jit: 'off' },
        pg_hba: ['local all all trust', 'host all all 127.0.0.0/8 trust', TRUSTED_REPLICATION],
      },
    }
    writeFileSync(this.#yml(index), JSON.stringify(configuration))
  }
}

const TRUSTED_REPLICATION = 'host replication replicator 127.0.0.0/8 trust'

export function indexOf(name: string): number {
  return Number(name.slice(1)) - 1
}

function descendantsOf(pid: number): number[] {
  const children = readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && parentOf(name) === pid,
  )
  return children.flatMap((child) => [Number(child), ...descendantsOf(Number(child))])
}

function parentOf(pid: string): number | null {
  try {
    // The name, in parentheses, may hold anything; the parent is the second field behind it.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}
