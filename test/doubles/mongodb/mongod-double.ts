import { createServer, type Server, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import { type Document, Timestamp } from 'bson'
import { DataCommands } from './data-commands.ts'
import { ReplicaMember } from './replica-member.ts'
import { ScramConversation } from './scram-server.ts'
import { Refusal, SetCommands } from './set-commands.ts'
import { SetStore } from './set-store.ts'
import { encodeReply, type Incoming, type LinkTls, MessageReader } from './wire.ts'

export interface DoubleTls {
  readonly ca: string
  readonly pem: string
}

export interface DoubleOptions {
  readonly replSet: string
  readonly port: number
  readonly dbPath: string
  /** What members share; with it every command needs a login, but for the localhost exception. */
  readonly key: string
  readonly tls?: DoubleTls | null
  /** Reads the files of the certificate again. */
  readonly renew?: () => DoubleTls
  /** What the command `shutdown` ends. */
  readonly shutdown?: () => void
  readonly host?: string
  readonly heartbeatMs?: number
  readonly electionMs?: number
  readonly initialSyncMs?: number
  readonly electionSpread?: number
}

/** What goes wrong with the next commands of a name. */
export interface Fault {
  readonly command: string
  /** `dropAfter`: it is done, and its answer lost. */
  readonly mode: 'refuse' | 'drop' | 'dropAfter' | 'hang'
  readonly code?: number
  times: number
}

interface Session {
  readonly socket: Socket
  login: ScramConversation | null
  user: string | null
}

/** Allowed to everybody. */
const OPEN = [
  'hello',
  'isMaster',
  'ismaster',
  'ping',
  'buildInfo',
  'endSessions',
  'saslStart',
  'saslContinue',
]
/** Errors of a member that is not the one to ask. */
const NOT_PRIMARY = [10_107, 11_602, 13_436]
/** Allowed from localhost while there is no user. */
const EXCEPTION = ['replSetInitiate', 'replSetReconfig', 'replSetGetStatus', 'createUser']

/**
 * A double of mongod, and no MongoDB: it speaks OP_MSG and has the state machine of a replica set, users, and
 * inserts that are read back. For tests of what drives a replica set where no mongod can be had.
 */
export class MongodDouble {
  readonly #options: DoubleOptions
  readonly #store: SetStore
  readonly #member: ReplicaMember
  readonly #set: SetCommands
  readonly #data: DataCommands
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Commands in the order in which they were begun. */
  readonly commands: string[] = []
  readonly faults: Fault[] = []

  constructor(options: DoubleOptions) {
    this.#options = options
    const { replSet, port, key, heartbeatMs = 25, electionMs = 500 } = options
    const { initialSyncMs = 100, electionSpread = 1 } = options
    const tls: LinkTls = options.tls ? { ca: options.tls.ca } : null
    this.#store = new SetStore(options.dbPath)
    this.#member = new ReplicaMember({
      store: this.#store,
      key,
      tls,
      heartbeatMs,
      electionMs,
      initialSyncMs,
      electionSpread,
    })
    const isSelf = (place: string) => {
      const colon = place.lastIndexOf(':')
      const label = place.slice(0, colon).split('.')[0]
      const local = label === 'localhost' || label === '127' || label === hostname()
      return local && Number(place.slice(colon + 1)) === port
    }
    this.#set = new SetCommands(this.#member, this.#store, replSet, isSelf)
    this.#data = new DataCommands(this.#member, this.#store)
    const accept = (socket: Socket) => this.#accept(socket)
    this.#server = options.tls
      ? createTlsServer({ key: options.tls.pem, cert: options.tls.pem }, accept)
      : createServer(accept)
  }

  get role(): string {
    return this.#member.role
  }

  /** Cuts the member off from the others, and from nobody else. */
  set isolated(isolated: boolean) {
    this.#member.isolated = isolated
  }

  /** No configuration commits meanwhile, as when a majority is slow. */
  set commitsNothing(commitsNothing: boolean) {
    this.#member.commitsNothing = commitsNothing
  }

  /** So many entries its oplog has at the most. */
  set oplogMax(entries: number) {
    this.#member.oplogMax = entries
  }

  /** It takes itself for removed until it gets another configuration. */
  loseItself(): void {
    this.#member.lose()
  }

  async start(): Promise<void> {
    const { host = '127.0.0.1', port } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, resolve)
    })
    this.#member.start()
  }

  /** As SIGKILL ends it: nothing is said to anybody. */
  async kill(): Promise<void> {
    this.#member.stop()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(socket: Socket): void {
    const session: Session = { socket, login: null, user: null }
    const reader = new MessageReader()
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const message of reader.read(chunk)) void this.#answer(session, message)
      } catch {
        socket.destroy()
      }
    })
  }

  async #answer(session: Session, message: Incoming): Promise<void> {
    const { document } = message
    const name = Object.keys(document)[0] ?? ''
    if (name.startsWith('double')) {
      const reply = this.#member.take(document)
      if (reply !== null) session.socket.write(encodeReply(message, reply))
      return
    }
    this.commands.push(name)
    const fault = this.faults.find(({ command, times }) => command === name && times > 0)
    if (fault !== undefined) fault.times -= 1
    if (fault?.mode === 'hang') return
    if (fault?.mode === 'drop') return void session.socket.destroy()
    const reply = await this.#replyTo(session, name, document, fault)
    if (fault?.mode === 'dropAfter') session.socket.destroy()
    else if (message.exhaust && document['topologyVersion'] !== undefined) {
      await this.#stream(session, message, reply)
    } else session.socket.write(encodeReply(message, reply))
  }

  /** A `hello` that may be answered without end is answered whenever there is news, as drivers watch a mongod. */
  async #stream(session: Session, message: Incoming, first: Document): Promise<void> {
    let reply = first
    while (!session.socket.destroyed) {
      session.socket.write(encodeReply(message, reply, true))
      const { topologyVersion } = reply
      reply = await this.#run(session, 'hello', { ...message.document, topologyVersion })
    }
  }

  async #replyTo(
    session: Session,
    name: string,
    command: Document,
    fault: Fault | undefined,
  ): Promise<Document> {
    try {
      if (fault?.mode === 'refuse') throw new Refusal(fault.code ?? 8, 'Injected', 'by the test')
      this.#authorize(session, name)
      return await this.#run(session, name, command)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const { code, codeName, message } = error
      const version = NOT_PRIMARY.includes(code) ? this.#version() : {}
      return { ok: 0, code, codeName, errmsg: message, ...version }
    }
  }

  #authorize({ user, socket }: Session, name: string): void {
    if (this.#options.key === '' || user !== null || OPEN.includes(name)) return
    const { remoteAddress = '' } = socket
    const local = /^(::1|(::ffff:)?127\.)/.test(remoteAddress)
    if (local && this.#data.users().length === 0 && EXCEPTION.includes(name)) return
    throw new Refusal(13, 'Unauthorized', `command ${name} requires authentication`)
  }

  async #run(session: Session, name: string, command: Document): Promise<Document> {
    switch (name) {
      case 'hello':
      case 'isMaster':
      case 'ismaster':
        if (command['topologyVersion'] !== undefined) {
          await this.#set.news(command, () => !session.socket.destroyed)
        }
        return {
          ...this.#set.hello(),
          ...limits(),
          ...this.#mechanisms(command),
          ...this.#version(),
          ok: 1,
        }
      case 'ping':
      case 'endSessions':
        return { ok: 1 }
      case 'buildInfo':
        return { ok: 1, version: '8.0.0-double', versionArray: [8, 0, 0, 0] }
      case 'saslStart':
      case 'saslContinue':
        return this.#login(session, name, command)
      case 'replSetInitiate':
        return this.#set.initiate(command['replSetInitiate'])
      case 'replSetReconfig':
        return await this.#set.reconfigure(command)
      case 'replSetGetConfig':
        return this.#set.getConfig(command['commitmentStatus'])
      case 'replSetGetStatus':
        return this.#set.getStatus()
      case 'replSetStepDown':
        return await this.#set.stepDown(command)
      case 'serverStatus':
        return this.#status(command)
      case 'shutdown':
        return this.#shutdown(session)
      case 'rotateCertificates':
        return this.#rotate()
      case 'createUser':
        return await this.#data.createUser(command)
      case 'updateUser':
        return await this.#data.updateUser(command)
      case 'usersInfo':
        return this.#data.usersInfo(command['usersInfo'])
      case 'insert':
        return await this.#data.insert(command)
      case 'find':
        return this.#data.find(command)
      case 'getMore':
        return this.#data.getMore(command)
      case 'killCursors':
        return this.#data.killCursors(command)
      default:
        throw new Refusal(59, 'CommandNotFound', `no such command: '${name}'`)
    }
  }

  #version(): Document {
    return { topologyVersion: this.#set.topologyVersion() }
  }

  /** How a user may log in, where a handshake asks for it. */
  #mechanisms({ saslSupportedMechs: asked }: Document): Document {
    const known = this.#data.users().some(({ user }) => `admin.${user}` === asked)
    return known ? { saslSupportedMechs: ['SCRAM-SHA-256'] } : {}
  }

  #login(session: Session, name: string, command: Document): Document {
    if (name === 'saslStart') {
      session.login = new ScramConversation(
        (user) => this.#data.users().find((entry) => entry.user === user)?.keys ?? null,
      )
    }
    const { login } = session
    const reply = name === 'saslStart' ? login?.start(command) : login?.proceed(command)
    if (!reply) throw new Refusal(18, 'AuthenticationFailed', 'Authentication failed.')
    if (reply['done'] === true) session.user = login?.user ?? null
    return { ...reply, ok: 1 }
  }

  /** One section, which is told to whoever asks for it. */
  #status({ oplog }: Document): Document {
    const { earliestMs, optimeMs } = this.#member
    const at = (ms: number) => new Timestamp({ t: Math.floor(ms / 1_000), i: 1 })
    const section = { latestOptime: at(optimeMs), earliestOptime: at(earliestMs) }
    return { ok: 1, ...(oplog ? { oplog: section } : {}) }
  }

  /** The connection ends without an answer, and then the process. */
  #shutdown({ socket }: Session): Document {
    if (this.#member.role === 'primary') throw new Refusal(189, 'PrimarySteppedDown', 'is primary')
    socket.destroy()
    this.#options.shutdown?.()
    return { ok: 1 }
  }

  #rotate(): Document {
    const { renew } = this.#options
    if (!(this.#server instanceof TlsServer) || renew === undefined) {
      throw new Refusal(2, 'BadValue', 'there is no certificate')
    }
    const { pem } = renew()
    try {
      this.#server.setSecureContext({ key: pem, cert: pem })
    } catch (error) {
      throw new Refusal(140, 'InvalidSSLConfiguration', String(error))
    }
    return { ok: 1 }
  }
}

function limits(): Document {
  return {
    minWireVersion: 0,
    maxWireVersion: 25,
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    logicalSessionTimeoutMinutes: 30,
    readOnly: false,
    helloOk: true,
    localTime: new Date(),
  }
}
