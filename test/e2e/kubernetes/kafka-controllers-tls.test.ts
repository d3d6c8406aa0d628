import { dependentStory } from './dependent-story.ts'
import { controllersStory } from './kafka-stories.ts'

dependentStory({ ...controllersStory('kafka-controllers-tls'), tls: true })
