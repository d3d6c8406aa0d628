import { dependentStory } from './dependent-story.ts'
import { POSTGRESQL, STAND_IN, STAND_IN_TLS } from './postgresql-subject.ts'

const VALUES = ['--values', 'charts/quorate/ci/postgresql-values.yaml']

dependentStory({
  ...POSTGRESQL,
  name: 'postgresql-tls',
  values: [...VALUES, ...STAND_IN, ...STAND_IN_TLS],
  tls: true,
})
