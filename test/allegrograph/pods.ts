import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import {
  AllegrographClient,
  type ServerPlace,
} from '../../agent/engines/allegrograph/allegrograph-client.ts'
import { reservePorts } from '../support/ports.ts'
import { ServerProcess } from '../support/processes.ts'
import { waitFor } from '../support/wait-for.ts'
import { FakeKubernetes } from '../unit/agent/fake-kubernetes.ts'

const agentScript = fileURLToPath(new URL('../../dist/quorate-agent.cjs', import.meta.url))
const doubleMain = fileURLToPath(new URL('../doubles/allegrograph/main.ts', import.meta.url))
const TOKEN = 'stop-token'
const USER = 'admin'
export const PASSWORD = 'e2e-secret/+&'
const REPOSITORY = 'graphs'
export const CONTROLLING = 'q-0'

/** What an agent tells of its member, as far as these tests look. */
interface PodStatus {
  readonly phase: string
  readonly reason: string
  readonly observation: {
    readonly engine: { readonly ready: boolean; readonly instance?: string }
    readonly cluster: { readonly initialized: { readonly engineClusterId: string } | null } | null
  }
}

interface Place {
  readonly name: string
  readonly directory: string
  readonly port: number
  readonly agentPort: number
}

/** One process of an engine that waits for its permit, as the command of a pod does. */
const COMMAND = `
until IFS= read -r permit < "$0"; do sleep 1; done
exec "$1" "$2" --config "$3"
`

/**
 * The pods of a controlling instance and of copies: agents of the bundle, each beside a double of AllegroGraph (this is
 * not AllegroGraph) in a process of its own.
 */
export class AllegrographPods {
  readonly kubernetes = new FakeKubernetes(1)
  readonly copiesKubernetes: FakeKubernetes
  readonly #root = mkdtempSync(join(tmpdir(), 'quorate-allegrograph-'))
  readonly #double = join(this.#root, 'agraph.mjs')
  readonly #hosts: readonly string[]
  readonly #places = new Map<string, Place>()
  readonly #agents = new Map<string, ServerProcess>()
  readonly #engines = new Map<string, ChildProcess>()
  #ports: number[] = []
  #lives = 0

  private constructor(hosts: readonly string[], copies: number) {
    this.#hosts = hosts
    this.copiesKubernetes = new FakeKubernetes(copies)
    writeFileSync(join(this.#root, 'password'), PASSWORD)
    buildSync({
      entryPoints: [doubleMain],
      outfile: this.#double,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
    })
  }

  static async at(hosts: readonly string[], copies: number): Promise<AllegrographPods> {
    if (!existsSync(agentScript))
      throw new Error('dist/quorate-agent.cjs is missing: npm run build')
    const pods = new AllegrographPods(hosts, copies)
    await Promise.all([pods.kubernetes.listen(), pods.copiesKubernetes.listen()])
    pods.#ports = await reservePorts(2 * (copies + 3))
    return pods
  }

  /** A pod with an agent and a process that asks to start; a copy has nothing of an earlier pod of its name. */
  start(name: string): void {
    const isNew = name !== CONTROLLING || !this.#places.has(name)
    const place = isNew ? this.#newPlace(name) : this.placeOf(name)
    this.startAgent(place.name)
    this.startEngine(place.name)
  }

  #newPlace(name: string): Place {
    this.#lives += 1
    const directory = join(this.#root, `${name}-${this.#lives}`)
    const before = this.#places.get(name)
    const port = before?.port ?? this.#port()
    const agentPort = before?.agentPort ?? this.#port()
    const place = { name, directory, port, agentPort }
    mkdirSync(join(directory, 'data'), { recursive: true })
    this.#places.set(name, place)
    this.#configure(place)
    // Seen by the agent of the controlling instance, which asks for the pods of copies.
    this.kubernetes.podUids.set(name, this.#uid(name))
    return place
  }

  #port(): number {
    const port = this.#ports.shift()
    if (port === undefined) throw new Error('no port is left')
    return port
  }

  #uid(name: string): string {
    const { directory } = this.placeOf(name)
    return `${directory.split('-').at(-1)?.padStart(8, '0')}-uid-of-${name}`
  }

  #configure({ directory, port }: Place): void {
    writeFileSync(
      join(directory, 'agraph.cfg'),
      [
        `Port ${port}`,
        `SettingsDirectory ${directory}/data/settings`,
        `SuperUser ${USER}:${PASSWORD}`,
        '<RootCatalog>',
        `  Main ${directory}/data/rootcatalog`,
        '</RootCatalog>',
      ].join('\n'),
    )
  }

  startAgent(name: string): void {
    const { directory, port, agentPort } = this.placeOf(name)
    const isCopy = name !== CONTROLLING
    const controlling = this.placeOf(CONTROLLING)
    const flags = [
      ['engine', 'allegrograph'],
      ['pod', name],
      ['cluster', 'graphs'],
      ['data-directory', join(directory, 'data')],
      ['permit-pipe', this.#pipe(name)],
      ['host', '127.0.0.1'],
      ['port', agentPort],
      ['prestop-token', TOKEN],
      ['kubernetes-url', (isCopy ? this.copiesKubernetes : this.kubernetes).url],
      ['tree', this.#hosts.join(',')],
      ['advertised-host', '127.0.0.1'],
      ['allegrograph-port', port],
      ['allegrograph-repository', REPOSITORY],
      ['allegrograph-password-file', join(this.#root, 'password')],
      ...(isCopy
        ? [
            ['allegrograph-role', 'copy'],
            ['allegrograph-controlling', `127.0.0.1:${controlling.port}`],
            ['allegrograph-pod-uid', this.#uid(name)],
          ]
        : [['allegrograph-copies', 'q-copies']]),
      ['session-timeout-ms', 4_000],
      ['return-after-ms', 3_000],
      ['drain-budget-ms', 30_000],
    ]
    const agent = new ServerProcess(
      `agent of ${name}`,
      process.execPath,
      [agentScript, ...flags.map(([flag, value]) => `--${flag}=${value}`)],
      join(this.#root, `agent-${name}.log`),
    )
    agent.start()
    this.#agents.set(name, agent)
  }

  startEngine(name: string): void {
    const { directory } = this.placeOf(name)
    const log = openSync(join(directory, 'engine.log'), 'a')
    const words = [this.#pipe(name), process.execPath, this.#double, join(directory, 'agraph.cfg')]
    void this.#agentIsUp(name).then(() => {
      const engine = spawn('sh', ['-c', COMMAND, ...words], {
        stdio: ['ignore', log, log],
        env: { ...process.env, DOUBLE_GROW_MS: '1000' },
      })
      closeSync(log)
      this.#engines.set(name, engine)
    })
  }

  async #agentIsUp(name: string): Promise<void> {
    await waitFor(`the agent of ${name} has made its pipe`, () => existsSync(this.#pipe(name)))
  }

  #pipe(name: string): string {
    return join(this.placeOf(name).directory, 'permit')
  }

  placeOf(name: string): Place {
    const place = this.#places.get(name)
    if (place === undefined) throw new Error(`no pod ${name}`)
    return place
  }

  /** As the kubelet ends a pod: the hook, SIGTERM for the engine, then for the agent; and the pod is gone. */
  async terminate(name: string): Promise<void> {
    const headers = { authorization: `Bearer ${TOKEN}` }
    const answer = await fetch(this.#url(name, '/prestop'), { headers })
    if (answer.status !== 200) throw new Error(`preStop of ${name}: HTTP ${answer.status}`)
    await this.signalEngine(name, 'SIGTERM')
    await this.#agents.get(name)?.signal('SIGTERM')
    this.kubernetes.podUids.set(name, null)
  }

  /** As a node that loses its power: nobody says a word, and the pod is gone from the API. */
  async lose(name: string): Promise<void> {
    await Promise.all([this.killAgent(name), this.signalEngine(name, 'SIGKILL')])
    this.kubernetes.podUids.set(name, null)
  }

  async killAgent(name: string): Promise<void> {
    await this.#agents.get(name)?.signal('SIGKILL')
  }

  async signalEngine(name: string, signal: NodeJS.Signals): Promise<void> {
    const engine = this.#engines.get(name)
    if (engine === undefined || engine.exitCode !== null || engine.signalCode !== null) return
    engine.kill(signal)
    await waitFor(`the engine of ${name} has ended`, () => {
      return engine.exitCode !== null || engine.signalCode !== null
    })
  }

  async status(name: string): Promise<PodStatus> {
    return (await (await fetch(this.#url(name, '/status'))).json()) as PodStatus
  }

  async isReady(name: string): Promise<boolean> {
    return (await fetch(this.#url(name, '/engine/readyz'))).status === 200
  }

  async ready(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      await waitFor(`${name} is ready`, async () => await this.isReady(name), 40_000)
    }
  }

  /** The instances of copies that the controlling one lists, by their pods. */
  async listed(): Promise<string[]> {
    const text = (await this.client(CONTROLLING).status()) ?? ''
    const names = text.match(/q-copies-\d+-[0-9a-z]+-\d+/g) ?? []
    return [...new Set(names)].sort()
  }

  /** What the double of a pod was asked for, since it was made: it keeps a list beside its data. */
  requests(name: string, verb: string): string[] {
    const path = join(this.placeOf(name).directory, 'engine.log')
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.filter((line) => line.includes(`/repl/${verb} `))
  }

  client(name: string): AllegrographClient {
    const place: ServerPlace = { host: '127.0.0.1', port: this.placeOf(name).port }
    return new AllegrographClient({
      place,
      repository: REPOSITORY,
      user: USER,
      passwordFile: join(this.#root, 'password'),
      timeoutMs: 2_000,
      changeMs: 2_000,
      growMs: 10_000,
    })
  }

  /** One statement of a client. */
  async write(name: string, statement: string): Promise<void> {
    const answer = await this.#data(name, 'statements', { method: 'POST', body: statement })
    if (!answer.ok) throw new Error(`${name}: HTTP ${answer.status}`)
  }

  async statements(name: string): Promise<string[]> {
    return (await (await this.#data(name, 'statements')).json()) as string[]
  }

  async #data(name: string, verb: string, init: RequestInit = {}): Promise<Response> {
    const authorization = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
    const url = `http://127.0.0.1:${this.placeOf(name).port}/repositories/${REPOSITORY}/${verb}`
    return await fetch(url, { ...init, headers: { authorization } })
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents.values()) await agent.signal('SIGKILL')
    for (const name of this.#engines.keys()) await this.signalEngine(name, 'SIGKILL')
    this.kubernetes.close()
    this.copiesKubernetes.close()
    rmSync(this.#root, { recursive: true, force: true })
  }

  logs(): string {
    return [...this.#agents.values()].map((agent) => agent.logTail()).join('\n')
  }

  #url(name: string, path: string): string {
    return `http://127.0.0.1:${this.placeOf(name).agentPort}${path}`
  }
}
