import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type Instance, InstanceStore } from './instance-store.ts'
import { Refusal, Replication, type ReplicationOptions } from './replication.ts'

export interface AgraphOptions extends ReplicationOptions {
  readonly host: string
  /** 0: any. */
  readonly port: number
  readonly catalog: string
  readonly settings: string
  readonly user: string
  readonly password: string
  /** The vendor does not document how `repl/status` answers: two ways it might. */
  readonly statusForm: 'json' | 'table'
  /** Told of each request for a change, without what it carried. */
  readonly told?: (request: string) => void
}

const BODY_BYTES_MAX = 1_048_576
const REPOSITORY = /^\/repositories\/([^/]+)\/(.+)$/

/**
 * A double of an AllegroGraph server: this is not AllegroGraph. It has the requests by which clusters of multi-master
 * replication are made, and as much data as shows that they replicate.
 */
export class AgraphDouble {
  readonly #options: AgraphOptions
  readonly #server: Server
  readonly #replication: Replication
  readonly #password: string
  /** Every request, without what it carried; of cluster changes with the name of the instance. */
  readonly requests: string[] = []
  /** Answers nothing, as a server whose process stands still. */
  mute = false
  /** Takes no copy: its disk is full, say. */
  refusesCopies = false

  constructor(options: AgraphOptions) {
    this.#options = options
    const store = new InstanceStore(options.catalog, options.settings)
    this.#password = store.passwordOf(options.user, options.password)
    this.#replication = new Replication(store, options)
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  get port(): number {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen')
    return address.port
  }

  async start(): Promise<void> {
    const { host, port } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
    this.#replication.start()
  }

  async stop(): Promise<void> {
    this.#replication.stop()
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.mute) return
    const url = new URL(request.url ?? '/', 'http://double')
    const instance = url.searchParams.get('instanceName')
    const told = `${request.method} ${url.pathname}${instance === null ? '' : ` ${instance}`}`
    this.requests.push(told)
    if (request.method === 'PUT') this.#options.told?.(told)
    try {
      if (!this.#isAllowed(request)) throw new Refusal(401, 'who are you?')
      const [type, text] = await this.#answer(request, url)
      response.writeHead(200, { 'content-type': type })
      response.end(text)
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500
      // As servers do: what was asked for is in the refusal, with all that it carried.
      const asked = status === 401 ? '' : ` (${request.method} ${request.url})`
      response.writeHead(status, { 'content-type': 'text/plain' })
      response.end(`${error instanceof Error ? error.message : String(error)}${asked}`)
    }
  }

  #isAllowed({ headers }: IncomingMessage): boolean {
    const pair = Buffer.from(`${this.#options.user}:${this.#password}`).toString('base64')
    return headers.authorization === `Basic ${pair}`
  }

  async #answer(request: IncomingMessage, url: URL): Promise<[string, string]> {
    const { method = 'GET' } = request
    if (method === 'GET' && url.pathname === '/hostname') return ['text/plain', hostname()]
    if (method === 'GET' && url.pathname === '/version') return ['text/plain', '8.4.0-double']
    const [, repository = '', verb = ''] = REPOSITORY.exec(url.pathname) ?? []
    const body = await bodyOf(request)
    const text = await this.#verb(`${method} ${verb}`, decodeURIComponent(repository), url, body)
    return [
      verb === 'repl/status' && this.#options.statusForm === 'table'
        ? 'text/plain'
        : 'application/json',
      text,
    ]
  }

  async #verb(verb: string, repository: string, url: URL, body: string): Promise<string> {
    const replication = this.#replication
    const parameter = (name: string) => {
      const value = url.searchParams.get(name)
      if (value === null || value === '') throw new Refusal(400, `the parameter ${name} is missing`)
      return value
    }
    const credentials = () => {
      const known = parameter('user') === this.#options.user
      if (!known || parameter('password') !== this.#password) {
        throw new Refusal(401, 'no such user, or another password')
      }
    }
    const place = () => ({ host: parameter('host'), port: Number(parameter('port')) })
    if (verb === 'POST double/install' && this.refusesCopies) throw new Refusal(500, 'no space')
    switch (verb) {
      case 'PUT repl/createCluster':
        credentials()
        await replication.create(repository, parameter('instanceName'), place())
        return '{}'
      case 'PUT repl/growCluster':
        credentials()
        await replication.grow(repository, parameter('instanceName'), {
          ...place(),
          repository: parameter('name'),
        })
        return '{}'
      case 'PUT repl/remove':
        await replication.remove(repository, parameter('instanceName'))
        return '{}'
      case 'GET repl/status':
        return this.#status(replication.instance(repository))
      case 'GET size':
        return String(replication.instance(repository).commits.length)
      case 'GET statements':
        return JSON.stringify(
          replication.instance(repository).commits.map((each) => each.statement),
        )
      case 'POST statements':
        replication.commit(repository, body)
        return '1'
      default:
        return await replication.answerPeer(verb, repository, body)
    }
  }

  #status({ cluster, name, controlling, members }: Instance): string {
    if (this.#options.statusForm === 'table') {
      const rows = members.map(
        (member) =>
          `${member.name.padEnd(40)} ${member.host}:${member.port} ${member.linked ? 'running' : 'joining'}`,
      )
      return [`cluster ${cluster}, this instance is ${name}`, ...rows, ''].join('\n')
    }
    const instances = members.map((member) => ({
      instanceName: member.name,
      host: member.host,
      port: member.port,
      controlling: member.name === controlling,
      state: member.linked ? 'running' : 'joining',
    }))
    return JSON.stringify({ cluster, instanceName: name, instances })
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request) {
    const part: Uint8Array = chunk
    bytes += part.length
    if (bytes > BODY_BYTES_MAX) throw new Refusal(413, 'too much')
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString()
}

/** The usual one of a test: all that it keeps is in one folder. */
export function agraphOptions(
  directory: string,
  given: Partial<AgraphOptions> = {},
): AgraphOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    catalog: join(directory, 'rootcatalog'),
    settings: join(directory, 'settings'),
    user: 'admin',
    password: randomBytes(8).toString('hex'),
    statusForm: 'json',
    growMs: 100,
    exchangeMs: 50,
    ...given,
  }
}
