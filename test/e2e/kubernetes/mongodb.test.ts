import { beforeAll } from 'vitest'
import { dependentStory } from './dependent-story.ts'
import { DOUBLE_VALUES, MONGODB, provideDouble } from './mongodb-subject.ts'

beforeAll(provideDouble, 300_000)

dependentStory({
  ...MONGODB,
  name: 'mongodb-double',
  values: [...DOUBLE_VALUES, '--set', 'server.replicaCount=3'],
})
