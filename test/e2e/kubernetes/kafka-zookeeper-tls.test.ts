import { dependentStory } from './dependent-story.ts'
import { zookeeperStory } from './kafka-stories.ts'

const story = zookeeperStory('kafka-zookeeper-tls')

// Node ports are of the whole cluster, and no certificate names the address of a node.
dependentStory({
  ...story,
  values: [...story.values, '--set', 'kafka.external.enabled=false'],
  tls: true,
})
