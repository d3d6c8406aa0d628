import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KafkaPartition } from '../../../../agent/core/cluster/kafka-partitions.ts'
import { LocalBroker } from '../../../../agent/engines/kafka/kafka-broker.ts'
import { KafkaWriter } from '../../../../agent/engines/kafka/kafka-wire.ts'
import { limits } from '../../../../agent/limits.ts'
import { alive, FakeBroker, framed } from './fake-broker.ts'

const METADATA = 3
const API_VERSIONS = 18
const DESCRIBE_CONFIGS = 32
const DESCRIBE_LOG_DIRS = 35

function metadataOf(brokers: readonly number[], partitions: readonly KafkaPartition[]): Buffer {
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

function configsOf(topics: readonly string[], least: number): Buffer {
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
function logsOf(topic: string): Buffer {
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

describe('the broker beside the agent', () => {
  let double: FakeBroker
  let broker: LocalBroker
  let nowMs: number
  let brokers: number[]
  let partitions: KafkaPartition[]
  let mute: boolean

  beforeEach(async () => {
    nowMs = 1_000
    brokers = [0, 1]
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0, 1] }]
    mute = false
    double = new FakeBroker()
    double.answer = (socket, id, key) => {
      if (mute) return
      const answers: Readonly<Record<number, Buffer>> = {
        [METADATA]: metadataOf(brokers, partitions),
        [API_VERSIONS]: alive,
        [DESCRIBE_CONFIGS]: configsOf(['t'], 2),
        [DESCRIBE_LOG_DIRS]: logsOf('t'),
      }
      socket.write(framed(id, key !== API_VERSIONS, answers[key] ?? Buffer.alloc(0)))
    }
    const place = { host: '127.0.0.1', port: await double.listen() }
    broker = new LocalBroker({ id: 1, place, tls: null, nowMs: () => nowMs })
  })

  afterEach(() => double.close())

  function behind(): void {
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0] }]
  }

  it('is there for clients when the brokers know it and its copies are in sync', async () => {
    brokers = [0]
    expect(await broker.look()).toBe(true)
    expect(broker.obstacle).toBe('the brokers do not know this one yet')
    brokers = [0, 1]
    behind()
    await broker.look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0, 1] }]
    await broker.look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    // The copies are looked at anew after a while.
    nowMs += limits.kafkaSurveyEveryMs
    await broker.look()
    expect(broker.obstacle).toBeNull()
  })

  it('stays so when copies fall behind later, until another process starts', async () => {
    await broker.look()
    expect(broker.obstacle).toBeNull()
    behind()
    nowMs += limits.kafkaSurveyEveryMs
    await broker.look()
    expect(broker.obstacle).toBeNull()
    broker.begin()
    await broker.look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
  })

  it('does not wait for its copies for ever', async () => {
    behind()
    await broker.look()
    nowMs += limits.kafkaBehindMs - 1
    await broker.look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    nowMs += 1
    await broker.look()
    expect(broker.obstacle).toBeNull()
  })

  it('says what its copies mean for a stop', async () => {
    await broker.lookAtCopies()
    expect(broker.survey).toEqual({
      atMs: 1_000,
      copies: 1,
      behind: 0,
      // Two copies, and two are needed: it never was to be stopped for.
      atRisk: 0,
      example: '',
      logs: 1,
    })
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1, 2], inSync: [0, 1] }]
    await broker.lookAtCopies()
    expect(broker.survey).toMatchObject({
      atRisk: 1,
      example: 't-0 has 2 copies in sync and needs 2',
    })
  })

  it('is dead when ApiVersions is not answered in time, and not before', async () => {
    expect(await broker.look()).toBe(true)
    mute = true
    const since = performance.now()
    expect(await broker.look()).toBe(true)
    while (await broker.look()) expect(performance.now() - since).toBeLessThan(8_000)
    expect(performance.now() - since).toBeGreaterThanOrEqual(limits.kafkaAnswerMs - 50)
    mute = false
    expect(await broker.look()).toBe(true)
  }, 15_000)
})
