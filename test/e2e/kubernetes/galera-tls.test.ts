import { dependentStory } from './dependent-story.ts'
import { GALERA, GALERA_VALUES } from './galera-subject.ts'

dependentStory({ ...GALERA, name: 'galera-tls', values: GALERA_VALUES, tls: true })
