import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { AgentConfig } from '../../config.ts'
import type { EngineSetup } from '../kinds.ts'
import { KafkaEngine } from './kafka-engine.ts'
import { KraftEngine } from './kraft-engine.ts'

/** The name of the controllers' listener, in all configurations. */
const CONTROLLER = 'CONTROLLER'

/** A Kafka broker, by the agent's settings. */
export function kafkaEngine(setup: EngineSetup): KafkaEngine | KraftEngine {
  const { config, coordination } = setup
  const { settings } = config
  const options = optionsOf(setup)
  if (settings.kafkaMode === 'zookeeper') {
    const treeRoot = settings.kafkaRoot.replace(/\/+$/, '')
    return new KafkaEngine({ ...options, coordination, treeRoot })
  }
  const {
    advertisedHost: host,
    kafkaControllerPort: port,
    kafkaControllers: controllers,
  } = settings
  const controller = { listener: CONTROLLER, host, port }
  return new KraftEngine({ ...options, controller, controllers })
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
    tls: secure ? () => tlsOf(config) : null,
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

/** The name that certificates carry is the one that others use, not the loopback address. */
function tlsOf({ settings }: AgentConfig) {
  const { kafkaCaFile, kafkaCertificateFile, kafkaKeyFile, advertisedHost } = settings
  const own =
    kafkaCertificateFile === ''
      ? {}
      : { cert: readFileSync(kafkaCertificateFile), key: readFileSync(kafkaKeyFile) }
  return { ca: readFileSync(kafkaCaFile), servername: advertisedHost, ...own }
}

/** One template for all brokers; `{31090+ordinal}` is a port of the broker's own. */
function listenersOf({ settings, ordinal }: AgentConfig): string {
  return settings.kafkaAdvertisedListeners
    .replaceAll('{host}', settings.advertisedHost)
    .replaceAll('{pod}', settings.pod)
    .replaceAll('{ordinal}', String(ordinal))
    .replace(/\{(\d+)\+ordinal\}/g, (_, first) => String(Number(first) + ordinal))
}
