import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { Command } from 'commander'
import type { CreateMode } from '../core/machine/operation.ts'
import { type Acl, OPEN_ACL, Permission } from '../core/tree/acl.ts'
import { childOf } from '../core/tree/path.ts'
import type { Stat } from '../core/tree/stat.ts'
import { readClientConfiguration } from './client-configuration.ts'
import { ZkClient } from './zk-client.ts'

const SESSION_TIMEOUT_MS = 30_000
const DEFAULT_PORT = 2181
const EVENTS = ['', 'NodeCreated', 'NodeDeleted', 'NodeDataChanged', 'NodeChildrenChanged']
const PERMISSION_LETTERS = [
  ['c', Permission.create],
  ['d', Permission.delete],
  ['r', Permission.read],
  ['w', Permission.write],
  ['a', Permission.admin],
] as const

const FLAGS = {
  e: { type: 'boolean', short: 'e' },
  s: { type: 'boolean', short: 's' },
  c: { type: 'boolean', short: 'c' },
  w: { type: 'boolean', short: 'w' },
  R: { type: 'boolean', short: 'R' },
  t: { type: 'string', short: 't' },
  v: { type: 'string', short: 'v' },
} as const

interface Call {
  readonly client: ZkClient
  readonly flags: { readonly [name in keyof typeof FLAGS]?: string | boolean | undefined }
  readonly words: readonly string[]
}

const COMMANDS: Readonly<Record<string, (call: Call) => Promise<string>>> = {
  ls: async ({ client, flags, words: [path = '/'] }) => {
    if (flags.R) return (await descendants(client, path)).join('\n')
    const { children, stat } = await client.children(path, flags.w === true)
    const list = `[${[...children].sort().join(', ')}]`
    return flags.s ? `${list}\n${statLines(stat)}` : list
  },
  get: async ({ client, flags, words: [path = ''] }) => {
    const { data, stat } = await client.get(path, flags.w === true)
    const text = data === null ? 'null' : Buffer.from(data).toString('utf8')
    return flags.s ? `${text}\n${statLines(stat)}` : text
  },
  set: async ({ client, flags, words: [path = '', data = ''] }) => {
    const stat = await client.set(path, Buffer.from(data), versionOf(flags.v))
    return flags.s ? statLines(stat) : ''
  },
  create: async ({ client, flags, words: [path = '', data, acl] }) => {
    const ttlMs = Number(flags.t ?? 0)
    const mode: CreateMode = flags.e
      ? 'ephemeral'
      : flags.c
        ? 'container'
        : ttlMs > 0
          ? 'ttl'
          : 'persistent'
    const bytes = data === undefined ? null : Buffer.from(data)
    const created = await client.create(
      path,
      bytes,
      acl === undefined ? OPEN_ACL : parseAcl(acl),
      mode,
      flags.s === true,
      ttlMs,
    )
    return `Created ${created}`
  },
  delete: async ({ client, flags, words: [path = ''] }) => {
    await client.delete(path, versionOf(flags.v))
    return ''
  },
  deleteall: async ({ client, words: [path = ''] }) => {
    const paths = await descendants(client, path)
    for (const each of paths.reverse()) await client.delete(each, -1)
    return ''
  },
  stat: async ({ client, flags, words: [path = ''] }) =>
    statLines(await client.stat(path, flags.w === true)),
  getAcl: async ({ client, words: [path = ''] }) =>
    (await client.acl(path))
      .map((entry) => `'${entry.scheme},'${entry.id}\n: ${lettersOf(entry.permissions)}`)
      .join('\n'),
  setAcl: async ({ client, flags, words: [path = '', acl = ''] }) => {
    await client.setAcl(path, parseAcl(acl), versionOf(flags.v))
    return ''
  },
  addauth: async ({ client, words: [scheme = '', credential = ''] }) => {
    await client.auth(scheme, credential)
    return ''
  },
  sync: async ({ client, words: [path = '/'] }) => {
    await client.sync(path)
    return 'Sync is OK'
  },
}

/** `quorate zk [-server host:port,…] [-client-configuration file] [command …]`: zkCli's commands, one-shot or interactive. */
export function zkCommand(): Command {
  return new Command('zk')
    .description("zkCli's commands, one-shot or interactive")
    .usage('[-server host:port,…] [-client-configuration file] [command [arguments]]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[words...]')
    .action(async (words: string[]) => {
      const { servers, configuration, command } = splitOptions(words)
      const tls = configuration === '' ? null : await readClientConfiguration(configuration)
      const client = await ZkClient.connect(servers, SESSION_TIMEOUT_MS, tls)
      client.onWatch = ({ type, path }) => {
        print(
          `WATCHER:: WatchedEvent state:SyncConnected type:${EVENTS[type] ?? type} path:${path}`,
        )
      }
      const ok = command.length > 0 ? await execute(client, command) : await interact(client)
      await client.close()
      if (!ok) process.exitCode = 1
    })
}

/** zkCli's own options come first, if at all; the environment stands in for those that do not. */
function splitOptions(words: readonly string[]): {
  readonly servers: readonly string[]
  readonly configuration: string
  readonly command: readonly string[]
} {
  const given = new Map<string, string>()
  let at = 0
  for (; ['server', 'client-configuration'].includes(optionName(words[at])); at += 2) {
    given.set(optionName(words[at]), words[at + 1] ?? '')
  }
  const list = given.get('server') ?? process.env['QUORATE_SERVER'] ?? '127.0.0.1:2181'
  const [hosts = ''] = list.split('/')
  return {
    servers: hosts.split(',').filter(Boolean).map(withPort),
    configuration:
      given.get('client-configuration') ?? process.env['QUORATE_CLIENT_CONFIGURATION'] ?? '',
    command: words.slice(at),
  }
}

function optionName(word = ''): string {
  return /^--?([a-z-]+)$/.exec(word)?.[1] ?? ''
}

/** As zkCli, which takes the port that all servers have by default. */
function withPort(host: string): string {
  return /:\d+$/.test(host) && !/^[^[]*:.*:/.test(host) ? host : `${host}:${DEFAULT_PORT}`
}

async function interact(client: ZkClient): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: '[zk] ' })
  lines.prompt()
  for await (const line of lines) {
    const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"|"$/g, ''))
    if (words[0] === 'quit' || words[0] === 'close') break
    if (words.length > 0) await execute(client, words)
    lines.prompt()
  }
  lines.close()
  return true
}

async function execute(
  client: ZkClient,
  [name = '', ...rest]: readonly string[],
): Promise<boolean> {
  const command = COMMANDS[name]
  if (command === undefined) {
    print(`unknown command ${name}; there are ${Object.keys(COMMANDS).join(' ')} quit`)
    return false
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...rest],
      options: FLAGS,
      allowPositionals: true,
    })
    const answer = await command({ client, flags: values, words: positionals })
    if (answer !== '') print(answer)
    return true
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return false
  }
}

async function descendants(client: ZkClient, path: string): Promise<string[]> {
  const { children } = await client.children(path, false)
  const below = await Promise.all(
    [...children].sort().map((name) => descendants(client, childOf(path, name))),
  )
  return [path, ...below.flat()]
}

function versionOf(flag: string | boolean | undefined): number {
  return flag === undefined ? -1 : Number(flag)
}

/** "world:anyone:cdrwa,digest:user:hash:r" */
function parseAcl(text: string): Acl {
  return text.split(',').map((entry) => {
    const parts = entry.split(':')
    const letters = parts.at(-1) ?? ''
    const permissions = PERMISSION_LETTERS.reduce(
      (sum, [letter, bit]) => (letters.includes(letter) ? sum | bit : sum),
      0,
    )
    return { scheme: parts[0] ?? '', id: parts.slice(1, -1).join(':'), permissions }
  })
}

function lettersOf(permissions: number): string {
  return PERMISSION_LETTERS.filter(([, bit]) => (permissions & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
}

function statLines(stat: Stat): string {
  const hex = (value: number) => `0x${value.toString(16)}`
  return [
    `cZxid = ${hex(stat.czxid)}`,
    `ctime = ${new Date(stat.ctimeMs).toUTCString()}`,
    `mZxid = ${hex(stat.mzxid)}`,
    `mtime = ${new Date(stat.mtimeMs).toUTCString()}`,
    `pZxid = ${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = ${hex(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
  ].join('\n')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
