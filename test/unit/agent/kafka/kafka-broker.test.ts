import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KafkaPartition } from '../../../../agent/core/cluster/kafka-partitions.ts'
import { LocalBroker } from '../../../../agent/engines/kafka/kafka-broker.ts'
import { limits } from '../../../../agent/limits.ts'
import {
  API_VERSIONS,
  configsOf,
  DESCRIBE_CONFIGS,
  DESCRIBE_LOG_DIRS,
  logsOf,
  METADATA,
  metadataOf,
} from './broker-answers.ts'
import { alive, FakeBroker, framed } from './fake-broker.ts'

describe('the broker beside the agent', () => {
  let double: FakeBroker
  let broker: LocalBroker
  let nowMs: number
  let brokers: number[]
  let partitions: KafkaPartition[]
  let mute: boolean
  /** It closes the connection when it is asked for configurations, after so long. */
  let broken: boolean
  let take: number

  beforeEach(async () => {
    nowMs = 1_000
    brokers = [0, 1]
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0, 1] }]
    mute = false
    broken = false
    take = 0
    double = new FakeBroker()
    double.answer = (socket, id, key) => {
      if (mute) return
      if (broken && key === DESCRIBE_CONFIGS) {
        nowMs += take
        socket.destroy()
        return
      }
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

  async function look(): Promise<boolean> {
    const answers = await broker.look()
    if (answers) await broker.follow(true)
    return answers
  }

  function behind(): void {
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0] }]
  }

  it('is there for clients when the brokers know it and its copies are in sync', async () => {
    brokers = [0]
    expect(await look()).toBe(true)
    expect(broker.obstacle).toBe('the brokers do not know this one yet')
    brokers = [0, 1]
    behind()
    await look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    partitions = [{ topic: 't', partition: 0, replicas: [0, 1], inSync: [0, 1] }]
    await look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    // The copies are looked at anew after a while.
    nowMs += limits.kafkaSurveyEveryMs
    await look()
    expect(broker.obstacle).toBeNull()
  })

  it('stays so when copies fall behind later, until another process starts', async () => {
    await look()
    expect(broker.obstacle).toBeNull()
    behind()
    nowMs += limits.kafkaSurveyEveryMs
    await look()
    expect(broker.obstacle).toBeNull()
    broker.begin()
    await look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
  })

  it('does not wait for its copies for ever', async () => {
    behind()
    await look()
    nowMs += limits.kafkaBehindMs - 1
    await look()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    nowMs += 1
    await look()
    expect(broker.obstacle).toBeNull()
  })

  it('is asked for its copies at ever longer intervals while that fails', async () => {
    broken = true
    const asked = async () => {
      await look()
      return double.keys.filter((key) => key === DESCRIBE_CONFIGS).length
    }
    expect(await asked()).toBe(1)
    let surveys = 1
    for (let pauseMs = limits.kafkaSurveyEveryMs; surveys < 9; pauseMs *= 2) {
      const boundedMs = Math.min(pauseMs, limits.kafkaSurveyPauseMsMax)
      nowMs += boundedMs - 1
      expect(await asked()).toBe(surveys)
      nowMs += 1
      surveys += 1
      expect(await asked()).toBe(surveys)
    }
    broken = false
    behind()
    nowMs += limits.kafkaSurveyPauseMsMax
    await asked()
    expect(broker.obstacle).toBe('1 of its copies are behind')
    nowMs += limits.kafkaSurveyEveryMs
    expect(await asked()).toBe(surveys + 2)
  })

  it('waits from the end of a question that failed, and not of one to a former process', async () => {
    broken = true
    take = 3 * limits.kafkaSurveyEveryMs
    await look()
    await look()
    expect(double.keys.filter((key) => key === DESCRIBE_CONFIGS)).toHaveLength(1)
    broken = false
    broker.begin()
    await look()
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
    expect(await look()).toBe(true)
    mute = true
    const since = performance.now()
    expect(await look()).toBe(true)
    while (await look()) expect(performance.now() - since).toBeLessThan(8_000)
    expect(performance.now() - since).toBeGreaterThanOrEqual(limits.kafkaAnswerMs - 50)
    mute = false
    expect(await look()).toBe(true)
  }, 15_000)
})
