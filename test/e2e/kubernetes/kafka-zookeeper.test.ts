import { dependentStory } from './dependent-story.ts'
import { kafkaDepartures } from './kafka-departures.ts'
import { kafkaFromOutside } from './kafka-outside.ts'
import { ZOOKEEPER_TAG, zookeeperStory } from './kafka-stories.ts'

dependentStory({
  ...zookeeperStory('kafka-zookeeper'),
  more: (place) => {
    const image = { tag: ZOOKEEPER_TAG, tls: null }
    kafkaFromOutside(place, image)
    kafkaDepartures(place, image)
  },
})
