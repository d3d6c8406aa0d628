import { readFileSync } from 'node:fs'
import { Value } from 'typebox/value'
import { parse as parseYaml } from 'yaml'
import type { Forming, ListedServer } from '../ensemble/joining.ts'
import { CodedError } from '../errors.ts'
import { limits } from '../limits.ts'
import {
  defaultSettings,
  type SettingName,
  Settings,
  secretSettings,
  settingNames,
} from './schema.ts'
import { readZooCfg } from './zoo-cfg.ts'

/** The settings of one server with what follows from them. */
export interface Config {
  readonly settings: Settings
  readonly forming: Forming
  readonly electionTicks: number
  readonly heartbeatTicks: number
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
  const settings = checked({ ...defaultSettings(), ...given })
  scaleTimeouts(settings, given)
  checkTimeouts(settings)
  const { tickMs } = limits
  return {
    settings: { ...settings, secret: secretOf(settings, warnings) },
    forming: formingOf(settings, file.servers),
    electionTicks: Math.max(2, Math.round(settings.electionTimeoutMs / tickMs)),
    heartbeatTicks: Math.max(1, Math.round(settings.heartbeatIntervalMs / tickMs)),
    warnings,
  }
}

/** For the log: nothing secret. */
export function redacted(settings: Settings): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...settings }
  for (const name of secretSettings) if (shown[name] !== '') shown[name] = '(set)'
  return shown
}

function readFile(
  path: string | undefined,
  warnings: string[],
): { readonly settings: Record<string, unknown>; readonly servers: readonly ListedServer[] } {
  if (path === undefined) return { settings: {}, servers: [] }
  if (!/\.(ya?ml|json)$/.test(path)) {
    const { settings, servers, ignored } = readZooCfg(path)
    if (ignored.length > 0) warnings.push(`${path}: without a meaning here: ${ignored.join(', ')}`)
    return { settings, servers }
  }
  const parsed = readDocument(path)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new CodedError('CONFIG_INVALID', `${path} is not a map of settings`)
  }
  return { settings: parsed as Record<string, unknown>, servers: [] }
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

/** Converts text to the setting's type and refuses the first that does not fit, by name. */
function checked(given: Record<string, unknown>): Settings {
  for (const name of Object.keys(given)) {
    if (!settingNames.includes(name as SettingName)) {
      throw new CodedError(
        'CONFIG_INVALID',
        `unknown setting ${name}; did you mean ${nearest(name)}?`,
      )
    }
  }
  const lists = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, listOf(name as SettingName, value)]),
  )
  const converted = Value.Convert(Settings, lists)
  if (Value.Check(Settings, converted)) return converted
  const [first] = Value.Errors(Settings, converted)
  const name = first?.instancePath.split('/')[1] ?? ''
  throw new CodedError('CONFIG_INVALID', `${name}: ${first?.message ?? 'is not valid'}`)
}

function listOf(name: SettingName, value: unknown): unknown {
  const isList = name === 'join' || name === 'fourLetterWords'
  return isList && typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value
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

function secretOf(settings: Settings, warnings: string[]): string {
  if (settings.secretFile !== '') {
    try {
      return readFileSync(settings.secretFile, 'utf8').trim()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CodedError('CONFIG_UNREADABLE', `secretFile: ${reason}`)
    }
  }
  if (settings.secret === '') {
    warnings.push('no ensemble secret is set: whoever reaches the peer port can join')
  }
  return settings.secret
}

function formingOf(settings: Settings, listed: readonly ListedServer[]): Forming {
  const servers = settings.clusterFile === '' ? listed : readClusterFile(settings.clusterFile)
  if (servers.length > 0) return { kind: 'static', servers }
  if (settings.bootstrap) return { kind: 'bootstrap' }
  if (settings.join.length > 0) return { kind: 'join', seeds: settings.join }
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
