import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  AllegrographClient,
  type ServerPlace,
} from '../../../../agent/engines/allegrograph/allegrograph-client.ts'
import { AgraphDouble, agraphOptions } from '../../../doubles/allegrograph/agraph-double.ts'

/**
 * Real servers, where there are some: http://user:password@host:port of two, with a comma between them. The first is to
 * control a new cluster; each has to reach the other at that host and port.
 */
const URLS = (process.env['ALLEGROGRAPH_URLS'] ?? '').split(',').filter((url) => url !== '')
export const isDouble = URLS.length < 2
export const forms = isDouble ? (['json', 'table'] as const) : (['json'] as const)
export type StatusForm = 'json' | 'table'
/** Of a real server's growth, with its copy. */
export const GROWS_WITHIN_MS = 120_000
const PASSWORD = 'sec ret/+&"%'

/** Two servers that may become one cluster: doubles, or the real ones of ALLEGROGRAPH_URLS. */
export class Servers {
  readonly root = mkdtempSync(join(tmpdir(), 'quorate-allegrograph-'))
  readonly repository = `quorate-${Date.now()}`
  readonly user: string
  readonly password: string
  readonly doubles: AgraphDouble[] = []
  readonly places: ServerPlace[] = []
  readonly passwordFile = join(this.root, 'password')

  private constructor(user: string, password: string) {
    this.user = user
    this.password = password
    writeFileSync(this.passwordFile, `${password}\n`)
  }

  static async start(statusForm: StatusForm, growMs = 100, count = 2): Promise<Servers> {
    if (!isDouble) return Servers.#real()
    const servers = new Servers('admin', PASSWORD)
    for (let index = 0; index < count; index += 1)
      await servers.#startDouble(index, statusForm, growMs)
    return servers
  }

  static #real(): Servers {
    const urls = URLS.map((url) => new URL(url))
    const [first] = urls
    if (first === undefined) throw new Error('ALLEGROGRAPH_URLS names nothing')
    const servers = new Servers(
      decodeURIComponent(first.username),
      decodeURIComponent(first.password),
    )
    for (const { hostname: host, port } of urls) servers.places.push({ host, port: Number(port) })
    return servers
  }

  async #startDouble(index: number, statusForm: StatusForm, growMs: number): Promise<void> {
    const { user, password } = this
    const given = { user, password, statusForm, growMs }
    const double = new AgraphDouble(agraphOptions(this.data(index), given))
    await double.start()
    this.doubles.push(double)
    this.places.push({ host: '127.0.0.1', port: double.port })
  }

  data(index: number): string {
    return join(this.root, `data-${index}`)
  }

  place(index: number): ServerPlace {
    const place = this.places[index]
    if (place === undefined) throw new Error(`no server ${index}`)
    return place
  }

  double(index: number): AgraphDouble {
    const double = this.doubles[index]
    if (double === undefined) throw new Error(`no double ${index}`)
    return double
  }

  client(index: number, passwordFile = this.passwordFile): AllegrographClient {
    return new AllegrographClient({
      place: this.place(index),
      repository: this.repository,
      user: this.user,
      passwordFile,
      timeoutMs: isDouble ? 1_000 : 10_000,
      changeMs: 30_000,
      growMs: GROWS_WITHIN_MS,
    })
  }

  async stop(): Promise<void> {
    for (const double of this.doubles) await double.stop()
    rmSync(this.root, { recursive: true, force: true })
  }
}
