import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { loadAgentConfig } from '../../../../agent/config.ts'
import type { ClusterFacts } from '../../../../agent/core/cluster/facts.ts'
import type { GenericView } from '../../../../agent/core/cluster/generic-plan.ts'
import type { Observation } from '../../../../agent/core/observation.ts'
import { UNFENCED } from '../../../../agent/engines/engine.ts'
import type { GenericEngine } from '../../../../agent/engines/generic/generic-engine.ts'
import { genericEngine } from '../../../../agent/engines/generic/generic-kind.ts'
import { MemberDisk } from '../../../../agent/engines/member-disk.ts'
import { facts } from '../cluster-observations.ts'
import { observation } from '../observations.ts'
import { MemoryTree } from './memory-tree.ts'

const ROOT = '/members/v1'

/** The engine under test beside a process that speaks HTTP, on a disk of its own, with a tree in memory. */
export class EngineStage {
  readonly tree = new MemoryTree()
  readonly directory = mkdtempSync(join(tmpdir(), 'quorate-generic-'))
  readonly data = join(this.directory, 'data')
  readonly files = join(this.directory, 'files')
  readonly disk = new MemberDisk([this.data])
  /** Status and text by path; 404 for any other. */
  readonly answers = new Map<string, readonly [number, string]>([['/up', [200, 'up']]])
  /** What was asked, health left out. */
  readonly asked: string[] = []
  readonly #server: Server
  nowMs = 1_000_000

  private constructor() {
    for (const path of [this.data, this.files, join(this.directory, 'secrets')]) mkdirSync(path)
    writeFileSync(join(this.directory, 'secrets', 'password'), 'hush\n')
    this.#server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      const [status, text] = this.answers.get(request.url ?? '') ?? [404, 'no such path']
      const { 'x-member': member } = request.headers
      const said = [request.method, request.url, member, body].filter((word) => word)
      if (request.url !== '/up') this.asked.push(said.join(' '))
      response.writeHead(status).end(text)
    })
  }

  static async open(): Promise<EngineStage> {
    const stage = new EngineStage()
    await new Promise<void>((resolve) => stage.#server.listen(0, '127.0.0.1', resolve))
    return stage
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
    rmSync(this.directory, { recursive: true })
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** An agent that was just started. */
  engine(document: object = {}): GenericEngine {
    const generic = JSON.stringify({
      ports: { http: this.port },
      health: { startup: { http: { path: '/up' } } },
      ...document,
    })
    const config = loadAgentConfig({
      environment: {},
      flags: {
        engine: 'generic',
        pod: 'q-0',
        tree: 'tree:2181',
        advertisedHost: 'q-0.example',
        dataDirectory: this.data,
        generic,
        genericFiles: this.files,
        genericSecrets: join(this.directory, 'secrets'),
        roleLabel: '',
      },
    })
    const { disk, tree: coordination } = this
    const logger = pino({ level: 'silent' })
    return genericEngine({ config, disk, coordination, logger, nowMs: () => this.nowMs })
  }

  /** Looks twice: what is read beside the loop shows in the second look. */
  async look(engine: GenericEngine): Promise<GenericView> {
    await engine.observe()
    await new Promise((resolve) => setImmediate(resolve))
    return await engine.observe()
  }

  /** What the engine is called with, when it was seen like that. */
  async seen(engine: GenericEngine, cluster: Partial<ClusterFacts> = {}) {
    const view = await this.look(engine)
    return { ...observation({ cluster: facts(cluster) }), engine: view } as Observation<GenericView>
  }

  async call(engine: GenericEngine, cluster: Partial<ClusterFacts> = {}) {
    return { observation: await this.seen(engine, cluster), fence: UNFENCED }
  }

  /** The document of another member, as its agent publishes it. */
  publish(cluster: string, ordinal: number, role: string, enabled = true): void {
    const pod = `${cluster}-${ordinal}`
    const document = {
      id: pod,
      enabled,
      shard: ordinal,
      serviceEndpoint: { host: '127.0.0.1', port: this.port },
      payload: { role },
    }
    this.tree.put(`${ROOT}/services/${cluster}/${pod}`, JSON.stringify(document))
  }

  file(name: string, text: string | null): void {
    this.tree.put(`${ROOT}/clusters/q/files/${name}`, text)
  }

  get roster(): string[] {
    const folder = `${ROOT}/clusters/q/roster/`
    const paths = [...this.tree.znodes.keys()].filter((path) => path.startsWith(folder))
    return paths.map((path) => path.slice(folder.length))
  }
}
