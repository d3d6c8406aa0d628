import { Command } from 'commander'
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

/** `quorate ensemble …`: the ensemble over HTTP. */
export function ensembleCommand(): Command {
  const command = new Command('ensemble').description('look at the ensemble, and change it')
  const url = ['--url <url>', 'HTTP address of a server', 'http://127.0.0.1:8080'] as const
  const token = [
    '--token <token>',
    'bearer token',
    process.env['QUORATE_HTTP_TOKEN'] ?? '',
  ] as const
  command
    .command('status')
    .description('each server: role, term, log positions')
    .option(...url)
    .action(async (options: { url: string }) => {
      const view = (await call(options.url, 'GET', '/v1/ensemble/servers', '')) as ServersView
      process.stdout.write(`cluster ${view.clusterId}, leader ${view.leader ?? 'unknown'}\n`)
      process.stdout.write(table(view.servers))
    })
  command
    .command('transfer')
    .description('hand leadership to a server, or to the best one')
    .argument('[name]')
    .option(...url)
    .option(...token)
    .action(async (name: string | undefined, options: { url: string; token: string }) => {
      await call(options.url, 'POST', '/v1/ensemble/transfer', options.token, { to: name })
      process.stdout.write('started\n')
    })
  command
    .command('remove')
    .description('remove a server from the configuration')
    .argument('<name>')
    .option(...url)
    .option(...token)
    .action(async (name: string, options: { url: string; token: string }) => {
      const path = `/v1/ensemble/members/${encodeURIComponent(name)}`
      await call(options.url, 'DELETE', path, options.token)
      process.stdout.write('removed\n')
    })
  return command
}

async function call(
  url: string,
  method: string,
  path: string,
  token: string,
  body?: object,
): Promise<unknown> {
  if (!URL.canParse(path, url)) throw new CommandFailure(`${url} is no URL`)
  const request = {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
  const response = await fetch(new URL(path, url), request).catch((error: unknown) => {
    throw new CommandFailure(`${url} does not answer: ${reasonOf(error)}`)
  })
  const text = await response.text()
  if (response.ok) return text === '' ? null : JSON.parse(text)
  throw new CommandFailure(`${response.status} ${text}`)
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
