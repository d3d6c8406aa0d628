import type { PartitionMove } from '../../core/cluster/kafka-partitions.ts'
import { check, type KafkaRequest, UNKNOWN_TOPIC } from './kafka-requests.ts'

/** What a reassignment under way is about; `replicas` has the old ones and the new ones. */
export interface Reassignment {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/** Answered by the controller alone. */
export function alterReassignments(
  moves: readonly PartitionMove[],
  timeoutMs: number,
): KafkaRequest<void> {
  const name = 'AlterPartitionReassignments'
  const topics = [...new Set(moves.map(({ topic }) => topic))]
  return {
    name,
    key: 45,
    version: 0,
    encode: (writer) => {
      writer.int32(timeoutMs)
      writer.array(topics, (topic) => {
        const partitions = moves.filter((move) => move.topic === topic)
        writer.string(topic)
        writer.array(partitions, ({ partition, replicas }) => {
          writer.int32(partition).int32s(replicas).end()
        })
        writer.end()
      })
      writer.end()
    },
    decode: (reader) => {
      reader.int32()
      check(name, reader.int16(), reader.nullableString())
      reader.array(() => {
        const topic = reader.string()
        reader.array(() => {
          const place = `${topic}-${reader.int32()}`
          const [error, message] = [reader.int16(), reader.nullableString()]
          if (error !== UNKNOWN_TOPIC) check(name, error, `${place}: ${message ?? ''}`)
          reader.end()
        })
        reader.end()
      })
    },
  }
}

/** All that are under way. Answered by the controller alone. */
export function listReassignments(timeoutMs: number): KafkaRequest<readonly Reassignment[]> {
  return {
    name: 'ListPartitionReassignments',
    key: 46,
    version: 0,
    encode: (writer) =>
      void writer
        .int32(timeoutMs)
        .array(null, () => {})
        .end(),
    decode: (reader) => {
      reader.int32()
      check('ListPartitionReassignments', reader.int16(), reader.nullableString())
      const topics = reader.array(() => {
        const topic = reader.string()
        const partitions = reader.array(() => {
          const [partition, replicas] = [reader.int32(), reader.int32s()]
          const [adding, removing] = [reader.int32s(), reader.int32s()]
          reader.end()
          return { topic, partition, replicas, adding, removing }
        })
        reader.end()
        return partitions
      })
      return topics.flat()
    },
  }
}
