import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../../config.ts'
import { AgentError } from '../../errors.ts'
import type { EngineSetup } from '../kinds.ts'
import { ControllerEngine } from './controller-engine.ts'
import { KafkaEngine } from './kafka-engine.ts'
import { type ControllersElsewhere, KraftEngine } from './kraft-engine.ts'

/** The name of the controllers' listener, in all configurations. */
const CONTROLLER = 'CONTROLLER'

/** A Kafka broker or controller, by the agent's settings. Throws AGENT_CONFIG_INVALID. */
export function kafkaEngine(setup: EngineSetup): KafkaEngine | KraftEngine | ControllerEngine {
  const { config, coordination } = setup
  const { settings } = config
  const options = optionsOf(setup)
  if (settings.kafkaMode === 'zookeeper') {
    const treeRoot = settings.kafkaRoot.replace(/\/+$/, '')
    return new KafkaEngine({ ...options, coordination, treeRoot })
  }
  const { advertisedHost: host, kafkaControllerPort: port, kafkaRole } = settings
  const controller = { listener: CONTROLLER, host, port }
  if (kafkaRole === 'controller') {
    const { brokerId: nodeId } = options
    const tls = settings.kafkaCaFile === '' ? null : (name: string | null) => tlsOf(config, name)
    return new ControllerEngine({ ...options, nodeId, controller, tls })
  }
  const controllers = kafkaRole === 'broker' ? elsewhereOf(setup) : settings.kafkaControllers
  return new KraftEngine({ ...options, controller, controllers })
}

/** The controllers' agents keep their facts in the tree as this one does, under their own name. */
function elsewhereOf({ config, coordination }: EngineSetup): ControllersElsewhere {
  const { treeRoot, kafkaControllersCluster: cluster } = config.settings
  if (cluster === '') {
    throw new AgentError(
      'AGENT_CONFIG_INVALID',
      'kafkaControllersCluster: whose brokers these are has to be said',
    )
  }
  return { coordination, root: `${treeRoot}/clusters/${cluster}` }
}

function optionsOf({ config, disk, nowMs }: EngineSetup) {
  const { settings, ordinal } = config
  const { kafkaPort, kafkaFirstId, kafkaCaFile } = settings
  const secure = kafkaCaFile !== ''
  return {
    disk,
    logDirectories: logDirectoriesOf(config),
    set: settings.set,
    brokerId: kafkaFirstId + ordinal,
    firstId: kafkaFirstId,
    host: settings.engineHost,
    port: kafkaPort,
    clientPorts: secure ? { port: null, sslPort: kafkaPort } : { port: kafkaPort, sslPort: null },
    advertisedHost: settings.advertisedHost,
    advertisedListeners: listenersOf(config),
    tls: secure ? () => tlsOf(config, null) : null,
    version: settings.kafkaVersion,
    leaderlessMark: join(dirname(settings.permitPipe), 'leaderless'),
    nowMs,
  }
}

/** A folder of the volume: brokers end when they find anything but logs beside their logs. */
function logDirectoriesOf({ settings }: AgentConfig): readonly string[] {
  const { kafkaLogDirectories, dataDirectory } = settings
  return kafkaLogDirectories.length > 0 ? kafkaLogDirectories : [join(dataDirectory, 'logs')]
}

/** The name that certificates carry is the one that others use, not the loopback address. Null: this pod's own. */
function tlsOf({ settings }: AgentConfig, host: string | null) {
  const { kafkaCaFile, kafkaCertificateFile, kafkaKeyFile, advertisedHost } = settings
  const own =
    kafkaCertificateFile === ''
      ? {}
      : { cert: readFileSync(kafkaCertificateFile), key: readFileSync(kafkaKeyFile) }
  return { ca: readFileSync(kafkaCaFile), servername: host ?? advertisedHost, ...own }
}

/** One template for all brokers; `{31090+ordinal}` is a port of the broker's own. */
function listenersOf({ settings, ordinal }: AgentConfig): string {
  return settings.kafkaAdvertisedListeners
    .replaceAll('{host}', settings.advertisedHost)
    .replaceAll('{pod}', settings.pod)
    .replaceAll('{ordinal}', String(ordinal))
    .replace(/\{(\d+)\+ordinal\}/g, (_, first) => String(Number(first) + ordinal))
}
