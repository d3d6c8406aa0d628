import type { KafkaRequest } from '../../agent/engines/kafka/kafka-requests.ts'
import type { KafkaReader, KafkaWriter } from '../../agent/engines/kafka/kafka-wire.ts'

const TIMEOUT_MS = 10_000

export interface Topic {
  readonly name: string
  /** Broker ids by partition. */
  readonly copies: readonly (readonly number[])[]
  readonly minInSync: number
}

/** CreateTopics with copies on chosen brokers; the agent has no use for it. For the controller. */
export function createTopic({ name, copies, minInSync }: Topic): KafkaRequest<void> {
  return {
    name: 'CreateTopics',
    key: 19,
    version: 5,
    encode: (writer: KafkaWriter) => {
      writer.array([name], () => {
        writer.string(name).int32(-1).int16(-1)
        writer.array([...copies.entries()], ([partition, brokers]) => {
          writer.int32(partition).int32s(brokers).end()
        })
        writer.array([String(minInSync)], (value) => {
          writer.string('min.insync.replicas').string(value).end()
        })
        writer.end()
      })
      writer.int32(TIMEOUT_MS).boolean(false).end()
    },
    decode: (reader: KafkaReader) => {
      reader.int32()
      reader.array(() => {
        const [topic, error, message] = [reader.string(), reader.int16(), reader.nullableString()]
        if (error !== 0) throw new Error(`${topic}: ${error} ${message}`)
        reader.int32()
        reader.int16()
        reader.array(() => {
          reader.string()
          reader.nullableString()
          reader.boolean()
          reader.int8()
          reader.boolean()
          reader.end()
        })
        reader.end()
      })
    },
  }
}

/** DeleteTopics, for the controller. */
export function deleteTopic(name: string): KafkaRequest<void> {
  return {
    name: 'DeleteTopics',
    key: 20,
    version: 4,
    encode: (writer: KafkaWriter) => {
      writer
        .array([name], (topic) => void writer.string(topic))
        .int32(TIMEOUT_MS)
        .end()
    },
    decode: (reader: KafkaReader) => {
      reader.int32()
      reader.array(() => {
        const [topic, error] = [reader.string(), reader.int16()]
        if (error !== 0) throw new Error(`${topic}: ${error}`)
        reader.end()
      })
    },
  }
}
