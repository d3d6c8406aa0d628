import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ListedServer } from '../ensemble/joining.ts'
import { CodedError } from '../errors.ts'
import { parseProperties } from './java-properties.ts'
import { type SettingName, Settings } from './schema.ts'
import { throttleKeys } from './throttle-settings.ts'
import { znodeKeys } from './znode-settings.ts'
import {
  authenticationKeys,
  authenticationOf,
  authenticationValue,
  isAuthenticationKey,
} from './zoo-cfg-authentication.ts'
import { isUnderstood } from './zoo-cfg-keys.ts'
import { parseServer, type ServerLine } from './zoo-cfg-servers.ts'
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
  clientPortListenBacklog: 'listenBacklog',
  maxClientCnxns: 'connectionsPerAddressMax',
  maxCnxns: 'connectionsMax',
  minSessionTimeout: 'sessionTimeoutMsMin',
  maxSessionTimeout: 'sessionTimeoutMsMax',
  '4lw.commands.whitelist': 'fourLetterWords',
  snapCount: 'snapshotRequests',
  preAllocSize: 'segmentBytes',
  'jute.maxbuffer': 'frameBytesMax',
  'nio.sessionlessCnxnTimeout': 'handshakeTimeoutMs',
  'admin.serverPort': 'httpPort',
  'admin.idleTimeout': 'httpIdleMs',
  'admin.commandURL': 'httpCommandPath',
  'admin.serverAddress': 'httpHost',
  'admin.forceHttps': 'httpTls',
  'admin.portUnification': 'httpTls',
  'admin.needClientAuth': 'httpTlsClientAuth',
  peerType: 'observer',
  'audit.enable': 'auditEnabled',
  'readonlymode.enabled': 'readOnlyMode',
  ...authenticationKeys,
  ...tlsKeys,
  ...throttleKeys,
  ...znodeKeys,
}

/** Keys that are read but are no setting by themselves. */
const READ = new Set([
  'tickTime',
  'admin.enableServer',
  'dynamicConfigFile',
  'version',
  'quorumListenOnAllIPs',
  'multiAddress.enabled',
])

/** ZooKeeper's own. */
const TICK_MS = 3_000

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
        key in tlsKeys
          ? tlsValue(setting, spelt(setting, value))
          : settingOf(key, spelt(setting, value), settings[setting])
      if (key in authenticationKeys) settings[setting] = authenticationValue(key, value)
    } else if (key.startsWith('server.')) {
      servers.push(serverOf(path, entries, key, ignored))
    } else if (/^(group|weight)/.test(key)) {
      throw invalid(
        `${path}: ${key}: quorums of groups and weights are not to be had: each vote counts`,
      )
    } else if (key.startsWith('quorate.')) {
      settings[key.slice('quorate.'.length)] = value
      keys[key.slice('quorate.'.length)] = key
    } else if (!asksForNothing(key, value)) ignored.push(key)
  }
  if (flagOf(entries, 'admin.enableServer') === false && !entries.has('quorate.httpPort')) {
    settings['httpPort'] = 0
  }
  if (servers.length > 0)
    placeSelf(path, settings, servers, flagOf(entries, 'quorumListenOnAllIPs'))
  return { settings, servers, keys, ignored }
}

/** Whether a key is no setting by itself, and read all the same, with others. */
export function isReadTogether(key: string, value: string): boolean {
  return READ.has(key) || isTlsUnderstood(key, value) || isAuthenticationKey(key, value)
}

/** Whether a key that is no setting by itself asks for nothing that is missing. */
function asksForNothing(key: string, value: string): boolean {
  return isUnderstood(key, value) || isReadTogether(key, value)
}

/** The file, and its dynamic part where ZooKeeper has moved the servers there. */
function readEntries(path: string): Entries {
  const entries = readProperties(path)
  const dynamic = entries.get('dynamicConfigFile')
  if (dynamic === undefined) return entries
  const misplaced = [...entries.keys()].find((key) => key.startsWith('server.'))
  if (misplaced !== undefined) {
    throw invalid(`${path}: ${misplaced}: must be in ${dynamic}, which dynamicConfigFile names`)
  }
  return new Map([...entries, ...readProperties(dynamic)])
}

function readProperties(path: string): Entries {
  return parseProperties(path, readText(path))
}

/** Yes or no as ZooKeeper reads it, null where it is not said. */
function flagOf(entries: Entries, key: string): boolean | null {
  const text = entries.get(key)?.toLowerCase()
  if (text === undefined) return null
  if (text !== 'true' && text !== 'false')
    throw invalid(`${key}: ${text} is neither true nor false`)
  return text === 'true'
}

/** Java's TRUE is true, too. */
function spelt(setting: SettingName, value: string): string {
  const schema = Settings.properties[setting]
  return 'type' in schema && schema.type === 'boolean' ? value.toLowerCase() : value
}

function serverOf(path: string, entries: Entries, key: string, ignored: string[]): ServerLine {
  const value = entries.get(key) ?? ''
  const line = parseServer(key.slice('server.'.length), value)
  if ('problem' in line) throw invalid(`${path}: ${key}=${value} ${line.problem}`)
  if (line.addresses > 1) {
    if (flagOf(entries, 'multiAddress.enabled') !== true) {
      throw invalid(`${path}: ${key} has several addresses, and multiAddress.enabled is not true`)
    }
    ignored.push(`${key} (all addresses but the first)`)
  }
  return line
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
      if (!/^(observer|participant)$/i.test(value)) {
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
    case 'maxClientCnxns':
    case 'maxCnxns':
    case 'admin.idleTimeout':
      // To ZooKeeper every number below 1 is "no limit".
      return /^-\d+$/.test(value) ? 0 : value
    default:
      return value
  }
}

/** This server's own line: name by myid, its ports, and where others find it. */
function placeSelf(
  path: string,
  settings: Record<string, unknown>,
  servers: readonly ServerLine[],
  listensEverywhere: boolean | null,
): void {
  const self = ownLine(path, String(settings['dataDirectory']), servers)
  settings['name'] = self.name
  settings['advertisedHost'] = self.peerAddress.slice(0, self.peerAddress.lastIndexOf(':'))
  settings['peerPort'] = self.peerPort
  // The line says it, whatever peerType says.
  settings['observer'] = self.observer
  if (self.clientPort !== '') settings['clientPort'] = self.clientPort
  if (self.clientHost !== '') settings['clientHost'] ??= self.clientHost
  const local = self.host === 'localhost' || self.host === '::1' || self.host.startsWith('127.')
  if (!(listensEverywhere ?? !local)) settings['peerHost'] = self.host
}

/** The line that myid names; a single one needs no myid. */
function ownLine(path: string, dataDirectory: string, servers: readonly ServerLine[]): ServerLine {
  const myidPath = join(dataDirectory, 'myid')
  const [only, second] = servers
  if (!existsSync(myidPath)) {
    if (only !== undefined && second === undefined) return only
    throw new CodedError('CONFIG_UNREADABLE', `${myidPath} is missing`)
  }
  const myid =
    readText(myidPath)
      .split(/[\r\n]/, 1)[0]
      ?.trim() ?? ''
  if (!/^\d+$/.test(myid)) throw invalid(`${myidPath}: ${JSON.stringify(myid)} is no number`)
  const name = String(BigInt(myid))
  const self = servers.find((server) => server.name === name)
  if (self === undefined) throw invalid(`${path}: no line server.${name}, which ${myidPath} names`)
  return self
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
