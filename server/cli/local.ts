import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { CodedError } from '../errors.ts'

export interface LocalOptions {
  readonly servers: number
  readonly data: string
  readonly clientPort: number
  readonly httpPort: number
  readonly peerPort: number
  readonly verbose: boolean
}

interface LocalServer {
  readonly name: string
  readonly directory: string
  readonly configFile: string
  process: ChildProcess | null
  /** Crashes in a row without having been up for STABLE_MS. */
  crashes: number
  lines: string[]
}

const HOST = '127.0.0.1'
const STABLE_MS = 10_000
const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 5_000
const STOP_GRACE_MS = 15_000
const READY_POLL_MS = 50
const READY_WITHIN_MS = 60_000
/** Log lines of a server that are shown when it crashes. */
const LINES_KEPT = 20

/**
 * `quorate local`: an ensemble of real server processes on this machine, restarted when they crash,
 * stopped together. Runs until a signal comes.
 */
export async function runLocal(options: LocalOptions): Promise<void> {
  const servers = prepare(options)
  await refuseUsedPorts(options)
  let stopping = false
  const stopped = new Promise<void>((done) => {
    const stop = () => {
      if (stopping) return
      stopping = true
      say('stopping')
      void stopAll(servers).then(done)
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
  for (const server of servers) run(server, options, () => stopping)
  if (await allReady(options, () => stopping)) banner(options, servers)
  await stopped
}

/** Writes each server's configuration, and the secret that they share, once. */
function prepare(options: LocalOptions): LocalServer[] {
  const root = resolve(options.data)
  mkdirSync(root, { recursive: true })
  const secretFile = join(root, 'secret')
  if (!existsSync(secretFile)) {
    writeFileSync(secretFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  }
  const names = Array.from({ length: options.servers }, (_, index) => String(index + 1))
  const clusterFile = join(root, 'cluster.json')
  const list = names.map((name, index) => ({
    name,
    peerAddress: `${HOST}:${options.peerPort + index}`,
  }))
  writeFileSync(clusterFile, `${JSON.stringify(list, null, 2)}\n`)
  return names.map((name, index) => {
    const directory = join(root, name)
    mkdirSync(directory, { recursive: true })
    const configFile = join(directory, 'server.json')
    const settings = {
      name,
      clusterFile,
      secretFile,
      dataDirectory: directory,
      advertisedHost: HOST,
      clientHost: HOST,
      clientPort: options.clientPort + index,
      peerHost: HOST,
      peerPort: options.peerPort + index,
      httpHost: HOST,
      httpPort: options.httpPort + index,
      httpAuth: 'open',
    }
    writeFileSync(configFile, `${JSON.stringify(settings, null, 2)}\n`)
    return { name, directory, configFile, process: null, crashes: 0, lines: [] }
  })
}

async function refuseUsedPorts(options: LocalOptions): Promise<void> {
  const settings = ['clientPort', 'httpPort', 'peerPort'] as const
  for (const setting of settings) {
    for (let index = 0; index < options.servers; index += 1) {
      const port = options[setting] + index
      if (await isFree(port)) continue
      const flag = setting.replace('Port', '-port')
      throw new CodedError(
        'PORT_UNAVAILABLE',
        `port ${port} is in use; choose others with --${flag}`,
      )
    }
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer()
    probe.once('error', () => done(false))
    probe.listen({ host: HOST, port }, () => probe.close(() => done(true)))
  })
}

/** Starts a server, and again whenever it ends without having been told to. */
function run(server: LocalServer, options: LocalOptions, stopping: () => boolean): void {
  const script = process.argv[1] ?? ''
  const startedAtMs = Date.now()
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, 'serve', server.configFile],
    // A group of its own: Ctrl-C reaches the supervisor alone, which stops them in order.
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  )
  server.process = child
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (text: string) => keep(server, text, options.verbose))
  }
  child.on('exit', (code, signal) => {
    server.process = null
    if (stopping()) return
    server.crashes = Date.now() - startedAtMs > STABLE_MS ? 1 : server.crashes + 1
    const waitMs = Math.min(RESTART_MS_MIN * 2 ** (server.crashes - 1), RESTART_MS_MAX)
    say(
      `server ${server.name} ended (${signal ?? `exit ${code}`}); it starts again in ${waitMs} ms`,
    )
    if (signal === null) process.stdout.write(`${server.lines.slice(-5).join('\n')}\n`)
    setTimeout(() => {
      if (!stopping()) run(server, options, stopping)
    }, waitMs)
  })
}

function keep(server: LocalServer, text: string, verbose: boolean): void {
  for (const line of text.split('\n')) {
    if (line === '') continue
    server.lines.push(line)
    if (server.lines.length > LINES_KEPT) server.lines.shift()
    if (verbose) process.stdout.write(`${line}\n`)
  }
}

async function allReady(options: LocalOptions, stopping: () => boolean): Promise<boolean> {
  const deadlineMs = Date.now() + READY_WITHIN_MS
  while (!stopping() && Date.now() < deadlineMs) {
    const ready = await Promise.all(
      Array.from({ length: options.servers }, (_, index) => isReady(options.httpPort + index)),
    )
    if (ready.every(Boolean)) return true
    await new Promise((done) => setTimeout(done, READY_POLL_MS))
  }
  if (!stopping()) say('the servers are not ready yet; --verbose shows what they log')
  return false
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://${HOST}:${port}/readyz`, {
      signal: AbortSignal.timeout(1_000),
    })
    return answer.status === 200
  } catch {
    // Not listening yet.
    return false
  }
}

async function stopAll(servers: readonly LocalServer[]): Promise<void> {
  await Promise.all(
    servers.map(
      ({ process: child }) =>
        new Promise<void>((done) => {
          if (child === null || child.exitCode !== null) return done()
          const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS)
          child.once('exit', () => {
            clearTimeout(timer)
            done()
          })
          child.kill('SIGTERM')
        }),
    ),
  )
}

function banner(options: LocalOptions, servers: readonly LocalServer[]): void {
  const last = servers.length - 1
  const url = (index: number) => `http://${HOST}:${options.httpPort + index}`
  const script = process.argv[1] ?? 'quorate'
  const lines = [
    '',
    `Quorate is up: ${servers.length} servers, data in ${resolve(options.data)}`,
    '',
    `  ZooKeeper clients  ${servers.map((_, index) => `${HOST}:${options.clientPort + index}`).join(',')}`,
    `  Status page        ${url(0)}/`,
    '',
    'Try:',
    `  curl -X POST ${url(0)}/v1/data -H 'content-type: application/json' -d '{"k":"a","v":"1"}'`,
    `  curl ${url(last)}/v1/data/a`,
    `  node ${script} zk -server ${HOST}:${options.clientPort + last} ls /`,
    '',
    'Ctrl-C stops them all.',
    '',
  ]
  process.stdout.write(lines.join('\n'))
}

function say(message: string): void {
  process.stdout.write(`quorate local: ${message}\n`)
}
