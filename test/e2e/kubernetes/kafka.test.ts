import { dependentStory } from './dependent-story.ts'
import { kafkaDepartures } from './kafka-departures.ts'
import { KRAFT_TAG, kraftStory } from './kafka-stories.ts'

dependentStory({
  ...kraftStory('kafka'),
  more: (place) => kafkaDepartures(place, { tag: KRAFT_TAG, tls: null }),
})
