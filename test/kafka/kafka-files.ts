import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What the pods of a set are: brokers on the tree; brokers that are controllers too; or with KRaft one of both, each
 * in a set of its own.
 */
export type KafkaForm = 'zookeeper' | 'combined' | 'brokers' | 'controllers'

/** What the pods of a set have in common. */
export interface ReleasePlace {
  readonly form: KafkaForm
  readonly set: string
  /** Of each pod: broker, agent, controller. */
  readonly ports: readonly (readonly number[])[]
  /** host:port of those that have the metadata. */
  readonly controllers: readonly string[]
  readonly directory: string
  readonly kubernetesUrl: string
  readonly servers: readonly string[]
  readonly log4j: string
}

export const ROOT = '/kafka'
/** The set of the controllers, where that is one of its own. */
export const CONTROLLERS_SET = 'c'
export const FIRST_CONTROLLER_ID = 1000

const SESSION_MS = 6_000

/** What the agent of a pod is told of Kafka. */
export function kafkaFlags(
  { form }: ReleasePlace,
  [port = 0, , controller = 0]: readonly number[],
) {
  const broker = { 'kafka-port': port, 'kafka-advertised-listeners': `PLAINTEXT://{host}:${port}` }
  const kraft = { 'kafka-mode': 'kraft', 'kafka-controller-port': controller }
  switch (form) {
    case 'zookeeper':
      return { ...broker, 'kafka-root': ROOT }
    case 'combined':
      return { ...broker, ...kraft, 'kafka-controllers': 3 }
    case 'brokers':
      return {
        ...broker,
        ...kraft,
        'kafka-role': 'broker',
        'kafka-controllers-cluster': CONTROLLERS_SET,
      }
    case 'controllers':
      return { ...kraft, 'kafka-role': 'controller', 'kafka-first-id': FIRST_CONTROLLER_ID }
  }
}

/** The properties that the nodes of a set have in common, and the ports of this one. */
export function kafkaProperties(
  { form, servers, controllers }: ReleasePlace,
  [port, , controller]: readonly number[],
): Readonly<Record<string, string>> {
  const clients = `PLAINTEXT://127.0.0.1:${port}`
  const own = `CONTROLLER://127.0.0.1:${controller}`
  if (form === 'zookeeper') {
    return {
      listeners: clients,
      'zookeeper.connect': `${servers.join(',')}${ROOT}`,
      'zookeeper.session.timeout.ms': String(SESSION_MS),
    }
  }
  const roles = {
    combined: { 'process.roles': 'broker,controller', listeners: `${clients},${own}` },
    brokers: { 'process.roles': 'broker', listeners: clients },
    // Its agent tells it where the others reach it.
    controllers: { 'process.roles': 'controller', listeners: `CONTROLLER://:${controller}` },
  }
  return {
    ...roles[form],
    ...(form === 'controllers' ? {} : { 'inter.broker.listener.name': 'PLAINTEXT' }),
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': controllers.join(','),
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'broker.session.timeout.ms': String(SESSION_MS),
  }
}

/** What the container's command does with its permit. */
export function kafkaCommand({ form }: ReleasePlace, java: string, base: string): string {
  if (form === 'zookeeper') return `exec ${java} kafka.Kafka ${base} $line`
  const file = base.replace('base', 'server')
  return [
    'format=',
    'set -- $line',
    'if [ "$1" = --format ]; then format="--cluster-id $2 $3"; shift 3; fi',
    `{ cat ${base}; printf '%s\\n' "$@"; } > ${file}`,
    `if [ -n "$format" ]; then ${java} kafka.tools.StorageTool format --config ${file} $format; fi`,
    `exec ${java} kafka.Kafka ${file}`,
  ].join('; ')
}

/** Writes `<name>.properties` and returns its path. */
export function propertiesFile(
  directory: string,
  name: string,
  lines: Readonly<Record<string, string>>,
): string {
  const file = join(directory, `${name}.properties`)
  const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`)
  writeFileSync(file, text.join(''))
  return file
}
