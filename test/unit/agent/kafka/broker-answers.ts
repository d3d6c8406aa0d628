import type { KafkaPartition } from '../../../../agent/core/cluster/kafka-partitions.ts'
import type { QuorumReplica } from '../../../../agent/engines/kafka/kafka-quorum-requests.ts'
import { KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'
import { alive } from './fake-broker.ts'

export const METADATA = 3
export const API_VERSIONS = 18
export const DESCRIBE_CONFIGS = 32
export const DESCRIBE_LOG_DIRS = 35
export const DESCRIBE_QUORUM = 55

export function metadataOf(
  brokers: readonly number[],
  partitions: readonly KafkaPartition[],
): Buffer {
  const writer = new KafkaWriter().int32(0)
  writer.array(brokers, (id) => void writer.int32(id).string('h').int32(1).string(null).end())
  writer.string('c1').int32(0)
  writer.array(partitions, ({ topic, partition, replicas, inSync }) => {
    writer.int16(0).string(topic).boolean(false)
    writer.array([partition], () => {
      writer
        .int16(0)
        .int32(partition)
        .int32(replicas[0] ?? -1)
        .int32(0)
      writer.int32s(replicas).int32s(inSync).int32s([]).end()
    })
    writer.int32(0).end()
  })
  return writer.int32(0).end().finish()
}

export function configsOf(topics: readonly string[], least: number): Buffer {
  const writer = new KafkaWriter().int32(0)
  writer.array(topics, (topic) => {
    writer.int16(0).string(null).int8(2).string(topic)
    writer.array([least], (value) => {
      writer.string('min.insync.replicas').string(String(value)).boolean(false).int8(1)
      writer.boolean(false).int32s([]).int8(0).string(null).end()
    })
    writer.end()
  })
  return writer.end().finish()
}

/** One directory, with a log of this topic, and the log of the metadata. */
export function logsOf(topic: string): Buffer {
  const writer = new KafkaWriter().int32(0)
  writer.array(['/logs'], (directory) => {
    writer.int16(0).string(directory)
    writer.array([topic, '__cluster_metadata'], (name) => {
      writer.string(name)
      writer.array([0], (partition) => {
        writer.int32(partition).int32(0).int32(7).int32(0).int32(0).boolean(false).end()
      })
      writer.end()
    })
    writer.end()
  })
  return writer.end().finish()
}

/** Of a broker with one copy, in sync, of a topic of two. */
export const ANSWERS_IN_SYNC: Readonly<Record<number, Buffer>> = {
  [METADATA]: metadataOf([0, 1], [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0, 1] }]),
  [API_VERSIONS]: alive,
  [DESCRIBE_CONFIGS]: configsOf(['t'], 1),
  [DESCRIBE_LOG_DIRS]: logsOf('t'),
}

export function quorumOf(
  leaderId: number,
  voters: readonly QuorumReplica[],
  observers: readonly QuorumReplica[] = [],
  error = 0,
): Buffer {
  const writer = new KafkaWriter().int16(0).string(null)
  const replica = ({ id, directoryId, caughtUpAt: at }: QuorumReplica) => {
    writer.int32(id).uuid(directoryId)
    for (const value of [7, at, at]) writer.int32(value < 0 ? -1 : 0).int32(value)
    writer.end()
  }
  writer.array([0], () => {
    writer.string('__cluster_metadata').array([0], () => {
      writer.int32(0).int16(error).string(null).int32(leaderId).int32(4).int32(0).int32(7)
      writer.array(voters, replica).array(observers, replica).end()
    })
    writer.end()
  })
  return writer.int32s([]).end().finish()
}
