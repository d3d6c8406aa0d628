import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ListedServer } from '../ensemble/joining.ts'
import { CodedError } from '../errors.ts'
import type { Settings } from './schema.ts'

/** What a ZooKeeper configuration file comes to. */
export interface ZooCfg {
  readonly settings: Partial<Settings>
  /** The static list; empty for a standalone server. */
  readonly servers: readonly ListedServer[]
  /** Keys that have no meaning here; named in one warning. */
  readonly ignored: readonly string[]
}

/** Keys whose effect this server has anyway, or whose default says all. */
const UNDERSTOOD = new Set([
  'initLimit',
  'syncLimit',
  'autopurge.purgeInterval',
  'autopurge.snapRetainCount',
  'standaloneEnabled',
  'quorumListenOnAllIPs',
  'electionAlg',
])

interface ServerLine extends ListedServer {
  readonly host: string
  readonly peerPort: number
  readonly clientPort: number | null
}

/** Reads a zoo.cfg with its `dataDir/myid`. Refuses what cannot be meant. */
export function readZooCfg(path: string): ZooCfg {
  const entries = parseProperties(readText(path))
  const settings: { -readonly [K in keyof Settings]?: Settings[K] } = {}
  const ignored: string[] = []
  const servers: ServerLine[] = []
  const dataDirectory = entries.get('dataDir')
  if (dataDirectory === undefined)
    throw new CodedError('CONFIG_INVALID', `${path}: dataDir is missing`)
  settings.dataDirectory = dataDirectory
  const tickTime = numberOf(entries, 'tickTime', 2000)
  settings.sessionTimeoutMsMin = numberOf(entries, 'minSessionTimeout', 2 * tickTime)
  settings.sessionTimeoutMsMax = numberOf(entries, 'maxSessionTimeout', 20 * tickTime)
  for (const [key, value] of entries) {
    if (key.startsWith('server.')) servers.push(parseServer(path, key, value))
    else if (key.startsWith('quorate.')) setOwn(settings, key.slice('quorate.'.length), value)
    else if (!setKnown(settings, key, value, entries) && !UNDERSTOOD.has(key)) ignored.push(key)
  }
  if (entries.get('admin.enableServer') === 'false' && !entries.has('quorate.httpPort')) {
    settings.httpPort = 0
  }
  if (servers.length > 0) placeSelf(path, settings, servers)
  else settings.bootstrap = true
  return { settings, servers, ignored }
}

function setKnown(
  settings: { -readonly [K in keyof Settings]?: Settings[K] },
  key: string,
  value: string,
  entries: ReadonlyMap<string, string>,
): boolean {
  switch (key) {
    case 'dataDir':
    case 'tickTime':
    case 'minSessionTimeout':
    case 'maxSessionTimeout':
    case 'admin.enableServer':
      return true
    case 'dataLogDir':
      settings.logDirectory = value
      return true
    case 'clientPort':
      settings.clientPort = numberOf(entries, key, 0)
      return true
    case 'clientPortAddress':
      settings.clientHost = value
      return true
    case 'maxClientCnxns':
      settings.connectionsPerAddressMax = numberOf(entries, key, 0)
      return true
    case 'maxCnxns':
      settings.connectionsMax = numberOf(entries, key, 0)
      return true
    case '4lw.commands.whitelist':
      settings.fourLetterWords = value.split(',').map((word) => word.trim())
      return true
    case 'snapCount':
      settings.snapshotRequests = numberOf(entries, key, 0)
      return true
    case 'preAllocSize':
      settings.segmentBytes = 1024 * numberOf(entries, key, 0)
      return true
    case 'jute.maxbuffer':
      settings.frameBytesMax = numberOf(entries, key, 0)
      return true
    case 'admin.serverPort':
      settings.httpPort = numberOf(entries, key, 0)
      return true
    case 'admin.serverAddress':
      settings.httpHost = value
      return true
    case 'peerType':
      settings.observer = value === 'observer'
      return true
    default:
      return false
  }
}

/** Values as text: config.ts checks and converts them. */
function setOwn(settings: Record<string, unknown>, key: string, value: string): void {
  settings[key] = value
}

/** This server's own line: name by myid, its ports, and where others find it. */
function placeSelf(
  path: string,
  settings: { -readonly [K in keyof Settings]?: Settings[K] },
  servers: readonly ServerLine[],
): void {
  const myidPath = join(settings.dataDirectory ?? '', 'myid')
  if (!existsSync(myidPath)) throw new CodedError('CONFIG_UNREADABLE', `${myidPath} is missing`)
  const name = readText(myidPath).trim()
  const self = servers.find((server) => server.name === name)
  if (self === undefined) throw new CodedError('CONFIG_INVALID', `${path}: no line server.${name}`)
  settings.name = name
  settings.advertisedHost = self.host
  settings.peerPort = self.peerPort
  settings.observer = self.observer || (settings.observer ?? false)
  if (self.clientPort !== null) settings.clientPort = self.clientPort
  const local = self.host === 'localhost' || self.host.startsWith('127.')
  if (local) settings.peerHost = self.host
}

/** host:peer:election[:role][;[address:]client] */
function parseServer(path: string, key: string, value: string): ServerLine {
  const name = key.slice('server.'.length)
  const [peers, client] = value.split(';')
  const match = /^(\[[^\]]+\]|[^:]+):(\d+)(?::(\d+))?(?::(participant|observer))?$/.exec(
    peers ?? '',
  )
  if (match === null || !/^\d+$/.test(name)) {
    throw new CodedError('CONFIG_INVALID', `${path}: ${key}=${value} is not host:port:port[:role]`)
  }
  const [, host = '', peerPort = '', , role] = match
  const clientPort = client === undefined ? null : Number(client.split(':').at(-1))
  return {
    name,
    host,
    peerPort: Number(peerPort),
    peerAddress: `${host}:${peerPort}`,
    clientPort,
    observer: role === 'observer',
  }
}

/** Java properties as far as zoo.cfg uses them: key=value or key: value, comments, no escapes. */
function parseProperties(text: string): Map<string, string> {
  const entries = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('!')) continue
    const match = /^([^=\s]+?)\s*[=]\s*(.*)$/.exec(trimmed)
    if (match !== null) entries.set(match[1] ?? '', match[2] ?? '')
  }
  return entries
}

function numberOf(entries: ReadonlyMap<string, string>, key: string, otherwise: number): number {
  const text = entries.get(key)
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!Number.isInteger(value))
    throw new CodedError('CONFIG_INVALID', `${key}: ${text} is no integer`)
  return value
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CodedError(
      'CONFIG_UNREADABLE',
      error instanceof Error ? error.message : String(error),
    )
  }
}
