import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Command } from 'commander'
import { secureRequest } from '../tls/secure-request.ts'
import { CommandFailure } from './command-failure.ts'

interface ServersView {
  readonly clusterId: string
  readonly leader: string | null
  readonly servers: readonly Record<string, unknown>[]
}

const COLUMNS = [
  'name',
  'role',
  'ready',
  'term',
  'lastIndex',
  'commit',
  'applied',
  'zxid',
  'address',
]

/** For the answer over https. */
const TIMEOUT_MS = 30_000

/** `quorate ensemble …`: the ensemble over HTTP. */
export function ensembleCommand(): Command {
  const command = new Command('ensemble').description('look at the ensemble, and change it')
  const subcommand = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .option('--url <url>', 'HTTP address of a server', 'http://127.0.0.1:8080')
      .option('--ca <file>', 'authorities of its certificate, for https')
      .option('--certificate <file>', 'own certificate to show, for https')
      .option('--key <file>', 'key of that certificate; in the same file if missing')
  const token = [
    '--token <token>',
    'bearer token',
    process.env['QUORATE_HTTP_TOKEN'] ?? '',
  ] as const
  subcommand('status', 'each server: role, term, log positions').action(async (options: Place) => {
    const view = (await call(
      { ...options, token: '' },
      'GET',
      '/v1/ensemble/servers',
    )) as ServersView
    process.stdout.write(`cluster ${view.clusterId}, leader ${view.leader ?? 'unknown'}\n`)
    process.stdout.write(table(view.servers))
  })
  subcommand('transfer', 'hand leadership to a server, or to the best one')
    .argument('[name]')
    .option(...token)
    .action(async (name: string | undefined, options: Asked) => {
      await call(options, 'POST', '/v1/ensemble/transfer', { to: name })
      process.stdout.write('started\n')
    })
  subcommand('remove', 'remove a server from the configuration')
    .argument('<name>')
    .option(...token)
    .action(async (name: string, options: Asked) => {
      await call(options, 'DELETE', `/v1/ensemble/members/${encodeURIComponent(name)}`)
      process.stdout.write('removed\n')
    })
  return command
}

interface Place {
  readonly url: string
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

interface Asked extends Place {
  readonly token: string
}

async function call(place: Asked, method: string, path: string, body?: object): Promise<unknown> {
  const { url, token } = place
  if (!URL.canParse(path, url)) throw new CommandFailure(`${url} is no URL`)
  const request = {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
  const { status, text } = await answerOf(new URL(path, url), place, request).catch(
    (error: unknown) => {
      if (error instanceof CommandFailure) throw error
      throw new CommandFailure(`${url} does not answer: ${reasonOf(error)}`)
    },
  )
  if (status >= 200 && status < 300) return text === '' ? null : JSON.parse(text)
  throw new CommandFailure(`${status} ${text}`)
}

/** With certificates of one's own, what `fetch` cannot be told of. */
async function answerOf(
  url: URL,
  place: Place,
  request: { method: string; headers: Record<string, string>; body?: string },
): Promise<{ readonly status: number; readonly text: string }> {
  if (url.protocol === 'https:') {
    return secureRequest(url, { ...request, timeoutMs: TIMEOUT_MS, tls: tlsOf(place) })
  }
  const response = await fetch(url, request)
  return { status: response.status, text: await response.text() }
}

function tlsOf({ ca, certificate, key }: Place): ConnectionOptions {
  return {
    ...(ca === undefined ? {} : { ca: read(ca) }),
    ...(certificate === undefined
      ? {}
      : { cert: read(certificate), key: read(key ?? certificate) }),
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandFailure(reasonOf(error))
  }
}

/** fetch hides the reason in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}

function table(rows: readonly Record<string, unknown>[]): string {
  const cells = [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => String(row[name] ?? '-')))]
  const widths = COLUMNS.map((_, column) =>
    Math.max(...cells.map((row) => (row[column] ?? '').length)),
  )
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
