import { describe, expect, it } from 'vitest'
import { fencedBrokers } from '../../../../agent/engines/kafka/kafka-quorum-requests.ts'
import { highestVersions } from '../../../../agent/engines/kafka/kafka-requests.ts'
import { KafkaReader, KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'

describe('brokers that are registered and do not run', () => {
  const brokers = [
    { id: 0, fenced: false },
    { id: 3, fenced: true },
    { id: 4, fenced: true },
  ]
  const answer = (error: number) => {
    const writer = new KafkaWriter().int32(0).int16(error).string(null).int8(1).string('c').int32(0)
    writer.array(brokers, ({ id, fenced }) => {
      writer.int32(id).string('host').int32(9092).string(null).boolean(fenced).end()
    })
    return new KafkaReader(writer.int32(-1).end().finish())
  }

  it('are told by DescribeCluster, when it is asked for them', () => {
    expect(fencedBrokers.decode(answer(0))).toEqual([3, 4])
    expect(() => fencedBrokers.decode(answer(31))).toThrow('CLUSTER_AUTHORIZATION_FAILED')
    const writer = new KafkaWriter()
    fencedBrokers.encode(writer)
    // Of brokers, the fenced ones among them.
    expect(writer.finish().toString('hex')).toBe('00010100')
  })

  it('are told by those alone that speak its second version', () => {
    const writer = new KafkaWriter().int16(0)
    const spoken = [
      [18, 0, 4],
      [60, 0, 2],
    ] as const
    writer.array(spoken, ([key, least, most]) => {
      writer.int16(key).int16(least).int16(most).end()
    })
    const versions = highestVersions.decode(new KafkaReader(writer.int32(0).end().finish()))
    expect(versions.get(fencedBrokers.key)).toBe(fencedBrokers.version)
  })
})
