import { dependentStory } from './dependent-story.ts'
import { POSTGRESQL, STAND_IN } from './postgresql-subject.ts'

dependentStory({
  ...POSTGRESQL,
  name: 'postgresql',
  values: ['--values', 'charts/quorate/ci/postgresql-values.yaml', ...STAND_IN],
})
