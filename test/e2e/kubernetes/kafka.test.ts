import { dependentStory } from './dependent-story.ts'
import { KAFKA_VALUES, kafkaSubject } from './kafka-subject.ts'

const TAG = '4.2.0'
const COPIES = [
  [0, 1, 2],
  [1, 2, 0],
  [2, 0, 1],
]

dependentStory({
  component: 'kafka',
  name: 'kafka',
  values: [
    ...['--values', 'charts/quorate/ci/kafka-values.yaml', '--set', 'server.replicaCount=3'],
    ...['--set-string', `kafka.image.tag=${TAG}`, ...KAFKA_VALUES],
  ],
  plannedGapMsMax: 15_000,
  subject: (dependent, tls) =>
    kafkaSubject(dependent, { mode: 'kraft', tag: TAG, tls, copies: COPIES }),
})
