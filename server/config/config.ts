import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import type { Forming, ListedServer } from '../ensemble/joining.ts'
import { CodedError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Authenticator } from '../listener/authentication.ts'
import { authenticatorOf } from './authentication.ts'
import {
  defaultSettings,
  type SettingName,
  type Settings,
  secretSettings,
  settingNames,
} from './schema.ts'
import { readSetting } from './setting-value.ts'
import { clientTlsOf, httpTlsOf, peerTlsOf, type TlsChoice } from './tls-options.ts'
import { readZooCfg } from './zoo-cfg.ts'

/** The settings of one server with what follows from them. */
export interface Config {
  readonly settings: Settings
  readonly forming: Forming
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** TLS of clients, between servers, and of HTTP; null where it is off. */
  readonly clientTls: TlsChoice | null
  readonly peerTls: TlsChoice | null
  readonly httpTls: TlsChoice | null
  readonly authenticator: Authenticator
  /**
   * Whether the server may do without its peer port: one from a zoo.cfg without a list of servers stands
   * alone, and in ZooKeeper several of those share a machine that have different client ports alone.
   */
  readonly peerPortOptional: boolean
  /** Sentences to log at the start. */
  readonly warnings: readonly string[]
}

export interface ConfigSources {
  /** A zoo.cfg, YAML or JSON file; undefined for none. */
  readonly file?: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  /** By setting name; values as typed. */
  readonly flags: Readonly<Record<string, unknown>>
}

const ENVIRONMENT_PREFIX = 'QUORATE_'

/** Flags over environment over file over defaults; checked as a whole. */
export function loadConfig(sources: ConfigSources): Config {
  const warnings: string[] = []
  const file = readFile(sources.file, warnings)
  const given = {
    ...file.settings,
    ...fromEnvironment(sources.environment),
    ...sources.flags,
  }
  const settings = checked({ ...defaultSettings(), ...given }, keysOf(file.keys, sources))
  scaleTimeouts(settings, given)
  checkTimeouts(settings)
  checkAccess(settings)
  const { tickMs } = limits
  const clientTls = clientTlsOf(settings)
  if (settings.skipAcl) warnings.push('skipAcl: ACLs are not checked, everybody may do everything')
  const authenticator = authenticatorOf(settings, clientTls !== null)
  if (settings.saslUsersFile !== '' && authenticator.saslUsers === null) {
    warnings.push(
      `${settings.saslUsersFile} has no section Server: nobody can prove who they are by sasl`,
    )
  }
  return {
    settings: { ...settings, secret: secretOf(settings, warnings) },
    forming: formingOf(settings, file),
    electionTicks: Math.max(2, Math.round(settings.electionTimeoutMs / tickMs)),
    heartbeatTicks: Math.max(1, Math.round(settings.heartbeatIntervalMs / tickMs)),
    clientTls,
    peerTls: peerTlsOf(settings),
    httpTls: httpTlsOf(settings),
    authenticator,
    peerPortOptional:
      file.standalone && settings.join.length === 0 && given['peerPort'] === undefined,
    warnings,
  }
}

/** For the log: nothing secret. */
export function redacted(settings: Settings): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...settings }
  for (const name of secretSettings) if (shown[name] !== '') shown[name] = '(set)'
  return shown
}

interface SettingsFile {
  readonly settings: Readonly<Record<string, unknown>>
  readonly servers: readonly ListedServer[]
  /** By setting: the key of the zoo.cfg that it comes from. */
  readonly keys: Readonly<Record<string, string>>
  /** A zoo.cfg without a list of servers stands alone, unless it is told to join. */
  readonly standalone: boolean
}

function readFile(path: string | undefined, warnings: string[]): SettingsFile {
  if (path === undefined) return { settings: {}, servers: [], keys: {}, standalone: false }
  if (!/\.(ya?ml|json)$/.test(path)) {
    const { settings, servers, keys, ignored } = readZooCfg(path)
    if (ignored.length > 0) warnings.push(`${path}: without a meaning here: ${ignored.join(', ')}`)
    return { settings, servers, keys, standalone: servers.length === 0 }
  }
  const parsed = readDocument(path)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new CodedError('CONFIG_INVALID', `${path} is not a map of settings`)
  }
  const settings = parsed as Record<string, unknown>
  return { settings, servers: [], keys: {}, standalone: false }
}

/** Where the environment or a flag gives the setting, the file's key is not to blame. */
function keysOf(
  keys: SettingsFile['keys'],
  { environment, flags }: ConfigSources,
): SettingsFile['keys'] {
  const elsewhere = { ...fromEnvironment(environment), ...flags }
  return Object.fromEntries(Object.entries(keys).filter(([name]) => !(name in elsewhere)))
}

function readDocument(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new CodedError(
      'CONFIG_UNREADABLE',
      error instanceof Error ? error.message : String(error),
    )
  }
}

/** QUORATE_CLIENT_PORT sets clientPort. */
function fromEnvironment(environment: ConfigSources['environment']): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  for (const name of settingNames) {
    const variable =
      ENVIRONMENT_PREFIX + name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
    const value = environment[variable]
    if (value !== undefined) settings[name] = value
  }
  return settings
}

/**
 * Reads every value as its setting's type and refuses the first that does not fit, by name and, for
 * one from a zoo.cfg, by the key that was written there.
 */
function checked(
  given: Readonly<Record<string, unknown>>,
  keys: Readonly<Record<string, string>>,
): Settings {
  const values: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(given)) {
    if (!isSettingName(name)) {
      throw new CodedError(
        'CONFIG_INVALID',
        `unknown setting ${name}; did you mean ${nearest(name)}?`,
      )
    }
    const read = readSetting(name, text)
    if ('problem' in read) {
      const key = keys[name]
      const place = key === undefined ? name : `${name} (${key})`
      const problem = secretSettings.includes(name) ? 'is not valid' : read.problem
      throw new CodedError('CONFIG_INVALID', `${place}: ${problem}`)
    }
    values[name] = read.value
  }
  return values as Settings
}

function isSettingName(name: string): name is SettingName {
  return (settingNames as readonly string[]).includes(name)
}

function nearest(name: string): string {
  return settingNames.reduce((best, other) =>
    distance(name, other) < distance(name, best) ? other : best,
  )
}

/** Levenshtein's edit distance. */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, i) => i)
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= right.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      next[j] = Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1)
    }
    row = next
  }
  return row[right.length] ?? 0
}

/** A short least session timeout needs a quicker ensemble, unless the times were given. */
function scaleTimeouts(settings: Settings, given: Readonly<Record<string, unknown>>): void {
  if (given['electionTimeoutMs'] === undefined) {
    const scaled = Math.floor((0.4 * settings.sessionTimeoutMsMin) / limits.tickMs) * limits.tickMs
    settings.electionTimeoutMs = Math.max(200, Math.min(settings.electionTimeoutMs, scaled))
  }
  if (given['heartbeatIntervalMs'] === undefined) {
    settings.heartbeatIntervalMs = Math.max(
      limits.tickMs,
      Math.min(settings.heartbeatIntervalMs, Math.floor(settings.electionTimeoutMs / 4)),
    )
  }
}

function checkTimeouts(settings: Settings): void {
  const { electionTimeoutMs, heartbeatIntervalMs, sessionTimeoutMsMin, sessionTimeoutMsMax } =
    settings
  const fenceMs = electionTimeoutMs + limits.touchReportTicks * limits.tickMs + limits.tickMs
  if (fenceMs >= sessionTimeoutMsMin) {
    throw new CodedError(
      'CONFIG_INVALID',
      `sessionTimeoutMsMin: ${sessionTimeoutMsMin} must be above electionTimeoutMs, a report and a tick (${fenceMs})`,
    )
  }
  if (sessionTimeoutMsMax < sessionTimeoutMsMin) {
    throw new CodedError('CONFIG_INVALID', 'sessionTimeoutMsMax: is below sessionTimeoutMsMin')
  }
  if (heartbeatIntervalMs * 2 > electionTimeoutMs) {
    throw new CodedError(
      'CONFIG_INVALID',
      'heartbeatIntervalMs: must be at most half of electionTimeoutMs',
    )
  }
}

function checkAccess(settings: Settings): void {
  if (settings.clientPort === 0 && settings.secureClientPort === 0) {
    throw new CodedError('CONFIG_INVALID', 'clientPort: may be 0 only with a secureClientPort')
  }
  // An empty token would let in whoever sends an empty one.
  if (settings.httpAuth === 'token' && settings.httpToken === '') {
    throw new CodedError('CONFIG_INVALID', 'httpToken: is needed when httpAuth is token')
  }
}

function secretOf(settings: Settings, warnings: string[]): string {
  if (settings.secretFile !== '') {
    const secret = readSecret(settings.secretFile)
    if (secret === '') {
      throw new CodedError('CONFIG_INVALID', `secretFile: ${settings.secretFile} is empty`)
    }
    return secret
  }
  const certified = settings.peerTls && settings.peerTlsClientAuth === 'need'
  if (settings.secret === '' && !(certified && !settings.peerPortUnification)) {
    warnings.push('no ensemble secret is set: whoever reaches the peer port can join')
  }
  return settings.secret
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CodedError('CONFIG_UNREADABLE', `secretFile: ${reason}`)
  }
}

function formingOf(settings: Settings, file: SettingsFile): Forming {
  const servers = settings.clusterFile === '' ? file.servers : readClusterFile(settings.clusterFile)
  if (servers.length > 0) return { kind: 'static', servers }
  if (settings.bootstrap) return { kind: 'bootstrap' }
  if (settings.join.length > 0) return { kind: 'join', seeds: settings.join }
  if (file.standalone) return { kind: 'bootstrap' }
  throw new CodedError(
    'CONFIG_INVALID',
    'one of bootstrap, join, clusterFile or a list of servers is needed',
  )
}

function readClusterFile(path: string): ListedServer[] {
  const parsed = readDocument(path)
  const bad = new CodedError(
    'CONFIG_INVALID',
    `clusterFile: ${path} is no list of {name, peerAddress}`,
  )
  if (!Array.isArray(parsed)) throw bad
  return parsed.map((item: unknown) => {
    const { name, peerAddress, observer } = (item ?? {}) as Record<string, unknown>
    if (name === undefined || typeof peerAddress !== 'string') throw bad
    return { name: String(name), peerAddress, observer: observer === true }
  })
}
