import { join } from 'node:path'
import { AgentError } from '../../errors.ts'
import { RestClient } from '../../kubernetes/rest-client.ts'
import { limits } from '../../limits.ts'
import type { EngineSetup } from '../kinds.ts'
import { AllegrographClient, type ServerPlace } from './allegrograph-client.ts'
import { ControllingEngine } from './controlling-engine.ts'
import { CopyEngine } from './copy-engine.ts'
import { CopyPods } from './copy-pods.ts'
import { Pulse } from './pulse.ts'

/** An instance of AllegroGraph's multi-master replication, by the agent's settings. Throws AGENT_CONFIG_INVALID. */
export function allegrographEngine(setup: EngineSetup): ControllingEngine | CopyEngine {
  const { settings } = setup.config
  needed(setup, 'allegrographPasswordFile')
  return settings.allegrographRole === 'copy' ? copyOf(setup) : controllingOf(setup)
}

function controllingOf(setup: EngineSetup): ControllingEngine {
  const { config, logger, nowMs } = setup
  const { settings } = config
  const { dataDirectory, allegrographCatalog, allegrographRepository: repository } = settings
  return new ControllingEngine({
    ...commonOf(setup),
    repository,
    repositoryDirectory: join(dataDirectory, allegrographCatalog, repository),
    copiesSet: needed(setup, 'allegrographCopies'),
    pods: new CopyPods({
      rest: new RestClient({ url: settings.kubernetesUrl, timeoutMs: limits.kubernetesTimeoutMs }),
      namespace: settings.namespace,
      everyMs: limits.allegrographPodsEveryMs,
      nowMs,
      log: (message, fields) => logger.warn(fields, message),
    }),
  })
}

function copyOf(setup: EngineSetup): CopyEngine {
  const { config, logger, nowMs } = setup
  const { settings } = config
  return new CopyEngine({
    ...commonOf(setup),
    set: settings.set,
    pod: settings.pod,
    podUid: needed(setup, 'allegrographPodUid'),
    controlling: clientOf(setup, placeOf(needed(setup, 'allegrographControlling'))),
    patienceMs: limits.allegrographPatienceMs,
    stuckMs: limits.allegrographStuckMs,
    unlistedMs: limits.allegrographUnlistedMs,
    nowMs,
    warn: (message) => logger.warn(message),
  })
}

function commonOf(setup: EngineSetup) {
  const { config, disk, nowMs } = setup
  const { engineHost, advertisedHost, allegrographPort: port } = config.settings
  return {
    disk,
    local: clientOf(setup, { host: engineHost, port }),
    place: { host: advertisedHost, port },
    pulse: new Pulse(limits.allegrographSilentMs, nowMs),
    clientPorts: { port, sslPort: null },
  }
}

function clientOf({ config }: EngineSetup, place: ServerPlace): AllegrographClient {
  const { allegrographRepository, allegrographUser, allegrographPasswordFile } = config.settings
  return new AllegrographClient({
    place,
    repository: allegrographRepository,
    user: allegrographUser,
    passwordFile: allegrographPasswordFile,
    timeoutMs: limits.engineTimeoutMs,
    changeMs: limits.allegrographChangeMs,
    growMs: limits.allegrographGrowMs,
  })
}

function placeOf(text: string): ServerPlace {
  const [, host = '', port = ''] = /^(.+):(\d+)$/.exec(text) ?? []
  if (host === '') throw invalid(`allegrographControlling: ${text} is no host:port`)
  return { host, port: Number(port) }
}

function needed(
  { config }: EngineSetup,
  name:
    | 'allegrographPasswordFile'
    | 'allegrographCopies'
    | 'allegrographControlling'
    | 'allegrographPodUid',
): string {
  const value = config.settings[name]
  if (value === '') throw invalid(`${name} is empty`)
  return value
}

function invalid(message: string): AgentError {
  return new AgentError('AGENT_CONFIG_INVALID', message)
}
