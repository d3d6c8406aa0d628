import type { KafkaPartition } from '../../core/cluster/kafka-partitions.ts'
import { AgentError } from '../../errors.ts'
import type { KafkaReader, KafkaWriter } from './kafka-wire.ts'

/**
 * One request of Kafka's protocol, in a version that brokers of 3.9 and of 4 both speak. Its layout is
 * that of the message definitions in Kafka's documentation ("Protocol guide").
 */
export interface KafkaRequest<T> {
  readonly name: string
  readonly key: number
  readonly version: number
  /** The header of an answer has no tagged fields: of ApiVersions alone, which old clients must read. */
  readonly plainAnswer?: boolean
  encode(writer: KafkaWriter): void
  /** Throws ENGINE_REFUSED, with Kafka's error code as its detail, when the answer is a refusal. */
  decode(reader: KafkaReader): T
}

export interface KafkaBroker {
  readonly id: number
  readonly host: string
  readonly port: number
}

export interface KafkaMetadata {
  /** '' while the broker does not know it. */
  readonly clusterId: string
  /** The active controller; -1 while none is known. With KRaft any broker, which passes requests on. */
  readonly controllerId: number
  readonly brokers: readonly KafkaBroker[]
  readonly partitions: readonly KafkaPartition[]
}

/** Kafka's resource types of configurations. */
export const TOPIC = 2
export const BROKER = 4

export interface ConfigChange {
  readonly type: typeof TOPIC | typeof BROKER
  readonly resource: string
  /** Null: back to the default. */
  readonly entries: Readonly<Record<string, string | null>>
}

/** Answered by any broker that takes requests, and by nothing else: its sign of life. */
export const apiVersions: KafkaRequest<void> = {
  name: 'ApiVersions',
  key: 18,
  version: 3,
  plainAnswer: true,
  encode: (writer) => void writer.string('quorate').string('1').end(),
  decode: (reader) => check('ApiVersions', reader.int16()),
}

/** The highest version that a broker speaks of each request, by the request's key. */
export const highestVersions: KafkaRequest<ReadonlyMap<number, number>> = {
  ...apiVersions,
  decode: (reader) => {
    check('ApiVersions', reader.int16())
    const spoken = reader.array((): [number, number] => {
      const key = reader.int16()
      reader.int16()
      const highest = reader.int16()
      reader.end()
      return [key, highest]
    })
    return new Map(spoken)
  },
}

/** `topics` null: all of them; none: the brokers alone. */
export function metadata(topics: readonly string[] | null): KafkaRequest<KafkaMetadata> {
  return {
    name: 'Metadata',
    key: 3,
    version: 9,
    encode: (writer) => {
      writer.array(topics, (topic) => void writer.string(topic).end())
      writer.boolean(false).boolean(false).boolean(false).end()
    },
    decode: (reader) => {
      reader.int32()
      const brokers = reader.array(() => brokerOf(reader))
      const clusterId = reader.string()
      const controllerId = reader.int32()
      const partitions = reader.array(() => topicOf(reader)).flat()
      return { clusterId, controllerId, brokers, partitions }
    },
  }
}

/** As Metadata and DescribeCluster tell of one. */
export function brokerOf(reader: KafkaReader): KafkaBroker {
  const broker = { id: reader.int32(), host: reader.string(), port: reader.int32() }
  reader.nullableString()
  reader.end()
  return broker
}

function topicOf(reader: KafkaReader): KafkaPartition[] {
  reader.int16()
  const topic = reader.string()
  reader.boolean()
  const partitions = reader.array(() => {
    // A partition without a leader is told as an error, with all that is known of it.
    reader.int16()
    const partition = reader.int32()
    reader.int32()
    reader.int32()
    const found = { topic, partition, replicas: reader.int32s(), inSync: reader.int32s() }
    reader.int32s()
    reader.end()
    return found
  })
  reader.int32()
  reader.end()
  return partitions
}

/** Values by resource, of those names alone; a null value is left out. */
export function describeConfigs(
  type: typeof TOPIC | typeof BROKER,
  resources: readonly string[],
  names: readonly string[],
): KafkaRequest<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  return {
    name: 'DescribeConfigs',
    key: 32,
    version: 4,
    encode: (writer) => {
      writer.array(resources, (resource) => {
        writer.int8(type).string(resource)
        writer.array(names, (name) => void writer.string(name)).end()
      })
      writer.boolean(false).boolean(false).end()
    },
    decode: (reader) => {
      reader.int32()
      const found = reader.array(() => configsOf(reader))
      return new Map(found.filter(({ known }) => known).map((each) => [each.resource, each.values]))
    },
  }
}

/** A topic that was deleted meanwhile. */
export const UNKNOWN_TOPIC = 3

function configsOf(reader: KafkaReader) {
  const error = reader.int16()
  const message = reader.nullableString()
  if (error !== UNKNOWN_TOPIC) check('DescribeConfigs', error, message)
  reader.int8()
  const resource = reader.string()
  const values: Record<string, string> = {}
  reader.array(() => {
    const name = reader.string()
    const value = reader.nullableString()
    if (value !== null) values[name] = value
    reader.boolean()
    reader.int8()
    reader.boolean()
    reader.array(() => [reader.string(), reader.string(), reader.int8(), reader.end()])
    reader.int8()
    reader.nullableString()
    reader.end()
  })
  reader.end()
  return { resource, values, known: error !== UNKNOWN_TOPIC }
}

const SET = 0
const DELETE = 1

/** Brokers' configurations are changed by themselves alone: one request each. */
export function alterConfigs(changes: readonly ConfigChange[]): KafkaRequest<void> {
  return {
    name: 'IncrementalAlterConfigs',
    key: 44,
    version: 1,
    encode: (writer) => {
      writer.array(changes, ({ type, resource, entries }) => {
        writer.int8(type).string(resource)
        writer.array(Object.entries(entries), ([name, value]) => {
          writer.string(name)
          writer.int8(value === null ? DELETE : SET).string(value)
          writer.end()
        })
        writer.end()
      })
      writer.boolean(false).end()
    },
    decode: (reader) => {
      reader.int32()
      reader.array(() => {
        const [error, message] = [reader.int16(), reader.nullableString()]
        reader.int8()
        const resource = reader.string()
        reader.end()
        if (error !== UNKNOWN_TOPIC) {
          check('IncrementalAlterConfigs', error, `${resource}: ${message ?? ''}`)
        }
      })
    },
  }
}

/** How many logs the broker that answers has on its disks, the ones that it is receiving among them. */
export const countLogs: KafkaRequest<number> = {
  name: 'DescribeLogDirs',
  key: 35,
  version: 2,
  encode: (writer) => void writer.array(null, () => {}).end(),
  decode: (reader) => {
    reader.int32()
    const counts = reader.array(() => {
      check('DescribeLogDirs', reader.int16(), reader.string())
      const logs = reader.array(() => logsOf(reader)).flat()
      reader.end()
      return logs.length
    })
    return counts.reduce((sum, count) => sum + count, 0)
  },
}

/** The log of the metadata, which every node has: none of the copies that a broker keeps for others. */
const METADATA_TOPIC = '__cluster_metadata'

function logsOf(reader: KafkaReader): number[] {
  const topic = reader.string()
  const partitions = reader.array(() => {
    const partition = reader.int32()
    reader.int64()
    reader.int64()
    reader.boolean()
    reader.end()
    return partition
  })
  reader.end()
  return topic === METADATA_TOPIC ? [] : partitions
}

/** The codes that people meet; the others are told by their number. */
const ERRORS: Readonly<Record<number, string>> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  35: 'UNSUPPORTED_VERSION',
  39: 'INVALID_REPLICA_ASSIGNMENT',
  40: 'INVALID_CONFIG',
  41: 'NOT_CONTROLLER',
  42: 'INVALID_REQUEST',
  56: 'KAFKA_STORAGE_ERROR',
  85: 'NO_REASSIGNMENT_IN_PROGRESS',
  102: 'BROKER_ID_NOT_REGISTERED',
  126: 'DUPLICATE_VOTER',
  127: 'VOTER_NOT_FOUND',
}

export const NOT_CONTROLLER = 41

/** Throws ENGINE_REFUSED for every code but 0. */
export function check(request: string, code: number, message: string | null = null): void {
  if (code === 0) return
  const why = `${ERRORS[code] ?? `error ${code}`}${message ? `: ${message}` : ''}`
  throw new AgentError('ENGINE_REFUSED', `${request}: ${why}`, code)
}
