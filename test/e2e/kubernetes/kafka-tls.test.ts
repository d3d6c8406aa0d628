import { dependentStory } from './dependent-story.ts'
import { kraftStory } from './kafka-stories.ts'

dependentStory({ ...kraftStory('kafka-tls'), tls: true })
