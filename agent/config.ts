import * as Type from 'typebox'
import { Value } from 'typebox/value'
import { ordinalOf } from './core/observation.ts'
import { type EngineKind, engineNames, engineSettings } from './engines/kinds.ts'
import { AgentError } from './errors.ts'
import { limits } from './limits.ts'
import { readSecretFile } from './secret-file.ts'
import { list, ms, port, text } from './setting.ts'

/** Every setting of the agent: one schema for flags, environment and documentation. */
export const AgentSettings = Type.Object(
  {
    engine: Type.Unsafe<EngineKind>(
      Type.Union(
        engineNames.map((kind) => Type.Literal(kind)),
        { default: 'quorate', description: 'What runs in the main container' },
      ),
    ),
    cluster: text('Name of the service in the tree; the name of the set when empty'),
    set: text('Name of the StatefulSet; the pod name without its ordinal when empty'),
    pod: text('Name of this pod', process.env['HOSTNAME'] ?? ''),
    namespace: text('Namespace of the pod', 'default'),
    service: text('Headless Service of the set; the name of the set when empty'),
    clusterDomain: text('DNS domain of the cluster', 'cluster.local'),
    advertisedHost: text('Host under which others reach this member; its DNS name when empty'),
    dataDirectory: text('Data volume of the engine, the same as its container has', '/data'),
    logDirectory: text('Second data volume of the engine, when it has one'),
    volatile: Type.Boolean({
      default: false,
      description: 'The set has no volumes: when all disks are empty a new cluster is founded',
    }),
    permitPipe: text('FIFO that the main container reads before each start', '/run/quorate/permit'),
    host: text('Address to listen on; all when empty'),
    port: port('Probes, preStop, metrics and status', 8090),
    prestopToken: text('Token that /prestop takes'),
    prestopTokenFile: text('File that holds the token of /prestop'),
    kubernetesUrl: text('Kubernetes API; the one of the cluster around the pod when empty'),
    record: text('ConfigMap of the forming record; <set>-forming when empty'),
    peerAgents: list('URLs of the agents by ordinal, in place of DNS names'),
    engineHost: text('Host of the engine', '127.0.0.1'),
    clientPort: port('ZooKeeper clients of the server', 2181),
    secureClientPort: port('The same over TLS; 0 is none', 0),
    tree: list('host:port of the servers of the tree; the local one first, then its peers'),
    treeRoot: text('Where members publish themselves', '/members/v1'),
    treeCaFile: text('CA of the tree’s servers; TLS is used when it is set'),
    treeCertificateFile: text('Certificate that the agent shows to the tree'),
    treeKeyFile: text('Key of that certificate'),
    sessionTimeoutMs: ms('Session of the agent in the tree', limits.sessionTimeoutMs),
    treeGraceMs: ms(
      'A dependent with data waits so long for the tree, then starts without it',
      limits.treeGraceMs,
    ),
    drainBudgetMs: ms('All of a drain: the grace period less 15 s', limits.drainBudgetMs),
    verdictPatienceMs: ms(
      'A stop asks on for its reason for so long while the API does not answer',
      limits.verdictPatienceMs,
    ),
    returnAfterMs: ms('A drain without SIGTERM is taken back after this', limits.returnAfterMs),
    reconcileAfterMs: ms(
      'A member beyond the replicas without a session is removed after this',
      limits.reconcileAfterMs,
    ),
    ...engineSettings,
    logLevel: Type.Union(
      [Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')],
      { default: 'info', description: 'Least level that is logged' },
    ),
  },
  { additionalProperties: false },
)

export type AgentSettings = Type.Static<typeof AgentSettings>
export type AgentSettingName = keyof AgentSettings

export const agentSettingNames = Object.keys(AgentSettings.properties) as AgentSettingName[]

const SECRETS: readonly AgentSettingName[] = ['prestopToken', 'engineToken']
const ENVIRONMENT_PREFIX = 'QUORATE_AGENT_'

/** The settings with what follows from them. */
export interface AgentConfig {
  readonly settings: AgentSettings
  readonly ordinal: number
}

/** Flags over environment over defaults; throws an AgentError that names the wrong setting. */
export function loadAgentConfig(sources: {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly flags: Readonly<Record<string, unknown>>
}): AgentConfig {
  const given = { ...fromEnvironment(sources.environment), ...sources.flags }
  const settings = checked({ ...Value.Create(AgentSettings), ...lists(given) })
  const set = settings.set || settings.pod.replace(/-\d+$/, '')
  const ordinal = ordinalOf(settings.pod, set)
  if (ordinal === null) throw invalid(`pod: ${settings.pod} is no pod of the set ${set}`)
  if (settings.engine !== 'quorate' && settings.tree.length === 0) {
    throw invalid('tree: an engine that is not the tree itself needs to be told where the tree is')
  }
  const host = `${settings.pod}.${settings.service || set}.${settings.namespace}.svc`
  return {
    ordinal,
    settings: {
      ...settings,
      set,
      cluster: settings.cluster || set,
      service: settings.service || set,
      record: settings.record || `${set}-forming`,
      advertisedHost: settings.advertisedHost || `${host}.${settings.clusterDomain}`,
      prestopToken: settings.prestopToken || readSecretFile(settings.prestopTokenFile),
      engineToken: settings.engineToken || readSecretFile(settings.engineTokenFile),
    },
  }
}

/** For the log: nothing secret. */
export function redactedSettings(settings: AgentSettings): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...settings }
  for (const name of SECRETS) if (shown[name] !== '') shown[name] = '(set)'
  return shown
}

/** QUORATE_AGENT_DATA_DIRECTORY sets dataDirectory. */
function fromEnvironment(environment: Readonly<Record<string, string | undefined>>) {
  const found: Record<string, unknown> = {}
  for (const name of agentSettingNames) {
    const upper = name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
    const value = environment[`${ENVIRONMENT_PREFIX}${upper}`]
    if (value !== undefined) found[name] = value
  }
  return found
}

function lists(given: Record<string, unknown>): Record<string, unknown> {
  const parts = Object.entries(given).map(([name, value]) => {
    const schema: object | undefined = AgentSettings.properties[name as AgentSettingName]
    const isList = schema !== undefined && Reflect.get(schema, 'type') === 'array'
    if (!isList || typeof value !== 'string') return [name, value]
    return [
      name,
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    ]
  })
  return Object.fromEntries(parts)
}

function checked(given: Record<string, unknown>): AgentSettings {
  const converted = Value.Convert(AgentSettings, given)
  if (Value.Check(AgentSettings, converted)) return converted
  const [first] = Value.Errors(AgentSettings, converted)
  throw invalid(`${first?.instancePath.split('/')[1] ?? ''}: ${first?.message ?? 'is not valid'}`)
}

function invalid(message: string): AgentError {
  return new AgentError('AGENT_CONFIG_INVALID', message)
}
