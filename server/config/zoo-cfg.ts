import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ListedServer } from '../ensemble/joining.ts'
import { CodedError } from '../errors.ts'
import type { SettingName } from './schema.ts'
import { znodeKeys } from './znode-settings.ts'
import {
  authenticationKeys,
  authenticationOf,
  authenticationValue,
  isAuthenticationKey,
} from './zoo-cfg-authentication.ts'
import { isTlsUnderstood, tlsKeys, tlsValue, tlsVersions } from './zoo-cfg-tls.ts'

/** What a ZooKeeper configuration file comes to. */
export interface ZooCfg {
  /** By setting; values as text, which config.ts reads and checks. */
  readonly settings: Readonly<Record<string, unknown>>
  /** The static list; empty for a standalone server. */
  readonly servers: readonly ListedServer[]
  /** By setting: the key that it comes from. */
  readonly keys: Readonly<Record<string, string>>
  /** Keys that have no meaning here; named in one warning. */
  readonly ignored: readonly string[]
}

/** Keys of ZooKeeper that are one of our settings (docs/configuration.md lists them). */
export const zooCfgKeys: Readonly<Record<string, SettingName>> = {
  dataDir: 'dataDirectory',
  dataLogDir: 'logDirectory',
  clientPort: 'clientPort',
  clientPortAddress: 'clientHost',
  maxClientCnxns: 'connectionsPerAddressMax',
  maxCnxns: 'connectionsMax',
  minSessionTimeout: 'sessionTimeoutMsMin',
  maxSessionTimeout: 'sessionTimeoutMsMax',
  '4lw.commands.whitelist': 'fourLetterWords',
  snapCount: 'snapshotRequests',
  preAllocSize: 'segmentBytes',
  'jute.maxbuffer': 'frameBytesMax',
  'admin.serverPort': 'httpPort',
  'admin.serverAddress': 'httpHost',
  peerType: 'observer',
  'audit.enable': 'auditEnabled',
  'readonlymode.enabled': 'readOnlyMode',
  ...authenticationKeys,
  'admin.forceHttps': 'httpTls',
  'admin.portUnification': 'httpTls',
  'admin.needClientAuth': 'httpTlsClientAuth',
  ...tlsKeys,
  ...znodeKeys,
}

/** Keys that are read but are no setting by themselves. */
const READ = new Set(['tickTime', 'admin.enableServer', 'dynamicConfigFile', 'version'])

const TICK_MS = 2_000

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
  /** Of the part behind the semicolon; '' where it has none. */
  readonly clientHost: string
  readonly clientPort: string
}

type Entries = ReadonlyMap<string, string>

/** Reads a zoo.cfg with its `dataDir/myid`. Refuses what cannot be meant. */
export function readZooCfg(path: string): ZooCfg {
  const entries = readEntries(path)
  const settings: Record<string, unknown> = {}
  const keys: Record<string, string> = {}
  const ignored: string[] = []
  const servers: ServerLine[] = []
  if (!entries.has('dataDir')) throw invalid(`${path}: dataDir is missing`)
  scaleByTick(entries, settings, keys)
  Object.assign(settings, tlsVersions(entries))
  const together = authenticationOf(entries)
  for (const [setting, { key, value }] of together) {
    keys[setting] = key
    settings[setting] = value
  }
  // Who names a secure port alone wants no other.
  if (entries.has('secureClientPort')) settings['clientPort'] = 0
  for (const [key, value] of entries) {
    const setting = zooCfgKeys[key]
    if (setting !== undefined) {
      if (together.has(setting)) continue
      keys[setting] = key
      settings[setting] =
        key in tlsKeys ? tlsValue(setting, value) : settingOf(key, value, settings[setting])
      if (key in authenticationKeys) settings[setting] = authenticationValue(key, value)
    } else if (key.startsWith('server.')) {
      servers.push(parseServer(path, key, value))
    } else if (key.startsWith('quorate.')) {
      settings[key.slice('quorate.'.length)] = value
      keys[key.slice('quorate.'.length)] = key
    } else if (!isUnderstood(key, value)) ignored.push(key)
  }
  if (entries.get('admin.enableServer') === 'false' && !entries.has('quorate.httpPort')) {
    settings['httpPort'] = 0
  }
  if (servers.length > 0) placeSelf(path, settings, servers)
  return { settings, servers, keys, ignored }
}

/** Whether a key that is no setting by itself asks for nothing that is missing. */
function isUnderstood(key: string, value: string): boolean {
  if (READ.has(key) || UNDERSTOOD.has(key)) return true
  return isTlsUnderstood(key, value) || isAuthenticationKey(key, value)
}

/** The file, and its dynamic part where ZooKeeper has moved the servers there. */
function readEntries(path: string): Entries {
  const entries = parseProperties(readText(path))
  const dynamic = entries.get('dynamicConfigFile')
  if (dynamic === undefined) return entries
  return new Map([...entries, ...parseProperties(readText(dynamic))])
}

/** tickTime is the measure of the session timeouts that are not given. */
function scaleByTick(
  entries: Entries,
  settings: Record<string, unknown>,
  keys: Record<string, string>,
): void {
  const tickMs = integerOf('tickTime', entries.get('tickTime') ?? String(TICK_MS))
  if (tickMs < 1) throw invalid(`tickTime: ${tickMs} is not above 0`)
  settings['sessionTimeoutMsMin'] = 2 * tickMs
  settings['sessionTimeoutMsMax'] = 20 * tickMs
  keys['sessionTimeoutMsMin'] = 'tickTime'
  keys['sessionTimeoutMsMax'] = 'tickTime'
}

/** The value as our setting has it; `present` is what a missing key would give. */
function settingOf(key: string, value: string, present: unknown): unknown {
  switch (key) {
    case 'preAllocSize':
      return 1024 * integerOf(key, value)
    case 'peerType':
      if (value !== 'observer' && value !== 'participant') {
        throw invalid(`peerType: ${value} is neither participant nor observer`)
      }
      return value.toLowerCase() === 'observer'
    case 'admin.forceHttps':
      return value === 'true' ? 'only' : (present ?? 'off')
    case 'admin.portUnification':
      return value === 'true' && present !== 'only' ? 'shared' : (present ?? 'off')
    case 'admin.needClientAuth':
      return value === 'true' ? 'need' : (present ?? 'want')
    case 'minSessionTimeout':
    case 'maxSessionTimeout':
      // ZooKeeper's own word for "by the tick".
      return value === '-1' ? present : value
    default:
      return value
  }
}

/** This server's own line: name by myid, its ports, and where others find it. */
function placeSelf(
  path: string,
  settings: Record<string, unknown>,
  servers: readonly ServerLine[],
): void {
  const myidPath = join(String(settings['dataDirectory']), 'myid')
  if (!existsSync(myidPath)) throw new CodedError('CONFIG_UNREADABLE', `${myidPath} is missing`)
  const name = readText(myidPath).trim()
  const self = servers.find((server) => server.name === name)
  if (self === undefined) throw invalid(`${path}: no line server.${name}, which ${myidPath} names`)
  settings['name'] = name
  settings['advertisedHost'] = self.host
  settings['peerPort'] = self.peerPort
  settings['observer'] = self.observer || settings['observer'] === true
  if (self.clientPort !== '') settings['clientPort'] = self.clientPort
  if (self.clientHost !== '') settings['clientHost'] ??= self.clientHost
  const local = self.host === 'localhost' || self.host.startsWith('127.')
  if (local) settings['peerHost'] = self.host
}

/** host:peer:election[:role][;[address:]client] */
function parseServer(path: string, key: string, value: string): ServerLine {
  const name = key.slice('server.'.length)
  const match =
    /^(\[[^\]]+\]|[^:|]+):(\d+)(?::(\d+))?(?::(participant|observer))?(?:;(?:(.+):)?(\d+))?$/.exec(
      value,
    )
  if (match === null || !/^\d+$/.test(name)) {
    throw invalid(`${path}: ${key}=${value} is not host:port:port[:role][;[address:]port]`)
  }
  const [, host = '', peerPort = '', , role, clientHost = '', clientPort = ''] = match
  return {
    name,
    host,
    peerPort: Number(peerPort),
    peerAddress: `${host}:${peerPort}`,
    clientHost: clientHost.replace(/^\[|\]$/g, ''),
    clientPort,
    observer: role === 'observer',
  }
}

/** Java properties as far as zoo.cfg uses them: a key, then =, : or a space; comments; no escapes. */
export function parseProperties(text: string): Map<string, string> {
  const entries = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith('!')) continue
    const [, key = '', value = ''] = /^([^=:\s]+)(?:\s*[=:]\s*|\s+|$)(.*)$/.exec(trimmed) ?? []
    entries.set(key, value)
  }
  return entries
}

function integerOf(key: string, text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isInteger(value)) throw invalid(`${key}: ${text} is no integer`)
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

function invalid(message: string): CodedError {
  return new CodedError('CONFIG_INVALID', message)
}
