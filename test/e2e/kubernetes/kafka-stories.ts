import type { Story } from './dependent-story.ts'
import { controllersSubject, kafkaSubject } from './kafka-subject.ts'

export const KRAFT_TAG = '4.2.0'
export const ZOOKEEPER_TAG = '3.9.2'
/** Longest time without a write in a planned change. */
const PLANNED_GAP_MS_MAX = 15_000
const COPIES = [
  [0, 1, 2],
  [1, 2, 0],
  [2, 0, 1],
]
/** Of offsets: they are made while all else runs. */
const FEW_PARTITIONS = ['--set', 'kafka.config.offsets\\.topic\\.num\\.partitions=3']

/** Kafka that keeps its cluster itself, with three servers beside it. */
export function kraftStory(name: string): Story {
  return {
    component: 'kafka',
    name,
    values: [
      ...['--values', 'charts/quorate/ci/kafka-values.yaml', '--set', 'server.replicaCount=3'],
      ...['--set-string', `kafka.image.tag=${KRAFT_TAG}`, ...FEW_PARTITIONS],
    ],
    plannedGapMsMax: PLANNED_GAP_MS_MAX,
    subject: (dependent, tls) =>
      kafkaSubject(dependent, { mode: 'kraft', tag: KRAFT_TAG, tls, copies: COPIES }),
  }
}

/** The controllers of Kafka in a set of their own, beside three brokers that write all the time. */
export function controllersStory(name: string): Story {
  return {
    component: 'kafka-controllers',
    beside: ['kafka'],
    name,
    values: [
      ...['--values', 'charts/quorate/ci/kafka-controllers-values.yaml'],
      ...['--set', 'server.replicaCount=3', ...FEW_PARTITIONS],
      ...['--set-string', `kafka.image.tag=${KRAFT_TAG}`],
    ],
    plannedGapMsMax: PLANNED_GAP_MS_MAX,
    subject: (dependent, tls) =>
      controllersSubject(dependent, { tag: KRAFT_TAG, tls, copies: COPIES, firstId: 1000 }),
  }
}

/**
 * Kafka whose cluster lives in the ensemble. Without it no leader of a partition can do without a copy that goes
 * away, and nothing is acknowledged there any more: so one partition has no copy on the last broker, which is the
 * one that is taken away meanwhile.
 */
export function zookeeperStory(name: string): Story {
  return {
    component: 'kafka',
    name,
    values: [
      ...['--values', 'charts/quorate/ci/kafka-zookeeper-values.yaml'],
      ...['--set-string', `kafka.image.tag=${ZOOKEEPER_TAG}`, ...FEW_PARTITIONS],
    ],
    plannedGapMsMax: PLANNED_GAP_MS_MAX,
    subject: (dependent, tls) =>
      kafkaSubject(dependent, {
        mode: 'zookeeper',
        tag: ZOOKEEPER_TAG,
        tls,
        copies: [...COPIES, [0, 1], [1, 0]],
      }),
  }
}
